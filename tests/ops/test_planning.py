"""Four methods, one answer; and the plan that says what each costs."""

from __future__ import annotations

import math
import re
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz import ops
from cnnviz.ops.im2col import im2col_blocks
from cnnviz.ops.parallel import threads
from cnnviz.ops.planning import ELEMENTWISE, METHODS
from cnnviz.ops.winograd import transforms
from harness.accuracy import Accuracy
from harness.cases import Case, batches, channels, compare, convolutions, kinds, seeds

RNG = np.random.default_rng(5)


@st.composite
def winograd_cases(draw: st.DrawFn) -> Case:
    padding = draw(st.sampled_from(["valid", "same", "explicit"]))
    sides = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(2))
    size = [draw(st.integers(3, 15)) for _ in range(2)]
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    depth, filters = draw(channels), draw(channels) * groups
    shapes = (
        (draw(batches), *size, depth * groups),
        (3, 3, depth, filters),
        (filters,) if draw(st.booleans()) else None,
    )
    options = {
        "strides": (1, 1),
        "dilation_rate": (1, 1),
        "padding": sides if padding == "explicit" else padding,
        "groups": groups,
    }
    return Case(shapes, options, draw(kinds), draw(seeds))


@given(case=convolutions(), method=st.sampled_from(["direct", "im2col", "fft"]))
def test_every_method_is_tensorflows(accuracy: Accuracy, case: Case, method: str) -> None:
    compare(accuracy, "conv2d", case, method=method)


@given(case=winograd_cases(), tile=st.sampled_from([2, 4]))
def test_winograd_is_tensorflows(accuracy: Accuracy, case: Case, tile: int) -> None:
    compare(accuracy, "conv2d", case, method="winograd", tile=tile)


def test_winograds_matrices_are_lavin_and_grays() -> None:
    """F(4x4, 3x3) as printed in the paper, section 4.3."""
    matrices = transforms(4)
    assert matrices.input.tolist() == [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    sixth, twelfth, twentyfourth = 1 / 6, 1 / 12, 1 / 24
    np.testing.assert_allclose(
        matrices.kernel,
        [
            [1 / 4, 0, 0],
            [-sixth, -sixth, -sixth],
            [-sixth, sixth, -sixth],
            [twentyfourth, twelfth, sixth],
            [twentyfourth, -twelfth, sixth],
            [0, 0, 1],
        ],
        rtol=1e-15,
    )
    assert matrices.output.tolist() == [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]


@pytest.mark.parametrize("tile", [2, 4])
def test_a_winograd_tile_is_a_correlation_in_exact_arithmetic(tile: int) -> None:
    kernel, data = RNG.integers(-9, 10, 3), RNG.integers(-9, 10, tile + 2)
    output, weights, inputs = transforms(tile)
    expected = [kernel @ data[i : i + 3] for i in range(tile)]
    np.testing.assert_allclose(output @ ((weights @ kernel) * (inputs @ data)), expected, atol=1e-11)


def test_a_lesson_sees_equal_numbers_and_different_costs() -> None:
    x, kernel = RNG.normal(size=(2, 14, 14, 16)), RNG.normal(size=(3, 3, 16, 8))
    results = {method: ops.conv2d(x, kernel, method=method) for method in METHODS}
    plans = {method: ops.plan(x, kernel, method=method) for method in METHODS}
    for method, result in results.items():
        np.testing.assert_allclose(result, results["direct"], atol=1e-11)
        assert plans[method].method == method
        assert plans[method].output_shape == result.shape
    assert plans["direct"].multiply_adds == 2 * 12 * 12 * 9 * 16 * 8
    assert plans["direct"].multiply_adds == plans["im2col"].multiply_adds
    assert len({plan.multiply_adds for plan in plans.values()}) == 3
    assert len({plan.bytes_moved for plan in plans.values()}) == 4
    assert plans["direct"].working_memory == 0
    assert "F(2x2, 3x3)" in str(plans["winograd"])


def test_winograds_savings_are_the_papers() -> None:
    """2.25 and 4 times fewer products between transforms, which many channels leave negligible."""
    shapes = (1, 64, 64, 4096), (3, 3, 4096, 4096)
    direct = ops.plan(*shapes, padding="same", method="direct").multiply_adds
    for tile, saving in ((2, 2.25), (4, 4.0)):
        spent = ops.plan(*shapes, padding="same", method="winograd", tile=tile).multiply_adds
        assert direct / spent == pytest.approx(saving, rel=0.03)


def test_fourier_does_not_mind_large_kernels() -> None:
    small, large = (ops.plan((1, 64, 64, 2), (k, k, 2, 2), padding="same", method="fft") for k in (3, 33))
    assert large.multiply_adds < 3 * small.multiply_adds
    direct = ops.plan((1, 64, 64, 2), (33, 33, 2, 2), padding="same", method="direct")
    assert large.seconds < direct.seconds


@given(case=convolutions())
def test_auto_takes_the_cheapest_that_keeps_the_accuracy_rule(case: Case) -> None:
    x, kernel, _ = case.shapes
    plan = ops.plan(x, kernel, **case.options)
    others = [ops.plan(x, kernel, **case.options, method=method) for method in ELEMENTWISE]
    assert plan == min(others, key=lambda other: other.seconds)
    arrays = case.arrays()
    np.testing.assert_array_equal(
        ops.conv2d(*arrays, **case.options), ops.conv2d(*arrays, **case.options, method=plan.method)
    )


@pytest.mark.parametrize(
    ("x", "kernel", "expected"),
    [
        ((1, 5, 5, 1), (3, 3, 1, 1), "direct"),
        ((1, 28, 28, 1), (3, 3, 1, 16), "im2col"),
        ((256, 26, 26, 16), (3, 3, 16, 16), "im2col"),
        ((1, 64, 64, 1), (41, 41, 1, 1), "im2col"),
    ],
)
def test_auto_by_shape(x: Any, kernel: Any, expected: str) -> None:
    assert ops.plan(x, kernel).method == expected


SHAPES = [
    ((64, 26, 26, 16), (3, 3, 16, 16), {}),
    ((2, 56, 56, 64), (3, 3, 64, 64), {"padding": "same"}),
    ((1, 112, 112, 3), (7, 7, 3, 32), {"padding": "same", "strides": 2}),
    ((2, 31, 17, 8), (5, 4, 4, 6), {"groups": 2, "padding": "same"}),
    ((1, 3, 3000, 256), (3, 3, 256, 4), {"padding": "same"}),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("x", "kernel", "options"), SHAPES)
def test_working_memory_is_what_is_held(x: Any, kernel: Any, options: Any, method: str) -> None:
    if method == "winograd" and (kernel[:2] != (3, 3) or "strides" in options):
        pytest.skip("winograd is for 3x3 kernels with stride 1")
    plan = ops.plan(x, kernel, **options, method=method)
    if plan.seconds > 0.5:
        pytest.skip("too slow to be worth it")
    arrays = np.zeros(x, np.float32), np.zeros(kernel, np.float32), np.zeros(kernel[3], np.float32)
    ops.conv2d(*arrays, **options, method=method)
    tracemalloc.start()
    result = ops.conv2d(*arrays, **options, method=method)
    held = tracemalloc.get_traced_memory()[1] - result.nbytes
    tracemalloc.stop()
    # Small Python objects come on top; buffers that follow one another need not all be held at once, and
    # a thread that starts late may find nothing left to do.
    assert held < 1.25 * plan.working_memory + 100_000
    assert held > 0.6 * plan.working_memory / threads() - 100_000


def test_thousands_of_blocks_hold_no_more_than_a_few() -> None:
    x, kernel = np.zeros((1, 300, 300, 32), np.float32), np.zeros((9, 9, 32, 1), np.float32)
    plan = ops.plan(x, kernel, padding="same")
    assert len(im2col_blocks(1, kernel.shape, plan.window, 1, 4)) > 1000
    tracemalloc.start()
    result = ops.conv2d(x, kernel, padding="same")
    held = tracemalloc.get_traced_memory()[1] - result.nbytes
    tracemalloc.stop()
    assert held < 1.25 * plan.working_memory + 500_000


@given(case=convolutions())
def test_auto_never_holds_more_than_8_megabytes(case: Case) -> None:
    x, kernel, _ = case.shapes
    big = (x[0] * 64, x[1] * 40, x[2] * 40, x[3])  # type: ignore[index]
    assert ops.plan(big, kernel, **case.options).working_memory < 8 * 2**20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "method must be 'auto', 'direct', 'im2col', 'fft' or 'winograd', got 'magic'"),
        ({"method": None}, "got None"),
        ({"method": "winograd", "tile": 3}, "tile must be 2 or 4, got 3"),
        ({"method": "winograd", "strides": 2}, "winograd' does 3x3 kernels with strides=1"),
        ({"method": "winograd", "dilation_rate": 2}, "'direct', 'im2col' and 'fft' do any"),
    ],
)
def test_a_method_that_cannot_do_it_says_what_can(options: dict[str, Any], message: str) -> None:
    for call in (ops.conv2d, ops.plan):
        with pytest.raises(ValueError, match=message.replace("(", r"\(")):
            call(np.zeros((1, 9, 9, 2)), np.zeros((3, 3, 2, 4)), **options)


def test_winograd_does_not_do_five_by_five() -> None:
    with pytest.raises(ValueError, match="got a 5x5 kernel"):
        ops.conv2d(np.zeros((1, 9, 9, 2)), np.zeros((5, 5, 2, 4)), method="winograd")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"x": None}, TypeError, "x must be an array of rank 4 or its shape, got None"),
        ({"x": (1, 9.0, 9, 2)}, TypeError, "x must be an array of rank 4 or its shape, got (1, 9.0, 9, 2)"),
        ({"x": (1, -9, 9, 2)}, ValueError, "each size at least 0 and below 2**31, got (1, -9, 9, 2)"),
        ({"kernel": (3, 0, 2, 4)}, ValueError, "each size at least 1 and below 2**31, got (3, 0, 2, 4)"),
        ({"groups": 2.0}, TypeError, "groups must be an int, got 2.0"),
        ({"tile": 2.0}, TypeError, "tile must be an int, got 2.0"),
        ({"method": np.array(["fft", "auto"])}, ValueError, "'fft' or 'winograd', got array(['fft', 'auto']"),
        ({"dtype": int}, ValueError, "dtype must be float32 or float64, got <class 'int'>"),
        ({"dtype": None}, ValueError, "dtype must be float32 or float64, got None"),
    ],
)
def test_plan_names_what_is_wrong(changed: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        ops.plan(**{"x": (1, 9, 9, 2), "kernel": (3, 3, 2, 4), **changed})


@pytest.mark.parametrize(
    ("x", "kernel", "message"),
    [
        ((1, 9, 9), (3, 3, 1, 1), "x must be an array of rank 4 or its shape"),
        ((1, 9, 9, 2), (3, 3, 1, 1), "kernel expects 1 input channels"),
        ((1, 2, 9, 1), (3, 3, 1, 1), "kernel of height 3 covers 3 cells"),
    ],
)
def test_plan_checks_shapes(x: Any, kernel: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ops.plan(x, kernel)


def test_nan_stays_in_its_windows_under_auto() -> None:
    x = np.zeros((1, 12, 12, 1), np.float32)
    x[0, 6, 6, 0] = np.nan
    for method, spoilt in (("auto", 9), ("direct", 9), ("im2col", 9)):
        y = ops.conv2d(x, np.ones((3, 3, 1, 1)), method=method)
        assert np.isnan(y).sum() == spoilt
    assert math.isnan(ops.conv2d(x, np.ones((3, 3, 1, 1)), method="fft")[0, 0, 0, 0])
