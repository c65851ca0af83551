"""Padding and output sizes of every windowed operation, written once.

One `Axis` describes how a window of `kernel` taps walks along one spatial axis; ops, receptive
fields and lessons all read it. Sizes follow TensorFlow: 'same' gives ceil(size / stride) outputs
and puts the odd padding cell at the bottom and right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from operator import index
from typing import Any, NamedTuple

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.recycling import check_memory

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]
"""Cells on each side: ((top, bottom), (left, right))."""
Padding = str | Sides

LIMIT = 2**31
"""No size, stride or padding reaches this: TensorFlow's are 32-bit, and byte offsets stay 64-bit."""

MOST_TAPS = 1 << 20
"""Of a window, if they are walked through one by one: it takes some seconds."""


@dataclass(frozen=True)
class Axis:
    """How windows lie along one axis.

    Output u reads the inputs u*stride - before + t*dilation for taps t = 0 .. kernel-1; those
    outside 0 .. size-1 are padding. A transposed convolution uses the same relation with `size`
    and `out` naming its output and its input.
    """

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @cached_property
    def extent(self) -> int:
        """Cells from the first tap to the last, both included: (kernel - 1)*dilation + 1."""
        return (self.kernel - 1) * self.dilation + 1

    @cached_property
    def padded(self) -> int:
        return self.before + self.size + self.after

    @cached_property
    def out(self) -> int:
        """Number of window positions: floor((before + size + after - extent) / stride) + 1."""
        return (self.padded - self.extent) // self.stride + 1

    @cached_property
    def reading(self) -> Sequence[int]:
        """The taps that can read a cell: few of a window that is far larger than its input.

        >>> Axis(size=5, kernel=1001, before=500, after=500).reading
        range(496, 505)

        ValueError where there are more than can be walked through one by one.
        """
        first = -(((self.out - 1) * self.stride - self.before) // self.dilation)
        last = (self.size - 1 + self.before) // self.dilation
        taps = range(max(0, first), min(self.kernel, last + 1))
        most = self.out * (self.size // self.dilation + 1)
        check_taps(min(len(taps), most))
        if len(taps) <= most:
            return taps
        # Windows far apart leave most taps between them without a cell.
        ends = (self.before - u * self.stride for u in range(self.out))
        some = (range(-(-end // self.dilation), (end + self.size - 1) // self.dilation + 1) for end in ends)
        return sorted({tap for each in some for tap in each if tap in taps})

    def tap(self, t: int) -> tuple[slice, slice]:
        """Which inputs tap t reads without padding, and which outputs read them.

        Returns two slices of equal length, (inputs, outputs).

        >>> Axis(size=5, kernel=3, before=1, after=1).tap(0)
        (slice(0, 4, 1), slice(1, 5, None))
        """
        offset = t * self.dilation - self.before
        first = max(0, -(offset // self.stride))
        last = min(self.out, (self.size - 1 - offset) // self.stride + 1)
        last = max(first, last)
        start = first * self.stride + offset
        stop = start + (last - first - 1) * self.stride + 1 if last > first else start
        return slice(start, stop, self.stride), slice(first, last)


def check_taps(count: int) -> None:
    """ValueError for so many taps that are to be walked through one by one."""
    if count > MOST_TAPS:
        raise ValueError(
            f"the window reads its input in {count:,} ways, one for each of its cells that can be on one of "
            f"the input's; at most {MOST_TAPS:,} are worked out: take a smaller kernel or pool_size"
        )


class Window(NamedTuple):
    """The two axes of one windowed operation."""

    rows: Axis
    cols: Axis

    @property
    def out(self) -> Pair:
        return self.rows.out, self.cols.out

    @property
    def padding(self) -> Sides:
        return (self.rows.before, self.rows.after), (self.cols.before, self.cols.after)

    @property
    def padded(self) -> bool:
        """Whether any cell outside the input is read."""
        return any(map(any, self.padding))

    @property
    def reading(self) -> Iterator[Pair]:
        """The taps that can read a cell, as `Axis.reading`."""
        check_taps(len(self.rows.reading) * len(self.cols.reading))
        return product(self.rows.reading, self.cols.reading)

    @property
    def read_by_cell(self) -> int:
        """Cells of a padded copy of the input for each output cell, not counting the windows' overlap."""
        return self.rows.stride * self.cols.stride if self.padded else 0


def pair(value: Any, name: str, minimum: int = 1, rule: str | None = None) -> Pair:
    """An int or a (height, width) pair, as a pair.

    >>> pair(3, "strides"), pair((2, 1), "strides")
    ((3, 3), (2, 1))
    """
    rule = rule or f"{name} must be an int or a (height, width) pair"
    entries = _entries(value) if _is_sequence(value) else (value, value)
    if len(entries) != 2:
        raise ValueError(f"{rule}, got {brief(value)}")
    height, width = (_integer(entry, value, rule) for entry in entries)
    if min(height, width) < minimum or max(height, width) >= LIMIT:
        raise ValueError(f"{name} must be at least {minimum} and below 2**31, got {brief(value)}")
    return height, width


def parse_padding(value: Any, name: str = "padding") -> Padding:
    """'valid', 'same' or ((top, bottom), (left, right)), checked.

    >>> parse_padding("same"), parse_padding(((1, 0), (2, 2)))
    ('same', ((1, 0), (2, 2)))
    """
    rule = f"{name} must be 'valid', 'same' or ((top, bottom), (left, right))"
    if isinstance(value, str):
        if value.lower() not in ("valid", "same"):
            raise ValueError(f"{rule}, got {brief(value)}")
        return value.lower()
    return sides(value, name, rule)


def sides(value: Any, name: str, rule: str | None = None) -> Sides:
    """((top, bottom), (left, right)) of cells to add or to cut, checked."""
    rule = rule or f"{name} must be ((top, bottom), (left, right))"
    ends = [_entries(end) for end in _entries(value)]
    if [len(end) for end in ends] != [2, 2]:
        raise ValueError(f"{rule}, got {brief(value)}")
    top, bottom, left, right = (_integer(entry, value, rule) for end in ends for entry in end)
    if min(top, bottom, left, right) < 0 or max(top, bottom, left, right) >= LIMIT:
        raise ValueError(f"{rule} with entries from 0 to below 2**31, got {brief(value)}")
    return (top, bottom), (left, right)


def cells(value: Any, name: str) -> Sides:
    """Keras's padding and cropping arguments: an int, a (height, width) pair, or all four sides.

    >>> cells(1, "padding"), cells((1, 2), "padding")
    (((1, 1), (1, 1)), ((1, 1), (2, 2)))
    """
    rule = f"{name} must be an int, a (height, width) pair or ((top, bottom), (left, right))"
    if any(map(_is_sequence, _entries(value))):
        return sides(value, name, rule)
    height, width = pair(value, name, minimum=0, rule=rule)
    return (height, height), (width, width)


def zeros_around(x: np.ndarray, sides: Sides) -> np.ndarray:
    """x (N, H, W, C) with cells of zeros on each side of its maps.

    >>> zeros_around(np.ones((1, 1, 1, 1)), ((0, 1), (1, 0))).squeeze()
    array([[0., 1.],
           [0., 0.]])
    """
    (top, bottom), (left, right) = sides
    count, height, width, channels = x.shape
    check_memory((count, top + height + bottom, left + width + right, channels), x.dtype)
    return np.pad(x, ((0, 0), *sides, (0, 0)))


@lru_cache(maxsize=4096)
def window(size: Pair, kernel: Pair, strides: Pair, padding: Padding, dilation: Pair = (1, 1)) -> Window:
    """The geometry of a convolution or pooling over an input of `size`.

    All arguments are parsed already (`pair`, `parse_padding`). Raises ValueError where no window
    fits: a kernel larger than the (padded) input.

    >>> window((5, 5), (3, 3), (2, 2), "same").out
    (3, 3)

    Source: TensorFlow, tf.nn, "Notes on padding".
    """
    axes = []
    explicit: Any = padding
    for axis, name in enumerate(("height", "width")):
        length, k, s, d = size[axis], kernel[axis], strides[axis], dilation[axis]
        extent = (k - 1) * d + 1
        if padding == "same":
            total = max((-(-length // s) - 1) * s + extent - length, 0)
            before, after = total // 2, total - total // 2
        elif padding == "valid":
            before = after = 0
        else:
            before, after = explicit[axis]
        if before + length + after < extent and not (padding == "same" and length == 0):
            dilated = f" dilated by {d}" if d > 1 else ""
            raise ValueError(
                f"kernel of {name} {k}{dilated} covers {extent} cells, more than the "
                f"{'padded ' if before + after else ''}input has (input {name} {length}, padding={padding!r})"
            )
        axes.append(Axis(length, k, s, d, before, after))
    return Window(*axes)


def sliding_window(
    x_shape: Sequence[int], kernel_shape: Sequence[int], strides: Any, padding: Any, dilation_rate: Any
) -> Window:
    """The geometry of a convolution of x (N, H, W, C) with a kernel (kh, kw, ...), its arguments parsed.

    >>> sliding_window((1, 5, 5, 3), (3, 3), 2, "same", 1).out
    (3, 3)
    """
    return window(
        x_shape[1:3],  # type: ignore[arg-type]
        kernel_shape[:2],  # type: ignore[arg-type]
        pair(strides, "strides"),
        parse_padding(padding),
        pair(dilation_rate, "dilation_rate"),
    )


@lru_cache(maxsize=4096)
def transposed_window(
    size: Pair, kernel: Pair, strides: Pair, padding: Padding, dilation: Pair, output_padding: Pair | None
) -> Window:
    """The geometry of a transposed convolution, as that of the convolution it transposes.

    `size` is the transposed convolution's input; the returned axes' `size` is its output and
    their `out` its input. Output sizes follow keras.layers.Conv2DTranspose: without
    output_padding n*s for 'same' and n*s + max(extent - s, 0) for 'valid'; with it
    (n-1)*s + extent % 2 + output_padding for 'same' and (n-1)*s + extent + output_padding for
    'valid'. Explicit padding crops the full output, (n-1)*s + extent (+ output_padding).
    """
    axes = []
    explicit: Any = padding
    for axis, name in enumerate(("height", "width")):
        n, k, s, d = size[axis], kernel[axis], strides[axis], dilation[axis]
        extent = (k - 1) * d + 1
        extra = 0 if output_padding is None else output_padding[axis]
        if output_padding is not None and extra >= s:
            raise ValueError(
                f"output_padding must be smaller than the stride, got {brief(output_padding)} "
                f"for strides={brief(strides)}"
            )
        full = (n - 1) * s + extent
        if n == 0:
            raise ValueError(f"x has {name} 0; a transposed convolution needs at least one cell")
        if padding == "same":
            out = n * s if output_padding is None else (n - 1) * s + extent % 2 + extra
            if -(-out // s) != n:
                raise ValueError(
                    f"output_padding={output_padding!r} does not go with padding='same': the {name} would be "
                    f"{out}, which a convolution with stride {s} takes to {-(-out // s)}, not back to {n}"
                )
            before = max(full - out, 0) // 2
        elif padding == "valid":
            before = 0
            out = n * s + max(extent - s, 0) if output_padding is None else full + extra
        else:
            before = explicit[axis][0]
            out = full - before - explicit[axis][1] + extra
        if out < 1:
            raise ValueError(
                f"padding={padding!r} leaves no output: the transposed convolution's {name} would be {out}"
            )
        axes.append(Axis(out, k, s, d, before, max(full - before - out, 0)))
    return Window(*axes)


def integer(value: Any, name: str) -> int:
    """An int, of Python's or NumPy's kinds."""
    return _integer(value, value, f"{name} must be an int")


def integers(value: Any, name: str, rule: str | None = None) -> tuple[int, ...]:
    """A sequence of ints.

    >>> integers([2, -1], "shape")
    (2, -1)
    """
    rule = rule or f"{name} must be a sequence of ints"
    if not _is_sequence(value):
        raise TypeError(f"{rule}, got {brief(value)}")
    return tuple(_integer(entry, value, rule) for entry in value)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _entries(value: Any) -> tuple[Any, ...]:
    """What a tuple, a list or an array holds; nothing for anything else."""
    return tuple(value) if _is_sequence(value) else ()


def _integer(entry: Any, value: Any, rule: str) -> int:
    try:
        if isinstance(entry, bool):
            raise TypeError
        return index(entry)
    except TypeError:
        raise TypeError(f"{rule}, got {brief(value)}") from None
