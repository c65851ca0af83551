"""A recorded run, played epoch by epoch in the browser: its curves, a digit's answer, the first kernels.

Above it stands its walk, whose steps are states of the player.
"""

from __future__ import annotations

from collections.abc import Sequence

import cached
import state
import streamlit as st
from chosen_digit import Digit
from components import component
from surroundings import surroundings

from cnnviz.colours import for_browser
from cnnviz.stage.recorded_runs import network_name, player_data
from cnnviz.teaching.walks.epochs import EpochStep, recorded_runs
from cnnviz.training.learning_curves import LearningCurve, learning_curves

_EPOCHS = component("epochs")


def show(
    run: str, measure: str, steps: Sequence[EpochStep], at: int, model: str, digit: Digit, label: int | None
) -> tuple[int, int]:
    """A run's curves, a digit and the kernels in it, and the walk, at a step.

    `run` is one of `recorded_runs` of the model; of several that are called so, digit and kernels are the
    first one's. Returned are the epoch that is chosen, and the step's, which it is where none is chosen: the
    run's last one where the step is about another run, of more epochs.
    """
    runs, step = recorded_runs(model)[run], steps[at]
    history = cached.recorded_run(runs[0])
    curves = cached.kept(learning_curves, runs, measure)
    asked = state.asks("epoch")
    wanted = min(step.epoch, history.epochs)
    epoch = state.place("epoch", history.epochs + 1, wanted)

    def keep() -> None:
        told = st.session_state["epochs"]
        if state.is_place(told.epoch, history.epochs + 1):
            state.put("epoch", told.epoch)
        if state.is_place(told.step, len(steps)):
            go_to(steps, told.step)

    theme = surroundings()["theme"]
    net = cached.network(network_name(runs[0]))
    layer = next(layer.name for layer in net if layer.is_convolution)
    shares = cached.answers_over_epochs(runs[0], digit)
    played = player_data(history, curves, shares, title=digit.name, label=label, layer=layer)
    _EPOCHS(
        key="epochs",
        data={
            "key": f"{runs} {measure} {digit} {theme}",
            "epoch": epoch,
            "plays": step.plays and epoch == wanted and not asked,
            "step": at,
            "steps": [
                {
                    "title": each.title,
                    "say": each.say,
                    "epoch": each.epoch,
                    "here": (each.run, each.measure) == (run, measure),
                }
                for each in steps
            ],
            **played,
            **for_browser(theme),
            "theme": theme,
        },
        on_epoch_change=keep,
        on_step_change=keep,
    )
    return epoch, wanted


def go_to(steps: Sequence[EpochStep], at: int) -> None:
    """Choose what a step of the walk shows: for a callback."""
    step = steps[at]
    for name, value in (("run", step.run), ("walk", at), ("measure", step.measure), ("epoch", step.epoch)):
        state.put(name, value)


def share(value: float, images: int) -> str:
    """An accuracy on so many images, with its standard error."""
    return LearningCurve("", (value,), images, seen=False).text(0)
