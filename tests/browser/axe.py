"""Violations that axe-core finds; where it is not installed, the test that asks is skipped."""

from __future__ import annotations

import pytest

_STILL = """() => {
  const all = (root) => [...root.querySelectorAll("*")];
  const inner = (root) => all(root).flatMap((e) => (e.shadowRoot ? within(e.shadowRoot) : []));
  const within = (root) => [root, ...inner(root)];
  const ends = ({ effect }) => effect.getComputedTiming().iterations !== Infinity;
  const runs = (animation) => animation.playState === "running" && ends(animation);
  return !within(document).some((root) => root.getAnimations().some(runs));
}"""
"""What fades in has little contrast meanwhile."""


def violations(page, part: str | None = None, *, moderate: bool = False) -> list[str]:
    """The serious ones on the page, or in a part of it, and where; with `moderate`, those too."""
    runner = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    page.wait_for_function(_STILL)
    impacts = ("moderate", "serious", "critical") if moderate else ("serious", "critical")
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]}"
        for one in runner.Axe().run(page, context=part).response["violations"]
        if one["impact"] in impacts
        for node in one["nodes"][:3]
    ]
