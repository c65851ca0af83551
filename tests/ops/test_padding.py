"""Padding and output sizes against their definitions, counted out cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz.ops import avg_pool2d_grad, depthwise_conv2d_input_grad
from cnnviz.ops.padding import (
    Axis,
    cells,
    integer,
    integers,
    pair,
    parse_padding,
    sides,
    transposed_window,
    window,
)
from harness.cases import Case, geometries, transposed_convolutions


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    """Axes whose windows fit, padding beyond a window's extent included."""
    kernel, stride, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    before, after = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    extent = (kernel - 1) * dilation + 1
    least = max(0, extent - before - after)
    size = draw(st.integers(least, least + 12))
    return Axis(size, kernel, stride, dilation, before, after)


@given(axis=axes())
def test_out_counts_the_windows_that_fit(axis: Axis) -> None:
    starts = range(0, axis.before + axis.size + axis.after, axis.stride)
    taps = range(0, axis.kernel * axis.dilation, axis.dilation)
    fitting = [start for start in starts if all(start + tap < axis.padded for tap in taps)]
    assert axis.out == len(fitting)


@given(axis=axes())
def test_taps_are_the_inputs_that_each_output_reads(axis: Axis) -> None:
    for t in range(axis.kernel):
        inputs, outputs = axis.tap(t)
        read = list(zip(range(axis.size)[inputs], range(axis.out)[outputs], strict=True))
        defined = [(u * axis.stride - axis.before + t * axis.dilation, u) for u in range(axis.out)]
        assert read == [(i, u) for i, u in defined if 0 <= i < axis.size]


@given(drawn=geometries())
def test_same_gives_one_output_for_each_stride(drawn: Any) -> None:
    size, kernel, options = drawn
    made = window(size, kernel, options["strides"], "same", options["dilation_rate"])
    for n, s, axis in zip(size, options["strides"], made, strict=True):
        assert axis.out == -(-n // s)
        assert axis.after - axis.before in (0, 1)  # the odd cell goes behind
        needed = (axis.out - 1) * s + axis.extent - n
        assert axis.before + axis.after == max(needed, 0)


@given(case=transposed_convolutions())
def test_a_transposed_window_is_that_of_the_convolution_back(case: Case) -> None:
    """Its axes take the transposed convolution's output back to its input, in number of cells."""
    x, kernel, _ = case.shapes
    assert x is not None
    assert kernel is not None
    options = case.options
    made = transposed_window(
        x[1:3],  # type: ignore[arg-type]
        kernel[:2],  # type: ignore[arg-type]
        options["strides"],
        options["padding"],
        options["dilation_rate"],
        options["output_padding"],
    )
    assert made.out == x[1:3]
    if options["padding"] == "same" and options["output_padding"] is None:
        assert (made.rows.size, made.cols.size) == (
            x[1] * options["strides"][0],
            x[2] * options["strides"][1],
        )


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation", "expected"),
    [
        (5, 3, 1, "valid", 1, (3, 0, 0)),
        (5, 3, 2, "valid", 1, (2, 0, 0)),
        (6, 3, 2, "valid", 1, (2, 0, 0)),  # the last column is never read
        (5, 3, 1, "same", 1, (5, 1, 1)),
        (5, 2, 1, "same", 1, (5, 0, 1)),
        (5, 3, 2, "same", 1, (3, 1, 1)),
        (6, 3, 2, "same", 1, (3, 0, 1)),
        (5, 3, 1, "same", 2, (5, 2, 2)),
        (5, 1, 2, "same", 1, (3, 0, 0)),
        (2, 5, 1, "same", 1, (2, 2, 2)),
        (0, 3, 2, "same", 1, (0, 0, 1)),
        (5, 3, 1, ((4, 0), (4, 0)), 1, (7, 4, 0)),
    ],
)
def test_window_literals(
    size: int, kernel: int, stride: int, padding: Any, dilation: int, expected: tuple[int, int, int]
) -> None:
    both = window((size, size), (kernel, kernel), (stride, stride), padding, (dilation, dilation))
    for axis in both:
        assert (axis.out, axis.before, axis.after) == expected
    assert both.out == (expected[0], expected[0])
    assert both.padding == ((expected[1], expected[2]),) * 2
    assert both.padded == (expected[1] + expected[2] > 0)


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "padding", "dilation", "extra", "size", "before"),
    [
        (3, 3, 2, "valid", 1, None, 7, 0),
        (3, 2, 4, "valid", 1, None, 12, 0),
        (3, 3, 2, "same", 1, None, 6, 0),
        (3, 3, 1, "same", 1, None, 3, 1),
        (3, 4, 2, "same", 1, None, 6, 1),
        (3, 3, 2, "same", 1, 0, 5, 1),
        (3, 3, 2, "same", 1, 1, 6, 0),
        (3, 3, 2, "valid", 1, 1, 8, 0),
        (3, 3, 2, "valid", 2, None, 9, 0),
        (3, 3, 2, ((1, 1), (1, 1)), 1, None, 5, 1),
        (3, 3, 2, ((1, 1), (1, 1)), 1, 1, 6, 1),
    ],
)
def test_transposed_window_literals(
    n: int, kernel: int, stride: int, padding: Any, dilation: int, extra: int | None, size: int, before: int
) -> None:
    output_padding = None if extra is None else (extra, extra)
    made = transposed_window(
        (n, n), (kernel, kernel), (stride, stride), padding, (dilation, dilation), output_padding
    )
    for axis in made:
        assert (axis.size, axis.before, axis.out) == (size, before, n)


# Arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [(2, 3), [2, 3], np.array([2, 3]), (np.int32(2), np.uint8(3)), (np.array(2), 3)],
)
def test_pair_takes_what_numpy_and_keras_users_write(value: Any) -> None:
    assert pair(value, "strides") == (2, 3)
    assert all(type(entry) is int for entry in pair(value, "strides"))


def test_forms_of_the_other_arguments() -> None:
    assert pair(np.int64(4), "strides") == pair(np.array(4), "strides") == (4, 4)
    assert pair(0, "output_padding", minimum=0) == (0, 0)
    assert parse_padding("SAME") == "same"
    assert parse_padding(np.array([[1, 2], [3, 4]])) == ((1, 2), (3, 4))
    assert sides([[0, 1], (2, 3)], "cropping") == ((0, 1), (2, 3))
    assert cells(((1, 2), (3, 4)), "padding") == cells(np.array([[1, 2], [3, 4]]), "padding")
    assert cells([1, 2], "padding") == ((1, 1), (2, 2))
    assert integer(np.uint8(3), "groups") == 3
    assert integers(np.array([3, -1]), "shape") == (3, -1)
    assert integers((), "shape") == ()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pair(0, "strides"), ValueError, "strides must be at least 1 and below 2**31, got 0"),
        (lambda: pair((1, 2**31), "strides"), ValueError, "below 2**31, got (1, 2147483648)"),
        (lambda: pair((1,), "strides"), ValueError, "must be an int or a (height, width) pair, got (1,)"),
        (lambda: pair([], "strides"), ValueError, "must be an int or a (height, width) pair, got []"),
        (
            lambda: pair(True, "strides"),
            TypeError,
            "strides must be an int or a (height, width) pair, got True",
        ),
        (lambda: pair((1, "2"), "strides"), TypeError, "pair, got (1, '2')"),
        (lambda: pair("12", "strides"), TypeError, "pair, got '12'"),
        (lambda: pair(b"12", "strides"), TypeError, "pair, got b'12'"),
        (lambda: pair({1: 2, 3: 4}, "strides"), TypeError, "pair, got {1: 2, 3: 4}"),
        (lambda: pair(((1, 1), (1, 1)), "strides"), TypeError, "pair, got ((1, 1), (1, 1))"),
        (lambda: pair(np.array([1.0, 2.0]), "strides"), TypeError, "pair, got array([1., 2.])"),
        (lambda: parse_padding("causal"), ValueError, "padding must be 'valid', 'same' or ((top, bottom)"),
        (lambda: parse_padding(((1, 1), (1,))), ValueError, "(left, right)), got ((1, 1), (1,))"),
        (lambda: parse_padding(((1, 1), (1, 1), (0, 0))), ValueError, "got ((1, 1), (1, 1), (0, 0))"),
        (lambda: parse_padding(((1, 1.0), (1, 1))), TypeError, "got ((1, 1.0), (1, 1))"),
        (lambda: parse_padding(((1, -1), (1, 1))), ValueError, "entries from 0 to below 2**31, got ((1, -1)"),
        (lambda: parse_padding(["ab", "cd"]), ValueError, "got ['ab', 'cd']"),
        (lambda: parse_padding({(1, 1), (0, 0)}), ValueError, "padding must be 'valid', 'same' or"),
        (lambda: integer(False, "groups"), TypeError, "groups must be an int, got False"),
        (lambda: integers("12", "shape"), TypeError, "shape must be a sequence of ints, got '12'"),
        (
            lambda: window((4, 9), (5, 1), (1, 1), "valid"),
            ValueError,
            "kernel of height 5 covers 5 cells, more than the input has (input height 4, padding='valid')",
        ),
        (
            lambda: window((9, 4), (1, 3), (1, 1), ((0, 0), (1, 1)), (1, 4)),
            ValueError,
            "kernel of width 3 dilated by 4 covers 9 cells, more than the padded input has (input width 4",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_the_taps_that_read_are_those_that_find_a_cell() -> None:
    """Also where windows lie so far apart that they are found from the outputs."""
    chance, apart = np.random.default_rng(0), 0
    for _ in range(500):
        size, kernel, stride, dilation, before, after = map(int, chance.integers(1, (6, 40, 40, 4, 40, 40)))
        axis = Axis(size, kernel, stride, dilation, before, after)
        if axis.padded < axis.extent:
            continue
        finding = [t for t in range(kernel) if axis.tap(t)[1].stop > axis.tap(t)[1].start]
        assert set(finding) <= set(axis.reading)
        apart += not isinstance(axis.reading, range)
        assert isinstance(axis.reading, range) or list(axis.reading) == finding
    assert apart > 20


def test_windows_as_far_apart_as_any_read_few_taps() -> None:
    axis = Axis(size=5, kernel=2**30, stride=2**29, before=2**30 - 1, after=2**30 - 1)
    assert len(axis.reading) <= 5 * axis.out


@pytest.mark.parametrize(
    "call",
    [
        # Two numbers ask for 10,000 windows, each of which reads each of 10,000 cells by a tap of its own.
        lambda: Axis(10**4, 2 * 10**8, 10**4 + 1, before=10**8, after=2 * 10**8).reading,
        lambda: avg_pool2d_grad(
            np.ones((10**4, 1)), (10**4, 1), (2 * 10**8, 1), strides=(10**4, 1),
            padding=((10**8 - 10**4, 2 * 10**8 - 10**4), (0, 0)),
        ),
        lambda: depthwise_conv2d_input_grad(np.ones((1, 1, 1)), np.ones((1100, 1100, 1, 1)), (1100, 1100, 1)),
    ],
)  # fmt: skip
def test_windows_are_not_walked_through_without_end(call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"in [\d,]+ ways.*at most 1,048,576 are worked out: take a smaller"):
        call()
