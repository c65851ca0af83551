"""What predict and run accept: images with or without batch and channel axes, integers or floats.

Which form an array has follows from the network's input shape alone; drawing, cropping and resizing
are left to `images`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz.images.preprocessing import MODES, preprocess
from cnnviz.layers.layer import Layer
from cnnviz.layers.options import Shape
from cnnviz.network.expected_pixels import by_layers, by_name
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.ops.arguments import array


def images_of(graph: LayerGraph, x: Any) -> dict[str, np.ndarray]:
    """The argument of predict and run as one array with a batch axis for each input."""
    given = _by_input(graph, x)
    images = {name: batched(given[name], graph[name]) for name in graph.inputs}
    counts = {name: len(array) for name, array in images.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"inputs must agree in batch size, got {counts}")
    return images


def modes_of(graph: LayerGraph, x: Any) -> dict[str, str]:
    """How the pixels of each input were prepared, where that is known: a `LoadedImage` says it.

    `x` is the argument of predict and run; integers are prepared by these.
    """
    modes = {}
    for name, given in _by_input(graph, x).items():
        said = {getattr(one, "mode", "") for one in (given if isinstance(given, list | tuple) else [given])}
        if len(said) == 1 and said <= MODES.keys():
            modes[name] = said.pop()
        elif array(given, "x").dtype.kind in "iu":
            modes[name] = mode_of_integers(graph, name)
    return modes


def _by_input(graph: LayerGraph, x: Any) -> dict[str, Any]:
    """What was given, by the names of the inputs."""
    if len(graph.inputs) == 1 and not isinstance(x, Mapping):
        given = {graph.inputs[0]: x}
    elif isinstance(x, Mapping):
        given = dict(x)
    else:
        arrays = x if isinstance(x, list | tuple) and len(x) == len(graph.inputs) else ()
        given = dict(zip(graph.inputs, arrays, strict=False))
    if set(given) != set(graph.inputs):
        raise ValueError(
            f"x must have one array for each input, {', '.join(graph.inputs)}: a list or a mapping"
        )
    return given


def prepared(graph: LayerGraph, images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Images as the network computes with them: floats, integers in the scale that it wants pixels in."""
    return {name: floats(x, graph, name) for name, x in images.items()}


def mode_of_integers(graph: LayerGraph, name: str) -> str:
    """What is done to pixels 0..255 that come as integers, a key of `images.preprocessing.MODES`.

    What the network's layers or its name say, else "unit". Weights are not asked: predictions must not
    change their meaning while a network is trained.
    """
    known = by_layers(graph, name) or by_name(graph, name)
    return known.mode if known else "unit"


def check_batch_size(value: Any) -> None:
    """ValueError unless it is None or a positive int."""
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1
    ):
        raise ValueError(f"batch_size must be a positive int or None, got {value!r}")


def input_of_maps(net: LayerGraph) -> Layer:
    """The one input of a network that reads maps; ValueError for other networks."""
    shapes = [net[name].output_shape for name in net.inputs]
    if [len(shape) for shape in shapes] != [3]:
        raise ValueError(f"net must have one input, of maps (height, width, channels), got {shapes}")
    return net[net.inputs[0]]


def batched(x: Any, layer: Layer) -> np.ndarray:
    """x as (N, ...) for an input, whichever axes were left out."""
    x = array(x, "x")
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8:
        raise TypeError(f"x must hold real numbers, got dtype {x.dtype}")
    shape = layer.output_shape
    # (accepted shape, where the missing axes go); the first that fits decides.
    forms: list[tuple[Shape, tuple[int, ...]]] = [((None, *shape), ()), (shape, (0,))]
    if len(shape) == 3 and shape[-1] == 1:
        forms += [((None, *shape[:-1]), (-1,)), (shape[:-1], (0, -1))]
    for form, missing in forms:
        if _fits(x.shape, form):
            return np.expand_dims(x, missing)
    several, one = [form for form, _ in forms][::2], [form for form, _ in forms][1::2]
    accepted = [_text(("N", *form[1:])) for form in several] + [_text(form) for form in one]
    raise ValueError(f"x for {layer.name!r} must be {' or '.join(accepted)}, got x.shape={x.shape}")


def _text(shape: Sequence[Any]) -> str:
    entries = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(entries)}{',' * (len(entries) == 1)})"


def _fits(actual: Sequence[int], wanted: Shape) -> bool:
    return len(actual) == len(wanted) and all(
        w is None or a == w for a, w in zip(actual, wanted, strict=True)
    )


def floats(x: np.ndarray, graph: LayerGraph, name: str) -> np.ndarray:
    """A copy of x in a network's dtype; integers, which are pixels 0..255, in the input's scale."""
    if x.dtype.kind not in "iu":
        return np.array(x, graph.dtype, order="C")
    mode = mode_of_integers(graph, name)
    if mode != "none" and x.size and not 0 <= x.min() <= x.max() <= 255:
        raise ValueError(
            f"integers for {name!r} must be pixels, 0 to 255, got {x.min()} to {x.max()}; "
            "other numbers must come as floats"
        )
    return preprocess(x, mode, graph.dtype)
