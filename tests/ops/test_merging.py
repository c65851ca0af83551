"""Joining branches, and its gradients: literals, TensorFlow's, error bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cnnviz import ops
from harness import authority, gradient_authority, gradient_rounding, rounding
from harness.accuracy import Accuracy, check_float64
from harness.cases import Case, assert_same_specials, kinds, numbers, seeds, sprinkled

SUMS: dict[str, Callable[..., rounding.Bound]] = {
    "add": rounding.sum_bound,
    "subtract": rounding.sum_bound,
    "multiply": rounding.multiply_bound,
    "average": lambda *xs: rounding.sum_bound(*xs, quotient=True),
}


CHOICES = ["maximum", "minimum"]


@st.composite
def branches(draw: st.DrawFn, count: int | None = None) -> Case:
    """Shapes of one rank that broadcast, the batch axis aside, as in Keras."""
    number = count or draw(st.integers(2, 4))
    shapes = draw(
        arrays.mutually_broadcastable_shapes(num_shapes=number, min_dims=1, max_dims=3, max_side=4)
    ).input_shapes
    rank = max(map(len, shapes))
    batch = draw(st.integers(0, 3))
    padded = tuple((batch, *(1,) * (rank - len(shape)), *shape) for shape in shapes)
    return Case(padded, {}, draw(kinds), draw(seeds))


@pytest.mark.parametrize("name", SUMS)
@given(data=st.data())
def test_sums_and_products_are_tensorflows(accuracy: Accuracy, name: str, data: st.DataObject) -> None:
    case = data.draw(branches(2 if name == "subtract" else None))
    op, bound = getattr(ops, name), SUMS[name](*case.arrays())
    exact = authority.merge(name, case.arrays(np.float64))
    check_float64(name, op(*case.arrays(np.float64)), exact, bound)
    accuracy.check(name, op(*case.arrays()), exact, bound, authority.merge(name, case.arrays()))


@pytest.mark.parametrize("name", CHOICES)
@given(case=branches())
def test_extremes_are_tensorflows_exactly(name: str, case: Case) -> None:
    xs = case.arrays()
    result = getattr(ops, name)(*xs)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, authority.merge(name, xs))


@pytest.mark.parametrize("name", [*SUMS, *CHOICES])
@given(data=st.data())
def test_nan_and_inf_are_tensorflows(name: str, data: st.DataObject) -> None:
    case = data.draw(branches(2 if name == "subtract" else None))
    rng = np.random.default_rng(case.seed)
    xs = [sprinkled(x, rng, 0.3) for x in case.arrays()]
    assert_same_specials(getattr(ops, name)(*xs), authority.merge(name, xs))


@given(
    shape=arrays.array_shapes(min_dims=2, max_dims=4, max_side=4),
    sizes=st.lists(st.integers(0, 3), min_size=2, max_size=4),
    place=st.integers(0, 2),
    negative=st.booleans(),
    seed=seeds,
)
def test_concatenate_is_keras(
    shape: tuple[int, ...], sizes: list[int], place: int, negative: bool, seed: int
) -> None:
    rank = len(shape)
    axis = 1 + place % (rank - 1)
    xs = Case(tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes), {}, "normal", seed).arrays()
    axis -= rank * negative
    np.testing.assert_array_equal(ops.concatenate(xs, axis), authority.layer("Concatenate", xs, axis=axis))


def test_literals() -> None:
    a, b, c = [1, 2], [10, 20], [100, -200]
    assert ops.add(a, b, c).tolist() == [111, -178]
    assert ops.subtract(a, b).tolist() == [-9, -18]
    assert ops.multiply(a, b, c).tolist() == [1000, -8000]
    assert ops.average(a, b, [1, 2]).tolist() == [4, 8]
    assert ops.maximum(a, b, c).tolist() == [100, 20]
    assert ops.minimum(a, b, c).tolist() == [1, -200]
    assert ops.concatenate([[a], [b]]).tolist() == [[1, 2, 10, 20]]
    assert ops.concatenate([[a], [b]], axis=0).tolist() == [[1, 2], [10, 20]]


def test_merging_broadcasts_by_numpys_rule() -> None:
    assert ops.add(np.zeros((2, 3, 4)), np.ones(4)).shape == (2, 3, 4)
    assert ops.multiply(np.zeros((2, 1, 4)), np.ones((3, 1))).shape == (2, 3, 4)


@pytest.mark.parametrize("name", ["add", "multiply", "average", "maximum", "minimum"])
def test_one_branch_alone_is_a_copy(name: str) -> None:
    x = np.arange(3, dtype=np.float32)
    result = getattr(ops, name)(x)
    np.testing.assert_array_equal(result, x)
    assert not np.shares_memory(result, x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (ops.add, ValueError, "add needs at least one array, got none"),
        (
            lambda: ops.multiply(np.zeros(2), np.zeros(3)),
            ValueError,
            "multiply needs shapes that broadcast, got [(2,), (3,)]",
        ),
        (
            lambda: ops.subtract([1], "2"),
            TypeError,
            "argument 1 must hold real numbers of at most 64 bits, got dtype <U1",
        ),
        (lambda: ops.maximum([1], None), TypeError, "argument 1 must be an array of numbers, got None"),
        (lambda: ops.concatenate([]), ValueError, "concatenate needs at least one array, got none"),
        (lambda: ops.concatenate(3), TypeError, "xs must be a list or tuple of arrays, got 3"),
        (lambda: ops.concatenate([[1], None]), TypeError, "xs[1] must be an array of numbers, got None"),
        (
            lambda: ops.concatenate([np.zeros((2, 3)), np.zeros((3, 3))]),
            ValueError,
            "shapes must agree except along axis -1, got [(2, 3), (3, 3)]",
        ),
        (
            lambda: ops.concatenate([np.zeros((2, 3)), np.zeros(2)]),
            ValueError,
            "shapes must agree except along axis -1, got [(2, 3), (2,)]",
        ),
        (
            lambda: ops.concatenate([np.zeros((2, 3))], axis=2),
            ValueError,
            "axis must be an axis of the arrays, got axis=2 for shapes [(2, 3)]",
        ),
        (lambda: ops.concatenate([1.0]), ValueError, "got axis=-1 for shapes [()]"),
        (lambda: ops.concatenate([[1]], axis=None), TypeError, "axis must be an int, got None"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# Gradients --------------------------------------------------------------------------------------


ADDING = ["add", "subtract", "average"]


PRODUCTS = ["multiply", "maximum", "minimum"]


def call_gradient(name: str, xs: list[np.ndarray], grad: np.ndarray) -> tuple[np.ndarray, ...]:
    op = getattr(ops, f"{name}_grad")
    return op(grad, [x.shape for x in xs]) if name in ADDING else op(xs, grad)


def test_gradients_of_sums() -> None:
    grad, shapes = [[1.0, 2.0], [3.0, 4.0]], [(2, 2), (2,), (2, 1), ()]
    assert [g.tolist() for g in ops.add_grad(grad, shapes)] == [grad, [4, 6], [[3], [7]], 10]
    assert [g.tolist() for g in ops.average_grad(grad, shapes)][1:] == [[1, 1.5], [[0.75], [1.75]], 2.5]
    assert [g.tolist() for g in ops.subtract_grad(grad, shapes[:2])] == [grad, [-4, -6]]


def test_products_get_the_product_of_the_others() -> None:
    found = ops.multiply_grad([[2.0, 3.0], [5.0], [7.0, 0.0]], [1.0, 10.0])
    assert [g.tolist() for g in found] == [[35, 0], [14], [10, 150]]
    assert [g.tolist() for g in ops.multiply_grad([[2.0]], [3.0])] == [[3]]


def test_of_equal_arguments_the_first_is_the_extreme() -> None:
    xs, grad = [[1, 2, 2, 0], [1, 2, 3, 0], [1, 0, 3, 1]], [1, 10, 100, 1000]
    largest = [g.tolist() for g in ops.maximum_grad(xs, grad)]
    assert largest == [[1, 10, 0, 0], [0, 0, 100, 0], [0, 0, 0, 1000]]
    smallest = [g.tolist() for g in ops.minimum_grad(xs, grad)]
    assert smallest == [[1, 0, 100, 1000], [0, 0, 0, 0], [0, 10, 0, 0]]


def test_concatenate_cuts_grad_up() -> None:
    grad = np.arange(12).reshape(2, 6)
    parts = ops.concatenate_grad(grad, [(2, 1), (2, 0), (2, 5)])
    assert [part.shape for part in parts] == [(2, 1), (2, 0), (2, 5)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), grad)
    top, bottom = ops.concatenate_grad(grad, [(1, 6), (1, 6)], axis=0)
    assert (top[0, 0], bottom[0, 0]) == (0, 6)


@st.composite
def branch_shapes(draw: st.DrawFn, count: int | None = None) -> list[tuple[int, ...]]:
    number = count or draw(st.integers(1, 4))
    drawn = arrays.mutually_broadcastable_shapes(num_shapes=number, max_dims=4, max_side=4)
    return list(draw(drawn).input_shapes)


@pytest.mark.parametrize("name", [*ADDING, *PRODUCTS])
@settings(max_examples=settings().max_examples // 2)
@given(data=st.data(), kind=kinds, seed=seeds)
def test_gradients_are_tensorflows(
    accuracy: Accuracy, name: str, data: st.DataObject, kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shapes = data.draw(branch_shapes(2 if name == "subtract" else None))
    xs = [np.asarray(numbers(rng, shape, kind)) for shape in shapes]
    grad = np.asarray(numbers(rng, np.broadcast_shapes(*shapes), kind))
    forward = gradient_authority.merge(name)
    exact = gradient_authority.gradients(forward, [x.astype(np.float64) for x in xs], grad.astype(np.float64))
    theirs = gradient_authority.gradients(forward, xs, grad)
    arguments = (grad, shapes) if name in ADDING else (xs, grad)
    bounds = gradient_rounding.merging_grad_bounds(f"{name}_grad", *arguments)
    wide = call_gradient(name, [x.astype(np.float64) for x in xs], grad.astype(np.float64))
    for double, ours, expected, other, bound in zip(
        wide, call_gradient(name, xs, grad), exact, theirs, bounds, strict=True
    ):
        assert expected is not None
        check_float64(f"{name}_grad", double, expected, bound)
        accuracy.check(f"{name}_grad", ours, expected, bound, other)


@pytest.mark.parametrize("name", [*ADDING, *PRODUCTS])
@settings(max_examples=settings().max_examples // 2)
@given(data=st.data(), seed=seeds)
def test_nan_inf_and_ties_are_tensorflows(name: str, data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = data.draw(branch_shapes(2 if name == "subtract" else None))
    xs = [np.asarray(sprinkled(rng.integers(-1, 2, shape).astype(np.float64), rng, 0.3)) for shape in shapes]
    whole = rng.integers(-9, 10, np.broadcast_shapes(*shapes)).astype(np.float64)
    grad = np.asarray(sprinkled(whole, rng, 0.1))
    theirs = gradient_authority.gradients(gradient_authority.merge(name), xs, grad)
    for ours, expected in zip(call_gradient(name, xs, grad), theirs, strict=True):
        assert_same_specials(ours, expected)
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("call_gradient", "error", "message"),
    [
        (
            lambda: ops.add_grad(np.zeros(3), [(2,), (3,)]),
            ValueError,
            "the arguments' shapes must broadcast, got [(2,), (3,)]",
        ),
        (
            lambda: ops.add_grad(np.zeros(3), [(2, 1), (3,)]),
            ValueError,
            "grad must have the result's shape, (2, 3), got grad.shape=(3,)",
        ),
        (
            lambda: ops.add_grad(np.zeros(3), "shapes"),
            TypeError,
            "input_shapes must be a list or tuple of shapes, got 'shapes'",
        ),
        (
            lambda: ops.add_grad(np.zeros(3), (3, 3)),
            TypeError,
            "input_shapes[0] must be a sequence of ints, got 3",
        ),
        (lambda: ops.add_grad(np.zeros(3), []), ValueError, "input_shapes must hold at least one shape"),
        (
            lambda: ops.subtract_grad(np.zeros(3), [(3,)]),
            ValueError,
            "input_shapes must be two shapes, got [(3,)]",
        ),
        (lambda: ops.multiply_grad([], np.zeros(3)), ValueError, "xs must hold at least one array, got none"),
        (
            lambda: ops.maximum_grad(np.zeros(3), np.zeros(3)),
            TypeError,
            "xs must be a list or tuple of arrays, got array([0., 0., 0.])",
        ),
        (
            lambda: ops.concatenate_grad(np.zeros((2, 3)), [(2, 1), (1, 2)]),
            ValueError,
            "input_shapes must agree except along axis -1, got [(2, 1), (1, 2)]",
        ),
        (
            lambda: ops.concatenate_grad(np.zeros((2, 3)), [(2, 1), (2, 2)], axis=2),
            ValueError,
            "axis must be an axis of the arrays, got axis=2 for shapes [(2, 1), (2, 2)]",
        ),
        (
            lambda: ops.concatenate_grad(np.zeros((2, 4)), [(2, 1), (2, 2)]),
            ValueError,
            "grad must have the result's shape, (2, 3), got grad.shape=(2, 4)",
        ),
    ],
)
def test_wrong_arguments_of_gradients_are_named(
    call_gradient: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call_gradient()
