"""TensorFlow's gradients, by tf.GradientTape, as the authority for those of cnnviz.ops.

Forward functions take what the operations of cnnviz.ops take, as tensors. They are put together from
what TensorFlow's CPU kernels can differentiate in float32 and in float64 alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from harness.authority import keras, tf

Pair = tuple[int, int]


def gradients(
    forward: Callable[..., Any], arrays: Sequence[np.ndarray | None], grad: np.ndarray, **options: Any
) -> list[np.ndarray | None]:
    """The vector-Jacobian products of forward(*arrays, **options) with grad, one for each array."""
    tensors = [None if array is None else tf.constant(array) for array in arrays]
    watched = [tensor for tensor in tensors if tensor is not None]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        y = forward(*tensors, **options)
    found = iter(tape.gradient(y, watched, tf.constant(grad), unconnected_gradients="zero"))
    return [None if tensor is None else np.asarray(next(found)) for tensor in tensors]


def conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Pair = (1, 1),
    padding: Any = "valid",
    dilation_rate: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """tf.nn.conv2d, group by group, with the kernel's holes filled up: no CPU kernel has those gradients."""
    kernel = _dilated(kernel, dilation_rate)
    parts = zip(tf.split(x, groups, 3), tf.split(kernel, groups, 3), strict=True)
    y = tf.concat([tf.nn.conv2d(part, k, strides, _padding(padding)) for part, k in parts], 3)
    return y if bias is None else tf.nn.bias_add(y, bias)


def depthwise_conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Pair = (1, 1),
    padding: Any = "valid",
    dilation_rate: Pair = (1, 1),
) -> Any:
    """tf.nn.depthwise_conv2d; strides that differ by taking every so many of the outputs of stride 1."""
    kernel = _dilated(kernel, dilation_rate)
    sides = padding
    if isinstance(padding, str):
        sides = [
            _same(*sizes) if padding == "same" else (0, 0)
            for sizes in zip(x.shape[1:3], kernel.shape[:2], strides, strict=True)
        ]
    x = tf.pad(x, [(0, 0), *sides, (0, 0)])
    if strides[0] == strides[1]:
        y = tf.nn.depthwise_conv2d(x, kernel, (1, *strides, 1), "VALID")
    else:
        y = tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "VALID")[:, :: strides[0], :: strides[1]]
    return y if bias is None else tf.nn.bias_add(y, bias)


def separable_conv2d(x: Any, deep: Any, point: Any, bias: Any = None, **options: Any) -> Any:
    """Its two steps."""
    return conv2d(depthwise_conv2d(x, deep, **options), point, bias)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Pair = (1, 1),
    padding: Any = "valid",
    output_padding: Pair | None = None,
    dilation_rate: Pair = (1, 1),
) -> Any:
    """keras.ops.conv_transpose; explicit padding as a crop of what comes out without.

    Its gradient is a convolution, which leaves rows unset where `authority.conv2d` says; a second filter
    of zeros avoids it.
    """
    kernel = _dilated(kernel, dilation_rate)
    if x.dtype == tf.float32 and kernel.shape[2] == 1 and strides[1] > strides[0] == 1:
        wider = tf.concat([kernel, tf.zeros_like(kernel)], 2)
        options = {"strides": strides, "padding": padding, "output_padding": output_padding}
        y = conv2d_transpose(x, wider, **options)[..., :1]
        return y if bias is None else tf.nn.bias_add(y, bias)
    extra = output_padding or (0, 0)
    if isinstance(padding, str):
        y = keras.ops.conv_transpose(
            x, kernel, strides=strides, padding=padding, output_padding=output_padding
        )
    else:
        full = keras.ops.conv_transpose(x, kernel, strides=strides, padding="valid", output_padding=extra)
        (top, bottom), (left, right) = padding
        y = full[:, top : full.shape[1] - bottom, left : full.shape[2] - right]
    return y if bias is None else tf.nn.bias_add(y, bias)


def max_pool2d(x: Any, pool_size: Pair, *, strides: Pair | None = None, padding: Any = "valid") -> Any:
    """tf.nn.max_pool2d."""
    return tf.nn.max_pool2d(x, pool_size, strides or pool_size, _padding(padding))


def avg_pool2d(x: Any, pool_size: Pair, *, strides: Pair | None = None, padding: Any = "valid") -> Any:
    """tf.nn.avg_pool2d; padding as zeros, not counted, around x.

    'same' is written out: TensorFlow 2.21's float64 gradient is wrong for a window wider than x.
    """
    if padding == "valid":
        return tf.nn.avg_pool2d(x, pool_size, strides or pool_size, "VALID")
    if padding == "same":
        sizes = zip(x.shape[1:3], pool_size, strides or pool_size, strict=True)
        missing = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in sizes]
        padding = [(m // 2, m - m // 2) for m in missing]
    around = ((0, 0), *padding, (0, 0))
    total = avg_pool2d(tf.pad(x, around), pool_size, strides=strides)
    return total / avg_pool2d(tf.pad(tf.ones_like(x), around), pool_size, strides=strides)


def global_max_pool2d(x: Any, *, keepdims: bool = False) -> Any:
    """keras.layers.GlobalMaxPooling2D."""
    return keras.layers.GlobalMaxPooling2D(keepdims=keepdims, dtype=x.dtype.name)(x)


def global_avg_pool2d(x: Any, *, keepdims: bool = False) -> Any:
    """keras.layers.GlobalAveragePooling2D."""
    return keras.layers.GlobalAveragePooling2D(keepdims=keepdims, dtype=x.dtype.name)(x)


def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    """What keras.layers.Dense computes."""
    y = keras.ops.matmul(x, kernel)
    return y if bias is None else y + bias


def batch_norm(x: Any, mean: Any, variance: Any, gamma: Any, beta: Any, *, epsilon: float) -> Any:
    """What keras.layers.BatchNormalization computes in inference."""
    scale = {} if gamma is None else {"scale": gamma}
    offset = {} if beta is None else {"offset": beta}
    return keras.ops.batch_normalization(x, mean, variance, -1, epsilon=epsilon, **scale, **offset)


def batch_norm_training(x: Any, gamma: Any, beta: Any, *, epsilon: float) -> Any:
    """What keras.layers.BatchNormalization computes in training."""
    mean, variance = keras.ops.moments(x, axes=list(range(len(x.shape) - 1)))
    return batch_norm(x, mean, variance, gamma, beta, epsilon=epsilon)


def activation(name: str) -> Callable[..., Any]:
    """keras.activations' function of this name; gelu written out, whose constants go through float32."""
    return _gelu if name == "gelu" else getattr(keras.activations, name)


def _gelu(x: Any, *, approximate: bool = False) -> Any:
    if approximate:
        return 0.5 * x * (1 + tf.math.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * tf.math.erfc(x * -np.sqrt(0.5))


def prelu(x: Any, alpha: Any) -> Any:
    """What keras.layers.PReLU computes."""
    return keras.activations.relu(x) - alpha * keras.activations.relu(-x)


def merge(name: str) -> Callable[..., Any]:
    """The elementwise merge of this name, by tf.add, tf.subtract, ..."""
    combine = tf.add if name == "average" else getattr(tf, name)
    return lambda *xs: reduce(combine, xs) / (len(xs) if name == "average" else 1)


def normalize(x: Any, mean: Any, variance: Any) -> Any:
    """What keras.layers.Normalization computes."""
    return (x - mean) / keras.ops.maximum(keras.ops.sqrt(variance), keras.config.epsilon())


def _dilated(kernel: Any, rate: Pair) -> Any:
    """The kernel with zeros between its taps."""
    for axis, step in enumerate(rate):
        if step == 1:
            continue
        size = kernel.shape[axis]
        spread = np.zeros(((size - 1) * step + 1, size))
        spread[::step] = np.eye(size)
        kernel = tf.einsum(
            "ak,klcf->alcf" if axis == 0 else "al,klcf->kacf", spread.astype(kernel.dtype.name), kernel
        )
    return kernel


def _same(size: int, kernel: int, stride: int) -> Pair:
    """TensorFlow's 'SAME' padding of one axis (tf.nn, "Notes on padding")."""
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


def _padding(padding: Any) -> Any:
    return padding.upper() if isinstance(padding, str) else [(0, 0), *padding, (0, 0)]
