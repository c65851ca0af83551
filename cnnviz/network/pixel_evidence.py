"""Evidence in a network's weights for the scale that its pixels came in during training.

Made-up pictures of many kinds, dark and light, flat and rich in contrast, are brought to each scale and sent
through the network. The first batch normalisation remembers mean and variance of what it read in training:
the scale in which one of the kinds gives the same is likely the one. Without such a layer only the size
of the scores speaks: a network for 0..1 that is fed 0..255 gives scores of hundreds. Nothing here is proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cnnviz.images.preprocessing import COLOUR_MODES, preprocess
from cnnviz.layers.layer import Layer
from cnnviz.network.forward import forward
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.network.limits import MEMORY_LIMIT, WORK_LIMIT
from cnnviz.network.memory import check_kept
from cnnviz.numbers import short

PIXELS = 2**16
"""Pixels of all pictures of one kind together, if that makes at least two pictures."""

CONTRASTS = (1.0, 2.0, 8.0)
"""How steep the way from black to white is: from a dull day to ink on paper."""

BRIGHTNESSES = (-1.0, 0.0, 1.0)
"""Where its middle lies, in deviations of the picture: from white on black to black on white."""

COME = (1.0, 0.9, 0.75)
"""How far the running statistics may have come from 0 and 1, where training begins."""

NEARLY = 3.5
"""A scale fits nearly as well as another if it misses by at most so many times as much.

Of 32 networks trained on MNIST, on drawn shapes and on one photograph, made dark and light too, the right
scale fitted best in 25 and nearly as well in the others.
"""

SPREAD = 1.5
"""The standard deviation over the classes that the scores of a picture in the right scale come closest to.

Of 21 networks the geometric mean of both scales' spreads was 0.2 to 1.3 in those trained on 0..255, and 1.9
to 55 in those trained on small numbers.
"""

EVIDENCE_BYTES = MEMORY_LIMIT
EVIDENCE_WORK = WORK_LIMIT / 50
"""What activations may take for it; a network that takes more gives no evidence."""

ANY_SIDE = 64
"""The side of a picture for a network that takes any size."""


def by_statistics(net: LayerGraph, name: str) -> tuple[str, str] | None:
    """The mode that the first batch normalisation speaks for and why, or None if there is none."""
    layer, part = _until_statistics(net, name)
    if layer is None or not _affordable(part, name):
        return None
    best = misfits(layer, part, name)
    mode, *others = sorted(best, key=lambda each: best[each])
    close = [f"{other!r}" for other in others if best[other] <= NEARLY * best[mode]]
    because = f"a guess from what its layer {layer.name} remembers of training"
    return mode, because + (f"; {' and '.join(close)} would fit nearly as well" if close else "")


def misfits(layer: Layer, part: LayerGraph, name: str) -> dict[str, float]:
    """For each mode how far a layer's statistics are from those of the likeliest kind of pictures."""
    mean, variance = (layer.weights[key].astype(np.float64) for key in ("moving_mean", "moving_variance"))
    shape = part[name].output_shape
    modes = ["unit", "tf", "none", *(COLOUR_MODES if shape[2] == 3 else ())]
    best = dict.fromkeys(modes, np.inf)
    for pixels in pictures(*shape):
        for mode in modes:
            y = forward(part, {name: preprocess(pixels, mode, part.dtype)})[part.outputs[0]]
            y = np.moveaxis(y, layer.config["axis"], 0).reshape(len(mean), -1).astype(np.float64)
            m, v = y.mean(axis=1), y.var(axis=1)
            for come in COME:
                far = _distance(mean, variance, come * m, come * v + (1 - come))
                best[mode] = min(best[mode], far)
    return best


def by_scores(net: LayerGraph, name: str) -> tuple[str, str] | None:
    """0..255 or a small scale, whichever gives scores of the usual size; None if they do not say."""
    if len(net.inputs) > 1 or len(net.outputs) > 1 or len(_shape(net, name)) != 3:
        return None
    last = net[net.outputs[0]]
    if last.activation is None or last.activation.axis is None or len(last.output_shape) != 1:
        return None
    part = _part(net, name, last.name)
    if not _affordable(part, name):
        return None
    pixels = np.concatenate([kind[:1] for kind in pictures(*part[name].output_shape)])
    spread = {}
    for mode in ("unit", "none"):
        before: dict[str, np.ndarray] = {}
        with np.errstate(all="ignore"):  # A network may hold what is no number.
            forward(part, {name: preprocess(pixels, mode, part.dtype)}, before)
            spread[mode] = float(before[last.name].std(axis=1).mean())
    if not all(0 < value < np.inf for value in spread.values()) or spread["none"] < 5 * spread["unit"]:
        return None
    mode = min(spread, key=lambda each: abs(np.log(spread[each] / SPREAD)))
    alike = {"unit": ("tf", "torch"), "none": ("caffe",)}[mode]
    alike = tuple(each for each in alike if each not in COLOUR_MODES or part[name].output_shape[2] == 3)
    words = ", ".join(f"{short(value, 2)} for {each!r}" for each, value in spread.items())
    because = f"a guess from the spread of its scores ({words})"
    if alike:
        because += f"; {' and '.join(map(repr, alike))} cannot be told from it without a batch normalisation"
    return mode, because


def pictures(height: Any, width: Any, channels: Any) -> Iterator[np.ndarray]:
    """Made-up pictures of each kind, (N, H, W, C), 0..255; their spectrum falls as photographs' do.

    Source: D. J. Field, "Relations between the statistics of natural images and the response properties
    of cortical cells", J. Opt. Soc. Am. A 4, 1987: amplitudes fall as 1/frequency.
    """
    count = _count(height, width)
    frequency = np.hypot(np.fft.rfftfreq(width), np.fft.fftfreq(height)[:, np.newaxis])
    frequency[0, 0] = np.inf
    noise = np.random.default_rng(0).normal(size=(count, channels, height, width))
    z = np.fft.irfft2(np.fft.rfft2(noise) / frequency, (height, width)).transpose(0, 2, 3, 1)
    # The colours of a photograph are much alike.
    grey = z.mean(axis=3, keepdims=True)
    z = grey + 0.3 * (z - grey)
    z /= z.std(axis=(1, 2), keepdims=True)
    for contrast in CONTRASTS:
        for brightness in BRIGHTNESSES:
            yield (255 / (1 + np.exp(-contrast * (z + brightness)))).astype(np.float32)


def _affordable(part: LayerGraph, name: str) -> bool:
    """Whether pictures of one kind can be sent through the layers within the memory's limit."""
    shape: tuple[Any, ...] = part[name].output_shape
    pixels = np.broadcast_to(np.float32(0), (_count(*shape[:2]), *shape))
    try:
        check_kept(part, {name: pixels}, EVIDENCE_BYTES, EVIDENCE_WORK)
    except ValueError:
        return False
    return True


def _count(height: Any, width: Any) -> int:
    return max(2, PIXELS // (height * width))


def _distance(mean: np.ndarray, variance: np.ndarray, m: np.ndarray, v: np.ndarray) -> float:
    """The mean over channels of the Bhattacharyya distance of two normal distributions.

    Source: A. Bhattacharyya, "On a measure of divergence between two statistical populations", 1943.
    """
    tiny = np.finfo(np.float32).tiny
    variance, v = np.maximum(variance, tiny), np.maximum(v, tiny)
    apart = (m - mean) ** 2 / (variance + v)
    return float(np.mean(np.log((v / variance + variance / v + 2) / 4) + apart) / 4)


def _until_statistics(net: LayerGraph, name: str) -> tuple[Layer | None, LayerGraph]:
    """The first batch normalisation behind an input of pictures, if it is trained, and what it reads."""
    reached = {name}
    for layer in net if len(_shape(net, name)) == 3 else ():
        if layer.inputs and reached.issuperset(layer.inputs):
            # A wrapper that holds one counts its axes otherwise.
            if "moving_mean" in layer.weights and "axis" in layer.config:
                fresh = not layer.weights["moving_mean"].any()
                return (None, net) if fresh else (layer, _part(net, name, layer.inputs[0]))
            reached.add(layer.name)
    return None, net


def _shape(net: LayerGraph, name: str) -> tuple[int | None, ...]:
    """The shape of an input of pictures; () if it is none."""
    shape = net[name].output_shape
    return shape if len(shape) == 3 and shape[2] in (1, 3) else ()


def _part(net: LayerGraph, name: str, output: str) -> LayerGraph:
    """The layers that one needs, with an input of some size where any is taken."""
    needed = {output}
    for layer in reversed(net.layers):
        if layer.name in needed:
            needed.update(layer.inputs)
    sized = {"batch_shape": (None, *(size or ANY_SIDE for size in net[name].output_shape))}
    layers = [
        replace(layer, config=sized) if layer.name == name else layer for layer in net if layer.name in needed
    ]
    return LayerGraph(layers, [output])
