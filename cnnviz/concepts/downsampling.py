"""What pooling keeps: which cells win, how sizes shrink through a network, what a move of the image changes.

The pooling itself is in `ops.pooling`. Maps of a moved image are compared at the same cells, which tests
invariance; whether they move along with the image is tested in `translation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.concepts.translation import shift
from cnnviz.network import Network
from cnnviz.ops.padding import Pair
from cnnviz.ops.pooling import pooling_window


def winners(x: Any, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid") -> np.ndarray:
    """The cell that each window of a max pooling takes its value from: the first of several.

    Parameters
    ----------
    x
        (H, W), finite.
    pool_size, strides, padding
        As in `ops.max_pool2d`.

    Returns
    -------
    array (H_out, W_out, 2)
        Rows and columns of x, integers.

    Raises
    ------
    ValueError
        As `ops.max_pool2d`, and for a map that is not (H, W).

    Examples
    --------
    >>> winners([[1, 2, 0, 0], [4, 3, 0, 0]]).tolist()
    [[[1, 0], [0, 2]]]
    """
    x = np.asarray(x, float)
    if x.ndim != 2:
        raise ValueError(f"x must be (H, W), got x.shape={x.shape}")
    rows, cols = pooling_window((1, *x.shape, 1), pool_size, strides, padding)
    padded = np.pad(x, ((rows.before, rows.after), (cols.before, cols.after)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (rows.kernel, cols.kernel))
    windows = windows[:: rows.stride, :: cols.stride][: rows.out, : cols.out]
    first = windows.reshape(rows.out, cols.out, -1).argmax(axis=2)
    down, across = np.divmod(first, cols.kernel)
    down += np.arange(rows.out)[:, np.newaxis] * rows.stride - rows.before
    across += np.arange(cols.out) * cols.stride - cols.before
    return np.stack([down, across], axis=2)


@dataclass(frozen=True)
class Shrinking:
    """A layer's part in how sizes go down: see `size_chain`."""

    name: str
    kind: str
    size: Pair
    channels: int
    parameters: int
    pools: bool = False


def size_chain(network: Network) -> list[Shrinking]:
    """The input's and every layer's map size and channels, where one of them changes or a layer pools.

    >>> import cnnviz
    >>> [s.size[0] for s in size_chain(cnnviz.load_model("mnist_14k"))]
    [28, 26, 24, 24, 12, 10, 8, 6, 4, 1]
    """
    height, width, channels = network.input_shape
    chain = [Shrinking("input", "Input", (height, width), channels, 0)]  # type: ignore[arg-type]
    for layer in network.layers:
        shape = layer.output_shape
        if len(shape) != 3 or None in shape:
            continue
        size = (shape[0], shape[1])
        if (*size, shape[2]) != (*chain[-1].size, chain[-1].channels) or layer.is_pool:
            chain.append(
                Shrinking(layer.name, layer.kind, size, shape[2], layer.params, layer.is_pool)  # type: ignore[arg-type]
            )
    return chain


def map_layers(network: Network, smallest: int = 4) -> list[str]:
    """The layers that give maps of at least so many rows and columns, dropout aside, which changes none.

    >>> import cnnviz
    >>> map_layers(cnnviz.load_model("mnist_14k"))[:2]
    ['input', 'conv2d']
    """
    return [
        layer.name
        for layer in network.layers
        if not (layer.inputs and layer.passes_on)
        and len(layer.output_shape) == 3
        and min(n or 0 for n in layer.output_shape[:2]) >= smallest
    ]


def pooled_layer(network: Network) -> str:
    """The layer whose maps a network pools first, dropout aside; its first with maps if it pools none.

    >>> import cnnviz
    >>> pooled_layer(cnnviz.load_model("mnist_14k"))
    'batch_normalization_2'
    """
    names, latest = map_layers(network), ""
    for layer in network.layers:
        if layer.is_pool and latest:
            return latest
        latest = layer.name if layer.name in names else latest
    return names[0]


@dataclass(frozen=True, eq=False)
class PooledMove:
    """A layer's maps of an image and of the moved image, as they are and pooled: see `pooled_move`.

    Each of `maps`, `largest` and `mean` is a pair of (H, W, C): of the image, of the moved image.
    """

    maps: tuple[np.ndarray, np.ndarray]
    largest: tuple[np.ndarray, np.ndarray]
    mean: tuple[np.ndarray, np.ndarray]

    @property
    def changes(self) -> tuple[float, float, float]:
        """How much the maps, the max-pooled and the average-pooled ones changed.

        The root mean square of the difference over that of the image's own maps; 0 is no change.
        """
        return relative_change(*self.maps), relative_change(*self.largest), relative_change(*self.mean)


def relative_change(before: Any, after: Any) -> float:
    """The root mean square of a difference over that of what was before: infinity, if that was 0 everywhere.

    >>> relative_change([3.0, 4.0], [3.0, 9.0]), relative_change([0.0], [0.0]), relative_change([0.0], [2.0])
    (1.0, 0.0, inf)
    """
    before, after = np.asarray(before, float), np.asarray(after, float)
    whole, rest = float(np.square(before).sum()), float(np.square(after - before).sum())
    if not whole:
        return np.inf if rest else 0.0
    return float(np.sqrt(rest / whole))


def pooled_move(
    network: Network,
    image: Any,
    layer: str,
    rows: int,
    cols: int,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
) -> PooledMove:
    """Move an image by whole pixels, and compare a layer's maps before and after a pooling.

    Parameters
    ----------
    network
        With one input, an image.
    image
        (H, W), uint8 or floats as `Network.run` takes them.
    layer
        One that gives maps.
    rows, cols
        How far to move it down and to the right; zeros come in.
    pool_size, strides, padding
        As in `ops.max_pool2d`.

    Returns
    -------
    PooledMove

    Raises
    ------
    ValueError
        As `ops.max_pool2d`, and for a layer without maps.

    Examples
    --------
    >>> import cnnviz
    >>> digit = cnnviz.load_mnist()[1][0][0]
    >>> found = pooled_move(cnnviz.load_model("mnist_14k"), digit, "conv2d_1", 0, 1)
    >>> found.largest[0].shape, found.changes[1] < found.changes[0]
    ((12, 12, 16), True)
    """
    image = np.asarray(image)
    runs = [network.run(each) for each in (image, shift(image, rows, cols))]
    if runs[0][layer].ndim != 4:
        raise ValueError(f"layer must give maps, {layer} gives shape {runs[0][layer].shape}")
    before, after = (run[layer][0] for run in runs)
    options = {"strides": strides, "padding": padding}
    return PooledMove(
        maps=(before, after),
        largest=(ops.max_pool2d(before, pool_size, **options), ops.max_pool2d(after, pool_size, **options)),
        mean=(ops.avg_pool2d(before, pool_size, **options), ops.avg_pool2d(after, pool_size, **options)),
    )
