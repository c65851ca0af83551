"""TensorFlow as the authority: the engine's signatures, computed by tf.nn and keras.

Each function takes what the operation of the same name in cnnviz.ops takes (4-D arrays, pairs) and
returns TensorFlow's result, in the dtype of its arguments. Where TensorFlow's CPU kernels cannot do
a case in float64, an equal case that they can do stands in for it: only the float64 evaluation does.
"""

from __future__ import annotations

import os
import warnings
from functools import reduce
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras
    import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

Pair = tuple[int, int]


def conv2d(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    strides: Pair = (1, 1),
    padding: Any = "valid",
    dilation_rate: Pair = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """tf.nn.conv2d, which takes the groups from the shapes.

    TensorFlow 2.21 with oneDNN leaves the lower rows of a float32 result unset if x has one channel
    and the result one column, strides being (1, 2 or more). A second channel of zeros avoids it.
    """
    assert x.shape[3] == kernel.shape[2] * groups
    if x.dtype == np.float32 and x.shape[3] == 1 and strides[1] > strides[0] == 1:
        x, kernel = (np.concatenate([a, np.zeros_like(a)], axis) for a, axis in ((x, 3), (kernel, 2)))
    y = tf.nn.conv2d(x, kernel, strides, _padding(padding), dilations=dilation_rate)
    return _biased(y, bias)


def depthwise_conv2d(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    strides: Pair = (1, 1),
    padding: Any = "valid",
    dilation_rate: Pair = (1, 1),
) -> np.ndarray:
    """tf.nn.depthwise_conv2d; as a grouped convolution where that has no CPU kernel.

    It has none for strides and dilation together, nor for unequal strides: those are an error in
    float64 and silently wrong numbers in float32 (TensorFlow 2.21).
    """
    if dilation_rate == (1, 1) and strides[0] == strides[1]:
        return _biased(tf.nn.depthwise_conv2d(x, kernel, (1, *strides, 1), _padding(padding)), bias)
    if strides == (1, 1) and isinstance(padding, str):
        y = tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), _padding(padding), dilations=dilation_rate)
        return _biased(y, bias)
    kh, kw, channels, multiplier = kernel.shape
    grouped = kernel.reshape(kh, kw, 1, channels * multiplier)
    return conv2d(
        x, grouped, bias, strides=strides, padding=padding, dilation_rate=dilation_rate, groups=channels
    )


def separable_conv2d(
    x: np.ndarray,
    depthwise_kernel: np.ndarray,
    pointwise_kernel: np.ndarray,
    bias: np.ndarray | None = None,
    **options: Any,
) -> np.ndarray:
    """The two steps of tf.nn.separable_conv2d; in one call where it can do it."""
    one_call = options["strides"][0] == options["strides"][1] and options["dilation_rate"] == (1, 1)
    if one_call and isinstance(options["padding"], str):
        strides, padding = (1, *options["strides"], 1), options["padding"].upper()
        return _biased(tf.nn.separable_conv2d(x, depthwise_kernel, pointwise_kernel, strides, padding), bias)
    return conv2d(depthwise_conv2d(x, depthwise_kernel, **options), pointwise_kernel, bias)


def conv2d_transpose(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    strides: Pair = (1, 1),
    padding: Any = "valid",
    output_padding: Pair | None = None,
    dilation_rate: Pair = (1, 1),
) -> np.ndarray:
    """keras.ops.conv_transpose; explicit padding as the gradient of a convolution that has it."""
    if x.dtype == np.float64 or not isinstance(padding, str):
        kernel, dilation_rate = dilated(kernel, dilation_rate), (1, 1)
    if isinstance(padding, str):
        y = keras.ops.conv_transpose(
            x,
            kernel,
            strides=strides,
            padding=padding,
            output_padding=output_padding,
            dilation_rate=dilation_rate,
        )
        return _biased(y, bias)
    full = [
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(x.shape[1:3], strides, kernel.shape[:2], dilation_rate, strict=True)
    ]
    extra = output_padding or (0, 0)
    size = [f - sum(cut) + e for f, cut, e in zip(full, padding, extra, strict=True)]
    y = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[x.shape[0], *size, kernel.shape[2]],
        filter=kernel,
        out_backprop=x,
        strides=[1, *strides, 1],
        padding="EXPLICIT",
        explicit_paddings=np.ravel(
            [(0, 0), *((b, max(a - e, 0)) for (b, a), e in zip(padding, extra, strict=True)), (0, 0)]
        ).tolist(),
    )
    return _biased(y, bias)


def max_pool2d(x: np.ndarray, pool_size: Pair, *, strides: Pair | None = None, padding: Any) -> np.ndarray:
    """tf.nn.max_pool2d."""
    return tf.nn.max_pool2d(tf.constant(x), pool_size, strides or pool_size, _padding(padding)).numpy()


def avg_pool2d(x: np.ndarray, pool_size: Pair, *, strides: Pair | None = None, padding: Any) -> np.ndarray:
    """tf.nn.avg_pool2d; explicit padding as zeros, not counted, around x."""
    if isinstance(padding, str):
        return tf.nn.avg_pool2d(x, pool_size, strides or pool_size, _padding(padding)).numpy()
    options = {"strides": strides, "padding": "valid"}
    around = ((0, 0), *padding, (0, 0))
    total = avg_pool2d(np.pad(x, around), pool_size, **options)
    return total / avg_pool2d(np.pad(np.ones_like(x), around), pool_size, **options)


def dilated(kernel: np.ndarray, rate: Pair) -> np.ndarray:
    """The kernel with zeros between its taps: convolving with it needs no dilation."""
    kh, kw = kernel.shape[:2]
    spread = np.zeros(((kh - 1) * rate[0] + 1, (kw - 1) * rate[1] + 1, *kernel.shape[2:]), kernel.dtype)
    spread[:: rate[0], :: rate[1]] = kernel
    return spread


def _padding(padding: Any) -> Any:
    return padding.upper() if isinstance(padding, str) else [(0, 0), *padding, (0, 0)]


def _biased(y: Any, bias: np.ndarray | None) -> np.ndarray:
    return np.asarray(y if bias is None else tf.nn.bias_add(y, bias))


def global_max_pool2d(x: np.ndarray, *, keepdims: bool = False) -> np.ndarray:
    """keras.layers.GlobalMaxPooling2D."""
    return layer("GlobalMaxPooling2D", x, keepdims=keepdims)


def global_avg_pool2d(x: np.ndarray, *, keepdims: bool = False) -> np.ndarray:
    """keras.layers.GlobalAveragePooling2D."""
    return layer("GlobalAveragePooling2D", x, keepdims=keepdims)


def batch_norm(
    x: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    gamma: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    *,
    epsilon: float = 1e-3,
) -> np.ndarray:
    """What keras.layers.BatchNormalization computes in inference."""
    scale = {} if gamma is None else {"scale": gamma}
    offset = {} if beta is None else {"offset": beta}
    return keras.ops.batch_normalization(x, mean, variance, -1, epsilon=epsilon, **scale, **offset).numpy()


def dense(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """What keras.layers.Dense computes: a matmul and a bias."""
    y = keras.ops.matmul(x, kernel)
    return np.asarray(y if bias is None else tf.add(y, bias))


def merge(name: str, xs: list[np.ndarray]) -> np.ndarray:
    """The elementwise merge of this name, by tf.add, tf.subtract, ...

    Not by Keras's layers: keras.ops.add (Keras 3.15) takes a second argument of shape (N, 1, 1, 1)
    for a bias if the first has N rows, and adds it along the wrong axis.
    """
    combine = tf.add if name == "average" else getattr(tf, name)
    merged = reduce(combine, xs[1:], tf.constant(xs[0]))
    return np.asarray(merged / len(xs) if name == "average" else merged)


def layer(kind: str, x: Any, *weights: np.ndarray, **config: Any) -> np.ndarray:
    """What the Keras layer of this class returns, in the dtype of x (an array, or a list of them)."""
    first = x if isinstance(x, np.ndarray) else x[0]
    made = getattr(keras.layers, kind)(**config, dtype=first.dtype.name)
    if weights:
        made.build(first.shape)
        made.set_weights(list(weights))
    return np.asarray(made(x))


def activation(name: str, x: np.ndarray, **options: Any) -> np.ndarray:
    """keras.activations' function of this name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis")  # of length 1
        return np.asarray(getattr(keras.activations, name)(tf.constant(x), **options))


def wide_activation(name: str, x: np.ndarray, **options: Any) -> np.ndarray:
    """`activation` in float64; gelu written out, as TensorFlow takes its constants through float32."""
    if name != "gelu":
        return activation(name, x, **options)
    if options.get("approximate"):
        share = 1 + tf.math.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)).numpy()
    else:
        share = 1 + tf.math.erf(x / np.sqrt(2)).numpy()
    return 0.5 * x * share


def activation_slope(name: str, x: np.ndarray, **options: Any) -> np.ndarray:
    """The derivative of keras.activations' function, by tf.GradientTape."""
    point = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(point)
        y = getattr(keras.activations, name)(point, **options)
    return tape.gradient(y, point).numpy()
