"""A network without bends is one affine map: logits = A x + b, whatever its depth.

Activations are left out and averages take the place of maxima; weights stay. A is read off by ten
backward passes, and checked by forward passes. Products of activations cannot be made affine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from cnnviz.network import Network
from cnnviz.network.inputs import images_of, prepared

BATCH = 50
"""Images at a time: every activation of so many is in memory at once."""


def without_bends(net: Network) -> Network:
    """The network with all activations left out, the softmax included, and averages for maxima.

    Parameters
    ----------
    net
        A network without layers that multiply activations with each other.

    Returns
    -------
    Network
        Every layer of it is an affine map of its inputs; its outputs are logits.

    Raises
    ------
    ValueError
        for a network with a Multiply layer.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> net = without_bends(load_model("mnist_maxpool"))
    >>> [layer.kind for layer in net.layers if "Pool" in layer.kind]
    ['AveragePooling2D', 'AveragePooling2D']
    """
    for layer in net.layers:
        if layer.entry.bends(layer):
            raise ValueError(f"net must have no layer that multiplies activations, {layer.name} does")
    bent = [layer.name for layer in net.layers if layer.activation is not None]
    straight = net.with_activation(dict.fromkeys(bent))
    return Network(
        [replace(layer, kind=layer.entry.averaging or layer.kind) for layer in straight.layers],
        straight.outputs,
        name=net.name,
        inputs=straight.inputs,
        aliases=straight.aliases,
        source=net.source,
    )


@dataclass(frozen=True, eq=False)
class AffineMap:
    """One matrix and one offset that do what a network of affine layers does.

    Parameters
    ----------
    network
        The layered network, in float64.
    matrix
        A, (outputs, inputs): one row an output, inputs as `Flatten` would lay them out.
    bias
        b, (outputs,).
    """

    network: Network
    matrix: np.ndarray
    bias: np.ndarray

    @property
    def numbers(self) -> int:
        """How many numbers A and b hold."""
        return self.matrix.size + self.bias.size

    @property
    def pictures(self) -> np.ndarray:
        """A's rows as images, (H, W, C * outputs), the outputs of one input channel side by side."""
        height, width, channels = self.network.input_shape
        rows = self.matrix.reshape(-1, height, width, channels)
        return rows.transpose(1, 2, 3, 0).reshape(height, width, -1)

    @property
    def contrasts(self) -> np.ndarray:
        """The same less the mean of all rows: a softmax knows only differences of its logits."""
        return replace(self, matrix=self.matrix - self.matrix.mean(axis=0)).pictures

    def __call__(self, x: Any) -> np.ndarray:
        """A x + b for images as `Network.predict` takes them, (N, outputs) in float64."""
        return self._flat(x) @ self.matrix.T + self.bias

    def accuracy(self, x: Any, y: Any) -> float:
        """The share of images whose largest output is their label's."""
        y = np.asarray(y)
        if len(x) != len(y) or not len(y):
            raise ValueError(f"x and y must be of one length, and not empty: got {len(x)} and {len(y)}")
        parts = range(0, len(y), BATCH)
        right = (self(x[k : k + BATCH]).argmax(axis=1) == y[k : k + BATCH] for k in parts)
        return sum(int(batch.sum()) for batch in right) / len(y)

    def largest_difference(self, x: Any) -> float:
        """The largest difference from what the layered network computes of the same images."""
        parts = (x[k : k + BATCH] for k in range(0, len(x), BATCH))
        return max(float(np.abs(self(part) - self.network.run(part).output).max()) for part in parts)

    def _flat(self, x: Any) -> np.ndarray:
        (images,) = prepared(self.network, images_of(self.network, x)).values()
        return images.reshape(len(images), -1)


def collapse(net: Network) -> AffineMap:
    """The affine map that a network is once its bends are left out.

    Parameters
    ----------
    net
        A network with one input of known size and one vector as its output, with its bends or without.

    Returns
    -------
    AffineMap
        In float64. Row k of the matrix is the gradient of output k, which is the same at every
        image; the bias is the output for an image of zeros.

    Raises
    ------
    ValueError
        as `without_bends`; for several inputs or outputs, or unknown sizes.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> affine = collapse(load_model("mnist_14k"))
    >>> affine.matrix.shape, affine.numbers
    ((10, 784), 7850)
    """
    straight = without_bends(net).astype(np.float64)
    if len(straight.inputs) != 1 or len(straight.outputs) != 1:
        raise ValueError(f"net must have one input and one output, got {straight!r}")
    if None in straight.input_shape or len(straight.output_shape) != 1:
        raise ValueError(f"net must map images of known size to one vector, got {straight!r}")
    shape = cast(tuple[int, ...], straight.input_shape)
    (outputs,) = straight.output_shape
    run = straight.run(np.zeros((outputs, *shape)))
    gradient = run.gradient(straight.outputs[0], unit=np.arange(outputs))
    return AffineMap(straight, gradient.wrt_input.reshape(outputs, math.prod(shape)), run.output[0])
