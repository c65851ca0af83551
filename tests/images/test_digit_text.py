"""Digits as text: every image comes back, nothing else is taken for one."""

from __future__ import annotations

import base64
import re
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnviz
from cnnviz.images.digit_text import digit_from_text, digit_to_text


@given(st.integers(0, 9999))
def test_a_test_digit_comes_back(k):
    image = cnnviz.load_mnist()[1][0][k]
    text = digit_to_text(image)
    np.testing.assert_array_equal(digit_from_text(text), image)
    assert re.fullmatch(r"[\w-]{50,600}", text, re.ASCII)


def test_noise_which_cannot_be_compressed_comes_back():
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    np.testing.assert_array_equal(digit_from_text(digit_to_text(image)), image)


def packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(content)).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        "a",
        "nonsense!",
        packed(b""),
        packed(bytes(783)),
        packed(bytes(785)),
        packed(bytes(100_000_000)),
        packed(bytes(784))[:-4],
        packed(bytes(784)) + packed(bytes(784)),
        "A" * 5000,
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="text must be a digit as digit_to_text writes it, got "):
        digit_from_text(text)


@given(st.text(max_size=60))
def test_any_text_is_a_digit_or_refused(text):
    with pytest.raises(ValueError, match="text must be a digit"):
        digit_from_text(text)


@pytest.mark.parametrize("image", [np.zeros((28, 28)), np.zeros((28, 27), np.uint8)])
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match=r"image must be uint8 \(28, 28\), got "):
        digit_to_text(image)
