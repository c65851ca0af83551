"""What mixtures of maps can be: one alone, and two in a row with a ReLU between them.

A mixture is what a 1x1 convolution makes: at each place a weighted sum of all maps, and a bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz import ops


@dataclass(frozen=True, eq=False)
class NearestMixture:
    """The mixture of some maps that comes nearest to a wanted map.

    Parameters
    ----------
    weights, bias
        (C,) and a number.
    made
        (H, W): the mixture.
    share_left
        The sum of the squares that are missed, over that of the wanted map about its mean: 0 is exact, and 1
        is no better than one number everywhere. 0 for a wanted map that is one number everywhere.
    """

    weights: np.ndarray
    bias: float
    made: np.ndarray
    share_left: float


def nearest_mixture(maps: Any, wanted: Any) -> NearestMixture:
    """The weights and the bias with which maps come nearest to a wanted map, by least squares.

    Parameters
    ----------
    maps
        (H, W, C).
    wanted
        (H, W).

    Raises
    ------
    ValueError
        for other shapes.

    Examples
    --------
    >>> planes = np.random.default_rng(0).random((4, 5, 3))
    >>> found = nearest_mixture(planes, 2 * planes[..., 0] - planes[..., 2] + 1)
    >>> found.weights.round(6).tolist(), round(found.bias, 6)
    ([2.0, 0.0, -1.0], 1.0)
    """
    maps, wanted = np.asarray(maps, np.float64), np.asarray(wanted, np.float64)
    if maps.ndim != 3 or wanted.shape != maps.shape[:2] or not maps.size:
        raise ValueError(f"maps must be (H, W, C) and wanted (H, W), got {maps.shape} and {wanted.shape}")
    columns = np.concatenate([maps.reshape(-1, maps.shape[2]), np.ones((wanted.size, 1))], axis=1)
    found = np.linalg.lstsq(columns, wanted.ravel(), rcond=None)[0]
    made = (columns @ found).reshape(wanted.shape)
    spread = float(np.square(wanted - wanted.mean()).sum())
    share = float(np.square(wanted - made).sum()) / spread if spread else 0.0
    return NearestMixture(found[:-1], float(found[-1]), made, share)


def how_much_two_differ(maps: Any, one: int, other: int, *, relu: bool = True) -> np.ndarray:
    """Two 1x1 convolutions in a row: both differences of two maps, then their sum.

    With a ReLU between them that is how much the two maps differ, whichever is larger; without it the two
    layers are one mixture, in which the differences cancel.

    Parameters
    ----------
    maps
        (H, W, C).
    one, other
        Which maps.
    relu
        Whether a ReLU stands between the layers.

    Returns
    -------
    np.ndarray
        (H, W, 3): the two maps between the layers, behind the ReLU, and what comes out.

    Examples
    --------
    >>> how_much_two_differ([[[0.25, 1.0]]], 0, 1).tolist()
    [[[0.0, 0.75, 0.75]]]
    >>> how_much_two_differ([[[0.25, 1.0]]], 0, 1, relu=False).tolist()
    [[[-0.75, 0.75, 0.0]]]

    Source: Lin, Chen and Yan, "Network in network", 2013, section 3.1, for a ReLU behind each 1x1 layer.
    """
    maps = np.asarray(maps, np.float64)
    first = np.zeros((1, 1, maps.shape[-1], 2))
    first[0, 0, one], first[0, 0, other] = (1, -1), (-1, 1)
    between = ops.conv2d(maps, first)
    if relu:
        between = ops.relu(between)
    return np.concatenate([between, ops.conv2d(between, np.ones((1, 1, 2, 1)))], axis=-1)
