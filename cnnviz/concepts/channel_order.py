"""A network with the channels of a layer in another order, which says the same.

The kernels change places, whatever stands channel by channel behind them goes along, and the next layer
reads each map with the slice that was made for it. Only a straight way from the one to the other is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnviz.channels.ablation import readers_behind
from cnnviz.layers.layer import Layer
from cnnviz.network import Network
from cnnviz.numbers import brief


def reordered(net: Network, layer: str, order: Sequence[int]) -> Network:
    """The network with a convolution's channels in another order.

    Every later number is the same sum with its terms in another order, so it differs by rounding at most.

    Parameters
    ----------
    net
        The network.
    layer
        A convolution of one group; behind it, through layers that keep channels apart, one convolution of
        one group, or one dense layer.
    order
        The old numbers of the channels, in their new order.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        for an order that is none, and for a layer whose channels are read in another way.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> net, image = load_model("mnist_14k"), load_mnist()[1][0][0]
    >>> other = reordered(net, "conv2d", range(15, -1, -1))
    >>> bool((other.run(image)["conv2d"][..., 0] == net.run(image)["conv2d"][..., 15]).all())
    True
    >>> bool(np.allclose(other.predict(image), net.predict(image), atol=1e-5))
    True
    """
    node, between, reader = _way(net, layer)
    channels = node.weights["kernel"].shape[-1]
    places = np.asarray(order)
    if places.dtype.kind not in "iu" or sorted(places.tolist()) != list(range(channels)):
        raise ValueError(f"order must have each number from 0 to {channels - 1} once, got {brief(order)}")
    changed = {
        f"{one.name}/{part}": weights[..., places]
        for one in (node, *between)
        for part, weights in one.weights.items()
        if weights.ndim and weights.shape[-1] == channels
    }
    kernel = reader.weights["kernel"]
    if reader.is_convolution:
        turned = kernel[:, :, places]
    else:
        turned = kernel.reshape(-1, channels, kernel.shape[-1])[:, places].reshape(kernel.shape)
    return net.with_weights(changed | {f"{reader.name}/kernel": turned})


def can_be_reordered(net: Network) -> list[str]:
    """The names of the layers that `reordered` takes, in the network's order.

    >>> from cnnviz import load_model
    >>> can_be_reordered(load_model("mnist_maxpool"))
    ['conv2d', 'conv2d_1']
    """
    found = []
    for layer in net:
        try:
            _way(net, layer.name)
        except ValueError:
            continue
        found.append(layer.name)
    return found


def _way(net: Network, layer: str) -> tuple[Layer, list[Layer], Layer]:
    """A convolution, the layers between it and the one that reads its channels, and that one."""
    node = net[layer]
    between, readers = readers_behind(net, node.name)
    straight = (
        node.is_convolution
        and node.config["groups"] == 1
        and len(readers) == 1
        and all(len(other.inputs) == 1 for other in between)
        and {node.name, *(other.name for other in between)}.isdisjoint(net.outputs)
        and _reads_whole(readers[0])
    )
    if not straight:
        raise ValueError(
            f"layer must be a convolution of one group that one convolution or dense layer reads, got {node}"
        )
    return node, between, readers[0]


def _reads_whole(reader: Layer) -> bool:
    """Whether every output of a layer reads all channels."""
    return reader.is_dense or (reader.is_convolution and reader.config["groups"] == 1)
