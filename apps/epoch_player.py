"""A recorded run, played epoch by epoch in the browser: its curves, a digit's answer, the first kernels."""

from __future__ import annotations

from collections.abc import Sequence

import cached
import state
import streamlit as st
from chosen_digit import Digit
from components import component
from surroundings import surroundings

from cnnviz.colours import for_browser
from cnnviz.stage.recorded_runs import measured, network_name, player_data
from cnnviz.training.learning_curves import LearningCurve, learning_curves

_EPOCHS = component("epochs")


def show(runs: Sequence[str], measure: str, digit: Digit, label: int | None) -> int:
    """The first of some runs with its digit and kernels, and all their curves; which epoch is chosen."""
    history = cached.recorded_run(runs[0])
    curves = cached.kept(learning_curves, tuple(runs), measure)
    chosen = state.is_chosen("epoch") or state.asks("epoch")
    epoch = state.place("epoch", history.epochs + 1, history.epochs)

    def keep() -> None:
        told = st.session_state["epochs"].epoch
        if state.is_place(told, history.epochs + 1):
            state.put("epoch", told)

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
            "plays": not chosen,
            **played,
            **for_browser(theme),
            "theme": theme,
        },
        on_epoch_change=keep,
    )
    return epoch


def share(value: float, images: int) -> str:
    """An accuracy on so many images, with its standard error."""
    return measured(LearningCurve("", (value,), images, seen=False), 0)


def apart(one: LearningCurve, other: LearningCurve, epoch: int) -> str:
    """How far two accuracies are apart after an epoch, in percentage points."""
    return f"{100 * abs((one.values[epoch] or 0.0) - (other.values[epoch] or 0.0)):.2f}"
