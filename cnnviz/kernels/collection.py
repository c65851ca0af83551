"""The gallery: kernels by name, what each does, where its definition is from, its sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from cnnviz.kernels.definitions import (
    SIZES,
    box,
    emboss,
    gabor,
    gaussian,
    identity,
    laplacian,
    laplacian_of_gaussian,
    motion_blur,
    outline,
    prewitt,
    roberts,
    scharr,
    separate,
    sharpen,
    sobel,
    unsharp,
)


@dataclass(frozen=True, eq=False)
class NamedKernel:
    """A kernel and where it comes from.

    Parameters
    ----------
    name
        As `named` takes it.
    kernel
        float64 (height, width), read-only.
    does
        What it does to an image, in a few words.
    source
        Where its definition is from.
    """

    name: str
    kernel: np.ndarray
    does: str
    source: str

    def __repr__(self) -> str:
        return f"<NamedKernel {self.name} {self.kernel.shape[0]}x{self.kernel.shape[1]}: {self.does}>"

    @property
    def factors(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(column, row) whose outer product the kernel is, if it is one; see `separate`."""
        return separate(self.kernel)


class _Entry(NamedTuple):
    build: Callable[..., np.ndarray]
    does: str
    source: str | Mapping[int, str]
    """Where its definition comes from; where that is of some sizes only, by size, and at 0 of all others."""
    sizes: tuple[int, ...] = (3,)


_ALL = tuple(SIZES)
_ODD = tuple(size for size in SIZES if size % 2)
_SOBEL = {0: "binomial smoothing and a smoothed difference", 3: "Sobel and Feldman 1968"}
_PREWITT = {0: "slope of the plane that fits best", 3: "Prewitt 1970"}
_GALLERY: dict[str, _Entry] = {
    "identity": _Entry(identity, "leaves the image as it is", "a 1 in the middle", _ODD),
    "box": _Entry(box, "averages a square", "equal weights that sum to 1", _ALL),
    "gaussian": _Entry(
        gaussian,
        "blurs, nearly alike in all directions",
        {0: "binomial weights", 5: "binomial weights, Burt and Adelson 1983 with a = 3/8"},
        _ALL,
    ),
    "sharpen": _Entry(sharpen, "strengthens what differs from its neighbours", "identity minus Laplacian"),
    "unsharp": _Entry(unsharp, "adds back what a blur takes away", "photographic unsharp masking", _ODD[1:]),
    "emboss": _Entry(emboss, "lights the image from the top left", "diagonal slope plus identity", _ODD[1:]),
    "outline": _Entry(
        outline,
        "compares a pixel with all around it",
        {0: "a pixel against the mean of its square", 3: "minus the 8-neighbour Laplacian"},
        _ODD[1:],
    ),
    "laplacian": _Entry(
        laplacian, "second derivative in both directions", "second differences, 4 neighbours"
    ),
    "laplacian of gaussian": _Entry(
        laplacian_of_gaussian, "finds blobs and soft edges", "Marr and Hildreth 1980", _ALL[2:]
    ),
    "sobel x": _Entry(partial(sobel, "x"), "values rising to the right", _SOBEL, _ODD[1:]),
    "sobel y": _Entry(partial(sobel, "y"), "values rising downwards", _SOBEL, _ODD[1:]),
    "scharr x": _Entry(partial(scharr, "x"), "values rising to the right, truer to rotation", "Scharr 2000"),
    "scharr y": _Entry(partial(scharr, "y"), "values rising downwards, truer to rotation", "Scharr 2000"),
    "prewitt x": _Entry(
        partial(prewitt, "x"), "values rising to the right, plain average", _PREWITT, _ALL[1:]
    ),
    "prewitt y": _Entry(partial(prewitt, "y"), "values rising downwards, plain average", _PREWITT, _ALL[1:]),
    "roberts x": _Entry(partial(roberts, "x"), "difference along one diagonal", "Roberts 1963", (2,)),
    "roberts y": _Entry(partial(roberts, "y"), "difference along the other diagonal", "Roberts 1963", (2,)),
    **{
        f"gabor {angle}°": _Entry(
            partial(gabor, angle=angle), f"{stripes} of one width", "Daugman 1985", _ALL[2:]
        )
        for angle, stripes in (
            (0, "upright stripes"),
            (45, "stripes rising to the right"),
            (90, "level stripes"),
            (135, "stripes falling to the right"),
        )
    },
    **{
        f"motion blur {angle}°": _Entry(
            partial(motion_blur, angle=angle), f"smears along {angle}°", "mean along a line", _ODD[1:]
        )
        for angle in (0, 45, 90, 135)
    },
}

NAMES = tuple(_GALLERY)
"""The gallery's names, as `named` takes them."""


def sizes(name: str) -> tuple[int, ...]:
    """The sizes that a named kernel comes in here.

    >>> sizes("box")[-1], sizes("sharpen")
    (11, (3,))
    """
    return _entry(name).sizes


def named(name: str, size: int | None = None) -> NamedKernel:
    """A kernel of the gallery.

    Parameters
    ----------
    name
        One of `NAMES`.
    size
        One of `sizes(name)`; None is 3, or the nearest the kernel has.

    Raises
    ------
    ValueError
        for another name or size.

    Examples
    --------
    >>> named("sobel x")
    <NamedKernel sobel x 3x3: values rising to the right>
    """
    entry = _entry(name)
    if size is None:
        size = min(entry.sizes, key=lambda available: abs(available - 3))
    if size not in entry.sizes:
        raise ValueError(f"{name} comes in sizes {', '.join(map(str, entry.sizes))}, got {size!r}")
    kernel = entry.build(size) if len(entry.sizes) > 1 else entry.build()
    kernel.flags.writeable = False
    source = entry.source if isinstance(entry.source, str) else entry.source.get(size, entry.source[0])
    return NamedKernel(name, kernel, entry.does, source)


def gallery(size: int = 3) -> list[NamedKernel]:
    """Every named kernel that comes in this size.

    >>> [k.name for k in gallery(2)][:3]
    ['box', 'gaussian', 'prewitt x']
    """
    return [named(name, size) for name, entry in _GALLERY.items() if size in entry.sizes]


def _entry(name: str) -> _Entry:
    if name not in _GALLERY:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    return _GALLERY[name]
