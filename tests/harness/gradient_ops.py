"""Which gradients a forward operation has, and finite differences to hold them against.

`GRADIENTS` says, for each operation, how to call the gradient with respect to each argument. Nothing
here needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz import ops
from harness import gradient_rounding
from harness.rounding import Bound, unit_roundoff

Arrays = Sequence[Any]


@dataclass(frozen=True)
class GradientOp:
    """A gradient's name, which argument of the forward operation it is for, and its own arguments."""

    name: str
    argument: int
    arguments: Callable[[Arrays, np.ndarray], tuple[Any, ...]]
    options: bool = True

    def __call__(self, arrays: Arrays, grad: np.ndarray, **options: Any) -> np.ndarray:
        return getattr(ops, self.name)(*self.arguments(arrays, grad), **(options if self.options else {}))

    def bound(self, arrays: Arrays, grad: np.ndarray, **options: Any) -> Bound:
        made = getattr(gradient_rounding, f"{self.name}_bound")
        return made(*self.arguments(arrays, grad), **(options if self.options else {}))


def _input(op: str) -> GradientOp:
    return GradientOp(f"{op}_input_grad", 0, lambda a, g: (g, a[1], a[0].shape))


def _kernel(op: str) -> GradientOp:
    return GradientOp(f"{op}_kernel_grad", 1, lambda a, g: (a[0], g, a[1].shape))


def _bias(argument: int) -> GradientOp:
    return GradientOp("conv2d_bias_grad", argument, lambda a, g: (g,), options=False)


GRADIENTS: dict[str, list[GradientOp]] = {
    "conv2d": [_input("conv2d"), _kernel("conv2d"), _bias(2)],
    "depthwise_conv2d": [_input("depthwise_conv2d"), _kernel("depthwise_conv2d"), _bias(2)],
    "conv2d_transpose": [_input("conv2d_transpose"), _kernel("conv2d_transpose"), _bias(2)],
    "separable_conv2d": [
        GradientOp("separable_conv2d_input_grad", 0, lambda a, g: (g, a[1], a[2], a[0].shape)),
        GradientOp("separable_conv2d_depthwise_kernel_grad", 1, lambda a, g: (a[0], g, a[1].shape, a[2])),
        GradientOp("separable_conv2d_pointwise_kernel_grad", 2, lambda a, g: (a[0], g, a[1], a[2].shape)),
        _bias(3),
    ],
    "max_pool2d": [GradientOp("max_pool2d_grad", 0, lambda a, g: (a[0], g))],
    "avg_pool2d": [GradientOp("avg_pool2d_grad", 0, lambda a, g: (g, a[0].shape))],
    "global_max_pool2d": [GradientOp("global_max_pool2d_grad", 0, lambda a, g: (a[0], g))],
    "global_avg_pool2d": [GradientOp("global_avg_pool2d_grad", 0, lambda a, g: (g, a[0].shape))],
    "dense": [
        GradientOp("dense_input_grad", 0, lambda a, g: (g, a[1])),
        GradientOp("dense_kernel_grad", 1, lambda a, g: (a[0], g)),
        GradientOp("dense_bias_grad", 2, lambda a, g: (g,)),
    ],
    "batch_norm": [
        GradientOp("batch_norm_input_grad", 0, lambda a, g: (g, a[2], a[3])),
        GradientOp("batch_norm_mean_grad", 1, lambda a, g: (g, a[2], a[3])),
        GradientOp("batch_norm_variance_grad", 2, lambda a, g: (a[0], g, a[1], a[2], a[3])),
        GradientOp("batch_norm_gamma_grad", 3, lambda a, g: (a[0], g, a[1], a[2])),
        GradientOp("batch_norm_beta_grad", 4, lambda a, g: (g,), options=False),
    ],
    "prelu": [
        GradientOp("prelu_grad", 0, lambda a, g: (a[0], g, a[1])),
        GradientOp("prelu_alpha_grad", 1, lambda a, g: (a[0], g, a[1].shape)),
    ],
    "softmax": [GradientOp("softmax_grad", 0, lambda a, g: (a[0], g))],
    "log_softmax": [GradientOp("log_softmax_grad", 0, lambda a, g: (a[0], g))],
    "sparsemax": [GradientOp("sparsemax_grad", 0, lambda a, g: (a[0], g))],
    "upsample2d": [GradientOp("upsample2d_grad", 0, lambda a, g: (g,))],
    "normalize": [
        GradientOp("normalize_grad", 0, lambda a, g: (g, a[2])),
        GradientOp("normalize_mean_grad", 1, lambda a, g: (g, a[1].shape, a[2])),
        GradientOp("normalize_variance_grad", 2, lambda a, g: (a[0], g, a[1], a[2])),
    ],
}


STEP = 2.0**-13


def check_finite_differences(
    forward: Callable[..., np.ndarray], arrays: Arrays, argument: int, gradient: np.ndarray, grad: np.ndarray
) -> None:
    """Hold a float64 gradient against central differences of sum(grad * forward(...)).

    Along a random direction v, of numbers up to 1, D(h) = (L(x + hv) - L(x - hv)) / 2h differs from the
    derivative by h^2/6 times the third derivative, and D(2h) by four times as much: D(2h) - D(h) is three
    times the error of D(h), to leading order. As an upper bound it also covers what is of higher order.
    Rounding adds the error of two sums L, each of as many terms as grad has numbers, over 2h.
    """
    direction = np.random.default_rng(5).uniform(-1, 1, np.shape(arrays[argument]))

    def loss(step: float) -> tuple[float, float]:
        moved = [a + step * direction if i == argument else a for i, a in enumerate(arrays)]
        terms = grad * forward(*moved)
        return float(terms.sum()), float(np.abs(terms).sum())

    (up, size), (down, _), (far_up, _), (far_down, _) = (loss(k * STEP) for k in (1, -1, 2, -2))
    near, far = (up - down) / (2 * STEP), (far_up - far_down) / (4 * STEP)
    # An operation's own rounding, on numbers that may cancel in its result: 1000 roundings of them.
    noise = unit_roundoff(np.float64) * (np.size(grad) + 1000) * (size + np.abs(grad).sum()) / STEP
    found = float((gradient * direction).sum())
    assert abs(found - near) <= abs(far - near) + noise, (found, near, far, noise)
