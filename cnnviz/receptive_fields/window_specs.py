"""Layer specs whose units read windows: convolutions, pools, transposed ones, padding, cropping.

Arguments and defaults are Keras's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cnnviz.layers.links import Links, Shape, Spread
from cnnviz.layers.windows import map_shape
from cnnviz.numbers import brief
from cnnviz.ops.annotations import check_fields
from cnnviz.ops.padding import Axis, pair
from cnnviz.receptive_fields.specs import Spec


@dataclass(frozen=True)
class Sliding(Spec):
    """What all convolutions have in common."""

    kernel_size: Any
    strides: Any = 1
    padding: Any = "valid"
    dilation_rate: Any = 1

    def config(self) -> dict[str, Any]:
        # Unknown numbers of filters play no part: the least that the groups allow.
        least = getattr(self, "groups", 1)
        options = super().config()
        return options | ({"filters": options["filters"] or least} if "filters" in options else {})


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

    keras_class: ClassVar[str] = "Conv2D"


@dataclass(frozen=True)
class DepthwiseConv(Sliding):
    """A convolution of each channel on its own, Keras's DepthwiseConv2D. Arguments as for `Conv`."""

    depth_multiplier: int = 1

    keras_class: ClassVar[str] = "DepthwiseConv2D"


@dataclass(frozen=True)
class SeparableConv(Sliding):
    """A depthwise convolution and a 1x1 convolution, Keras's SeparableConv2D. Arguments as for `Conv`."""

    filters: int | None = None

    keras_class: ClassVar[str] = "SeparableConv2D"


@dataclass(frozen=True)
class TransposedConv(Sliding):
    """A transposed convolution, Keras's Conv2DTranspose.

    Arguments as for `Conv`; explicit padding crops the full output, output_padding lengthens it.

    >>> TransposedConv(3, 2, "same").output_padding is None
    True
    """

    output_padding: Any = None
    filters: int | None = None

    keras_class: ClassVar[str] = "Conv2DTranspose"


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

    keras_class: ClassVar[str] = "MaxPooling2D"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(strides=self.strides or self.pool_size)


@dataclass(frozen=True)
class Upsample(Spec):
    """Every cell repeated `size` times each way, or interpolated between ("nearest" or "bilinear").

    >>> from cnnviz.receptive_fields import receptive_field
    >>> receptive_field([Upsample(2, "bilinear")], (3, 3))["upsample"].cells(0, 1)
    (0, 1)
    """

    size: Any = 2
    interpolation: str = "nearest"

    keras_class: ClassVar[str] = "UpSampling2D"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.interpolation not in ("nearest", "bilinear"):
            raise ValueError(
                f"interpolation must be 'nearest' or 'bilinear', got {brief(self.interpolation)}"
            )
        self._set(size=pair(self.size, "size"))

    def links(self, *shapes: Shape) -> list[Links]:
        if self.interpolation == "nearest":
            return super().links(*shapes)
        lengths = zip(map_shape(shapes[0]), self.size, strict=False)
        return [tuple(Spread(i, self._axis(n, factor)) for i, (n, factor) in enumerate(lengths))]

    def _axis(self, cells: int, factor: int) -> Axis:
        """Interpolating is a transposed convolution with a triangle.

        It is 2*factor - 1 taps wide, or 2*factor where its top lies between two.
        """
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

    keras_class: ClassVar[str] = "ZeroPadding2D"


@dataclass(frozen=True)
class Crop(Spec):
    """Rows and columns cut off: an int, (height, width) or ((top, bottom), (left, right)).

    >>> Crop((1, 2)).cropping
    ((1, 1), (2, 2))
    """

    cropping: Any = 1

    keras_class: ClassVar[str] = "Cropping2D"
