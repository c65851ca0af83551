"""What a component of the explorer needs where there is no explorer around it: see js/component_host.js."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cnnviz.colours import THEMES
from cnnviz.stage import bundle

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


@lru_cache
def component_parts(name: str) -> dict[str, Any]:
    """The HTML and CSS of a component, and the colours that its style sheet names, by the theme.

    >>> sorted(component_parts("epochs"))
    ['css', 'html', 'themes']
    """
    parts = bundle.component(name)
    themes = {
        theme: {
            "--st-font": FONT,
            "--st-text-color": each.ink,
            "--st-background-color": each.background,
            "--st-secondary-background-color": each.panel,
            "--st-border-color": each.line,
            "--st-primary-color": each.accent,
            "--st-button-radius": "6px",
        }
        for theme, each in THEMES.items()
    }
    return {"html": parts["html"], "css": parts["css"], "themes": themes}
