"""The live view in the explorer: Streamlit components without an iframe, and Python behind them.

Code and network go down once, in a component of their own that a rerun repeats only by name; an image's
numbers follow as bytes, of a large network those that the page asks for. What is drawn or changed is computed
in the page, or here where the page would be slow; a drawing comes back for the other pages. Streamlit is
imported when a page shows the view.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache, partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.images.image_files import ImageError
from cnnviz.network import Network, Run
from cnnviz.stage.answers import RUNS, answer_numbers
from cnnviz.stage.bundle import script, style
from cnnviz.stage.guided_walk import Walk
from cnnviz.stage.plan import StagePlan, layers_until, plan_for
from cnnviz.stage.scene import Scene, build_scene
from cnnviz.stage.stage_state import entry_of, entry_text
from cnnviz.stage.tensorflow_values import COMPARISONS

LARGEST_PAD = 400

_SHARED = """
const shared = (globalThis.cnnvizLiveView ??= {});
shared.ready ??= new Promise((arrived) => (shared.arrived = arrived));
"""
_SHOW = f"{_SHARED}export default async (given) => (await shared.ready)(given);\n"
"""The view's own script, which goes with every answer: it waits for the code."""


@lru_cache
def components() -> tuple[Any, Any]:
    """The registered components: the code, with a network's plan as data; the view, with numbers as data."""
    import streamlit as st

    code = f"""{script("explorer")}
{_SHARED}
const style = {json.dumps(style())};
shared.arrived((given) => explorer_module.showInExplorer(given, style));
export default ({{ data }}) => explorer_module.takePlan(data);
"""
    return (
        st.components.v2.component("cnnviz.live_view_plan", js=code),
        st.components.v2.component("cnnviz.live_view", html='<div class="live-view"></div>', js=_SHOW),
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
    layers: Sequence[str] | None = None,
    last: str | None = None,
    pinned: Sequence[Any] | None = None,
    play: bool = False,
    choose: Callable[[np.ndarray | str], None] | None = None,
    changes: str = "",
    change: Callable[[str], None] | None = None,
    walks: Sequence[Walk] = (),
    walk: Walk | None = None,
    noted: bool = False,
    answered: Callable[[Mapping[str, Any]], None] | None = None,
    around: Callable[[], AbstractContextManager[Run | None]] = nullcontext,
    tool: str = "look",
    classes: Sequence[str] | None = None,
) -> None:
    """Show the live view, or a part of it, on a Streamlit page; reruns for what it asks stay within it.

    A concept page shows the part that it is about. One layer playing over its input, whatever its stride,
    padding and dilation; a unit's cone, up to its layer, with its receipt open:

        live_view(net, digit, title="Test digit 0", key="cone", last="conv2d_3", pinned=("conv2d_3", 4, 5, 7))
        live_view(net, digit, title="Test digit 0", key="slide", layers=["input", "conv2d"], play=True)

    Parameters
    ----------
    net
        The network: one that was read, or one made of layers (`cnnviz.Network`), even of a single layer.
    image
        One image, as `Network.run` takes it.
    title, label
        What the image is called, and its class if that is known.
    key
        The component's key on the page: another one for each view. "live" is the one that links reopen.
    item
        The image's name in links, a test digit's number.
    code
        A Python expression that gives the image as `Network.run` takes it, for code to be copied.
    layers, last, pinned, play
        As for `cnnviz.view`; another cell pinned than last time opens anew.
    choose
        Called with a drawing, prepared (28, 28), when the pen is lifted, with a picture that was opened, and
        with the name of an image that was shown before (`item`) when undo leads back to it; the page is then
        run again. None: nobody wants to know.
    changes
        The weights that are changed, in the words of a link (`stage_state.entry_text`): the view opens with
        them, and follows them. Those that the shown part does not have are left out.
    change
        Called with other changes of weights, once one is done; the page is then run again.
    walks
        Guided walks, as data, of which the view offers those that suit the network.
    walk
        The one of them that it opens with, where it suits.
    noted
        Whether the answers to a walk's questions are noted only, and not judged.
    answered
        Called with an answer to one, "question" and "choice" in words and "right", as the browser tells of
        it; the page is then run again.
    around
        Entered whenever what the view shows is worked out, and left when that is done: it may draw what
        stands beside, say where the view stands, and give another run to be shown, that of a network with
        the same layers on one image.
    tool
        What a press on the image does at first: "look", "paint", "erase" or "move".
    classes
        The names of the outputs; by default their numbers.

    Raises
    ------
    ValueError
        if there is no such layer or cell.
    """
    import streamlit as st

    def use(name: str, take: Callable[[Any], None] | None, read: Callable[[Any], Any]) -> None:
        asked = (st.session_state.get(key) or {}).get(name)
        if take is not None and asked:
            with suppress(ImageError, ValueError):
                take(read(asked))
                st.session_state[f"{key}.used"] = True

    shown = layers if last is None else layers_until(net, last)
    about: dict[str, Any] = {"title": title, "label": label, "item": item, "code": code, "classes": classes}
    part: dict[str, Any] = {"layers": shown, "pinned": pinned, "play": play}
    code_and_plan, view = components()
    plan = plan_for(net, image, shown)
    arrays = plan.part.header["weights"]
    asked_for = entry_of("changes", changes)
    fitting = [each for each in asked_for if each.get("array") in arrays]
    # In the same words, where all fit: they may be written otherwise in JavaScript.
    started = changes if fitting == asked_for else entry_text("changes", fitting)

    @st.fragment
    def show() -> None:
        # The rest of the page is to show the drawing too.
        if st.session_state.pop(f"{key}.used", False):
            st.rerun()
        # Each page's walk has a link of its own.
        kept = f"{key}.link.{walk['name'] if walk else ''}"
        link = st.session_state.setdefault(kept, "")
        if key == "live" and "view" in st.query_params:
            link = st.session_state[kept] = st.query_params["view"]
        asked = st.session_state.get(key) or {}
        with around() as run:
            scene = answer(net, image, asked, run=run, **about, **part)
            scene.host.update(key=key, link=link, linked=key == "live")
            drawn = _count(asked.get("drawing"), "version") or 0
            scene.host.update(choose=choose is not None, drawn=drawn, walks=list(walks), tool=tool)
            scene.host.update(noted=noted, keeps=answered is not None)
            if walk is not None:
                scene.numbers.header["start"]["walk"] = [walk["name"], 0]
            scene.host.update(
                changes=started,
                shares=change is not None,
                # What the page has not answered yet is not taken back by an answer to something before.
                shared=_count(asked.get("changes"), "count"),
            )
            view(
                key=key,
                data=bytes(scene.numbers),
                on_have_change=_nothing,
                on_drawing_change=partial(use, "drawing", choose, _drawn),
                on_digit_change=partial(use, "digit", choose, chosen),
                on_changes_change=partial(use, "changes", change, lambda asked: str(_get(asked, "text"))),
                on_answered_change=partial(use, "answered", answered, _answer),
                on_compare_change=_nothing,
                on_numbers_change=_nothing,
            )

    code_and_plan(key=f"{key}.plan", data=plan.sent)
    show()


def _answer(asked: Any) -> dict[str, Any]:
    return {name: _get(asked, name) for name in ("question", "choice", "right")}


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
    layers: Sequence[str] | None = None,
    pinned: Sequence[Any] | None = None,
    play: bool = False,
    run: Run | None = None,
    classes: Sequence[str] | None = None,
) -> Scene:
    """The scene that answers the state of a component.

    Parameters
    ----------
    net, image, title, label, item, code, layers, pinned, play, classes
        As for `live_view`.
    asked
        `compare`: {"of": key of numbers, "count", "cell"}, for TensorFlow's, of a large network only those
        of the cell, [layer, flat place]; `have`: the key of numbers that the
        browser has, which are not sent again; `numbers`: a question, as `answers` says, {"key", "question"},
        about the scene of this key.
    run
        What is shown; None is the network's own run on the image.
    """
    host: dict[str, Any] = {}
    # In every answer, or the browser would take it as a request to open nothing.
    about: dict[str, Any] = {"title": title, "label": label, "key": item, "code": code}
    about |= {"pinned": pinned, "play": play, "classes": classes}
    plan = plan_for(net, image, layers)
    if run is None:
        run = _run_of(plan, net, image)
    scene = whole = _scene(run, plan, about)
    if asked.get("have") == scene.key:
        scene = scene.without_numbers()
    if _get(asked.get("numbers"), "key") == scene.key:
        question = _get(asked.get("numbers"), "question")
        host["numbers"] = answer_numbers(whole, question, scene.numbers, run)
    if _get(asked.get("compare"), "of") == scene.key:
        _add_comparison(scene, host, run, _get(asked.get("compare"), "cell"))
    # An answer equal to the last one would not reach the view: the count makes it another.
    host["asked"] = str(_get(asked.get("compare"), "count"))[:20]
    scene.host.update(host)
    return scene


def run_shown(net: Network, image: Any) -> Run:
    """The run that a view of an image shows, one for it and for all else that is about it."""
    return _run_of(plan_for(net, image), net, image)


def _run_of(plan: StagePlan, net: Network, image: Any) -> Run:
    # A run asks its own network, and that of somebody else who opened the same file may be closed.
    return RUNS.of((plan.key, _digest(image), getattr(net, "child", None)), lambda: net.run(image))


_SCENES: WeakKeyDictionary[Run, dict[str, Scene]] = WeakKeyDictionary()
"""Scenes of runs that are kept: to work out one of a large network takes longer than to answer from it."""


def _scene(run: Run, plan: StagePlan, about: Mapping[str, Any]) -> Scene:
    scenes = _SCENES.setdefault(run, {})
    key = repr((plan.key, sorted(about.items())))
    scene = scenes.get(key)
    if scene is None:
        scene = build_scene(run, 0, plan=plan, **about)
        # Of the last thing that was said about it; another page may be saying something else.
        scenes.clear()
        scenes[key] = scene
    return scene.copy()


def _digest(image: Any) -> str:
    """A name of an image, or of several by their inputs' names."""
    digest = hashlib.blake2b(digest_size=16)
    for name, pixels in sorted(image.items()) if isinstance(image, Mapping) else [("", image)]:
        array = np.ascontiguousarray(pixels)
        # What is said names the file, and a file's name on Linux may be no text.
        said = f"{name} {array.dtype} {array.shape} {getattr(pixels, 'said', '')}"
        digest.update(said.encode(errors="surrogatepass"))
        digest.update(array.tobytes())
    return digest.hexdigest()


def _add_comparison(scene: Scene, host: dict[str, Any], run: Run, cell: Any = None) -> None:
    """TensorFlow's numbers behind all others, or why there are none."""
    outputs = COMPARISONS.ask(run)
    if isinstance(outputs, str):
        host["tensorflow"] = outputs
    else:
        numbers = {name: array[0] for name, array in outputs.items()}
        if scene.plan.far:
            numbers = _at(numbers, cell)
        host["tensorflow"] = {
            # What was asked about is sent back, and may be anything.
            "cell": cell if scene.plan.far and numbers else None,
            "numbers": {name: scene.numbers.add(array) for name, array in numbers.items()},
        }


def _at(numbers: Mapping[str, np.ndarray], cell: Any) -> dict[str, np.ndarray]:
    """Of all numbers those of one cell, after its layer's activation and before."""
    layer, place = cell if isinstance(cell, list) and len(cell) == 2 else ("", 0)
    if not isinstance(layer, str) or type(place) is not int or place < 0:
        return {}
    names = [name for name in (f"output {layer}", f"before {layer}") if name in numbers]
    return {name: numbers[name].reshape(-1)[place : place + 1] for name in names}


def _drawn(drawing: Any) -> np.ndarray:
    return prepare_digit(raster_of(drawing), ink="drawn")


def chosen(digit: Any) -> np.ndarray | str:
    """A digit (28, 28) as a browser sends it, or the name of an image; ValueError if it is neither."""
    item = _get(digit, "item")
    return item if isinstance(item, str) else raster_of({"side": 28, "pixels": _get(digit, "pixels")})


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _count(value: Any, name: str) -> int | None:
    """A whole number that a browser counts by, to be sent back; None for all else that it may send."""
    count = _get(value, name)
    return count if isinstance(count, int) else None


def raster_of(drawing: Any) -> np.ndarray:
    """What a browser's pad sent as an image (side, side), uint8, 255 is ink; ValueError if bad."""
    side, pixels = _get(drawing, "side"), _get(drawing, "pixels")
    if isinstance(side, bool) or not isinstance(side, int) or not 28 <= side <= LARGEST_PAD:
        raise ValueError(f"the pad's side must be 28 to {LARGEST_PAD} pixels, got {str(side)[:40]!r}")
    try:
        content = base64.b64decode(pixels, validate=True)
    except (TypeError, binascii.Error):
        content = b""
    if len(content) != side * side:
        raise ValueError(f"the pad must have {side * side} pixels, got {len(content)}")
    return np.frombuffer(content, np.uint8).reshape(side, side)
