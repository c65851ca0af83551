"""What a state of the stage says of a scene, as Python wants it: a cell, images, a run; and back.

A state (stage_state.py) names stages and holds an image as bytes. Here are the layers' names and the
network's own numbers, and what does not fit the scene is refused with a ValueError.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from cnnviz.layers.browser import drawn_shape
from cnnviz.network import Network, Run
from cnnviz.numbers import brief, counted
from cnnviz.stage.intervention import intervene
from cnnviz.stage.scene import Scene
from cnnviz.stage.stage_state import VERSION, State, empty_state
from cnnviz.stage.stages import Stage

MOST_CELLS = 10_000
"""On the way to an open receipt: each is a step that somebody took."""

CHOICES = {
    "range": ("layer", "map", "network"),
    "zoom": ("network", "layer", "cell"),
    "order": ("ranked", "laid out"),
    "channels": ("as fits", "by activity", "by number"),
}


def opening_state(scene: Scene) -> dict[str, Any]:
    """The state in which the view of a scene opens."""
    start = scene.numbers.header["start"]
    about = {"model": scene.plan.part.header["model"]["name"], "item": scene.items[0]["key"]}
    return {**empty_state(), **about, "path": start["path"], "walk": start.get("walk")}


def checked(scene: Scene, given: Any) -> dict[str, Any]:
    """A state with all its entries; ValueError for what does not fit the scene.

    Whether changes fit it, and an image's size, `run_of` says.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"state must be a mapping, got {type(given).__name__}")
    opens = opening_state(scene) | {"path": [], "walk": None}
    for key in given:
        if key not in opens:
            raise ValueError(f"state has no entry {brief(key, 60)}; its entries are {', '.join(opens)}")
    state: dict[str, Any] = opens | dict(given)
    if state["version"] != VERSION:
        raise ValueError(
            f"state must be of version {VERSION}, got {brief(state['version'], 60)}: a newer cnnviz saved it"
        )
    if state["model"] != opens["model"]:
        raise ValueError(f"state is of the network {brief(state['model'], 60)}; here is {opens['model']!r}")
    for key, choices in CHOICES.items():
        if state[key] not in choices:
            raise ValueError(
                f"state's {key} must be one of {', '.join(choices)}, got {brief(state[key], 60)}"
            )
    if state["layer"]:
        _stage(scene, state["layer"], "state's layer")
    if not isinstance(state["path"], list | tuple):
        raise ValueError(f"state's path must be a list of cells, got {brief(state['path'], 60)}")
    if len(state["path"]) > MOST_CELLS:
        raise ValueError(f"state's path must have at most {MOST_CELLS:,} cells, got {len(state['path']):,}")
    for cell in state["path"]:
        if not isinstance(cell, list | tuple) or len(cell) != 4:
            raise ValueError(
                f"state's path must hold cells [stage, row, column, channel], got {brief(cell, 60)}"
            )
        _place(_stage(scene, cell[0], "state's path").shape, cell[1:], "state's path", cell[0])
    keys = [item["key"] for item in scene.items]
    if state["item"] not in keys:
        raise ValueError(
            f"state's item must be one of {', '.join(keys[:20])}, got {brief(state['item'], 60)}"
        )
    if state["image"] is not None:
        _numbers_of(scene, state["image"])
    if not isinstance(state["changes"], list | tuple) or not all(map(_is_flat, state["changes"])):
        raise ValueError(
            f"state's changes must be a list of words and numbers by name, got {brief(state['changes'], 60)}"
        )
    if not isinstance(state["open"], list | tuple) or not all(
        isinstance(each, str) for each in state["open"]
    ):
        raise ValueError(f"state's open must be a list of names, got {brief(state['open'], 60)}")
    if not _is_whole(state["first"]):
        raise ValueError(f"state's first must be a whole number from 0, got {brief(state['first'], 60)}")
    for key, count in (("play", 2), ("walk", 1)):
        if state[key] is not None and not _is_named(state[key], count):
            raise ValueError(
                f"state's {key} must be a name and {counted(count, 'whole number')}, or None, "
                f"got {brief(state[key], 60)}"
            )
    return {**state, "changes": list(state["changes"])}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 0


def _is_named(value: Any, count: int) -> bool:
    """Whether it is a name, and so many whole numbers."""
    if not isinstance(value, list | tuple) or len(value) != 1 + count:
        return False
    name, *numbers = value
    return isinstance(name, str) and all(map(_is_whole, numbers))


def _is_flat(change: Any) -> bool:
    """Whether a change holds nothing in which more could be hidden than a list of numbers."""
    return isinstance(change, Mapping) and not any(
        isinstance(each, Mapping)
        or (isinstance(each, list | tuple) and any(isinstance(part, list | tuple | Mapping) for part in each))
        for each in change.values()
    )


# The cell ----------------------------------------------------------------------------------------


def cell_of(scene: Scene, state: State) -> tuple[Any, ...] | None:
    """The cell whose receipt is open: its stage, and its place in the shape that the layer gives.

    A layer's stage has its name; a fused activation behind it is a stage of its own, "conv2d relu".
    """
    if not state["path"]:
        return None
    name, *place = state["path"][-1]
    stage = _stage(scene, name, "cell")
    shape = _shape(scene, stage)
    flat = int(np.ravel_multi_index(tuple(place), stage.shape))
    return (name, *map(int, np.unravel_index(flat, shape)))


def path_of(scene: Scene, cell: Any) -> list[list[Any]]:
    """The path to one cell, as a state has it; [] of None."""
    if cell is None:
        return []
    if isinstance(cell, str) or not isinstance(cell, Sequence) or not cell:
        raise ValueError(
            f"cell must be (layer, row, column, channel), (layer, unit) or None, got {brief(cell, 60)}"
        )
    name, *place = cell
    stage = _stage(scene, name, "cell")
    flat = np.ravel_multi_index(_place(_shape(scene, stage), place, "cell", name), _shape(scene, stage))
    return [[stage.name, *map(int, np.unravel_index(int(flat), stage.shape))]]


def _stage(scene: Scene, name: Any, said: str) -> Stage:
    """A stage by its own name, or the last one of a layer."""
    stages = scene.plan.taken.stages
    for stage in stages:
        if stage.name == name:
            return stage
    of_layer = [stage for stage in stages if stage.layer.name == name]
    if not of_layer:
        layers = dict.fromkeys(stage.layer.name for stage in stages)
        known = ", ".join(list(layers)[:20])
        raise ValueError(f"{said} must name a layer that is shown ({known}), got {brief(name, 60)}")
    return of_layer[-1]


def _place(shape: Sequence[int], place: Sequence[Any], said: str, name: Any) -> tuple[int, ...]:
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in place)
    fits = len(place) == len(shape) and whole
    if not fits or not all(0 <= n < size for n, size in zip(place, shape, strict=True)):
        raise ValueError(f"{said} must be a cell of {name!r} {tuple(shape)}, got {brief(tuple(place), 60)}")
    return tuple(int(n) for n in place)


def _shape(scene: Scene, stage: Stage) -> tuple[int, ...]:
    """Of what a stage gives, without the batch, as the layer has it."""
    shape = stage.layer.output_shape
    known = tuple(size for size in shape if size is not None)
    if len(known) == len(shape) and drawn_shape(known) == stage.shape:
        return known or (1,)
    return {1: stage.shape[2:], 2: (stage.shape[0], stage.shape[2])}.get(len(shape), stage.shape)


def _network(scene: Scene) -> Network:
    network = scene.network
    assert isinstance(network, Network)
    return network


# Images ------------------------------------------------------------------------------------------


def base_images(scene: Scene, state: State) -> dict[str, np.ndarray]:
    """The images that are shown, before any change, by the input's name."""
    number = [item["key"] for item in scene.items].index(state["item"])
    images = {
        stage.layer.name: scene.values[number][s].reshape(_shape(scene, stage)) for s, stage in _inputs(scene)
    }
    if state["image"] is not None:
        first = next(iter(images))
        images[first] = _numbers_of(scene, state["image"]).reshape(images[first].shape)
    return images


def run_of(scene: Scene, state: State, base: Run | None = None) -> Run:
    """The run of the changed network on the shown image; InterventionError for what does not fit.

    `base` is another run of the network: what they have in common is not computed again.
    """
    return intervene(_network(scene), base_images(scene, state), state["changes"], base)[0]


def with_image(scene: Scene, state: State, image: Any, title: str = "image from Python") -> dict[str, Any]:
    """A state that shows another image, exactly these numbers; changes to the one before are gone.

    What fits into bytes is held so; numbers that do not are changes to the item that the state shows.
    """
    run = _network(scene).run(image)
    given = {name: run[name] for name in run.network.inputs}
    count = len(next(iter(given.values())))
    if count != 1:
        raise ValueError(f"image must be one image, got {count}")
    inputs = dict(_inputs(scene))
    changes = [
        change
        for change in state["changes"]
        if change["kind"] != "shift" and change.get("stage") not in [stage.name for stage in inputs.values()]
    ]
    plain = {**state, "image": None, "changes": []}
    shown = base_images(scene, plain)
    set_by_hand = []
    for i, stage in enumerate(inputs.values()):
        name = stage.layer.name
        numbers = given[name][0]
        if numbers.shape != shown[name].shape:
            raise ValueError(f"image must be {shown[name].shape} for {name!r}, got {numbers.shape}")
        if not np.isfinite(numbers).all():
            raise ValueError("image must hold finite numbers")
        places = np.flatnonzero(numbers != shown[name])
        if not places.size:
            continue
        pixels = _bytes_of(scene, numbers) if i == 0 else None
        if pixels is not None:
            plain["image"] = {"title": title, "pixels": pixels}
        else:
            values = numbers.ravel()[places].tolist()
            set_by_hand.append(
                {"kind": "values", "stage": stage.name, "at": places.tolist(), "values": values}
            )
    return {**plain, "changes": [*set_by_hand, *changes]}


def _inputs(scene: Scene) -> list[tuple[int, Stage]]:
    return [(s, stage) for s, stage in enumerate(scene.plan.taken.stages) if stage.op["type"] == "input"]


def _scales(scene: Scene, count: int) -> tuple[np.ndarray, np.ndarray]:
    """By what each number of the first input is drawn as 0 to 1: its factor and its offset."""
    picture = scene.numbers.header.get("picture") or {"factor": [1.0], "offset": [0.0]}
    factor, offset = (np.asarray(picture[key], float) for key in ("factor", "offset"))
    return np.resize(factor, count), np.resize(offset, count)


def _numbers_of(scene: Scene, image: Any) -> np.ndarray:
    """The numbers of the first input that an image's bytes stand for, as view.js takes them."""
    size = prod(_inputs(scene)[0][1].shape)
    try:
        text = image["pixels"]
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (TypeError, LookupError, ValueError, binascii.Error):
        raise ValueError(
            f"state's image must be a mapping of a title and pixels, got {brief(image, 60)}"
        ) from None
    if len(content) != size:
        raise ValueError(f"state's image must have {size} pixels, got {len(content)}")
    factor, offset = _scales(scene, size)
    shares = np.frombuffer(content, np.uint8) / 255
    return ((shares - offset) / factor).astype(np.float32)


def _bytes_of(scene: Scene, numbers: np.ndarray) -> str | None:
    """Numbers of the first input as bytes for a state; None if there are none that mean exactly these."""
    factor, offset = _scales(scene, numbers.size)
    shares = numbers.ravel() * factor + offset
    pixels = np.clip(np.rint(255 * shares), 0, 255).astype(np.uint8)
    text = base64.urlsafe_b64encode(pixels.tobytes()).decode().rstrip("=")
    same = np.array_equal(_numbers_of(scene, {"pixels": text}), numbers.ravel())
    return text if same else None
