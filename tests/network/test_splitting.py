"""A network in two: the halves in a row are the whole, and what cannot be cut is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cnnviz import Layer, Network, load_mnist, load_model
from cnnviz.network.splitting import split


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_the_halves_in_a_row_are_the_whole_wherever_it_is_cut(model):
    net = load_model(model)
    images = load_mnist()[1][0][:3]
    run = net.run(images)
    for layer in net.layers[:-1]:
        head, tail = split(net, layer.name)
        middle = head.predict(images)
        assert_allclose(middle, run[layer.name], rtol=1e-4, atol=1e-4)
        # Softmax has a slope of at most 1, so what folding rounds off stays small.
        assert_allclose(tail.predict(run[layer.name]), run.output, rtol=0, atol=1e-5)
        assert len(head) + len(tail) == len(net) + 1
        assert tail.inputs == (layer.name,)


def graph() -> Network:
    """image -> a -> (b, c) -> sum -> d, and a second output at c."""
    rng = np.random.default_rng(1)

    def dense(name: str, *inputs: str) -> Layer:
        weights = {"kernel": rng.standard_normal((3, 3)).astype("float32")}
        return Layer.from_config(
            name, "Dense", {"units": 3, "use_bias": False}, weights=weights, inputs=inputs
        )

    layers = [
        Layer.from_config("image", "InputLayer", {"batch_shape": (None, 3)}),
        dense("a", "image"),
        dense("b", "a"),
        dense("c", "a"),
        Layer.from_config("sum", "Add", {}, inputs=("b", "c")),
        dense("d", "sum"),
    ]
    return Network(layers)


@pytest.mark.parametrize("layer", ["image", "a", "sum"])
def test_a_graph_is_cut_where_everything_passes(layer):
    net = graph()
    x = np.random.default_rng(2).standard_normal((4, 3)).astype("float32")
    head, tail = split(net, layer)
    assert_allclose(tail.predict(head.predict(x)), net.predict(x), rtol=1e-5, atol=1e-5)


def test_a_half_computes_in_the_precision_of_the_whole():
    net = graph().astype("float64")
    head, tail = split(net, "image")
    assert head.dtype == tail.dtype == np.float64


def test_where_not_everything_passes_it_is_not_cut():
    with pytest.raises(ValueError, match="'sum' is behind 'b' and reads 'c', which is not"):
        split(graph(), "b")
    with pytest.raises(ValueError, match="the output 'd' of network is not behind the layer 'd'"):
        split(graph(), "d")
    two = Network(graph().layers, outputs=["d", "c"])
    with pytest.raises(ValueError, match="the output 'c' of network is not behind the layer 'sum'"):
        split(two, "sum")
    with pytest.raises(KeyError, match="no layer 'x'"):
        split(graph(), "x")
