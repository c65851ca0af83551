"""A stack of layers in one short word each, for addresses and lessons: "conv3.conv3s2same.pool2".

A word is the kind and the kernel's size, then, where they are not the usual ones, the stride (s2), the
dilation (d2) and the padding (same, or p1 for one cell on each side). All kernels are square.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnviz.receptive_fields.architectures import ARCHITECTURES, bottleneck
from cnnviz.receptive_fields.specs import Branches, Spec
from cnnviz.receptive_fields.window_specs import Conv, Pool, TransposedConv

MOST_LAYERS, MOST_UPSAMPLING = 100, 64
"""A stack longer than this, or whose transposed convolutions enlarge maps more, is refused."""


@dataclass(frozen=True)
class StackLayer:
    """One layer of a stack. It prints as its word.

    Parameters
    ----------
    kind
        "conv", "pool", "transposed" (a transposed convolution) or "bottleneck" (a ResNet's block, whose
        padding is always "same"; the kernel and the dilation are those of its middle convolution).
    kernel, stride, dilation
        From 1 to 99; a pool has no dilation.
    padding
        "valid", "same" or cells on each side, "0" to "99".

    Raises
    ------
    ValueError
        for anything else, and for a pool's padding that is not smaller than its window.

    Examples
    --------
    >>> str(StackLayer("conv", 3, stride=2, padding="same")), StackLayer.parse("pool2").stride
    ('conv3s2same', 2)
    """

    kind: str
    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: str = "valid"

    KINDS: ClassVar[tuple[str, ...]] = ("conv", "pool", "transposed", "bottleneck")

    def __post_init__(self) -> None:
        if self.kind not in self.KINDS:
            raise ValueError(f"kind must be one of {', '.join(self.KINDS)}, got {self.kind!r}")
        for name in ("kernel", "stride", "dilation"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 99:
                raise ValueError(f"{name} must be an int from 1 to 99, got {value!r}")
        if not re.fullmatch(r"valid|same|\d{1,2}", self.padding):
            raise ValueError(f"padding must be 'valid', 'same' or '0' to '99', got {self.padding!r}")
        if self.kind == "pool" and self.dilation != 1:
            raise ValueError(f"a pool has no dilation, got {self.dilation}")
        if self.kind == "pool" and self.padding.isdigit() and int(self.padding) >= self.kernel:
            raise ValueError(
                f"a pool's padding must be smaller than its window of {self.kernel}, got {self.padding}"
            )
        if self.kind == "bottleneck" and self.padding != "same":
            raise ValueError(f"a bottleneck's padding is 'same', got {self.padding!r}")

    def __str__(self) -> str:
        usual = self.kernel if self.kind == "pool" else 1
        word = f"{self.kind}{self.kernel}"
        word += f"s{self.stride}" if self.stride != usual else ""
        word += f"d{self.dilation}" if self.dilation != 1 else ""
        if self.kind == "bottleneck" or self.padding == "valid":
            return word
        return word + ("same" if self.padding == "same" else f"p{self.padding}")

    @classmethod
    def parse(cls, word: str) -> StackLayer:
        """The layer that a word stands for; ValueError for any other."""
        match = re.fullmatch(r"([a-z]+?)(\d+)(?:s(\d+))?(?:d(\d+))?(same|p\d+)?", word)
        if not match:
            raise ValueError(f"a layer is written like conv3, pool2 or conv3s2d2same, got {word[:40]!r}")
        kind, kernel, stride, dilation, padding = match.groups()
        usual = kernel if kind == "pool" else "1"
        default = "same" if kind == "bottleneck" else "valid"
        sizes = int(kernel), int(stride or usual), int(dilation or 1)
        return cls(kind, *sizes, (padding or default).removeprefix("p"))

    @classmethod
    def of(cls, spec: Spec) -> StackLayer:
        """The layer that a spec is, its name left out; ValueError if there is no word for it."""
        if isinstance(spec, Branches) and len(spec.paths[0]) == 3:
            first, middle, _ = (cls.of(layer) for layer in spec.paths[0])
            layer = cls("bottleneck", middle.kernel, first.stride, middle.dilation, "same")
            if bottleneck(layer.stride, layer.kernel, layer.dilation).paths[0] == spec.paths[0]:
                return layer
        for kind, spec_class in (("conv", Conv), ("transposed", TransposedConv)):
            if type(spec) is spec_class:
                assert isinstance(spec, Conv | TransposedConv)
                sizes = (_square(spec.kernel_size), _square(spec.strides), _square(spec.dilation_rate))
                return cls(kind, *sizes, _sides(spec.padding))
        if isinstance(spec, Pool):
            return cls("pool", _square(spec.pool_size), _square(spec.strides), 1, _sides(spec.padding))
        raise ValueError(f"there is no word for {spec!r}")

    def spec(self, name: str | None = None) -> Spec:
        """The layer as `receptive_field` takes it."""
        side = int(self.padding) if self.padding.isdigit() else 0
        padding = ((side, side), (side, side)) if self.padding.isdigit() else self.padding
        if self.kind == "bottleneck":
            return bottleneck(self.stride, self.kernel, self.dilation, name=name)
        if self.kind == "pool":
            return Pool(self.kernel, self.stride, padding, name=name)
        spec_class = Conv if self.kind == "conv" else TransposedConv
        return spec_class(self.kernel, self.stride, padding, self.dilation, name=name)


def parse_stack(text: str) -> list[StackLayer]:
    """The layers of a stack, written with dots between.

    Raises ValueError for a word that is not a layer, and for a stack that is empty or too large.

    >>> [layer.kernel for layer in parse_stack("conv3.conv5.pool2")]
    [3, 5, 2]
    """
    layers = [StackLayer.parse(word) for word in text.split(".")]
    larger = prod(layer.stride for layer in layers if layer.kind == "transposed")
    if len(layers) > MOST_LAYERS or larger > MOST_UPSAMPLING:
        raise ValueError(
            f"a stack has at most {MOST_LAYERS} layers and enlarges maps at most {MOST_UPSAMPLING} times, "
            f"got {len(layers)} and {larger}"
        )
    return layers


def stack_specs(text: str) -> list[Spec]:
    """The specs of a stack in words, with an architecture's names if it is one, else numbered.

    >>> [spec.name for spec in stack_specs("conv3.pool2")]
    ['conv 1', 'pool 2']
    """
    for make in ARCHITECTURES.values():
        if write_stack(make()) == text:
            return make()
    return [layer.spec(f"{layer.kind} {k}") for k, layer in enumerate(parse_stack(text), 1)]


def write_stack(layers: Sequence[StackLayer | Spec]) -> str:
    """The stack in words; ValueError for a spec that has no word.

    >>> write_stack([Conv(3, dilation_rate=2), Pool(2)])
    'conv3d2.pool2'
    """
    return ".".join(str(StackLayer.of(layer) if isinstance(layer, Spec) else layer) for layer in layers)


def _square(size: tuple[int, int]) -> int:
    if size[0] != size[1]:
        raise ValueError(f"there is no word for the rectangle {size}")
    return size[0]


def _sides(padding: object) -> str:
    if isinstance(padding, str):
        return padding
    sides = {cells for pair in padding for cells in pair}  # type: ignore[attr-defined]
    if len(sides) != 1:
        raise ValueError(f"there is no word for the padding {padding}")
    return str(sides.pop())
