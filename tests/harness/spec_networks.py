"""Generated networks: layer specs, and beside each the TensorFlow function that it stands for.

All weights are positive and every layer is linear (a mean stands for a maximum, a sum for a
product), so that a cell reaches a unit exactly if the gradient between them is not zero. All is
float64: TensorFlow's float32 convolution (oneDNN's) is wrong where strides leave one column of outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cnnviz.receptive_fields import (
    Branches,
    Conv,
    Crop,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalPool,
    Identity,
    Permute,
    Pool,
    Reshape,
    SeparableConv,
    TransposedConv,
    Upsample,
    ZeroPad,
)
from harness.authority import dilated, keras, tf

L = keras.layers
Function = Callable[[Any], Any]
Draw = Callable[..., Any]

LARGEST = 12
"""No map is higher or wider: the test differentiates every unit of it."""


@dataclass(repr=False)
class Twin:
    """Specs, and the functions of their layers: one each, or a list of twins and one that joins them."""

    specs: list[Any] = field(default_factory=list)
    functions: list[Any] = field(default_factory=list)

    def __repr__(self) -> str:
        return repr(self.specs)

    def outputs(self, x: Any) -> list[Any]:
        """What every layer returns, in the order of the table."""
        found = []
        for function in self.functions:
            if isinstance(function, tuple):
                paths, join = function
                outputs = [path.outputs(x) for path in paths]
                found += [y for path in outputs for y in path]
                x = join([path[-1] if path else x for path in outputs])
            else:
                x = function(x)
            found.append(x)
        return found


@dataclass(frozen=True, repr=False)
class Network:
    """A generated network: its input's (height, width, channels), its specs, its TensorFlow twin."""

    shape: tuple[int, int, int]
    twin: Twin

    def __repr__(self) -> str:
        return f"Network({self.shape}, {self.twin.specs})"

    def reach(self) -> list[np.ndarray]:
        """For every layer, which cells reach which unit."""
        return reach(self.twin.outputs, self.shape)


def reach(outputs: Callable[[Any], list[Any]], shape: tuple[int, ...]) -> list[np.ndarray]:
    """Where gradients are not zero, for every tensor that a function of images returns.

    Bool arrays (units..., height, width), with a map's (height, width) units or a vector's.
    """
    sizes = [tuple(y.shape[1:]) for y in outputs(tf.ones((1, *shape), "float64"))]
    places = [size[:-1] or size for size in sizes]
    counts = [int(np.prod(place)) for place in places]
    rng = np.random.default_rng(0)
    x = tf.constant(rng.uniform(0.5, 1.5, (max(counts, default=1), *shape)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        found = outputs(x)
    reached = []
    for y, size, place, units in zip(found, sizes, places, counts, strict=True):
        # Image n of the batch asks for unit n, with each channel weighted: softmax's sum has no gradient.
        channels = int(np.prod(size)) // units
        seed = np.zeros((len(x), units, channels))
        seed[np.arange(units), np.arange(units)] = rng.uniform(0.5, 1.5, channels)
        # TensorFlow resizes into float32.
        gradient = tape.gradient(y, x, tf.cast(seed.reshape(-1, *size), y.dtype)).numpy()[:units]
        reached.append((gradient != 0).any(axis=-1).reshape(*place, *shape[:2]))
    return reached


@st.composite
def networks(draw: Draw) -> Network:
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.sampled_from([1, 2, 4])))
    twin, after = _layers(draw, shape, draw(st.integers(1, 5)), depth=0)
    if draw(st.booleans()):
        _end(draw, twin, after)
    return Network(shape, twin)


def _layers(draw: Draw, shape: Any, count: int, depth: int) -> tuple[Twin, Any]:
    """Some layers in a row, and the shape behind them."""
    twin = Twin()
    for _ in range(count):
        kinds = [*_KINDS, _branches, _branches] if depth < 2 else _KINDS
        spec, function = draw(st.sampled_from(kinds))(draw, shape, depth)
        after = _shape(function, shape)
        if max(after[:2]) <= LARGEST and after[2] <= 16:
            twin.specs.append(spec)
            twin.functions.append(function)
            shape = after
    return twin, shape


def _shape(function: Any, shape: Any) -> Any:
    x = tf.ones((1, *shape), "float64")
    return tuple(Twin([], [function]).outputs(x)[-1].shape[1:])


# One layer --------------------------------------------------------------------------------------


def _sizes(draw: Draw, low: int, high: int) -> tuple[int, int]:
    return draw(st.integers(low, high)), draw(st.integers(low, high))


def _weights(draw: Draw, *shape: int) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return rng.uniform(0.5, 1.5, shape)


def _sides(draw: Draw, low: int, high: int) -> Any:
    return _sizes(draw, low, high), _sizes(draw, low, high)


def _window(draw: Draw, shape: Any, most: int = 4) -> tuple[Any, Any, Any, Any]:
    """Kernel, strides, padding and dilation of a convolution that fits."""
    kernel, strides, dilation = _sizes(draw, 1, most), _sizes(draw, 1, 3), (1, 1)
    if draw(st.booleans()):
        dilation, strides = _sizes(draw, 1, 3), draw(st.sampled_from([(1, 1), strides]))
    padding: Any = draw(st.sampled_from(["valid", "same", "same", "explicit"]))
    if padding == "explicit":
        padding = _sides(draw, 0, 3)
    # A window must fit into its (padded) input; 'same' makes it fit.
    around = (0, 0) if isinstance(padding, str) else tuple(map(sum, padding))
    room = [size + more for size, more in zip(shape[:2], around, strict=True)]
    if padding != "same":
        kernel = tuple(min(k, (n - 1) // d + 1) for k, n, d in zip(kernel, room, dilation, strict=True))
    return kernel, strides, padding, dilation


def _conv(draw: Draw, shape: Any, depth: int) -> Any:
    kernel, strides, padding, dilation = _window(draw, shape)
    groups = draw(st.sampled_from([n for n in (1, 2, 4) if shape[2] % n == 0]))
    filters = groups * draw(st.integers(1, 2))
    weights = dilated(_weights(draw, *kernel, shape[2], filters), dilation)
    spec = Conv(kernel, strides, padding, dilation, filters, groups)
    return spec, _convolution(weights, strides, padding, groups)


def _convolution(weights: np.ndarray, strides: Any, padding: Any, groups: int) -> Function:
    """tf.nn.conv2d of weights with zeros between taps and groups: CPUs have no other gradient."""
    around = padding.upper() if isinstance(padding, str) else [(0, 0), *padding, (0, 0)]
    channels, filters = weights.shape[2:]
    group_in, group_out = (np.arange(n) * groups // n for n in (channels, filters))
    weights = weights * (group_in[:, None] == group_out)
    return lambda x: tf.nn.conv2d(x, weights, strides, around)


def _depthwise(draw: Draw, shape: Any, depth: int) -> Any:
    kernel, strides, padding, dilation = _window(draw, shape)
    times = draw(st.integers(1, 2))
    weights = dilated(_weights(draw, *kernel, shape[2], shape[2] * times), dilation)
    spec = DepthwiseConv(kernel, strides, padding, dilation, times)
    return spec, _convolution(weights, strides, padding, shape[2])


def _separable(draw: Draw, shape: Any, depth: int) -> Any:
    kernel, strides, *_ = _window(draw, shape)
    kernel = tuple(min(k, n) for k, n in zip(kernel, shape[:2], strict=True))
    filters = draw(st.integers(1, 3))
    deep, point = _weights(draw, *kernel, shape[2], 2), _weights(draw, 1, 1, 2 * shape[2], filters)
    return SeparableConv(kernel, strides[0], "same", filters=filters), lambda x: tf.nn.separable_conv2d(
        x, deep, point, (1, strides[0], strides[0], 1), "SAME"
    )


def _pool(draw: Draw, shape: Any, depth: int) -> Any:
    padding = draw(st.sampled_from(["valid", "same"]))
    size = tuple(min(k, n) for k, n in zip(_sizes(draw, 1, 3), shape[:2], strict=True))
    strides = draw(st.one_of(st.none(), st.just(_sizes(draw, 1, 3))))
    return Pool(size, strides, padding), lambda x: tf.nn.avg_pool2d(x, size, strides or size, padding.upper())


def _transposed(draw: Draw, shape: Any, depth: int) -> Any:
    kernel, strides, dilation = _sizes(draw, 1, 4), _sizes(draw, 1, 3), draw(st.sampled_from([1, 1, 2]))
    padding = draw(st.sampled_from(["valid", "same", "crop"]))
    extent = tuple((k - 1) * dilation + 1 for k in kernel)
    filters = draw(st.integers(1, 2))
    extra = None
    if padding == "valid" and draw(st.booleans()):
        extra = tuple(draw(st.integers(0, s - 1)) for s in strides)
    # Keras has strides or dilation here: zeros between the taps stand in.
    weights = dilated(_weights(draw, *kernel, filters, shape[2]), (dilation, dilation))

    def layer(x: Any) -> Any:
        how = "same" if padding == "same" else "valid"
        return keras.ops.conv_transpose(x, weights, strides, how, extra, "channels_last")

    if padding != "crop":
        return TransposedConv(kernel, strides, padding, dilation, extra, filters), layer
    full = [(n - 1) * s + k for n, s, k in zip(shape[:2], strides, extent, strict=True)]
    cut = tuple(_split(draw, draw(st.integers(0, min(size - 1, 3)))) for size in full)
    (top, bottom), (left, right) = cut
    rows, cols = slice(top, full[0] - bottom), slice(left, full[1] - right)
    spec = TransposedConv(kernel, strides, cut, dilation, filters=filters)
    return spec, lambda x: layer(x)[:, rows, cols]


def _split(draw: Draw, total: int) -> tuple[int, int]:
    first = draw(st.integers(0, total))
    return first, total - first


def _upsample(draw: Draw, shape: Any, depth: int) -> Any:
    size = _sizes(draw, 1, 3)
    kind = draw(st.sampled_from(["nearest", "bilinear"]))
    return Upsample(size, kind), L.UpSampling2D(size, interpolation=kind, dtype="float64")


def _zero_pad(draw: Draw, shape: Any, depth: int) -> Any:
    sides = _sides(draw, 0, 3)
    return ZeroPad(sides), lambda x: tf.pad(x, [(0, 0), *sides, (0, 0)])


def _crop(draw: Draw, shape: Any, depth: int) -> Any:
    sides = tuple(_split(draw, draw(st.integers(0, min(3, n - 1)))) for n in shape[:2])
    return Crop(sides), _cropping(sides, shape)


def _cropping(sides: Any, shape: Any) -> Function:
    rows, cols = (slice(a, n - b) for (a, b), n in zip(sides, shape[:2], strict=True))
    return lambda x: x[:, rows, cols]


def _permute(draw: Draw, shape: Any, depth: int) -> Any:
    dims = draw(st.sampled_from([(2, 1, 3), (2, 1, 3), (2, 1, 3), (3, 1, 2), (1, 3, 2)]))
    return Permute(dims), lambda x: tf.transpose(x, (0, *dims))


def _reshape(draw: Draw, shape: Any, depth: int) -> Any:
    height, width, channels = shape
    target = draw(
        st.sampled_from(
            [
                (width, height, channels),
                (height, width * channels, 1),
                (channels, width, height),
                (-1, 1, width),
            ]
        )
    )
    return Reshape(target), lambda x: tf.reshape(x, (x.shape[0], *_filled(target, shape)))


def _filled(target: Any, shape: Any) -> Any:
    known = int(np.prod([n for n in target if n != -1]))
    return tuple(int(np.prod(shape)) // known if n == -1 else n for n in target)


def _identity(draw: Draw, shape: Any, depth: int) -> Any:
    return Identity(), tf.identity


def _branches(draw: Draw, shape: Any, depth: int) -> Any:
    """Two or three paths; all but the first are cropped and padded to its size."""
    merge = draw(st.sampled_from(["add", "multiply", "average", "maximum", "concatenate"]))
    first, target = _layers(draw, shape, draw(st.integers(0, 2)), depth + 1)
    paths = [first]
    for _ in range(draw(st.integers(1, 2))):
        path, after = _layers(draw, shape, draw(st.integers(0, 2)), depth + 1)
        _fit(draw, path, after, target, channels=merge != "concatenate")
        paths.append(path)
    joined: Function = (lambda ys: tf.concat(ys, -1)) if merge == "concatenate" else tf.add_n
    return Branches(*(path.specs for path in paths), merge=merge), (paths, joined)


def _fit(draw: Draw, path: Twin, shape: Any, target: Any, channels: bool) -> None:
    cut = tuple(_split(draw, max(n - m, 0)) for n, m in zip(shape[:2], target[:2], strict=True))
    if any(map(sum, cut)):
        path.specs.append(Crop(cut))
        path.functions.append(_cropping(cut, shape))
    pad = tuple(_split(draw, max(m - n, 0)) for n, m in zip(shape[:2], target[:2], strict=True))
    if any(map(sum, pad)):
        path.specs.append(ZeroPad(pad))
        path.functions.append(lambda x: tf.pad(x, [(0, 0), *pad, (0, 0)]))
    if channels and shape[2] != target[2]:
        weights = _weights(draw, 1, 1, shape[2], target[2])
        path.specs.append(Conv(1, filters=target[2]))
        path.functions.append(lambda x: tf.nn.conv2d(x, weights, 1, "VALID"))


def _end(draw: Draw, twin: Twin, shape: Any) -> None:
    """A flattened map, a global pool or a dense layer."""
    kind = draw(st.sampled_from(["flatten", "global", "keepdims", "dense"]))
    if kind in ("global", "keepdims"):
        keepdims = kind == "keepdims"
        twin.specs.append(GlobalPool(keepdims))
        twin.functions.append(lambda x: tf.reduce_mean(x, (1, 2), keepdims=keepdims))
        return
    if kind == "flatten":
        twin.specs.append(Flatten())
        twin.functions.append(lambda x: tf.reshape(x, (x.shape[0], -1)))
        return
    weights = _weights(draw, int(np.prod(shape)), 3)
    twin.specs.append(Dense(3))
    twin.functions.append(lambda x: tf.reshape(x, (x.shape[0], -1)) @ weights)


_KINDS = [
    _conv,
    _conv,
    _depthwise,
    _separable,
    _pool,
    _transposed,
    _upsample,
    _zero_pad,
    _crop,
    _permute,
    _reshape,
    _identity,
]
