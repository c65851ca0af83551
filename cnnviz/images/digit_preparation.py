"""From a picture of a digit to what the MNIST digits are, step by step.

Follows the preparation described by LeCun, Cortes and Burges on the MNIST page: a digit is
scaled into a 20x20 box with its aspect ratio kept, anti-aliased, and centred in 28x28 by its
centre of mass. An image is expected to hold one digit on a background of its own, not a page of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cnnviz.images.image_files import ImageError

SIDE = 28
BOX = 20
CENTRE = 14.0
"""Row and column of an MNIST digit's centre of mass: all 70,000 lie within half a pixel of it."""
STROKE = (1.9, 4.3)
"""Stroke widths, in pixels, of the middle 90 % of the MNIST training digits (see `_stroke_width`)."""

_BLANK = "no digit was found: the image is blank, or its strokes are too faint"

Box = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Preparation:
    """What `prepare_in_steps` made of an image.

    Parameters
    ----------
    given
        (H, W) or (H, W, 3): the image as float32 0..1, at most 400 pixels a side, what was transparent
        laid on a background.
    ink
        (H, W) float32: how much ink each of its pixels holds, 0..1, whatever was light and whatever dark.
    box
        ((top, bottom), (left, right)): the ink's rows and columns, inclusive.
    scaled
        (h, w): the ink in the box, scaled so that its longer side is 20 (19 where it was already).
    corner
        (row, column) of `scaled` in the digit, so that the centre of mass is in the middle.
    digit
        uint8 (28, 28): 0 is background, 255 ink.
    stroke
        Mean width of the strokes in pixels of the digit, before and after they were thickened or
        thinned into MNIST's range.
    as_it_was
        Whether the image was an MNIST digit already, and was left alone (or only inverted).
    """

    given: np.ndarray
    ink: np.ndarray
    box: Box
    scaled: np.ndarray
    corner: tuple[int, int]
    digit: np.ndarray
    stroke: tuple[float, float]
    as_it_was: bool = False

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the digit's centre of mass."""
        return _centre_of_mass(self.digit)

    @property
    def inverted(self) -> bool:
        """Whether the ink was darker than what is around it."""
        grey = self.given.mean(axis=2) if self.given.ndim == 3 else self.given
        inked = self.ink > 0.5
        return bool(grey[inked].mean() < grey[~inked].mean())


def prepare_digit(image: np.ndarray) -> np.ndarray:
    """Turn a drawn or photographed digit into what the MNIST digits are.

    The ink is told from its background (of either polarity and uneven lighting), specks are
    dropped, a stroke outside MNIST's range of widths is thickened or thinned, and the digit is
    scaled into 20x20 and placed by its centre of mass. An image that already is an MNIST digit,
    28x28 with its ink so placed, is taken as it is (inverted, if it is dark on light).

    Parameters
    ----------
    image
        (H, W) or (H, W, 1) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB or (H, W, 4) RGBA:
        unsigned integers over their whole range, booleans, or floats within 0..1.

    Returns
    -------
    np.ndarray
        uint8 (28, 28): 0 is background, 255 ink.

    Raises
    ------
    ImageError
        (a ValueError) if nothing in the image stands out from its background.
    ValueError
        for another shape or dtype, or floats that are not within 0..1.

    Examples
    --------
    >>> paper = np.ones((200, 300)); paper[40:160, 150:160] = 0.1
    >>> digit = prepare_digit(paper)
    >>> digit.shape, digit.dtype, int((digit.max(axis=1) > 0).sum())
    ((28, 28), dtype('uint8'), 20)

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
    """
    return prepare_in_steps(image).digit


def prepare_in_steps(image: np.ndarray) -> Preparation:
    """The same, with all that lies between.

    Parameters
    ----------
    image
        As for `prepare_digit`, which raises the same errors.

    Returns
    -------
    Preparation
        The image, its ink, the ink scaled, and the digit.

    Examples
    --------
    >>> paper = np.ones((200, 300)); paper[40:160, 150:160] = 0.1
    >>> steps = prepare_in_steps(paper)
    >>> steps.box, steps.scaled.shape[0], steps.inverted
    (((40, 159), (150, 159)), 20, True)
    """
    given = _on_paper(_unit(image))
    grey = _grey(given)
    framed = _already_framed(grey)
    if framed is None:
        ink = _ink(grey)
        box, scaled, stroke = _scale(ink)
        corner = _corner(scaled)
    else:
        ink, box = framed, _extent(framed > 0)
        scaled, corner = framed[box], (box[0].start, box[1].start)
        stroke = (_stroke_width(_fit(scaled, 8 * BOX) > 0.5) / 8,) * 2
    digit = np.zeros((SIDE, SIDE))
    digit[corner[0] : corner[0] + scaled.shape[0], corner[1] : corner[1] + scaled.shape[1]] = scaled
    return Preparation(
        given=(given[..., 0] if given.shape[2] == 1 else given).astype(np.float32),
        ink=ink.astype(np.float32),
        box=((box[0].start, box[0].stop - 1), (box[1].start, box[1].stop - 1)),
        scaled=scaled,
        corner=corner,
        digit=np.rint(255 * digit).astype(np.uint8),
        stroke=stroke,
        as_it_was=framed is not None,
    )


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
    step = -(-max(rows, columns) // 400)
    down, across = min(step, rows), min(step, columns)
    blocks = image[: rows // down * down, : columns // across * across]
    blocks = blocks.reshape(rows // down, down, columns // across, across, channels)
    # Strip by strip: in double precision a large image would take eight times its room.
    return np.stack([_mean(strip) for strip in blocks]) / scale


def _mean(strip: np.ndarray) -> np.ndarray:
    """The mean of each block of a strip (rows, blocks, columns, channels).

    Colours count by their alpha: what a transparent pixel's colour is, is arbitrary.
    """
    if strip.shape[-1] % 2:
        return strip.mean(axis=(0, 2), dtype=np.float64)
    alpha = strip[..., -1:].astype(np.float64)
    weight = alpha.mean(axis=(0, 2))
    colour = (strip[..., :-1] * alpha).mean(axis=(0, 2)) / np.maximum(weight, 1e-12)
    return np.concatenate([colour, weight], axis=1)


def _on_paper(image: np.ndarray) -> np.ndarray:
    """The image (H, W, 1 or 3) without its transparency."""
    return image if image.shape[2] % 2 else _composite(image[..., :-1], image[..., -1:])


def _grey(image: np.ndarray) -> np.ndarray:
    """One number a pixel, (H, W): colour along its direction of contrast."""
    if image.shape[2] == 1 or (image == image[..., :1]).all():
        return image[..., 0]
    # Yellow ink on white paper differs in blue alone; the first principal axis finds it.
    pixels = image.reshape(-1, 3)
    _, axes = np.linalg.eigh(np.cov(pixels.T))
    axis = axes[:, -1] / np.abs(axes[:, -1]).sum()
    grey = image @ axis
    return grey - axis[axis < 0].sum()


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


def _already_framed(grey: np.ndarray) -> np.ndarray | None:
    """The image as it is, light on dark, if it meets what every MNIST digit meets; else None."""
    if grey.shape != (SIDE, SIDE):
        return None
    digit = grey if np.median(_edge(grey)) < 0.5 else 1 - grey
    if np.median(digit) > 0.02 or digit.max() < 0.9:
        return None
    rows, columns = _extent(digit > 0.02)
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    off_centre = max(abs(place - CENTRE) for place in _centre_of_mass(digit))
    return digit if BOX - 1 <= longest <= BOX and off_centre <= 0.51 else None


def _ink(grey: np.ndarray) -> np.ndarray:
    """How much ink each pixel holds, 0..1, whatever the polarity and the lighting."""
    edge = np.sort(_edge(grey))
    alike = np.searchsorted(edge, edge + 0.016, side="right") - np.arange(edge.size)
    even = alike.max() > 0.35 * edge.size
    around = edge[alike.argmax()] if even else _edge_surface(grey)
    # Ink is the minority that is far off its background: the third moment has its sign.
    if ((grey - around) ** 3).sum() < 0:
        grey, around = 1 - grey, 1 - around
    paper = around if even else _local_floor(grey)
    contrast = (grey - paper) / np.maximum(1 - paper, 0.05)
    if np.ptp(contrast) < 0.04:
        raise ImageError(_BLANK)
    threshold = _otsu(contrast)
    ink, rest = contrast[contrast > threshold], contrast[contrast <= threshold]
    bare = np.median(rest)
    # Of a normal distribution a quarter lies within 0.3186 sigma; soft edges do not reach that far down.
    noise = np.quantile(np.abs(rest - bare), 0.25) / 0.3186
    if np.median(ink) - bare < max(0.06, 4 * noise):
        raise ImageError(_BLANK)
    floor = min(bare + 3 * noise, (bare + threshold) / 2)
    level = np.clip((contrast - floor) / (np.quantile(ink, 0.6) - floor), 0, 1)
    return np.where(_digit_parts(level), level, 0)


def _edge(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])


def _edge_surface(grey: np.ndarray) -> np.ndarray:
    """The image's edge continued inwards: a first guess at an uneven background.

    The Coons patch of the four sides (Coons, 1967): the two linear blends, less the bilinear one
    of the corners.
    """
    v, u = (np.linspace(0, 1, n) for n in grey.shape)
    v = v[:, None]
    across = (1 - v) * grey[0] + v * grey[-1]
    down = (1 - u) * grey[:, :1] + u * grey[:, -1:]
    corners = (1 - v) * ((1 - u) * grey[0, 0] + u * grey[0, -1]) + v * (
        (1 - u) * grey[-1, 0] + u * grey[-1, -1]
    )
    return across + down - corners


def _local_floor(grey: np.ndarray) -> np.ndarray:
    """The brightness behind light ink: an opening, which removes what is narrower than its window.

    It follows uneven lighting and the outlines of shadows.
    """
    from scipy import ndimage

    window = max(3, round(max(grey.shape) / 4))
    return ndimage.grey_opening(ndimage.gaussian_filter(grey, 1.0), size=(window, window))


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


def _digit_parts(level: np.ndarray) -> np.ndarray:
    """Where the digit is: not specks, nor what runs along the image's edge beside a free-standing digit."""
    from scipy import ndimage

    square = np.ones((3, 3), bool)
    parts, count = ndimage.label(level > 0.25, structure=square)
    mass = np.bincount(parts.ravel(), weights=level.ravel(), minlength=count + 1)
    mass[0] = 0
    kept = mass >= 0.03 * mass.max()
    rows, columns = level.shape
    along = np.zeros(count + 1)
    for line, length in (
        (parts[0], columns),
        (parts[-1], columns),
        (parts[:, 0], rows),
        (parts[:, -1], rows),
    ):
        along = np.maximum(along, np.bincount(line, minlength=count + 1) / length)
    free = along < 0.15
    if mass[free].sum() >= 0.1 * mass.sum():
        kept &= free
    return ndimage.binary_dilation(kept[parts] & (parts > 0), structure=square, iterations=2)


def _extent(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the smallest box that holds a mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _centre_of_mass(digit: np.ndarray) -> tuple[float, float]:
    total = digit.sum()
    rows, columns = np.arange(digit.shape[0]), np.arange(digit.shape[1])
    return float(digit.sum(axis=1) @ rows / total), float(digit.sum(axis=0) @ columns / total)


def _scale(level: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray, tuple[float, float]]:
    """Where the ink is, it scaled into the 20x20 box, and its strokes' width before and after."""
    box = _extent(level > 0.02)
    if max(level[box].shape) not in (BOX - 1, BOX):
        box = _extent(level > 0.3)
    digit = level[box]
    oversampled = _fit(digit, 8 * BOX)
    width = _stroke_width(oversampled > 0.5) / 8
    wanted = float(np.clip(width, *STROKE))
    if wanted != width:
        digit = _restroke(oversampled > 0.5, 4 * (wanted - width))
    if wanted != width or max(digit.shape) not in (BOX - 1, BOX):
        digit = _fit(digit, BOX)
    return box, digit / digit.max(), (width, wanted)


def _corner(digit: np.ndarray) -> tuple[int, int]:
    """Where a scaled digit goes in 28x28, so that its centre of mass is in the middle."""
    row, column = (
        int(np.clip(round(CENTRE - place), 0, SIDE - length))
        for place, length in zip(_centre_of_mass(digit), digit.shape, strict=True)
    )
    return row, column


def _fit(digit: np.ndarray, longest: int) -> np.ndarray:
    """Scale so that the longer side is `longest`, anti-aliased, the aspect ratio kept exactly."""
    from PIL import Image

    factor = max(digit.shape) / longest
    if factor == 1:
        return digit
    # The shorter side is padded to a whole number of output pixels rather than stretched to it.
    sizes = [max(1, math.ceil(length / factor - 1e-9)) for length in digit.shape]
    margins = [(size * factor - length) / 2 for size, length in zip(sizes, digit.shape, strict=True)]
    borders = [math.ceil(margin) for margin in margins]
    padded = np.pad(digit, [(border, border) for border in borders]).astype(np.float32)
    top, left = (border - margin for border, margin in zip(borders, margins, strict=True))
    box = (
        left,
        top,
        min(left + sizes[1] * factor, padded.shape[1]),
        min(top + sizes[0] * factor, padded.shape[0]),
    )
    scaled = Image.fromarray(padded).resize((sizes[1], sizes[0]), Image.Resampling.BICUBIC, box=box)
    return np.clip(np.asarray(scaled, np.float64), 0, 1)


def _stroke_width(mask: np.ndarray) -> float:
    """Mean width of the strokes: a bar of width w has a mean distance to its edge of w/4."""
    from scipy import ndimage

    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return 4 * float(distance[mask].mean()) if mask.any() else 0.0


def _restroke(mask: np.ndarray, change: float) -> np.ndarray:
    """Move the outline of the ink by `change` pixels, outwards if positive."""
    from scipy import ndimage

    if change > 0:
        border = math.ceil(change) + 1
        mask = np.pad(mask, border)
        grown = np.clip(1 + change - ndimage.distance_transform_edt(~mask), 0, 1)
        return grown[_extent(grown > 0.5)]
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    # A part thinner than what is taken away keeps its ridge.
    ridge = distance >= 0.9 * ndimage.maximum_filter(distance, size=3)
    thinned = np.clip(distance + change, 0, 1)
    thinned = np.maximum(thinned, ridge & mask)
    return thinned[_extent(thinned > 0.5)]
