"""Finding the images that a network gets wrong, without predicting them all."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.network import Network


def next_mistake(net: Network, images: Any, labels: Any, after: int, *, batch_size: int = 256) -> int | None:
    """The next image that a network gets wrong, going on at the start when the end is reached.

    Parameters
    ----------
    net
        A classifier: its output is one number a class.
    images
        (N, H, W) or (N, H, W, C), as `net.predict` takes them.
    labels
        (N,): the true classes.
    after
        The index behind which the search starts; it is looked at last.
    batch_size
        Images predicted at a time; the search stops at the first batch with a mistake.

    Returns
    -------
    int or None
        Its index; None if every image is classified rightly.

    Raises
    ------
    ValueError
        if there is not one label for each image, or `after` is not an index of one.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> _, (images, labels) = load_mnist()
    >>> found = next_mistake(load_model("mnist_14k"), images[:2000], labels[:2000], after=0)
    >>> found is not None and found > 0
    True
    """
    images, labels = np.asarray(images), np.asarray(labels)
    count = len(images)
    if labels.shape != (count,):
        raise ValueError(f"labels must be ({count},), one for each image, got shape {labels.shape}")
    if not 0 <= after < count:
        raise ValueError(f"after must be an index from 0 to {count - 1}, got {after!r}")
    order = np.roll(np.arange(count), -(after + 1))
    for start in range(0, count, batch_size):
        chosen = order[start : start + batch_size]
        wrong = np.asarray(net.predict(images[chosen])).argmax(axis=-1) != labels[chosen]
        if wrong.any():
            return int(chosen[wrong.argmax()])
    return None
