"""Arrays as text: every finite number comes back, nothing else is taken for one."""

from __future__ import annotations

import contextlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cnnviz.images.array_text import MOST, array_from_text, array_to_text

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=11)


@given(st.sampled_from(["float32", "float64", "int64"]), SHAPES, st.data())
def test_every_finite_number_comes_back(dtype, shape, data):
    kinds = {"elements": {"allow_nan": False, "allow_infinity": False}} if dtype != "int64" else {}
    array = data.draw(arrays.arrays(dtype, shape, **kinds))
    text = array_to_text(array)
    assert re.fullmatch(r"[\d.,;e-]+", text, re.ASCII)
    found = array_from_text(text, dtype if dtype != "int64" else np.float64)
    np.testing.assert_array_equal(found, array.astype(found.dtype))


def test_numbers_are_as_short_as_can_be():
    assert array_to_text(np.float32([[0.1, 100000, 1e-5, -0.0]])) == "0.1,1e5,1e-5,0"
    assert array_to_text(np.array([[1000, -3], [0, True]])) == "1000,-3;0,1"


@pytest.mark.parametrize(
    "text",
    ["", "1,,2", "1;", "nan", "inf", "1e999", "0x10", "1_000", "٣", " 1", "1\n", "1+1", "__import__('os')"],
)
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="text must be "):
        array_from_text(text)


def test_ragged_and_long_texts_are_refused():
    with pytest.raises(ValueError, match="must have equally many numbers in each row, got 2, 1"):
        array_from_text("1,2;3")
    with pytest.raises(ValueError, match="at most 4000 characters, got 10000"):
        array_from_text("1" * 10000)
    with pytest.raises(ValueError, match="finite numbers of float32"):
        array_from_text("1e39", np.float32)


@given(st.text(max_size=40))
def test_any_text_is_finite_numbers_or_refused(text):
    with contextlib.suppress(ValueError):
        array = array_from_text(text)
        assert np.isfinite(array).all()
        assert array.ndim == 2


@pytest.mark.parametrize("array", [[], [1.0], [[np.nan]], [[np.inf]], np.zeros((0, 2)), np.zeros((1, MOST))])
def test_other_arrays_are_refused(array):
    with pytest.raises(ValueError, match="array must "):
        array_to_text(array)
