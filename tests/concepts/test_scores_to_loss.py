"""Logits, softmax, cross-entropy and the pixels' gradient: TensorFlow's, by the chain rule and by a step."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network
from cnnviz.concepts.scores_to_loss import logits_of, loss_of, softmax_steps, step_against
from cnnviz.resources import asset
from harness.authority import keras, tf
from harness.opened_models import colour

MODELS = ("mnist_14k", "mnist_maxpool")
IMAGES, LABELS = cnnviz.load_mnist()[1]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("digit", "target"), [(18, None), (8, 6), (0, 7)])
def test_loss_and_gradients_are_tensorflows(model, digit, target):
    target = int(LABELS[digit]) if target is None else target
    found = loss_of(cnnviz.load_model(model).run(IMAGES[digit]), target)
    theirs = keras.models.load_model(asset(f"{model}.keras"), compile=False)
    theirs.layers[-1].activation = keras.activations.linear
    x = tf.constant(IMAGES[digit : digit + 1, ..., None] / np.float32(255))
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = theirs(x, training=False)
        loss = keras.losses.sparse_categorical_crossentropy(tf.constant([target]), logits, from_logits=True)
    # float32 logits, which ten layers of sums leave off by less than 1e-4.
    np.testing.assert_allclose(found.logits, logits[0], rtol=0, atol=1e-4)
    assert found.value == pytest.approx(float(loss[0]), rel=3e-4, abs=1e-6)
    expected = np.asarray(tape.gradient(loss, x))[0]
    # TensorFlow's p - y is off by some units of roundoff of 1, which counts where p is all but y.
    share = 6e-3 + 4 * 2.0**-24 / np.abs(found.wrt_logits).max()
    np.testing.assert_allclose(found.wrt_pixels, expected, rtol=0, atol=share * np.abs(expected).max())


def test_the_gradient_at_the_logits_is_p_minus_y():
    found = loss_of(cnnviz.load_model("mnist_14k").run(IMAGES[18]), 5)
    p = np.exp(found.logits - found.logits.max())
    p /= p.sum()
    np.testing.assert_allclose(found.wrt_logits, p - np.eye(10)[5], atol=1e-15)
    assert abs(found.wrt_logits.sum()) < 1e-14
    assert found.value == pytest.approx(-math.log(p[5]), rel=1e-12)
    assert found.probability == pytest.approx(p[5])
    assert found.of_guessing == pytest.approx(-math.log(1 / 10))
    assert found.predicted == 3


@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 100.0])
def test_softmax_step_by_step(temperature):
    logits = [3.0, -1.0, 3.5, 0.0]
    found = softmax_steps(logits, temperature)
    powers = [math.exp((z - 3.5) / temperature) for z in logits]
    np.testing.assert_allclose(found.exponentials, powers, rtol=1e-12)
    np.testing.assert_allclose(found.probabilities, np.array(powers) / math.fsum(powers), rtol=1e-12)
    assert found.total == pytest.approx(math.fsum(powers))
    assert (np.argsort(found.probabilities) == np.argsort(logits)).all()


def test_a_small_step_does_what_the_gradient_says():
    # Plain paper has ties under max pooling, where a gradient is only one of several slopes.
    image = 0.1 + 0.8 * IMAGES[18] / 255 + np.random.default_rng(0).uniform(0, 0.05, (28, 28))
    loss = loss_of(cnnviz.load_model("mnist_14k").astype(np.float64).run(image), 5)
    missed = []
    for size in (1e-3, 1e-4, 1e-5):
        step = step_against(loss, size)
        assert step.expected < 0
        assert np.abs(step.change).max() == pytest.approx(size, rel=1e-6)
        assert step.straight == loss.value + step.expected
        missed.append(abs(step.after.value - step.straight) / abs(step.expected))
    # What is left, over the whole, is of first order in the size.
    assert missed[2] < missed[1] / 5 < missed[0] / 25 < 0.01


def test_pixels_stay_between_paper_and_ink():
    loss = loss_of(cnnviz.load_model("mnist_14k").run(IMAGES[18]), 5)
    step = step_against(loss, 0.2)
    assert 0 <= step.after.image.min() <= step.after.image.max() <= 1
    wanted = loss.image - 0.2 / np.abs(loss.wrt_pixels).max() * loss.wrt_pixels
    # Pixels that the rounding alone decides are few.
    assert abs(step.cut - ((wanted < 0) | (wanted > 1)).sum()) <= 2
    assert step.after.predicted == 5 != loss.predicted
    nothing = step_against(loss, 0.0)
    assert (nothing.change == 0).all()
    assert nothing.after.value == loss.value


@pytest.mark.parametrize("mode", ["tf", "caffe", "torch", "none"])
def test_a_step_keeps_a_picture_a_picture_in_every_scale(mode):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    loss = loss_of(colour().run(cnnviz.load_image(pixels, like=(16, 16, 3), preprocess=mode)), 2)
    step = step_against(loss, 0.1)
    low, high = (
        cnnviz.load_image(np.full((16, 16, 3), end, np.uint8), (16, 16, 3), mode) for end in (0, 255)
    )
    # The ends are computed in float64, and the scale itself in float32.
    room = 4 * np.finfo(np.float32).eps * np.abs([low, high]).max()
    assert (step.after.image >= low - room).all()
    assert (step.after.image <= high + room).all()
    span = np.asarray(high, float) - low
    assert np.abs(step.change / span).max() == pytest.approx(0.1, rel=1e-5)
    assert step.expected < 0


def test_what_has_no_softmax_is_refused():
    start = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4)})
    run = Network([start]).run(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="must end in a softmax"):
        logits_of(run)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        softmax_steps([1.0], 0)
    with pytest.raises(ValueError, match="finite"):
        softmax_steps([math.inf])
    with pytest.raises(ValueError, match="classes in labels must be from 0 to 9"):
        loss_of(cnnviz.load_model("mnist_maxpool").run(IMAGES[0]), 10)
    with pytest.raises(ValueError, match="size must be from 0, got -1"):
        step_against(loss_of(cnnviz.load_model("mnist_maxpool").run(IMAGES[0]), 1), -1)
