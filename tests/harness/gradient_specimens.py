"""One valid call of every gradient, for what must hold of all of them.

A new gradient joins by a line here; a test counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz import ops
from harness.specimens import PLAIN, POOLING, SLIDING

Shape = tuple[int, ...]
Options = dict[str, tuple[Any, str]]


@dataclass(frozen=True)
class GradientSpecimen:
    """How to call a gradient: arrays by name and shape, other arguments with their kinds.

    The kinds are those of `harness.nonsense`; "ints" stands for shapes too.
    """

    op: str
    shapes: dict[str, Shape]
    options: Options
    spatial: bool = False
    view: bool = False
    """Whether the result may be a view of grad."""

    def __str__(self) -> str:
        return self.op

    def arrays(self, seed: int = 0) -> dict[str, np.ndarray]:
        """Small whole numbers in float32, positive where a variance is asked for."""
        rng = np.random.default_rng(seed)
        drawn = {name: rng.integers(-3, 4, shape) for name, shape in self.shapes.items()}
        return {
            name: (np.abs(array) + 1 if name == "variance" else array).astype(np.float32)
            for name, array in drawn.items()
        }

    def call(self, arrays: dict[str, Any], **changed: Any) -> Any:
        options = {name: value for name, (value, _) in self.options.items()} | changed
        return getattr(ops, self.op)(**arrays, **options)


def specimens(count: int = 2, channels: int = 4, filters: int = 4) -> list[GradientSpecimen]:
    """All gradients that return one array, on `count` images of some channels."""
    x, maps = (count, 6, 7, channels), (count, 6, 7)
    own = (channels,)

    def shape(name: str, value: Shape) -> Options:
        return {name: (value, "ints")}

    def made(op: str, options: Options, spatial: bool = True, view: bool = False, **shapes: Shape) -> Any:
        return GradientSpecimen(op, shapes, options, spatial, view)

    def elementwise(op: str, **options: tuple[Any, str]) -> Any:
        return made(f"{op}_grad", dict(options), False, x=x, grad=x)

    kernel, deep, point = (3, 2, channels, filters), (3, 2, channels, 2), (1, 1, 2 * channels, filters)
    # 'same' with strides (1, 2): the width is halved; transposed, doubled.
    convolved, deepened = (count, 6, 4, filters), (count, 6, 4, 2 * channels)
    back, turned = (count, 6, 14, filters), (3, 2, filters, channels)
    transposing: Options = {**SLIDING, "output_padding": (None, "pair from 0 or none")}
    grouped: Options = {**SLIDING, "groups": (1, "int")}
    pooled = (count, 6, 4, channels)
    return [
        made("conv2d_input_grad", {**shape("input_shape", x), **grouped}, grad=convolved, kernel=kernel),
        made("conv2d_kernel_grad", {**shape("kernel_shape", kernel), **grouped}, x=x, grad=convolved),
        made("conv2d_bias_grad", {}, grad=convolved),
        made(
            "depthwise_conv2d_input_grad",
            {**shape("input_shape", x), **SLIDING},
            grad=deepened,
            kernel=deep,
        ),
        made("depthwise_conv2d_kernel_grad", {**shape("kernel_shape", deep), **SLIDING}, x=x, grad=deepened),
        made(
            "separable_conv2d_input_grad",
            {**shape("input_shape", x), **SLIDING},
            grad=convolved,
            depthwise_kernel=deep,
            pointwise_kernel=point,
        ),
        made(
            "separable_conv2d_depthwise_kernel_grad",
            {**shape("depthwise_kernel_shape", deep), **SLIDING},
            x=x,
            grad=convolved,
            pointwise_kernel=point,
        ),
        made(
            "separable_conv2d_pointwise_kernel_grad",
            {**shape("pointwise_kernel_shape", point), **SLIDING},
            x=x,
            grad=convolved,
            depthwise_kernel=deep,
        ),
        made(
            "conv2d_transpose_input_grad",
            {**shape("input_shape", x), **transposing},
            grad=back,
            kernel=turned,
        ),
        made(
            "conv2d_transpose_kernel_grad", {**shape("kernel_shape", turned), **transposing}, x=x, grad=back
        ),
        made("max_pool2d_grad", POOLING, x=x, grad=pooled),
        made("avg_pool2d_grad", {**shape("input_shape", x), **POOLING}, grad=pooled),
        made("global_max_pool2d_grad", {}, False, x=x, grad=(count, channels)),
        made("global_avg_pool2d_grad", shape("input_shape", x), False, grad=(count, channels)),
        made("zero_pad2d_grad", {"padding": (((1, 0), (2, 3)), "cells")}, grad=x),
        made("crop2d_grad", {"cropping": (((1, 0), (2, 3)), "cells")}, grad=x),
        made("upsample2d_grad", {"size": ((2, 7), "pair")}, grad=x),
        made("dense_input_grad", {}, False, grad=(*maps, 5), kernel=(channels, 5)),
        made("dense_kernel_grad", {}, False, x=x, grad=(*maps, 5)),
        made("dense_bias_grad", {}, False, grad=x),
        *_batch_norm(made, x, own),
        elementwise("linear"),
        elementwise(
            "relu",
            max_value=(6.0, "number or none"),
            negative_slope=(0.5, "number"),
            threshold=(1.0, "number"),
        ),
        elementwise("leaky_relu", negative_slope=(0.2, "number")),
        elementwise("elu", alpha=(0.5, "number")),
        elementwise("celu", alpha=(0.5, "number")),
        elementwise("gelu"),
        elementwise("exponential"),
        elementwise("hard_shrink", threshold=(1.0, "number")),
        elementwise("soft_shrink", threshold=(1.0, "number")),
        elementwise("threshold", threshold=(1.0, "number"), default_value=(-2.0, "number")),
        elementwise("squareplus", b=(2.0, "number")),
        *(elementwise(name) for name in PLAIN),
        elementwise("softmax", axis=(-1, "int")),
        elementwise("log_softmax", axis=(1, "int")),
        elementwise("sparsemax", axis=(2, "int")),
        made("prelu_grad", {}, False, x=x, grad=x, alpha=(7, channels)),
        made("prelu_alpha_grad", shape("alpha_shape", (7, channels)), False, x=x, grad=x),
        made("flatten_grad", shape("input_shape", x), False, True, grad=(count, 42 * channels)),
        made("reshape_grad", shape("input_shape", x), False, True, grad=(count, 42, channels)),
        made("permute_grad", {"dims": ((3, 1, 2), "ints")}, False, True, grad=x),
        made("rescale_grad", {}, False, grad=x, scale=own),
        made("normalize_grad", {}, False, grad=x, variance=own),
        made("normalize_mean_grad", shape("mean_shape", own), False, grad=x, variance=own),
        made("normalize_variance_grad", {}, False, x=x, grad=x, mean=own, variance=own),
    ]


def _batch_norm(made: Any, x: Shape, own: Shape) -> list[GradientSpecimen]:
    epsilon: Options = {"epsilon": (1e-3, "number")}
    given = {"mean": own, "variance": own}
    return [
        made("batch_norm_input_grad", epsilon, False, grad=x, variance=own, gamma=own),
        made("batch_norm_gamma_grad", epsilon, False, x=x, grad=x, **given),
        made("batch_norm_beta_grad", {}, False, grad=x),
        made("batch_norm_mean_grad", epsilon, False, grad=x, variance=own, gamma=own),
        made("batch_norm_variance_grad", epsilon, False, x=x, grad=x, **given, gamma=own),
        made("batch_norm_training_input_grad", epsilon, False, x=x, grad=x, gamma=own),
        made("batch_norm_training_gamma_grad", epsilon, False, x=x, grad=x),
    ]


SEVERAL = {
    *("add_grad", "subtract_grad", "average_grad", "multiply_grad", "maximum_grad", "minimum_grad"),
    *("concatenate_grad", "batch_norm_training_grad"),
}
"""Gradients that return one array for each argument."""
