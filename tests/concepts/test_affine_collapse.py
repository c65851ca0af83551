"""The collapse to A x + b: by basis images, against Keras, and what cannot be collapsed."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network
from cnnviz.concepts.affine_collapse import collapse, without_bends
from cnnviz.resources import asset
from harness.authority import keras

MODELS = ("mnist_14k", "mnist_maxpool")
IMAGES, LABELS = cnnviz.load_mnist()[1]
# Ten layers of sums of at most 800 products, each sum off by less than 800 * u of its terms' magnitudes,
# which cancel at most a hundredfold.
TOLERANCE = 10 * 800 * 100 * 2.0**-53


@pytest.mark.parametrize("model", MODELS)
def test_it_is_what_the_layers_compute(model):
    affine = collapse(cnnviz.load_model(model))
    assert affine.matrix.shape == (10, 784)
    assert affine.numbers == 7850
    images = IMAGES[:50]
    layered = affine.network.run(images).output
    assert affine.largest_difference(images) == np.abs(affine(images) - layered).max()
    assert affine.largest_difference(images) < TOLERANCE * np.abs(layered).max()
    assert affine.accuracy(images, LABELS[:50]) == (layered.argmax(axis=1) == LABELS[:50]).mean()


def test_operations_with_numbers_are_affine_too():
    def operation(name, kind, *inputs, **config):
        return Layer.from_config(name, f"ops.{kind}", config, inputs=inputs)

    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4, 4, 2)})
    layers = [
        image,
        operation("scaled", "TrueDivide", "image", x2=[2.0, 4.0]),
        operation("shifted", "Subtract", "scaled", x1=1.0),
        operation("cut", "Maximum", "shifted", x2=0.5),
        operation("largest", "Maximum", "cut", "image"),
        operation("y", "Max", "largest", axis=(1, 2)),
    ]
    affine = collapse(Network(layers))
    x = np.random.default_rng(0).normal(size=(3, 4, 4, 2))
    expected = ((1 - x / [2, 4]) / 2 + x / 2).mean(axis=(1, 2))
    np.testing.assert_allclose(affine(x), expected, rtol=0, atol=1e-14)
    for kind in ("Multiply", "TrueDivide", "Power"):
        with pytest.raises(ValueError, match="odd"):
            without_bends(Network([image, operation("odd", kind, "image", "image")]))


def test_a_column_of_the_matrix_is_what_one_pixel_adds():
    affine = collapse(cnnviz.load_model("mnist_maxpool"))
    pixels = [0, 300, 405, 783]
    basis = np.zeros((len(pixels), 784))
    basis[np.arange(len(pixels)), pixels] = 1
    found = affine.network.run(basis.reshape(-1, 28, 28)).output - affine.bias
    np.testing.assert_allclose(affine.matrix[:, pixels].T, found, rtol=0, atol=1e-12)
    assert (affine.pictures[300 // 28, 300 % 28] == affine.matrix[:, 300]).all()


def test_keras_without_bends_computes_the_same():
    theirs = keras.models.load_model(asset("mnist_maxpool.keras"), compile=False)

    def straight(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.MaxPooling2D):
            return keras.layers.AveragePooling2D.from_config(config)
        return type(layer).from_config(config | ({"activation": "linear"} if "activation" in config else {}))

    clone = keras.models.clone_model(theirs, clone_function=straight)
    clone.set_weights(theirs.get_weights())
    expected = np.asarray(clone(IMAGES[:20, ..., None].astype(np.float32) / 255, training=False))
    found = collapse(cnnviz.load_model("mnist_maxpool"))(IMAGES[:20])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_without_bends_keeps_weights_and_leaves_nothing_curved():
    net = cnnviz.load_model("mnist_14k")
    found = without_bends(net)
    assert all(layer.activation is None or str(layer.activation) == "linear" for layer in found.layers)
    assert found.count_params() == net.count_params()
    x, y = IMAGES[:1] / 255.0, IMAGES[1:2] / 255.0
    both, zero = found.run(x + y).output, found.run(0 * x).output
    # float32 through ten layers.
    scale = np.abs(both).max()
    assert np.abs(found.run(x).output + found.run(y).output - zero - both).max() < 1e-4 * scale
    assert (
        np.abs(net.run(x).output + net.run(y).output - net.run(0 * x).output - net.run(x + y).output).max()
        > 0.1
    )


def test_what_is_not_affine_is_refused():
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4)})
    square = Layer.from_config("square", "Multiply", {}, inputs=("image", "image"))
    with pytest.raises(ValueError, match="multiplies activations, square does"):
        collapse(Network([image, square]))
    other = Layer.from_config("other", "InputLayer", {"batch_shape": (None, 4)})
    both = Network([image, other, Layer.from_config("sum", "Add", {}, inputs=("image", "other"))])
    with pytest.raises(ValueError, match="one input and one output"):
        collapse(both)
    maps = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4, 4, 1)})
    with pytest.raises(ValueError, match="to one vector"):
        collapse(Network([maps]))
    with pytest.raises(ValueError, match="one length, and not empty: got 2 and 3"):
        collapse(cnnviz.load_model("mnist_maxpool")).accuracy(IMAGES[:2], LABELS[:3])
