"""What comes back through an activation: against differences of the loss itself, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.concepts.saturation import FLAT, hearing, places_around, slopes_at
from cnnviz.layers.activations import parse_activation
from cnnviz.ops.cross_entropy import softmax_cross_entropy

IMAGES, LABELS = (part[:12] for part in cnnviz.load_mnist()[1])


@pytest.mark.parametrize("layer", ["conv2d", "conv2d_5"])
def test_along_its_gradient_the_loss_rises_by_the_gradients_length(layer):
    net = cnnviz.load_model("mnist_14k").astype(np.float64)
    images = IMAGES[..., np.newaxis] / 255.0

    def loss(kernel: np.ndarray) -> float:
        logits = net.with_weights({f"{layer}/kernel": kernel}).run(images).pre_activation(net.outputs[0])
        return float(np.mean(softmax_cross_entropy(logits.reshape(len(images), -1), LABELS)))

    run = net.run(images)
    heard = hearing(net, layer, images, LABELS)
    kernel = net[layer].weights["kernel"]
    np.testing.assert_array_equal(heard.active, (run[layer] != 0).mean(axis=(0, 1, 2)))
    name = net.outputs[0]
    logits = run.pre_activation(name)
    residue = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)).reshape(len(images), -1)
    residue[np.arange(len(images)), LABELS] -= 1
    back = run.gradient(name, weights=residue.reshape(logits.shape) / len(images), pre_activation=True)
    gradient = back[f"{layer}/kernel"]
    channel = int(heard.gradient.argmax())
    length = heard.gradient[channel]
    step = np.zeros_like(kernel)
    step[..., channel] = gradient[..., channel] / length
    # A central difference: its error is of the order of the step's square, and a bend may lie within it.
    for h in (1e-5, 1e-6):
        assert (loss(kernel + h * step) - loss(kernel - h * step)) / (2 * h) == pytest.approx(
            length, rel=1e-3
        )


def test_slopes_are_counted():
    relu, tanh = parse_activation("relu"), parse_activation("tanh")
    assert slopes_at(relu, [-1.0, 0.0, 2.0, 3.0]).none == 0.5
    z = np.linspace(-5, 5, 1001)
    found = slopes_at(tanh, z)
    assert found.flat == np.mean(1 - np.tanh(z) ** 2 < FLAT)
    assert found.none == 0
    assert found.mean == pytest.approx(np.mean(1 - np.tanh(z) ** 2), rel=1e-12)
    with pytest.raises(ValueError, match=r"numbers must not be empty, got shape \(0,\)"):
        slopes_at(relu, [])


@pytest.mark.parametrize("numbers", [[-3.14, 2.0], [1e-7], [4e6, -1.0], [0.0], [1.0], [np.nan, 2.5]])
def test_the_point_can_stand_on_zero_and_around_all_numbers(numbers):
    places = places_around(numbers)
    assert 0 in places
    np.testing.assert_allclose(places, -places[::-1])
    finite = [number for number in numbers if np.isfinite(number)]
    assert np.abs(finite).max() <= places[-1] * (1 + 1e-9)
    assert 100 < len(places) <= 401


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="images must hold at least one, got none"):
        hearing(cnnviz.load_model("mnist_14k"), "conv2d", IMAGES[:0], LABELS[:0])
