"""A training that is watched in a notebook: a live `Trainer`, or the recorded runs.

The trainer's pictures go to the page while a cell trains, a few a second; what the page asks for Python hears
once the cell is done. The panel is that of the explorer's Training page, which it shares its code with.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from cnnviz.images.mnist import load_mnist
from cnnviz.network import Run
from cnnviz.numbers import counted
from cnnviz.resources import one_line
from cnnviz.stage import bundle, notebook
from cnnviz.stage.component_parts import component_parts
from cnnviz.stage.parts import Part
from cnnviz.stage.recorded_runs import RecordedRuns, check_finite
from cnnviz.stage.training_digit import digit_header, field_header, field_layers, field_of
from cnnviz.stage.training_panel import Picture, initial_picture, panel_part
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.trainer import Trainer
from cnnviz.training.training_step import TrainingStep
from cnnviz.training.watched_run import Curves
from cnnviz.training.watched_training import (
    LOOKED_AT,
    HeldOut,
    Snapshots,
    measures_of,
    picture_of,
)

EVERY = 0.2
"""Seconds from one picture to the next, at least; and no more than a tenth of the time goes into them."""


class WatchedTrainer:
    """A trainer that shows itself while it trains. Made by `watch`.

    It is called with each step, `trainer.fit(..., on_step=watched)`; `watched.fit(...)` does that, and shows
    the end too. Afterwards the slider leads back to the steps of which the weights were kept.
    """

    def __init__(
        self, trainer: Trainer, image: Any = None, *, title: str = "the image", label: int | None = None
    ) -> None:
        self.trainer = trainer
        self.curves = Curves()
        self._digit = None if image is None else trainer.network.run(image).input
        check_finite(self._digit)
        self._title, self._label = title, label
        self._layers = tuple(dict.fromkeys(key.rpartition("/")[0] for key in trainer.trained))
        self._before = trainer.network
        self._snapshots = Snapshots()
        self._snapshots.add(trainer.state)
        self._epochs = len(trainer.history)
        self._picture: Picture = {**initial_picture(trainer.network), "step": trainer.steps}
        self._weights, self._channel, self._field = "", 0, ""
        self._rest = 0.0
        self._unseen: TrainingStep | None = None
        """The last step, where it was passed over."""
        self._widget: Any = None

    def __call__(self, step: TrainingStep) -> None:
        """Take a step that was made; it is shown unless one was a moment ago."""
        self._look_at_history(step.number - 1)
        self.curves.training.append(measures_of(step))
        # The trainer takes over the step's weights before it tells of it.
        self._snapshots.add(self.trainer.state)
        began = time.monotonic()
        self._unseen = step
        if began < self._rest:
            return
        self._look_at(step)
        self._show()
        end = time.monotonic()
        self._rest = end + max(EVERY, (end - began) / LOOKED_AT)

    def fit(self, *arguments: Any, **options: Any) -> Any:
        """`Trainer.fit`, watched from the first step to the last; what it returns and raises."""
        try:
            return self.trainer.fit(*arguments, on_step=self, **options)
        finally:
            self.update()

    def update(self) -> None:
        """Show the trainer as it is now, with its last step if that was watched."""
        self._look_at_history(self.trainer.steps)
        if self._unseen is not None and self._unseen.number == self.trainer.steps:
            self._look_at(self._unseen)
        elif self._picture["step"] != self.trainer.steps:
            self._picture = self._picture_at(self.trainer.steps)
        self._show()

    def _look_at(self, step: TrainingStep) -> None:
        said, arrays = picture_of(step, self._layers)
        self._picture = {**said, "arrays": arrays}
        self._unseen = None

    def show_step(self, step: int) -> None:
        """Show the last of the steps up to this one whose weights were kept."""
        kept = [number for number in (*self._snapshots.states, self.trainer.steps) if number <= step]
        self._picture = self._picture_at(max(kept, default=min(self._snapshots.states)))
        self._show()

    @property
    def widget(self) -> Any:
        """The panel as an anywidget, for what shows widgets.

        Raises
        ------
        ImportError
            where anywidget is not installed.
        """
        if self._widget is None or self._widget.comm is None:
            try:
                self._widget = _widget_class()(part=bytes(self))
            except ImportError:
                raise ImportError(
                    "watching a trainer needs anywidget: pip install 'cnnviz[notebook]'"
                ) from None
            self._widget.on_msg(lambda _, asked, __: self._obey(asked))
        return self._widget

    def __bytes__(self) -> bytes:
        """What the panel is sent."""
        part = panel_part(
            self.curves,
            self._layers,
            self._before,
            self._picture,
            self._weights,
            self._channel,
        )
        part.header |= {
            "said": self._said(),
            "heldOutSaid": "validation images, after each epoch" if self.curves.held_out else "",
            "offers": {},
            "moves": False,
            "patience": 0,
            **self._of_digit(part),
        }
        measures = part.header["measures"]
        if measures is not None and not all(map(math.isfinite, measures)):
            part.header["measures"] = None
        return bytes(part)

    def _of_digit(self, part: Part) -> dict[str, Any]:
        layers = field_layers(self._before)
        if self._digit is None or not layers:
            return {"digit": None, "field": None}
        layer = self._field if self._field in layers else layers[-1]
        weights = {key: self._picture["arrays"][key] for key in weights_of(self._before)}
        run: Run = self._before.with_weights(weights).run(self._digit)
        return {
            "digit": digit_header(part, run, layer, self._title, self._label),
            "field": field_header(part, field_of(run, layer, self._picture["step"]), layers, run.input),
        }

    def _said(self) -> str:
        step, steps = self._picture["step"], self.trainer.steps
        if not steps:
            return "Before the first step."
        return f"Step {step:,}." if step == steps else f"Looking back at step {step:,} of {steps:,}."

    def _picture_at(self, step: int) -> Picture:
        state = self.trainer.state if step == self.trainer.steps else self._snapshots.states[step]
        return {**initial_picture(state.network), "step": step}

    def _look_at_history(self, step: int) -> None:
        """Take over what was measured on validation images after an epoch, which ended with a step."""
        rows = self.trainer.history[self._epochs :]
        self._epochs += len(rows)
        for row in rows[-1:]:
            if "val_loss" in row:
                accuracy = float(row.get("val_accuracy", math.nan))
                self.curves.held_out.append(HeldOut(step, float(row["val_loss"]), accuracy))

    def _show(self) -> None:
        if self._widget is not None:
            self._widget.part = bytes(self)

    def _obey(self, asked: Any) -> None:
        """Do what was asked for in the page; what makes no sense is not done."""
        what = asked.get("do") if isinstance(asked, dict) else None
        if what == "show" and type(asked.get("step")) is int:
            self.show_step(asked["step"])
        elif what == "weights":
            self._weights, self._channel = str(asked.get("name")), 0
            self._show()
        elif what == "channel" and type(asked.get("channel")) is int:
            self._channel = asked["channel"]
            self._show()
        elif what == "field":
            self._field = str(asked.get("layer"))
            self._show()

    def __repr__(self) -> str:
        return one_line(
            f"<WatchedTrainer of {self.trainer.network.name}: {counted(self.trainer.steps, 'step')}>"
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget where there is a notebook that shows one, else words."""
        if not notebook.available():
            return {"text/plain": repr(self)}
        return self.widget._repr_mimebundle_(**options)

    def _display_(self) -> Any:
        """What marimo shows."""
        return self.widget


@lru_cache
def _widget_class() -> Any:
    import anywidget
    import traitlets

    class TrainingWidget(anywidget.AnyWidget):  # type: ignore[misc]
        """The panel, which Python sends pictures."""

        _esm = (
            f"{bundle.hosted('training', 'watching')}\nexport default watching_module.widget("
            f"{json.dumps(component_parts('training'))}, training_module.show);\n"
        )
        part = traitlets.Bytes().tag(sync=True)

    return TrainingWidget


def watch(
    run: Trainer | str | Sequence[str],
    image: Any = None,
    *,
    title: str = "the image",
    label: int | None = None,
) -> WatchedTrainer | RecordedRuns:
    """Watch a training in a notebook: a trainer while it trains, or recorded runs, epoch by epoch.

    Parameters
    ----------
    run
        A `Trainer`; it is then called with each step, `trainer.fit(..., on_step=watched)`, or fitted by
        `watched.fit(...)`. Or the name of a recorded run, such as "mnist_maxpool.short", or several.
    image
        One image, as `Network.run` takes it, whose maps, field and answer are shown; recorded runs show the
        first test digit without it.
    title, label
        What it is called in a sentence, and what it is, if that is known.

    Returns
    -------
    WatchedTrainer or RecordedRuns
        Shows itself in a notebook: the last line of a cell. A trainer's needs anywidget.

    Raises
    ------
    ValueError
        for an image that does not fit, or a run of which there is no record.

    Examples
    --------
    >>> import cnnviz
    >>> from cnnviz.training import Trainer
    >>> (images, labels), (digits, _) = cnnviz.load_mnist()
    >>> watched = watch(Trainer(cnnviz.load_model("mnist_maxpool")), digits[0])
    >>> _ = watched.fit(images[:64], labels[:64], batch_size=32, progress=False); watched
    <WatchedTrainer of mnist_maxpool: 2 steps>
    """
    if isinstance(run, Trainer):
        return WatchedTrainer(run, image, title=title, label=label)
    names = [run] if isinstance(run, str) else list(run)
    if image is None:
        digits, labels = load_mnist()[1]
        image, title, label = digits[0], "test digit 0", int(labels[0])
    return RecordedRuns(names, np.asarray(image), title=title, label=label)
