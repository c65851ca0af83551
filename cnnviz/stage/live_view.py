"""The live view as HTML: a fragment for a notebook's cell, and a page that needs nothing beside it.

Scene, style sheet and script lie in the HTML itself; nothing is fetched. Drawing and intervening need
Python behind the page, so they are left out here, and the view says so.
"""

from __future__ import annotations

import base64
import html
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.colours import THEMES
from cnnviz.network import Network
from cnnviz.network.limits import MEMORY
from cnnviz.resources import one_line, write_atomically
from cnnviz.stage.bundle import script, style
from cnnviz.stage.guided_walk import Walk, open_walk
from cnnviz.stage.plan import layers_until
from cnnviz.stage.scene import Scene, build_scene


class LiveView:
    """A scene that can be shown: in a notebook by itself, elsewhere after `save`. Made by `view`."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def __repr__(self) -> str:
        count = len(self.scene.items)
        return one_line(f"<LiveView of {self.scene.plan.network.name}: {count} image{'s' * (count != 1)}>")

    def _repr_html_(self) -> str:
        return fragment(bytes(self.scene), linked=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that opens anywhere, without a server or a network.

        Parameters
        ----------
        path
            Where to; an existing file is replaced in one step.

        Returns
        -------
        Path

        Raises
        ------
        OSError
            if it cannot be written.
        """
        target = Path(path)
        text = page(bytes(self.scene), self._title())
        write_atomically(target, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))
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
        Shows itself in Jupyter, VS Code and Colab; `save(path)` writes a single HTML file.

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
    return LiveView(scene)


def fragment(scene: bytes, *, linked: bool) -> str:
    """The view as HTML to be put into a page; `linked` views keep their state in the page's address."""
    name = f"cnnviz-{uuid.uuid4().hex[:12]}"
    options = f"{{ linked: {str(linked).lower()} }}"
    start = f'standalone_module.showStandalone(document.getElementById("{name}"), {options});'
    parts = {"style": style(), "scene": base64.b64encode(scene).decode()}
    held = "".join(
        f'<script type="text/plain" data-part="{part}">{text}</script>' for part, text in parts.items()
    )
    code = script("standalone").replace("</script", "<\\/script")
    return f'<div id="{name}">{held}</div><script>(() => {{\n"use strict";\n{code}\n{start}\n}})();</script>'


def page(scene: bytes, title: str) -> str:
    """The view as a whole HTML document."""
    light, dark = THEMES["light"], THEMES["dark"]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>
html {{ background: {light.background}; }}
body {{ margin: 0; }}
main {{ padding: 10px 14px 0; }}
h1 {{ position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }}
@media (max-width: 560px) {{ main {{ padding: 8px 8px 0; }} }}
@media (prefers-color-scheme: dark) {{ html {{ background: {dark.background}; }} }}
</style>
</head>
<body>
<main>
<h1>{html.escape(title)}</h1>
{fragment(scene, linked=True)}</main>
</body>
</html>
"""
