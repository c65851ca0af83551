"""A recorded run, played epoch by epoch in the browser: its curves, a digit's answer, the first kernels.

Above it stands its walk, whose steps are states of the player.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import cached
import state
import streamlit as st
from chosen_digit import Digit
from components import component, float32_text
from surroundings import surroundings

from cnnviz import figures
from cnnviz.colours import for_browser
from cnnviz.figures.epochs import places_on_scale
from cnnviz.numbers import counted, probability, with_article
from cnnviz.teaching.walks.epochs import EpochStep, recorded_runs
from cnnviz.training.history import TrainingHistory
from cnnviz.training.learning_curves import LearningCurve, learning_curves

_EPOCHS = component("epochs")


def show(
    run: str, measure: str, steps: Sequence[EpochStep], at: int, model: str, digit: Digit, label: int | None
) -> int:
    """A run's curves, a digit and the kernels in it, and the walk, at a step; which epoch is chosen.

    `run` is one of `recorded_runs` of the model; of several that are called so, digit and kernels are the
    first one's. Where no epoch is chosen it is the step's.
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
    kept = range(history.epochs + 1) if history.kept is None else history.kept
    layer = next(layer.name for layer in cached.network(runs[0].partition(".")[0]) if layer.is_convolution)
    kernels = (history.weights or {})[f"{layer}/kernel"][:, :, :, 0]
    shares = cached.answers_over_epochs(runs[0], digit)
    scale = figures.Scale.of(kernels, signed=True)
    _EPOCHS(
        key="epochs",
        data={
            "key": f"{runs} {measure} {digit} {theme}",
            "epoch": epoch,
            "epochs": history.epochs,
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
            **_placed(curves),
            "said": [_said(history, curves, n) for n in range(history.epochs + 1)],
            "caption": _caption(curves),
            "alt": _in_words(curves),
            "shares": {
                "title": f"What it says of {digit.name}"
                + ("" if label is None else f", {with_article(label)}"),
                "rows": shares.tolist(),
                "texts": [[probability(share) for share in row] for row in shares],
                "places": [max(k for k, at in enumerate(kept) if at <= n) for n in range(history.epochs + 1)],
                "label": label,
            },
            "kernels": {
                "title": f"The {kernels.shape[3]} kernels of {layer}"
                + ("" if history.kept is None else ", as they were kept after some epochs"),
                "rows": kernels.shape[1],
                "cols": kernels.shape[2],
                "count": kernels.shape[3],
                "numbers": float32_text(kernels),
                "scale": {"kind": scale.kind, "limit": scale.limit},
            },
            **for_browser(theme),
            "theme": theme,
        },
        on_epoch_change=keep,
        on_step_change=keep,
    )
    return epoch


def go_to(steps: Sequence[EpochStep], at: int) -> None:
    """Choose what a step of the walk shows: for a callback."""
    step = steps[at]
    for name, value in (("run", step.run), ("walk", at), ("measure", step.measure), ("epoch", step.epoch)):
        state.put(name, value)


def share(value: float, images: int) -> str:
    """An accuracy on so many images, with its standard error."""
    return LearningCurve("", (value,), images, seen=False).text(0)


def _said(history: TrainingHistory, curves: Sequence[LearningCurve], epoch: int) -> str:
    """What is so after an epoch, as HTML."""
    steps = counted(history.steps_after(epoch), "step")
    when = f"<b>After epoch {epoch} of {history.epochs}</b>, {steps}" if epoch else "<b>Before training</b>"
    what = "right" if curves[0].measure == "accuracy" else "mean loss"
    of_all = "; ".join(f"{html.escape(curve.name)} <b>{curve.text(epoch)}</b>" for curve in curves)
    return f"{when}. {what.capitalize()}: {of_all}."


def _caption(curves: Sequence[LearningCurve]) -> str:
    counts = " and ".join(dict.fromkeys(f"{curve.images:,}" for curve in curves))
    if curves[0].measure == "loss":
        return f"Means over {counts} images, in nats; halving the loss is one length."
    return f"± is one standard error of a share of {counts} images. Halving the mistakes is one length."


def _in_words(curves: Sequence[LearningCurve]) -> str:
    ends = [f"{curve.name} {curve.text(len(curve.values) - 1)}" for curve in curves]
    return f"The {curves[0].measure} over {len(curves[0].values) - 1} epochs, at the end: {', '.join(ends)}."


def _placed(curves: Sequence[LearningCurve]) -> dict[str, object]:
    """Where each curve and its error bars stand on a scale that all share."""
    ends = {}
    for k, curve in enumerate(curves):
        for n, value in enumerate(curve.values):
            if value is not None:
                error = curve.error(n)
                ends[k, n] = (value, *((None, None) if error is None else (value - error, value + error)))
    numbers = [
        min(max(each, 0.0), 1.0) if curves[0].measure == "accuracy" else each
        for of_one in ends.values()
        for each in of_one
        if each is not None
    ]
    place, lines = places_on_scale(numbers, "accuracy" if curves[0].measure == "accuracy" else "log")

    def at(k: int, which: int) -> list[float | None]:
        found = (ends.get((k, n), (None,) * 3)[which] for n in range(len(curves[k].values)))
        return [None if each is None else round(min(max(place(each), 0.0), 1.0), 4) for each in found]

    return {
        "ticks": [{"place": where, "text": text} for where, text in lines],
        "curves": [
            {"name": curve.name, "places": at(k, 0), "low": at(k, 1), "high": at(k, 2)}
            for k, curve in enumerate(curves)
        ],
    }
