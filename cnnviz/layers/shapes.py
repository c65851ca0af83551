"""The shapes of all layers of a network, from running each on an empty batch.

So sizes are worked out in `ops` and nowhere else, and weights are checked on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.layers.options import Shape

PROBES = (512, 1024)
"""Stand-ins for a size that is not known: what differs between the two depends on it.

Powers of two, so that networks that halve and double their maps can join them again.
"""


def with_shapes(
    layers: Sequence[Layer], dtype: np.dtype, sizes: Mapping[str, Shape] | None = None
) -> list[Layer]:
    """The layers with their shapes; ValueError, naming the layer, where one does not fit.

    `sizes` gives the inputs' shapes where they are not those of their config. A size that differs between
    two probes depends on a size that is not known, and is None.
    """
    sizes = sizes or {layer.name: layer.config["batch_shape"][1:] for layer in layers if not layer.inputs}
    known = all(None not in shape for shape in sizes.values())
    probes: list[dict[str, np.ndarray]] = [{} for _ in PROBES[: 1 if known else 2]]
    shaped = []
    for layer in layers:
        for values, probe in zip(probes, PROBES, strict=False):
            try:
                if layer.inputs:
                    read = [values[name] for name in layer.inputs]
                else:
                    read = [np.empty((0, *(probe if n is None else n for n in sizes[layer.name])), dtype)]
                values[layer.name] = layer.after_activation(_checked(layer, layer.cast(read, dtype)))
            except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
                raise ValueError(f"layer {layer.name!r} ({layer.kind}): {error}") from error
        feeds = tuple(_shape([values[name] for values in probes]) for name in layer.inputs)
        shape = _shape([values[layer.name] for values in probes])
        shaped.append(replace(layer, input_shapes=feeds, output_shape=shape))
    return shaped


def _checked(layer: Layer, read: Sequence[np.ndarray]) -> np.ndarray:
    entry = layer.entry
    if entry.rank not in (None, read[0].ndim):
        axes = {3: "(N, L, C)", 4: "(N, H, W, C)"}[entry.rank]
        raise ValueError(f"its input must be {axes}, got {('N', *read[0].shape[1:])}")
    shapes = [x.shape[1:] for x in read]
    expected = entry.weight_shapes(layer.config, shapes[0] if len(shapes) == 1 else shapes)
    names = entry.weight_names(layer.config)
    if set(names) != set(layer.weights):
        raise ValueError(f"it must have the weights {list(names)}, got {list(layer.weights)}")
    for name in names:
        if layer.weights[name].shape != expected[name]:
            raise ValueError(
                f"{name} must have shape {expected[name]}, got {layer.weights[name].shape} "
                f"(its input is {read[0].shape[1:]})"
            )
    return layer.before_activation(*read)


def _shape(arrays: Sequence[np.ndarray]) -> Shape:
    """The shape of one layer's empty outputs for each probe, None where they differ."""
    first, last = arrays[0].shape[1:], arrays[-1].shape[1:]
    return tuple(a if a == b else None for a, b in zip(first, last, strict=True))
