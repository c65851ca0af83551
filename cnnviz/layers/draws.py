"""The random numbers that layers draw in a step of training, or what stands in their place.

They are a function of a seed, the step and the layer's name alone: a step that is done again, or a run that
is resumed, draws the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import numpy as np

from cnnviz.ops.cellwise import BAND
from cnnviz.ops.parallel import in_parallel
from cnnviz.ops.recycling import empty

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


class Draws:
    """What the layers of one training step draw.

    Parameters
    ----------
    seed, step
        From 0.
    given
        By the layers' names, arrays to take instead of drawing them: which numbers a dropout keeps, the
        standard normal numbers of a Gaussian one. Axes may have length 1.
    """

    def __init__(self, seed: int = 0, step: int = 0, given: Mapping[str, Any] | None = None) -> None:
        self.seed, self.step = seed, step
        self.given = {name: np.asarray(array) for name, array in (given or {}).items()}

    def __call__(self, name: str, shape: tuple[int, ...], draw: Draw) -> np.ndarray:
        """An array of this shape for a layer."""
        if name not in self.given:
            return draw(generator(self.seed, self.step, name), shape)
        array = self.given[name]
        try:
            return np.broadcast_to(array, shape)
        except ValueError:
            raise ValueError(f"what {name} is to draw must have shape {shape}, got {array.shape}") from None


def generator(seed: int, step: int, name: str) -> np.random.Generator:
    """Of the layer with this name in this step."""
    return np.random.default_rng((seed, step, zlib.crc32(name.encode())))


def kept(random: np.random.Generator, shape: tuple[int, ...], rate: float) -> np.ndarray:
    """True with probability 1 - rate, to 32 bits, for each number by itself; `random` as of `generator`.

    Bits take half the time that floats take: a network draws millions of them in a step.

    >>> kept(np.random.default_rng(0), (2, 4), 0.5)
    array([[ True,  True,  True, False],
           [False, False, False, False]])
    """
    passes, least = empty(shape, bool), np.uint32(min(round(rate * 2**32), 2**32 - 1))
    flat, bits = passes.reshape(-1), cast(np.random.PCG64, random.bit_generator)
    start = bits.state

    def share(bands: Iterable[slice]) -> None:
        source = np.random.PCG64(0)
        for band in bands:
            # Where one thread would be by then that drew all: 64 bits serve two numbers.
            source.state = start
            source.advance(band.start // 2)
            raw = source.random_raw(-(-(band.stop - band.start) // 2))
            np.greater_equal(raw.view(np.uint32)[: band.stop - band.start], least, out=flat[band])

    in_parallel(share, [slice(at, min(at + BAND, flat.size)) for at in range(0, flat.size, BAND)])
    bits.advance(-(-flat.size // 2))
    return passes
