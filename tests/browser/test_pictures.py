"""A picture on a page is the one that matplotlib draws: every figure as SVG in Chromium and by Agg."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.text import Text
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

from cnnviz import figures
from cnnviz.figures.picture import Drawing
from figures.conftest import CALLS

# Letters are the page's own in a browser. Edges between pixels are moved to the next pixel by Agg, and
# blended by Chromium: three pixels' mean colour must be one that the other picture has right beside it.
STYLE = "body { margin: 0 } svg { display: block } text { visibility: hidden }"
NEAR, COLOUR, SHARE = 3, 32, 0.004
HAIRLINES = {"epoch_batches of single images": 0.04, "moved_maps of pixels": 0.02}
"""Hairlines three pixels apart, which the two blend differently everywhere."""


def by_matplotlib(picture: figures.Picture) -> np.ndarray:
    for text in picture.figure.findobj(Text):
        text.set_visible(False)
    return pixels(picture.png(scale=1))


def by_chromium(page, pictures: list[figures.Picture]) -> list[np.ndarray]:
    """All on one page, taken together."""
    paper = pictures[0].figure.get_facecolor()
    red, green, blue = (round(255 * part) for part in paper[:3])
    svgs = "".join(picture.svg(text=True) for picture in pictures)
    page.set_content(f"<style>{STYLE} body {{ background: rgb({red} {green} {blue}) }}</style>{svgs}")
    boxes = [svg.bounding_box() for svg in page.locator("svg").all()]
    whole = pixels(page.screenshot(full_page=True))
    return [whole[round(box["y"]) : round(box["y"] + box["height"]), : round(box["width"])] for box in boxes]


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), float)


def differ(one: np.ndarray, other: np.ndarray) -> float:
    """The share of pixels of either with a colour that the other has not right beside them."""
    assert np.abs(np.subtract(one.shape, other.shape)).max() <= 1, (one.shape, other.shape)
    # An image that touches the edge begins half a pixel further in with one of them.
    edge = (NEAR, NEAR), (NEAR, NEAR), (0, 0)
    one, other = (np.pad(array, edge, constant_values=255) for array in (one, other))
    rows, cols = (min(one.shape[axis], other.shape[axis]) for axis in (0, 1))
    found = np.zeros((rows, cols), bool)
    one, other = (uniform_filter(array[:rows, :cols], (NEAR, NEAR, 1)) for array in (one, other))
    for a, b in ((one, other), (other, one)):
        low, high = minimum_filter(b, (NEAR, NEAR, 1)), maximum_filter(b, (NEAR, NEAR, 1))
        found |= ((a < low - COLOUR) | (a > high + COLOUR)).any(axis=2)
    return float(found.mean())


def test_every_figure_looks_the_same_in_the_browser(open_page):
    page = open_page("about:blank")
    pictures = {name: draw() for name, draw in CALLS.items()}
    # The others are drawn by matplotlib for a page too.
    names = [name for name, picture in pictures.items() if isinstance(picture._drawn, Drawing)]
    assert len(names) > 40
    for first in range(0, len(names), 12):
        some = names[first : first + 12]
        for name, shown in zip(some, by_chromium(page, [pictures[name] for name in some]), strict=True):
            assert differ(shown, by_matplotlib(pictures[name])) < HAIRLINES.get(name, SHARE), name


def test_that_another_picture_is_noticed(open_page):
    page = open_page("about:blank")
    array = np.linspace(-1, 1, 144).reshape(12, 12)
    changed = array.copy()
    changed[4:6, 5:7] = 1
    one, outlined = figures.single_map(array), figures.single_map(array, cell=(3, 3))
    (shown,) = by_chromium(page, [one])
    assert differ(shown, by_matplotlib(one)) < SHARE
    assert differ(shown, by_matplotlib(outlined)) > SHARE
    assert differ(shown, by_matplotlib(figures.single_map(changed))) > SHARE
