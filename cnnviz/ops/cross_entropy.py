"""Softmax cross-entropy from logits: the loss that classifiers are trained with, and its gradient.

The logarithm of a softmax is taken without forming the softmax, so no probability is too small.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.activations import log_softmax, softmax
from cnnviz.ops.arguments import check_grad, floats, gradient, operation

PARAMETERS = {
    "logits": "(..., classes).",
    "labels": "(...) integers from 0, the right classes; or (..., classes), a probability for each.",
    "reduction": '"none": a loss for each image; "mean": their mean, NaN if there are no images.',
    "grad": "The gradient with respect to the result, of its shape; None is ones.",
}


@operation(
    PARAMETERS,
    returns="array (...), or () for the mean\n    float64 if any argument is, else float32.",
    raises="ValueError\n    for shapes that do not fit, a class that does not exist, an unknown reduction.\n"
    "TypeError\n    for classes that are not integers.",
)
def softmax_cross_entropy(logits: Any, labels: Any, *, reduction: str = "none") -> np.ndarray:
    """The cross-entropy of labels and softmax(logits): -log of the probability of the right class.

    >>> softmax_cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    array([0.69314718, 0.69314718])
    """
    logits, weights = _arguments(logits, labels, reduction)
    # 0 * -inf counts as 0: a class that is not wanted may be impossible.
    terms = np.where(weights == 0, 0, weights * log_softmax(logits))
    losses = -terms.sum(axis=-1)
    return np.asarray(losses if reduction == "none" else losses.sum() / losses.size)


@gradient("softmax_cross_entropy", "array (..., classes)", **PARAMETERS)
def softmax_cross_entropy_grad(
    logits: Any, labels: Any, grad: Any = None, *, reduction: str = "none"
) -> np.ndarray:
    """The gradient of `softmax_cross_entropy` with respect to the logits: softmax - labels.

    It is exact even for labels that do not add up to 1, where TensorFlow's is not.

    >>> softmax_cross_entropy_grad([[0.0, 0.0]], [1])
    array([[ 0.5, -0.5]])
    """
    logits, weights = _arguments(logits, labels, reduction)
    shape = logits.shape[:-1] if reduction == "none" else ()
    grad = np.ones(shape, logits.dtype) if grad is None else grad
    logits, weights, grad = floats(logits=logits, labels=weights, grad=grad)
    check_grad(grad, shape)
    if reduction == "mean":
        grad = grad / math.prod(logits.shape[:-1])
    total = weights.sum(axis=-1, keepdims=True)
    return (softmax(logits) * total - weights) * grad[..., np.newaxis]


def _arguments(logits: Any, labels: Any, reduction: Any) -> list[np.ndarray]:
    """logits, and the weight of each class."""
    if reduction not in ("none", "mean"):
        raise ValueError(f"reduction must be 'none' or 'mean', got {brief(reduction)}")
    (logits,) = floats(logits=logits)
    if logits.ndim < 1 or not logits.shape[-1]:
        raise ValueError(f"logits must be (..., classes), got logits.shape={logits.shape}")
    (checked,) = floats(labels=labels)
    if checked.shape == logits.shape:
        return floats(logits=logits, labels=labels)
    if checked.shape != logits.shape[:-1]:
        raise ValueError(
            f"labels must have shape {logits.shape[:-1]} (classes) or {logits.shape} (probabilities) to go "
            f"with logits.shape={logits.shape}, got labels.shape={checked.shape}"
        )
    classes = np.asarray(labels)
    if classes.size and classes.dtype.kind not in "iu":
        raise TypeError(f"classes in labels must be integers, got dtype {classes.dtype}")
    if classes.size and not 0 <= classes.min() <= classes.max() < logits.shape[-1]:
        raise ValueError(
            f"classes in labels must be from 0 to {logits.shape[-1] - 1}, "
            f"got {classes.min()} to {classes.max()}"
        )
    return [logits, np.eye(logits.shape[-1], dtype=logits.dtype)[classes.astype(np.intp)]]
