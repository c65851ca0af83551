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


_FOUND = """async ([part, impacts]) => {
  const { violations } = await axe.run(part ?? document, { resultTypes: ["violations"], preload: false });
  return violations.filter(({ impact }) => impacts.includes(impact)).flatMap(({ impact, id, nodes }) =>
    nodes.slice(0, 3).map(({ html }) => `${impact} ${id}: ${html.slice(0, 200)}`));
}"""


def violations(page, part: str | None = None, *, moderate: bool = False) -> list[str]:
    """The serious ones on the page, or in a part of it, and where; with `moderate`, those too."""
    runner = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    page.wait_for_function(_STILL)
    # It is half a megabyte, which a page needs once.
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(runner.Axe().axe_script)
    impacts = [*(["moderate"] if moderate else []), "serious", "critical"]
    return page.evaluate(_FOUND, [part, impacts])
