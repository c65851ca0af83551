"""How the pixels that a stack of small kernels sees reach its unit: on how many paths each.

All strides are 1; weights play no part. After Luo, Li, Urtasun and Zemel, "Understanding the effective
receptive field in deep convolutional neural networks", NeurIPS 2016, section 2.
"""

from __future__ import annotations

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.padding import integer

MOST_CELLS = 1000
"""Of a kernel's side: the table of paths is then below 0.3 GB."""


def stack_paths(depth: int, size: int = 3) -> np.ndarray:
    """On how many paths each pixel reaches the unit on top of a stack of square kernels.

    Parameters
    ----------
    depth
        Layers in the stack; 0 is the unit itself.
    size
        Of their kernels.

    Returns
    -------
    np.ndarray
        int64 (n, n), n = depth * (size - 1) + 1: the receptive field. They sum to size**(2 * depth).

    Raises
    ------
    ValueError
        for a negative depth, a size that is not positive, or more paths than 64 bits can count.

    Examples
    --------
    >>> stack_paths(2)[0].tolist(), stack_paths(2)[2].tolist()
    ([1, 2, 3, 2, 1], [3, 6, 9, 6, 3])
    """
    if integer(depth, "depth") < 0 or integer(size, "size") < 1:
        raise ValueError(
            f"depth must not be negative and size be positive, got {brief(depth)}, {brief(size)}"
        )
    if size == 1:
        return np.ones((1, 1), np.int64)
    # The power of a huge depth would be computed for minutes.
    if depth > 31 or size ** (2 * depth) >= 2**63:
        raise ValueError(
            f"depth must leave fewer than 2**63 paths, got {brief(depth)} for size {brief(size)}"
        )
    if size > MOST_CELLS:
        raise ValueError(f"size must be at most {MOST_CELLS:,}, got {brief(size)}")
    row = np.ones(1, np.int64)
    for _ in range(depth):
        row = np.convolve(row, np.ones(size, np.int64))
    return np.outer(row, row)
