"""What a network computes where there is nothing: a sheet of zeros, whose numbers are made of biases alone.

A map's number is large where the kernel answers to the image or where its bias is. The same number of a blank
sheet tells the two apart.
"""

from __future__ import annotations

import numpy as np

from cnnviz.network import Network, Run


def blank_run(net: Network) -> Run:
    """A run of a network on an image of zeros.

    Parameters
    ----------
    net
        A network with one input of known size.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        if a side of the input is not known.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> net = load_model("mnist_14k")
    >>> bool((blank_run(net)["conv2d"][0, 5, 5] == np.maximum(net["conv2d"].weights["bias"], 0)).all())
    True
    """
    shape = net.input_shape
    if None in shape:
        raise ValueError(f"net must have an input of known size, got {shape}")
    return net.run(np.zeros((1, *shape), np.float32))
