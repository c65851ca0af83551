"""What a network takes, known from its shapes before anything is computed, and refused above a limit.

A file of a few kB can ask for terabytes, or for years: an UpSampling2D of 65536, doubling Concatenates, a
window of a thousand cells on large maps. Weights are not counted: the file has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, cast

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.layers.shapes import with_shapes
from cnnviz.layers.work import Effort
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.network.limits import MEMORY, WORK
from cnnviz.network.simplifying import sizes_are_known


class OneImage(NamedTuple):
    """What one image takes."""

    shapes: Mapping[str, tuple[int, ...]]
    """By the layers' names."""
    sizes: Mapping[str, int]
    """In bytes, as all that follows."""
    at_once: int
    """What is kept at one time where nothing is kept longer than it is read."""
    outputs: int
    kept: int
    """Where all is kept, before the activations and behind them."""
    efforts: Mapping[str, Effort]
    """Of computing each layer."""
    gradient_efforts: Mapping[str, Effort]
    """Of the gradients of each."""


_MOST = 8
"""How many inputs' shapes are remembered."""


def one_image(graph: LayerGraph, images: Mapping[str, np.ndarray]) -> OneImage:
    """What one of these images takes."""
    known = graph.taken
    if () in known:
        return known[()]
    if sizes_are_known(graph.layers):
        return known.setdefault((), _taken(graph, graph.layers))
    given = {name: array.shape[1:] for name, array in images.items()}
    key = tuple(given.items())
    if key not in known:
        while len(known) >= _MOST:
            known.pop(next(iter(known)))
        known[key] = _taken(graph, with_shapes(graph.layers, graph.dtype, given))
    return known[key]


def _taken(graph: LayerGraph, layers: Sequence[Layer]) -> OneImage:
    """What one image takes where the layers have the shapes of these."""
    shapes = {layer.name: cast(tuple[int, ...], layer.output_shape) for layer in layers}
    sizes = {
        layer.name: prod(shapes[layer.name]) * (8 if layer.widens else graph.dtype.itemsize)
        for layer in graph
    }
    cases = [(layer, [shapes[name] for name in layer.inputs], shapes[layer.name]) for layer in layers]
    efforts = {layer.name: layer.entry.effort(layer, reads, out) for layer, reads, out in cases}
    meanwhile = {name: effort.numbers * graph.dtype.itemsize for name, effort in efforts.items()}
    outputs = {graph.resolve(name) for name in graph.outputs}
    last_reader = {name: layer.name for layer in graph for name in layer.inputs}
    live = most = 0
    for layer in graph:
        live += sizes[layer.name]
        most = max(most, live + meanwhile[layer.name])
        done = {
            name for name in (*layer.inputs, layer.name) if last_reader.get(name, layer.name) == layer.name
        }
        live -= sum(sizes[name] for name in done - outputs)
    kept = sum(sizes[layer.name] * _arrays(layer) for layer in graph)
    backward = {layer.name: layer.entry.gradient_effort(layer, reads, out) for layer, reads, out in cases}
    return OneImage(shapes, sizes, most, sum(sizes[name] for name in outputs), kept, efforts, backward)


def work_of_one(graph: LayerGraph, images: Mapping[str, np.ndarray]) -> int:
    """Multiply-adds that computing one of these images takes."""
    return sum(effort.work for effort in one_image(graph, images).efforts.values())


def check_kept(
    graph: LayerGraph, images: Mapping[str, np.ndarray], memory: Any = None, work: Any = None
) -> None:
    """ValueError if one pass over these images, of which all is kept, takes more than the limits."""
    one, count = one_image(graph, images), len(images[graph.inputs[0]])
    total, most = count * one.kept, _memory(graph, memory)
    if total > most:
        what = f"all activations of {_images(count)} of {graph.name}"
        raise ValueError(_too_large(graph, what, total, count, one, most))
    _check_efforts(graph, one.efforts, "computing", count, memory, work)


def check_at_once(
    graph: LayerGraph, one: OneImage, count: int, together: int, memory: Any = None, work: Any = None
) -> None:
    """ValueError if what is kept at one time, or computing one image, takes more than the limits.

    `together` of `count` images are computed at one time; the outputs are kept of all.
    """
    together = min(together, count)
    total = one.at_once * together + count * one.outputs
    most = _memory(graph, memory)
    if total > most:
        what = f"what {graph.name} keeps of {_images(together)} at one time"
        raise ValueError(_too_large(graph, what, total, together, one, most))
    _check_efforts(graph, one.efforts, "computing", together, memory, work)


def check_gradient(
    graph: LayerGraph, images: Mapping[str, np.ndarray], memory: Any = None, work: Any = None
) -> None:
    """ValueError if the gradients of these images take more than the limits."""
    one, count = one_image(graph, images), len(images[graph.inputs[0]])
    _check_efforts(graph, one.gradient_efforts, "the gradients of", count, memory, work)


def _check_efforts(
    graph: LayerGraph, efforts: Mapping[str, Effort], what: str, count: int, memory: Any, work: Any
) -> None:
    largest = max(efforts, key=lambda name: efforts[name].numbers)
    held, memory = count * efforts[largest].numbers * graph.dtype.itemsize, _memory(graph, memory)
    if held > memory:
        raise ValueError(
            f"{what} layer {largest!r} ({graph[largest].kind}) would take {_gigabytes(held)} for what is "
            f"held meanwhile of {_images(count)}; the limit is {_gigabytes(memory)}: {_RAISED}"
        )
    total = sum(effort.work for effort in efforts.values())
    most = WORK.of(graph.work_limit if work is None else work)
    if count and total > most:
        heaviest = max(efforts, key=lambda name: efforts[name].work)
        raise ValueError(
            f"{what} one image of {graph.name} would take as long as {billions(total)} multiply-adds, most "
            f"of them for layer {heaviest!r} ({graph[heaviest].kind}); the limit is {billions(most)}: "
            "work_limit=MULTIPLY_ADDS (a command's --work-limit BILLIONS) raises it"
        )


def _memory(graph: LayerGraph, given: Any) -> float:
    return MEMORY.of(graph.memory_limit if given is None else given)


_RAISED = "memory_limit=BYTES (a command's --memory-limit GB) raises it"


def _arrays(layer: Any) -> int:
    """How many arrays of its output's size a layer adds: before its activation, and behind it."""
    return int(layer.entry.computes and not layer.entry.relays) + (layer.activation is not None)


def _images(count: int) -> str:
    return "one image" if count == 1 else f"{count} images"


def _too_large(graph: LayerGraph, what: str, total: int, count: int, one: OneImage, limit: float) -> str:
    largest = max(one.sizes, key=one.sizes.__getitem__)
    shape = " x ".join(map(str, one.shapes[largest]))
    fewer = "fewer images at a time take less, and " if count > 1 else ""
    return (
        f"{what} would take {_gigabytes(total)}, most of it layer {largest!r} ({graph[largest].kind}) with "
        f"{shape} numbers an image; the limit is {_gigabytes(limit)}: {fewer}{_RAISED}"
    )


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count < 1e15 else f"{count / 1e9:.0e} GB"


def billions(count: float) -> str:
    """A number of multiply-adds in words."""
    return f"{count / 1e9:,.1f} billion" if count < 1e15 else f"{count / 1e9:.0e} billion"
