"""Stages: a network's layers taken apart into the single steps that the live view shows as columns.

A fused activation is a stage of its own, and so are the two halves of a separable convolution. Layers
that pass their input on, or only lay it out anew, are hidden. What a stage computes is said in a few
plain operations, so that the browser knows no layer classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers.kinds import KINDS, normalization_statistics
from cnnviz.layers.layer import Layer
from cnnviz.network import LayerGraph, Run
from cnnviz.ops.normalization import batch_norm_affine
from cnnviz.ops.padding import Axis, transposed_window, window
from cnnviz.receipts.arithmetic import origins

Shape = tuple[int, ...]

RELAYING = frozenset({"Flatten", "Reshape"})
"""Kinds whose output is the input in another shape: the same numbers in the same order."""

EXACT_ACTIVATIONS = frozenset({"linear", "relu", "relu6", "leaky_relu", "prelu"})
"""Activations that the browser computes to the last bit, without a transcendental function."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One column of the view.

    `shape` is (height, width, channels) as drawn, a vector being one pixel with many channels. `reads`
    are the indices of the stages that it reads, through layers that are hidden. `op` says what it
    computes, in terms that `forward.js` knows. `exact` says whether the browser computes the same bits.
    """

    name: str
    layer: Layer
    part: str
    shape: Shape
    reads: tuple[int, ...]
    op: dict[str, Any]
    exact: bool = False
    hidden: tuple[str, ...] = ()
    """The layers between this stage and those that it reads, which are not shown."""

    @property
    def label(self) -> str:
        """A short word for what the stage does."""
        return _LABELS.get(self.op["type"]) or str(self.op.get("label", self.layer.kind))


_LABELS = {"input": "input", "affine": "norm", "softmax": "softmax"}


@dataclass
class Taken:
    """A network taken apart: its stages, and the arrays that their operations name."""

    stages: list[Stage] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def drawn_shape(shape: Shape) -> Shape:
    """A shape without batch as (height, width, channels), the numbers in the same order.

    >>> drawn_shape((10,)), drawn_shape((5, 8)), drawn_shape((4, 4, 2))
    ((1, 1, 10), (5, 1, 8), (4, 4, 2))
    """
    if len(shape) == 3:
        return shape
    if len(shape) < 3:
        return (*shape[:-1], *(1,) * (3 - len(shape)), shape[-1] if shape else 1)
    return (math.prod(shape[:-2]), *shape[-2:])


def take_apart(net: LayerGraph, shapes: Mapping[str, Shape]) -> Taken:
    """The stages of a network whose layers have these output shapes, each after those that it reads."""
    taken = Taken()
    last: dict[str, int] = {}
    hidden: dict[str, tuple[str, ...]] = {}
    for layer in net:
        if layer.inputs and (layer.passes_on or layer.kind in RELAYING):
            source = layer.inputs[0]
            last[layer.name] = last[source]
            hidden[layer.name] = (*hidden.get(source, ()), layer.name)
            continue
        behind = tuple(name for source in layer.inputs for name in hidden.get(source, ()))
        reads = tuple(last[name] for name in layer.inputs)
        for stage in _stages_of(layer, reads, shapes, taken, behind):
            taken.stages.append(stage)
        last[layer.name] = len(taken.stages) - 1
    return taken


def values_of(stage: Stage, run: Run, index: int) -> np.ndarray:
    """What a stage gave for one image of a run, in its drawn shape."""
    if stage.part == "output":
        value = run[stage.layer.name]
    elif stage.part == "depthwise":
        (x,) = run.inputs(stage.layer.name)
        config = stage.layer.config
        options = {name: config[name] for name in ("strides", "padding", "dilation_rate")}
        value = ops.depthwise_conv2d(x[index : index + 1], stage.layer.weights["depthwise_kernel"], **options)
        return value[0].reshape(stage.shape)
    else:
        value = run.pre_activation(stage.layer.name)
    return value[index].reshape(stage.shape)


def _stages_of(
    layer: Layer, reads: tuple[int, ...], shapes: Mapping[str, Shape], taken: Taken, hidden: tuple[str, ...]
) -> Iterator[Stage]:
    shape = drawn_shape(shapes[layer.name])
    first = len(taken.stages)
    activation = layer.activation
    if not layer.inputs:
        yield Stage(layer.name, layer, "output", shape, (), {"type": "input"})
        return
    if layer.is_activation:
        op, exact = _activation(layer, shape, shapes[layer.name], taken)
        yield Stage(layer.name, layer, "output", shape, reads, op, exact, hidden)
        return
    if layer.kind == "SeparableConv2D":
        middle = (*shape[:2], layer.weights["pointwise_kernel"].shape[2])
        source = taken.stages[reads[0]].shape
        op = _sliding(layer, source, "depthwise_kernel", source[2], None, taken)
        yield Stage(f"{layer.name} depthwise", layer, "depthwise", middle, reads, op, False, hidden)
        reads, hidden = (first,), ()
        first += 1
        op = _pixelwise(layer, middle, "pointwise_kernel", taken)
    else:
        op = _operation(layer, [taken.stages[i] for i in reads], shapes, taken)
    part = "output" if activation is None else "before"
    exact = op["type"] in ("affine", "move") or (op["type"], op.get("mode")) == ("pool", "max")
    yield Stage(layer.name, layer, part, shape, reads, op, exact, hidden)
    if activation is not None:
        op, exact = _activation(layer, shape, shapes[layer.name], taken)
        yield Stage(f"{layer.name} {activation.name}", layer, "output", shape, (first,), op, exact)


def _operation(
    layer: Layer, sources: list[Stage], shapes: Mapping[str, Shape], taken: Taken
) -> dict[str, Any]:
    source = sources[0].shape
    config = layer.config
    if layer.kind == "Conv2D":
        return _sliding(layer, source, "kernel", config["groups"], layer.weights.get("bias"), taken)
    if layer.kind == "DepthwiseConv2D":
        return _sliding(layer, source, "kernel", source[2], layer.weights.get("bias"), taken)
    if layer.kind == "Conv2DTranspose":
        return _transposed(layer, source, taken)
    if layer.kind == "Dense":
        return _pixelwise(layer, source, "kernel", taken)
    if layer.kind.endswith("Pooling2D"):
        return _pool(layer, source)
    if layer.kind in ("BatchNormalization", "Normalization", "Rescaling"):
        return _affine(layer, source, shapes[layer.name], taken)
    if KINDS[layer.kind].moves_values_only:
        return _move(layer, shapes, taken)
    return _merge(layer, shapes, taken)


def _keep(taken: Taken, name: str, array: np.ndarray) -> str:
    taken.arrays[name] = array
    return name


def _axis(axis: Axis) -> list[int]:
    return [axis.size, axis.kernel, axis.stride, axis.dilation, axis.before, axis.after, axis.out]


def _weights(layer: Layer, kernel: str, taken: Taken) -> dict[str, Any]:
    """The kernel and the bias by the names under which `Network.with_weights` exchanges them."""
    names = {"kernel": _keep(taken, f"{layer.owner}/{kernel}", layer.weights[kernel])}
    if "bias" in layer.weights:
        names["bias"] = _keep(taken, f"{layer.owner}/bias", layer.weights["bias"])
    return names


def _sliding(
    layer: Layer, source: Shape, kernel: str, groups: int, bias: np.ndarray | None, taken: Taken
) -> dict[str, Any]:
    config = layer.config
    size = layer.weights[kernel].shape[:2]
    view = window(source[:2], size, config["strides"], config["padding"], config["dilation_rate"])
    names = _weights(layer, kernel, taken)
    if bias is None:
        names.pop("bias", None)
    return {
        "type": "conv",
        "rows": _axis(view.rows),
        "cols": _axis(view.cols),
        "groups": groups,
        "label": "conv",
        **names,
    }


def _transposed(layer: Layer, source: Shape, taken: Taken) -> dict[str, Any]:
    config = layer.config
    view = transposed_window(
        source[:2],
        config["kernel_size"],
        config["strides"],
        config["padding"],
        config["dilation_rate"],
        config["output_padding"],
    )
    axes = {"rows": _axis(view.rows), "cols": _axis(view.cols)}
    return {"type": "transposed", **axes, "label": "conv ᵀ", **_weights(layer, "kernel", taken)}


def _pixelwise(layer: Layer, source: Shape, kernel: str, taken: Taken) -> dict[str, Any]:
    """A dense layer, as the convolution that it is: 1x1, or as large as the map that was flattened."""
    weights = layer.weights[kernel]
    size = (1, 1) if weights.shape[-2] == source[2] else source[:2]
    rows, cols = (Axis(n, k) for n, k in zip(source, size, strict=False))
    axes = {"rows": _axis(rows), "cols": _axis(cols)}
    label = "dense" if layer.kind == "Dense" else "1×1 conv"
    return {"type": "conv", **axes, "groups": 1, "label": label, **_weights(layer, kernel, taken)}


def _pool(layer: Layer, source: Shape) -> dict[str, Any]:
    mode = "max" if "Max" in layer.kind else "mean"
    label = f"{mode} pool"
    if layer.kind.startswith("Global"):
        rows, cols = (Axis(n, n) for n in source[:2])
    else:
        config = layer.config
        rows, cols = window(source[:2], config["pool_size"], config["strides"], config["padding"], (1, 1))
    return {"type": "pool", "mode": mode, "rows": _axis(rows), "cols": _axis(cols), "label": label}


def _affine(layer: Layer, source: Shape, real: Shape, taken: Taken) -> dict[str, Any]:
    """x*a + b, or (x - a)/b where that is how the layer rounds; a and b are what `ops` works with."""
    c, w = layer.config, layer.weights
    dtype = np.float32
    form = "x*a+b"
    if layer.kind == "BatchNormalization":
        statistics = w["moving_mean"], w["moving_variance"]
        a, b = batch_norm_affine(*statistics, w.get("gamma"), w.get("beta"), epsilon=c["epsilon"])
    elif layer.kind == "Rescaling":
        a, b = (np.asarray(c[name], dtype) for name in ("scale", "offset"))
    else:
        shape = (1, *real)
        mean, variance = (v.astype(dtype) for v in normalization_statistics(c, w, shape))
        deviation = np.maximum(np.sqrt(variance), dtype(1e-7))
        a, b = (deviation, mean) if c["invert"] else (mean, deviation)
        form = form if c["invert"] else "(x-a)/b"
        if a.size > 1 and a.size != a.shape[-1]:
            a, b = (np.broadcast_to(v, shape) for v in (a, b))
        a, b = a.ravel(), b.ravel()
    if a.size != math.prod(source):
        a, b = (np.broadcast_to(v, (source[2],)) for v in (a, b))
    names: dict[str, Any] = {"a": _keep(taken, f"{layer.name}/a", a), "b": _keep(taken, f"{layer.name}/b", b)}
    if layer.kind == "BatchNormalization":
        names["epsilon"] = c["epsilon"]
        names["parts"] = {
            name.removeprefix("moving_"): _keep(taken, f"{layer.owner}/{name}", array)
            for name, array in w.items()
        }
    return {"type": "affine", "form": form, **names}


def _activation(layer: Layer, shape: Shape, real: Shape, taken: Taken) -> tuple[dict[str, Any], bool]:
    activation = layer.activation
    assert activation is not None
    name, arguments = activation.name, dict(activation.arguments)
    if name in ("softmax", "log_softmax"):
        axis = arguments.get("axis", -1)
        # Keras counts the batch as axis 0; as drawn, the last axis is the channels.
        axis = axis - len(real) - 1 if axis > 0 else axis
        return {"type": "softmax", "log": name == "log_softmax", "axis": axis % 3, "label": "softmax"}, False
    label = _SPELLED.get(name, name)
    if name == "prelu":
        alpha = np.broadcast_to(arguments.pop("alpha"), real).reshape(shape)
        arguments["alpha"] = _keep(taken, f"{layer.name}/alpha", alpha)
    op = {"type": "activation", "name": name, "arguments": arguments, "label": label}
    return op, name in EXACT_ACTIVATIONS


_SPELLED = {"relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "leaky ReLU", "prelu": "PReLU", "elu": "ELU"}


def _move(layer: Layer, shapes: Mapping[str, Shape], taken: Taken) -> dict[str, Any]:
    """Where each number comes from, as receipts have it, counted from 1; 0 is padding."""
    came_from = origins(layer, tuple(tuple(shapes[name]) for name in layer.inputs)).astype(np.int32) + 1
    return {
        "type": "move",
        "from": _keep(taken, f"{layer.name}/from", came_from.ravel()),
        "label": _MOVES.get(layer.kind, layer.kind),
    }


_MOVES = {
    "Concatenate": "concat",
    "ZeroPadding2D": "zero pad",
    "Cropping2D": "crop",
    "UpSampling2D": "upsample",
    "Permute": "permute",
}


def _merge(layer: Layer, shapes: Mapping[str, Shape], taken: Taken) -> dict[str, Any]:
    """Several inputs cell by cell; an input that is broadcast says which of its cells goes where."""
    out = shapes[layer.name]
    maps: list[str | None] = []
    for i, name in enumerate(layer.inputs):
        shape = shapes[name]
        if shape == out:
            maps.append(None)
            continue
        full = (1,) * (len(out) - len(shape)) + shape
        places = np.broadcast_to(np.arange(math.prod(shape), dtype=np.int32).reshape(full), out)
        maps.append(_keep(taken, f"{layer.name}/from{i}", places.ravel()))
    mode = layer.kind.lower()
    return {"type": "merge", "mode": mode, "maps": maps, "label": mode}
