"""What holds of every operation: dtypes, ranks, memory layouts, aliasing, and nonsense refused."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnviz import ops
from cnnviz.numbers import brief
from cnnviz.ops.arguments import broadcasts_to, floats, gradient, images
from harness.cases import same_numbers, sprinkled
from harness.nonsense import NOT_ARRAYS, may_be_valid, values
from harness.specimens import SPECIMENS, Specimen

every_op = pytest.mark.parametrize("specimen", SPECIMENS, ids=str)
SPATIAL = [specimen for specimen in SPECIMENS if specimen.spatial]

NOT_OPERATIONS = {
    *("batch_norm_affine", "batch_norm_training", "batch_statistics", "softmax_cross_entropy"),
    *("plan", "Plan"),
}
"""Public names that do not take arrays of numbers to one array."""


def test_every_operation_has_a_specimen() -> None:
    public = {name for name in ops.__all__ if not name.endswith("_grad")}
    assert {specimen.op for specimen in SPECIMENS} == public - NOT_OPERATIONS


@every_op
def test_specimens_name_every_argument(specimen: Specimen) -> None:
    """So that the tests below leave none out; keepdims and approximate are taken for their truth."""
    parameters = inspect.signature(getattr(ops, specimen.op)).parameters
    named = {name for name in specimen.shapes(1) if not name.startswith(("argument", "xs"))}
    branches = {"a", "b"} if "a" in parameters else {"xs"}
    assert set(parameters) - {"keepdims", "approximate"} - branches == named | set(specimen.options)


# Dtypes -----------------------------------------------------------------------------------------


@every_op
@pytest.mark.parametrize(
    "dtype", [bool, np.int8, np.uint8, np.int64, np.uint64, np.float16, np.float32, ">f4"]
)
def test_everything_but_float64_gives_float32(specimen: Specimen, dtype: Any) -> None:
    arrays = {name: np.abs(array).astype(dtype) for name, array in specimen.arrays().items()}
    result = specimen.call(arrays)
    assert result.dtype == np.float32
    widened = {name: array.astype(np.float32) for name, array in arrays.items()}
    same_numbers(result, specimen.call(widened))


@every_op
def test_float64_anywhere_gives_float64(specimen: Specimen) -> None:
    arrays = specimen.arrays()
    for name in arrays:
        if specimen.op == "rescale" and name != "x":
            continue  # its factors are numbers, not arrays of their own
        mixed = {**arrays, name: arrays[name].astype(np.float64)}
        assert specimen.call(mixed).dtype == np.float64, name


@every_op
def test_lists_are_arrays(specimen: Specimen) -> None:
    arrays = specimen.arrays()
    listed = {name: array.astype(int).tolist() for name, array in arrays.items()}
    same_numbers(specimen.call(listed), specimen.call(arrays))


def test_rescale_keeps_xs_dtype() -> None:
    assert ops.rescale(np.ones(2, np.float32), np.ones(2), 0.5).dtype == np.float32


# Memory -----------------------------------------------------------------------------------------


def fortran(array: np.ndarray) -> np.ndarray:
    return np.asfortranarray(array)


def strided(array: np.ndarray) -> np.ndarray:
    """Every second number of a wider array, along every axis."""
    wide = np.full([2 * size + 1 for size in array.shape], np.nan, array.dtype)
    place = tuple(slice(1, None, 2) for _ in array.shape)
    wide[place] = array
    return wide[place]


def reversed_(array: np.ndarray) -> np.ndarray:
    """Negative strides along every axis."""
    back = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[back])[back]


def swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder())


@every_op
@pytest.mark.parametrize("layout", [fortran, strided, reversed_, swapped])
def test_the_layout_in_memory_does_not_matter(
    specimen: Specimen, layout: Callable[[np.ndarray], np.ndarray]
) -> None:
    arrays = specimen.arrays()
    laid_out = {name: layout(array) for name, array in arrays.items()}
    same_numbers(specimen.call(laid_out), specimen.call(arrays))


@every_op
def test_broadcast_inputs_work(specimen: Specimen) -> None:
    arrays = {name: np.ones_like(array) for name, array in specimen.arrays().items()}
    flat = {name: np.broadcast_to(np.float32(1), array.shape) for name, array in arrays.items()}
    same_numbers(specimen.call(flat), specimen.call(arrays))


@every_op
def test_inputs_are_read_only_and_stay_as_they_are(specimen: Specimen) -> None:
    arrays = specimen.arrays()
    before = {name: array.copy() for name, array in arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    specimen.call(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])


@every_op
def test_results_do_not_alias_their_inputs(specimen: Specimen) -> None:
    arrays = specimen.arrays()
    result = specimen.call(arrays)
    shared_with = [name for name, array in arrays.items() if np.shares_memory(result, array)]
    assert shared_with == (["x"] if specimen.view else [])
    assert result.flags.writeable


@every_op
def test_an_empty_batch_gives_an_empty_result(specimen: Specimen) -> None:
    if specimen.op in ("softmax", "log_softmax", "sparsemax"):
        specimen = Specimen(specimen.op, specimen.shapes)
    arrays = specimen.arrays()
    full = specimen.call(arrays)
    emptied = {
        name: array[:0] if name == "x" or name.startswith(("argument", "xs")) else array
        for name, array in arrays.items()
    }
    assert specimen.call(emptied).shape == (0, *full.shape[1:])


# Missing axes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("specimen", SPATIAL, ids=str)
def test_three_axes_are_height_width_and_channels(specimen: Specimen) -> None:
    arrays = specimen.arrays()
    full = specimen.call(arrays)
    for image in range(2):
        same_numbers(specimen.call({**arrays, "x": arrays["x"][image]}), full[image])


@pytest.mark.parametrize("specimen", SPATIAL, ids=str)
def test_two_axes_are_height_and_width(specimen: Specimen) -> None:
    arrays = specimen.arrays(channels=1)
    full = specimen.call(arrays)
    expected = full[0, ..., 0] if full.shape[-1] == 1 else full[0]
    same_numbers(specimen.call({**arrays, "x": arrays["x"][0, ..., 0]}), expected)


@pytest.mark.parametrize("specimen", SPATIAL, ids=str)
@pytest.mark.parametrize("shape", [(), (5,), (1, 2, 5, 5, 4)])
def test_other_ranks_are_refused(specimen: Specimen, shape: tuple[int, ...]) -> None:
    message = f"x must be (H, W), (H, W, C) or (N, H, W, C), got x.shape={shape}"
    with pytest.raises(ValueError, match=re.escape(message)):
        specimen.call({**specimen.arrays(), "x": np.zeros(shape)})


# NaN, infinities, overflow ----------------------------------------------------------------------


@every_op
def test_special_values_pass_without_a_warning(specimen: Specimen) -> None:
    """Warnings are errors in this run."""
    rng = np.random.default_rng(0)
    for special in (None, np.nan, np.inf, 3e38):
        arrays = {
            name: sprinkled(array, rng, 0.5) if special is None else np.full_like(array, special)
            for name, array in specimen.arrays().items()
        }
        assert specimen.call(arrays).dtype == np.float32


def test_a_limit_beyond_float32_is_infinity() -> None:
    assert ops.relu(np.float32([1, np.inf]), max_value=1e300).tolist() == [1, np.inf]


# Nonsense ---------------------------------------------------------------------------------------

ARRAY_ARGUMENTS = [
    pytest.param(specimen, name, id=f"{specimen.op}-{name}")
    for specimen in SPECIMENS
    for name in specimen.arrays()
]
OPTIONS = [
    pytest.param(specimen, name, kind, id=f"{specimen.op}-{name}")
    for specimen in SPECIMENS
    for name, (_, kind) in specimen.options.items()
]
OPTIONAL = {"bias", "gamma", "beta"}


@pytest.mark.parametrize(("specimen", "name"), ARRAY_ARGUMENTS)
def test_what_is_no_array_is_refused_by_name(specimen: Specimen, name: str) -> None:
    for value in NOT_ARRAYS:
        if value is None and name in OPTIONAL:
            continue
        with pytest.raises((ValueError, TypeError), match=re.escape(name)):
            specimen.call({**specimen.arrays(), name: value})


@pytest.mark.parametrize(("specimen", "name", "kind"), OPTIONS)
@settings(max_examples=settings().max_examples // 4)
@given(value=values)
def test_nonsense_options_are_refused_by_name_and_value(
    specimen: Specimen, name: str, kind: str, value: Any
) -> None:
    assume(not may_be_valid(value, kind))
    with pytest.raises((ValueError, TypeError)) as caught:
        specimen.call(specimen.arrays(), **{name: value})
    assert name in str(caught.value)
    assert brief(value) in str(caught.value)


small_shapes = st.lists(st.integers(0, 4), max_size=5).map(tuple)


@given(
    shapes=st.tuples(small_shapes, small_shapes),
    options=st.fixed_dictionaries(
        {},
        optional={
            "strides": st.integers(1, 3),
            "padding": st.sampled_from(["valid", "same"]),
            "groups": st.integers(0, 3),
        },
    ),
)
def test_convolution_of_any_shapes_is_right_or_refused(shapes: Any, options: dict[str, Any]) -> None:
    x, kernel = shapes
    expected = convolved(x, kernel, **options)
    if expected is None:
        with pytest.raises(ValueError, match=r"x|kernel|groups"):
            ops.conv2d(np.zeros(x), np.zeros(kernel), **options)
    else:
        assert ops.conv2d(np.zeros(x), np.zeros(kernel), **options).shape == expected


def convolved(
    x: tuple[int, ...], kernel: tuple[int, ...], strides: int = 1, padding: str = "valid", groups: int = 1
) -> tuple[int, ...] | None:
    """The shape of conv2d's result, or None where there is none."""
    if len(x) not in (2, 3, 4) or len(kernel) != 4 or 0 in kernel or not groups:
        return None
    batch, height, width, channels = (1,) * (len(x) < 4) + x + (1,) * (len(x) < 3)
    kh, kw, depth, filters = kernel
    if channels != depth * groups or filters % groups:
        return None
    if padding == "valid" and (height < kh or width < kw):
        return None
    taken = (1, 1) if padding == "same" else (kh, kw)
    out = tuple(-(-(size - k + 1) // strides) for size, k in zip((height, width), taken, strict=True))
    if len(x) == 2 and filters == 1:
        return out
    return (batch, *out, filters) if len(x) == 4 else (*out, filters)


@given(shapes=st.tuples(small_shapes, small_shapes))
def test_dense_of_any_shapes_is_right_or_refused(shapes: Any) -> None:
    x, kernel = shapes
    if x and len(kernel) == 2 and 0 not in kernel and x[-1] == kernel[0]:
        assert ops.dense(np.zeros(x), np.zeros(kernel)).shape == (*x[:-1], kernel[1])
    else:
        with pytest.raises(ValueError, match=r"x|kernel"):
            ops.dense(np.zeros(x), np.zeros(kernel))


# The helpers ------------------------------------------------------------------------------------


def test_floats_chooses_one_dtype_and_keeps_optional_none() -> None:
    x, y, z = floats(x=np.zeros(2, np.float16), y=np.zeros(2), z=None, optional=1)
    assert x.dtype == y.dtype == np.float64
    assert z is None
    with pytest.raises(TypeError, match="y must be an array of numbers, got None"):
        floats(x=[1], y=None)
    same = np.zeros(3, np.float32)
    assert floats(x=same)[0] is same


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1), (1, 3, 4, 1)])
def test_images_gives_back_the_rank_it_took(shape: tuple[int, ...]) -> None:
    full, restore = images(np.zeros(shape))
    assert full.shape == (1, 3, 4, 1)
    assert restore(full).shape == shape
    # Several channels cannot go missing.
    assert restore(np.zeros((1, 3, 4, 5))).shape == (1, 3, 4, 5)[-max(len(shape), 3) :]


@given(shape=small_shapes, target=small_shapes)
def test_broadcasts_to_is_numpys_rule_without_growing(shape: Any, target: Any) -> None:
    try:
        fits = np.broadcast_shapes(shape, target) == target
    except ValueError:
        fits = False
    assert broadcasts_to(shape, target) == fits


# Docstrings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ops.__all__ if name.endswith("_grad")])
def test_the_help_of_every_gradient_says_what_the_family_shares(name: str) -> None:
    function = getattr(ops, name)
    if name != "softmax_cross_entropy_grad":
        assert f"as `{function.__doc__.split('`')[1]}`; for a grad of another shape" in function.__doc__
    titles = re.findall(r"^( *)(\w+)\n\1-+$", function.__doc__, re.MULTILINE)
    assert [title for _, title in titles] == ["Parameters", "Returns", "Raises", "Examples"]
    described = function.__doc__.partition("Parameters")[2].partition("Returns")[0]
    for argument in inspect.signature(function).parameters:
        assert re.search(rf"\b{argument}\b", described), argument
    assert f">>> {name}(" in function.__doc__


def test_an_argument_that_nobody_describes_is_an_error() -> None:
    def doubled_grad(grad: Any, twice: Any) -> Any:
        """The gradient of something.

        >>> doubled_grad(1, 2)
        """

    with pytest.raises(KeyError, match="twice"):
        gradient("doubled", "array")(doubled_grad)


def test_a_docstring_that_is_not_there_stays_away() -> None:
    """As with python -OO."""

    def bare_grad(grad: Any) -> Any:
        return grad

    assert gradient("bare", "array")(bare_grad).__doc__ is None
