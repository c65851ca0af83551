"""Questions about pooling: over many windows one choice is right, and it is the engine's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cnnviz
from cnnviz import Network, ops
from cnnviz.numbers import number
from cnnviz.teaching.questions.pooling import as_a_convolution, average, output_size, telling_window, winner
from harness.networks import conv, image
from harness.questions import one_is_right

WINDOWS = st.tuples(st.integers(1, 3), st.integers(2, 3))


@settings(deadline=None)
@given(WINDOWS, st.integers(1, 3), st.sampled_from(["valid", "same"]), st.integers(0, 2**32 - 1))
def test_a_windows_answer_is_the_engines(window, stride, padding, seed):
    x = np.random.default_rng(seed).normal(size=(5, 6)).astype(np.float32)
    options = {"strides": stride, "padding": padding}
    cell = telling_window(x, window, **options)
    assume(cell is not None)
    for ask, pool in ((winner, ops.max_pool2d), (average, ops.avg_pool2d)):
        asked = ask(x, *cell, window, **options)
        one_is_right(asked)
        pooled = pool(x.astype(float), window, **options)
        assert asked.answer.text == number(pooled[cell])


def test_padding_is_neither_counted_nor_wins():
    x = np.array([[-1.0, -2.0], [-3.0, -4.0]])
    asked = average(x, 0, 1, 2, strides=1, padding="same")
    assert asked.answer.text == "−3.00"
    assert "dividing by the padding too" in {choice.misconception for choice in asked.choices}
    largest = winner(x, 0, 1, 2, strides=1, padding="same")
    assert largest.answer.text == "−2.00"
    assert "padding that wins as 0" in {choice.misconception for choice in largest.choices}


def test_a_window_of_equal_cells_is_no_question():
    assert telling_window(np.ones((4, 4))) is None
    with pytest.raises(ValueError, match="must have different values, all are 1"):
        winner(np.ones((4, 4)), 0, 0)
    with pytest.raises(ValueError, match=r"must be a cell of the \(2, 2\) outputs, got \(2, 0\)"):
        winner(np.eye(4), 2, 0)


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_a_convolution_in_place_of_pooling_would_learn(model):
    for layer in cnnviz.load_model(model).layers:
        if layer.kind == "MaxPooling2D":
            asked = as_a_convolution(layer)
            one_is_right(asked)
            deep = layer.input_shape[2]
            instead = Network([image(*layer.input_shape), conv("conv", "image", deep, deep, 2)])
            assert asked.answer.text == f"{instead['conv'].params:,}"
            assert "0" in [choice.text for choice in asked.choices]


@settings(deadline=None)
@given(
    st.tuples(st.integers(3, 20), st.integers(3, 20)),
    WINDOWS,
    st.integers(1, 3),
    st.sampled_from(["valid", "same"]),
)
def test_the_pooled_size_is_that_of_an_output(size, window, stride, padding):
    asked = output_size(size, window, strides=stride, padding=padding)
    one_is_right(asked)
    out = ops.max_pool2d(np.zeros(size), window, strides=stride, padding=padding).shape
    assert asked.answer.text == f"{out[0]} × {out[1]}"


@pytest.mark.parametrize(
    ("padding", "words", "size"),
    [
        (((1, 1), (1, 1)), "1 cell of padding on each side", "6 × 6"),
        (((2, 0), (0, 1)), "padding of 2 above, 0 below, 0 left and 1 right", "6 × 5"),
    ],
)
def test_explicit_padding_is_said_in_words(padding, words, size):
    asked = output_size((11, 11), 3, strides=2, padding=padding)
    one_is_right(asked)
    assert words in asked.prompt
    assert asked.answer.text == size
