"""check_field: a unit's receptive field put to the test on an image, with the network's own weights.

All pixels outside are changed, and no number of the unit may move by a bit; pixels inside are changed
one at a time, and counted if a number moves. Trials can refute a field. That it holds for every image follows
from the architecture, from which `receptive_field` works it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.network import Network
from cnnviz.network.inputs import batched, input_of_maps
from cnnviz.receptive_fields.table import receptive_field
from cnnviz.resources import one_line

PIXELS_AT_ONCE = 64
"""Pixels that are changed in one batch, each in its own copy of the image."""
BATCH_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class FieldTrial:
    """The image with every pixel outside the field changed, and what the unit is then.

    Parameters
    ----------
    name
        What was done: "inverted", "all ink" or "noise".
    image
        (H, W, C), as the image that was given; the same inside the field.
    changed
        The pixels that differ from the image's. "all ink" leaves those that are full ink.
    values
        (C,): the unit's numbers in all channels, before the layer's activation.
    unchanged
        (C,) of bool: those that are the same to the last bit.
    """

    name: str
    image: np.ndarray
    changed: int
    values: np.ndarray
    unchanged: np.ndarray


@dataclass(frozen=True, eq=False)
class FieldCheck:
    """What `check_field` found.

    Parameters
    ----------
    layer, row, col
        The unit.
    image
        (H, W, C): the image, integers or floats as they were given.
    mask
        (H, W) of bool: the field that was checked.
    values
        (C,): the unit's numbers in all channels, before the layer's activation.
    trials
        One for each way of changing everything outside; none if nothing lies outside.
    matters
        (H, W) of bool: pixels inside that change a number of the unit when they alone are changed, on
        the image or on one of noise. Each of them is proof that it belongs to the field.
    matters_on_image
        (H, W) of bool: those among them that do so on the image itself.
    """

    layer: str
    row: int
    col: int
    image: np.ndarray
    mask: np.ndarray
    values: np.ndarray
    trials: tuple[FieldTrial, ...]
    matters: np.ndarray
    matters_on_image: np.ndarray

    @property
    def inside(self) -> int:
        """The pixels in the field."""
        return int(self.mask.sum())

    @property
    def outside(self) -> int:
        """The pixels that are not in it."""
        return self.mask.size - self.inside

    @cached_property
    def unchanged(self) -> int:
        """The channels whose number stayed the same, to the last bit, in all trials."""
        return int(np.all([np.ones(len(self.values), bool), *(t.unchanged for t in self.trials)], 0).sum())

    @property
    def sufficient(self) -> bool:
        """Whether nothing outside the field changed the unit. False refutes the field: it is too small."""
        return self.unchanged == len(self.values)

    @cached_property
    def idle(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The field's (rows, columns) of which no pixel was found to matter.

        If there are none, the field's box is not too large. If there are some it may be, or its weights
        are zero, or what lies between hid the change in every trial, as a ReLU or a maximum can.
        """
        rows, cols = (
            tuple(map(int, np.flatnonzero(self.mask.any(axis) & ~self.matters.any(axis)))) for axis in (1, 0)
        )
        return rows, cols

    @property
    def confirmed(self) -> bool:
        """Whether nothing outside changed the unit and every row and column of the field did."""
        return self.sufficient and not any(self.idle)

    def __repr__(self) -> str:
        return one_line(
            f"<FieldCheck of {self.layer} row {self.row}, column {self.col}: {self.unchanged} of "
            f"{len(self.values)} numbers unchanged by {self.outside} pixels outside, {self.matters.sum()} of "
            f"{self.inside} inside change it>"
        )


def check_field(
    net: Network,
    image: Any,
    layer: str,
    row: int,
    col: int,
    *,
    mask: Any = None,
    noise: int = 2,
    seed: int = 0,
) -> FieldCheck:
    """Try to refute a unit's receptive field: change every pixel outside it, and each inside.

    The unit's numbers are those of all its channels before the layer's activation, which would hide
    what a ReLU sets to zero. They are compared bit for bit with those of the same computation on
    the image as it is, in a batch of the same size.

    Outside, all pixels are changed at once: inverted, made full ink, and replaced by noise that hits
    no pixel's old value. Inside, one pixel at a time is inverted, then replaced by another value; pixels
    that changed nothing get further chances on images of noise.

    Parameters
    ----------
    net
        A network with one input, of maps.
    image
        One image, as for `Network.predict`. New values lie from 0 to 255 for integers and from 0
        to 1 for floats, or in the image's own range where that is wider.
    layer, row, col
        The unit's place; its layer must have maps.
    mask
        (H, W) of bool: another field to check. By default the exact cells of `receptive_field`,
        without the holes that dilation leaves.
    noise
        How many noises are tried outside, and images of noise inside.
    seed
        Of the noise.

    Returns
    -------
    FieldCheck

    Raises
    ------
    KeyError
        for a layer that does not exist, or that the input does not feed.
    IndexError
        for a unit that does not exist.
    ValueError, TypeError
        for several images, numbers that are not finite, a layer without maps, a mask of another shape,
        and what `Network.predict` refuses.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> check = check_field(load_model("mnist_14k"), load_mnist()[1][0][18], "conv2d_1", 5, 5)
    >>> check
    <FieldCheck of conv2d_1 row 5, column 5: 16 of 16 numbers unchanged by 759 pixels outside, 25 of 25 inside change it>
    >>> check.confirmed
    True
    """  # noqa: E501 (the doctest's answer is one line)
    image = _one_image(net, image)
    name = net[layer].name
    field = receptive_field(net, image.shape)[name]
    if len(field.shape) != 3:
        raise ValueError(f"layer must have maps (height, width, channels), {name} has shape {field.shape}")
    exact = field.mask(row, col)
    mask = exact if mask is None else np.asarray(mask)
    if mask.dtype != bool or mask.shape != image.shape[:2]:
        raise ValueError(
            f"mask must be an array of bool {image.shape[:2]}, got {mask.dtype} of shape {mask.shape}"
        )
    if isinstance(noise, bool) or not isinstance(noise, int | np.integer) or noise < 0:
        raise ValueError(f"noise must be an int of at least 0, got {noise!r}")

    def unit(images: np.ndarray) -> np.ndarray:
        return net.run(images).pre_activation(name)[:, row, col]

    rng = np.random.default_rng(seed)
    ways = [("inverted", _inverted(image)), ("all ink", np.full_like(image, _ends(image)[1]))]
    others = [_other(image, rng) for _ in range(noise)]
    before = unit(image[np.newaxis])[0]
    trials = []
    for way, other in [*ways, *(("noise", other) for other in others)] if not mask.all() else []:
        changed = np.where(mask[..., np.newaxis], image, other)
        values = unit(changed[np.newaxis])[0]
        count = int((changed != image).any(axis=-1).sum())
        trials.append(FieldTrial(way, changed, count, values, _same(values, before)))

    size = int(sum(np.prod([side or 1 for side in part.output_shape]) for part in net)) * net.dtype.itemsize
    at_once = max(1, min(PIXELS_AT_ONCE, BATCH_BYTES // size))
    matters = np.zeros_like(mask)
    on_image = matters
    for k, base in enumerate([image, *others]):
        as_it_is = before[:0]
        for new in (_inverted(base), _other(base, rng)):
            for places in _in_parts(np.argwhere(mask & ~matters), at_once):
                batch = np.repeat(base[np.newaxis], len(places), axis=0)
                if len(as_it_is) != len(batch):
                    as_it_is = unit(batch)
                rows, cols = places.T
                batch[np.arange(len(places)), rows, cols] = new[rows, cols]
                matters[rows, cols] |= ~_same(unit(batch), as_it_is).all(axis=-1)
        if k == 0:
            on_image = matters.copy()
    return FieldCheck(name, int(row), int(col), image, mask, before, tuple(trials), matters, on_image)


def _one_image(net: Network, image: Any) -> np.ndarray:
    images = batched(image, input_of_maps(net))
    if len(images) != 1:
        raise ValueError(f"image must be one image, got {len(images)}")
    if not np.isfinite(images).all():
        raise ValueError("image must hold finite numbers only")
    return images[0].astype(np.int64 if images.dtype.kind in "iu" else np.float64)


def _ends(image: np.ndarray) -> tuple[Any, Any]:
    """The least and the largest value that a pixel may get."""
    highest = 255 if image.dtype.kind == "i" else 1.0
    return min(image.min(), 0), max(image.max(), highest)


def _inverted(image: np.ndarray) -> np.ndarray:
    low, high = _ends(image)
    return low + high - image


def _other(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise that is another value than the image's everywhere."""
    low, high = _ends(image)
    if image.dtype.kind == "i":
        span = high - low + 1
        step: Any = rng.integers(1, span, image.shape)
    else:
        span = high - low
        step = rng.uniform(0.1, 0.9, image.shape) * span
    return low + (image - low + step) % span


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two arrays of floats have the same bits."""
    bits = f"u{a.itemsize}"
    return np.ascontiguousarray(a).view(bits) == np.ascontiguousarray(b).view(bits)


def _in_parts(places: np.ndarray, at_once: int) -> Iterator[np.ndarray]:
    for first in range(0, len(places), at_once):
        yield places[first : first + at_once]
