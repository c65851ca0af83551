"""Options of operations that ask for arrays of terabytes, and for blocks and taps without number.

What no memory holds is refused before anything is made, by an error that says what was asked for; what is
small in the end takes no longer than other small things.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from cnnviz import ops
from harness.limited import MEGABYTE, limited_calls

HUGE = 2**30
SECONDS, MEMORY = 1.0, 150 * MEGABYTE
X, KERNEL = np.ones((1, 5, 5, 2), np.float32), np.ones((2, 2, 2, 2), np.float32)
SIDES = (HUGE, HUGE), (HUGE, HUGE)
BIG = (1, HUGE, HUGE, 2)
GRAD, TALL = np.ones((1, 1, 1, 2), np.float32), np.ones((10**6, 1), np.float32)
SMALL: dict[str, Any] = {"padding": SIDES, "strides": HUGE}
METHODS = ("auto", "direct", "im2col", "fft", "winograd")

Case = tuple[str, tuple[Any, ...], dict[str, Any]]

REFUSED: list[Case] = [
    *(
        ("conv2d_transpose", (X, KERNEL), {name: size})
        for name in ("strides", "dilation_rate")
        for size in (HUGE, 40_000)
    ),
    ("conv2d_transpose", (X, KERNEL), {"padding": "same", "strides": HUGE}),
    ("conv2d_transpose", (X, KERNEL), {"output_padding": HUGE - 1, "strides": HUGE}),
    *(("conv2d", (X, np.ones((3, 3, 2, 2))), {"padding": SIDES, "method": method}) for method in METHODS),
    *(("conv2d", (X, KERNEL), {"dilation_rate": HUGE, "padding": "same", "method": m}) for m in METHODS[:4]),
    ("depthwise_conv2d", (X, KERNEL), {"padding": SIDES}),
    ("depthwise_conv2d", (X, KERNEL), {"dilation_rate": HUGE, "padding": "same"}),
    ("separable_conv2d", (X, KERNEL, np.ones((1, 1, 4, 2))), {"padding": SIDES}),
    ("im2col_matrix", (X,), {"kernel_size": HUGE, "padding": "same"}),
    ("im2col_matrix", (X, 3), {"dilation_rate": HUGE, "padding": "same"}),
    ("max_pool2d", (X, HUGE), {"padding": ((HUGE - 1, HUGE - 1),) * 2, "strides": 1}),
    ("avg_pool2d", (X, HUGE), {"padding": ((HUGE - 1, HUGE - 1),) * 2, "strides": 1}),
    ("upsample2d", (X,), {"size": (HUGE, 1)}),
    ("upsample2d", (X,), {"size": 100_000}),
    ("zero_pad2d", (X,), {"padding": HUGE}),
    ("crop2d_grad", (X,), {"cropping": ((0, HUGE), (0, HUGE))}),
    ("conv2d_input_grad", (GRAD, KERNEL), {"input_shape": BIG, "strides": HUGE}),
    ("depthwise_conv2d_input_grad", (GRAD, KERNEL[..., :1]), {"input_shape": BIG, "strides": HUGE}),
    ("conv2d_kernel_grad", (X, X), {"kernel_shape": (HUGE, HUGE, 2, 2), "padding": "same"}),
    ("depthwise_conv2d_kernel_grad", (X, X), {"kernel_shape": (HUGE, HUGE, 2, 1), "padding": "same"}),
    ("avg_pool2d_grad", (GRAD,), {"input_shape": BIG, "pool_size": HUGE}),
    ("global_avg_pool2d_grad", (GRAD[:, 0, 0],), {"input_shape": BIG}),
    ("dense", (TALL, TALL.T), {}),
    ("add", (TALL, TALL.T), {}),
]  # fmt: skip
ANSWERED: list[Case] = [
    *(("conv2d", (X, KERNEL), {**SMALL, "method": method}) for method in METHODS[:3]),
    ("depthwise_conv2d", (X, KERNEL), SMALL),
    ("max_pool2d", (X, HUGE), {"padding": ((HUGE - 1, HUGE - 1),) * 2, "strides": HUGE // 2}),
    ("avg_pool2d", (X, HUGE), {"padding": ((HUGE - 1, HUGE - 1),) * 2, "strides": HUGE // 2}),
    ("max_pool2d", (X, HUGE), {"padding": "same"}),
    *(("plan", (X.shape, (2, 2, 2, 2)), {"padding": SIDES, "method": method}) for method in METHODS[:4]),
    ("plan", ((1, HUGE, HUGE, 2), (HUGE // 2, HUGE // 2, 2, 2)), {}),
    ("plan", ((1, HUGE, HUGE, 2), (3, 3, 2, 2)), {"method": "winograd"}),
]


def called(case: Case | None) -> str:
    """What an operation said, or an empty string."""
    name, arrays, options = case or ("relu", (X,), {})
    try:
        getattr(ops, name)(*arrays, **options)
    except (MemoryError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def test_what_no_memory_holds_is_refused_by_what_was_asked_for() -> None:
    ends = limited_calls(called, [*REFUSED, *ANSWERED], memory=MEMORY, seconds=SECONDS)
    with contextlib.closing(ends):
        for place, ((name, arrays, options), end) in enumerate(zip([*REFUSED, *ANSWERED], ends, strict=True)):
            what = f"{name} of {[np.shape(array) for array in arrays]} with {options}: {end.value}"
            assert not end.error, f"{what}: {end.error} {end.message}"
            assert end.peak <= MEMORY, f"{what} took {end.peak / MEGABYTE:.0f} MB"
            assert end.worked <= SECONDS, f"{what} took {end.worked:.1f} s"
            assert end.value.startswith("TooLarge: ") == (place < len(REFUSED)), what
            assert all(option in end.value for option in options if end.value), what
            assert len(end.value) < 500, what
