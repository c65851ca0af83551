"""Networks and pictures that somebody opens in the explorer, made to break it: every page goes on.

A network's numbers may be no numbers, its classes and its pictures called by what is no text; its one picture
may be larger than the machine.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from streamlit.testing.v1 import AppTest

from apps.conftest import PAGES, REFERENCE, htmls
from cnnviz import Network
from cnnviz.commands import main
from cnnviz.network.examples import Examples
from cnnviz.network.image_loading import load_images
from cnnviz.network.open_networks import OPEN
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.resources import app
from harness.hostile import WORDS, markdown, marks
from harness.limited import MEGABYTE, limited_calls
from harness.model_files import archive, functional
from harness.model_files import layer as described
from harness.networks import conv, image, layer
from harness.opened_models import (
    colour,
    dense_only,
    logits_only,
    nested,
    no_dropout,
    opened_file,
    segmentation,
)

THOROUGH = settings.get_current_profile_name() == "thorough"
FEW = ("feature_maps", "training")

NUMBERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nan": lambda a: np.full_like(a, np.nan),
    "one nan": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, np.nan, a),
    "infinite": lambda a: np.full_like(a, np.inf),
    "both infinities": lambda a: np.where(a > 0, np.inf, -np.inf),
    "huge": lambda a: np.full_like(a, 3e38),
    "tiny": lambda a: np.full_like(a, 1e-45),
    "zero": lambda a: np.zeros_like(a),
    "far apart": lambda a: np.where(a > 0, 1e30, -1e-30).astype(a.dtype),
}
"""What a network's weights are exchanged for."""


def filled(kind: Callable[[], Network], change: Callable[[np.ndarray], np.ndarray]) -> Network:
    with np.errstate(all="ignore"):
        return kind().with_layers(
            replace(
                each,
                weights={name: change(array).astype(array.dtype) for name, array in each.weights.items()},
            )
            for each in kind()
        )


def page(at: AppTest, name: str, **query: str) -> AppTest:
    at.query_params.clear()
    at.query_params.update({"closer": "all", **query})
    at.switch_page(str(Path("pages") / f"{name}.py"))
    return at.run()


@pytest.fixture(scope="module")
def app_test() -> AppTest:
    return AppTest.from_file(str(app()), default_timeout=120).run()


@pytest.fixture
def opened():
    """opened(path): that file is the command's network, until the test is over."""

    def give(path: Path) -> OpenedNetwork:
        OPEN.give(OpenedNetwork(path))
        return OPEN.given

    yield give
    OPEN.close_all()


@pytest.mark.parametrize(
    "kind", [no_dropout, colour, dense_only, segmentation], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("numbers", NUMBERS)
def test_a_network_of_any_numbers_is_shown_on_every_page(app_test, opened, tmp_path, caplog, kind, numbers):
    if not THOROUGH and (kind, numbers) not in (
        (no_dropout, "one nan"),
        (colour, "both infinities"),
        (colour, "zero"),
    ):
        pytest.skip("the thorough profile has them all")
    path = tmp_path / "own.keras"
    filled(kind, NUMBERS[numbers]).save(path)
    opened(path)
    for name in [*PAGES, *REFERENCE] if THOROUGH else FEW:
        at = page(app_test, name)
        assert not at.exception, name
        assert not [text for text in markdown(at) if marks(text)], name
        # Nor is a question asked that a network which says nothing leaves no wrong answer.
        assert "Traceback" not in caplog.text, f"{name}: {caplog.text[-3000:]}"


@pytest.mark.parametrize("numbers", ["one nan", "both infinities"])
def test_a_command_says_what_a_network_of_any_numbers_answers(tmp_path, capsys, numbers):
    filled(logits_only, NUMBERS[numbers]).save(tmp_path / "own.keras")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)).save(tmp_path / "x.png")
    command = ["predict", str(tmp_path / "own.keras"), "--images", str(tmp_path / "x.png")]
    assert main(command) == 0
    assert re.search("nan|inf", capsys.readouterr().out)
    assert main([*command, "--json"]) == 0
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert None in [each["score"] for each in image["top"]]


PLACES = (
    "",
    "0",
    "1",
    "-1",
    "9" * 18,
    "9" * 4301,
    "nan",
    "1.5",
    "x",
    "../../etc/passwd",
    "a\x00b",
    "💥" * 50,
)


def test_an_address_of_an_open_network_asks_for_anything(app_test, opened, tmp_path):
    """By the parameters that are read only where one is open."""
    colour().save(tmp_path / "own.keras")
    opened(tmp_path / "own.keras")
    words = [word for word in WORDS if "\ud800" not in word]
    for k, place in enumerate([*PLACES, *words]):
        brought = [*words, *PLACES][k]
        at = page(
            app_test, "overview", picture=place, brought=brought, model="own", changes=place, view=brought
        )
        assert not at.exception, (place, brought)
        assert not [text for text in markdown(at) if marks(text)], (place, brought)
        assert all(len(warning.value) < 400 for warning in at.warning)
        if not THOROUGH and k > 4:
            break


def test_names_that_are_no_text_are_shown_as_far_as_they_are(app_test, opened, tmp_path):
    """A file's name on Linux is any bytes."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/photos \xff"))
    for k in range(4):
        (folder / os.fsdecode(b"class \xe9 %d" % k)).mkdir(parents=True)
        picture = np.random.default_rng(k).integers(0, 255, (20, 20, 3), np.uint8)
        Image.fromarray(picture).save(
            folder / os.fsdecode(b"class \xe9 %d" % k) / os.fsdecode(b"\xf1 [a](b).png")
        )
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 <b>.keras"))
    colour().save(path)
    own = opened(path)
    images = load_images(folder, own.network)
    source = images.source
    own.show(
        Examples({"image": images}, source.names, source.labels, source.classes), {"scores": source.classes}
    )
    assert own.labels
    for name in ("overview", "pooling", "training"):
        at = page(app_test, name, picture="2")
        assert not at.exception, name
        assert not [error.value for error in at.error], name
    at = page(app_test, "overview", picture="2")
    assert "class ? 2" in htmls(at)
    assert "caf? &lt;b&gt;" in htmls(at)
    (result,) = own.evaluate().values()
    assert result.images == 4


def test_a_network_of_very_small_maps_is_shown_or_lacks_what_is_said(app_test, opened, tmp_path, caplog):
    """It ended two pages in an error that only the log tells."""
    mix = conv("mix", "image", 3, 2, 1)
    scores = layer("scores", "Dense", "flat", weights={"kernel": np.ones((18, 2))}, units=2, use_bias=False)
    Network([image(3, 3, 3), mix, layer("flat", "Flatten", "mix"), scores]).save(tmp_path / "own.keras")
    own = opened(tmp_path / "own.keras")
    at = page(app_test, "one_by_one", about="cost")
    assert "asks for about “cost”" in at.warning[0].value
    at = page(app_test, "pooling")
    assert f"This page shows mnist_14k: {own.name} lacks" in " ".join(info.value for info in at.info)
    OPEN.close_all()
    Network([image(3, 4, 5, 2), layer("bent", "ReLU", "image")]).save(tmp_path / "volume.keras")
    opened(tmp_path / "volume.keras")
    assert not page(app_test, "overview").info
    assert "Traceback" not in caplog.text


def test_a_kernel_is_not_laid_on_a_picture_that_it_does_not_fit_in(app_test, opened, tmp_path):
    own = opened(opened_file(nested, tmp_path))
    assert own.network.input_shape == (8, 8, 3)
    for size, offered in ((7, True), (9, False)):
        at = page(app_test, "kernels", kernel="box", size=str(size), on="digit")
        assert not at.exception
        assert any("asks for on “digit”" in warning.value for warning in at.warning) is not offered


@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38])
def test_pixels_that_are_no_pixels_are_said_and_numbers_that_are_none_are_shown(
    app_test, opened, tmp_path, number
):
    pictures = np.full((3, 16, 16, 3), 0.5, np.float32)
    pictures[2, 2, 3, 0] = number
    np.save(tmp_path / "three.npy", pictures)
    colour().save(tmp_path / "own.keras")
    own = opened(tmp_path / "own.keras")
    images = load_images(tmp_path / "three.npy", own.network)
    own.show(Examples({"image": images}, images.source.names))
    said = "NaN or infinite in 1 of 768" if not np.isfinite(number) else "must lie within 0..255"
    at = page(app_test, "overview", model=own.name, picture="2")
    assert not at.exception
    assert said in " ".join(error.value for error in at.error)
    at = page(app_test, "overview", model=own.name, picture="1")
    assert not [*at.exception, *at.error]
    OPEN.close_all()
    dense_only().save(tmp_path / "numbers.keras")
    own = opened(tmp_path / "numbers.keras")
    (name,) = own.network.inputs
    own.show(Examples({name: np.full((2, *own.network[name].output_shape), number, np.float32)}, ["a", "b"]))
    at = page(app_test, "overview", model=own.name)
    assert not [*at.exception, *at.error]


# Large inputs -----------------------------------------------------------------------------------


def input_of(*shape: int | None, count: int = 1) -> bytes:
    """A network of one number from each of some inputs of a shape."""
    mean = {2: "GlobalAveragePooling1D", 3: "GlobalAveragePooling2D"}
    layers = []
    for k in range(count):
        layers.append(described("InputLayer", f"image_{k}", batch_shape=[None, *shape]))
        layers.append(described(mean.get(len(shape), "ReLU"), f"mean_{k}", f"image_{k}"))
    config = functional(layers)
    config["config"]["input_layers"] = [[f"image_{k}", 0, 0] for k in range(count)]
    config["config"]["output_layers"] = [[f"mean_{k}", 0, 0] for k in range(count)]
    return archive(config=config)


LARGE: dict[str, bytes] = {
    "a picture of 2.7 GB": input_of(15_000, 15_000, 3),
    "a picture of 1 GB": input_of(9_000, 9_000, 3),
    "a sequence of 4 GB": input_of(10**9, 1),
    "a volume of any size": input_of(None, None, None, 999),
    "any size of seven axes": input_of(None, None, None, None, None, None, None),
    "forty pictures": input_of(1_500, 1_500, 3, count=40),
}


def refused(content: bytes | None) -> str:
    """In the child: why a network was not opened."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "own.keras"
        path.write_bytes(content or archive())
        try:
            with OpenedNetwork(path) as opened:
                return f"opened, {opened.run(0).output.shape}" if content is None else "opened"
        except ValueError as error:
            return str(error)


def test_a_network_whose_picture_alone_is_too_large_is_refused_before_one_is_made():
    ends = limited_calls(refused, LARGE.values(), memory=300 * MEGABYTE, seconds=20)
    for name, end in zip(LARGE, ends, strict=True):
        assert not end.error, f"{name}: {end.error} {end.message}\n{end.trace}"
        assert re.search("memory|too big", end.value), f"{name}: {end.value}"
        assert len(end.value) < 500, f"{name}: {end.value}"
        assert end.peak < 100 * MEGABYTE, f"{name} took {end.peak / MEGABYTE:.0f} MB"
