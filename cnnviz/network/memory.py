"""What activations take, known from their shapes before anything is computed, and the limit for it.

A file of a few kB can ask for terabytes: an UpSampling2D of 65536, doubling Concatenates. Weights and what a
layer needs only while it computes are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from cnnviz.layers.shapes import with_shapes
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.network.simplifying import sizes_are_known

MEMORY_LIMIT = 4 * 10**9
"""Bytes that the activations of one `predict` or `run` may take, unless it is given another limit."""

_ALLOWED: ContextVar[float] = ContextVar("memory limit", default=MEMORY_LIMIT)


@contextmanager
def memory_limit(limit: float) -> Iterator[None]:
    """Another limit in place of `MEMORY_LIMIT`, in bytes, for what is called within.

    >>> with memory_limit(1e12):
    ...     limit_of(None)
    1000000000000.0
    """
    token = _ALLOWED.set(limit_of(limit))
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def limit_of(given: Any) -> float:
    """The argument memory_limit, checked; None is the limit that holds here."""
    if given is None:
        return _ALLOWED.get()
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise ValueError(f"memory_limit must be a positive number of bytes, got {given!r}")
    return given


class OneImage(NamedTuple):
    """What the activations of one image take."""

    shapes: Mapping[str, tuple[int, ...]]
    """By the layers' names."""
    sizes: Mapping[str, int]
    """In bytes, as all that follows."""
    at_once: int
    """What is kept at one time where nothing is kept longer than it is read."""
    outputs: int
    kept: int
    """Where all is kept, before the activations and behind them."""


_ANY_IMAGE: WeakKeyDictionary[LayerGraph, OneImage] = WeakKeyDictionary()
"""Of networks whose sizes are known, in which one image takes as much as any other."""


def one_image(graph: LayerGraph, images: Mapping[str, np.ndarray]) -> OneImage:
    """What one of these images takes."""
    if (known := _ANY_IMAGE.get(graph)) is not None:
        return known
    if sizes_are_known(graph.layers):
        return _ANY_IMAGE.setdefault(graph, _taken(graph, graph.layers))
    given = {name: array.shape[1:] for name, array in images.items()}
    return _taken(graph, with_shapes(graph.layers, graph.dtype, given))


def _taken(graph: LayerGraph, layers: Iterable[Any]) -> OneImage:
    """What one image takes where the layers have the shapes of these."""
    shapes = {layer.name: layer.output_shape for layer in layers}
    sizes = {
        layer.name: prod(shapes[layer.name]) * (8 if layer.widens else graph.dtype.itemsize)
        for layer in graph
    }
    outputs = {graph.resolve(name) for name in graph.outputs}
    last_reader = {name: layer.name for layer in graph for name in layer.inputs}
    live = most = 0
    for layer in graph:
        live += sizes[layer.name]
        most = max(most, live)
        done = {
            name for name in (*layer.inputs, layer.name) if last_reader.get(name, layer.name) == layer.name
        }
        live -= sum(sizes[name] for name in done - outputs)
    kept = sum(sizes[layer.name] * _arrays(layer) for layer in graph)
    return OneImage(shapes, sizes, most, sum(sizes[name] for name in outputs), kept)


def check_kept(graph: LayerGraph, images: Mapping[str, np.ndarray], limit: Any = None) -> None:
    """ValueError if all activations of one pass over these images take more than the limit."""
    one, count = one_image(graph, images), len(images[graph.inputs[0]])
    total = count * one.kept
    if total > limit_of(limit):
        what = f"all activations of {_images(count)} of {graph.name}"
        raise ValueError(_too_much(graph, what, total, count, one, limit_of(limit)))


def check_at_once(graph: LayerGraph, one: OneImage, count: int, together: int, limit: Any = None) -> None:
    """ValueError if what is kept at one time takes more than the limit.

    `together` of `count` images are computed at one time; the outputs are kept of all.
    """
    together = min(together, count)
    total = one.at_once * together + count * one.outputs
    if total > limit_of(limit):
        what = f"what {graph.name} keeps of {_images(together)} at one time"
        raise ValueError(_too_much(graph, what, total, together, one, limit_of(limit)))


def _arrays(layer: Any) -> int:
    """How many arrays of its output's size a layer adds: before its activation, and behind it."""
    return int(layer.entry.computes and not layer.entry.relays) + (layer.activation is not None)


def _images(count: int) -> str:
    return "one image" if count == 1 else f"{count} images"


def _too_much(graph: LayerGraph, what: str, total: int, count: int, one: OneImage, limit: float) -> str:
    largest = max(one.sizes, key=one.sizes.__getitem__)
    shape = " x ".join(map(str, one.shapes[largest]))
    fewer = "fewer images at a time take less, and " if count > 1 else ""
    return (
        f"{what} would take {_gigabytes(total)}, most of it layer {largest!r} ({graph[largest].kind}) with "
        f"{shape} numbers an image; the limit is {_gigabytes(limit)}: {fewer}memory_limit=BYTES (a command's "
        "--memory-limit GB) raises it"
    )


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count < 1e15 else f"{count / 1e9:.0e} GB"
