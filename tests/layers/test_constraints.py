"""Constraints: where Keras puts a weight back, in float64 to rounding and in float32."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Layer
from cnnviz.layers.constraints import Constraint
from harness.authority import keras

C = keras.constraints
CASES = [C.MaxNorm(1.5, [0, 1, 2]), C.MaxNorm(), C.NonNeg(), C.UnitNorm(1), C.UnitNorm([0, 1, 2])]
CASES += [C.MinMaxNorm(0.5, 1.0, rate=0.5, axis=[0, 1]), C.MinMaxNorm()]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("number", range(len(CASES)))
def test_constraints_equal_keras(number, dtype):
    theirs = CASES[number]
    ours = Constraint.parse(C.serialize(theirs))
    assert ours.unknown is None
    w = np.random.default_rng(number).normal(size=(3, 2, 4, 5)).astype(dtype)
    kept = ours.apply(w)
    assert kept.dtype == dtype
    # A root of a sum of at most 24 squares, and five roundings.
    scale = 40 * np.finfo(dtype).eps
    np.testing.assert_allclose(kept, np.asarray(theirs(w)), rtol=scale, atol=scale)


def test_layers_say_theirs():
    config = {"filters": 2, "kernel_size": 2, "pointwise_constraint": "non_neg"}
    layer = Layer.from_config("it", "SeparableConv2D", config)
    assert layer.constraint("pointwise_kernel").name == "NonNeg"
    assert layer.constraint("depthwise_kernel") is None
