"""Kernels as sums of outer products: a column after a row does what the whole kernel does, for less.

How many products it takes is the kernel's rank, by its singular values. Kernels of several channels
are left out. After Gonzalez and Woods, "Digital Image Processing", 4th ed., section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.kernels.definitions import matrix, separate

TOLERANCE = 1e-9
"""A singular value below this share of the largest is 0 but for rounding."""


@dataclass(frozen=True, eq=False)
class Separation:
    """A kernel taken apart into columns times rows.

    Parameters
    ----------
    kernel
        float64 (height, width).
    rank
        How many outer products it takes: 1 is separable, 0 is a kernel of zeros.
    column, row
        (height,) and (width,): of the outer product nearest to the kernel, which is the kernel
        itself if the rank is 1.
    error
        What that one product leaves out, 0 to 1: the root mean square of the rest over the kernel's.
    """

    kernel: np.ndarray
    rank: int
    column: np.ndarray
    row: np.ndarray
    error: float

    @property
    def product(self) -> np.ndarray:
        """The outer product of column and row."""
        return np.outer(self.column, self.row)

    @property
    def whole_cost(self) -> int:
        """Multiplications a pixel with the whole kernel: height times width."""
        return self.kernel.size

    @property
    def cost(self) -> int:
        """Multiplications a pixel with `rank` columns after rows: height plus width for each."""
        return self.rank * sum(self.kernel.shape)

    @property
    def saves(self) -> bool:
        """Whether that is fewer."""
        return self.cost < self.whole_cost


def separation(kernel: Any) -> Separation:
    """Take a kernel apart into columns times rows.

    Parameters
    ----------
    kernel
        (height, width), finite.

    Returns
    -------
    Separation

    Raises
    ------
    ValueError
        for another rank, or numbers that are not finite.

    Examples
    --------
    >>> from cnnviz.kernels import laplacian, sobel
    >>> found = separation(sobel("x"))
    >>> found.column.tolist(), found.row.tolist(), found.cost, found.whole_cost
    ([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0], 6, 9)
    >>> separation(laplacian()).rank
    2

    Source: Eckart and Young, "The approximation of one matrix by another of lower rank", 1936.
    """
    kernel = matrix(kernel)
    u, s, vt = np.linalg.svd(kernel, full_matrices=False)
    rank = int((s > TOLERANCE * s[0]).sum())
    if rank == 0:
        return Separation(kernel, 0, np.zeros(len(kernel)), np.zeros(kernel.shape[1]), 0.0)
    # As shares, so that the squares of very large or small ones stay numbers.
    shares = s / s[0]
    error = float(np.linalg.norm(shares[1:]) / np.linalg.norm(shares)) if rank > 1 else 0.0
    factors = separate(kernel, TOLERANCE) if rank == 1 else separate(s[0] * np.outer(u[:, 0], vt[0]))
    assert factors is not None
    column, row = _plain(kernel, *factors) if rank == 1 else factors
    return Separation(kernel, rank, column, row, error)


def _plain(kernel: np.ndarray, column: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The factors scaled so that the column is made of whole numbers, where it can be."""
    sizes = np.abs(kernel)
    least = sizes[sizes > TOLERANCE * sizes.max()].min()
    r, c = next(zip(*np.nonzero(sizes == least), strict=True))
    plain = kernel[:, c] / kernel[r, c], kernel[r].copy()
    near = np.allclose(np.outer(*plain), kernel, rtol=0, atol=TOLERANCE * sizes.max())
    return plain if near else (column, row)
