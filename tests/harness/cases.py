"""Generated cases: shapes and options from Hypothesis, numbers from a drawn seed.

A case prints as its shapes, options and seed, which is all that is needed to make it again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st

from cnnviz import ops
from harness import authority, rounding
from harness.accuracy import Accuracy, check_float64

Shape = tuple[int, ...]

KINDS = ("normal", "wide", "cancelling", "integers", "sparse")


@dataclass(frozen=True)
class Case:
    """Arguments of one call: arrays (by shape; None for an absent one) and keywords."""

    shapes: tuple[Shape | None, ...]
    options: dict[str, Any] = field(default_factory=dict)
    kind: str = "normal"
    seed: int = 0
    nonnegative: tuple[int, ...] = ()
    """Which of the arrays may not be negative."""

    def arrays(self, dtype: Any = np.float32) -> list[Any]:
        """The arrays: float32 numbers, in dtype."""
        rng = np.random.default_rng(self.seed)
        drawn = [None if shape is None else numbers(rng, shape, self.kind) for shape in self.shapes]
        for place in self.nonnegative:
            drawn[place] = np.abs(drawn[place])
        return [array if array is None else array.astype(dtype) for array in drawn]


def numbers(rng: np.random.Generator, shape: Shape, kind: str) -> np.ndarray:
    """float32 numbers that are easy (normal), far apart (wide), or made to expose rounding errors."""
    x = rng.normal(size=shape)
    if kind == "wide":
        x *= 10.0 ** rng.uniform(-6, 6, shape)
    elif kind == "cancelling":
        x = np.where(rng.random(shape) < 0.5, 1e4, -1e4) * (1 + 1e-6 * x)
    elif kind == "integers":
        x = rng.integers(-9, 10, shape).astype(np.float64)
    elif kind == "sparse":
        x *= rng.random(shape) < 0.3
    return x.astype(np.float32)


def compare(accuracy: Accuracy, name: str, case: Case, **ours: Any) -> None:
    """Hold an operation of cnnviz.ops against TensorFlow and against its own error bound.

    `ours` are keywords that only our operation and its bound take, such as method. A float32 batch
    without images is left out of TensorFlow's part: with oneDNN it comes back with x's shape.
    """
    op, reference = getattr(ops, name), getattr(authority, name)
    narrow, wide = case.arrays(np.float32), case.arrays(np.float64)
    bound = getattr(rounding, f"{name}_bound")(*narrow, **case.options, **ours)
    exact = reference(*wide, **case.options)
    check_float64(name, op(*wide, **case.options, **ours), exact, bound)
    theirs = reference(*narrow, **case.options) if narrow[0].size else None
    chosen = {"method": "auto", **ours} if name == "conv2d" else ours
    label = " ".join([name, *map(str, chosen.values())])
    accuracy.check(label, op(*narrow, **case.options, **ours), exact, bound, theirs)


small = st.sampled_from([1, 1, 2, 2, 3, 4, 5])
channels = st.sampled_from([1, 1, 2, 3, 3, 4, 5, 8, 16, 19])
batches = st.sampled_from([1, 1, 1, 2, 2, 3, 0])
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(KINDS)
rates = st.sampled_from([1, 1, 1, 2, 3])


@st.composite
def geometries(
    draw: st.DrawFn, *, dilations: bool = True, pooling: bool = False
) -> tuple[tuple[int, int], tuple[int, int], dict[str, Any]]:
    """(input size, kernel size, keywords) of a window that fits, each axis drawn by itself.

    A pool's explicit padding is smaller than its window.
    """
    kind = draw(st.sampled_from(["valid", "same", "explicit"]))
    sizes, kernels, strides, rates_, sides = [], [], [], [], []
    for _ in range(2):
        k, s = draw(small), draw(small)
        d = draw(rates) if dilations else 1
        extent = (k - 1) * d + 1
        most = k - 1 if pooling else extent + 1
        before, after = draw(st.integers(0, most)), draw(st.integers(0, most))
        least = {"valid": extent, "same": 1, "explicit": max(1, extent - before - after)}[kind]
        sizes.append(draw(st.integers(least, least + 9)))
        kernels.append(k)
        strides.append(s)
        rates_.append(d)
        sides.append((before, after))
    options: dict[str, Any] = {
        "strides": tuple(strides),
        "padding": tuple(sides) if kind == "explicit" else kind,
    }
    if dilations:
        options["dilation_rate"] = tuple(rates_)
    return tuple(sizes), tuple(kernels), options  # type: ignore[return-value]


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    size, kernel, options = draw(geometries())
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    depth, filters = draw(channels), draw(channels) * groups
    shapes = (
        (draw(batches), *size, depth * groups),
        (*kernel, depth, filters),
        (filters,) if draw(st.booleans()) else None,
    )
    return Case(shapes, {**options, "groups": groups}, draw(kinds), draw(seeds))


@st.composite
def depthwise_convolutions(draw: st.DrawFn) -> Case:
    size, kernel, options = draw(geometries())
    depth, multiplier = draw(channels), draw(st.integers(1, 3))
    shapes = (
        (draw(batches), *size, depth),
        (*kernel, depth, multiplier),
        (depth * multiplier,) if draw(st.booleans()) else None,
    )
    return Case(shapes, options, draw(kinds), draw(seeds))


@st.composite
def separable_convolutions(draw: st.DrawFn) -> Case:
    deep = draw(depthwise_convolutions())
    x, kernel, _ = deep.shapes
    assert kernel is not None
    filters = draw(channels)
    shapes = (
        x,
        kernel,
        (1, 1, kernel[2] * kernel[3], filters),
        (filters,) if draw(st.booleans()) else None,
    )
    return Case(shapes, deep.options, deep.kind, deep.seed)


@st.composite
def transposed_convolutions(draw: st.DrawFn, *, dilations: bool = True) -> Case:
    """Every padding, with and without output_padding that Keras accepts."""
    kind = draw(st.sampled_from(["valid", "same", "explicit"]))
    added = draw(st.booleans())
    sizes, kernels, strides, rates_, sides, extras = [], [], [], [], [], []
    for _ in range(2):
        k, s, d, n = draw(small), draw(small), draw(rates) if dilations else 1, draw(st.integers(1, 6))
        extent = (k - 1) * d + 1
        # The convolution that is transposed must come back to n: ceil(out / s) == n for 'same'.
        lowest = 1 - extent % 2 if kind == "same" else 0
        highest = min(s - 1, s - extent % 2) if kind == "same" else s - 1
        if added and highest < lowest:
            added = False
        extra = draw(st.integers(lowest, max(lowest, highest)))
        most = (n - 1) * s + extent - 1
        before = draw(st.integers(0, min(most, extent)))
        after = draw(st.integers(0, min(most - before, extent)))
        for column, value in zip(
            (sizes, kernels, strides, rates_, sides, extras),
            (n, k, s, d, (before, after), extra),
            strict=True,
        ):
            column.append(value)
    options = {
        "strides": tuple(strides),
        "padding": tuple(sides) if kind == "explicit" else kind,
        "output_padding": tuple(extras) if added else None,
        "dilation_rate": tuple(rates_),
    }
    depth, filters = draw(channels), draw(channels)
    shapes = (
        (draw(batches), *sizes, depth),
        (*kernels, filters, depth),
        (filters,) if draw(st.booleans()) else None,
    )
    return Case(shapes, options, draw(kinds), draw(seeds))


@st.composite
def poolings(draw: st.DrawFn) -> Case:
    size, pool_size, options = draw(geometries(dilations=False, pooling=True))
    if options["strides"] == pool_size or draw(st.booleans()):
        options["strides"] = None
    options["pool_size"] = pool_size
    return Case(((draw(batches), *size, draw(channels)),), options, draw(kinds), draw(seeds))


def sprinkled(array: np.ndarray, rng: np.random.Generator, share: float = 0.1) -> np.ndarray:
    """A copy in which some numbers are NaN or infinite."""
    chosen = rng.random(array.shape) < share
    return np.where(chosen, rng.choice([np.nan, np.inf, -np.inf], array.shape), array).astype(array.dtype)


def same_specials(name: str, case: Case) -> None:
    """Hold NaN and infinities in x, then in the weights as well, against TensorFlow's.

    Its float32 kernels are asked where the weights are finite only: with oneDNN they skip padded
    cells, and an infinite weight over a zero is NaN.
    """
    op, reference = getattr(ops, name), getattr(authority, name)
    rng = np.random.default_rng(case.seed)
    x, *weights = case.arrays()
    x = sprinkled(x, rng)
    result = op(x, *weights, **case.options)
    if x.size:
        assert_same_specials(result, reference(x, *weights, **case.options))
    weights = [None if array is None else sprinkled(array, rng) for array in weights]
    wide = [None if array is None else array.astype(np.float64) for array in (x, *weights)]
    expected = reference(*wide, **case.options)
    assert_same_specials(op(*wide, **case.options), expected)
    assert_same_specials(op(x, *weights, **case.options), expected)


def assert_same_specials(result: np.ndarray, expected: np.ndarray) -> None:
    """NaN, inf and -inf stand in the same places."""
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    for special in (np.inf, -np.inf):
        np.testing.assert_array_equal(result == special, expected == special)


def same_numbers(result: np.ndarray, expected: np.ndarray) -> None:
    """Equal in dtype and shape, and to a few units in the last place: SIMD loops differ by layout."""
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-7)


@contextmanager
def small_blocks(size: int = 256) -> Iterator[None]:
    """Cut everything into blocks of a few cells, so that small cases have many."""
    modules = [module for name, module in sys.modules.items() if name.startswith("cnnviz.ops.")]
    with ExitStack() as stack:
        for module in modules:
            for budget in {"BLOCK_BYTES", "SMALL_GEMM"} & vars(module).keys():
                stack.enter_context(patch.object(module, budget, size))
        yield
