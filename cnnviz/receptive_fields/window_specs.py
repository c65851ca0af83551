"""Layer specs whose units read windows: convolutions, pools, transposed ones, padding, cropping.

Their padding and output sizes come from `cnnviz.ops.padding`; arguments and defaults are Keras's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cnnviz.layers import options as read
from cnnviz.ops.padding import Axis, Sides, Window, cells, pair, parse_padding, transposed_window, window
from cnnviz.ops.pooling import pooling_window
from cnnviz.receptive_fields.specs import Spec, Steps, map_shape
from cnnviz.receptive_fields.steps import Expand, Gather, Shape, Slide, Spread


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
        for name in ("filters", "groups", "depth_multiplier"):
            read.optional(read.count)(getattr(self, name, None), name)

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
        height, width, channels = map_shape(shapes)
        mixed = _mix_channels(channels, self.filters or self.groups, self.groups)
        return [(*self._slide(height, width), *mixed)]


@dataclass(frozen=True)
class DepthwiseConv(Sliding):
    """A convolution of each channel on its own, Keras's DepthwiseConv2D. Arguments as for `Conv`."""

    depth_multiplier: int = 1

    default_name: ClassVar[str] = "depthwise_conv"

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, channels = map_shape(shapes)
        return [(*self._slide(height, width), *_repeat_channels(channels, self.depth_multiplier))]


@dataclass(frozen=True)
class SeparableConv(Sliding):
    """A depthwise convolution and a 1x1 convolution, Keras's SeparableConv2D. Arguments as for `Conv`."""

    filters: int | None = None

    default_name: ClassVar[str] = "separable_conv"

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, channels = map_shape(shapes)
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
        height, width, channels = map_shape(shapes)
        options = self.kernel_size, self.strides, self.padding, self.dilation_rate, self.output_padding
        view = transposed_window((height, width), *options)
        return [(*_spread(view), *_mix_channels(channels, self.filters or 1))]


@dataclass(frozen=True)
class Pool(Spec):
    """Max or average pooling, Keras's MaxPooling2D and AveragePooling2D.

    Arguments as for `Conv`; strides=None means pool_size, and explicit padding is smaller than the window.

    >>> Pool(3).strides
    (3, 3)
    """

    pool_size: Any = 2
    strides: Any = None
    padding: Any = "valid"

    default_name: ClassVar[str] = "pool"

    def __post_init__(self) -> None:
        size = pair(self.pool_size, "pool_size")
        strides = size if self.strides is None else pair(self.strides, "strides")
        self._set(pool_size=size, strides=strides, padding=parse_padding(self.padding))

    def links(self, *shapes: Shape) -> list[Steps]:
        view = pooling_window((1, *map_shape(shapes)), self.pool_size, self.strides, self.padding)
        return [(Slide(0, view.rows), Slide(1, view.cols))]


@dataclass(frozen=True)
class Upsample(Spec):
    """Every cell repeated `size` times each way, or interpolated between ("nearest" or "bilinear").

    >>> from cnnviz.receptive_fields import receptive_field
    >>> receptive_field([Upsample(2, "bilinear")], (3, 3))["upsample"].cells(0, 1)
    (0, 1)
    """

    size: Any = 2
    interpolation: str = "nearest"

    default_name: ClassVar[str] = "upsample"

    def __post_init__(self) -> None:
        if self.interpolation not in ("nearest", "bilinear"):
            raise ValueError(f"interpolation must be 'nearest' or 'bilinear', got {self.interpolation!r}")
        self._set(size=pair(self.size, "size"))

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, _ = map_shape(shapes)
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
    """Zeros around each map: an int, (height, width) or ((top, bottom), (left, right)).

    >>> ZeroPad((1, 2)).padding
    ((1, 1), (2, 2))
    """

    padding: Any = 1

    default_name: ClassVar[str] = "zero_pad"

    def __post_init__(self) -> None:
        self._set(padding=cells(self.padding, "padding"))

    def links(self, *shapes: Shape) -> list[Steps]:
        return [_shift(map_shape(shapes), self.padding)]


@dataclass(frozen=True)
class Crop(Spec):
    """Rows and columns cut off: an int, (height, width) or ((top, bottom), (left, right)).

    >>> Crop((1, 2)).cropping
    ((1, 1), (2, 2))
    """

    cropping: Any = 1

    default_name: ClassVar[str] = "crop"

    def __post_init__(self) -> None:
        self._set(cropping=cells(self.cropping, "cropping"))

    def links(self, *shapes: Shape) -> list[Steps]:
        height, width, channels = map_shape(shapes)
        (top, bottom), (left, right) = self.cropping
        if top + bottom >= height or left + right >= width:
            raise ValueError(
                f"cropping must leave at least one cell of {height} x {width}, got {self.cropping}"
            )
        return [_shift((height, width, channels), ((-top, -bottom), (-left, -right)))]


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
