"""The effective receptive field: how much each input pixel really counts for a unit.

The magnitude of a unit's gradient with respect to the input, averaged over images: inside the theoretical
box most of it gathers around the middle. Follows Luo, Li, Urtasun and Zemel, "Understanding the Effective
Receptive Field in Deep Convolutional Neural Networks", NeurIPS 2016. The backward pass is `Run.gradient`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.network import Network, Run
from cnnviz.network.inputs import batched, check_batch_size, input_of_maps
from cnnviz.numbers import counted
from cnnviz.ops.padding import integer
from cnnviz.receptive_fields.sized import Box
from cnnviz.receptive_fields.table import receptive_field
from cnnviz.resources import one_line

BATCH_BYTES = 64 * 2**20
"""The default batch keeps all activations together below this: the backward pass needs them."""
SHARES = (0.5, 0.9, 0.95)


MOST_BYTES = 64 * 2**20
"""The maps of all images are kept if they take no more."""


@dataclass(frozen=True, eq=False)
class EffectiveReceptiveField:
    """What `effective_receptive_field` returns.

    Parameters
    ----------
    layer
        Where the units are.
    units
        Their places, (row, column) each; empty if the layer is a vector.
    channel
        Theirs; None is the sum over all.
    map
        (H, W) of the input: |gradient| summed over the input's channels, the mean over the images; float64.
    box
        ((top, bottom), (left, right)), both ends included: all pixels that can reach the units.
    images
        How many the mean is over.
    maps
        (images, H, W) float32: the map of each; None where they would take more than `MOST_BYTES`.
    """

    layer: str
    units: tuple[tuple[int, int], ...]
    channel: int | None
    map: np.ndarray
    box: Box
    images: int
    maps: np.ndarray | None = None

    @cached_property
    def density(self) -> np.ndarray:
        """The map divided by its sum, to compare maps whose gradients differ in size; zeros stay zeros."""
        total = self.map.sum()
        return self.map / total if total else self.map

    @property
    def box_area(self) -> int:
        """The pixels in the theoretical box."""
        (top, bottom), (left, right) = self.box
        return (bottom - top + 1) * (right - left + 1)

    def share(self, fraction: float) -> float:
        """The fewest pixels that hold this fraction of the mass, as a share of the theoretical box.

        nan if there is no mass: the unit answered to nothing, as behind a ReLU that let none through.

        Raises ValueError for a fraction that is not from 0 to 1.
        """
        _check_fraction(fraction)
        masses = np.sort(self.map, axis=None)[::-1].cumsum()
        if not masses[-1]:
            return float("nan")
        # The sum may end a few roundings above or below the fraction that it should reach exactly.
        enough = fraction * masses[-1] * (1 - 1e-12)
        pixels = int(np.searchsorted(masses, enough)) + 1 if fraction else 0
        return pixels / self.box_area

    @property
    def shares(self) -> dict[float, float]:
        """`share` for 0.5, 0.9 and 0.95."""
        return {fraction: self.share(fraction) for fraction in SHARES}

    @cached_property
    def sigma(self) -> tuple[float, float]:
        """(rows, columns): the square root of the map's second moment about its centroid, in pixels."""
        return _spread(self.map.sum(axis=1)), _spread(self.map.sum(axis=0))

    def span(self, fraction: float) -> Box:
        """The shortest run of rows, and that of columns, that holds this fraction of the mass.

        Returns ((top, bottom), (left, right)), ends included, and ((0, -1), (0, -1)) if there is no mass.
        Raises ValueError for a fraction that is not from 0 to 1.
        """
        _check_fraction(fraction)
        return _shortest(self.map.sum(axis=1), fraction), _shortest(self.map.sum(axis=0), fraction)

    def __repr__(self) -> str:
        rows, cols = self.sigma
        return one_line(
            f"<EffectiveReceptiveField of {self.layer}: sigma {rows:.3g} x {cols:.3g}, "
            f"{counted(self.images, 'image')}>"
        )


def effective_receptive_field(
    net: Network,
    layer: str,
    images: Any,
    *,
    row: int | None = None,
    col: int | None = None,
    channel: int | None = None,
    batch_size: int | None = None,
) -> EffectiveReceptiveField:
    """How much each input pixel counts for a unit: the mean magnitude of its gradient over images.

    Parameters
    ----------
    net
        A network with one input, of maps.
    layer
        The unit's layer. What counts is its output, after its activation.
    images
        As for `Network.predict`, any number of them, at least one; or a run of the network on them, which
        spares running it again for another unit.
    row, col
        The unit's place in a map. By default the central ones of that axis, one or two; of several units
        the gradient's mean is taken. A vector takes none.
    channel
        The unit's channel, or index in a vector; None is the sum over all.
    batch_size
        Images at a time; None keeps all activations together below 64 MB.

    Returns
    -------
    EffectiveReceptiveField
        With `.map`, `.box`, `.share(fraction)`, `.shares` and `.sigma`.

    Raises
    ------
    KeyError
        for a layer that does not exist.
    IndexError
        for a unit that does not exist.
    ValueError, TypeError
        for no images, a row or column of a vector, a sum over a softmax's channels (it is always 1), and
        what `Network.predict` refuses.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> field = effective_receptive_field(load_model("mnist_14k"), "conv2d_3", load_mnist()[1][0][:8])
    >>> field.map.shape, field.box, field.images
    ((28, 28), ((8, 19), (8, 19)), 8)
    >>> field.share(0.5) < 0.5
    True

    Source: Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in Deep Convolutional
    Neural Networks", NeurIPS 2016, https://arxiv.org/abs/1701.04128
    """
    chosen = net[layer]
    given = images if isinstance(images, Run) else None
    if given is not None and given.network is not net:
        raise ValueError(f"images must be images or a run of {net.name}, got a run of {given.network.name}")
    images = batched(images, input_of_maps(net)) if given is None else given.input
    if not len(images):
        raise ValueError(f"images must hold at least one, got shape {images.shape}")
    fields = receptive_field(net, images.shape[1:])
    if chosen.name not in fields:
        raise ValueError(f"{layer} is not fed by the input {fields.origin}")
    shape = tuple(size or 1 for size in fields[chosen.name].shape)
    _check_channel(chosen, channel, shape)
    places = _places(chosen, shape, row, col)
    seeds = np.zeros(shape)
    units: Any = tuple(np.transpose(places)) if places else ()
    seeds[(*units, slice(None) if channel is None else channel)] = 1 / max(len(places), 1)
    total = np.zeros(images.shape[1:3])
    each = (
        np.zeros((len(images), *total.shape), np.float32)
        if total.size * len(images) * 4 <= MOST_BYTES
        else None
    )
    check_batch_size(batch_size)
    units_of_image = sum(math.prod(size or 1 for size in field.shape) for field in fields.values())
    count = batch_size or max(1, BATCH_BYTES // (net.dtype.itemsize * units_of_image))
    count = count if given is None else len(images)
    for first in range(0, len(images), count):
        run = given or net.run(images[first : first + count])
        gradient = run.gradient(chosen.name, weights=seeds).wrt_input
        maps = np.abs(gradient).sum(axis=-1, dtype=np.float64)
        total += maps.sum(axis=0)
        if each is not None:
            each[first : first + count] = maps
    field = fields[chosen.name]
    boxes = [field.box(*place) for place in places] if places else [field.box(unit=channel)]
    mean = total / len(images)
    mean.flags.writeable = False
    return EffectiveReceptiveField(chosen.name, tuple(places), channel, mean, _hull(boxes), len(images), each)


def change_of_spread(before: EffectiveReceptiveField, after: EffectiveReceptiveField) -> tuple[float, float]:
    """How much wider a field became, and the standard error of that over the images.

    Parameters
    ----------
    before, after
        Of the same units on the same images, with other weights.

    Returns
    -------
    (change, error)
        The mean of the two sigmas (their geometric one) after over before, less 1; and its jackknife standard
        error, which leaves out one image after the other. Both are nan where a field holds nothing.

    Raises
    ------
    ValueError
        for fields of other units or images, or without their images' maps, or of a single image.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> net, images = load_model("mnist_maxpool"), load_mnist()[1][0][:5]
    >>> field = effective_receptive_field(net, "conv2d_1", images)
    >>> change_of_spread(field, field)
    (0.0, 0.0)

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 11.5.
    """
    if (
        before.maps is None
        or after.maps is None
        or (before.units, before.maps.shape) != (after.units, after.maps.shape)
    ):
        raise ValueError(f"before and after must be of the same units and images, got {before} and {after}")
    count = len(before.maps)
    if count < 2:
        raise ValueError(f"before and after must be of 2 images or more, got {before}")
    sums = [maps.sum(axis=0, dtype=np.float64) for maps in (before.maps, after.maps)]

    def ratio(first: np.ndarray, then: np.ndarray) -> float:
        spreads = [math.prod(_spread(one.sum(axis=axis)) for axis in (1, 0)) for one in (first, then)]
        return math.sqrt(spreads[1] / spreads[0]) - 1 if spreads[0] else math.nan

    left_out = np.array(
        [ratio(sums[0] - one, sums[1] - two) for one, two in zip(before.maps, after.maps, strict=True)]
    )
    error = math.sqrt((count - 1) / count * float(np.square(left_out - left_out.mean()).sum()))
    return ratio(*sums), error


# Arguments --------------------------------------------------------------------------------------


def _check_channel(layer: Layer, channel: int | None, shape: tuple[int, ...]) -> None:
    if len(shape) not in (1, 3):
        raise ValueError(f"{layer.name} must be a map or a vector, its shape is {shape}")
    if channel is None:
        if layer.activation is not None and layer.activation.name == "softmax":
            raise ValueError(
                f"channel must be given for {layer.name}: a softmax's channels always sum to 1, which has no "
                "gradient"
            )
    else:
        _check_index("channel", channel, shape[-1], layer.name)


def _places(layer: Layer, shape: tuple[int, ...], row: int | None, col: int | None) -> list[tuple[int, int]]:
    """The chosen units of a map; none of a vector."""
    if len(shape) == 1:
        if row is not None or col is not None:
            raise ValueError(f"{layer.name} is a vector of {shape[0]}, row and col must be left out")
        return []
    rows, cols = (
        sorted({(size - 1) // 2, size // 2})
        if index is None
        else [_check_index(name, index, size, layer.name)]
        for name, index, size in (("row", row, shape[0]), ("col", col, shape[1]))
    )
    return [(r, c) for r in rows for c in cols]


def _check_index(name: str, index: Any, size: int, layer: str) -> int:
    index = integer(index, name)
    if not 0 <= index < size:
        raise IndexError(f"{name} must be from 0 to {size - 1} in {layer}, got {index}")
    return index


def _check_fraction(fraction: float) -> None:
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be from 0 to 1, got {fraction!r}")


# The map's measures -----------------------------------------------------------------------------


def _hull(boxes: Sequence[Box]) -> Box:
    """The box around boxes, those that hold nothing left out."""
    full = [box for box in boxes if all(first <= last for first, last in box)]
    axes = zip(*(full or boxes), strict=True)
    return tuple((min(first for first, _ in ends), max(last for _, last in ends)) for ends in axes)


def _spread(mass: np.ndarray) -> float:
    total = mass.sum()
    if not total:
        return float("nan")
    places = np.arange(len(mass))
    centroid = (mass * places).sum() / total
    return float(np.sqrt((mass * (places - centroid) ** 2).sum() / total))


def _shortest(mass: np.ndarray, fraction: float) -> tuple[int, int]:
    """The first and last of the shortest run that holds a fraction; of equals the heaviest."""
    before = np.concatenate([[0.0], mass.cumsum()])
    enough = fraction * before[-1] * (1 - 1e-12)
    if not enough:
        return 0, -1
    ends = np.searchsorted(before, before[:-1] + enough)
    runs = [
        (int(end - start), before[start] - before[end], start)
        for start, end in enumerate(ends)
        if end < len(before)
    ]
    length, _, start = min(runs)
    return start, start + length - 1
