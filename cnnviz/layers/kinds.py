"""KINDS: for every Keras layer class its options, its weights, and the ops that compute it.

The one place where layer configs are normalised. Training behaviour is left out: dropout, noise and
augmentation pass their input on. Class, option and weight names follow Keras 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.activations import LAYERS, Activation, parse_activation
from cnnviz.layers.options import Options


def normalize_config(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a layer that matter here, checked, in one form, with Keras's defaults.

    >>> normalize_config("MaxPooling2D", {"pool_size": 2, "name": "pool", "dtype": "float32"})
    {'pool_size': (2, 2), 'strides': (2, 2), 'padding': 'valid'}

    Raises
    ------
    ValueError, TypeError
        for an unknown kind, an option out of its range, and options that cnnviz does not compute.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind} is not supported; supported are {', '.join(sorted(KINDS))}")
    if config.get("data_format") == "channels_first":
        raise ValueError(
            "data_format='channels_first' is not supported: cnnviz reads channels_last (N, H, W, C)"
        )
    normal = read.all_of(KINDS[kind].options, config)
    if normal.get("strides", ()) is None:
        normal["strides"] = normal["pool_size"]
    return normal


# What each kind computes ------------------------------------------------------------------------

Config = Mapping[str, Any]
Weights = Mapping[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]


def _conv2d(c: Config, w: Weights, x: np.ndarray) -> np.ndarray:
    return ops.conv2d(x, w["kernel"], w.get("bias"), **_chosen(c, _SLIDING), groups=c["groups"])


def _conv2d_shapes(c: Config, shape: Any) -> Shapes:
    if shape[-1] % c["groups"] or c["filters"] % c["groups"]:
        raise ValueError(
            f"groups={c['groups']} must divide the {shape[-1]} input channels and the {c['filters']} filters"
        )
    return {
        "kernel": (*c["kernel_size"], shape[-1] // c["groups"], c["filters"]),
        "bias": (c["filters"],),
    }


def _depthwise(c: Config, w: Weights, x: np.ndarray) -> np.ndarray:
    return ops.depthwise_conv2d(x, w["kernel"], w.get("bias"), **_chosen(c, _SLIDING))


def _depthwise_shapes(c: Config, shape: Any) -> Shapes:
    kernel = (*c["kernel_size"], shape[-1], c["depth_multiplier"])
    return {"kernel": kernel, "bias": (kernel[2] * kernel[3],)}


def _separable(c: Config, w: Weights, x: np.ndarray) -> np.ndarray:
    kernels = w["depthwise_kernel"], w["pointwise_kernel"]
    return ops.separable_conv2d(x, *kernels, w.get("bias"), **_chosen(c, _SLIDING))


def _separable_shapes(c: Config, shape: Any) -> Shapes:
    depthwise = (*c["kernel_size"], shape[-1], c["depth_multiplier"])
    return {
        "depthwise_kernel": depthwise,
        "pointwise_kernel": (1, 1, depthwise[2] * depthwise[3], c["filters"]),
        "bias": (c["filters"],),
    }


def _transposed(c: Config, w: Weights, x: np.ndarray) -> np.ndarray:
    options = _chosen(c, {**_SLIDING, "output_padding": ()})
    return ops.conv2d_transpose(x, w["kernel"], w.get("bias"), **options)


def _transposed_shapes(c: Config, shape: Any) -> Shapes:
    return {"kernel": (*c["kernel_size"], c["filters"], shape[-1]), "bias": (c["filters"],)}


def _dense(c: Config, w: Weights, x: np.ndarray) -> np.ndarray:
    return ops.dense(x, w["kernel"], w.get("bias"))


def _dense_shapes(c: Config, shape: Any) -> Shapes:
    return {"kernel": (shape[-1], c["units"]), "bias": (c["units"],)}


def _batch_norm(c: Config, w: Weights, x: np.ndarray) -> np.ndarray:
    statistics = w["moving_mean"], w["moving_variance"]
    return ops.batch_norm(x, *statistics, w.get("gamma"), w.get("beta"), epsilon=c["epsilon"])


def _batch_norm_shapes(c: Config, shape: Any) -> Shapes:
    if c["axis"] not in (-1, len(shape)):
        raise ValueError(f"axis={c['axis']} is not supported: only the last axis, the channels, is")
    return dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (shape[-1],))


def _normalization(c: Config, w: Weights, x: np.ndarray) -> np.ndarray:
    mean, variance = (np.asarray(value, x.dtype) for value in normalization_statistics(c, w, x.shape))
    if not c["invert"]:
        return ops.normalize(x, mean, variance)
    # The same lower bound as in ops.normalize, which this undoes.
    return ops.add(ops.multiply(x, np.maximum(np.sqrt(variance), x.dtype.type(1e-7))), mean)


def normalization_statistics(c: Config, w: Weights, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The mean and variance of a Normalization, shaped to broadcast against an input (with its batch)."""
    mean, variance = (w["mean"], w["variance"]) if w else (c["mean"], c["variance"])
    # The statistics' axes belong to the kept axes of x, counted from the right.
    target = [1] * len(shape)
    for axis, size in zip(reversed(_kept(c, len(shape))), reversed(np.shape(mean)), strict=False):
        if size not in (1, shape[axis]):
            raise ValueError(f"mean has {size} entries where the input has {shape[axis]}")
        target[axis] = size
    return np.reshape(mean, target), np.reshape(variance, target)


def _normalization_shapes(c: Config, shape: Any) -> Shapes:
    kept = _kept(c, len(shape) + 1)
    if np.shape(c["mean"]) != np.shape(c["variance"]) or np.ndim(c["mean"]) > len(kept):
        raise ValueError(f"mean and variance must both be None, or of one shape that fits axis={c['axis']}")
    statistics = tuple(shape[axis - 1] for axis in kept)
    return {"mean": statistics, "variance": statistics, "count": ()}


def _kept(c: Config, rank: int) -> list[int]:
    """The axes, of an input with its batch, that have statistics of their own."""
    kept = sorted({axis % rank for axis in c["axis"] if -rank <= axis < rank})
    if len(kept) != len(c["axis"]) or 0 in kept:
        raise ValueError(f"axis={c['axis']} must be axes of an input of rank {rank}, and not the batch")
    return kept


def _prelu_shapes(c: Config, shape: Any) -> Shapes:
    if any(not 1 <= axis <= len(shape) for axis in c["shared_axes"]):
        raise ValueError(f"shared_axes={c['shared_axes']} must be axes of an input {shape}, counted from 1")
    return {"alpha": tuple(1 if axis in c["shared_axes"] else size for axis, size in enumerate(shape, 1))}


def _merge(name: str) -> Callable[..., np.ndarray]:
    def compute(c: Config, w: Weights, *xs: np.ndarray) -> np.ndarray:
        # Keras gives an input of lower rank its missing axes right behind the batch.
        rank = max(x.ndim for x in xs)
        xs = tuple(x.reshape(x.shape[0], *[1] * (rank - x.ndim), *x.shape[1:]) for x in xs)
        return getattr(ops, name)(*xs)

    return compute


def _concatenate(c: Config, w: Weights, *xs: np.ndarray) -> np.ndarray:
    if c["axis"] % xs[0].ndim == 0:
        raise ValueError(f"axis={c['axis']} is the batch, which cannot be joined along")
    return ops.concatenate(xs, axis=c["axis"])


def _pool(op: str) -> Callable[..., np.ndarray]:
    return lambda c, w, x: getattr(ops, op)(x, c["pool_size"], strides=c["strides"], padding=c["padding"])


def _global_pool(op: str) -> Callable[..., np.ndarray]:
    return lambda c, w, x: getattr(ops, op)(x, keepdims=c["keepdims"])


def _itself(c: Config, w: Weights, x: np.ndarray) -> np.ndarray:
    return x


def _chosen(config: Config, names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in names}


def _activation_kind(op: str, options: Options) -> Kind:
    return Kind(_itself, options, activation=lambda c, w: Activation(op, c))


# The table --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """What there is to know about one Keras class.

    `options` maps the config keys that matter to (how to read it, default). `weights` are the
    weights' names in the order in which Keras saves them, `shapes` gives their shapes for an input.
    `activation` is there for kinds that are an activation and nothing else.
    """

    compute: Callable[..., np.ndarray]
    options: Options = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    shapes: Callable[[Config, Any], Shapes] = lambda c, shape: {}
    statistics: frozenset[str] = frozenset()
    activation: Callable[[Config, Weights], Activation] | None = None
    several_inputs: bool = False
    rank: int | None = None
    """Axes that the input must have, with the batch; None is any number."""
    moves_values_only: bool = False
    """Whether each output is one of the inputs' numbers, or padding: the layer does no arithmetic."""

    @property
    def passes_on(self) -> bool:
        """Whether the output is the input."""
        return self.compute is _itself and self.activation is None

    def weight_names(self, config: Config) -> tuple[str, ...]:
        """The weights that a layer with these options has."""
        if config.get("mean") is not None:
            return ()
        switch = {"bias": "use_bias", "gamma": "scale", "beta": "center"}
        return tuple(name for name in self.weights if name not in switch or config[switch[name]])


_SLIDING: Options = {
    "strides": (read.size, (1, 1)),
    "padding": (read.padding, "valid"),
    "dilation_rate": (read.size, (1, 1)),
}
_FUSED: Options = {"use_bias": (read.flag, True), "activation": (parse_activation, None)}
_KERNEL: Options = {"kernel_size": (read.size, None), **_SLIDING, **_FUSED}
_FILTERS: Options = {"filters": (read.count, None)}
_MULTIPLIER: Options = {"depth_multiplier": (read.count, 1)}
_POOL: Options = {
    "pool_size": (read.size, (2, 2)),
    "strides": (read.optional(read.size), None),
    "padding": (read.padding, "valid"),
}
_KEEPDIMS: Options = {"keepdims": (read.flag, False)}
_IDENTITY = Kind(_itself, moves_values_only=True)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "InputLayer": Kind(_itself, {"batch_shape": (read.batch_shape, None)}, moves_values_only=True),
        "Conv2D": Kind(
            _conv2d,
            {**_FILTERS, **_KERNEL, "groups": (read.count, 1)},
            ("kernel", "bias"),
            _conv2d_shapes,
            rank=4,
        ),
        "DepthwiseConv2D": Kind(
            _depthwise, {**_KERNEL, **_MULTIPLIER}, ("kernel", "bias"), _depthwise_shapes, rank=4
        ),
        "SeparableConv2D": Kind(
            _separable,
            {**_FILTERS, **_KERNEL, **_MULTIPLIER},
            ("depthwise_kernel", "pointwise_kernel", "bias"),
            _separable_shapes,
            rank=4,
        ),
        "Conv2DTranspose": Kind(
            _transposed,
            {**_FILTERS, **_KERNEL, "output_padding": (read.optional(read.extra), None)},
            ("kernel", "bias"),
            _transposed_shapes,
            rank=4,
        ),
        "Dense": Kind(_dense, {"units": (read.count, None), **_FUSED}, ("kernel", "bias"), _dense_shapes),
        "BatchNormalization": Kind(
            _batch_norm,
            {
                "axis": (read.axis, -1),
                "epsilon": (read.number, 1e-3),
                "momentum": (read.number, 0.99),
                "center": (read.flag, True),
                "scale": (read.flag, True),
                "renorm": (read.only(False, "batch renormalisation keeps other statistics"), False),
            },
            ("gamma", "beta", "moving_mean", "moving_variance"),
            _batch_norm_shapes,
            frozenset({"moving_mean", "moving_variance"}),
        ),
        "Normalization": Kind(
            _normalization,
            {
                "axis": (read.axes, -1),
                "mean": (read.optional(read.numbers), None),
                "variance": (read.optional(read.numbers), None),
                "invert": (read.flag, False),
            },
            ("mean", "variance", "count"),
            _normalization_shapes,
            frozenset({"mean", "variance", "count"}),
        ),
        "Rescaling": Kind(
            lambda c, w, x: ops.rescale(x, c["scale"], c["offset"]),
            {"scale": (read.numbers, None), "offset": (read.numbers, 0.0)},
        ),
        "MaxPooling2D": Kind(_pool("max_pool2d"), _POOL, rank=4),
        "AveragePooling2D": Kind(_pool("avg_pool2d"), _POOL, rank=4),
        "GlobalMaxPooling2D": Kind(_global_pool("global_max_pool2d"), _KEEPDIMS, rank=4),
        "GlobalAveragePooling2D": Kind(_global_pool("global_avg_pool2d"), _KEEPDIMS, rank=4),
        "Activation": Kind(
            _itself,
            {"activation": (parse_activation, None)},
            activation=lambda c, w: c["activation"] or Activation("linear"),
        ),
        **{name: _activation_kind(op, options) for name, (op, options) in LAYERS.items()},
        "PReLU": Kind(
            _itself,
            {"shared_axes": (read.axes, None)},
            ("alpha",),
            _prelu_shapes,
            activation=lambda c, w: Activation("prelu", {"alpha": w["alpha"]}),
        ),
        "Add": Kind(_merge("add"), several_inputs=True),
        "Subtract": Kind(_merge("subtract"), several_inputs=True),
        "Multiply": Kind(_merge("multiply"), several_inputs=True),
        "Average": Kind(_merge("average"), several_inputs=True),
        "Maximum": Kind(_merge("maximum"), several_inputs=True),
        "Minimum": Kind(_merge("minimum"), several_inputs=True),
        "Concatenate": Kind(
            _concatenate, {"axis": (read.axis, -1)}, several_inputs=True, moves_values_only=True
        ),
        "ZeroPadding2D": Kind(
            lambda c, w, x: ops.zero_pad2d(x, c["padding"]),
            {"padding": (read.sides, (1, 1))},
            rank=4,
            moves_values_only=True,
        ),
        "Cropping2D": Kind(
            lambda c, w, x: ops.crop2d(x, c["cropping"]),
            {"cropping": (read.sides, 0)},
            rank=4,
            moves_values_only=True,
        ),
        "UpSampling2D": Kind(
            lambda c, w, x: ops.upsample2d(x, c["size"]),
            {
                "size": (read.size, (2, 2)),
                "interpolation": (read.only("nearest", "only 'nearest' is"), "nearest"),
            },
            rank=4,
            moves_values_only=True,
        ),
        "Flatten": Kind(lambda c, w, x: ops.flatten(x), moves_values_only=True),
        "Reshape": Kind(
            lambda c, w, x: ops.reshape(x, c["target_shape"]),
            {"target_shape": (read.ints, None)},
            moves_values_only=True,
        ),
        "Permute": Kind(
            lambda c, w, x: ops.permute(x, c["dims"]), {"dims": (read.ints, None)}, moves_values_only=True
        ),
        **dict.fromkeys(
            (
                *("Identity", "GaussianNoise", "ActivityRegularization"),
                *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"),
                *("RandomContrast", "RandomBrightness"),
            ),
            _IDENTITY,
        ),
        **dict.fromkeys(
            ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout"),
            Kind(_itself, {"rate": (read.optional(read.share), None)}, moves_values_only=True),
        ),
    }
)
"""Every Keras class that cnnviz computes."""
