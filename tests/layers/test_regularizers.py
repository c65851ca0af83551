"""Regularisers: penalties and gradients are Keras's, in float64 to rounding."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Layer
from cnnviz.layers.regularizers import Regularizer
from harness.authority import keras, tf

R = keras.regularizers
CASES = [R.L1(0.3), R.L2(0.2), R.L1L2(0.1, 0.2), R.L1L2(0.0, 0.5)]
CASES += [R.OrthogonalRegularizer(0.7, mode) for mode in ("rows", "columns")]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_penalties_and_gradients_equal_keras(number):
    theirs = CASES[number]
    ours = Regularizer.parse(R.serialize(theirs))
    x = np.random.default_rng(number).normal(size=(5, 7))
    x[0, 0] = 0
    with tf.GradientTape() as tape:
        tensor = tf.Variable(x)
        # Its factor is a float32 tensor, which Keras does not cast.
        if number > 3:
            theirs.factor = tf.cast(theirs.factor, tf.float64)
        penalty = theirs(tensor)
    scale = 1e-14 * 35
    assert ours.penalty(x) == pytest.approx(float(penalty), rel=scale, abs=scale)
    np.testing.assert_allclose(ours.gradient(x), tape.gradient(penalty, tensor), rtol=scale, atol=scale)


def test_gradients_by_differences():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for theirs in CASES:
        ours = Regularizer.parse(R.serialize(theirs))
        for place in ((0, 1), (2, 3)):
            step = np.zeros_like(x)
            step[place] = 1e-6
            slope = (ours.penalty(x + step) - ours.penalty(x - step)) / 2e-6
            # Two penalties of at most 100, each off by 1e-14 of itself, and a step of 1e-6.
            assert ours.gradient(x)[place] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("name", ["l1", "l2", "L1L2", "orthogonal_regularizer"])
def test_names_alone(name):
    assert dict(Regularizer.parse(name).arguments) == pytest.approx(dict(R.get(name).get_config()))


def test_rows_of_zeros_and_other_shapes():
    zeros = Regularizer.parse("orthogonal_regularizer")
    assert np.isfinite(zeros.gradient(np.zeros((2, 3)))).all()
    with pytest.raises(ValueError, match="made for matrices, got an array of shape"):
        zeros.penalty(np.zeros(3))


def test_layers_say_theirs():
    config = {"kernel_size": 2, "depthwise_regularizer": "l2", "activity_regularizer": R.serialize(R.L1(0.5))}
    layer = Layer.from_config("it", "DepthwiseConv2D", config)
    assert layer.regularizer("kernel").arguments == {"l2": 0.01}
    assert layer.regularizer("bias") is None
    assert layer.activity_regularizer.arguments == {"l1": 0.5}
    layer = Layer.from_config(
        "it", "MultiHeadAttention", {"num_heads": 1, "key_dim": 2, "bias_regularizer": "l1"}
    )
    assert layer.regularizer("gate_bias").name == "L1"
    assert layer.regularizer("gate_kernel") is None
    held = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"units": 2, "kernel_regularizer": "l1"},
    }
    assert Layer.from_config("it", "TimeDistributed", {"layer": held}).regularizer("kernel").name == "L1"
    assert (
        Layer.from_config("it", "SpectralNormalization", {"layer": held}).regularizer("kernel").name == "L1"
    )
    assert Layer.from_config("it", "ActivityRegularization", {"l2": 0.5}).activity_regularizer.arguments == {
        "l1": 0.0,
        "l2": 0.5,
    }
