"""Scene: what the browser gets of a run: stages, weights, receptive fields, and each image's numbers.

One block of bytes: a length, a JSON header, and float32, int32 and int16 arrays, little-endian, at the
offsets that the header gives. Numbers that the browser derives to the last bit (ReLU, batch
normalisation, max pooling, what is only moved) are left out.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnviz.figures.style import PALETTES, THEMES, palette
from cnnviz.liveview.stages import Stage, Taken, take_apart, values_of
from cnnviz.network import Network, Run
from cnnviz.receptive_fields import receptive_field
from cnnviz.verification import RECORD

MAGIC = b"cnnviz01"


class Blob:
    """Arrays one after the other, each at a multiple of eight bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, array: np.ndarray, dtype: str = "<f4") -> list[Any]:
        """Append an array; returns [offset, length, dtype] for the header."""
        content = np.ascontiguousarray(array, dtype).tobytes()
        place = [self._length, int(np.size(array)), dtype[1:]]
        padding = -len(content) % 8
        self._parts += [content, bytes(padding)]
        self._length += len(content) + padding
        return place

    def __bytes__(self) -> bytes:
        return b"".join(self._parts)


@dataclass(frozen=True)
class Fields:
    """First and last cells that every unit sees of every earlier layer, in compact tables.

    `tables` maps (unit's layer, earlier layer), by their numbers in `layers`, to a table for each axis
    of the earlier layer: first and last in the last axis, to be broadcast over the units as drawn.
    """

    layers: tuple[str, ...]
    labels: Mapping[str, str]
    tables: Mapping[tuple[int, int], list[np.ndarray]]

    @classmethod
    def of(cls, net: Network, stages: Sequence[Stage], shapes: Mapping[str, tuple[int, ...]]) -> Fields:
        """The numbers of `cnnviz.receptive_field`, for every pair of layers that are shown."""
        names = tuple(dict.fromkeys(stage.layer.name for stage in stages))
        number = {name: i for i, name in enumerate(names)}
        sizes = {name: shapes[name] for name in net.inputs}
        whole = receptive_field(net, sizes if len(sizes) > 1 else sizes[net.inputs[0]])
        tables: dict[tuple[int, int], list[np.ndarray]] = {}
        labels: dict[str, str] = {}
        for earlier in names:
            seen = whole.wrt(earlier)
            for name in seen:
                if name == earlier or name not in number:
                    continue
                if earlier in net.inputs:
                    labels.setdefault(name, seen[name].label.replace(" x ", "×"))
                bounds = seen[name]._known.bounds(clip=True)
                pairs = zip(bounds.first, bounds.last, strict=True)
                tables[number[name], number[earlier]] = [_drawn(first, last) for first, last in pairs]
        return cls(names, labels, tables)

    def write(self, header: dict[str, Any], blob: Blob) -> None:
        """Into a scene: [offset, length, dtype, rows, columns, channels] for each table, int16."""
        header["layers"] = self.layers
        header["fields"] = {
            f"{unit},{earlier}": [[*blob.add(table, "<i2"), *table.shape[:-1]] for table in axes]
            for (unit, earlier), axes in self.tables.items()
        }
        for stage in header["stages"]:
            stage["rf"] = self.labels.get(stage["layer"], "1")


def _drawn(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """First and last cells, int16, of units in their drawn shape; axes of length 1 are the same for all."""
    ends = np.stack(np.broadcast_arrays(first, last), axis=-1).clip(-(2**15), 2**15 - 1).astype(np.int16)
    shape = ends.shape[:-1]
    if len(shape) > 3:
        # Leading axes are drawn as one, so that all of them must be there or none.
        full = shape[:-2] if set(shape[:-2]) == {1} else tuple(max(n, 1) for n in shape[:-2])
        return ends.reshape(int(np.prod(full)), *shape[-2:], 2)
    return ends.reshape(*shape[:-1], *(1,) * (3 - len(shape)), shape[-1], 2)


@dataclass
class Scene:
    """A network with the numbers of one or more images, ready to be sent.

    Made by `build_scene`; `bytes(scene)` is what view.js reads.
    """

    network: Network
    header: dict[str, Any]
    blob: Blob = field(repr=False)
    taken: Taken = field(repr=False)
    fields: Fields = field(repr=False)

    def add(
        self,
        run: Run,
        index: int = 0,
        *,
        title: str = "image",
        label: int | None = None,
        key: str = "",
        code: str = "",
        edited: Iterable[str] = (),
    ) -> None:
        """Take in one image of a run.

        Parameters
        ----------
        run
            Of the scene's network, or of one with the same layers.
        index
            The image in the run's batch.
        title
            What the view calls it: "test digit 0".
        label
            The class that it really is; None if nobody knows.
        key
            How a link names it: a test digit's number.
        code
            A Python expression that gives the image as integers 0..255, for code to be copied.
        edited
            Layers whose output was changed by hand: theirs cannot be derived.
        """
        edited = set(edited)
        tensors = {}
        for number, stage in enumerate(self.taken.stages):
            changed = stage.part == "output" and stage.layer.name in edited
            if not stage.exact or changed or run.network.dtype != np.float32:
                tensors[str(number)] = self.blob.add(values_of(stage, run, index))
        item = {"title": title, "label": label, "key": key, "code": code, "tensors": tensors}
        self.header["items"].append(item)

    def __bytes__(self) -> bytes:
        text = json.dumps(self.header, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 8)
        return MAGIC + struct.pack("<II", len(text), 0) + text + bytes(self.blob)


def build_scene(
    run: Run,
    index: int | None = None,
    *,
    classes: Sequence[str] | None = None,
    title: str = "image",
    label: int | None = None,
    key: str = "",
    code: str = "",
    edited: Iterable[str] = (),
    like: Scene | None = None,
) -> Scene:
    """Turn a run into what the browser gets.

    Parameters
    ----------
    run
        Of any network that cnnviz reads.
    index
        One image of the run's batch; None takes them all.
    classes
        The names of the outputs; by default their numbers.
    title, label, key, code, edited
        As for `Scene.add`; titles of several images are numbered.
    like
        A scene of a network with the same layers, other weights perhaps: its receptive fields, which
        take longest, are used again.

    Returns
    -------
    Scene

    Raises
    ------
    IndexError
        if there is no such image.

    Examples
    --------
    >>> import cnnviz
    >>> scene = build_scene(cnnviz.load_model("mnist_14k").run(np.zeros((28, 28))))
    >>> len(scene.header["stages"])
    25
    """
    net = run.network
    count = len(next(iter(run.values())))
    if index is not None and not -count <= index < count:
        raise IndexError(f"index must be one of the run's {count} images, got {index}")
    shapes = {name: value.shape[1:] for name, value in run.items()}
    taken = take_apart(net, shapes)
    blob = Blob()
    outputs = int(np.prod(taken.stages[-1].shape))
    header: dict[str, Any] = {
        "model": _model(net),
        "stages": [_stage(stage, number) for number, stage in enumerate(taken.stages)],
        "arrays": {
            name: [*blob.add(array, "<i4" if array.dtype.kind == "i" else "<f4"), list(array.shape)]
            for name, array in taken.arrays.items()
        },
        "classes": list(classes) if classes is not None else [str(i) for i in range(outputs)],
        "palettes": {theme: {name: palette(name, theme) for name in PALETTES} for theme in THEMES},
        "themes": {
            name: {
                key: getattr(theme, key)
                for key in ("background", "panel", "ink", "muted", "line", "accent", "positive", "negative")
            }
            for name, theme in THEMES.items()
        },
        "recorded": recorded_differences(net),
        "items": [],
    }
    fields = like.fields if like else Fields.of(net, taken.stages, shapes)
    fields.write(header, blob)
    scene = Scene(net, header, blob, taken, fields)
    chosen = range(count) if index is None else [index]
    for i in chosen:
        name = title if len(chosen) == 1 else f"{title} {i}"
        scene.add(run, i, title=name, label=label, key=key or str(i), code=code, edited=edited)
    return scene


def recorded_differences(net: Network) -> dict[str, Any]:
    """What the bundled verification found for a network's very file, by layer; {} if nothing."""
    from cnnviz.resources import asset
    from cnnviz.verification import read_record

    if net.source is None or not asset(RECORD).is_file():
        return {}
    found = read_record().get(net.source.stem)
    if found is None or found.sha256 != hashlib.sha256(net.source.read_bytes()).hexdigest():
        return {}
    layers = {row.name: row.difference for row in found.layers}
    return {"images": found.images, "layers": layers}


def _model(net: Network) -> dict[str, Any]:
    total, trainable, fixed = net.count_params()
    name = net.source.stem if net.source else net.name
    path = name if net.source else None
    return {"name": name, "params": [total, trainable, fixed], "path": path}


def _stage(stage: Stage, number: int) -> dict[str, Any]:
    layer = stage.layer
    owns = stage.part != "output" or layer.activation is None or layer.is_activation
    weights = [name.split("/")[1] for name in (stage.op.get("kernel"), stage.op.get("bias")) if name]
    params = sum(layer.weights[name].size for name in weights) if weights else layer.params if owns else 0
    return {
        "name": stage.name,
        "layer": layer.name,
        "kind": layer.kind,
        "part": stage.part,
        "label": stage.label,
        "shape": stage.shape,
        "vector": len(layer.output_shape) == 1,
        "reads": stage.reads,
        "op": stage.op,
        "params": params if layer.owner == layer.name else 0,
        "shared": layer.owner if layer.owner != layer.name else None,
        "hidden": stage.hidden,
        "exact": stage.exact,
    }
