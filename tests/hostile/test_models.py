"""Models of a few kB that ask for a great deal: they are answered, or refused before anything is computed.

Each is written as a .keras file without weights, read, asked for its table, and given a picture.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import cnnviz
from cnnviz import Layer, Network
from cnnviz.commands import main
from cnnviz.network import limits
from cnnviz.network.saving import keras_file as keras_bytes
from harness.limited import MEGABYTE, limited_calls, limited_command

Chain = tuple[tuple[Any, ...], list[tuple[str, dict[str, Any]]]]
"""The input's shape, and classes with options: each reads the one before, twice if it joins."""

SECONDS, MEMORY = 8.0, 300 * MEGABYTE
"""For all that is asked of one model, on a machine that is busy with other tests."""
PICTURE = (28, 28, 1)
JOINS = ("Concatenate", "Add", "Attention", "AdditiveAttention", "Dot")

LARGE = ("UpSampling2D", {"size": 100})
AT_EACH = {"strides": 1, "padding": "same"}
MEAN = ("AveragePooling2D", {"pool_size": 3, **AT_EACH})
TABLE: list[tuple[str, dict[str, Any]]] = [
    ("Concatenate", {"axis": 2}),
    ("MaxPooling2D", {"pool_size": 4096, "strides": 2, "padding": "same"}),
    ("Activation", {"activation": "softmax"}),
    ("AveragePooling2D", {"pool_size": 28, "strides": 1}),
    ("MaxPooling2D", {"pool_size": 2, "strides": 65536}),
]

KNOWN: dict[str, Chain] = {
    "UpSampling2D(65536)": (PICTURE, [("UpSampling2D", {"size": 65536})]),
    "... of any size": ((None, None, 1), [("UpSampling2D", {"size": 65536})]),
    "... and a mean": (PICTURE, [("UpSampling2D", {"size": 65536}), ("GlobalAveragePooling2D", {})]),
    "... twice": (PICTURE, [("UpSampling2D", {"size": 65536})] * 2),
    "... between": (PICTURE, [("UpSampling2D", {"size": 4096, "interpolation": "bilinear"})]),
    "ZeroPadding2D(65536)": (PICTURE, [("ZeroPadding2D", {"padding": 65536}), ("ReLU", {})]),
    "25 Concatenates": (PICTURE, [("Concatenate", {"axis": -1})] * 25),
    "62 Concatenates": (PICTURE, [("Concatenate", {"axis": -1})] * 62),
    "30 Concatenates along rows": (PICTURE, [("Concatenate", {"axis": 1})] * 30),
    "1000 Adds": (PICTURE, [("Add", {})] * 1000),
    "RepeatVector(1000000000)": (PICTURE, [("Flatten", {}), ("RepeatVector", {"n": 10**9})]),
    "Resizing": (PICTURE, [("Resizing", {"height": 65536, "width": 65536})]),
    "Resizing of any size": ((None, None, 1), [("Resizing", {"height": 65536, "width": 65536})]),
    "CenterCrop": (PICTURE, [("CenterCrop", {"height": 65536, "width": 65536})]),
    "MaxPooling2D(65536)": (PICTURE, [("MaxPooling2D", {"pool_size": 65536, "padding": "same"})]),
    "ZeroPadding1D": ((28, 28), [("ZeroPadding1D", {"padding": 65536})] * 3),
    "UpSampling1D": ((28, 28), [("UpSampling1D", {"size": 65536}), ("UpSampling1D", {"size": 65536})]),
    "a huge input": ((10**6, 10**6, 3), [("ReLU", {})]),
    "a wide input": ((1, 2**31, 1), [("ReLU", {}), ("Flatten", {})]),
    "9000 ReLUs": (PICTURE, [("ReLU", {})] * 3000),
    "a Dense without weights": (PICTURE, [("Dense", {"units": 10**9})]),
    "a Conv2D without weights": (PICTURE, [("Conv2D", {"filters": 10**9, "kernel_size": 65536})]),
    "step by step": (PICTURE, [("UpSampling2D", {"size": 2}), ("ZeroPadding2D", {"padding": 9})] * 12),
    "a window over all": (PICTURE, [LARGE, ("MaxPooling2D", {"pool_size": 2800, **AT_EACH})]),
    "a mean over all": (PICTURE, [LARGE, ("AveragePooling2D", {"pool_size": 2800, **AT_EACH})]),
    "a window that nothing fills": (PICTURE, [("MaxPooling2D", {"pool_size": 2**16, **AT_EACH})]),
    "scores of all cells": (PICTURE, [LARGE, ("Reshape", {"target_shape": [-1, 1]}), ("Attention", {})]),
    "... added up": (PICTURE, [LARGE, ("Reshape", {"target_shape": [-1, 7]}), ("AdditiveAttention", {})]),
    "... of an input of any size": (
        (None, None, 1),
        [("Reshape", {"target_shape": [-1, 1]}), ("Attention", {"use_causal_mask": True})],
    ),
    "products of all cells": (PICTURE, [LARGE, ("Reshape", {"target_shape": [1, -1]}), ("Dot", {"axes": 1})]),
    "a filter over all": (
        PICTURE,
        [LARGE, ("Resizing", {"height": 2000, "width": 2, "interpolation": "lanczos5", "antialias": True})],
    ),
    "cells between cells": (PICTURE, [("UpSampling2D", {"size": [1, 10**5], "interpolation": "bicubic"})]),
    "Resizing to all that there is": (PICTURE, [("Resizing", {"height": 2**31 - 1, "width": 2**31 - 1})]),
    "as many windows": (PICTURE, [("AdaptiveAveragePooling2D", {"output_size": [2**31 - 1, 1]})]),
    "500 means": (PICTURE, [("UpSampling2D", {"size": 30}), *[MEAN] * 500]),
    "a softmax of a table of any size": ((None, None, 3), TABLE),
    "flattened": (PICTURE, [("UpSampling2D", {"size": 512}), ("Flatten", {}), ("RepeatVector", {"n": 9})]),
}  # fmt: skip


def drawn(count: int) -> list[Chain]:
    """Chains of layers without weights, whose options are small, large or absurd."""
    chance = random.Random(5)

    def number(least: int = 1) -> int:
        return max(least, chance.choice([1, 1, 2, 2, 3, 7, 28, 64, 300, 4096, 65536, 10**6, 2**31]))

    def layer() -> tuple[str, dict[str, Any]]:
        padding = chance.choice(["valid", "same"])
        return chance.choice(
            [
                lambda: ("UpSampling2D", {"size": [number(), number()]}),
                lambda: ("ZeroPadding2D", {"padding": [[number(0), 0], [0, number(0)]]}),
                lambda: ("Cropping2D", {"cropping": [[number(0), 0], [0, number(0)]]}),
                lambda: ("MaxPooling2D", {"pool_size": number(), "strides": number(), "padding": padding}),
                lambda: ("AveragePooling2D", {"pool_size": number(), "strides": 1, "padding": padding}),
                lambda: ("Resizing", {"height": number(), "width": number()}),
                lambda: ("Concatenate", {"axis": chance.choice([-1, 1, 2, 3])}),
                lambda: ("Permute", {"dims": chance.choice([[2, 1, 3], [3, 2, 1]])}),
                lambda: ("GlobalMaxPooling2D", {"keepdims": True}),
                lambda: ("Activation", {"activation": chance.choice(["relu", "softmax"])}),
            ]
        )()

    shapes = [PICTURE, (None, None, 3), (1, 1, 1), (number(), number(), number())]
    return [
        (chance.choice(shapes), [layer() for _ in range(chance.choice([1, 2, 3, 5, 20]))])
        for _ in range(count)
    ]


def keras_file(chain: Chain, folder: str) -> Path:
    """The file that Keras would write of it, without weights."""
    shape, kinds = chain
    layers = []

    def add(name: str, kind: str, config: dict[str, Any], *inputs: str) -> None:
        tensors = [
            {"class_name": "__keras_tensor__", "config": {"shape": [None], "keras_history": [name, 0, 0]}}
            for name in inputs
        ]
        nodes = [{"args": [tensors if kind in JOINS else tensors[0]], "kwargs": {}}] if inputs else []
        described = {"module": "keras.layers", "class_name": kind, "config": {"name": name, **config}}
        layers.append({**described, "name": name, "inbound_nodes": nodes})

    add("image", "InputLayer", {"batch_shape": [None, *shape]})
    for number, (kind, config) in enumerate(kinds):
        above = layers[-1]["name"]
        add(f"layer_{number}", kind, config, *([above, above] if kind in JOINS else [above]))
    model = {"name": "model", "layers": layers}
    model |= {"input_layers": [["image", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    path = Path(folder) / "model.keras"
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_group("layers")
    with zipfile.ZipFile(path, "w") as archive:
        config = {"module": "keras", "class_name": "Functional", "config": model}
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.9.0"}))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def asked(chain: Chain | None) -> list[str]:
    """What is said of a model: its table, a prediction and a run of one picture, errors as one line each."""
    said = []
    with tempfile.TemporaryDirectory() as folder:
        path = keras_file(chain or (PICTURE, [("ReLU", {}), ("UpSampling2D", {"size": 2})]), folder)
        for command in (["info", path], ["info", path, "--json"]):
            out, errors = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
                code = main(list(map(str, command)))
            said.append(errors.getvalue().replace(folder, "") if code else "answered")
        try:
            net = cnnviz.load_model(path)
        except ValueError as error:
            return [*said, str(error).replace(folder, "")]
    shape = [size or 28 for size in net.input_shape]
    if np.prod(shape, dtype=float) > 1e6:
        return said
    picture = np.zeros((1, *shape), np.float32)
    limits = {"memory_limit": 50e6, "work_limit": 2e9}

    def gradient() -> None:
        run = net.run(picture, **limits)
        ones = np.ones(run[net.outputs[0]].shape)
        assert run.gradient(net.outputs[0], weights=ones, **limits).wrt_input.shape == picture.shape

    for call in (lambda: net.predict(picture, **limits), gradient):
        try:
            call()
            said.append("answered")
        except ValueError as error:
            said.append(str(error))
    return said


def test_every_model_is_answered_or_refused_at_once() -> None:
    thorough = settings().max_examples > 200
    chains = [*KNOWN.values(), *drawn(2000 if thorough else 30)]
    ends = limited_calls(asked, chains, memory=MEMORY, seconds=SECONDS)
    answered = 0
    with contextlib.closing(ends):
        for chain, end in zip(chains, ends, strict=True):
            what = f"{chain[0]} {chain[1][:6]}"
            assert not end.error, f"{what}: {end.error} {end.message}\n{end.trace}"
            assert end.peak <= MEMORY, f"{what} took {end.peak / MEGABYTE:.0f} MB"
            assert end.worked <= SECONDS, f"{what} took {end.worked:.1f} s"
            for words in end.value:
                assert len(words) < 800, words
                assert words == "answered" or re.search(r"layer|memory_limit|shape", words), words
            answered += end.value[0] == "answered"
    assert answered > len(chains) / 3


def net_of(chain: Chain) -> Network:
    shape, kinds = chain
    layers = [Layer.from_config("image", "InputLayer", {"batch_shape": (None, *shape)})]
    for number, (kind, config) in enumerate(kinds):
        read = (layers[-1].name,) * (2 if kind in JOINS else 1)
        layers.append(Layer.from_config(f"layer_{number}", kind, config, inputs=read))
    return Network(layers)


def test_the_limit_is_what_activations_take() -> None:
    """Against the arrays that a run really keeps."""
    net = net_of(
        (PICTURE, [("UpSampling2D", {"size": 3}), ("ReLU", {}), ("MaxPooling2D", {}), ("Flatten", {})])
    )
    x = np.zeros((5, *PICTURE), np.float32)
    run = net.run(x)
    kept = {id(base): base.nbytes for base in map(owner, [*run.values(), *map(run.pre_activation, run)])}
    images = sum(kept.values()) - owner(run["image"]).nbytes
    assert net.run(x, memory_limit=images)
    with pytest.raises(ValueError, match=r"all activations of 5 images .* layer 'layer_0' \(UpSampling2D\)"):
        net.run(x, memory_limit=images - 1)


def owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def test_another_limit_and_what_is_no_limit() -> None:
    net = net_of((PICTURE, [("UpSampling2D", {"size": 400})]))
    x = np.zeros(PICTURE, np.float32)
    for call, total in ((net.predict, "1.0"), (net.run, "0.5")):
        with (
            limits.MEMORY.changed_to(0.3e9),
            pytest.raises(ValueError, match=rf"would take {total} GB, .* is 0\.3 GB"),
        ):
            call(x)
        with pytest.raises(ValueError, match=r"the limit is 0\.1 GB: memory_limit=BYTES"):
            call(x, memory_limit=1e8)
        for wrong in (0, -1, float("nan"), "4 GB", True):
            with pytest.raises(ValueError, match="memory_limit must be a positive number of bytes"):
                call(x, memory_limit=wrong)


def test_the_size_is_checked_when_it_is_known() -> None:
    net = net_of(((None, None, 1), [("UpSampling2D", {"size": 256})]))
    assert net.predict(np.zeros((1, 2, 2, 1), np.float32)).shape == (1, 512, 512, 1)
    with pytest.raises(ValueError, match="7168 x 7168 x 1 numbers"):
        net.predict(np.zeros((40, 28, 28, 1), np.float32), batch_size=40, memory_limit=4e9)


@pytest.mark.parametrize("shape", ["a star", "forks", "long names"])
def test_what_thousands_of_layers_take_grows_as_they_do(shape: str) -> None:
    """Each layer was compared with all others: minutes for what a file may hold."""
    layers = [Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4, 4, 1)})]
    for number in range(4000):
        last, name = layers[-1].name, f"{'n' * 240}{number}"
        if shape == "forks" and number % 2:
            layers.append(Layer.from_config(name, "Add", {}, inputs=(layers[-2].name, last)))
        else:
            reads = "image" if shape == "a star" else last
            layers.append(Layer.from_config(name, "ReLU", {}, inputs=(reads,)))
    net, x = Network(layers), np.zeros((1, 4, 4, 1), np.float32)
    plans = (
        pytest.raises(ValueError, match="pairs of layers") if shape == "forks" else contextlib.nullcontext()
    )
    began = time.process_time()
    net.predict(x)
    keras_bytes(net)
    str(cnnviz.receptive_field(net))
    with plans:
        bytes(cnnviz.view(net, x))
    assert time.process_time() - began < 5


def test_a_view_of_thousands_of_layers() -> None:
    net = net_of(((4, 4, 1), [("ReLU", {})] * 1500))
    scene = cnnviz.view(net, np.zeros((4, 4, 1))).scene
    assert len(bytes(scene)) < 2_000_000
    in_colour = net_of(((None, None, 3), [("ReLU", {})] * 1200))
    assert len(cnnviz.view(in_colour, np.zeros((4, 4, 3), np.uint8)).scene.numbers.header["planes"]) == 1201
    with pytest.raises(ValueError, match=r"at most 160,000 pairs of layers.*layers= or last="):
        cnnviz.view(net_of(((4, 4, 1), [("MaxPooling2D", {"pool_size": 1})] * 600)), np.zeros((4, 4, 1)))


def test_a_view_stays_within_the_memory_too() -> None:
    """A large network's numbers are not sent whole; those of many images of a small one are too many."""
    net = net_of((PICTURE, [("UpSampling2D", {"size": 80}), ("ReLU", {}), ("GlobalMaxPooling2D", {})]))
    x = np.zeros((1, *PICTURE), np.float32)
    assert len(bytes(cnnviz.view(net, x, memory_limit=200e6))) < 1e6
    assert cnnviz.view(net, x, memory_limit=200e6, last="image").scene.items
    many = net_of(((100, 100, 1), [("Activation", {"activation": "tanh"})]))
    with pytest.raises(ValueError, match=r"a view of 100 images of network would take.*layers=, last="):
        cnnviz.view(many, np.zeros((100, 100, 100, 1), np.float32), memory_limit=40e6)


def test_a_receipt_has_an_end() -> None:
    net = net_of((PICTURE, [("UpSampling2D", {"size": 80}), ("GlobalAveragePooling2D", {})]))
    run = net.run(np.zeros((1, *PICTURE), np.float32))
    with pytest.raises(ValueError, match=r"made of 5,017,600 others; receipts have up to 4,194,304 terms"):
        cnnviz.explain(run, "layer_1", channel=0)
    assert cnnviz.explain(run, "layer_0", row=2000, col=7, channel=0).value == 0


def test_the_command_says_it_in_one_line_and_takes_another_limit(tmp_path: Path) -> None:
    path = keras_file((PICTURE, [("UpSampling2D", {"size": 250}), ("GlobalMaxPooling2D", {})]), str(tmp_path))
    Image.new("L", (28, 28), "white").save(tmp_path / "white.png")
    command = [sys.executable, "-m", "cnnviz", "predict", "--model", path, tmp_path / "white.png"]
    command += ["--preprocess", "unit", "--memory-limit"]
    end = limited_command(*command, "0.1", memory=1024 * MEGABYTE, seconds=60)
    assert end.status == 2, end.message
    assert re.fullmatch(r"cnnviz: .*would take 0.2 GB.*--memory-limit GB\) raises it\n", end.message)
    assert end.peak < 300 * MEGABYTE
    end = limited_command(*command, "2", memory=3000 * MEGABYTE, seconds=60)
    assert (end.status, end.message) == (0, "")
    # Room for all that is imported, up to 280 MB, and not for the enlarged map of 196 MB too.
    end = limited_command(*command, "2", memory=-150 * MEGABYTE, seconds=60)
    assert end.status == 2, end.message
    assert re.fullmatch(r"cnnviz: there is not enough memory: \w.*\n", end.message)


def test_a_limit_that_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("much", "0", "-1", "nan", "inf"):
        for option, unit in (("--memory-limit", "gigabytes"), ("--work-limit", "billions")):
            assert main(["predict", "seven.png", f"{option}={wrong}"]) == 2
            words = f"argument {option}: must be a positive number of {unit}, got {wrong!r}"
            assert capsys.readouterr().err == f"cnnviz: {words} (see cnnviz predict --help)\n"


def test_too_much_work_is_refused_wherever_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    net = net_of((PICTURE, [LARGE, ("MaxPooling2D", {"pool_size": 5, **AT_EACH})]))
    x = np.zeros((1, *PICTURE), np.float32)
    for call in (net.predict, net.run, lambda x: cnnviz.view(net, x)):
        with limits.WORK.changed_to(1e8), pytest.raises(ValueError, match=r"1\.2 billion .*is 0\.1 billion"):
            call(x)
    # What a gradient takes is counted for itself: where there is a run it can be refused still.
    run = net.run(x, work_limit=3e9)
    with pytest.raises(ValueError, match=r"the gradients of one image .* for layer 'layer_1'.*work_limit="):
        run.gradient("layer_1", (0, 0, 0), work_limit=1e8)
    for call in (net.predict, net.run):
        for wrong in (0, -1, float("nan"), "many", True):
            with pytest.raises(ValueError, match="work_limit must be a positive number of multiply-adds"):
                call(x, work_limit=wrong)
    path = str(keras_file((PICTURE, [("MaxPooling2D", {"pool_size": 5}), ("Flatten", {})]), str(tmp_path)))
    Image.new("L", (28, 28), "white").save(tmp_path / "white.png")
    picture, out = str(tmp_path / "white.png"), str(tmp_path / "out.html")
    for command in (
        ["predict", picture, "--model", path, "--preprocess", "unit"],
        ["export", picture, "--model", path, "--preprocess", "unit", "-o", out],
        ["evaluate", path, "--images", "2"],
    ):
        assert main([*command, "--work-limit", "1e-6"]) == 2, command
        said = capsys.readouterr().err
        assert re.fullmatch(r"cnnviz: computing one image .*--work-limit BILLIONS\) raises it\n", said)
    assert not Path(out).exists()
