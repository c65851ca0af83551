"""Layer specs: just enough of a layer to know what its units see, for networks without weights.

Arguments and defaults are Keras's; numbers of filters matter only where channels turn into units,
as behind a Flatten, and may be left out. Padding and output sizes come from `cnnviz.ops.geometry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

from cnnviz.ops.geometry import Axis, Sides, Window, cells, pair, parse_padding, transposed_window, window
from cnnviz.ops.pooling import pooling_window
from cnnviz.receptive_fields.steps import Expand, Gather, Place, Shape, Slide, Spread, Step, Transpose
from cnnviz.receptive_fields.steps import Reshape as ReshapeStep

Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Spec:
    """One layer: how its units read those of the layers that feed it.

    Every kind takes a `name`; without one it gets its kind's, numbered.
    """

    name: str | None = field(default=None, kw_only=True)

    default_name: ClassVar[str] = "layer"

    def links(self, *shapes: Shape) -> list[Steps]:
        """The steps from each input to the output, for inputs of these shapes.

        Raises ValueError where the layer does not fit its inputs.
        """
        raise NotImplementedError

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Sliding(Spec):
    """What all convolutions have in common."""

    kernel_size: Any
    strides: Any = 1
    padding: Any = "valid"
    dilation_rate: Any = 1

    def __post_init__(self) -> None:
        self._set(
            kernel_size=pair(self.kernel_size, "kernel_size"),
            strides=pair(self.strides, "strides"),
            padding=parse_padding(self.padding),
            dilation_rate=pair(self.dilation_rate, "dilation_rate"),
        )

    def _slide(self, height: int, width: int) -> Steps:
        view = window((height, width), self.kernel_size, self.strides, self.padding, self.dilation_rate)
        return Slide(0, view.rows), Slide(1, view.cols)


@dataclass(frozen=True)
class Conv(Sliding):
    """A convolution, Keras's Conv2D.

    Parameters
    ----------
    kernel_size, strides, dilation_rate
        An int or (height, width).
    padding
        "valid", "same" or ((top, bottom), (left, right)).
    filters
        Output channels; None if they do not matter.
    groups
        Each group of filters reads its own group of channels.

    Raises
    ------
    ValueError, TypeError
        for sizes that are not positive ints and other paddings.

    Examples
    --------
    >>> Conv(3, dilation_rate=(2, 1)).dilation_rate
    (2, 1)
    """

    filters: int | None = None
    groups: int = 1

    default_name: ClassVar[str] = "conv"

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, channels = _map(shapes)
        mixed = _mix_channels(channels, self.filters or self.groups, self.groups)
        return [(*self._slide(height, width), *mixed)]


@dataclass(frozen=True)
class DepthwiseConv(Sliding):
    """A convolution of each channel on its own, Keras's DepthwiseConv2D. Arguments as for `Conv`."""

    depth_multiplier: int = 1

    default_name: ClassVar[str] = "depthwise_conv"

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, channels = _map(shapes)
        return [(*self._slide(height, width), *_repeat_channels(channels, self.depth_multiplier))]


@dataclass(frozen=True)
class SeparableConv(Sliding):
    """A depthwise convolution and a 1x1 convolution, Keras's SeparableConv2D. Arguments as for `Conv`."""

    filters: int | None = None

    default_name: ClassVar[str] = "separable_conv"

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, channels = _map(shapes)
        return [(*self._slide(height, width), *_mix_channels(channels, self.filters or 1))]


@dataclass(frozen=True)
class TransposedConv(Sliding):
    """A transposed convolution, Keras's Conv2DTranspose.

    Arguments as for `Conv`; explicit padding crops the full output, output_padding lengthens it.

    >>> TransposedConv(3, 2, "same").output_padding is None
    True
    """

    output_padding: Any = None
    filters: int | None = None

    default_name: ClassVar[str] = "transposed_conv"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output_padding is not None:
            self._set(output_padding=pair(self.output_padding, "output_padding", minimum=0))

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, channels = _map(shapes)
        options = self.kernel_size, self.strides, self.padding, self.dilation_rate, self.output_padding
        view = transposed_window((height, width), *options)
        return [(*_spread(view), *_mix_channels(channels, self.filters or 1))]


@dataclass(frozen=True)
class Pool(Spec):
    """Max or average pooling; strides=None means pool_size, as in Keras."""

    pool_size: Any = 2
    strides: Any = None
    padding: Any = "valid"

    default_name: ClassVar[str] = "pool"

    def __post_init__(self) -> None:
        size = pair(self.pool_size, "pool_size")
        strides = size if self.strides is None else pair(self.strides, "strides")
        self._set(pool_size=size, strides=strides, padding=parse_padding(self.padding))

    def links(self, *shapes: Shape) -> list[Steps]:
        view = pooling_window((1, *_map(shapes)), self.pool_size, self.strides, self.padding)
        return [(Slide(0, view.rows), Slide(1, view.cols))]


@dataclass(frozen=True)
class Upsample(Spec):
    """Every cell repeated `size` times each way, or interpolated between ("nearest" or "bilinear")."""

    size: Any = 2
    interpolation: str = "nearest"

    default_name: ClassVar[str] = "upsample"

    def __post_init__(self) -> None:
        if self.interpolation not in ("nearest", "bilinear"):
            raise ValueError(f"interpolation must be 'nearest' or 'bilinear', got {self.interpolation!r}")
        self._set(size=pair(self.size, "size"))

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, _ = _map(shapes)
        rows, cols = (self._axis(n, factor) for n, factor in zip((height, width), self.size, strict=True))
        return [_spread(Window(rows, cols))]

    def _axis(self, cells: int, factor: int) -> Axis:
        """Repeating is a transposed convolution with a box, interpolating one with a triangle.

        The triangle is 2*factor - 1 taps wide, or 2*factor where its top lies between two.
        """
        if self.interpolation == "nearest":
            return Axis(cells * factor, factor, factor)
        taps = 2 * factor - factor % 2
        excess = (cells - 1) * factor + taps - cells * factor
        return Axis(cells * factor, taps, factor, 1, excess // 2, excess - excess // 2)


@dataclass(frozen=True)
class ZeroPad(Spec):
    """Zeros around each map: an int, (height, width) or ((top, bottom), (left, right))."""

    padding: Any = 1

    default_name: ClassVar[str] = "zero_pad"

    def __post_init__(self) -> None:
        self._set(padding=cells(self.padding, "padding"))

    def links(self, *shapes: Shape) -> list[Steps]:
        return [_shift(_map(shapes), self.padding)]


@dataclass(frozen=True)
class Crop(Spec):
    """Rows and columns cut off: an int, (height, width) or ((top, bottom), (left, right))."""

    cropping: Any = 1

    default_name: ClassVar[str] = "crop"

    def __post_init__(self) -> None:
        self._set(cropping=cells(self.cropping, "cropping"))

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, channels = _map(shapes)
        (top, bottom), (left, right) = self.cropping
        if top + bottom >= height or left + right >= width:
            raise ValueError(
                f"cropping must leave at least one cell of {height} x {width}, got {self.cropping}"
            )
        return [_shift((height, width, channels), ((-top, -bottom), (-left, -right)))]


@dataclass(frozen=True)
class GlobalPool(Spec):
    """Global max or average pooling: one unit per channel sees all that feeds the map."""

    keepdims: bool = False

    default_name: ClassVar[str] = "global_pool"

    def links(self, *shapes: Shape) -> list[Steps]:
        *_, channels = _map(shapes)
        gathered: Steps = (Gather(0), Gather(1))
        return [gathered if self.keepdims else (*gathered, ReshapeStep((1, 1, channels), (channels,)))]


@dataclass(frozen=True)
class Dense(Spec):
    """A fully connected layer: every unit sees all that feeds the layer, of a map too.

    Keras's Dense on a map works on each position by itself; as a spec that is Conv(1).
    """

    units: int | None = None

    default_name: ClassVar[str] = "dense"

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        cells = prod(shape)
        return [(ReshapeStep(shape, (cells,)), Gather(0), Expand(0, self.units or 1))]


@dataclass(frozen=True)
class LastAxis(Spec):
    """All units along the last axis read all cells along it, position by position.

    `units` is their new number, None to keep it: Keras's Dense, or a softmax over channels.
    """

    units: int | None = None

    default_name: ClassVar[str] = "dense"

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        return [mix(shape, -1, self.units)]


@dataclass(frozen=True)
class Flatten(Spec):
    """Unit j of the vector is the j-th cell of the map, channels fastest, then columns."""

    default_name: ClassVar[str] = "flatten"

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        return [(ReshapeStep(shape, (prod(shape),)),)]


@dataclass(frozen=True)
class Reshape(Spec):
    """The same cells in another shape, (height, width, channels) or a vector's; one entry may be -1."""

    target_shape: Sequence[int]

    default_name: ClassVar[str] = "reshape"

    def __post_init__(self) -> None:
        self._set(target_shape=tuple(self.target_shape))

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        target, total = list(self.target_shape), prod(shape)
        known = prod(size for size in target if size != -1)
        if target.count(-1) == 1 and known > 0 and total % known == 0:
            target[target.index(-1)] = total // known
        if min(target, default=1) < 1 or prod(target) != total:
            raise ValueError(
                f"target_shape must hold the {total} cells of its input {shape}, got {self.target_shape}"
            )
        return [(ReshapeStep(shape, tuple(target)),)]


@dataclass(frozen=True)
class Permute(Spec):
    """The axes in another order, counted from 1 as in Keras: (2, 1, 3) swaps rows and columns."""

    dims: Sequence[int] = (2, 1, 3)

    default_name: ClassVar[str] = "permute"

    def __post_init__(self) -> None:
        self._set(dims=tuple(self.dims))

    def links(self, *shapes: Shape) -> list[Steps]:
        (shape,) = shapes
        if sorted(self.dims) != list(range(1, len(shape) + 1)):
            raise ValueError(
                f"dims must be 1 to {len(shape)} in some order for an input {shape}, got {self.dims}"
            )
        return [(Transpose(tuple(axis - 1 for axis in self.dims)),)]


@dataclass(frozen=True)
class Identity(Spec):
    """A layer that leaves every cell where it is: an activation, a normalisation, dropout."""

    default_name: ClassVar[str] = "identity"

    def links(self, *shapes: Shape) -> list[Steps]:
        return [()]


@dataclass(frozen=True)
class Merge(Spec):
    """Branches joined cell by cell: a sum, product, mean or maximum; shapes broadcast as in Keras."""

    default_name: ClassVar[str] = "add"

    def links(self, *shapes: Shape) -> list[Steps]:
        rank = max(map(len, shapes))
        full = [(1,) * (rank - len(shape)) + shape for shape in shapes]
        sizes = [max(lengths) for lengths in zip(*full, strict=True)]
        if any(length not in (1, size) for shape in full for length, size in zip(shape, sizes, strict=True)):
            raise ValueError(
                f"branches must have shapes that broadcast, got {' and '.join(map(str, shapes))}"
            )
        return [
            (
                *([] if shape == same else [ReshapeStep(shape, same)]),
                *(Expand(i, size) for i, size in enumerate(sizes) if same[i] < size),
            )
            for shape, same in zip(shapes, full, strict=True)
        ]


@dataclass(frozen=True)
class Concatenate(Spec):
    """Branches side by side along an axis, counted without the batch; the last is the channels'."""

    axis: int = -1

    default_name: ClassVar[str] = "concatenate"

    def links(self, *shapes: Shape) -> list[Steps]:
        rank = len(shapes[0])
        axis = self.axis % rank if -rank <= self.axis < rank else rank
        if len({(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes}) > 1 or axis == rank:
            raise ValueError(
                f"branches must agree in all but axis {self.axis}, got {' and '.join(map(str, shapes))}"
            )
        starts = [sum(shape[axis] for shape in shapes[:i]) for i in range(len(shapes) + 1)]
        places = (
            Axis(shape[axis], 1, before=start, after=starts[-1] - start - shape[axis])
            for shape, start in zip(shapes, starts, strict=False)
        )
        return [(Place(axis, place),) for place in places]


@dataclass(frozen=True, init=False)
class Branches(Spec):
    """Several paths from the same layer, joined again; an empty path is a shortcut.

    Parameters
    ----------
    *paths
        A list of specs each.
    merge
        "add", "multiply", "average", "maximum" or "concatenate" (along the channels).

    Raises
    ------
    ValueError
        for another merge, or no path.

    Examples
    --------
    >>> Branches([Conv(3, padding="same"), Conv(3, padding="same")], [], merge="add").merge
    'add'
    """

    paths: tuple[tuple[Spec, ...], ...]
    merge: str

    default_name: ClassVar[str] = "add"
    MERGES: ClassVar[tuple[str, ...]] = ("add", "multiply", "average", "maximum", "concatenate")

    def __init__(self, *paths: Sequence[Spec], merge: str = "add", name: str | None = None) -> None:
        if merge not in self.MERGES:
            raise ValueError(f"merge must be one of {', '.join(self.MERGES)}, got {merge!r}")
        if not paths:
            raise ValueError("Branches needs at least one path, got none")
        self._set(paths=tuple(map(tuple, paths)), merge=merge, name=name)

    @property
    def join(self) -> Spec:
        """The layer in which the paths meet."""
        joined = Concatenate if self.merge == "concatenate" else Merge
        return joined(name=self.name)


def mix(shape: Shape, axis: int, units: int | None = None) -> Steps:
    """Steps in which all units along an axis read all cells along it."""
    axis %= len(shape)
    return Gather(axis), Expand(axis, units or shape[axis])


def _map(shapes: Sequence[Shape]) -> tuple[int, int, int]:
    (shape,) = shapes
    if len(shape) != 3:
        raise ValueError(f"its input must be a map (height, width, channels), got {shape}")
    return shape[0], shape[1], shape[2]


def _spread(view: Window) -> Steps:
    return Spread(0, view.rows), Spread(1, view.cols)


def _shift(shape: tuple[int, int, int], sides: Sides) -> Steps:
    """Padding, or cropping where the numbers of cells are negative: windows of one tap."""
    return tuple(Slide(i, Axis(shape[i], 1, before=sides[i][0], after=sides[i][1])) for i in (0, 1))


def _mix_channels(channels: int, filters: int, groups: int = 1) -> Steps:
    if groups == 1:
        return Gather(2), Expand(2, filters)
    if channels % groups or filters % groups:
        raise ValueError(
            f"groups={groups} must divide the {channels} input channels and the {filters} filters"
        )
    size = channels // groups
    return Slide(2, Axis(channels, size, size)), *_repeat_channels(groups, filters // groups)


def _repeat_channels(channels: int, times: int) -> Steps:
    return (Spread(2, Axis(channels * times, times, times)),) if times > 1 else ()
