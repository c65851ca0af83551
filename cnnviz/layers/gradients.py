"""GRADIENTS: for every Keras class in KINDS, the gradients of what it computes.

Each goes from the gradient with respect to a layer's pre-activation to those with respect to its
inputs and its weights. Statistics count as weights here: the output depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers.kinds import KINDS, normalization_statistics

Config = Mapping[str, Any]
Weights = Mapping[str, np.ndarray]
Inputs = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class LayerGradient:
    """The gradients of one Keras class, each a function of (config, weights, inputs, gradient).

    `inputs` gives one for each input; `weights` are by name. Where the class is an activation and
    nothing else, its weights' take the gradient with respect to the output.
    """

    inputs: Callable[[Config, Weights, Inputs, np.ndarray], Inputs]
    weights: Mapping[str, Callable[[Config, Weights, Inputs, np.ndarray], np.ndarray]] = field(
        default_factory=dict
    )


def _unchanged(c: Config, w: Weights, xs: Inputs, g: np.ndarray) -> Inputs:
    return (g,)


def _sliding(c: Config, *more: str) -> dict[str, Any]:
    return {name: c[name] for name in ("strides", "padding", "dilation_rate", *more)}


_BIAS = {"bias": lambda c, w, xs, g: ops.conv2d_bias_grad(g)}

_CONV2D = LayerGradient(
    lambda c, w, xs, g: (ops.conv2d_input_grad(g, w["kernel"], xs[0].shape, **_sliding(c, "groups")),),
    {
        "kernel": lambda c, w, xs, g: ops.conv2d_kernel_grad(
            xs[0], g, w["kernel"].shape, **_sliding(c, "groups")
        ),
        **_BIAS,
    },
)

_DEPTHWISE = LayerGradient(
    lambda c, w, xs, g: (ops.depthwise_conv2d_input_grad(g, w["kernel"], xs[0].shape, **_sliding(c)),),
    {
        "kernel": lambda c, w, xs, g: ops.depthwise_conv2d_kernel_grad(
            xs[0], g, w["kernel"].shape, **_sliding(c)
        ),
        **_BIAS,
    },
)

_SEPARABLE = LayerGradient(
    lambda c, w, xs, g: (
        ops.separable_conv2d_input_grad(
            g, w["depthwise_kernel"], w["pointwise_kernel"], xs[0].shape, **_sliding(c)
        ),
    ),
    {
        "depthwise_kernel": lambda c, w, xs, g: ops.separable_conv2d_depthwise_kernel_grad(
            xs[0], g, w["depthwise_kernel"].shape, w["pointwise_kernel"], **_sliding(c)
        ),
        "pointwise_kernel": lambda c, w, xs, g: ops.separable_conv2d_pointwise_kernel_grad(
            xs[0], g, w["depthwise_kernel"], w["pointwise_kernel"].shape, **_sliding(c)
        ),
        **_BIAS,
    },
)

_TRANSPOSED = LayerGradient(
    lambda c, w, xs, g: (
        ops.conv2d_transpose_input_grad(g, w["kernel"], xs[0].shape, **_sliding(c, "output_padding")),
    ),
    {
        "kernel": lambda c, w, xs, g: ops.conv2d_transpose_kernel_grad(
            xs[0], g, w["kernel"].shape, **_sliding(c, "output_padding")
        ),
        **_BIAS,
    },
)

_DENSE = LayerGradient(
    lambda c, w, xs, g: (ops.dense_input_grad(g, w["kernel"]),),
    {
        "kernel": lambda c, w, xs, g: ops.dense_kernel_grad(xs[0], g),
        "bias": lambda c, w, xs, g: ops.dense_bias_grad(g),
    },
)

_BATCH_NORM = LayerGradient(
    lambda c, w, xs, g: (
        ops.batch_norm_input_grad(g, w["moving_variance"], w.get("gamma"), epsilon=c["epsilon"]),
    ),
    {
        "gamma": lambda c, w, xs, g: ops.batch_norm_gamma_grad(
            xs[0], g, w["moving_mean"], w["moving_variance"], epsilon=c["epsilon"]
        ),
        "beta": lambda c, w, xs, g: ops.batch_norm_beta_grad(g),
        "moving_mean": lambda c, w, xs, g: ops.batch_norm_mean_grad(
            g, w["moving_variance"], w.get("gamma"), epsilon=c["epsilon"]
        ),
        "moving_variance": lambda c, w, xs, g: ops.batch_norm_variance_grad(
            xs[0], g, w["moving_mean"], w["moving_variance"], w.get("gamma"), epsilon=c["epsilon"]
        ),
    },
)


def _normalization_inputs(c: Config, w: Weights, xs: Inputs, g: np.ndarray) -> Inputs:
    _, variance = _statistics(c, w, xs[0])
    if c["invert"]:
        # x times the deviation, plus the mean; dividing by a number undoes multiplying by it.
        return (ops.multiply(g, _deviation(variance)),)
    return (ops.normalize_grad(g, variance),)


def _normalization_mean(c: Config, w: Weights, xs: Inputs, g: np.ndarray) -> np.ndarray:
    mean, variance = _statistics(c, w, xs[0])
    if c["invert"]:
        grad = ops.add_grad(g, [mean.shape, g.shape])[0]
    else:
        grad = ops.normalize_mean_grad(g, mean.shape, variance)
    return grad.reshape(w["mean"].shape)


def _normalization_variance(c: Config, w: Weights, xs: Inputs, g: np.ndarray) -> np.ndarray:
    mean, variance = _statistics(c, w, xs[0])
    if c["invert"]:
        deviation = _deviation(variance)
        slope = np.where(variance.astype(g.dtype) >= 1e-14, 0.5 / deviation, 0).astype(g.dtype)
        grad = ops.multiply_grad([deviation, xs[0]], g)[0] * slope
    else:
        grad = ops.normalize_variance_grad(xs[0], g, mean, variance)
    return grad.reshape(w["variance"].shape)


def _statistics(c: Config, w: Weights, x: np.ndarray) -> Inputs:
    mean, variance = normalization_statistics(c, w, x.shape)
    return np.asarray(mean, x.dtype), np.asarray(variance, x.dtype)


def _deviation(variance: np.ndarray) -> np.ndarray:
    return np.maximum(np.sqrt(variance), variance.dtype.type(1e-7))


_NORMALIZATION = LayerGradient(
    _normalization_inputs,
    {
        "mean": _normalization_mean,
        "variance": _normalization_variance,
        "count": lambda c, w, xs, g: np.zeros((), g.dtype),
    },
)


def _sums(op: str) -> LayerGradient:
    """A merge whose gradients follow from the inputs' shapes."""
    return LayerGradient(
        lambda c, w, xs, g: _shaped(getattr(ops, op)(g, [x.shape for x in _aligned(xs)]), xs)
    )


def _products(op: str) -> LayerGradient:
    """A merge whose gradients need the inputs themselves."""
    return LayerGradient(lambda c, w, xs, g: _shaped(getattr(ops, op)(list(_aligned(xs)), g), xs))


def _aligned(xs: Inputs) -> Inputs:
    """The inputs as `layer_kinds` merges them: missing axes come right behind the batch."""
    rank = max(x.ndim for x in xs)
    return tuple(x.reshape(x.shape[0], *[1] * (rank - x.ndim), *x.shape[1:]) for x in xs)


def _shaped(grads: Inputs, xs: Inputs) -> Inputs:
    return tuple(grad.reshape(x.shape) for grad, x in zip(grads, xs, strict=True))


def _pooling(c: Config) -> dict[str, Any]:
    return {name: c[name] for name in ("pool_size", "strides", "padding")}


GRADIENTS: Mapping[str, LayerGradient] = MappingProxyType(
    {
        **{
            name: LayerGradient(_unchanged)
            for name, kind in KINDS.items()
            if kind.compute is KINDS["Identity"].compute
        },
        "PReLU": LayerGradient(
            _unchanged,
            {"alpha": lambda c, w, xs, g: ops.prelu_alpha_grad(xs[0], g, w["alpha"].shape)},
        ),
        "Conv2D": _CONV2D,
        "DepthwiseConv2D": _DEPTHWISE,
        "SeparableConv2D": _SEPARABLE,
        "Conv2DTranspose": _TRANSPOSED,
        "Dense": _DENSE,
        "BatchNormalization": _BATCH_NORM,
        "Normalization": _NORMALIZATION,
        "Rescaling": LayerGradient(lambda c, w, xs, g: (ops.rescale_grad(g, c["scale"]),)),
        "MaxPooling2D": LayerGradient(lambda c, w, xs, g: (ops.max_pool2d_grad(xs[0], g, **_pooling(c)),)),
        "AveragePooling2D": LayerGradient(
            lambda c, w, xs, g: (ops.avg_pool2d_grad(g, xs[0].shape, **_pooling(c)),)
        ),
        "GlobalMaxPooling2D": LayerGradient(
            lambda c, w, xs, g: (ops.global_max_pool2d_grad(xs[0], g, keepdims=c["keepdims"]),)
        ),
        "GlobalAveragePooling2D": LayerGradient(
            lambda c, w, xs, g: (ops.global_avg_pool2d_grad(g, xs[0].shape, keepdims=c["keepdims"]),)
        ),
        "Add": _sums("add_grad"),
        "Subtract": _sums("subtract_grad"),
        "Average": _sums("average_grad"),
        "Multiply": _products("multiply_grad"),
        "Maximum": _products("maximum_grad"),
        "Minimum": _products("minimum_grad"),
        "Concatenate": LayerGradient(
            lambda c, w, xs, g: ops.concatenate_grad(g, [x.shape for x in xs], axis=c["axis"])
        ),
        "ZeroPadding2D": LayerGradient(lambda c, w, xs, g: (ops.zero_pad2d_grad(g, c["padding"]),)),
        "Cropping2D": LayerGradient(lambda c, w, xs, g: (ops.crop2d_grad(g, c["cropping"]),)),
        "UpSampling2D": LayerGradient(lambda c, w, xs, g: (ops.upsample2d_grad(g, c["size"]),)),
        "Flatten": LayerGradient(lambda c, w, xs, g: (ops.flatten_grad(g, xs[0].shape),)),
        "Reshape": LayerGradient(lambda c, w, xs, g: (ops.reshape_grad(g, xs[0].shape),)),
        "Permute": LayerGradient(lambda c, w, xs, g: (ops.permute_grad(g, c["dims"]),)),
    }
)
"""The gradients of every Keras class that cnnviz computes."""
