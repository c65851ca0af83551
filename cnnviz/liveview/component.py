"""The live view in the explorer: a Streamlit component without an iframe, and Python behind it.

Scenes go down as bytes; what is drawn or changed comes back as the component's state, is computed by
the engine, and goes down again. Streamlit is imported when a page shows the view.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np

from cnnviz.images import ImageError
from cnnviz.liveview.assets import script, style
from cnnviz.liveview.comparison import COMPARISONS
from cnnviz.liveview.intervention import InterventionError, intervene
from cnnviz.liveview.scene import Scene, build_scene
from cnnviz.mnist import prepare_digit
from cnnviz.network import Network, Run

LARGEST_PAD = 400


@lru_cache
def component() -> Any:
    """The registered component: called with data=bytes(scene) and a key, it shows the view."""
    import streamlit as st

    code = f"{script('explorer')}\nexport default explorer_module.showInExplorer;\n"
    return st.components.v2.component(
        "cnnviz.live_view", html='<div class="live-view"></div>', css=style(), js=code
    )


def live_view(
    net: Network,
    image: np.ndarray,
    *,
    title: str,
    label: int | None = None,
    key: str = "live",
    item: str = "",
    code: str = "",
    like: Scene | None = None,
    choose: Callable[[np.ndarray], None] | None = None,
) -> None:
    """Show the live view of an image on a Streamlit page; reruns for what it asks stay within it.

    Parameters
    ----------
    net
        The network.
    image
        One image, as `Network.run` takes it.
    title, label
        What the image is called, and its class if that is known.
    key
        The component's key on the page.
    item
        The image's name in links, a test digit's number.
    code
        A Python expression that gives the image, for code to be copied.
    like
        A scene of the same network, whose receptive fields are used again.
    choose
        Called with a drawing, prepared (28, 28), when it is to become the page's own digit; the page
        is then run again. None: the pad does not offer it.
    """
    import streamlit as st

    def use() -> None:
        asked = st.session_state.get(key) or {}
        drawing = asked.get("drawing")
        if choose is None or not drawing or _get(asked.get("use"), "version") != _get(drawing, "version"):
            return
        with suppress(ImageError, ValueError):
            choose(prepare_digit(raster_of(drawing)))
            st.session_state[f"{key}.used"] = True

    @st.fragment
    def show() -> None:
        if st.session_state.pop(f"{key}.used", False):
            st.rerun()
        link = st.session_state.setdefault(f"{key}.link", "")
        if "view" in st.query_params:
            link = st.session_state[f"{key}.link"] = st.query_params["view"]
        asked = st.session_state.get(key) or {}
        scene = answer(net, image, asked, title=title, label=label, item=item, code=code, like=like)
        scene.header["host"] |= {"link": link, "choose": choose is not None}
        component()(
            key=key,
            data=bytes(scene),
            on_edits_change=_nothing,
            on_drawing_change=_nothing,
            on_compare_change=_nothing,
            on_use_change=use,
        )

    show()


def _nothing() -> None:
    """A callback makes its name part of the component's state."""


def answer(
    net: Network,
    image: np.ndarray,
    asked: Mapping[str, Any],
    *,
    title: str = "image",
    label: int | None = None,
    item: str = "",
    code: str = "",
    like: Scene | None = None,
) -> Scene:
    """The scene that answers the state of a component.

    Parameters
    ----------
    net, image, title, label, item, code, like
        As for `live_view`.
    asked
        `drawing`: {"of": item, "side", "pixels" (base64, a byte each, 0 is paper), "version"} in
        place of the image; `edits`: {"of": model and item, "edits": list}, for `intervene`;
        `compare`: {"of": item}, for TensorFlow's numbers. What was asked of another item is over;
        what does not fit is answered in the scene's header, under "host", in words.

    Returns
    -------
    Scene
    """
    host: dict[str, Any] = {"edits": 0, "item": item}
    drawing = asked.get("drawing")
    if drawing and _get(drawing, "of") == item:
        host["drawing"] = {"version": _get(drawing, "version")}
        try:
            image = prepare_digit(raster_of(drawing))
            title, label, item, code = "your drawing", None, "drawing", ""
        except (ImageError, ValueError) as error:
            host["drawing"]["error"] = str(error)
    base: dict[str, Any] = {"title": title, "label": label, "key": item, "code": code, "like": like}
    wanted = asked.get("edits")
    name = net.source.stem if net.source else net.name
    edits = _get(wanted, "edits") if _get(wanted, "of") == f"{name}/{item}" else None
    if edits:
        try:
            run, layers = intervene(net, image, edits)
            host["edits"] = len(edits)
            scene = build_scene(run, 0, edited=layers, **base)
        except InterventionError as error:
            host["error"] = f"That change cannot be made: {error}."
            run = net.run(image)
            scene = build_scene(run, 0, **base)
    else:
        run = net.run(image)
        scene = build_scene(run, 0, **base)
    if not edits and _get(asked.get("compare"), "of") == item:
        _add_comparison(scene, host, run)
    scene.header["host"] = host
    return scene


def _add_comparison(scene: Scene, host: dict[str, Any], run: Run) -> None:
    """TensorFlow's numbers behind all others, or why there are none."""
    found = COMPARISONS.ask(run)
    host["from"] = len(bytes(scene.blob))
    if isinstance(found, str):
        host["tensorflow"] = found
    else:
        host["tensorflow"] = {name: scene.blob.add(array[0]) for name, array in found.items()}


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def raster_of(drawing: Any) -> np.ndarray:
    """What a browser's pad sent, (side, side) uint8, 255 where there is ink; ValueError if it is no pad."""
    side, pixels = _get(drawing, "side"), _get(drawing, "pixels")
    if isinstance(side, bool) or not isinstance(side, int) or not 28 <= side <= LARGEST_PAD:
        raise ValueError(f"the pad's side must be 28 to {LARGEST_PAD} pixels, got {side!r}")
    try:
        content = base64.b64decode(pixels, validate=True)
    except (TypeError, binascii.Error):
        content = b""
    if len(content) != side * side:
        raise ValueError(f"the pad must have {side * side} pixels, got {len(content)}")
    return np.frombuffer(content, np.uint8).reshape(side, side)
