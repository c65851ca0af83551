"""Exchanged activations: the same as Keras's model with the same exchange, and nothing else changed."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.concepts.activation_exchange import FUNCTIONS, exchange, function_named, hidden_activations
from cnnviz.network.evaluation import evaluate
from cnnviz.resources import asset
from harness.authority import keras

IMAGES, LABELS = (array[:64] for array in cnnviz.load_mnist()[1])


@pytest.fixture(scope="module")
def theirs():
    return keras.models.load_model(asset("mnist_maxpool.keras"), compile=False)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_keras_with_the_same_functions_gives_the_same_accuracy(theirs, function):
    net = cnnviz.load_model("mnist_maxpool")
    for name in hidden_activations(net):
        theirs.get_layer(name).activation = keras.activations.get(function)
    expected = np.asarray(theirs(IMAGES[..., None].astype(np.float32) / 255, training=False))
    found = exchange(net, function)
    # Logits are sums of 800 products of some tens: off by less than 1e-3, and a softmax by a quarter.
    np.testing.assert_allclose(found.predict(IMAGES), expected, rtol=0, atol=3e-4)
    accuracy = float((expected.argmax(axis=1) == LABELS).mean())
    assert evaluate(found, IMAGES, LABELS).accuracy == accuracy


def test_only_the_layers_that_are_named_change():
    net = cnnviz.load_model("mnist_14k")
    found = exchange(net, "tanh", ["conv2d_3"])
    changed = {name for name in hidden_activations(net) if str(found[name].activation) == "tanh"}
    assert changed == {"conv2d_3"}
    assert str(found["softmax"].activation) == "softmax"
    assert all(found[layer.name].weights is layer.weights for layer in net.layers)


def test_a_name_that_is_no_elementwise_function_is_refused():
    with pytest.raises(ValueError, match=r"name must be one of relu, .*, linear, got 'softmax'"):
        function_named("softmax")
    x = np.linspace(-2, 2, 5)
    assert (function_named("linear")(x) == x).all()
