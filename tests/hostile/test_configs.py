"""Options of every class of layer exchanged for what is none: refused with a sentence, or computed.

What is read is then asked for all that a network is asked for: its table, an answer, a gradient, a view, a
receipt. A file is anybody's, and a value that its reader lets through must not break what comes later.
"""

from __future__ import annotations

import io
import json
import math
import random
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import settings

from cnnviz import Network
from cnnviz.network.saving import keras_file
from harness.generated_networks import IMAGES, KINDS, behind, image
from harness.limited import MEGABYTE, limited_calls

THOROUGH = settings.get_current_profile_name() == "thorough"
MEMORY, SECONDS = 200 * MEGABYTE, 4.0
FEW, MANY = 240, 100
"""Files in the normal run; of each class in the thorough one."""

NONE_OF_THEM = (
    *(None, True, False, -1, 0, 1, 3, 0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf")),
    *(2**31, 2**63, 10**40),
    *("", "x", "same", "valid", "relu", "float16", "int8", "channels_first", "\0", "9" * 5000, "💥" * 300),
    *([], [None], [0], [-1], [2**31, 2**31], [1, 2, 3, 4, 5, 6, 7], [[0, 0], [0, 0]], [[-1, 5]], ["x", {}]),
    *({}, {"class_name": "Lambda", "config": {}}, {"module": "os", "class_name": "system", "config": {}}),
    *({"class_name": "__lambda__", "config": {"value": "x"}}, json.loads("[" * 60 + "]" * 60)),
)  # fmt: skip
"""Each stands in the place of an option."""


@cache
def sound(kind: str) -> tuple[bytes, ...]:
    """A small network with a layer of this class, as the members of its file; () where none was found."""
    rng = np.random.default_rng(KINDS.index(kind))
    for shape in rng.permutation(np.array(3 * IMAGES, object)).tolist():
        start = list(Network([image(*shape)]))
        last = start if kind == "InputLayer" else behind(kind, "first", start[0], [], rng)
        if last and last[-1].output_shape:
            net = Network([*start, *(last if kind != "InputLayer" else [])], name="small")
            try:
                content = keras_file(net)
            except ValueError:  # Not all that cnnviz computes Keras has.
                continue
            with zipfile.ZipFile(io.BytesIO(content)) as file:
                return tuple(file.read(f"{name}") for name in MEMBERS)
    return ()


MEMBERS = ("config.json", "metadata.json", "model.weights.h5")


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where a value could be exchanged: what holds it, and under which key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from places(item)


def case(kind: str, place: int, other: int) -> bytes | None:
    """The file of a class with one value of its layer exchanged; None where there are not so many."""
    members = sound(kind)
    if not members:
        return None
    config = json.loads(members[0])
    found = list(places(config["config"]["layers"][-1]))
    if place >= len(found):
        return None
    holder, key = found[place]
    holder[key] = NONE_OF_THEM[other]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, member in zip(MEMBERS, (json.dumps(config).encode(), *members[1:]), strict=True):
            file.writestr(name, member)
    return content.getvalue()


def asked(content: bytes | None) -> str:
    """In the child: "computed", or the words of the refusal of the file, or of something that is asked."""
    import cnnviz

    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content or b"")
        try:
            net = cnnviz.load_model(path)
        except cnnviz.ModelFileError as error:
            return str(error).removeprefix(f"{path}: ")
    repr(net), list(map(repr, net)), net.count_params()
    shape = [size or 5 for size in net.input_shape]
    if math.prod(shape) > 10**5:
        return "computed, if there were such a picture"
    picture = np.random.default_rng(0).random((1, *shape), np.float32)
    limits = {"memory_limit": 50e6, "work_limit": 2e9}
    try:
        run = net.run(picture, **limits)
        net.predict(picture, **limits)
        output = run[net.outputs[0]]
        if output.size:
            run.gradient(net.outputs[0], weights=np.ones(output.shape), **limits).wrt_input  # noqa: B018
            str(cnnviz.explain(run, net.outputs[0], at=(0,) * (output.ndim - 1)))
        bytes(cnnviz.view(net, picture, **limits))
    except ValueError as error:
        return str(error)
    return "computed"


def cases() -> Iterator[tuple[str, int, int]]:
    """Classes, places and values, as many of each class."""
    chance = random.Random(12)
    for kind in KINDS:
        for _ in range(MANY if THOROUGH else math.ceil(FEW / len(KINDS))):
            yield kind, chance.randrange(25), chance.randrange(len(NONE_OF_THEM))


def test_an_option_that_is_none_is_refused_with_a_sentence_or_computed() -> None:
    tried = [(each, content) for each in cases() if (content := case(*each)) is not None]
    ends = limited_calls(asked, (content for _, content in tried), memory=MEMORY, seconds=SECONDS)
    computed = 0
    for (each, _), end in zip(tried, ends, strict=True):
        what = f"{each[0]}, place {each[1]}, {str(NONE_OF_THEM[each[2]])[:60]!r}"
        assert not end.error, f"{what}: {end.error} {end.message}\n{end.trace}"
        assert end.peak < MEMORY, f"{what} took {end.peak / MEGABYTE:.0f} MB"
        assert end.worked < SECONDS, f"{what} took {end.worked:.1f} s"
        assert 8 <= len(end.value) < 800, f"{what}: {end.value}"
        assert not re.search(r"NoneType|object has no|object is not|unhashable", end.value), (
            f"{what}: {end.value}"
        )
        computed += end.value.startswith("computed")
    assert len(tried) / 10 < computed < len(tried)
