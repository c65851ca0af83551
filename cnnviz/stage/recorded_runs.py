"""Recorded runs, played epoch by epoch: curves, what was said of a digit, the first kernels as they formed.

The player is components/epochs.js, in the explorer, in a notebook and in a file alike; all numbers and their
texts are made here.
"""

from __future__ import annotations

import base64
import html
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.colours import THEMES, Scale, for_browser
from cnnviz.figures.epochs import places_on_scale
from cnnviz.network.keras_file import load_model
from cnnviz.numbers import brief, counted, probability, with_article
from cnnviz.resources import one_line, text_writer, write_atomically
from cnnviz.stage import bundle
from cnnviz.stage.component_parts import FONT, component_parts
from cnnviz.stage.live_view import document
from cnnviz.training.epoch_predictions import shares_over_epochs
from cnnviz.training.history import TrainingHistory, read_history
from cnnviz.training.learning_curves import MEASURES, LearningCurve, learning_curves

TITLES: Mapping[str, str] = {
    "mnist_maxpool.short": "4,000 images",
    "mnist_maxpool.second_seed": "4,000 images, another seed",
    "mnist_maxpool.by_heart": "500 images by heart",
    "mnist_maxpool.shuffled": "500 images, labels shuffled",
    "mnist_maxpool.too_fast": "a rate that is too high",
}
"""The small recorded runs, and what each is of."""


def network_name(run: str) -> str:
    """The bundled network whose run it is.

    >>> network_name("mnist_maxpool.short")
    'mnist_maxpool'
    """
    return run.partition(".")[0]


def player_data(
    history: TrainingHistory,
    curves: Sequence[LearningCurve],
    shares: np.ndarray,
    *,
    title: str,
    label: int | None,
    layer: str,
) -> dict[str, Any]:
    """What components/epochs.js plays of a run, but for the epoch that it stands at and its colours.

    Parameters
    ----------
    history
        The run, with its weights.
    curves
        Of one measure; other runs' may be among them.
    shares
        (kept epochs, classes): what it said of a digit, as `shares_over_epochs` gives it.
    title, label
        What the digit is called in a sentence, and what it is, if that is known.
    layer
        A convolution, whose kernels for its first input channel are shown.
    """
    kept = range(history.epochs + 1) if history.kept is None else history.kept
    kernels = (history.weights or {})[f"{layer}/kernel"][:, :, :, 0]
    scale = Scale.of(kernels, signed=True)
    return {
        "epochs": history.epochs,
        **_placed(curves),
        "said": [_said(history, curves, n) for n in range(history.epochs + 1)],
        "caption": _caption(curves),
        "alt": _in_words(curves),
        "shares": {
            "title": f"What it says of {title}" + ("" if label is None else f", {with_article(label)}"),
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
            "numbers": base64.b64encode(np.ascontiguousarray(kernels, "<f4").tobytes()).decode(),
            "scale": {"kind": scale.kind, "limit": scale.limit},
        },
    }


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
        return f"Means over {counts} images, in nats. Each halving of the loss has the same length."
    return (
        f"± is one standard error of a share of {counts} images. Each halving of the mistakes has the same "
        "length."
    )


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


def check_finite(images: np.ndarray | None) -> None:
    """ValueError for an image that the page could not be told of: JSON has only finite numbers."""
    if images is not None and not np.isfinite(images).all():
        raise ValueError("image must hold finite numbers")


def recorded(
    called: str, names: Sequence[str], image: Any, *, title: str, label: int | None
) -> dict[str, Any]:
    """What the player holds of a run, by the measure; of several, digit and kernels are the first one's.

    ValueError if there is no record of a run with its weights, or for an image that is no finite numbers.
    """
    history = read_history(names[0])
    if history is None or history.weights is None:
        raise ValueError(
            f"there is no record of a run {brief(names[0])} with its weights; see {', '.join(TITLES)}"
        )
    net = load_model(network_name(names[0]))
    check_finite(net.run(image).input)
    shares = shares_over_epochs(net, history, image)
    layer = next(layer.name for layer in net if layer.is_convolution)
    about: dict[str, Any] = {"title": title, "label": label, "layer": layer}
    measures = {
        measure: {
            "key": f"{', '.join(names)} {measure}",
            **player_data(history, learning_curves(names, measure), shares, **about),
        }
        for measure in MEASURES
    }
    return {"title": called, "measures": measures}


def player(runs: Sequence[Mapping[str, Any]], steps: Sequence[Mapping[str, Any]] = ()) -> str:
    """HTML that plays what `recorded` gave, with the steps of a walk, if there are any.

    A step has its "title" and what to "say", and shows the "run" of that place among the runs, its "measure"
    and "epoch"; it "plays" if the run first comes to that epoch from its start.
    """
    held = {
        "parts": component_parts("epochs"),
        "runs": list(runs),
        "steps": list(steps),
        "palettes": for_browser(),
    }
    # No title may end the script, or begin a comment in it.
    text = json.dumps(held, allow_nan=False).replace("<", "\\u003c")
    name = f"cnnviz-{uuid.uuid4().hex[:12]}"
    code = bundle.hosted("epochs", "recorded_runs").replace("</script", "<\\/script")
    # Jupyter runs the script before the output is on the page.
    find = (
        f'document.getElementById("{name}") ?? document.currentScript?.parentNode?.querySelector("#{name}")'
    )
    return (
        f'<div id="{name}"><script type="application/json" data-part="runs">{text}</script></div>'
        f'<script>(() => {{\n"use strict";\n{code}\n'
        f"recorded_runs_module.showRuns({find}, epochs_module.show);\n}})();</script>"
    )


class RecordedRuns:
    """Runs that are among cnnviz's assets, to be played: in a notebook by itself, elsewhere after `save`.

    Parameters
    ----------
    names
        What their files are called: "mnist_maxpool.short", see `TITLES`, or a bundled network's own.
    image
        A digit, as `Network.run` takes it: what each run said of it after each epoch.
    title, label
        What it is called in a sentence, and what it is, if that is known.

    Raises
    ------
    ValueError
        if there is no record of a run, or none of its weights.

    Examples
    --------
    >>> import cnnviz
    >>> RecordedRuns(["mnist_maxpool.short"], cnnviz.load_mnist()[1][0][0])
    <RecordedRuns: mnist_maxpool.short>
    """

    def __init__(
        self, names: Sequence[str], image: Any, *, title: str = "the digit", label: int | None = None
    ) -> None:
        if not names:
            raise ValueError("names must be at least one recorded run, got none")
        self.names = tuple(names)
        self._runs = []
        for name in self.names:
            what = f": {TITLES[name]}" if name in TITLES else ""
            called = f"{network_name(name)}{what}"
            self._runs.append(recorded(called, [name], image, title=title, label=label))

    def __repr__(self) -> str:
        return one_line(f"<RecordedRuns: {', '.join(self.names)}>")

    def _repr_html_(self) -> str:
        """The player as the output of a notebook's cell; it needs no kernel."""
        return player(self._runs)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that needs no server and no network; OSError if it cannot be written."""
        light, dark = THEMES["light"], THEMES["dark"]
        css = f"""html {{ background: {light.background}; color: {light.ink}; font-family: {FONT}; }}
body {{ max-width: 60rem; margin: 0 auto; padding: 1rem; }}
h1 {{ font-size: 1.375rem; font-weight: 600; }}
select {{ font: inherit; min-height: 2.5rem; max-width: 100%; }}
@media (prefers-color-scheme: dark) {{
  html {{ background: {dark.background}; color: {dark.ink}; color-scheme: dark; }}
}}"""
        title = "Training, epoch by epoch"
        target = Path(path)
        write_atomically(
            target,
            text_writer(document(title, css, f"<main>\n<h1>{title}</h1>\n{self._repr_html_()}</main>")),
        )
        return target
