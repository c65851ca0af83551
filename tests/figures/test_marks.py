"""Each mark as an SVG element: where it lies, how it is painted, and what is kept of odd input."""

from __future__ import annotations

import base64
import io
import math
import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cnnviz.colours import BRIGHTNESS, INK, Scale
from cnnviz.figures.canvas import Canvas
from cnnviz.figures.marks import Cells, Mark

XLINK = "{http://www.w3.org/1999/xlink}href"


def element(mark: Mark) -> Any:
    return ET.fromstring(mark.svg().replace("xlink:href", f'xmlns:xlink="{XLINK[1:-5]}" xlink:href'))


def image(mark: Mark) -> np.ndarray:
    content = base64.b64decode(element(mark).get(XLINK).split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("scale", [Scale("signed", 2.5), Scale("positive", 3.0), INK, BRIGHTNESS])
def test_cells_have_the_colours_that_matplotlib_gives_them(scale, theme):
    array = np.random.default_rng(3).uniform(scale.low, scale.limit, (17, 9))
    array[0, :3] = scale.low, 0, scale.limit
    mark = Canvas(90, 90, theme=theme).image(array, 0, 0, 90, scale=scale)
    drawn = mark.on(Figure().add_axes((0, 0, 1, 1)))
    expected = drawn.get_cmap()(drawn.norm(array), bytes=True)[:, :, :3]
    np.testing.assert_array_equal(image(mark), expected)


def test_cells_that_are_no_number_are_clear_and_those_beyond_the_scale_have_its_ends_colour():
    array = np.ma.masked_equal([[np.nan, 9.0, -9.0, 5.0]], 5.0)
    found = image(Canvas(9, 9).image(array, 0, 0, 9, scale=Scale("signed", 1.0)))
    ends = image(Canvas(9, 9).image(np.array([[1.0, -1.0]]), 0, 0, 9, scale=Scale("signed", 1.0)))
    assert found[0, :, 3].tolist() == [0, 255, 255, 0]
    np.testing.assert_array_equal(found[0, 1:3, :3], ends[0])


def test_a_photograph_keeps_its_colours():
    array = np.array([[[0.0, 0.5, 1.0], [1.0, 0.2, 0.0]]])
    assert image(Canvas(9, 9).image(array, 0, 0, 9, scale=INK)).tolist() == [[[0, 128, 255], [255, 51, 0]]]


def test_a_box_has_no_negative_sides_and_no_stroke_without_a_thickness():
    found = element(Canvas(99, 99).box(10, 20, -4, 6, "accent", 0, fill="#ff0000"))
    assert [found.get(name) for name in ("x", "y", "width", "height")] == ["6", "20", "4", "6"]
    assert found.get("fill") == "#ff0000"
    assert found.get("stroke") is None


def test_dashes_are_counted_in_line_widths():
    found = element(Canvas(9, 9).line([(0, 0), (9, 0)], "ink", 2.0, (0, (3, 1.5))))
    assert found.get("stroke-dasharray") == "6 3"
    assert found.get("stroke-linecap") is None


def test_a_line_has_a_gap_where_it_has_no_number():
    found = element(Canvas(9, 9).line([(0, 0), (1, 2), (math.nan, math.nan), (3, 4), (5, math.inf), (6, 7)]))
    assert re.findall("[ML][^ML]+", found.get("d")) == ["M0 0", "L1 2", "M3 4", "M6 7"]


def test_an_arrow_ends_where_it_is_to():
    found = element(Canvas(9, 9).arrow((0, 0), (20, 0)))
    points = [[float(part) for part in pair.split()] for pair in re.findall(r"[ML]([^MLZ]+)", found.get("d"))]
    # Half a stroke's mitre is beyond the path's own point.
    mitre = 0.6 / math.sin(math.atan2(1.8, 3.6))
    assert max(x for x, _ in points) + mitre == pytest.approx(20, abs=0.01)
    assert sorted(y for _, y in points) == [-1.8, 0, 0, 0, 1.8]


def test_words_are_escaped_and_stand_where_they_are_put():
    found = element(Canvas(9, 9).text(3, 4, '1 < 2 & "x"', ha="right", weight="bold"))
    assert found.text == '1 < 2 & "x"'
    assert (found.get("text-anchor"), found.get("font-weight")) == ("end", "bold")


def test_what_lies_above_comes_later():
    canvas = Canvas(9, 9)
    canvas.text(1, 1, "above")
    canvas.box(0, 0, 9, 9)
    canvas.image(np.eye(2), 0, 0, 9, scale=INK, frame=None)
    root = ET.fromstring(canvas.picture("1.").svg(text=True))
    assert [child.tag.split("}")[1] for child in root] == ["image", "rect", "text"]


def test_marks_in_lists_and_mappings_are_read_as_artists():
    canvas = Canvas(9, 9)
    one = canvas.box(0, 0, 2, 2)
    picture = canvas.picture("1.", some=[one, None], named={"a": (one, 3)})
    (box, nothing), (again, three) = picture["some"], picture["named"]["a"]
    assert box is again
    assert (box.get_width(), nothing, three) == (2, None, 3)
    assert picture.artists["some"][0] is box


def test_a_drawing_is_drawn_by_matplotlib_only_when_asked(monkeypatch):
    canvas = Canvas(9, 9)
    picture = canvas.picture("1.", cells=canvas.image(np.eye(2), 0, 0, 9, scale=INK), tiles=[(0.0, 1.0)])
    monkeypatch.setattr(Cells, "on", lambda self, ax: pytest.fail("drawn"))
    assert picture.svg(text=True).startswith("<svg ")
    assert picture.get("tiles") == [(0.0, 1.0)]
    assert picture.get("others", 5) == 5
