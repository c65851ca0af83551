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
