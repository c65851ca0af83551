"""Where the ink of a picture of a digit is, whatever its colour, its paper and its lighting.

Where a digit lies in its frame, and how large it has to be, is left to `digit_preparation`.
"""

from __future__ import annotations

import numpy as np

from cnnviz.images.image_files import ImageError

LARGEST = 400
"""The most pixels a side that are looked at; `image_files.read_image` need not read more."""
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
    _, axes = np.linalg.eigh(np.cov(pixels.T))
    axis = axes[:, -1] / np.abs(axes[:, -1]).sum()
    grey = image @ axis
    return grey - axis[axis < 0].sum()


def ink_of(grey: np.ndarray) -> np.ndarray:
    """How much ink each pixel holds, 0..1, whatever the polarity and the lighting."""
    edge = np.sort(edge_of(grey))
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


def edge_of(grey: np.ndarray) -> np.ndarray:
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
    along = np.zeros(count + 1)
    for line in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        along = np.maximum(along, np.bincount(line, minlength=count + 1) / line.size)
    free = along < 0.15
    if mass[free].sum() >= 0.1 * mass.sum():
        kept &= free
    return ndimage.binary_dilation(kept[parts] & (parts > 0), structure=square, iterations=2)
