"""What holds for every figure: nothing clipped or overlapping, one call, no global state, words for eyes."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache
from inspect import getdoc, isfunction, signature
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

from cnnviz import figures
from figures.conftest import CALLS, drawn

SMALL_ONES = ("image_of", "single_map")


def texts(picture: figures.Picture) -> list[tuple[str, mpl.transforms.Bbox]]:
    """All that is written, and where, in pixels; letters are DejaVu's, wider than the explorer's."""
    drawn: list[Text] = []
    with pytest.MonkeyPatch.context() as patch:
        # Axes keep labels of ticks beyond their limits, which are never drawn.
        original = Text.draw
        patch.setattr(Text, "draw", lambda self, *given: (drawn.append(self), original(self, *given)))
        picture.figure.draw_without_rendering()
    renderer = FigureCanvasAgg(picture.figure).get_renderer()
    written = [text for text in drawn if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in written]


@cache
def words_of(name: str, **look: str) -> list[str]:
    """What is written in a figure as it is by default, but for a theme."""
    return [words for words, _ in texts(drawn(name, **look))]


def drawn_images(picture: figures.Picture) -> list[AxesImage]:
    return picture.figure.findobj(AxesImage)


@pytest.mark.parametrize("width", [328.0, 640.0, 960.0])
def test_nothing_written_is_cut_off_or_covers_another(draw, width):
    picture = draw(width=width)
    written = texts(picture)
    right, top = picture.figure.bbox.width, picture.figure.bbox.height
    for words, box in written:
        assert box.x0 >= -1, (words, "is cut off on the left")
        assert box.x1 <= right + 1, (words, "is cut off on the right")
        assert box.y0 >= -1, (words, "is cut off below")
        assert box.y1 <= top + 1, (words, "is cut off above")
    for (one, a), (other, b) in combinations(written, 2):
        across, along = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 1 or along <= 3, f"{one!r} and {other!r} overlap"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_scales_are_honest(name, picture, theme):
    for image in drawn_images(picture if theme == "light" else drawn(name, theme=theme)):
        norm, colours = image.norm, image.get_cmap().name
        data = np.ma.compressed(np.ma.masked_invalid(image.get_array()))
        if norm.vmin < 0:
            assert norm.vmin == -norm.vmax, "signed data is centred on zero"
            assert colours == f"cnnviz.signed.{theme}"
        else:
            assert norm.vmin == 0, "other data starts at zero"
            assert colours in (f"cnnviz.positive.{theme}", f"cnnviz.ink.{theme}")
            assert data.min() >= 0
        assert np.abs(data).max() <= norm.vmax * (1 + 1e-6), "nothing is beyond the scale"


def test_maps_have_a_legend_of_their_scale(name, picture):
    images = drawn_images(picture)
    bars = [image for image in images if image.get_array().shape == (1, 129)]
    scales = {(bar.norm.vmin, bar.norm.vmax, bar.get_cmap().name) for bar in bars}
    alone = "its own largest weight" in " ".join(words_of(name))
    for image in images:
        if "ink" not in image.get_cmap().name and not alone:
            assert (image.norm.vmin, image.norm.vmax, image.get_cmap().name) in scales
    for bar in bars:
        assert bar.get_array()[0, 0] == bar.norm.vmin
        assert bar.get_array()[0, -1] == bar.norm.vmax


def test_a_figure_draws_on_the_axes_it_is_given_and_says_so(draw):
    figure = Figure()
    ax = figure.add_subplot()
    picture = draw(ax=ax)
    assert picture.figure is figure
    assert picture.ax in figure.findobj(type(picture.ax)) or picture.ax.get_figure(root=True) is figure
    assert len(ax.findobj()) > 5


def test_a_figure_says_in_words_what_it_shows(picture):
    assert re.search(r"\d", picture.alt)
    assert picture.alt.endswith(".")
    assert repr(picture) == f"<Picture: {picture.alt}>"


def test_its_svg_is_a_named_drawing_without_a_style_sheet(picture):
    svg = picture.svg(text=True)
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert root.get("role") == "img"
    assert root.get("aria-label") == picture.alt
    assert "<style" not in svg
    assert "font-family: inherit" in svg or "<text" not in svg
    assert float(root.get("width")) == pytest.approx(float(root.get("viewBox").split()[2]))


def test_the_same_figure_is_the_same_svg():
    draw = CALLS["activation_curve"]
    assert draw().svg() == draw().svg()


def test_a_theme_changes_colours_only(name, picture):
    light, dark = picture, drawn(name, theme="dark")
    assert words_of(name) == words_of(name, theme="dark")
    assert light.alt == dark.alt
    assert light.figure.get_facecolor() != dark.figure.get_facecolor()


def test_a_figure_names_and_describes_its_look(name):
    function = getattr(figures, name.split(",")[0].split(" ")[0])
    assert list(signature(function).parameters)[-3:] == ["width", "ax", "theme"]
    described = re.search(r"Parameters\n-+\n(.*?)\n\nReturns", getdoc(function), re.DOTALL)[1]
    assert re.findall(r"^\w[\w, ]*$", described, re.MULTILINE)[-3:] == ["width", "ax", "theme"]


def test_a_figure_refuses_other_arguments(draw):
    with pytest.raises(TypeError, match="unexpected keyword argument 'themes'"):
        draw(themes="dark")


def test_every_public_figure_is_among_these():
    functions = {name for name, value in vars(figures).items() if isfunction(value)}
    helpers = {
        "case_in_words",
        "layers_of",
        "left_out",
        "palette",
        "path_to",
        "plot",
        "rungs_to",
        "strongest",
        "strongest_channel",
    }
    assert functions - helpers == {name.split(",")[0].split(" ")[0] for name in CALLS}


def test_figures_leave_pyplot_alone():
    program = (
        "import sys, numpy as np; from cnnviz import figures; figures.single_map(np.eye(3)).png(); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_that_the_test_of_pyplot_can_fail():
    program = "import sys, matplotlib.pyplot; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 1


def test_a_picture_saves_itself(tmp_path):
    picture = figures.single_map(np.eye(3))
    picture.save(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"
    assert picture.png()[:4] == picture._repr_png_()[:4] == b"\x89PNG"
    assert picture["map"] is picture.artists["map"]
