"""The shapes of all layers of a network, from running each on an empty batch.

So sizes are worked out in `ops` and nowhere else, and weights are checked, or drawn, on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cnnviz.layers.layer import Layer, Weights
from cnnviz.layers.options import Shape

PROBES = (512, 1024)
"""Stand-ins for a size that is not known: what differs between the two depends on it.

Powers of two, so that networks that halve and double their maps can join them again.
"""


def with_shapes(
    layers: Sequence[Layer],
    dtype: np.dtype,
    sizes: Mapping[str, Shape] | None = None,
    generator: np.random.Generator | None = None,
) -> list[Layer]:
    """The layers with their shapes; ValueError, naming the layer, where one does not fit.

    `sizes` gives the inputs' shapes where they are not those of their config. A size that differs between
    two probes depends on a size that is not known, and is None. A layer without weights has those of its
    owner; others that are missing are drawn from `generator`, without which they are an error.
    """
    sizes = sizes or {layer.name: layer.config["batch_shape"][1:] for layer in layers if not layer.inputs}
    known = all(None not in shape for shape in sizes.values())
    probes: list[dict[str, np.ndarray]] = [{} for _ in PROBES[: 1 if known else 2]]
    shaped = []
    owned: dict[str, Weights] = {}
    for layer in layers:
        if not layer.weights:
            layer = replace(layer, weights=owned.get(layer.owner, {}))
        for values, probe in zip(probes, PROBES, strict=False):
            try:
                if layer.inputs:
                    inputs = [values[name] for name in layer.inputs]
                else:
                    inputs = [np.empty((0, *(probe if n is None else n for n in sizes[layer.name])), dtype)]
                read = layer.cast(inputs, dtype)
                expected = _expected(layer, read)
                if expected.keys() - layer.weights.keys():
                    layer = replace(layer, weights=_drawn(layer, expected, dtype, generator))
                _check(layer, expected, read[0].shape[1:])
                values[layer.name] = layer.after_activation(layer.before_activation(*read))
            except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
                raise ValueError(f"layer {layer.name!r} ({layer.kind}): {error}") from error
        owned.setdefault(layer.owner, layer.weights)
        feeds = tuple(_shape([values[name] for values in probes]) for name in layer.inputs)
        shape = _shape([values[layer.name] for values in probes])
        shaped.append(replace(layer, input_shapes=feeds, output_shape=shape))
    return shaped


def _expected(layer: Layer, read: Sequence[np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shapes of the layer's weights for what it reads."""
    entry = layer.entry
    if entry.rank not in (None, read[0].ndim):
        axes = {3: "(N, L, C)", 4: "(N, H, W, C)"}[entry.rank]
        raise ValueError(f"its input must be {axes}, got {('N', *read[0].shape[1:])}")
    shapes = [x.shape[1:] for x in read]
    expected = entry.weight_shapes(layer.config, shapes[0] if len(shapes) == 1 else shapes)
    return {name: expected[name] for name in entry.weight_names(layer.config)}


def _drawn(
    layer: Layer,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: np.dtype,
    generator: np.random.Generator | None,
) -> Weights:
    """The layer's weights, of which the missing ones are drawn as its initialisers say."""
    missing = [name for name in shapes if name not in layer.weights]
    if generator is None:
        raise ValueError(
            f"it must have the weights {list(shapes)}, got {list(layer.weights)}: give them, or a seed= "
            "to the network, which draws those that are missing"
        )
    weights = dict(layer.weights)
    for name in missing:
        kind = np.int64 if name in layer.entry.counts else dtype
        weights[name] = layer.initializer(name).draw(shapes[name], generator, kind)
        weights[name].flags.writeable = False
    return weights


def _check(layer: Layer, expected: Mapping[str, tuple[int, ...]], shape: Shape) -> None:
    if expected.keys() != layer.weights.keys():
        raise ValueError(f"it must have the weights {list(expected)}, got {list(layer.weights)}")
    for name, size in expected.items():
        if layer.weights[name].shape != size:
            raise ValueError(
                f"{name} must have shape {size}, got {layer.weights[name].shape} (its input is {shape})"
            )


def _shape(arrays: Sequence[np.ndarray]) -> Shape:
    """The shape of one layer's empty outputs for each probe, None where they differ."""
    first, last = arrays[0].shape[1:], arrays[-1].shape[1:]
    return tuple(a if a == b else None for a, b in zip(first, last, strict=True))
