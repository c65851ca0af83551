"""One valid call of every operation, for what must hold of all of them.

A new operation joins by a line here; a test counts them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnviz import ops

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Specimen:
    """How to call an operation: its arrays by name and shape, its other arguments with their kinds.

    `shapes` takes the number of x's channels. The kinds of options are those of `harness.nonsense`.
    """

    op: str
    shapes: Callable[[int], dict[str, Shape]]
    options: dict[str, tuple[Any, str]] = field(default_factory=dict)
    spatial: bool = False
    view: bool = False
    """Whether the result may be a view of x."""

    def __str__(self) -> str:
        return self.op

    def arrays(self, channels: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
        """Small whole numbers in float32, not negative where a variance is asked for."""
        rng = np.random.default_rng(seed)
        drawn = {name: rng.integers(-3, 4, shape) for name, shape in self.shapes(channels).items()}
        return {
            name: (np.abs(a) if name == "variance" else a).astype(np.float32) for name, a in drawn.items()
        }

    def call(self, arrays: dict[str, Any], **changed: Any) -> Any:
        """The operation on these arrays, with some of the options changed."""
        options = {name: value for name, (value, _) in self.options.items()} | changed
        if self.op == "concatenate":
            return ops.concatenate(list(arrays.values()), **options)
        return getattr(ops, self.op)(*arrays.values(), **options)


def _maps(channels: int) -> dict[str, Shape]:
    return {"x": (2, 6, 7, channels)}


def _branches(count: int, names: str) -> Callable[[int], dict[str, Shape]]:
    return lambda channels: {names.format(place): (2, 6, 7, channels) for place in range(count)}


def _normed(channels: int) -> dict[str, Shape]:
    return {"x": (2, 6, channels), **dict.fromkeys(("mean", "variance", "gamma", "beta"), (channels,))}


SLIDING = {"strides": ((1, 2), "pair"), "padding": ("same", "padding"), "dilation_rate": ((2, 1), "pair")}
POOLING = {"pool_size": ((2, 3), "pair"), "strides": ((1, 2), "pair or none"), "padding": ("same", "padding")}
PLAIN = (
    "relu6",
    "selu",
    "silu",
    "hard_silu",
    "mish",
    "sigmoid",
    "hard_sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "hard_tanh",
    "tanh_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "log_sigmoid",
)

SPECIMENS = [
    Specimen(
        "conv2d",
        lambda c: {**_maps(c), "kernel": (3, 2, c, 5), "bias": (5,)},
        {**SLIDING, "groups": (1, "int"), "method": ("auto", "word"), "tile": (2, "int")},
        spatial=True,
    ),
    Specimen(
        "depthwise_conv2d",
        lambda c: {**_maps(c), "kernel": (3, 2, c, 2), "bias": (2 * c,)},
        SLIDING,
        spatial=True,
    ),
    Specimen(
        "separable_conv2d",
        lambda c: {
            **_maps(c),
            "depthwise_kernel": (3, 2, c, 2),
            "pointwise_kernel": (1, 1, 2 * c, 3),
            "bias": (3,),
        },
        SLIDING,
        spatial=True,
    ),
    Specimen(
        "conv2d_transpose",
        lambda c: {**_maps(c), "kernel": (3, 2, 1, c), "bias": (1,)},
        {**SLIDING, "output_padding": (None, "pair from 0 or none")},
        spatial=True,
    ),
    Specimen("im2col_matrix", _maps, {"kernel_size": ((3, 2), "pair"), **SLIDING}),
    Specimen("max_pool2d", _maps, POOLING, spatial=True),
    Specimen("avg_pool2d", _maps, POOLING, spatial=True),
    Specimen("global_max_pool2d", _maps, spatial=True),
    Specimen("global_avg_pool2d", _maps, spatial=True),
    Specimen("zero_pad2d", _maps, {"padding": (((1, 0), (2, 3)), "cells")}, spatial=True),
    Specimen("crop2d", _maps, {"cropping": (((1, 0), (2, 3)), "cells")}, spatial=True),
    Specimen("upsample2d", _maps, {"size": ((2, 3), "pair")}, spatial=True),
    Specimen("dense", lambda c: {"x": (2, 6, c), "kernel": (c, 5), "bias": (5,)}),
    Specimen("batch_norm", _normed, {"epsilon": (1e-3, "number")}),
    Specimen("linear", _maps, view=True),
    Specimen(
        "relu",
        _maps,
        {
            "max_value": (6.0, "number or none"),
            "negative_slope": (0.5, "number"),
            "threshold": (1.0, "number"),
        },
    ),
    Specimen("leaky_relu", _maps, {"negative_slope": (0.2, "number")}),
    Specimen("prelu", lambda c: {**_maps(c), "alpha": (7, c)}),
    Specimen("elu", _maps, {"alpha": (0.5, "number")}),
    Specimen("celu", _maps, {"alpha": (0.5, "number")}),
    Specimen("gelu", _maps),
    Specimen("exponential", _maps),
    Specimen("hard_shrink", _maps, {"threshold": (1.0, "number")}),
    Specimen("soft_shrink", _maps, {"threshold": (1.0, "number")}),
    Specimen("threshold", _maps, {"threshold": (1.0, "number"), "default_value": (-2.0, "number")}),
    Specimen("squareplus", _maps, {"b": (2.0, "number")}),
    *(Specimen(name, _maps) for name in PLAIN),
    Specimen("softmax", _maps, {"axis": (-1, "int")}),
    Specimen("log_softmax", _maps, {"axis": (1, "int")}),
    Specimen("sparsemax", _maps, {"axis": (2, "int")}),
    *(
        Specimen(name, _branches(3, "argument {}"))
        for name in ("add", "multiply", "average", "maximum", "minimum")
    ),
    Specimen("subtract", _branches(2, "argument {}")),
    Specimen("concatenate", _branches(3, "xs[{}]"), {"axis": (-1, "int")}),
    Specimen("flatten", _maps, view=True),
    Specimen("reshape", _maps, {"shape": ((3, -1), "ints")}, view=True),
    Specimen("permute", _maps, {"dims": ((3, 1, 2), "ints")}, view=True),
    Specimen("rescale", lambda c: {**_maps(c), "scale": (c,), "offset": (c,)}),
    Specimen("normalize", lambda c: {**_maps(c), "mean": (c,), "variance": (c,)}),
]
