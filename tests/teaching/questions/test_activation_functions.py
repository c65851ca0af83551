"""Questions about activation functions: one right answer each, counted and convolved by other roads."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import ops
from cnnviz.concepts.activation_exchange import FUNCTIONS, function_named, hidden_activations
from cnnviz.concepts.affine_collapse import without_bends
from cnnviz.teaching.questions.activation_functions import applied_twice, one_convolution

MODELS = ("mnist_14k", "mnist_maxpool")
IMAGES = cnnviz.load_mnist()[1][0]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("digit", [0, 8])
def test_a_second_function_changes_what_it_changes(function, digit):
    net = cnnviz.load_model("mnist_maxpool")
    for name in hidden_activations(net):
        values = net.run(IMAGES[digit]).pre_activation(name)
        asked = applied_twice(name, function_named(function), values)
        op = getattr(ops, function)
        once = op(values)
        same = sum(a == b for a, b in zip(once.ravel().tolist(), op(once).ravel().tolist(), strict=True))
        assert asked.answer.text == f"{values.size - same:,} of {values.size:,}"
        assert sum(choice.right for choice in asked.choices) == 1
        counts = [int(choice.text.split()[0].replace(",", "")) for choice in asked.choices]
        wrong = [n for n, choice in zip(counts, asked.choices, strict=True) if not choice.right]
        assert all(abs(n - (values.size - same)) > values.size / 21 for n in wrong)
        assert all(choice.why and choice.misconception for choice in asked.choices if not choice.right)


def test_relu_is_done_after_the_first_time_and_tanh_is_not():
    values = np.array([-2.0, 0.0, 0.5, 3.0])
    assert applied_twice("conv", function_named("relu"), values).answer.text == "0 of 4"
    assert applied_twice("conv", function_named("tanh"), values).answer.text == "3 of 4"


@pytest.mark.parametrize("model", MODELS)
def test_two_convolutions_are_one_of_the_size_that_the_gradient_has(model):
    net = cnnviz.load_model(model)
    straight = without_bends(net).astype(np.float64)
    names = [layer.name for layer in net.layers if layer.kind == "Conv2D"]
    run = straight.run(IMAGES[0])
    for place, name in enumerate(names):
        first, second = names[min(place, len(names) - 2) :][:2]
        (feeder,) = straight[first].inputs
        found = run.gradient(second, unit=(0, 0, 0))[feeder][0]
        rows, cols = (np.flatnonzero(found.any(axis=axes)) for axes in ((1, 2), (0, 2)))
        asked = one_convolution(net, name)
        assert asked.answer.text == f"one of {rows.max() + 1} × {cols.max() + 1}"
        assert sum(choice.right for choice in asked.choices) == 1
        assert "none" in [choice.text for choice in asked.choices]


def test_one_convolution_alone_is_no_pair():
    net = cnnviz.Network(cnnviz.load_model("mnist_14k").layers[:2])
    with pytest.raises(ValueError, match="two convolutions, network has 1"):
        one_convolution(net, "conv2d")
