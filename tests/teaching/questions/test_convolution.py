"""Questions about convolution: over many settings one choice is right, and it is the engine's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnviz
from cnnviz import ops
from cnnviz.ops.padding import window
from cnnviz.teaching.questions.convolution import output_size, parameters, same_sides, transposed_size
from harness.questions import one_is_right

PADDINGS = st.one_of(st.sampled_from(["valid", "same"]), st.tuples(st.integers(0, 3), st.integers(0, 3)))


@settings(deadline=None)
@given(st.integers(3, 30), st.integers(1, 5), st.integers(1, 4), PADDINGS, st.integers(1, 3))
def test_the_output_size_is_that_of_an_output(size, kernel, stride, padding, dilation):
    given_ = padding if isinstance(padding, str) else (padding, (0, 0))
    x, w = np.ones((size, 1)), np.ones((kernel, 1, 1, 1))
    try:
        out = len(ops.conv2d(x, w, strides=stride, padding=given_, dilation_rate=(dilation, 1)))
    except ValueError:
        with pytest.raises(ValueError, match="covers"):
            output_size(size, kernel, stride=stride, padding=padding, dilation=dilation)
        return
    asked = output_size(size, kernel, stride=stride, padding=padding, dilation=dilation)
    one_is_right(asked)
    assert asked.answer.text == str(out)
    assert all(int(choice.text) >= 0 for choice in asked.choices)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_the_sides_of_same_give_what_same_gives(size, kernel, stride, dilation):
    asked = same_sides(size, kernel, stride, dilation)
    one_is_right(asked)
    before, after = (int(part.split()[0]) for part in asked.answer.text.split(", "))
    x = np.random.default_rng(size).normal(size=(size, 1))
    w = np.random.default_rng(kernel).normal(size=(kernel, 1, 1, 1))
    options = {"strides": (stride, 1), "dilation_rate": (dilation, 1)}
    explicit = ops.conv2d(x, w, padding=((before, after), (0, 0)), **options)
    np.testing.assert_array_equal(explicit, ops.conv2d(x, w, padding="same", **options))


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_parameters_are_the_networks(model):
    net = cnnviz.load_model(model)
    for layer in net.layers:
        if layer.kind == "Conv2D":
            asked = parameters(layer)
            one_is_right(asked)
            assert asked.answer.text == f"{sum(array.size for array in layer.weights.values()):,}"


@given(st.integers(3, 9), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["valid", "same"]))
def test_the_transpose_brings_back_the_size(size, kernel, stride, padding):
    geometry = window((size, size + 1), (kernel, kernel), (stride, stride), padding)
    asked = transposed_size(geometry)
    one_is_right(asked)
    assert asked.answer.text == f"The size {size} × {size + 1}, with other values"
