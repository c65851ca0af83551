"""Interventions: a channel set to zero, a weight, a bias or a pixel changed, and the run that follows.

What comes from a browser is checked like any input: an edit that does not fit the network is refused
with a sentence, and nothing of it is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz.network import Network, Run

MOST = 200
"""Edits at a time."""


class InterventionError(ValueError):
    """An edit does not fit the network; the message is one sentence for whoever made it."""


def intervene(net: Network, image: Any, edits: Sequence[Mapping[str, Any]]) -> tuple[Run, frozenset[str]]:
    """Run a network with some of its numbers changed.

    Parameters
    ----------
    net
        The network; it stays as it is.
    image
        One image, as `Network.run` takes it.
    edits
        {"kind": "channel", "layer": name, "channel": k} sets a channel of a layer's output to zero;
        {"kind": "weight", "name": "conv2d/kernel", "index": flat index, "value": v} changes one weight
        or bias; {"kind": "pixel", "row": r, "col": c, "channel": k, "value": v} one prepared pixel.

    Returns
    -------
    (Run, layers)
        `layers` are those whose output was set by hand.

    Raises
    ------
    InterventionError
        (a ValueError) for an edit that does not fit the network.

    Examples
    --------
    >>> import cnnviz
    >>> edit = {"kind": "channel", "layer": "conv2d", "channel": 3}
    >>> run, layers = intervene(cnnviz.load_model("mnist_14k"), np.zeros((28, 28)), [edit])
    >>> float(np.abs(run["conv2d"][..., 3]).max()), sorted(layers)
    (0.0, ['conv2d'])
    """
    if not isinstance(edits, Sequence) or isinstance(edits, str) or len(edits) > MOST:
        raise InterventionError(f"edits must be a list of at most {MOST}")
    weights: dict[str, np.ndarray] = {}
    silenced: dict[str, list[int]] = {}
    pixels: list[Mapping[str, Any]] = []
    for edit in edits:
        kind = edit.get("kind") if isinstance(edit, Mapping) else None
        if kind == "channel":
            layer, channel = _channel(net, edit)
            silenced.setdefault(layer, []).append(channel)
        elif kind == "weight":
            _change_weight(net, edit, weights)
        elif kind == "pixel":
            pixels.append(edit)
        else:
            raise InterventionError(f"kind must be 'channel', 'weight' or 'pixel', got {_brief(kind)}")
    changed = net.with_weights(weights) if weights else net
    if pixels:
        image = np.array(net.run(image)[net.inputs[0]][0])
        for place, value in [_pixel(image.shape, edit) for edit in pixels]:
            image[place] = value
    silence = {layer: _silence(channels) for layer, channels in silenced.items()}
    return changed.run(image, edits=silence), frozenset(silenced)


def _channel(net: Network, edit: Mapping[str, Any]) -> tuple[str, int]:
    layer = edit.get("layer")
    if not isinstance(layer, str) or layer not in net:
        raise InterventionError(f"there is no layer {_brief(layer)}")
    shape = net[layer].output_shape
    if not shape:
        raise InterventionError(f"there are no channels in {_brief(layer)}")
    return layer, _whole(edit, "channel", shape[-1])


def _change_weight(net: Network, edit: Mapping[str, Any], weights: dict[str, np.ndarray]) -> None:
    name = str(edit.get("name"))
    layer, _, weight = name.rpartition("/")
    if layer not in net or weight not in net[layer].weights:
        raise InterventionError(f"there is no weight {_brief(name)}")
    if name not in weights:
        weights[name] = np.array(net[layer].weights[weight])
    weights[name].flat[_whole(edit, "index", weights[name].size)] = _real(edit)


def _pixel(shape: tuple[int, ...], edit: Mapping[str, Any]) -> tuple[tuple[int, ...], float]:
    names = ("row", "col", "channel")[: len(shape)] if len(shape) > 1 else ("channel",)
    place = tuple(_whole(edit, name, size) for name, size in zip(names, shape, strict=True))
    return place, _real(edit)


def _whole(edit: Mapping[str, Any], name: str, size: int | None) -> int:
    value = edit.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < (size or 2**31):
        raise InterventionError(f"{name} must be a whole number below {size}, got {_brief(value)}")
    return value


def _real(edit: Mapping[str, Any]) -> float:
    value = edit.get("value")
    most = float(np.finfo(np.float32).max)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= most:
        raise InterventionError(f"value must be a finite number within float32's range, got {_brief(value)}")
    return float(value)


def _brief(value: object) -> str:
    """What was asked for, as far as it fits a sentence."""
    return repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}..."


def _silence(channels: Sequence[int]) -> Callable[[np.ndarray], np.ndarray]:
    def edit(output: np.ndarray) -> np.ndarray:
        if max(channels) >= output.shape[-1]:  # Where the last axis has no size until there is an image.
            raise InterventionError(f"channel must be below {output.shape[-1]}, got {max(channels)}")
        output[..., list(channels)] = 0
        return output

    return edit
