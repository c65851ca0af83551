"""The bounds between two float32 evaluations: by hand, and not so wide that they hold of anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import FUNCTIONS, Activation
from cnnviz.layers.layer import Layer
from cnnviz.layers.rounding import activation_gradient_allowance, allowance, gradient_allowance
from harness.keras_models import ONLY_FLOAT32, STACKS
from harness.networks import run_of

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


def test_a_product_that_underflows_may_be_zero():
    """TensorFlow's kernels set what is below the normal numbers to 0; NumPy keeps it."""
    x, y = np.full((1, 1), 1e-20, np.float32), np.full((1, 1), 1e-19, np.float32)
    layer = Layer.from_config("product", "Multiply", {}, inputs=("x", "y"))
    product = layer.before_activation(x, y)
    assert 0 < product < np.finfo(np.float32).tiny
    assert product <= allowance(layer, x, y) < 1e-36


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
    "name",
    [
        name
        for name, f in FUNCTIONS.items()
        if not f.mixes and f.jump is None and name not in ("prelu", "exponential")
    ],
)
def test_no_activation_is_steeper_than_its_entry(name):
    x = np.linspace(-12, 12, 480_001)
    steepest = FUNCTIONS[name].steepest
    slopes = np.abs(np.diff(Activation(name)(x)) / np.diff(x))
    assert steepest * 0.99 < slopes.max() <= steepest * (1 + 1e-4)


# Gradients --------------------------------------------------------------------------------------


def wide(layer):
    """The layer in float64, its weights' bits unchanged."""
    return replace(layer, weights={name: np.asarray(a, np.float64) for name, a in layer.weights.items()})


@pytest.mark.parametrize("name", [*STACKS, *ONLY_FLOAT32])
def test_every_gradient_is_within_its_bound_of_the_exact_one(name):
    """Two evaluations lie apart by the bound, so one of them from the exact gradient by half of it."""
    run = run_of(name)
    rng = np.random.default_rng(3)
    for layer in run.network:
        if not layer.inputs or layer.is_activation:
            continue
        inputs = run.inputs(layer.name)
        exact_inputs = tuple(x.astype(np.float64) for x in inputs)
        grad = rng.normal(size=run.pre_activation(layer.name).shape).astype(np.float32)
        exact_grad = grad.astype(np.float64)
        for of in ("", *(weight for weight in layer.weights if weight != "count")):
            bounds = gradient_allowance(layer, inputs, grad, of)
            if of:
                found = (layer.entry.weight_gradient(layer, of, inputs, grad),)
                exact = (layer.entry.weight_gradient(wide(layer), of, exact_inputs, exact_grad),)
            else:
                found = layer.entry.input_gradients(layer, inputs, grad)
                exact = layer.entry.input_gradients(wide(layer), exact_inputs, exact_grad)
            for bound, ours, truth in zip(bounds, found, exact, strict=True):
                assert ours.dtype == np.float32
                assert bound.shape == ours.shape
                error = np.abs(ours.astype(np.float64) - truth)
                assert (error <= bound / 2 + 1e-30).all(), (layer.name, of, (error - bound / 2).max())
                # Not so wide that it says nothing: an error of one part in a hundred would be noticed.
                largest = max(np.abs(truth).max(), np.abs(exact_grad).max())
                assert bound.max() <= 1e-2 * largest, (layer.name, of)


@pytest.mark.parametrize(
    "name", [name for name, f in FUNCTIONS.items() if not f.mixes and name not in ("prelu", "threshold")]
)
def test_the_slope_of_every_activation_is_within_its_bound(name):
    z = np.linspace(-12, 12, 20_001).astype(np.float32)
    grad = np.random.default_rng(5).normal(size=z.shape).astype(np.float32)
    activation = Activation(name)
    bound = activation_gradient_allowance(activation, z, grad)
    exact = activation.gradient(z.astype(np.float64), grad.astype(np.float64))
    assert (np.abs(activation.gradient(z, grad) - exact) <= bound / 2 + 1e-30).all()


def test_where_a_function_jumps_two_evaluations_may_lie_on_either_side():
    activation = Activation("hard_shrink", {"threshold": 0.5})
    layer = Layer.from_config("a", "Dense", {"units": 1, "use_bias": False})
    weights = {"kernel": np.ones((3, 1), np.float32)}
    layer = replace(layer, weights=weights, config={**layer.config, "activation": activation})
    near = np.array([[0.3, 0.3, -0.1]], np.float32)
    assert allowance(layer, near) == pytest.approx(0.5, abs=1e-5)
    assert allowance(layer, near + np.float32(0.1)) < 1e-5


def test_a_function_that_mixes_numbers_has_no_bound_number_by_number():
    z = np.zeros((1, 3), np.float32)
    with pytest.raises(ValueError, match="must take each number by itself, got softmax"):
        activation_gradient_allowance(Activation("softmax"), z, z)


def test_half_precision_rounds_by_its_own_unit_and_casts_what_it_reads():
    """A tenth is no number of 16 bits: x is cast, then the kernel and the bias."""
    kernel = np.array([[0.1], [-2.0]], np.float32)
    layer = replace(
        Layer.from_config("dense", "Dense", {"units": 1}),
        weights={"kernel": kernel, "bias": np.array([0.1], np.float32)},
    )
    x = np.array([[0.5, 1.0]], np.float32)
    magnitude = 0.1 * 0.5 + 2.0 * 1.0 + 0.1
    n = 2 + 2
    for precision, unit in (("float16", 2.0**-11), ("bfloat16", 2.0**-8)):
        cast_weights = n + 2
        bound = cast_weights * unit / (1 - cast_weights * unit) + n * U
        half = allowance(layer, x, precision=precision)
        np.testing.assert_allclose(half, bound * magnitude, rtol=2e-3)
        cast_all = cast_weights + 1
        bound = cast_all * unit / (1 - cast_all * unit) + n * U
        away = np.array([[0.3, -1.0]], np.float32)
        half = allowance(layer, away, precision=precision)
        np.testing.assert_allclose(half, bound * (0.1 * 0.3 + 2 + 0.1), rtol=2e-3)


def test_what_only_moves_numbers_of_16_bits_must_agree_to_the_bit():
    layer = Layer.from_config("a", "MaxPooling2D", {})
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 1)).astype(np.float32)
    narrow = (x.view(np.uint32) & 0xFFFF0000).view(np.float32)
    # What is left is the rounding of numbers that are too small for the format.
    assert allowance(layer, narrow, precision="bfloat16").max() < 1e-37
    assert allowance(layer, x, precision="bfloat16").max() > 2.0**-9


def test_a_sum_too_long_for_half_precision_is_still_bounded():
    """n*u is above 1: the usual bound would be negative."""
    weights = {"kernel": np.ones((2000, 1), np.float32), "bias": np.ones(1, np.float32)}
    layer = Layer.from_config("dense", "Dense", {"units": 1}, weights=weights)
    bound = allowance(layer, np.ones((1, 2000), np.float32), precision="bfloat16")
    assert bound == pytest.approx(2001 * ((1 - 2.0**-8) ** -2002 - 1), rel=1e-2)
