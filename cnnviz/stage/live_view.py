"""The live view as HTML: a fragment for a notebook's output, and a page that needs nothing beside it.

Scene, style sheet and script lie in the HTML itself; nothing is fetched. In a notebook with anywidget the
view and Python share its state (notebook.py); without it the page does the same, but Python hears nothing.
"""

from __future__ import annotations

import base64
import html
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.colours import THEMES
from cnnviz.network import Network, Run
from cnnviz.network.limits import MEMORY
from cnnviz.resources import one_line, text_writer, write_atomically
from cnnviz.stage import notebook
from cnnviz.stage.answers import answer_numbers, run_for
from cnnviz.stage.bundle import script, style
from cnnviz.stage.guided_walk import Walk, open_walk
from cnnviz.stage.learner_state import cell_of, checked, opening_state, path_of, run_of, with_image
from cnnviz.stage.packing import FILE_BYTES, packed
from cnnviz.stage.parts import Part
from cnnviz.stage.plan import layers_until
from cnnviz.stage.scene import Scene, build_scene
from cnnviz.stage.stage_state import State
from cnnviz.stage.still import still_png


class LiveView:
    """A scene that can be shown: in a notebook by itself, elsewhere after `save`. Made by `view`.

    Where anywidget is installed (`pip install 'cnnviz[notebook]'`), its attributes are what the learner
    has selected, drawn and changed on the page, and setting them moves the page. Without it they can be
    set before the view is shown or saved.
    """

    def __init__(self, scene: Scene, first: Run | None = None) -> None:
        self.scene = scene
        self._first = first
        self.left_out = ""
        """A sentence about what the file that was saved last does not hold, "" if it holds all."""
        self._key = uuid.uuid4().hex[:12]
        self._state = opening_state(scene)
        self._run: Run | None = None
        self._widget: Any = None

    @property
    def state(self) -> dict[str, Any]:
        """The whole state, as `cnnviz.stage.stage_state` describes it; set, entries left out are as it opens.

        Examples
        --------
        >>> import cnnviz
        >>> w = view(cnnviz.load_model("mnist_14k"), np.zeros((28, 28)))
        >>> w.state = {"path": [["conv2d_3", 4, 5, 7]], "zoom": "cell"}
        >>> w.cell
        ('conv2d_3', 4, 5, 7)
        """
        return deepcopy(self._state)

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self._set(state)

    @property
    def cell(self) -> tuple[Any, ...] | None:
        """The cell whose receipt is open: (layer, row, column, channel), a vector's (layer, unit), or None.

        Before a fused activation that is "conv2d", what `cnnviz.explain` takes apart; behind it
        "conv2d relu", by the names that changes have too.
        """
        return cell_of(self.scene, self._state)

    @cell.setter
    def cell(self, cell: Sequence[Any] | None) -> None:
        path = path_of(self.scene, cell)
        near = "network" if not path and self._state["zoom"] == "cell" else self._state["zoom"]
        self._set(
            {
                **self._state,
                "path": path,
                "layer": "" if near == "network" or path else self._state["layer"],
                "zoom": near,
            }
        )

    @property
    def image(self) -> Any:
        """The image that is shown, as the network's input array, with all that was drawn into it.

        A mapping by the inputs' names where there are several. Set, it is taken as `Network.run` takes one
        image, and what was changed of the image before is gone.
        """
        run = self.run
        images = {name: run[name][0] for name in run.network.inputs}
        return images if len(images) > 1 else next(iter(images.values()))

    @image.setter
    def image(self, image: Any) -> None:
        try:
            state = with_image(self.scene, self._state, image)
        except TypeError as error:
            raise ValueError(f"image must be numbers: {error}") from None
        self._set(state)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What was changed by hand, as `cnnviz.stage.intervention.intervene` takes it."""
        return self.state["changes"]

    @changes.setter
    def changes(self, changes: Sequence[Mapping[str, Any]]) -> None:
        self._set({**self._state, "changes": changes})

    @property
    def run(self) -> Run:
        """The run of the changed network on the shown image, computed by NumPy.

        Raises
        ------
        ValueError
            where a change made in the page is one that only the page can make.
        """
        if self._run is None:
            self._run = run_of(self.scene, self._state)
        return self._run

    @property
    def widget(self) -> Any:
        """The view as an anywidget, for what shows widgets: layouts, or marimo's `mo.ui.anywidget`.

        Raises
        ------
        ImportError
            where anywidget is not installed.
        """
        widget = self._joined()
        if not widget.scene:
            widget.scene = bytes(self)
        return widget

    def answer(self, asked: Any) -> tuple[dict[str, Any], Part]:
        """What is answered to a question of the page (see `answers`), and the part with its numbers."""
        part = Part()
        question = asked.get("question") if isinstance(asked, Mapping) else None
        return answer_numbers(self.scene, question, part, self._first), part

    def take(self, state: Any) -> None:
        """Take over a state that comes from the page; one that does not fit changes nothing."""
        with suppress(ValueError):
            fitting = checked(self.scene, state)
            self._state, self._run = fitting, self._run_kept(fitting)

    def _set(self, given: Mapping[str, Any]) -> None:
        """Take over a state from Python, and send it, once it is known to fit."""
        state = checked(self.scene, given)
        run = self._run_kept(state) or run_of(self.scene, state)
        self._state, self._run = deepcopy(state), run
        if self._widget is not None:
            self._widget.state = self.state

    def _run_kept(self, state: State) -> Run | None:
        """The run that there is, if a state shows the same numbers: only its place is another."""
        same = all(state[entry] == self._state[entry] for entry in ("item", "image", "changes"))
        return self._run if same else None

    def _joined(self) -> Any:
        """The widget that the view has as long as it is not closed."""
        if self._widget is None or self._widget.comm is None:
            try:
                self._widget = notebook.make_widget(self, self._key)
            except ImportError:
                raise ImportError("a view's widget needs anywidget: pip install 'cnnviz[notebook]'") from None
        return self._widget

    def __repr__(self) -> str:
        count = len(self.scene.items)
        return one_line(f"<LiveView of {self.scene.network.name}: {count} image{'s' * (count != 1)}>")

    def __bytes__(self) -> bytes:
        """The scene as it is sent: it opens in the state that the view is in."""
        return self._sent(self.scene)

    def _sent(self, scene: Scene) -> bytes:
        if self._state == opening_state(self.scene):
            return bytes(scene)
        numbers = scene.numbers
        start = {**self._state, "play": numbers.header["start"]["play"]}
        return bytes(replace(scene, numbers=replace(numbers, header={**numbers.header, "start": start})))

    def _alone(
        self, layers: Iterable[str] | None = None, last: int | None = None, limit: float = FILE_BYTES
    ) -> Scene:
        """The scene for where no Python answers: of a large network what was chosen, or what fits a file."""
        if not self.scene.plan.far:
            return self.scene

        def run_of_item(key: str) -> Run:
            return run_for(self.scene, {"item": key}, self._first)[0]

        scene = packed(self.scene, run_of_item, layers, last, limit)
        self.left_out = scene.host["left_out"]
        return scene

    def _repr_html_(self) -> str:
        """The view as the output of a notebook's cell; its page and Python share the state if they can."""
        if notebook.available():
            self._joined()
            return output(self, self.scene)
        return output(self, self._alone())

    def _display_(self) -> Any:
        """What marimo shows, which runs no script in HTML."""
        import marimo

        return (
            self.widget
            if notebook.available()
            else marimo.iframe(page(self, self._title(), self._alone()), height="600px")
        )

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        layers: Iterable[str] | None = None,
        last: int | None = None,
        limit: float = FILE_BYTES,
    ) -> Path:
        """Write a page that opens anywhere, without a server or a network.

        A network whose numbers would make it too large a file goes into it in part, which the page says.

        Parameters
        ----------
        path
            Where to; an existing file is replaced in one step.
        layers
            Names of the layers whose numbers a large network's file holds, with what they read.
        last
            In place of `layers`: so many at the end of the network.
        limit
            Bytes that the file may have where neither is given: from both ends of the network as many layers
            as fit. A small network is always there as a whole.

        Returns
        -------
        Path

        Raises
        ------
        OSError
            if it cannot be written.
        ValueError
            if there is no such layer.
        """
        target = Path(path)
        text = page(self, self._title(), self._alone(layers, last, limit))
        write_atomically(target, text_writer(text))
        return target

    def _title(self) -> str:
        items = self.scene.items
        return f"{self.scene.plan.part.header['model']['name']}: {items[0]['title']}" + (
            f" and {len(items) - 1} more" if len(items) > 1 else ""
        )


def view(
    net: Network,
    image: Any,
    *,
    titles: Sequence[str] | None = None,
    labels: Sequence[int] | None = None,
    classes: Any = None,
    layers: Sequence[str] | None = None,
    last: str | None = None,
    pinned: Sequence[Any] | None = None,
    play: bool = False,
    walk: str | Walk | None = None,
    memory_limit: float | None = None,
    work_limit: float | None = None,
) -> LiveView:
    """The live view of a network on an image: every number in it answers the pointer.

    Parameters
    ----------
    net
        Any network that cnnviz reads.
    image
        One image or several, as `Network.run` takes them.
    titles
        What the images are called, one each.
    labels
        The classes that they really are, one each.
    classes
        The names of the network's classes: a list, a text or JSON file, or a folder with one sub-folder for
        each (see `cnnviz.images.class_names.class_names`); None is their numbers.
    layers
        Names of the layers to be shown; None is all of them. Others on the way to them have no column,
        but receipts still lead through them; the prediction is shown if its layer is among them.
    last
        In place of `layers`: all of them up to this one.
    pinned
        The cell whose receipt is open at the start: (layer, row, column, channel), a vector's (layer, unit).
    play
        Start with the window sliding over the pinned cell's layer, else over the first that has a window.
    walk
        A guided walk that the view offers and opens with: its name, "from-pixel-to-answer", or the walk
        itself as data (see `cnnviz.stage.guided_walk`).
    memory_limit, work_limit
        As for `Network.run`; the view itself, while it is made, is to stay within the memory too.

    Returns
    -------
    LiveView
        Shows itself in a notebook, two-way where anywidget is installed; `save(path)` writes an HTML file.

    Raises
    ------
    ValueError
        for images that do not fit the network; if there are not as many titles or labels as images, or
        names as classes; if there is no such layer, cell or walk, or the walk does not suit the network;
        above a limit.

    Examples
    --------
    >>> import cnnviz
    >>> digits = cnnviz.load_mnist()[1][0]
    >>> view(cnnviz.load_model("mnist_14k"), digits[:3], titles=["a", "b", "c"])
    <LiveView of mnist_14k: 3 images>
    """
    if net.dtype != np.float32:
        net = net.astype(np.float32)
    run = net.run(image, memory_limit=memory_limit, work_limit=work_limit)
    count = len(next(iter(run.values())))
    for name, given in (("titles", titles), ("labels", labels)):
        if given is not None and len(given) != count:
            raise ValueError(f"{name} must have one entry for each of the {count} images, got {len(given)}")
    shown = layers if last is None else layers_until(net, last)
    with MEMORY.changed_to(memory_limit):
        scene = build_scene(run, classes=classes, layers=shown, pinned=pinned, play=play)
    for i, item in enumerate(scene.items):
        if titles is not None:
            item["title"] = titles[i]
        if labels is not None:
            item["label"] = int(labels[i])
    if walk is not None:
        open_walk(scene, walk, run)
    return LiveView(scene, run if scene.plan.far else None)


def output(view: LiveView, scene: Scene) -> str:
    """The view as HTML for a notebook's output, with a picture and a sentence for where no script may run."""
    picture = base64.b64encode(still_png(view.scene)).decode()
    words = f"{view.scene.plan.part.header['model']['name']} on {view.scene.items[0]['title']}"
    still = (
        f'<p><img alt="The maps of {html.escape(words)}" src="data:image/png;base64,{picture}"></p>'
        f"<p>A picture of {html.escape(words)}: trust this notebook, or run the cell again, "
        "and every number in it answers.</p>"
    )
    return _carrier(view, scene, "notebook", "showInOutput", still)


def _carrier(view: LiveView, scene: Scene, entry: str, show: str, still: str = "") -> str:
    """An element that carries style sheet and scene, and the script that shows them in it."""
    name = f"cnnviz-{uuid.uuid4().hex[:12]}"
    parts = {"style": style(), "scene": base64.b64encode(view._sent(scene)).decode()}
    held = "".join(
        f'<script type="text/plain" data-part="{part}">{text}</script>' for part, text in parts.items()
    )
    code = script(entry).replace("</script", "<\\/script")
    # Jupyter runs the script before the output is on the page.
    find = (
        f'document.getElementById("{name}") ?? document.currentScript?.parentNode?.querySelector("#{name}")'
    )
    return (
        f'<div id="{name}" data-key="{view._key}">{still}{held}</div>'
        f'<script>(() => {{\n"use strict";\n{code}\n{entry}_module.{show}({find});\n}})();</script>'
    )


def page(view: LiveView, title: str, scene: Scene | None = None) -> str:
    """The view as a whole HTML document; `scene` is what it shows, the view's own unless it is said."""
    light, dark = THEMES["light"], THEMES["dark"]
    css = f"""html {{ background: {light.background}; }}
body {{ margin: 0; }}
main {{ padding: 10px 14px 0; }}
h1 {{ position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }}
@media (max-width: 560px) {{ main {{ padding: 8px 8px 0; }} }}
@media (prefers-color-scheme: dark) {{ html {{ background: {dark.background}; }} }}"""
    shown = _carrier(view, scene or view.scene, "standalone", "showStandalone")
    return document(title, css, f"<main>\n<h1>{html.escape(title)}</h1>\n{shown}</main>")


def document(title: str, css: str, body: str) -> str:
    """A whole HTML document for light and dark, which asks for nothing."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{css}
</style>
</head>
<body>
{body}
</body>
</html>
"""
