"""The memory that a view takes while it is made, known from shapes before anything is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from cnnviz.network import LayerGraph
from cnnviz.network.limits import MEMORY

TAKEN = 8
"""How many times the bytes of a scene's numbers are taken while it is made and written."""


def check_layers(
    net: LayerGraph, shapes: Mapping[str, tuple[int, ...]], layers: Sequence[str] | None
) -> None:
    """ValueError where a plan of these layers would be too large, and the numbers of one image."""
    shown = {net.resolve(name) for name in layers or net.outputs if name in net}
    needed = {layer.name for layer in net} if layers is None else shown
    sizes: dict[str, int] = {}
    for layer in reversed(net.layers):
        if layer.name in needed:
            needed.update(layer.inputs)
            sizes[layer.name] = prod(shapes[layer.name])
    check_size(net, sizes, 1)


def check_size(net: LayerGraph, sizes: Mapping[str, int], images: int) -> None:
    total, limit = TAKEN * 4 * images * sum(sizes.values()), MEMORY.of()
    if total > limit:
        largest = max(sizes, key=sizes.__getitem__)
        what = f"a view of {images} image{'s' * (images != 1)} of {net.name}"
        raise ValueError(
            f"{what} would take {total / 1e9:,.1f} GB to be made, most of it layer {largest!r} "
            f"({net[largest].kind}); the limit is {limit / 1e9:,.1f} GB: show fewer layers (layers=, last=) "
            "or images, or memory_limit=BYTES (a command's --memory-limit GB) raises it"
        )
