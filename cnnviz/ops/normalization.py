"""Batch normalization with given statistics and, as in training, with the batch's own; their gradients.

Beside them stands Keras's Normalization, `normalize`. Running averages are left out. Source: Ioffe and
Szegedy, "Batch Normalization", ICML 2015: algorithm 1 and section 3 for training, algorithm 2 for inference.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.arguments import (
    broadcasts_to,
    channel_sums,
    check_grad,
    check_last_axis,
    check_rank,
    floats,
    gradient,
    number,
    operation,
    parse_shape,
    quiet,
    sum_over_all_but_channels,
    sum_to,
)
from cnnviz.ops.cellwise import Rows
from cnnviz.ops.parallel import in_parallel
from cnnviz.ops.recycling import empty

CHANNELS = {
    "x": "(..., C).",
    "grad": "(..., C), the gradient with respect to the result.",
    **dict.fromkeys(("mean", "variance"), "(C,)."),
    "gamma": "(C,); None is 1.",
    "beta": "(C,); None is 0.",
    "epsilon": "Added to the variance; not negative.",
}
SMALLEST_DEVIATION = 1e-7
"""Keras's Normalization divides by no less (keras.backend.epsilon)."""

STATISTICS = dict.fromkeys(("mean", "variance"), "As in the forward call.")


# With given statistics --------------------------------------------------------------------------


@operation(
    CHANNELS,
    returns="array of x's shape",
    raises="ValueError\n    if a statistic does not have one number for each channel.",
)
def batch_norm(
    x: Any, mean: Any, variance: Any, gamma: Any = None, beta: Any = None, *, epsilon: float = 1e-3
) -> np.ndarray:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, channel by channel.

    This is the inference form: the statistics are given, not taken from x.

    >>> batch_norm([3.0], [1.0], [4.0], epsilon=0.0)
    array([1.])

    Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithm 2.
    """
    x, mean, variance, gamma, beta = floats(
        x=x, mean=mean, variance=variance, gamma=gamma, beta=beta, optional=2
    )
    scale, shift = batch_norm_affine(mean, variance, gamma, beta, epsilon=epsilon)
    check_last_axis(x, len(scale), f"mean.shape={scale.shape}")
    return _scaled(x, scale, shift)


@quiet
def batch_norm_affine(
    mean: Any, variance: Any, gamma: Any = None, beta: Any = None, *, epsilon: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """The (scale, shift) that batch normalisation amounts to: y = x*scale + shift.

    >>> batch_norm_affine([1.0], [4.0], [2.0], [3.0], epsilon=0.0)
    (array([1.]), array([2.]))
    """
    mean, variance, gamma, beta = floats(mean=mean, variance=variance, gamma=gamma, beta=beta, optional=2)
    check_rank(mean, 1, "mean", "(channels,)")
    for name, array in (("variance", variance), ("gamma", gamma), ("beta", beta)):
        if array is not None and array.shape != mean.shape:
            raise ValueError(
                f"{name} must have the shape of mean, {mean.shape}, got {name}.shape={array.shape}"
            )
    # The order of TensorFlow's tf.nn.batch_normalization, so that float32 rounds alike.
    scale = _inverse(variance, epsilon)
    if gamma is not None:
        scale = scale * gamma
    shift = -mean * scale if beta is None else beta - mean * scale
    return scale, shift


@gradient("batch_norm", "array of x's shape", **CHANNELS)
def batch_norm_input_grad(
    grad: Any, variance: Any, gamma: Any = None, *, epsilon: float = 1e-3
) -> np.ndarray:
    """The gradient of `batch_norm` with respect to x: grad * gamma / sqrt(variance + epsilon).

    >>> batch_norm_input_grad([3.0], [4.0], [10.0], epsilon=0.0)
    array([15.])
    """
    grad, variance, gamma = floats(grad=grad, variance=variance, gamma=gamma, optional=1)
    check_rank(variance, 1, "variance", "(channels,)")
    if gamma is not None and gamma.shape != variance.shape:
        raise ValueError(
            f"gamma must have the shape of variance, {variance.shape}, got gamma.shape={gamma.shape}"
        )
    scale, _ = batch_norm_affine(np.zeros_like(variance), variance, gamma, epsilon=epsilon)
    check_last_axis(grad, len(scale), f"variance.shape={variance.shape}", "grad")
    return _scaled(grad, scale)


def _scaled(x: np.ndarray, scale: np.ndarray, shift: np.ndarray | None = None) -> np.ndarray:
    """x * scale + shift, channel by channel."""
    rows, y = Rows(x.shape), empty(x.shape, x.dtype)
    numbers, results, scale = rows.of(x), rows.of(y), rows.along(scale)
    shift = None if shift is None else rows.along(shift)

    def share(bands: Iterable[slice]) -> None:
        for band in bands:
            out = np.multiply(numbers[band], scale, out=results[band])
            if shift is not None:
                out += shift

    in_parallel(share, rows.bands)
    return y


@gradient("batch_norm", "array (C,)", **CHANNELS)
def batch_norm_gamma_grad(
    x: Any, grad: Any, mean: Any, variance: Any, *, epsilon: float = 1e-3
) -> np.ndarray:
    """The gradient of `batch_norm` with respect to gamma: grad times the normalised x, summed.

    >>> batch_norm_gamma_grad([[3.0], [1.0]], [[1.0], [10.0]], [1.0], [4.0], epsilon=0.0)
    array([1.])
    """
    x, grad, mean, variance = floats(x=x, grad=grad, mean=mean, variance=variance)
    scale, _ = batch_norm_affine(mean, variance, epsilon=epsilon)
    return _centred_sum(x, grad, mean) * scale


@gradient("batch_norm", "array (C,)", **CHANNELS)
def batch_norm_beta_grad(grad: Any) -> np.ndarray:
    """The gradient of `batch_norm` and `batch_norm_training` with respect to beta: grad summed.

    >>> batch_norm_beta_grad([[1.0, 2.0], [3.0, 4.0]])
    array([4., 6.])
    """
    return channel_sums(grad)


@gradient("batch_norm", "array (C,)", **CHANNELS)
def batch_norm_mean_grad(grad: Any, variance: Any, gamma: Any = None, *, epsilon: float = 1e-3) -> np.ndarray:
    """The gradient of `batch_norm` with respect to the mean it is given.

    >>> batch_norm_mean_grad([[3.0], [1.0]], [4.0], [10.0], epsilon=0.0)
    array([-20.])
    """
    return -sum_over_all_but_channels(batch_norm_input_grad(grad, variance, gamma, epsilon=epsilon))


@gradient("batch_norm", "array (C,)", **CHANNELS)
def batch_norm_variance_grad(
    x: Any, grad: Any, mean: Any, variance: Any, gamma: Any = None, *, epsilon: float = 1e-3
) -> np.ndarray:
    """The gradient of `batch_norm` with respect to the variance it is given.

    >>> batch_norm_variance_grad([[3.0], [1.0]], [[1.0], [10.0]], [1.0], [4.0], epsilon=0.0)
    array([-0.125])
    """
    x, grad, mean, variance, gamma = floats(
        x=x, grad=grad, mean=mean, variance=variance, gamma=gamma, optional=1
    )
    # y depends on variance through scale = gamma * (variance + epsilon)**-0.5.
    scale, _ = batch_norm_affine(mean, variance, gamma, epsilon=epsilon)
    return _centred_sum(x, grad, mean) * (-0.5 * scale / (variance + epsilon))


def _centred_sum(x: np.ndarray, grad: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The sum of grad * (x - mean) over all but the channels."""
    check_last_axis(x, len(mean), f"mean.shape={mean.shape}")
    check_grad(grad, x.shape)
    return _sums(Rows(x.shape), x, grad, mean)[1]


def _sums(rows: Rows, x: np.ndarray, grad: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Of grad, and of grad * (x - mean), over all cells: (2, C)."""
    numbers, grads, along = rows.of(x), rows.of(grad), rows.along(mean)

    def work(band: slice, centred: np.ndarray) -> Iterable[np.ndarray]:
        np.subtract(numbers[band], along, out=centred)
        yield grads[band].sum(axis=0)
        yield np.einsum("rl,rl->l", grads[band], centred)

    return rows.reduced(x.dtype, 2, work).sum(axis=0)


# With the batch's own statistics -----------------------------------------------------------------


@quiet
def batch_statistics(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the variance of each channel of x (..., C): what `batch_norm_training` normalises by.

    The variance is the mean squared distance, not corrected for the batch's size.

    >>> batch_statistics([[1.0], [3.0]])
    (array([2.]), array([1.]))
    """
    (x,) = floats(x=x)
    return _moments(x, _rows(x))


@operation(
    CHANNELS,
    returns="tuple of arrays\n    The normalised x, and mean and variance (C,).",
    raises="ValueError\n    for an empty x, and gamma or beta without one number for each channel.",
)
def batch_norm_training(
    x: Any, gamma: Any = None, beta: Any = None, *, epsilon: float = 1e-3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the batch's own mean and variance.

    The variance is the mean squared distance, not corrected for the batch's size.

    >>> batch_norm_training([[1.0], [3.0]], epsilon=0.0)
    (array([[-1.],
           [ 1.]]), array([2.]), array([1.]))
    """
    x, gamma, beta = floats(x=x, gamma=gamma, beta=beta, optional=2)
    rows = _rows(x)
    for name, array in (("gamma", gamma), ("beta", beta)):
        _check_channels(array, name, x)
    mean, variance = _moments(x, rows)
    scale = _inverse(variance, epsilon)
    y, numbers = empty(x.shape, x.dtype), rows.of(x)
    along = rows.along(mean), rows.along(scale if gamma is None else scale * gamma)
    shift = None if beta is None else rows.along(beta)

    def share(bands: Iterable[slice]) -> None:
        for band in bands:
            out = np.subtract(numbers[band], along[0], out=rows.of(y)[band])
            out *= along[1]
            if shift is not None:
                out += shift

    in_parallel(share, rows.bands)
    return y, mean, variance


@gradient(
    "batch_norm_training",
    "tuple of arrays\n    With respect to x, of its shape, and to gamma and beta (C,).",
    **CHANNELS,
)
def batch_norm_training_grad(
    x: Any, grad: Any, gamma: Any = None, *, epsilon: float = 1e-3, mean: Any = None, variance: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All gradients of `batch_norm_training`, which share most of the work: those of x, gamma and beta.

    The mean and variance that the forward call returned need not be computed again.

    >>> batch_norm_training_grad([[1.0], [3.0]], [[1.0], [10.0]], epsilon=0.0)[1:]
    (array([9.]), array([11.]))
    """
    back = _Back(x, grad, gamma, epsilon, mean, variance)
    return back.x_grad(), back.gamma_grad, back.beta_grad


@gradient("batch_norm_training", "array of x's shape", **CHANNELS)
def batch_norm_training_input_grad(
    x: Any, grad: Any, gamma: Any = None, *, epsilon: float = 1e-3
) -> np.ndarray:
    """The gradient of `batch_norm_training` with respect to x, its statistics' share included.

    With z the normalised x: gamma / sqrt(variance + epsilon) * (grad - mean(grad) - z * mean(grad * z)).

    >>> batch_norm_training_input_grad([[1.0], [3.0], [2.0]], [[1.0], [0.0], [2.0]], epsilon=0.0).round(3)
    array([[-0.612],
           [-0.612],
           [ 1.225]])
    """
    return _Back(x, grad, gamma, epsilon).x_grad()


@gradient("batch_norm_training", "array (C,)", **CHANNELS)
def batch_norm_training_gamma_grad(x: Any, grad: Any, *, epsilon: float = 1e-3) -> np.ndarray:
    """The gradient of `batch_norm_training` with respect to gamma; beta's is `batch_norm_beta_grad`.

    >>> batch_norm_training_gamma_grad([[1.0], [3.0]], [[1.0], [10.0]], epsilon=0.0)
    array([9.])
    """
    return _Back(x, grad, None, epsilon).gamma_grad


class _Back:
    """The way back through `batch_norm_training`: sums over all cells, and from them the gradient of x."""

    def __init__(
        self, x: Any, grad: Any, gamma: Any, epsilon: Any, mean: Any = None, variance: Any = None
    ) -> None:
        x, grad, gamma, mean, variance = floats(
            x=x, grad=grad, gamma=gamma, mean=mean, variance=variance, optional=3
        )
        check_grad(grad, x.shape)
        self._rows = rows = _rows(x)
        for name, array in (("gamma", gamma), ("mean", mean), ("variance", variance)):
            _check_channels(array, name, x)
        if mean is None or variance is None:
            mean, variance = _moments(x, rows)
        self._x, self._grad, self._mean = rows.of(x), rows.of(grad), rows.along(mean)
        self._shape, self._inverse = x.shape, _inverse(variance, epsilon)
        self._factor = self._inverse if gamma is None else self._inverse * gamma
        self.beta_grad, along = _sums(rows, x, grad, mean)
        self.gamma_grad = along * self._inverse

    def x_grad(self) -> np.ndarray:
        rows, count = self._rows, self._rows.cells
        common, slope = self.beta_grad / count, self.gamma_grad / count * self._inverse
        common, slope, factor = (rows.along(numbers) for numbers in (common, slope, self._factor))
        result = empty(self._shape, self._x.dtype)
        numbers = rows.of(result)

        def share(bands: Iterable[slice]) -> None:
            for band in bands:
                out = np.subtract(self._x[band], self._mean, out=numbers[band])
                out *= slope
                np.subtract(self._grad[band], out, out=out)
                out -= common
                out *= factor

        in_parallel(share, rows.bands)
        return result


def _rows(x: np.ndarray) -> Rows:
    if x.ndim < 1 or not x.size:
        raise ValueError(f"x must be (..., channels) and hold numbers, got x.shape={x.shape}")
    return Rows(x.shape)


def _moments(x: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Each channel's mean, and its mean squared distance from that.

    Both of each band while that is in the cache, then of all: Chan, Golub and LeVeque, "Algorithms for
    computing the sample variance", The American Statistician 37, 1983, equation 2.1.
    """
    numbers = rows.of(x)
    cells = np.array([len(numbers[band]) for band in rows.bands], x.dtype) * (rows.length // rows.channels)

    def work(band: slice, centred: np.ndarray) -> Iterable[np.ndarray]:
        sums = numbers[band].sum(axis=0)
        yield sums
        mean = rows.folded(sums) / (centred.size // rows.channels)
        np.subtract(numbers[band], rows.along(mean), out=centred)
        yield np.einsum("rl,rl->l", centred, centred)

    sums, squares = rows.reduced(x.dtype, 2, work).swapaxes(0, 1)
    mean = sums.sum(axis=0) / rows.cells
    apart = sums / cells[:, np.newaxis] - mean
    return mean, (squares.sum(axis=0) + cells @ (apart * apart)) / rows.cells


def _inverse(variance: np.ndarray, epsilon: Any) -> np.ndarray:
    """1 / sqrt(variance + epsilon)."""
    added = number(epsilon, "epsilon")
    if not added >= 0:
        raise ValueError(f"epsilon must not be negative, got {brief(epsilon)}")
    return 1 / np.sqrt(variance + added)


def _check_channels(array: np.ndarray | None, name: str, x: np.ndarray) -> None:
    if array is not None and array.shape != x.shape[-1:]:
        raise ValueError(
            f"{name} must have one number for each channel of x.shape={x.shape}, "
            f"got {name}.shape={array.shape}"
        )


# Keras's Normalization ---------------------------------------------------------------------------


@quiet
def normalize(x: Any, mean: Any, variance: Any) -> np.ndarray:
    """(x - mean) / sqrt(variance), the square root kept above 1e-7, as Keras's Normalization.

    >>> normalize([[3.0]], [1.0], [4.0])
    array([[1.]])
    """
    x, mean, variance = floats(x=x, mean=mean, variance=variance)
    for name, array in (("mean", mean), ("variance", variance)):
        if not broadcasts_to(array.shape, x.shape):
            raise ValueError(f"{name} must broadcast to x.shape={x.shape}, got {name}.shape={array.shape}")
    return (x - mean) / deviation_of(variance)


@gradient("normalize", "array of x's shape", **STATISTICS)
def normalize_grad(grad: Any, variance: Any) -> np.ndarray:
    """The gradient of `normalize` with respect to x: grad / sqrt(variance), the root kept above 1e-7.

    >>> normalize_grad([[3.0]], [4.0])
    array([[1.5]])
    """
    grad, variance = floats(grad=grad, variance=variance)
    _check_broadcasts(variance.shape, grad.shape, "variance")
    return grad / deviation_of(variance)


@gradient("normalize", "array of mean_shape", mean_shape="The shape of mean.", **STATISTICS)
def normalize_mean_grad(grad: Any, mean_shape: Any, variance: Any) -> np.ndarray:
    """The gradient of `normalize` with respect to the mean.

    >>> normalize_mean_grad([[3.0], [5.0]], (1,), [4.0])
    array([-4.])
    """
    shape = parse_shape(mean_shape, "mean_shape")
    x_grad = normalize_grad(grad, variance)
    _check_broadcasts(shape, x_grad.shape, "mean")
    return -sum_to(x_grad, shape)


@gradient("normalize", "array of the shape of variance", **STATISTICS)
def normalize_variance_grad(x: Any, grad: Any, mean: Any, variance: Any) -> np.ndarray:
    """The gradient of `normalize` with respect to the variance; 0 where the root is 1e-7.

    >>> normalize_variance_grad([[3.0], [5.0]], [[1.0], [1.0]], [1.0], [4.0])
    array([-0.375])
    """
    x, grad, mean, variance = floats(x=x, grad=grad, mean=mean, variance=variance)
    check_grad(grad, x.shape)
    for name, array in (("mean", mean), ("variance", variance)):
        _check_broadcasts(array.shape, x.shape, name)
    deviation = deviation_of(variance)
    slope = np.where(np.sqrt(variance) >= x.dtype.type(SMALLEST_DEVIATION), -0.5 / deviation**3, 0)
    return sum_to(grad * (x - mean), variance.shape) * slope


def deviation_of(variance: np.ndarray) -> np.ndarray:
    """What Keras's Normalization divides by."""
    return np.maximum(np.sqrt(variance), variance.dtype.type(SMALLEST_DEVIATION))


def _check_broadcasts(shape: tuple[int, ...], target: tuple[int, ...], name: str) -> None:
    if not broadcasts_to(shape, target):
        raise ValueError(f"{name} must broadcast to shape {target}, got {name}.shape={shape}")
