"""Gradients of a forward operation, held against tf.GradientTape and against their error bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnviz import ops
from harness import gradient_authority
from harness.accuracy import Accuracy, check_float64
from harness.cases import Case, numbers
from harness.gradient_ops import GRADIENTS


def compare_gradients(
    accuracy: Accuracy,
    name: str,
    arrays: list[Any],
    grad: np.ndarray,
    options: dict[str, Any],
    *,
    forward: Callable[..., Any] | None = None,
    authority_too: bool = True,
    slack: float = 0.0,
) -> None:
    """Hold all gradients of an operation, given float32 arrays, against TensorFlow and their bounds.

    `forward` is TensorFlow's operation, if it is not the one of this name in `gradient_authority`. Of an
    empty batch a gradient is zeros; some of TensorFlow's kernels leave it unset.
    """
    forward = forward or getattr(gradient_authority, name)
    wide = [None if array is None else array.astype(np.float64) for array in arrays]
    if arrays[0].size:
        exact = gradient_authority.gradients(forward, wide, grad.astype(np.float64), **options)
        theirs = gradient_authority.gradients(forward, arrays, grad, **options)
    else:
        exact = [None if array is None else np.zeros(array.shape) for array in arrays]
        theirs = [None] * len(arrays)
    for made in GRADIENTS[name]:
        if arrays[made.argument] is None:
            continue
        bound = made.bound(arrays, grad, **options)
        result = made(wide, grad.astype(np.float64), **options)
        check_float64(made.name, result, exact[made.argument], bound, slack)
        narrow = made(arrays, grad, **options)
        accuracy.check(
            made.name,
            narrow,
            exact[made.argument],
            bound,
            theirs[made.argument],
            slack,
            authority_too,
        )


def grad_for(name: str, arrays: list[Any], case: Case) -> np.ndarray:
    """A gradient with respect to the result, of the case's kind of numbers."""
    shape = getattr(ops, name)(*arrays, **case.options).shape
    return numbers(np.random.default_rng(case.seed + 1), shape, case.kind)


def compare_case(accuracy: Accuracy, name: str, case: Case) -> None:
    """`compare_gradients` for a generated case."""
    arrays = case.arrays()
    compare_gradients(accuracy, name, arrays, grad_for(name, arrays, case), case.options)
