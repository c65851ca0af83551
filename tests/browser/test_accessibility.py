"""axe-core finds no serious violation in any of the main states, light or dark, wide or narrow."""

from __future__ import annotations

import pytest

axe_runner = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)

STATES = {
    "plain": "",
    "probability": "#trail=softmax~0~0~7",
    "receipt": "#trail=softmax~0~0~7!conv2d_7~0~0~7!batch_normalization_6~1~1~3",
    "pool": "#trail=max_pooling2d~4~5~7",
    "pixel": "#trail=conv2d~4~5~7!input~5~6~0",
}


def serious(page) -> list[str]:
    found = axe_runner.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_no_serious_violation(live, state, dark):
    assert serious(live(STATES[state], dark=dark)) == []


def test_no_serious_violation_while_playing_on_a_phone(live):
    page = live(width=360, height=780)
    page.locator(".cv-openplay").click()
    assert serious(page) == []
