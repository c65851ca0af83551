"""Pictures of training: every line, cell and kernel is where its number says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import figures
from cnnviz.numbers import counted

RNG = np.random.default_rng(3)
SCALES = {
    "linear": lambda v: v,
    "log": np.log10,
    "accuracy": lambda v: -np.log10(1 - v),
    "count": lambda v: np.log10(v + 1),
}


def heights(line) -> np.ndarray:
    return np.array(line.get_ydata())


@pytest.mark.parametrize("kind", SCALES)
def test_lines_are_their_series_on_the_scale_that_was_asked_for(kind):
    a, b = np.array([0.5, 0.9, 0.99, 0.25]), np.array([0.1, 0.2, 0.4, 0.8])
    picture = figures.training_curves({"measure": {"a": a, "b": b}}, epoch=3, scales={"measure": kind})
    lines = picture["lines"]["measure"]
    drawn = np.concatenate([heights(lines["a"]), heights(lines["b"])])
    meant = SCALES[kind](np.concatenate([a, b]))
    slope, offset = np.polyfit(meant, drawn, 1)
    assert slope < 0, "more is higher, and y runs downwards"
    assert_allclose(slope * meant + offset, drawn, atol=1e-9)


def test_epochs_stand_under_one_another_and_the_cursor_goes_through_all_panels():
    panels = {"loss": {"training": [3.0, 2.0, 1.0]}, "accuracy": {"training": [0.1, 0.5, 0.6]}}
    picture = figures.training_curves(panels, epoch=2)
    lines = [picture["lines"][title]["training"] for title in panels]
    assert_array_equal(lines[0].get_xdata(), lines[1].get_xdata())
    x = np.array(picture["cursor"].get_xdata())
    assert set(x[~np.isnan(x)]) == {lines[0].get_xdata()[1]}
    y = np.array(picture["cursor"].get_ydata()).reshape(2, 3)
    for line, (_, top, bottom) in zip(lines, y, strict=True):
        assert top < heights(line).min() < heights(line).max() <= bottom
    assert "cursor at epoch 2: loss training from 3.00 to 1.00, 2.00 at the cursor" in picture.alt


def test_before_training_nothing_is_measured():
    picture = figures.training_curves({"loss": {"training": [3.0, 2.0]}}, epoch=0)
    assert "at the cursor" not in picture.alt
    assert figures.training_curves({"loss": {"training": [3.0, 2.0]}})["cursor"] is None


@pytest.mark.parametrize(
    ("images", "batch_size"), [(60_000, 128), (1280, 128), (7, 128), (1, 1), (60_000, 1), (60_000, 60_000)]
)
def test_an_epochs_cells_are_its_batches(images, batch_size):
    picture = figures.epoch_batches(images, batch_size)
    grid = np.array(picture["batches"].get_array().filled(np.nan))
    counts = grid[~np.isnan(grid)]
    assert counts.sum() == images
    assert len(counts) == math.ceil(images / batch_size)
    assert (counts[:-1] == batch_size).all()
    said = f"{counted(len(counts), 'step')} {'makes' if len(counts) == 1 else 'make'} one epoch"
    assert f"{said} of {counted(images, 'image')}:" in picture.alt


@pytest.mark.parametrize("width", [328.0, 960.0])
def test_kernels_over_epochs_share_one_scale_and_lose_no_weight(width):
    weights = RNG.standard_normal((3, 2, 3, 12))
    picture = figures.kernels_over_epochs(weights, [0, 1, 5], width=width)
    limit = np.abs(weights).max()
    for kernels, row in zip(weights, picture["rows"], strict=True):
        shown = []
        for image in row:
            assert (image.norm.vmin, image.norm.vmax) == (-limit, limit)
            across = np.array(image.get_array().filled(np.nan))
            assert np.isnan(across[:, 3::4]).all()
            shown += [across[:, k : k + 3] for k in range(0, across.shape[1], 4)]
        assert_array_equal(np.stack(shown, axis=2), kernels)


def test_flipped_digits_are_the_images_with_their_verdicts():
    images = RNG.integers(0, 255, (3, 28, 28), dtype=np.uint8)
    picture = figures.flipped_digits(images, [4, 2, 2], [9, 2, 7], [4, 7, 1], ["a", "b", "c"])
    for image, drawn in zip(images, picture["digits"], strict=True):
        assert_array_equal(drawn.get_array(), image)
    written = [text.get_text() for text in picture.ax.texts]
    assert [text for text in written if "→" in text] == ["9 → 4 ✓", "2 → 7 ✗", "7 → 1 ✗"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.training_curves({}), "panels must hold 1 to 3 series of one length"),
        (lambda: figures.training_curves({"loss": {"a": [1.0], "b": [1.0, 2.0]}}), r"got lengths \[1, 2\]"),
        (
            lambda: figures.training_curves({"loss": {"a": [1.0]}}, epoch=2),
            "epoch must be from 0 to 1, got 2",
        ),
        (
            lambda: figures.training_curves({"loss": {"a": [1.0]}}, scales={"loss": "cubic"}),
            "scales must be of linear, log, accuracy, count, got 'cubic'",
        ),
        (lambda: figures.epoch_batches(10, 0), "must be at least 1, got 10 and 0"),
        (
            lambda: figures.kernels_over_epochs(np.zeros((2, 3, 3, 1)), [0]),
            r"kernels must be \(1, kh, kw, N\)",
        ),
        (lambda: figures.flipped_digits(np.zeros((0, 28, 28)), [], [], [], []), "not empty"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
