"""The patch that excites a kernel most, by looking at every one; and paths through stacks, by counting."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import kernels, ops
from cnnviz.kernels import responses
from cnnviz.receptive_fields import Conv, receptive_field

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("channels", [1, 3])
def test_no_other_patch_gives_more(channels, monkeypatch):
    monkeypatch.setattr(responses, "_AT_A_TIME", 3)
    images = RNG.integers(0, 256, (7, 9, 8, channels), np.uint8)
    weights = RNG.standard_normal((3, 2, channels, 5)).astype(np.float32)
    calls = []
    found = kernels.exciting_patches(weights, images, lambda done, total: calls.append((done, total)))
    assert calls == [(3, 7), (6, 7), (7, 7)]
    windows = np.lib.stride_tricks.sliding_window_view(images / 255, (3, 2), axis=(1, 2))
    answers = np.einsum("nrcdhw,hwdk->nrck", windows, weights.astype(float))
    for k, patch in enumerate(found):
        assert (patch.image, patch.row, patch.col) == np.unravel_index(
            answers[..., k].argmax(), answers.shape[:3]
        )
        assert patch.response == pytest.approx(answers[..., k].max(), rel=1e-5)
        assert np.array_equal(
            patch.patch, images[patch.image, patch.row :][:3, patch.col :][:, :2] / np.float32(255)
        )
        assert (patch.bottom, patch.right) == (patch.row + 2, patch.col + 1)
        assert patch.possible == pytest.approx(np.maximum(weights[..., k], 0).sum(), rel=1e-6)
        assert patch.response <= patch.possible


def test_of_equal_patches_it_is_the_first():
    images = np.zeros((300, 4, 4), np.uint8)
    images[[120, 250], 1, 2] = 255
    found = kernels.exciting_patches(np.ones((1, 1, 1, 1)), images)[0]
    assert (found.image, found.row, found.col) == (120, 1, 2)


def test_it_is_what_the_layer_answers_before_bias_and_activation():
    net, images = cnnviz.load_model("mnist_maxpool"), cnnviz.load_mnist()[1][0][:60]
    layer = net["conv2d"]
    for patch in kernels.exciting_patches(layer.weights["kernel"], images):
        run = net.run(images[patch.image])
        answer = run.pre_activation("conv2d")[0, patch.row, patch.col, patch.kernel]
        assert answer == pytest.approx(patch.response + layer.weights["bias"][patch.kernel], abs=1e-5)


def test_bad_images_are_named():
    with pytest.raises(ValueError, match=r"weights must be \(height, width, C, N\), got shape \(3, 3\)"):
        kernels.exciting_patches(np.ones((3, 3)), np.zeros((1, 5, 5), np.uint8))
    for bad in (np.zeros((0, 5, 5), np.uint8), np.zeros((1, 5, 5)), np.zeros((5, 5), np.uint8)):
        with pytest.raises(ValueError, match="images must be uint8"):
            kernels.exciting_patches(np.ones((3, 3, 1, 1)), bad)


@pytest.mark.parametrize(("depth", "size"), [(0, 3), (1, 3), (4, 3), (3, 2), (2, 5)])
def test_paths_are_what_kernels_of_ones_count(depth, size):
    paths = kernels.stack_paths(depth, size)
    side = depth * (size - 1) + 1
    assert paths.shape == (side, side)
    assert paths.sum() == size ** (2 * depth)
    # Each pixel by itself, through layers of ones: what arrives is the number of its paths.
    pixels = np.eye(side * side).reshape(-1, side, side, 1)
    for _ in range(depth):
        pixels = ops.conv2d(pixels, np.ones((size, size, 1, 1)))
    np.testing.assert_array_equal(pixels.reshape(side, side), paths)
    if depth:
        assert list(receptive_field([Conv(size)] * depth).values())[-1].size == (side, side)


def test_stacks_that_there_are_not():
    with pytest.raises(ValueError, match="depth must not be negative and size be positive, got -1, 3"):
        kernels.stack_paths(-1)
    with pytest.raises(ValueError, match="fewer than"):
        kernels.stack_paths(20)
