"""The bounds between two float32 evaluations: by hand, and not so wide that they hold of anything."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import FUNCTIONS, Activation
from cnnviz.layers.layer import Layer
from cnnviz.layers.rounding import allowance

U = 2.0**-24


def dense(activation=None):
    kernel = np.array([[1, -2], [0.5, 4], [-3, 0]], np.float32)
    config = {"units": 2, "use_bias": True, "activation": activation}
    weights = {"kernel": kernel, "bias": np.array([-1, 2], np.float32)}
    return Layer.from_config("dense", "Dense", config, weights=weights)


def test_a_sum_is_bounded_by_its_length_and_its_magnitudes():
    x = np.array([[2, -4, 1]], np.float32)
    magnitudes = np.array([[1 * 2 + 0.5 * 4 + 3 * 1 + 1, 2 * 2 + 4 * 4 + 0 + 2]])
    n = (3 + 2) * U
    np.testing.assert_allclose(allowance(dense(), x), 2 * n / (1 - n) * magnitudes, rtol=1e-6)


def test_an_activation_passes_the_bound_on_times_its_slope():
    x = np.array([[2, -4, 1]], np.float32)
    plain, bent = allowance(dense(), x), allowance(dense("hard_sigmoid"), x)
    assert (bent > plain / 6).all()
    assert (bent < plain / 6 + 40 * U * 10).all()


@pytest.mark.parametrize("kind", ["Flatten", "MaxPooling2D", "Dropout", "UpSampling2D", "GlobalMaxPooling2D"])
def test_what_only_moves_numbers_must_agree_to_the_bit(kind):
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    assert not allowance(Layer.from_config("a", kind, {}), x).any()


def test_a_normalisation_is_bounded_by_what_it_subtracts():
    """x - mean cancels, so the bound must come from |x| + |mean|, not from the difference."""
    weights = {
        name: np.array([value], np.float32)
        for name, value in {"gamma": 1, "beta": 0, "moving_mean": 1000, "moving_variance": 1}.items()
    }
    layer = Layer.from_config("norm", "BatchNormalization", {"epsilon": 1e-3}, weights=weights)
    bound = allowance(layer, np.full((1, 1), 1000, np.float32))
    assert bound == pytest.approx(2 * 8 * U * 2000 / np.sqrt(1.001), rel=1e-3)


def test_a_kind_without_a_rule_is_refused():
    layer = Layer.from_config("a", "Conv2D", {"filters": 1, "kernel_size": 1})
    weights = {"kernel": np.ones((1, 1, 1, 1), np.float32), "bias": np.ones(1, np.float32)}
    layer = Layer("a", "Conv2D", layer.config, weights)
    assert allowance(layer, np.ones((1, 2, 2, 1), np.float32)).shape == (1, 2, 2, 1)
    object.__setattr__(layer, "kind", "Convolve")
    with pytest.raises((KeyError, ValueError), match="Convolve"):
        allowance(layer, np.ones((1, 2, 2, 1), np.float32))
    assert "Convolve" not in ENTRIES


@pytest.mark.parametrize(
    "name", [name for name, f in FUNCTIONS.items() if not f.mixes and name not in ("prelu", "exponential")]
)
def test_no_activation_is_steeper_than_its_entry(name):
    x = np.linspace(-12, 12, 480_001)
    steepest = FUNCTIONS[name].steepest
    slopes = np.abs(np.diff(Activation(name)(x)) / np.diff(x))
    assert steepest * 0.99 < slopes.max() <= steepest * (1 + 1e-4)
