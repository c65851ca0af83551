"""Model files that are made to break the loader: each is refused with one short sentence, or is right.

All of them are read in a child, which says how much memory and time each took. What is wrong with crafted
files is known, so the sentence is too; of files with bytes changed at random only its form is.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
from hypothesis import settings

from cnnviz.network.keras_config import MOST_CALLS
from harness.limited import MEGABYTE, Outcome, limited_calls
from harness.model_files import (
    Config,
    archive,
    archived_weights,
    functional,
    layer,
    small_config,
    whole_hdf5,
)

THOROUGH = settings.get_current_profile_name() == "thorough"
MUTATIONS = 4000 if THOROUGH else 200
MEMORY, SECONDS = 200 * MEGABYTE, 3.0
FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None


def load(content: bytes | None) -> str | None:
    """In the child: the words of the refusal, or None if the file loads and predicts."""
    import cnnviz

    with TemporaryDirectory(dir=FOLDER) as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(archive() if content is None else content)
        try:
            net = cnnviz.load_model(path)
            repr(net), net.count_params(), list(map(repr, net))
        except cnnviz.ModelFileError as error:
            said = str(error).removeprefix(f"{path}: ")
            return said if said != str(error) else f"without the file: {said}"
        return None


def outcomes(files: list[bytes]) -> Iterator[Outcome]:
    return limited_calls(load, files, memory=MEMORY, seconds=SECONDS)


def check(name: object, outcome: Outcome) -> None:
    """One short sentence or a network, within the limits."""
    assert not outcome.error, f"{name}: {outcome.error} {outcome.message}\n{outcome.trace}"
    assert outcome.peak < MEMORY, f"{name} took {outcome.peak / MEGABYTE:.0f} MB: {outcome.value}"
    assert outcome.worked < SECONDS, f"{name} took {outcome.worked:.1f} s: {outcome.value}"
    if outcome.value is not None:
        assert 10 < len(outcome.value) <= 600, f"{name}: {outcome.value}"
        assert not outcome.value.startswith("without the file"), outcome.value
        assert "NoneType" not in outcome.value, f"{name}: {outcome.value}"


# Archives ---------------------------------------------------------------------------------------


@cache
def packed_zeros(size: int) -> bytes:
    """A raw deflate stream of so many zeros, in no time: one packed piece again and again."""
    piece = 2**24
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    once = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    return once * (size // piece) + packer.flush(zlib.Z_FINISH)


def zipped(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def lying(name: str, stated: int, packed: bytes) -> bytes:
    """An archive one member of which is a deflate stream of another length than the directory says."""
    with zipfile.ZipFile(io.BytesIO(archive())) as sound:
        rest = [(other, sound.read(other)) for other in sound.namelist() if other != name]
    content = bytearray(zipped([(name, packed), *rest]))
    local, central = content.find(b"PK\3\4"), content.find(b"PK\1\2")
    for place in (local + 8, central + 10):
        content[place : place + 2] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    for place in (local + 22, central + 24):
        content[place : place + 4] = struct.pack("<I", stated)
    return bytes(content)


def with_members(*more: tuple[str, bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive())) as sound:
        return zipped([*((name, sound.read(name)) for name in sound.namelist()), *more])


def encrypted() -> bytes:
    content = bytearray(archive())
    content[content.find(b"PK\1\2") + 8] |= 1
    return bytes(content)


def many_members(count: int) -> bytes:
    """A directory of so many names, which nothing in the file stands for, by zip64's count."""
    one = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = one * count
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(directory), 1)
    return (
        directory
        + end
        + locator
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[2**16 - 1] * 2, *[2**32 - 1] * 2, 0)
    )


def squeezed(name: str, size: int, compression: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive())) as sound:
        rest = [(other, sound.read(other)) for other in sound.namelist() if other != name]
    content = bytearray(zipped([(name, bytes(size)), *rest], compression))
    for place in (content.find(b"PK\3\4") + 22, content.find(b"PK\1\2") + 24):
        content[place : place + 4] = struct.pack("<I", 1000)
    return bytes(content)


ARCHIVES: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "sound": (archive, None),
    "foreign members": (
        lambda: with_members(("../../etc/x", b"x"), ("/etc/y", b"y"), ("assets/z", b"z")),
        None,
    ),
    "weights that say 1,000 bytes and hold 3 GB": (
        lambda: lying("model.weights.h5", 1000, packed_zeros(3 * 2**30)),
        "model.weights.h5 is damaged",
    ),
    "weights that say 1 GB and hold little": (
        lambda: lying("model.weights.h5", 2**30, packed_zeros(2**24)),
        "model.weights.h5 is damaged",
    ),
    "a config that says 1,000 bytes and holds 3 GB": (
        lambda: lying("config.json", 1000, packed_zeros(3 * 2**30)),
        "config.json is damaged",
    ),
    "a config that says 3 GB": (
        lambda: lying("config.json", 3 * 2**30, packed_zeros(3 * 2**30)),
        "config.json unpacks to 3,221,225,472 bytes, more than the",
    ),
    "bzip2": (lambda: squeezed("config.json", 2**24, zipfile.ZIP_BZIP2), "config.json is damaged"),
    "LZMA": (lambda: squeezed("config.json", 2**23, zipfile.ZIP_LZMA), "config.json is damaged"),
    "encrypted": (encrypted, "config.json is encrypted"),
    "two configs": (
        lambda: with_members(("config.jsom", b"{}")).replace(b"config.jsom", b"config.json"),
        "it has 2 config.json",
    ),
    "200,000 names": (lambda: many_members(2 * 10**5), "an archive with 9,400,0"),
    "a directory without order": (lambda: archive().replace(b"PK\1\2", b"PK\1\3"), "cut off or damaged"),
    "a ZIP in a ZIP": (lambda: zipped([("model.keras", archive())]), "unpack it and load that"),
}

# Configs ----------------------------------------------------------------------------------------


def changed(change: Callable[[list[Config]], Any]) -> bytes:
    """The small model with its layers' configs changed."""
    config = small_config()
    change(config["config"]["layers"])
    return archive(config=config)


def renamed(name: str) -> bytes:
    return archive(config=json.dumps(small_config()).replace("conv", name).encode())


def nested(depth: int) -> Config:
    inner = functional([layer("InputLayer", "in", batch_shape=[None, 6, 6, 1]), layer("ReLU", "r", "in")])
    for number in range(depth):
        inner |= {"name": "inner", **called("in")}
        inner = functional([layer("InputLayer", "in", batch_shape=[None, 6, 6, 1]), inner], f"m{number}")
    return inner


def called(reads: str) -> Config:
    return {"inbound_nodes": layer("ReLU", "r", reads)["inbound_nodes"]}


def laughing(depth: int) -> Config:
    """Models without a layer of their own that hold the model below twice, as one object."""
    inner = functional([layer("InputLayer", "in", batch_shape=[None, 6, 6, 1])])
    for number in range(depth):
        inner |= {"name": "a", "shared_object_id": number, **called("in")}
        again = {**inner, "name": "b", "config": {}, **called("a")}
        inner = functional([layer("InputLayer", "in", batch_shape=[None, 6, 6, 1]), inner, again])
        # For the outputs Keras counts the calls of a model from 1.
        inner["config"]["output_layers"][1] = 1
    return inner


def slashed(count: int) -> bytes:
    """Of Keras 2: as many layers of one name, in which an underscore takes the place of the slash."""
    one = {"class_name": "ReLU", "name": "a/b", "config": {"name": "a/b"}, "inbound_nodes": []}
    config = functional([layer("InputLayer", "in", batch_shape=[None, 6, 6, 1]), *[one] * count])
    return archive(config=config, metadata={"keras_version": "2.12.0"})


def ends(count: int, inputs: int, outputs: int, reads: int) -> bytes:
    """A model with so many layers behind its one input, and its ends said so often."""
    layers = [layer("InputLayer", f"in{k}", batch_shape=[None, 6, 6, 1]) for k in range(inputs)]
    layers += [layer("ReLU", f"r{k}", "in0") for k in range(count)]
    layers.append(layer("Add", "sum", "in0"))
    layers[-1]["inbound_nodes"][0]["args"] = [layers[-1]["inbound_nodes"][0]["args"] * reads]
    config = functional(layers)
    config["config"]["input_layers"] = [[f"in{k}", 0, 0] for k in range(inputs)]
    config["config"]["output_layers"] = [[f"r{k}", 0, 0] for k in range(outputs)]
    return archive(config=config)


def one_input_twice() -> Config:
    """Said of a model within the model, which is called on one tensor."""
    inner = nested(1)["config"]["layers"][1]
    inner["config"]["input_layers"] = [["in", 0, 0]] * 2
    return functional([layer("InputLayer", "in", batch_shape=[None, 6, 6, 1]), inner])


def chain(count: int) -> Config:
    layers = [layer("InputLayer", "l0", batch_shape=[None, 6, 6, 1])]
    return functional([*layers, *(layer("ReLU", f"l{i}", f"l{i - 1}") for i in range(1, count))])


def with_operation(dtype: Any) -> Config:
    """An operation that reads a tensor of this type."""
    operation = layer("Relu", "relu", "image") | {"module": "keras.src.ops.nn"}
    operation["inbound_nodes"][0]["args"][0]["config"]["dtype"] = dtype
    return functional([layer("InputLayer", "image", batch_shape=[None, 6, 6, 1]), operation])


def option(place: int, **options: Any) -> Callable[[], bytes]:
    return lambda: changed(lambda layers: layers[place]["config"].update(options))


CONFIGS: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "brackets": (lambda: archive(config=b"[" * 2**20), "config.json is nested too deeply"),
    "nothing but lists": (
        lambda: archive(config=b"[" + b"[]," * 2**22 + b"[]]"),
        "config.json holds 8,388,6",
    ),
    "60 MB": (lambda: archive(config=b"[" + b"[]," * 2 * 10**7 + b"[]]"), "config.json unpacks to 60,000,0"),
    "a number of 5,000 digits": (lambda: archive(config=b"9" * 5000), "config.json is not JSON"),
    "half a character": (lambda: renamed("\\ud800"), "config.json has a text with half of a character"),
    "a name of 300 letters": (
        lambda: renamed("c" * 300),
        "a layer's name must be text without '/', at most 255",
    ),
    "too many layers": (lambda: archive(config=chain(MOST_CALLS + 1)), "more than 10,000 layers"),
    "an input twice": (lambda: archive(config=one_input_twice()), "'inner' has one of its inputs twice"),
    "5,000 inputs": (lambda: ends(1, 5000, 1, 2), "the model has as inputs 5,000 tensors; at most 500"),
    "5,000 outputs": (lambda: ends(5000, 1, 5000, 2), "the model has as outputs 5,000 tensors"),
    "a sum of 40,000": (lambda: ends(1, 1, 1, 40_000), "a call of layer 'sum' reads 40,000 tensors"),
    "as many as are read": (lambda: ends(500, 500, 500, 500), None),
    "a name with a slash 20,000 times": (lambda: slashed(20_000), "two layers called 'a_b'"),
    "a name of Keras 2 that is none": (
        lambda: archive(
            config=functional([{"class_name": "ReLU", "name": {"a": 1}, "config": {}}]),
            metadata={"keras_version": "2.12.0"},
        ),
        "a layer's name must be text, got {'a': 1}",
    ),
    "nested 60 times": (lambda: archive(config=nested(60)), "nested too deeply; at most 50"),
    "two to the 40 models": (
        lambda: archive(config=laughing(40)),
        "the model has more than 10,000 layer calls",
    ),
    "an output before the first": (
        lambda: archive(
            config=small_config()
            | {"config": small_config()["config"] | {"output_layers": ["scores", 0, -1]}}
        ),
        "must be [layer, call, output], counted from 0",
    ),
    "many filters": (option(1, filters=2**40), "kernel must have shape (3, 3, 1, 1099511627776)"),
    "a long list for a size": (option(1, kernel_size=[3] * 10**5), "'conv' (Conv2D): kernel_size"),
    "a long number for a size": (option(1, kernel_size=10**4000), "'conv' (Conv2D): kernel_size"),
    "a long word for a choice": (option(1, padding="x" * 10**5), "'conv' (Conv2D): padding"),
    "a size beyond all": (option(0, batch_shape=[None, 2**40, 2**40, 1]), "'image' (InputLayer)"),
    "a size beyond an int": (option(0, batch_shape=[None, 2**70, 6, 1]), "'image' (InputLayer)"),
    "49 axes": (option(0, batch_shape=[1] * 50), "at most 30 sizes behind the batch, got 49"),
    "a call of the input that there is not": (
        lambda: archive(
            config=small_config() | {"config": small_config()["config"] | {"input_layers": [["image", 2, 0]]}}
        ),
        "input_layers of the model must be [layer, 0, 0]",
    ),
    "a dictionary for the type of a tensor": (
        lambda: archive(config=with_operation({"a": 1})),
        None,
    ),
    "no sizes": (option(0, batch_shape=None), "'image' (InputLayer): batch_shape"),
    "a dictionary for a size": (option(3, pool_size={"a": None}), "'pool' (MaxPooling2D): pool_size"),
    "None for a size": (option(3, pool_size=None), "'pool' (MaxPooling2D): pool_size"),
    "NaN": (option(2, epsilon=float("nan")), "'norm' (BatchNormalization): epsilon"),
    "an activation that is a list": (option(5, activation=[["softmax"]] * 1000), "'scores' (Dense)"),
}

# HDF5 -------------------------------------------------------------------------------------------

KERNEL = "layers/conv2d/vars/0"


def stored(**options: Any) -> Callable[[h5py.File], Any]:
    """Another dataset in the place of the convolution's kernel."""

    def change(file: h5py.File) -> Any:
        del file[KERNEL]
        return file["layers/conv2d/vars"].create_dataset("0", **options)

    return change


def unpacking_to(size: int) -> Callable[[h5py.File], Any]:
    """A kernel whose one piece of 72 bytes is a deflate stream of so many zeros."""

    def change(file: h5py.File) -> None:
        data = stored(shape=(3, 3, 1, 2), dtype="f4", chunks=(3, 3, 1, 2), compression="gzip")(file)
        raw = packed_zeros(size)
        sums = 1 | (size % 65521) << 16
        data.id.write_direct_chunk((0, 0, 0, 0), b"\x78\x9c" + raw + struct.pack(">I", sums))

    return change


def relinked(place: str, link: Any) -> Callable[[h5py.File], Any]:
    def change(file: h5py.File) -> None:
        del file[place]
        file[place] = link

    return change


def filtered(number: int) -> Callable[[h5py.File], Any]:
    """A kernel that says it needs a filter that may be missing: nothing is looked for."""

    def change(file: h5py.File) -> None:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((3, 3, 1, 2))
        plan.set_filter(number, h5py.h5z.FLAG_OPTIONAL, ())
        del file[KERNEL]
        space = h5py.h5s.create_simple((3, 3, 1, 2))
        h5py.h5d.create(file["layers/conv2d/vars"].id, b"0", h5py.h5t.IEEE_F32LE, space, plan)

    return change


def loop(file: h5py.File) -> None:
    del file["layers/conv2d/vars"]
    file["layers/conv2d/vars"] = file["layers"]


def references(file: h5py.File) -> None:
    stored(data=np.array([file.ref] * 18, h5py.ref_dtype).reshape(3, 3, 1, 2), dtype=h5py.ref_dtype)(file)


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(3, 3, 1, 2), dtype="f4")
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape=(3, 3, 1, 2))
    del file[KERNEL]
    file["layers/conv2d/vars"].create_virtual_dataset("0", layout)


WEIGHTS: dict[str, tuple[Callable[[h5py.File], Any], str | None]] = {
    "packed": (
        stored(data=np.ones((3, 3, 1, 2), "f4"), compression="gzip", shuffle=True, fletcher32=True),
        None,
    ),
    "1 GB of another shape": (
        stored(shape=(2**14, 2**14), dtype="f4", data=None, chunks=(1, 2**14)),
        "kernel (16384, 16384) should have 1,073,741,824 bytes, the file has 0",
    ),
    "1 GB of one number": (
        stored(shape=(2**28,), dtype="f4", chunks=(2**20,), compression="gzip"),
        "should have 1,073,741,824 bytes",
    ),
    "a shape without numbers": (stored(shape=(3, 3, 1, 2), dtype="f4"), "the file has 0"),
    "a piece that unpacks to 32 MB": (unpacking_to(2**25), "a piece of it unpacks to more than 72 bytes"),
    "large pieces": (
        stored(
            data=np.ones((3, 3, 1, 2), "f4"),
            maxshape=(None,) * 4,
            chunks=(3, 3, 8, 2**14),
            compression="gzip",
        ),
        "lies in pieces of 4,718,592 bytes",
    ),
    "a filter that Keras has not": (filtered(32015), "packed in a way that is not read"),
    "a soft link for a kernel": (
        relinked(KERNEL, h5py.SoftLink("/layers/conv2d/vars/1")),
        "links are not followed",
    ),
    "a soft link for the layers": (relinked("layers", h5py.SoftLink("/elsewhere")), "links are not followed"),
    "a link to another file": (
        relinked(KERNEL, h5py.ExternalLink("/etc/passwd", "/")),
        "links are not followed",
    ),
    "a group in itself": (loop, "the file has 3 arrays"),
    "references": (references, "kernel must hold floats, it holds object"),
    "a virtual array": (virtual, "kernel is not an array in this file"),
    "numbers elsewhere": (
        stored(shape=(3, 3, 1, 2), dtype="f4", external=[("/dev/zero", 0, 72)]),
        "kernel is not an array in this file",
    ),
    "a table": (stored(data=np.zeros((3, 3, 1, 2), [("a", "f4"), ("b", "S9")])), "kernel must hold floats"),
    "no space": (stored(data=h5py.Empty("f4")), "kernel is not an array, it is empty"),
}


def repeated_text(file: h5py.File) -> None:
    """A list of 100,000 texts, each the long one: their bytes are in the file once."""
    file["model_weights"].attrs.create("layer_names", ["x" * 10**6, *["y"] * 3999], dtype=h5py.string_dtype())


LEGACY: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "legacy": (whole_hdf5, None),
    "texts that repeat": (lambda: whole_hdf5(repeated_text), "its layer_names is damaged"),
    "a config of lists": (
        lambda: whole_hdf5(config="[" + "[]," * 10**6 + "[]]"),
        "model_config holds 2,000,0",
    ),
    "a config that is an array": (
        lambda: whole_hdf5(lambda file: file.attrs.create("model_config", np.zeros(5))),
        "model_config is not JSON",
    ),
    "references for names": (
        lambda: whole_hdf5(
            lambda file: file["model_weights"].attrs.create("layer_names", file.ref, dtype=h5py.ref_dtype)
        ),
        None,
    ),
    "another file's weights": (
        lambda: whole_hdf5(relinked("model_weights", h5py.ExternalLink("/etc/passwd", "/"))),
        "model_weights is damaged ('model_weights' is a ExternalLink",
    ),
}

CRAFTED = {
    **ARCHIVES,
    **CONFIGS,
    **{
        name: (lambda c=change: archive(weights=archived_weights(c)), said)
        for name, (change, said) in WEIGHTS.items()
    },
    **LEGACY,
}


def test_crafted_files_are_refused_with_a_sentence_within_the_limits() -> None:
    for (name, (_, said)), outcome in zip(
        CRAFTED.items(), outcomes([make() for make, _ in CRAFTED.values()]), strict=True
    ):
        check(name, outcome)
        assert (said or "None") in str(outcome.value), f"{name}: {outcome.value}"


def test_a_link_is_not_even_opened(tmp_path: Path) -> None:
    """Whoever opens a pipe that nobody writes to waits for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    places = ("layers", "layers/conv2d", "layers/conv2d/vars", KERNEL)
    files = [
        archive(weights=archived_weights(relinked(place, h5py.ExternalLink(str(pipe), "/"))))
        for place in places
    ]
    for place, outcome in zip(places, outcomes(files), strict=True):
        check(place, outcome)
        assert "links are not followed" in str(outcome.value)


# Bytes changed at random ------------------------------------------------------------------------


def mutated(content: bytes, draw: random.Random) -> bytes:
    """A few bytes changed, a piece cut out, or one put elsewhere."""
    data = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 5, 20])):
        start = draw.randrange(len(data))
        how = draw.randrange(6)
        if how == 0:
            del data[start : start + draw.randrange(1, 64)]
        elif how == 1:
            data[start:start] = data[draw.randrange(len(data)) :][: draw.randrange(1, 64)]
        elif how == 2:
            data[start : start + 8] = draw.choice([0, 1, 2**31, 2**40, 2**63, 2**64 - 1]).to_bytes(
                8, "little"
            )
        elif how == 3:
            data[start] ^= 1 << draw.randrange(8)
        else:
            data[start] = draw.randrange(256)
    return bytes(data)


JUNK = [None, True, -1, 0, 2**31, 10**40, 1e308, float("nan"), "x", "\0", "", [], {}, [[1]], "9" * 5000]


def junked(config: Config, draw: random.Random) -> Config:
    """One value in a config exchanged."""
    places = list(_places(config))
    container, key = draw.choice(places)
    container[key] = draw.choice(JUNK)
    return config


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from _places(item)


def mutations(seed: int) -> bytes:
    draw = random.Random(seed)
    kind = seed % 5
    if kind == 0:
        return mutated(archive(), draw)
    if kind == 1:
        return mutated(whole_hdf5(), draw)
    if kind == 2:
        return archive(weights=mutated(archived_weights(), draw))
    if kind == 3:
        return archive(config=junked(small_config(), draw))
    return archive(config=mutated(json.dumps(small_config()).encode(), draw))


def test_bytes_changed_at_random_are_refused_with_a_sentence_or_change_numbers_only() -> None:
    seeds = range(MUTATIONS)
    found = list(outcomes(list(map(mutations, seeds))))
    for seed, outcome in zip(seeds, found, strict=True):
        check(seed, outcome)
    refused = sum(outcome.value is not None for outcome in found)
    assert MUTATIONS / 4 < refused < MUTATIONS
