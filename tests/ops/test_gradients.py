"""What holds of every gradient: dtypes, ranks, memory layouts, aliasing, and nonsense refused."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings

from cnnviz import ops
from cnnviz.numbers import brief
from harness.cases import same_numbers, sprinkled
from harness.gradient_specimens import SEVERAL, GradientSpecimen, specimens
from harness.nonsense import NOT_ARRAYS, may_be_valid, values

SPECIMENS = specimens()
UNTRAINED = {"plan", "Plan", "batch_norm_affine", "batch_statistics", "im2col_matrix"}
"""Public names without a gradient of their own."""
every_gradient = pytest.mark.parametrize("specimen", SPECIMENS, ids=str)


def test_every_gradient_has_a_specimen() -> None:
    public = {name for name in ops.__all__ if name.endswith("_grad")}
    assert {specimen.op for specimen in SPECIMENS} == public - SEVERAL - {"softmax_cross_entropy_grad"}


def test_every_operation_has_its_gradients() -> None:
    """One by the operation's name, or one for each of its arrays by the argument's."""
    shared = {"bias": "conv2d_bias_grad", "beta": "batch_norm_beta_grad"}
    for name in ops.__all__:
        if name.endswith("_grad") or name in UNTRAINED:
            continue
        if f"{name}_grad" not in ops.__all__:
            parameters = inspect.signature(getattr(ops, name)).parameters.values()
            for argument in (p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD):
                own = f"{name}_{'input' if argument == 'x' else argument}_grad"
                assert {own, shared.get(argument)} & set(ops.__all__), f"{name} lacks {own}"


# Dtypes -----------------------------------------------------------------------------------------


@every_gradient
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float16, np.float32, ">f4"])
def test_everything_but_float64_gives_float32(specimen: GradientSpecimen, dtype: Any) -> None:
    arrays = {name: np.abs(array).astype(dtype) for name, array in specimen.arrays().items()}
    result = specimen.call(arrays)
    assert result.dtype == np.float32
    same_numbers(result, specimen.call({name: array.astype(np.float32) for name, array in arrays.items()}))


@every_gradient
def test_float64_anywhere_gives_float64(specimen: GradientSpecimen) -> None:
    arrays = specimen.arrays()
    for name in arrays:
        if name == "scale":
            continue  # rescale's is a number, not an array of its own
        mixed = {**arrays, name: arrays[name].astype(np.float64)}
        assert specimen.call(mixed).dtype == np.float64, name


# Memory -----------------------------------------------------------------------------------------


def reversed_(array: np.ndarray) -> np.ndarray:
    """Negative strides along every axis."""
    back = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[back])[back]


def strided(array: np.ndarray) -> np.ndarray:
    """Every second number of a wider array, along every axis."""
    wide = np.full([2 * size + 1 for size in array.shape], np.nan, array.dtype)
    place = tuple(slice(1, None, 2) for _ in array.shape)
    wide[place] = array
    return wide[place]


@every_gradient
@pytest.mark.parametrize("layout", [np.asfortranarray, strided, reversed_])
def test_the_layout_in_memory_does_not_matter(
    specimen: GradientSpecimen, layout: Callable[[np.ndarray], np.ndarray]
) -> None:
    arrays = specimen.arrays()
    laid_out = {name: layout(array) for name, array in arrays.items()}
    same_numbers(specimen.call(laid_out), specimen.call(arrays))


@every_gradient
def test_arguments_stay_as_they_are_and_results_are_new(specimen: GradientSpecimen) -> None:
    arrays = specimen.arrays()
    before = {name: array.copy() for name, array in arrays.items()}
    result = specimen.call(arrays)
    shared_with = [name for name, array in arrays.items() if np.shares_memory(result, array)]
    assert shared_with == (["grad"] if specimen.view or specimen.op == "linear_grad" else [])
    assert result.flags.writeable
    for array in arrays.values():
        array.flags.writeable = False
    specimen.call(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    "specimen",
    [s for s in specimens(count=0) if not s.op.startswith(("batch_norm_training", "softmax", "log_"))],
    ids=str,
)
def test_an_empty_batch_gives_zeros(specimen: GradientSpecimen) -> None:
    """An input's has no images either; a weight's is a sum over nothing."""
    result = specimen.call(specimen.arrays())
    assert not result.any()


# Missing axes -----------------------------------------------------------------------------------


def without(specimen: GradientSpecimen, *axes: int) -> Any:
    """The call with axes left out of images, their gradient and their shape."""
    arrays = specimen.arrays()
    for name in ("x", "grad"):
        if name in arrays:
            arrays[name] = arrays[name].squeeze(axes)
    if "input_shape" not in specimen.options:
        return specimen.call(arrays)
    shape = np.zeros(specimen.options["input_shape"][0]).squeeze(axes).shape
    return specimen.call(arrays, input_shape=shape)


@pytest.mark.parametrize("specimen", [s for s in specimens(count=1) if s.spatial], ids=str)
def test_three_axes_are_height_width_and_channels(specimen: GradientSpecimen) -> None:
    full = specimen.call(specimen.arrays())
    weights = "kernel_grad" in specimen.op or "bias" in specimen.op
    same_numbers(without(specimen, 0), full if weights else full[0])


@pytest.mark.parametrize(
    "specimen",
    [s for s in specimens(count=1, channels=1, filters=1) if s.spatial and not s.op.startswith("depthwise")],
    ids=str,
)
def test_two_axes_are_height_and_width(specimen: GradientSpecimen) -> None:
    """Where there is one channel, before and behind."""
    full = specimen.call(specimen.arrays())
    weights = "kernel_grad" in specimen.op or "bias" in specimen.op
    same_numbers(without(specimen, 0, 3), full if weights else full[0, ..., 0])


# NaN, infinities, overflow ----------------------------------------------------------------------


@every_gradient
def test_special_values_pass_without_a_warning(specimen: GradientSpecimen) -> None:
    """Warnings are errors in this run."""
    rng = np.random.default_rng(0)
    for special in (None, np.nan, np.inf, 3e38):
        arrays = {
            name: sprinkled(array, rng, 0.5) if special is None else np.full_like(array, special)
            for name, array in specimen.arrays().items()
        }
        assert specimen.call(arrays).dtype == np.float32


# Nonsense ---------------------------------------------------------------------------------------

ARRAY_ARGUMENTS = [
    pytest.param(specimen, name, id=f"{specimen.op}-{name}")
    for specimen in SPECIMENS
    for name in specimen.shapes
]
OPTIONS = [
    pytest.param(specimen, name, kind, id=f"{specimen.op}-{name}")
    for specimen in SPECIMENS
    for name, (_, kind) in specimen.options.items()
]


@pytest.mark.parametrize(("specimen", "name"), ARRAY_ARGUMENTS)
def test_what_is_no_array_is_refused_by_name(specimen: GradientSpecimen, name: str) -> None:
    for value in NOT_ARRAYS:
        if value is None and name == "gamma":
            continue
        with pytest.raises((ValueError, TypeError), match=re.escape(name)):
            specimen.call({**specimen.arrays(), name: value})


@pytest.mark.parametrize(("specimen", "name", "kind"), OPTIONS)
@settings(max_examples=settings().max_examples // 8)
@given(value=values)
def test_nonsense_options_are_refused_by_name_and_value(
    specimen: GradientSpecimen, name: str, kind: str, value: Any
) -> None:
    assume(not may_be_valid(value, kind))
    with pytest.raises((ValueError, TypeError)) as caught:
        specimen.call(specimen.arrays(), **{name: value})
    assert name in str(caught.value)
    assert brief(value) in str(caught.value)


@pytest.mark.parametrize(("specimen", "name"), ARRAY_ARGUMENTS)
def test_an_array_that_does_not_fit_is_refused_by_name(specimen: GradientSpecimen, name: str) -> None:
    """Grown by a cell along one axis, it either fits still, or the error names an argument's shape."""
    arrays = specimen.arrays()
    for axis in range(arrays[name].ndim):
        repeats = [2] + [1] * (arrays[name].shape[axis] - 1)
        with suppress_named({*arrays, *specimen.options}):
            specimen.call({**arrays, name: np.repeat(arrays[name], repeats, axis)})


@contextmanager
def suppress_named(names: set[str]) -> Iterator[None]:
    """Lets a ValueError pass that says the name of an argument."""
    try:
        yield
    except ValueError as error:
        if not any(name in str(error) for name in names):
            raise
