"""Questions about convolution: over many settings one choice is right, and it is the engine's."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cnnviz
from cnnviz import ops
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


KERNELS = {
    "sobel": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "middle": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "ones": [[1, 1], [1, 1]],
    "one": [[1]],
    "shift": [[0, 0, 1]],
    "zeros": [[0, 0], [0, 0]],
}


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(sorted(KERNELS)),
    st.integers(3, 9),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from(["valid", "same", ((1, 0), (2, 1)), ((2, 2), (2, 2))]),
    st.booleans(),
)
def test_the_transpose_is_told_as_it_is(name, size, stride, dilation, padding, blank):
    """Every claim about the size and the values is held against TensorFlow's rule for the transpose."""
    x = np.random.default_rng(size).normal(size=(size, size + 1)) * (not blank)
    kernel = np.array(KERNELS[name], float)
    setting = {"strides": stride, "padding": padding, "dilation_rate": dilation}
    deep = kernel[:, :, None, None]
    try:
        y = ops.conv2d(x, deep, **setting)
    except ValueError:
        assume(False)
    asked = transposed_size(x, kernel, **setting)
    one_is_right(asked)
    back = ops.conv2d_input_grad(y[None, ..., None], deep, (1, *x.shape, 1), **setting)[0, ..., 0]
    for choice in asked.choices:
        shape = tuple(int(n) for n in re.findall(r"(\d+) × (\d+)", choice.text)[0])
        truth = shape == back.shape
        if "other values" in choice.text:
            truth &= not np.allclose(back, x)
        elif "that were there" in choice.text:
            truth &= np.allclose(back, x)
        elif "copied" in choice.text:
            rows, cols = (int(n) for n in re.findall(r"(\d+) × (\d+) times", choice.text)[0])
            copied = y.repeat(rows, 0).repeat(cols, 1)
            truth &= copied.shape == back.shape and np.allclose(copied, back)
        assert truth == choice.right, choice.text
