"""How much of a layer's output is exactly zero, and which of its channels say nothing at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sparsity:
    """Zeros in an activation.

    Parameters
    ----------
    values, zeros
        How many numbers there are, and how many of them are 0.
    channels, silent
        How many channels there are, and the numbers of those that are 0 everywhere.
    """

    values: int
    zeros: int
    channels: int
    silent: tuple[int, ...]

    @property
    def share(self) -> float:
        """The zeros' share, 0 to 1."""
        return self.zeros / self.values


def zeros_in(values: Any) -> Sparsity:
    """Count the zeros of an activation.

    Parameters
    ----------
    values
        (..., C) and not empty: of one image or of many. A channel that is silent over many images
        is a candidate for a dead one.

    Raises
    ------
    ValueError
        if there are no values.

    Examples
    --------
    >>> zeros_in([[0.0, 1.0], [0.0, 0.0]])
    Sparsity(values=4, zeros=3, channels=2, silent=(0,))
    """
    values = np.asarray(values)
    if values.ndim < 1 or not values.size:
        raise ValueError(f"values must be (..., C) and not empty, got shape {values.shape}")
    zero = values == 0
    silent = np.flatnonzero(zero.reshape(-1, values.shape[-1]).all(axis=0))
    return Sparsity(values.size, int(zero.sum()), values.shape[-1], tuple(int(c) for c in silent))
