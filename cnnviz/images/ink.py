"""Where the ink of a picture of a digit is, whatever its colour, its paper and its lighting.

Where a digit lies in its frame, and how large it has to be, is left to `digit_preparation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnviz.images.image_files import ImageError
from cnnviz.images.sheet import is_four_sided, sheet_of, without_ruling

LARGEST = 400
"""The most pixels a side that are looked at; `image_files.read_image` need not read more."""
_FAINTEST = 0.1
"""Added to a tone before its logarithm is taken: a step in shadow counts nearly as one in the light."""
_WITH_A_TABLE = 56
"""Pixels a side: a smaller picture shows no table and no ruling, but was cut out of its sheet."""
_LONGEST_LINE = 16
"""The most that a digit's outlines measure, in longer sides of its box."""
_SHARP = 0.56
"""How much of the step across an outline is there already in half its breadth: half of it, in a ramp."""
_FARTHEST = 6
"""Pixels from an outline to where the tones of ink and paper are read."""
_BLANK = "no digit was found: the image is blank, or its strokes are too faint"


def opaque(image: np.ndarray) -> np.ndarray:
    """An image as floats (H, W, 1 or 3) within 0..1, at most 400 pixels a side, without transparency.

    Takes what `digit_preparation.prepare_digit` takes, and raises ValueError for all else.

    >>> opaque(np.full((800, 40), 255, np.uint8)).shape
    (400, 20, 1)
    """
    image = _unit(image)
    return image if image.shape[2] % 2 else _composite(image[..., :-1], image[..., -1:])


def _unit(image: np.ndarray) -> np.ndarray:
    """The image as floats (H, W, C) within 0..1, large ones reduced by block averages."""
    image = np.asarray(image)
    if image.ndim not in (2, 3) or 0 in image.shape or image.shape[2:] > (4,):
        raise ValueError(f"image must be (H, W) or (H, W, 1..4) and not empty, got shape {image.shape}")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.dtype == bool:
        scale = 1.0
    elif image.dtype.kind == "u":
        scale = float(np.iinfo(image.dtype).max)
    elif image.dtype.kind == "f":
        scale = 1.0
        low, high = float(image.min()), float(image.max())
        if not (low >= 0 and high <= 1):
            raise ValueError(f"a float image must lie within 0..1, got values from {low} to {high}")
    else:
        raise ValueError(f"image must be of an unsigned integer, boolean or float dtype, got {image.dtype}")
    rows, columns, channels = image.shape
    step = -(-max(rows, columns) // LARGEST)
    down, across = min(step, rows), min(step, columns)
    blocks = image[: rows // down * down, : columns // across * across]
    blocks = blocks.reshape(rows // down, down, columns // across, across, channels)
    # Strip by strip: in double precision a large image would take eight times its room.
    return np.stack([_mean(strip) for strip in blocks]) / scale


def _mean(strip: np.ndarray) -> np.ndarray:
    """The mean of each block of a strip (rows, blocks, columns, channels).

    Colours count by their alpha: the colour of a transparent pixel is arbitrary.
    """
    if strip.shape[-1] % 2:
        return strip.mean(axis=(0, 2), dtype=np.float64)
    alpha = strip[..., -1:].astype(np.float64)
    weight = alpha.mean(axis=(0, 2))
    colour = (strip[..., :-1] * alpha).mean(axis=(0, 2)) / np.maximum(weight, 1e-12)
    return np.concatenate([colour, weight], axis=1)


def _composite(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lay a transparent image on the background that its visible part asks for.

    A cut-out drawing is strokes of one tone with nothing around them, and gets the opposite
    background; a picture that brings its own background has it continued.
    """
    visible = colour[alpha[..., 0] > 0.5].mean(axis=-1)
    if alpha.min() == 1 or not visible.size:
        return colour
    dark, light = np.percentile(visible, [5, 95])
    if light - dark > 0.25 and visible.size > 0.6 * alpha.size:
        background = float(np.median(visible))
    else:
        background = 1.0 if visible.mean() < 0.5 else 0.0
    return colour * alpha + background * (1 - alpha)


def to_grey(image: np.ndarray) -> np.ndarray:
    """One number a pixel, (H, W): colour along its direction of contrast."""
    if image.shape[2] == 1 or (image == image[..., :1]).all():
        return image[..., 0]
    # Yellow ink on white paper differs in blue alone; the first principal axis finds it.
    pixels = image.reshape(-1, 3)
    spread = pixels - pixels.mean(axis=0)
    _, axes = np.linalg.eigh(spread.T @ spread)
    axis = axes[:, -1] / np.abs(axes[:, -1]).sum()
    grey = image @ axis
    return grey - axis[axis < 0].sum()


@dataclass(frozen=True, eq=False)
class Reading:
    """What was taken for ink, and why.

    Parameters
    ----------
    level
        (H, W): how much ink each pixel holds, 0..1.
    dark
        Whether the ink is darker than its paper.
    sheet
        (H, W) bool: where the sheet is; None if it is all of the picture.
    evidence
        The length of the ink's sharp outlines in widths of its stroke; it decides between light and dark.
    """

    level: np.ndarray
    dark: bool
    sheet: np.ndarray | None
    evidence: float


def read_ink(grey: np.ndarray, ink: str = "auto") -> Reading:
    """The ink of a picture (H, W): the better of two readings, as dark ink and as light ink."""
    from scipy import ndimage

    grey = ndimage.gaussian_filter(grey, max(grey.shape) / 300)
    large = max(grey.shape) >= _WITH_A_TABLE
    if large:
        # What runs across all of the picture would cut its sheet into strips.
        grey = _without_lines(grey)
    sheet = sheet_of(grey) if large else None
    if sheet is not None:
        rows, columns = np.flatnonzero(sheet.any(axis=1)), np.flatnonzero(sheet.any(axis=0))
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        cut = _without_lines(_continued(grey[box], sheet[box]))
    else:
        box, cut = (slice(None), slice(None)), grey
    readings, seen = [], np.log(_FAINTEST + cut)
    for dark in (True, False):
        if ink in ("auto", "dark" if dark else "light"):
            light = 1 - cut if dark else cut
            level = _levels(_contrast(light), _inner)
            if level is not None:
                evidence = _evidence(light, -seen if dark else seen, level)
                whole = np.zeros_like(grey)
                whole[box] = level
                readings.append(Reading(whole, dark, sheet, evidence))
    readings = [reading for reading in readings if reading.evidence > 0]
    if not readings:
        raise ImageError(_BLANK)
    return max(readings, key=lambda reading: reading.evidence)


def drawn_ink(level: np.ndarray) -> np.ndarray:
    """The ink of a drawing, whose pixels are ink already: 0 is bare and 1 is full, (H, W).

    The pad of the page does the same in the browser, in `digit_preparation.js`.
    """
    ink = _levels(level, _beside_the_edge)
    if ink is None:
        raise ImageError(_BLANK)
    return ink


def _without_lines(grey: np.ndarray) -> np.ndarray:
    """A picture without ruling, whether it is light or dark."""
    return 1 - without_ruling(1 - without_ruling(grey))


def _continued(grey: np.ndarray, sheet: np.ndarray) -> np.ndarray:
    """A sheet's tone carried on to where there is none: each pixel outside gets the nearest one's."""
    from scipy import ndimage

    if sheet.all():
        return grey
    nearest = ndimage.distance_transform_edt(~sheet, return_distances=False, return_indices=True)
    return grey[tuple(nearest)]


def _contrast(light: np.ndarray) -> np.ndarray:
    """How much lighter each pixel is than the paper there, as a share of what it could be."""
    paper = _local_floor(light)
    return (light - paper) / np.maximum(1 - paper, 0.05)


def _levels(
    contrast: np.ndarray, belonging: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray | None:
    """How much ink each pixel holds, of the parts that belong to the digit; None if there is none."""
    level = _scaled(contrast)
    if level is None:
        return None
    kept = _digit_parts(level, belonging)
    if not kept.any():
        return None
    # What was left out may have been the strongest.
    again = _scaled(np.where(kept | (level <= 0.25), contrast, 0.0))
    if again is None:
        return None
    return np.where(kept, again, 0)


def _scaled(contrast: np.ndarray) -> np.ndarray | None:
    """Contrast with its paper as 0 and its ink as 1; None if they are not told apart."""
    if np.ptp(contrast) < 0.04:
        return None
    threshold = _otsu(contrast)
    ink, rest = contrast[contrast > threshold], contrast[contrast <= threshold]
    if not ink.size or not rest.size:
        return None
    bare = np.median(rest)
    # Of a normal distribution a quarter lies within 0.3186 sigma; soft edges do not reach that far down.
    noise = np.quantile(np.abs(rest - bare), 0.25) / 0.3186
    if np.median(ink) - bare < max(0.06, 4 * noise):
        return None
    floor = min(bare + 3 * noise, (bare + threshold) / 2)
    return np.clip((contrast - floor) / (np.quantile(ink, 0.6) - floor), 0, 1)


def _evidence(light: np.ndarray, seen: np.ndarray, level: np.ndarray) -> float:
    """How much edge the ink's outline explains: its steps in tone, summed; 0 if it is no digit.

    `light` is how light each pixel is, of dark ink how dark, and `seen` the same as the eye tells tones.

    Ink is bounded by edges all round, which are sharp for its width; what is left between strokes and a frame
    is open somewhere, what light does is soft. A digit is one thing and a short line: neither scattered
    specks nor a texture.
    """
    from scipy import ndimage

    mask = np.pad(level > 0.5, 1)
    if not mask.any():
        return 0.0
    # Nothing that is farther from the ink is looked at.
    margin = 2 * _FARTHEST + 1
    (box,) = ndimage.find_objects(mask.astype(np.uint8))
    near = tuple(slice(max(0, part.start - margin), part.stop + margin) for part in box)
    whole, mask = mask, mask[near]
    light, seen = (np.pad(tones, 1, mode="edge")[near] for tones in (light, seen))
    extent = _longest(mask)
    width = 4 * float(ndimage.distance_transform_edt(mask)[mask].mean())
    outline = mask & ~ndimage.binary_erosion(mask)
    if outline.sum() > _LONGEST_LINE * extent or _is_frame(whole, width) or _is_block(whole):
        return 0.0
    parts, _ = ndimage.label(ndimage.binary_dilation(mask, iterations=math.ceil(width / 2)))
    if (
        max(_longest(mask[box] & (parts[box] == n + 1)) for n, box in enumerate(ndimage.find_objects(parts)))
        < 0.4 * extent
    ):
        return 0.0
    reach = int(np.clip(width / 4, 1, _FARTHEST))
    inside, beside = _tones(seen, mask, reach)
    step = (inside - beside)[outline]
    closed = float((step > 0.3 * np.quantile(step, 0.8)).mean())
    if closed < 0.6 or not any(_is_sharp(tones, mask, outline, reach) for tones in (seen, light)):
        return 0.0
    inside, beside = _tones(seen, mask, 2 * reach)
    around = ndimage.binary_dilation(mask, iterations=2 * reach) & ~ndimage.binary_dilation(
        mask, iterations=reach
    )
    bare = float((seen < (inside + beside) / 2)[around].mean()) if around.any() else 1.0
    return float(step.sum()) * (2 * closed - 1) * bare


def _is_sharp(light: np.ndarray, mask: np.ndarray, outline: np.ndarray, reach: int) -> bool:
    """Whether most of the step across an outline is there within reach of it.

    As the eye tells tones, light ink ends where its soft edge does; in deep shadow, light tells little.
    """
    near, far = (
        (inside - beside)[outline]
        for inside, beside in (_tones(light, mask, reach), _tones(light, mask, 2 * reach))
    )
    return float(np.median(near - _SHARP * far)) >= 0


def _tones(light: np.ndarray, mask: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """The lightest ink, and the darkest of what is no ink, within reach of each pixel."""
    from scipy import ndimage

    size = (2 * reach + 1,) * 2
    inside = ndimage.maximum_filter(np.where(mask, light, light.min()), size)
    return inside, ndimage.minimum_filter(np.where(mask, light.max(), light), size)


def _is_block(mask: np.ndarray) -> bool:
    """Whether a mask is a four-sided patch of paper; a 1 is one too, but slim."""
    from scipy import ndimage

    rows, columns = (np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (1, 0))
    if max(rows, columns) < 0.04 * max(mask.shape) or max(rows, columns) > 2 * min(rows, columns):
        return False
    whole = ndimage.binary_fill_holes(mask)
    return bool(mask.sum() > 0.6 * whole.sum() and is_four_sided(whole))


def _is_frame(mask: np.ndarray, width: float) -> bool:
    """Whether a mask is a thin line along all four sides of the picture."""
    from scipy import ndimage

    rows, columns = (np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (1, 0))
    if min(rows / mask.shape[0], columns / mask.shape[1]) < 0.75 or width > 0.08 * max(rows, columns):
        return False
    return bool(ndimage.binary_fill_holes(mask).sum() > 0.85 * rows * columns)


def _longest(mask: np.ndarray) -> int:
    """The longer side of the box round what is in a mask."""
    return max(int(np.ptp(np.flatnonzero(mask.any(axis=axis)))) + 1 for axis in (0, 1)) if mask.any() else 0


def edge_of(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])


def _local_floor(grey: np.ndarray) -> np.ndarray:
    """The brightness behind light ink: an opening, which removes what is narrower than its window.

    It follows uneven lighting and the outlines of shadows.
    """
    from scipy import ndimage

    window = max(3, round(max(grey.shape) / 4))
    return ndimage.grey_opening(grey, size=(window, window))


def _otsu(values: np.ndarray) -> float:
    """The threshold that leaves the least variance within its two classes (Otsu, 1979)."""
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below / below[-1] - sums) ** 2 / (below * above.astype(float))
    return float(edges[1 + np.argmax(np.nan_to_num(between, posinf=0.0))])


def _digit_parts(level: np.ndarray, belonging: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Where the digit is: the parts that belong to it by where they lie, but for specks."""
    from scipy import ndimage

    square = np.ones((3, 3), bool)
    parts, count = ndimage.label(level > 0.25, structure=square)
    mass = np.bincount(parts.ravel(), weights=level.ravel(), minlength=count + 1)
    mass[0] = 0
    kept = belonging(parts, mass)
    kept &= mass >= 0.03 * mass[kept].max(initial=0)
    return ndimage.binary_dilation(kept[parts], structure=square, iterations=2)


def _along_edges(parts: np.ndarray, count: int) -> np.ndarray:
    """The most that each of so many parts takes of one of the picture's edges, 0..1."""
    lines = (parts[0], parts[-1], parts[:, 0], parts[:, -1])
    return np.max([np.bincount(line, minlength=count) / line.size for line in lines], axis=0)


def _beside_the_edge(parts: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Which parts of a drawing are left without those along the pad's edge: all, if nothing else is there."""
    free = (mass > 0) & (_along_edges(parts, len(mass)) < 0.15)
    return free if mass[free].sum() >= 0.1 * mass.sum() else mass > 0


def _inner(parts: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Which parts of a picture may belong to a digit, by where they lie."""
    from scipy import ndimage

    boxes = ndimage.find_objects(parts)
    if not boxes:
        return np.zeros(1, bool)
    spans = np.array([(0, 0), *([part.stop - part.start for part in box] for box in boxes)]) / parts.shape
    # Parts that only come near the edge count as touching it, but a small picture has no pixel to spare.
    near = max(parts.shape) // 50
    reach = np.array(
        [
            (0, 0, 0, 0),
            *(
                (box[0].start, parts.shape[0] - box[0].stop, box[1].start, parts.shape[1] - box[1].stop)
                for box in boxes
            ),
        ]
    )
    touching = (reach <= near).any(axis=1)
    along = _along_edges(parts, len(mass))
    inside = ~touching & (mass > 0)
    large = spans.max(axis=1) >= 0.3
    crossing = touching & large & (along < 0.15)
    if inside.any() and mass[inside].max() > 0.25 * mass[crossing].max(initial=0):
        return inside
    if crossing.any():
        return inside | crossing
    # A digit that was cut out at its ink touches the edges with whole strokes, but fills the picture.
    strokes = (mass > 0) & (along < 0.95)
    if not strokes.any():
        return strokes
    slack = reach[strokes].min(axis=0).reshape(2, 2).sum(axis=1) / parts.shape
    return strokes if slack.min() <= 0.3 else np.zeros_like(strokes)
