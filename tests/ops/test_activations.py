"""The activation functions and their gradients: Keras's, error bounds, corners, arguments."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cnnviz import ops
from cnnviz.layers.activations import ACTIVATIONS, REFUSED_ACTIVATIONS
from cnnviz.ops.rectifiers import SELU_ALPHA, SELU_SCALE
from harness import authority, gradient_authority, gradient_rounding, rounding
from harness.accuracy import Accuracy, check_float64
from harness.authority import keras, tf
from harness.cases import assert_same_specials, numbers, seeds
from harness.gradient_cases import compare_gradients
from harness.rounding import unit_roundoff

SLACK = 1e-35
"""What underflow may add: subnormal numbers have few digits, and TensorFlow flushes them to zero.
silu multiplies such a one, below 2**-126, by up to 130."""


singles = st.floats(-130, 130, width=32)


slopes = st.floats(-2, 2, width=32)


positive = st.floats(0.125, 4, width=32)


thresholds = st.floats(0, 2, width=32)


OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "linear": {},
    "relu": {
        "max_value": st.none() | st.floats(0, 8, width=32),
        "negative_slope": st.just(0.0) | slopes,
        "threshold": st.just(0.0) | st.floats(-4, 4, width=32),
    },
    "relu6": {},
    "leaky_relu": {"negative_slope": slopes},
    "elu": {"alpha": slopes},
    "selu": {},
    "celu": {"alpha": positive},
    "gelu": {"approximate": st.booleans()},
    "silu": {},
    "hard_silu": {},
    "mish": {},
    "sigmoid": {},
    "hard_sigmoid": {},
    "tanh": {},
    "softplus": {},
    "softsign": {},
    "exponential": {},
    "hard_tanh": {},
    "hard_shrink": {"threshold": thresholds},
    "soft_shrink": {"threshold": thresholds},
    "threshold": {"threshold": slopes, "default_value": slopes},
    "tanh_shrink": {},
    "squareplus": {"b": positive},
    "sparse_plus": {},
    "sparse_sigmoid": {},
    "log_sigmoid": {},
}


CANCELS = {"gelu", "elu", "selu", "mish"}
"""Where TensorFlow subtracts nearly equal numbers, as in exp(x) - 1, and is off by a few u*(1 + |x|):
too much for our bound in float32, and to be allowed for in the float64 evaluation."""


DIFFERENCES = {"tanh_shrink", "squareplus"}
"""What is x less, or more, than a number that is nearly as large."""


@st.composite
def elementwise(draw: st.DrawFn) -> np.ndarray:
    """float32 numbers: adversarial ones, many ordinary ones, or a sweep of the whole range."""
    kind = draw(st.sampled_from(["drawn", "random", "sweep"]))
    if kind == "drawn":
        return draw(arrays.arrays(np.float32, arrays.array_shapes(max_dims=4, max_side=4), elements=singles))
    if kind == "sweep":
        return np.linspace(-draw(positive) * 25, draw(positive) * 20, 301, dtype=np.float32)
    rng = np.random.default_rng(draw(seeds))
    return numbers(rng, (2, 5, 4, 3), draw(st.sampled_from(["normal", "integers", "sparse"])))


@pytest.mark.parametrize("name", OPTIONS)
@given(data=st.data())
def test_elementwise_activations_are_keras(accuracy: Accuracy, name: str, data: st.DataObject) -> None:
    options = data.draw(st.fixed_dictionaries(OPTIONS[name]))
    x = np.minimum(data.draw(elementwise()), np.float32(88))  # beyond which exp overflows
    wide = x.astype(np.float64)
    exact = authority.wide_activation(name, wide, **options)
    slope = authority.activation_slope(name, wide, **options)
    magnitude = np.abs(exact) + np.abs(wide * slope)
    if name in DIFFERENCES:
        magnitude += np.abs(wide)
    bound = rounding.Bound(rounding.ACTIVATION_ROUNDINGS[name], magnitude)
    theirs = authority.activation(name, x, **options)
    slack = SLACK + (name in CANCELS) * 4 * rounding.unit_roundoff(np.float64) * (1 + np.abs(wide))
    op = getattr(ops, name)
    check_float64(name, op(wide, **options), exact, bound, slack)
    accuracy.check(name, op(x, **options), exact, bound, theirs, slack, name not in CANCELS)


@given(
    shape=arrays.array_shapes(min_dims=2, max_dims=4, max_side=5),
    shared=st.sets(st.integers(1, 3)),
    seed=seeds,
)
def test_prelu_is_keras(accuracy: Accuracy, shape: tuple[int, ...], shared: set[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = sorted(axis for axis in shared if axis < len(shape))
    x = numbers(rng, shape, "normal")
    alpha = numbers(rng, tuple(1 if axis in axes else n for axis, n in enumerate(shape))[1:], "normal")
    exact, theirs = (
        authority.layer("PReLU", x.astype(dtype), alpha, shared_axes=axes)
        for dtype in (np.float64, np.float32)
    )
    bound = rounding.Bound(rounding.ACTIVATION_ROUNDINGS["prelu"], 2 * np.abs(exact))
    check_float64("prelu", ops.prelu(x.astype(np.float64), alpha), exact, bound)
    accuracy.check("prelu", ops.prelu(x, alpha), exact, bound, theirs)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax"])
@given(
    shape=arrays.array_shapes(max_dims=4, max_side=7),
    axis=st.integers(-4, 3),
    spread=st.floats(0, 60),
    seed=seeds,
)
def test_softmax_is_keras(
    accuracy: Accuracy, name: str, shape: tuple[int, ...], axis: int, spread: float, seed: int
) -> None:
    axis = axis % len(shape) - len(shape) * (axis < 0)
    x = (np.random.default_rng(seed).normal(size=shape) * spread).astype(np.float32)
    wide = x.astype(np.float64)
    exact = authority.activation(name, wide, axis=axis)
    bound = getattr(rounding, f"{name}_bound")(x, axis)
    op = getattr(ops, name)
    check_float64(name, op(wide, axis=axis), exact, bound, SLACK)
    accuracy.check(name, op(x, axis=axis), exact, bound, authority.activation(name, x, axis=axis), SLACK)


# Literals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 0, 0, 1, 3, 9]),
        ({"max_value": 2}, [0, 0, 0, 1, 2, 2]),
        ({"negative_slope": 0.5}, [-2, -0.5, 0, 1, 3, 9]),
        ({"threshold": 1}, [0, 0, 0, 0, 3, 9]),
        ({"threshold": 1, "negative_slope": 0.5}, [-2.5, -1, -0.5, 0, 3, 9]),
        ({"threshold": -2}, [0, -1, 0, 1, 3, 9]),
        ({"threshold": -2, "max_value": 6}, [0, 0, 0, 1, 3, 6]),  # with max_value nothing below 0 passes
        ({"negative_slope": -2.0, "max_value": 3}, [8, 2, 0, 1, 3, 3]),  # which does not cut the slope
    ],
)
def test_relu_and_its_parameters(options: dict[str, Any], expected: list[float]) -> None:
    x = np.array([-4, -1, 0, 1, 3, 9], np.float32)
    np.testing.assert_array_equal(ops.relu(x, **options), expected)
    np.testing.assert_array_equal(authority.activation("relu", x, **options), expected)


@pytest.mark.parametrize(
    ("call", "x", "expected"),
    [
        (ops.linear, -2, -2),
        (ops.relu6, 7, 6),
        (ops.leaky_relu, -1, -0.2),
        (ops.elu, -1, np.exp(-1) - 1),
        (ops.selu, -1, SELU_SCALE * SELU_ALPHA * (np.exp(-1) - 1)),
        (ops.selu, 2, 2 * SELU_SCALE),
        (lambda x: ops.celu(x, alpha=2), -2, 2 * (np.exp(-1) - 1)),
        (ops.gelu, 1, 0.841344746068543),  # the normal distribution function at 1
        (lambda x: ops.gelu(x, approximate=True), 1, 0.8411919906082768),
        (ops.silu, 2, 2 / (1 + np.exp(-2))),
        (ops.hard_silu, 1, 2 / 3),
        (ops.mish, 1, np.tanh(np.log(1 + np.e))),
        (ops.sigmoid, -1, 1 / (1 + np.e)),
        (ops.hard_sigmoid, 1.5, 0.75),
        (ops.tanh, 1, (np.e**2 - 1) / (np.e**2 + 1)),
        (ops.softplus, 0, np.log(2)),
        (ops.softsign, -3, -0.75),
        (ops.exponential, 2, np.e**2),
        (ops.hard_tanh, -4, -1),
        (ops.hard_shrink, 0.5, 0),
        (ops.soft_shrink, -2, -1.5),
        (lambda x: ops.threshold(x, 1, -3), 1, -3),
        (ops.tanh_shrink, 1, 1 - np.tanh(1)),
        (ops.squareplus, 3, (3 + np.sqrt(13)) / 2),
        (lambda x: ops.squareplus(x, 1), 0, 0.5),
        (ops.sparse_plus, 0.5, 0.5625),
        (ops.sparse_sigmoid, 0.5, 0.75),
        (ops.log_sigmoid, 0, -np.log(2)),
    ],
)
def test_definitions(call: Callable[[Any], np.ndarray], x: float, expected: float) -> None:
    result = call(np.array([x], np.float64))
    np.testing.assert_allclose(result, [expected], rtol=1e-14)


def test_selu_constants_keep_mean_zero_and_variance_one() -> None:
    """The fixed point equations of Klambauer et al., integrated over the normal distribution."""
    x, weight = np.polynomial.hermite_e.hermegauss(200)
    weight = weight / weight.sum()
    # Gauss-Hermite nodes straddle the kink at 0, which costs digits.
    assert abs((weight * ops.selu(x)).sum()) < 1e-3
    assert abs((weight * ops.selu(x) ** 2).sum() - 1) < 1e-3


def test_softmax_adds_up_to_one_along_its_axis() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5)) * 30
    for axis in (0, 1, 2, -1):
        np.testing.assert_allclose(ops.softmax(x, axis=axis).sum(axis=axis), 1, rtol=1e-14)
    assert ops.softmax([1000.0, 1000.0, -1000.0]).tolist() == [0.5, 0.5, 0]
    assert ops.log_softmax([0.0, -1000.0]).tolist() == [0, -1000]


def test_every_activation_is_called_as_keras_calls_it() -> None:
    """Argument by argument: their names, their order, which may go by position, and their defaults."""
    public = {name for name in dir(keras.activations) if not name.startswith("_")}
    functions = public - {"get", "serialize", "deserialize"} - REFUSED_ACTIVATIONS.keys() | {"threshold"}
    for name in functions:
        theirs = inspect.signature(getattr(keras.activations, name)).parameters.values()
        op = getattr(ops, ACTIVATIONS.get(name, name))
        ours = inspect.signature(op).parameters.values()
        assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in theirs]
        _, *options = inspect.signature(getattr(ops, f"{op.__name__}_grad")).parameters.values()
        assert [(p.name, p.kind) for p in options[1:]] == [(p.name, p.kind) for p in list(ours)[1:]], name


def test_what_goes_by_position_in_keras_does_here() -> None:
    x = np.array([-2, -0.25, 0.5, 3], np.float32)
    for name, argument in (("elu", 0.5), ("leaky_relu", 0.1), ("celu", 2.0), ("gelu", True), ("relu", 0.25)):
        theirs = np.asarray(getattr(keras.activations, name)(tf.constant(x), argument))
        np.testing.assert_allclose(getattr(ops, name)(x, argument), theirs, rtol=1e-6, atol=1e-7)


# NaN, infinities and overflow -------------------------------------------------------------------


SPECIALS = np.array([-np.inf, -1e38, -100, -1, -0.0, 0, 1, 100, 1e38, np.inf, np.nan], np.float32)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in OPTIONS if name != "threshold"),
        ("threshold", {"threshold": 0.5, "default_value": 2.0}),
        ("relu", {"max_value": 6.0}),
        ("relu", {"negative_slope": 0.5}),
        ("relu", {"threshold": 1.0}),
        ("relu", {"threshold": -1.0, "max_value": 2.0, "negative_slope": 0.25}),
        ("leaky_relu", {"negative_slope": 0.0}),
        ("elu", {"alpha": 0.5}),
        ("celu", {"alpha": 0.5}),
        ("gelu", {"approximate": True}),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values_are_keras(name: str, options: dict[str, Any], dtype: type) -> None:
    x = SPECIALS.astype(dtype)
    result, expected = getattr(ops, name)(x, **options), authority.activation(name, x, **options)
    assert_same_specials(result, expected)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(result[finite], expected[finite], rtol=1e-5, atol=SLACK)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_special_values(name: str) -> None:
    """NaN, or inf beside finite numbers, leave no probability that has a value. TensorFlow's float64
    softmax agrees; its float32 one says 0 for the finite numbers of such a row."""
    inf, nan = np.inf, np.nan
    x = np.array([[1, -inf], [-inf, -inf], [inf, inf], [1, nan], [1, inf]])
    assert_same_specials(getattr(ops, name)(x), authority.activation(name, x))
    narrow = x.astype(np.float32)
    assert_same_specials(getattr(ops, name)(narrow[:3]), authority.activation(name, narrow[:3]))
    assert np.isnan(ops.softmax(narrow[3:])).all()
    assert authority.activation("softmax", narrow[3:])[:, 0].tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparsemax_at_the_border_of_its_support_is_keras(dtype: type) -> None:
    """Equals, numbers on the threshold, thresholds above all, and lines without a support."""
    inf, nan = np.inf, np.nan
    lines = [[1, 0, -1], [0, 0, 0], [1, 1, 0], [2, 2, 2], [0.5, 0.5, -0.5], [inf, 1, 0], [-inf, 1, 0]]
    x = np.array([*lines, [-inf, -inf, -inf], [nan, 1, 2], [2.0**60, 1, 0]], dtype)
    grad = np.broadcast_to(np.array([1, 2, 4], dtype), x.shape)
    np.testing.assert_array_equal(ops.sparsemax(x), authority.activation("sparsemax", x))
    (theirs,) = gradient_authority.gradients(gradient_authority.activation("sparsemax"), [x], grad)
    # Quotient, two sums, product, difference, on numbers that come to 7 at most.
    np.testing.assert_allclose(ops.sparsemax_grad(x, grad), theirs, rtol=0, atol=5 * 7 * np.finfo(dtype).eps)


def test_sparsemax_is_that_of_its_source_where_one_number_is_left() -> None:
    """And adds up to 1 there; elsewhere Keras's threshold is another."""
    assert ops.sparsemax([3.0, 1.5, -1.0]).tolist() == [1, 0, 0]
    assert ops.sparsemax([0.5, 0.25, -2.0]).sum() == 0.5


# Arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.relu([1], max_value=-1), ValueError, "max_value must not be negative, got -1"),
        (lambda: ops.relu([1], max_value=np.nan), ValueError, "max_value must be a number, got nan"),
        (lambda: ops.relu([1], negative_slope="a"), TypeError, "negative_slope must be a number, got 'a'"),
        (lambda: ops.relu([1], threshold=None), TypeError, "threshold must be a number, got None"),
        (
            lambda: ops.leaky_relu([1], negative_slope=[]),
            TypeError,
            "negative_slope must be a number, got []",
        ),
        (lambda: ops.elu([1], alpha=1j), TypeError, "alpha must be a number, got 1j"),
        (lambda: ops.celu([1], alpha=0), ValueError, "alpha must not be 0, got 0"),
        (
            lambda: ops.prelu(np.zeros((2, 3)), np.zeros(2)),
            ValueError,
            "alpha must broadcast to x, got alpha.shape=(2,) for x.shape=(2, 3)",
        ),
        (lambda: ops.prelu(np.zeros(3), np.zeros((2, 3))), ValueError, "alpha must broadcast to x"),
        (lambda: ops.softmax(np.zeros((2, 3)), axis=2), ValueError, "axis=2 for x.shape=(2, 3)"),
        (lambda: ops.log_softmax(np.zeros(3), axis=0.0), TypeError, "axis must be an int, got 0.0"),
        (lambda: ops.softmax(3.0), ValueError, "axis must be an axis of x, got axis=-1 for x.shape=()"),
        (lambda: ops.tanh(None), TypeError, "x must be an array of numbers, got None"),
        (lambda: ops.sigmoid("x"), TypeError, "x must hold real numbers of at most 64 bits, got dtype <U1"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# Gradients --------------------------------------------------------------------------------------


GRADIENT_SLACK = 1e-35
"""What underflow may add: TensorFlow flushes subnormal numbers to zero, and slopes underflow far out."""


normal_slopes = st.floats(-2, 2, width=32, allow_subnormal=False)


GRADIENT_OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "linear": {},
    "relu": {
        "max_value": st.none() | st.just(6.0) | st.floats(0, 8, width=32),
        "negative_slope": st.just(0.0) | normal_slopes,
        "threshold": st.just(0.0) | st.floats(-4, 4, width=32, allow_subnormal=False),
    },
    "relu6": {},
    "leaky_relu": {"negative_slope": normal_slopes},
    "elu": {"alpha": normal_slopes},
    "selu": {},
    "celu": {"alpha": positive},
    "gelu": {"approximate": st.booleans()},
    "silu": {},
    "hard_silu": {},
    "mish": {},
    "sigmoid": {},
    "hard_sigmoid": {},
    "tanh": {},
    "softplus": {},
    "softsign": {},
    "exponential": {},
    "hard_tanh": {},
    "hard_shrink": {"threshold": thresholds},
    "soft_shrink": {"threshold": thresholds},
    "threshold": {"threshold": normal_slopes, "default_value": normal_slopes},
    "tanh_shrink": {},
    "squareplus": {"b": positive},
    "sparse_plus": {},
    "sparse_sigmoid": {},
    "log_sigmoid": {},
}


GRADIENT_CANCELS = {"elu", "selu", "celu", "gelu", "mish", "sigmoid", "tanh", "silu"} | {
    *("tanh_shrink", "squareplus", "log_sigmoid")
}
"""Where TensorFlow takes 1 - tanh^2, s * (1 - s), expm1 + 1 and the like: off by many u where the slope
is nearly 0. Too much for our bound in float32, and to be allowed for in the float64 evaluation. Its gelu
cubes x on the way."""


AROUND = {"celu": 0, "hard_sigmoid": 3, "hard_silu": 3, "sparse_plus": 1, "sparse_sigmoid": 1}
"""Corners that are tested apart: on one side in float32 may be on the other in float64."""


@st.composite
def points(draw: st.DrawFn) -> np.ndarray:
    """float32 numbers, none too large for a float64 exponential; ordinary ones, or a sweep."""
    if draw(st.booleans()):
        return np.linspace(-draw(positive) * 25, draw(positive) * 20, 301, dtype=np.float32)
    rng = np.random.default_rng(draw(seeds))
    return numbers(rng, (2, 5, 4, 3), draw(st.sampled_from(["normal", "sparse"]))) * 3


@pytest.mark.parametrize("name", GRADIENT_OPTIONS)
@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_elementwise_gradients_are_keras(accuracy: Accuracy, name: str, data: st.DataObject) -> None:
    options = data.draw(st.fixed_dictionaries(GRADIENT_OPTIONS[name]))
    x = data.draw(points())
    if name in AROUND:
        x = x[np.abs(np.abs(x) - AROUND[name]) > 1e-5]
    grad = numbers(np.random.default_rng(0), x.shape, "normal")
    forward, op = gradient_authority.activation(name), getattr(ops, f"{name}_grad")
    wide = [x.astype(np.float64), grad.astype(np.float64)]
    (exact,) = gradient_authority.gradients(forward, wide[:1], wide[1], **options)
    (theirs,) = gradient_authority.gradients(forward, [x], grad, **options)
    assert exact is not None
    bound = gradient_rounding.activation_grad_bound(name, x, grad, **options)
    # What is below the slack has no digits to speak of.
    bound = bound._replace(magnitude=np.where(bound.magnitude < GRADIENT_SLACK, 0, bound.magnitude))
    slack = GRADIENT_SLACK
    if name in GRADIENT_CANCELS:
        power = 3 if name == "gelu" else 1
        cancelled = np.abs(wide[1]) * (1 + np.abs(wide[0])) ** power
        theirs, slack = None, GRADIENT_SLACK + 32 * unit_roundoff(np.float64) * cancelled
    check_float64(f"{name}_grad", op(*wide, **options), exact, bound, slack)
    accuracy.check(f"{name}_grad", op(x, grad, **options), exact, bound, theirs, slack)


@given(
    shape=arrays.array_shapes(min_dims=2, max_dims=4, max_side=5),
    shared=st.sets(st.integers(1, 3)),
    seed=seeds,
)
def test_prelu_gradients_are_keras(
    accuracy: Accuracy, shape: tuple[int, ...], shared: set[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = numbers(rng, shape, "sparse")
    alpha = numbers(rng, tuple(1 if axis in shared else n for axis, n in enumerate(shape))[1:], "normal")
    compare_gradients(accuracy, "prelu", [x, alpha], numbers(rng, shape, "normal"), {})


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax"])
@given(
    shape=arrays.array_shapes(max_dims=4, max_side=7),
    axis=st.integers(-4, 3),
    spread=st.floats(0, 15),
    seed=seeds,
)
def test_softmax_gradients_are_keras(
    accuracy: Accuracy, name: str, shape: tuple[int, ...], axis: int, spread: float, seed: int
) -> None:
    """TensorFlow's softmax rounds otherwise: it is not held to our bound."""
    axis = axis % len(shape) - len(shape) * (axis < 0)
    rng = np.random.default_rng(seed)
    x, grad = (rng.normal(size=shape) * spread).astype(np.float32), numbers(rng, shape, "normal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis")  # of length 1
        compare_gradients(
            accuracy,
            name,
            [x],
            grad,
            {"axis": axis},
            forward=gradient_authority.activation(name),
            authority_too=False,
            slack=GRADIENT_SLACK,
        )


@pytest.mark.parametrize(
    ("name", "x", "options", "expected"),
    [
        ("relu", [-1, 0, 1], {}, [0, 0, 1]),
        ("relu", [0, 5, 6], {"max_value": 6}, [0, 1, 0]),
        ("relu", [0, 4, 5, 6], {"max_value": 5}, [0, 1, 1, 0]),
        ("relu", [-1, 0, 1], {"negative_slope": 0.5}, [0.5, 0.5, 1]),
        ("relu", [-1, 0, 1], {"negative_slope": 0.5, "max_value": 9}, [0.5, 0, 1]),
        ("relu", [1, 2, 3, 7], {"threshold": 2, "max_value": 6}, [0, 0, 1, 0]),
        ("relu", [1, 2, 3], {"threshold": 2, "negative_slope": 0.5}, [0.5, 0, 1]),
        ("relu", [-3, -2, -1, 0, 1], {"threshold": -2, "max_value": 6}, [0, 0, 0, 1, 1]),
        ("relu", [-3, -2, -1, 0], {"threshold": -2}, [0, 0, 1, 1]),
        ("relu6", [0, 3, 6], {}, [0, 1, 0]),
        ("leaky_relu", [-1, 0, 1], {"negative_slope": 0.25}, [0.25, 0.25, 1]),
        ("elu", [0, 1], {"alpha": 0.5}, [0.5, 1]),
        ("selu", [0], {}, [np.float32(1.05070098)]),
        ("hard_sigmoid", [-3, 0, 3], {}, [0, np.float32(1 / 6), 0]),
        ("hard_silu", [-3, 0, 3], {}, [0, 0.5, 1]),
        ("linear", [-1, 0, 1], {}, [1, 1, 1]),
        ("softsign", [-1, 0, 1], {}, [0.25, 1, 0.25]),
        ("hard_tanh", [-2, -1, 1, 2], {}, [0, 1, 1, 0]),
        ("hard_shrink", [-0.5, 0, 0.5, 1], {}, [0, 0, 0, 1]),
        ("soft_shrink", [-1, -0.5, 0.5], {}, [1, 0, 0]),
        ("threshold", [0, 1, 2], {"threshold": 1, "default_value": 5}, [0, 0, 1]),
        ("sparse_plus", [-1, 0, 1], {}, [0, 0.5, 1]),
        ("sparse_sigmoid", [-1, 0, 1], {}, [0, 0.5, 0]),
    ],
)
def test_corners_are_keras(name: str, x: list[float], options: dict[str, Any], expected: list[float]) -> None:
    narrow, ones = np.array(x, np.float32), np.ones(len(x), np.float32)
    (theirs,) = gradient_authority.gradients(gradient_authority.activation(name), [narrow], ones, **options)
    np.testing.assert_array_equal(theirs, np.float32(expected))
    result = getattr(ops, f"{name}_grad")(narrow, ones, **options)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.float32(expected))


def test_celu_has_slope_1_at_0_where_keras_counts_both_sides() -> None:
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    (theirs,) = gradient_authority.gradients(gradient_authority.activation("celu"), [zero], one)
    assert theirs is not None
    assert theirs[0] == 2
    assert ops.celu_grad(zero, one)[0] == 1


@pytest.mark.parametrize("name", [*GRADIENT_OPTIONS, "gelu approximate"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slopes_settle_far_out(name: str, dtype: type) -> None:
    """At 1e4 every function is straight or flat, and nothing has overflowed on the way."""
    x = np.array([-1e4, 1e4], dtype)
    options: dict[str, Any] = {"approximate": True} if name.endswith("approximate") else {}
    if name == "threshold":
        options = {"threshold": 1.0, "default_value": 0.0}
    slope = getattr(ops, f"{name.split()[0]}_grad")(x, np.ones(2, dtype), **options)
    flat = {"sigmoid", "hard_sigmoid", "tanh", "relu6", "softsign"}
    flat |= {"hard_tanh", "sparse_sigmoid", "log_sigmoid"}
    right = {"selu": 1.05070098, "exponential": np.inf, **dict.fromkeys(flat, 0)}.get(name, 1)
    both = {"linear", "hard_shrink", "soft_shrink", "tanh_shrink", "log_sigmoid"}
    left = 1 if name in both else {"leaky_relu": 0.2}.get(name, 0)
    np.testing.assert_allclose(slope, [left, right], rtol=1e-6, atol=1.1e-8)


def test_slopes_are_small_far_out_and_not_zero() -> None:
    """1 - tanh(x)^2 and s * (1 - s) cancel there; ours do not."""
    x = np.float32([20])
    np.testing.assert_allclose(ops.tanh_grad(x, [1]), 4 * np.exp(-40.0), rtol=1e-5)
    np.testing.assert_allclose(ops.sigmoid_grad(x, np.float32([1])), np.exp(-20.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.tanh_grad(np.zeros(3), np.zeros(2)),
            ValueError,
            "grad must have the result's shape, (3,), got grad.shape=(2,)",
        ),
        (
            lambda: ops.relu_grad([1], [1], max_value=-1),
            ValueError,
            "max_value must not be negative, got -1",
        ),
        (lambda: ops.celu_grad([1], [1], alpha=0), ValueError, "alpha must not be 0, got 0"),
        (lambda: ops.elu_grad([1], [1], alpha="a"), TypeError, "alpha must be a number, got 'a'"),
        (
            lambda: ops.prelu_grad(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(2)),
            ValueError,
            "alpha must broadcast to x, got alpha.shape=(2,) for x.shape=(2, 3)",
        ),
        (
            lambda: ops.prelu_alpha_grad(np.zeros((2, 3)), np.zeros((2, 3)), (2,)),
            ValueError,
            "alpha must broadcast to x, got alpha_shape=(2,) for x.shape=(2, 3)",
        ),
        (
            lambda: ops.softmax_grad(np.zeros(3), np.zeros(3), axis=1),
            ValueError,
            "axis must be an axis of x, got axis=1 for x.shape=(3,)",
        ),
        (
            lambda: ops.sigmoid_grad(None, [1]),
            TypeError,
            "x must be an array of numbers, got None",
        ),
    ],
)
def test_wrong_arguments_of_gradients_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
