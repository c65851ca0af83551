"""The walk of the Training page: runs to be started and watched, and what this session's runs came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import opened
import state
import streamlit as st

from cnnviz.stage.training_panel import Picture
from cnnviz.teaching.training_walk import STEPS, Outcome, has_shown, settings_of, told
from cnnviz.teaching.walks.training import TRAINING
from cnnviz.training.watched_run import WatchedRun
from cnnviz.training.watched_training import NETWORKS, RunSettings

NAMES = ("network", "images", "batch", "rate", "optimizer", "seed", "norm", "shuffled")
"""Parameters of the address, in the order of a run's settings."""
_OUTCOMES = "training outcomes"
_TOLD = {settings for name in STEPS for settings in settings_of(name)}
"""The runs that the walk is about. Of no other is anything kept: its network may be anybody's, and large."""


def chosen() -> str:
    """The step that the address names; "" for none."""
    return state.text("trial", "", lambda name: not name or name in STEPS)


def start_of(name: str) -> RunSettings:
    """The settings that a step begins with, and those of no step."""
    return settings_of(name)[0] if name else RunSettings()


def put_settings(settings: RunSettings) -> None:
    """Choose all settings, from a callback."""
    for name, value in zip(NAMES, vars(settings).values(), strict=True):
        known = name != "network" or value in NETWORKS
        state.put(name, value if known else opened.OWN)


def go_to(name: str) -> None:
    """Open a step with the settings of its first run; "" closes the walk, and the settings stay."""
    if name and name not in STEPS:
        return
    state.put("trial", name)
    if name:
        put_settings(start_of(name))


def run_named(name: str, number: Any) -> tuple[RunSettings, int] | None:
    """The settings of one of a step's runs, and after how many steps it is looked at."""
    runs = settings_of(name) if name in STEPS else []
    return (runs[number], STEPS[name]["until"]) if state.is_place(number, len(runs)) else None


def remember(run: WatchedRun, picture: Picture) -> None:
    """Keep what a run of this session came to, for what the walk says of it when another is on."""
    if run.settings not in _TOLD:
        return
    kept: dict[RunSettings, Outcome] = st.session_state.setdefault(_OUTCOMES, {})
    before = kept.pop(run.settings, None)
    # Whoever looks back at an earlier step has seen the later one.
    if before is not None and before.curves is run.curves and before.picture.get("step", 0) > picture["step"]:
        picture = before.picture
    kept[run.settings] = Outcome(run.curves, run.layers, picture)


def card(name: str) -> Mapping[str, Any] | None:
    """What the panel shows of a step; None if none is open."""
    if not name:
        return None
    kept: dict[RunSettings, Outcome] = st.session_state.get(_OUTCOMES, {})
    outcomes = [kept.get(settings, Outcome()) for settings in settings_of(name)]
    names, step = list(STEPS), STEPS[name]
    place = names.index(name)
    return {
        "title": step["title"],
        "place": f"{place + 1} of {len(names)}",
        "back": names[place - 1] if place else None,
        "next": names[place + 1] if place + 1 < len(names) else None,
        "say": told(name, outcomes),
        "shown": has_shown(name, outcomes),
        "runs": [words for words, _ in step["runs"]],
        "until": step["until"],
    }


FIRST = {"name": next(iter(STEPS)), "title": TRAINING["title"]}
"""Where the walk begins, and what it is called."""
