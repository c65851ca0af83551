"""The explorer's theme: one set of colours in its config, its style sheet and the figures."""

from __future__ import annotations

import re
import tomllib

import pytest

from cnnviz.colours import THEMES
from cnnviz.resources import app

CONFIG = tomllib.loads((app().parent / ".streamlit" / "config.toml").read_text())
CSS = (app().parent / "style.css").read_text()


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_config_has_the_colours_of_the_figures(name):
    theme, written = THEMES[name], CONFIG["theme"][name]
    assert written["backgroundColor"] == theme.background
    assert written["secondaryBackgroundColor"] == theme.panel
    assert written["textColor"] == theme.ink
    assert written["primaryColor"] == theme.accent
    assert written["borderColor"] == theme.line


KEYS = ("ink", "muted", "line", "panel", "accent", "background")


def test_the_style_sheet_has_the_colours_of_the_figures():
    pairs = set(re.findall(r"light-dark\((#\w{6}), (#\w{6})\)", CSS))
    light, dark = THEMES["light"], THEMES["dark"]
    known = {(getattr(light, key), getattr(dark, key)) for key in KEYS}
    assert pairs == known
    assert not set(re.findall(r"#[0-9a-f]{6}", CSS)) - {colour for pair in known for colour in pair}


def test_streamlit_finds_the_config_from_any_directory(tmp_path, monkeypatch):
    from streamlit import config

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "_main_script_path", str(app()))
    assert str(app().parent / ".streamlit" / "config.toml") in config.get_config_files("config.toml")


@pytest.mark.parametrize("name", ["light", "dark"])
def test_what_must_be_seen_stands_out_from_the_paper(name):
    """Rings of radio buttons and the grey of cells that came in over a border: 3:1, as WCAG 1.4.11 asks."""
    theme = THEMES[name]

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted(luminance(colour) for colour in (theme.muted, theme.background))
    assert (high + 0.05) / (low + 0.05) >= 3
    assert re.search(
        r"stRadioOption[^{]*:not\(:has\(input:checked\)\)[^{]*\{ border-color: var\(--muted\)", CSS
    )
