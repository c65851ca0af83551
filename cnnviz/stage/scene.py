"""Scene: what the browser gets of a run, a network's plan and the numbers of one or more images.

Numbers that the browser derives to the last bit (ReLU, batch normalisation, max pooling, what is only
moved) are left out, and so are those that it has already: equal numbers of the same image. Of a network
that is too large to be sent whole go the inputs, what is small, and how large each channel's numbers are; the
page asks for the rest as it shows it (`answers`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

import numpy as np

from cnnviz.images.class_names import class_names
from cnnviz.network import LayerGraph, Run
from cnnviz.network.class_scores import classes_of
from cnnviz.network.colour_planes import picture_of, planes_of_all
from cnnviz.stage.parts import Part
from cnnviz.stage.plan import StagePlan, place_of, plan_of
from cnnviz.stage.stages import Stage, Taken, activity_of, take_apart, values_of
from cnnviz.stage.view_memory import check_layers, check_size

Values = Mapping[int, np.ndarray]
"""What is sent of an image, by the stage's number."""


@dataclass
class Scene:
    """A network's plan and the numbers of one or more images, ready to be sent.

    Made by `build_scene`; `bytes(scene)` is what scene.js reads.
    """

    network: LayerGraph
    plan: StagePlan
    numbers: Part = field(repr=False)
    values: list[Values] = field(default_factory=list, repr=False)
    """What is sent, image by image."""

    @property
    def items(self) -> list[dict[str, Any]]:
        """What is said of each image."""
        return self.numbers.header["items"]

    @property
    def host(self) -> dict[str, Any]:
        """What the host says to its view; no part of the numbers."""
        return self.numbers.header["host"]

    @property
    def key(self) -> str:
        """The name under which the browser keeps these numbers: the same for the same content."""
        return str(self.numbers.header["key"])

    def add(
        self,
        run: Run,
        index: int = 0,
        *,
        title: str = "image",
        label: int | None = None,
        key: str = "",
        code: str = "",
        computed: bool = False,
    ) -> None:
        """Take in one image of a run.

        Parameters
        ----------
        run
            Of the plan's network, or of one with the same layers.
        index
            The image in the run's batch.
        title
            What the view calls it: "test digit 0".
        label
            The class that it really is; None if nobody knows.
        key
            How a link names it: a test digit's number.
        code
            A Python expression that gives the image as `Network.run` takes it, for code to be copied; with ""
            its numbers are written out.
        computed
            Send the inputs alone: the browser computes the rest, where it knows all operations.
        """
        computed = computed and (self.plan.far or self.plan.computable)
        _check_images(self.network, self.plan, len(self.items) + 1)
        header = self.numbers.header
        tensors: dict[str, list[Any]] = {}
        values = {}
        digest = hashlib.blake2b(header["key"].encode() + self.plan.key.encode(), digest_size=12)
        far = self.plan.far
        for number, stage in enumerate(self.plan.taken.stages):
            if stage.op["type"] != "input" and (computed or (far and not is_small(stage))):
                continue
            if not far and stage.exact and run[stage.layer.name].dtype == np.float32:
                continue
            value = values[number] = np.ascontiguousarray(values_of(stage, run, index), "<f4")
            digest.update(value.data)
            tensors[str(number)] = self.numbers.add(value)
        item: dict[str, Any] = {"title": title, "label": label, "key": key, "code": code, "tensors": tensors}
        item |= {"computed": True} if computed else {}
        if far and not computed:
            extents = extents_of(self.plan.taken.stages, run, index)
            digest.update(extents.data)
            item["extents"] = self.numbers.add(extents)
        # A file's name on Linux may be no text.
        digest.update(f"{title} {label} {key} {code}".encode(errors="surrogatepass"))
        self.items.append(item)
        self.values.append(values)
        header["key"] = digest.hexdigest()

    def copy(self) -> Scene:
        """One whose host, start and numbers can be added to."""
        header = self.numbers.header
        own = {**header, "host": dict(self.host), "start": dict(header["start"])}
        return Scene(self.network, self.plan, self.numbers.copy(own), self.values)

    def without_numbers(self) -> Scene:
        """What goes to a browser that has these numbers, by their key: the same, but for the numbers."""
        items = [{**item, "tensors": {}} for item in self.items]
        header = {**self.numbers.header, "base": self.key, "items": items, "arrays": {}, "host": {}}
        return Scene(self.network, self.plan, Part(header), self.values)

    def change_weights(self, taken: Taken) -> None:
        """Take in the weights of a network with the same layers, where they are not the plan's."""
        header = self.numbers.header
        for name, array in taken.arrays.items():
            known = self.plan.part.header["arrays"].get(name)
            if known is not None and not np.array_equal(array, self.plan.taken.arrays[name]):
                header["arrays"][name] = place_of(self.numbers, array)
                content = name.encode() + np.ascontiguousarray(array).tobytes()
                header["key"] = hashlib.blake2b(header["key"].encode() + content, digest_size=12).hexdigest()

    def __bytes__(self) -> bytes:
        return self.plan.sent + bytes(self.numbers)


def is_small(stage: Stage) -> bool:
    """Whether its numbers are always sent: those of inputs, of vectors, and of what is no larger."""
    rows, cols, _ = stage.shape
    return stage.op["type"] == "input" or rows * cols == 1 or prod(stage.shape) <= 4096


def extents_of(stages: Sequence[Stage], run: Run, index: int) -> np.ndarray:
    """Each channel's lowest number, 0 at most, largest finite magnitude and activity, stage by stage."""
    return np.concatenate([_extents(values_of(stage, run, index)).ravel() for stage in stages])


def _extents(values: np.ndarray) -> np.ndarray:
    flat = np.asarray(values, np.float32).reshape(-1, values.shape[-1])
    low, size = np.fmin.reduce(flat, axis=0), activity_of(flat)
    activity = size
    if not np.isfinite(size).all():
        size = np.fmax.reduce(np.where(np.isfinite(flat), np.abs(flat), 0), axis=0)
    low = np.fmin(np.nan_to_num(low, nan=0, neginf=-np.inf), 0)
    return np.stack([low, size, activity], axis=-1).astype("<f4")


def build_scene(
    run: Run,
    index: int | None = None,
    *,
    classes: Any = None,
    title: str = "image",
    label: int | None = None,
    key: str = "",
    code: str = "",
    plan: StagePlan | None = None,
    layers: Iterable[str] | None = None,
    pinned: Sequence[Any] | None = None,
    play: bool = False,
    far: bool | None = None,
) -> Scene:
    """Turn a run into what the browser gets.

    Parameters
    ----------
    run
        Of any network that cnnviz reads.
    index
        One image of the run's batch; None takes them all.
    classes
        The names of the outputs, as `class_names` takes them; by default their numbers.
    title, label, key, code
        As for `Scene.add`; titles of several images are numbered.
    plan
        That of a network with the same layers, other weights perhaps; None makes it.
    layers, pinned, play
        As for `cnnviz.view`.
    far
        Whether numbers are sent as they are asked for; None decides by the network's size.

    Raises
    ------
    IndexError
        if there is no such image.
    ValueError
        if there is no such layer or cell, or not one name for each class.

    Examples
    --------
    >>> import cnnviz
    >>> scene = build_scene(cnnviz.load_model("mnist_14k").run(np.zeros((28, 28))))
    >>> len(scene.plan.taken.stages)
    25
    """
    net = run.network
    count = len(next(iter(run.values())))
    if index is not None and not -count <= index < count:
        raise IndexError(f"index must be one of the run's {count} images, got {index}")
    shapes = {name: value.shape[1:] for name, value in run.items()}
    layers = None if layers is None else tuple(layers)
    plan = plan or plan_of(net, shapes, layers, far)
    if not plan.far:
        check_layers(net, shapes, layers)
    _check_images(net, plan, count if index is None else 1)
    last = plan.taken.stages[-1]
    names = [str(i) for i in range(int(np.prod(last.shape)))]
    if last.layer.name in map(net.resolve, net.outputs):
        # One number for two classes says how likely the second one is.
        two = _tells_two(net, last)
        if classes is not None:
            names = class_names(classes, 2 if two else last.shape[2])
        elif two:
            names = ["0", "1"]
        names = names[1:] if two else names
    start = {"path": [_cell_of(plan, shapes, pinned)] if pinned else [], "play": play}
    header: dict[str, Any] = {"plan": plan.key, "key": "", "base": None, "classes": names}
    header |= _colours(plan, run, index)
    scene = Scene(net, plan, Part(header | {"items": [], "arrays": {}, "host": {}, "start": start}))
    if plan.owner() is not net:
        scene.change_weights(take_apart(net, shapes))
    chosen = range(count) if index is None else [index]
    for i in chosen:
        name = title if len(chosen) == 1 else f"{title} {i}"
        # Of several images NumPy's numbers of the first go along; the others' the browser computes.
        scene.add(
            run,
            i,
            title=name,
            label=label,
            key=key or str(i),
            code=code,
            computed=i != chosen[0],
        )
    return scene


def _tells_two(net: LayerGraph, last: Stage) -> bool:
    return len(last.layer.output_shape) == 1 and classes_of(net).get(last.layer.name) == 2 > last.shape[2]


def _check_images(net: LayerGraph, plan: StagePlan, images: int) -> None:
    """ValueError where the numbers of so many images would be too many."""
    sizes: dict[str, int] = {}
    # Of a large network's stages one after the other is looked through, for its channels' extents.
    largest = max(plan.taken.stages, key=lambda stage: prod(stage.shape))
    for stage in plan.taken.stages:
        if is_small(stage) or stage is largest if plan.far else not stage.exact:
            sizes[stage.layer.name] = sizes.get(stage.layer.name, 0) + prod(stage.shape)
    check_size(net, sizes, images)


def _colours(plan: StagePlan, run: Run, index: int | None) -> dict[str, Any]:
    """How the first input's numbers are pixels, and which stages' channels are planes of a colour picture.

    Of a grey picture it is said where its numbers are not 0 to 1.

    All images of a scene are drawn alike, so that they can be compared.
    """
    first = plan.taken.stages[0]
    if first.layer.inputs or first.shape != run[first.layer.name].shape[1:]:
        return {}
    picture = picture_of(run, first.layer.name, index)
    if picture is None or (picture.factor, picture.offset) == ((1.0,), (0.0,)):
        return {}
    all_planes = planes_of_all(run)
    planes = {number: all_planes[stage.layer.name] for number, stage in enumerate(plan.taken.stages)}
    return {
        "picture": {**asdict(picture), "planes": picture.planes},
        "planes": {str(number): names for number, names in planes.items() if names},
    }


def _cell_of(plan: StagePlan, shapes: Mapping[str, tuple[int, ...]], pinned: Sequence[Any]) -> list[Any]:
    """A cell as a state's path names it: its stage, row, column and channel as drawn."""
    name, *position = pinned
    stages = [stage for stage in plan.taken.stages if stage.layer.name == name]
    if not stages:
        raise ValueError(f"pinned must begin with the name of a layer that is shown, got {name!r}")
    try:
        flat = int(np.ravel_multi_index(tuple(position), shapes[name]))
    except (TypeError, ValueError):
        raise ValueError(
            f"pinned must be a cell of {name!r} {tuple(shapes[name])}, got {tuple(position)}"
        ) from None
    place = np.unravel_index(flat, stages[-1].shape)
    return [stages[-1].name, *map(int, place)]
