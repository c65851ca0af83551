"""Pictures to try kernels on: grey as Pillow's, small enough, and there without a network."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cnnviz import kernels

RNG = np.random.default_rng(6)


def test_the_photograph_is_matplotlibs_and_needs_no_network(monkeypatch):
    import socket

    def refuse(*_given):
        raise AssertionError("no network is needed")

    monkeypatch.setattr(socket, "socket", refuse)
    kernels.photograph.cache_clear()
    found = kernels.photograph()
    assert found.dtype == np.float32
    assert max(found.shape) == kernels.photographs.SIDE
    assert found.min() < 0.05
    assert found.max() > 0.95
    assert not found.flags.writeable


def test_brightness_is_pillows():
    image = RNG.integers(0, 256, (40, 30, 3), np.uint8)
    expected = np.asarray(Image.fromarray(image).convert("L")) / 255
    # Pillow rounds to one of 256 steps.
    assert np.abs(kernels.grey(image) - expected).max() <= 0.5 / 255 + 1e-3


@pytest.mark.parametrize(
    ("shape", "small"),
    [((600, 512), (192, 164)), ((10, 3000), (1, 192)), ((192, 5), (192, 5)), ((1, 1), (1, 1))],
)
def test_the_longer_side_is_brought_down_and_never_up(shape, small):
    assert kernels.grey(np.zeros(shape, np.uint8)).shape == small


def test_pixels_are_averaged():
    checks = np.indices((384, 384)).sum(axis=0) % 2 * np.uint8(255)
    np.testing.assert_allclose(kernels.grey(checks.astype(np.uint8)), 0.5, atol=1e-6)


def test_transparency_is_laid_on_white_and_sixteen_bits_are_whole():
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (kernels.grey(clear) == 1).all()
    clear[..., 3] = 255
    assert (kernels.grey(clear) == 0).all()
    assert (kernels.grey(np.full((4, 4), 65535, np.uint16)) == 1).all()


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_image_is_refused(bad):
    with pytest.raises(ValueError, match="image must be"):
        kernels.grey(bad)
