"""The commands on pictures: in colour, in folders, for several inputs and outputs, any size, many classes."""

from __future__ import annotations

import argparse
import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz.commands import explore, export, main
from cnnviz.images.mnist import load_mnist
from cnnviz.images.preprocessing import MODES
from cnnviz.network.open_networks import OPEN
from cnnviz.resources import asset
from harness.authority import keras
from harness.networks import conv, image

COLOURS = {"blue": (30, 40, 200), "green": (30, 180, 40), "red": (200, 30, 30)}


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    """A folder of pictures of three colours, and networks that Keras wrote."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(3):
            pixels = np.clip(colour + rng.normal(0, 30, (12, 10, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    layers, model = keras.layers, keras.Model
    picture, other, numbers = (
        keras.Input(shape, name=name)
        for shape, name in (((12, 10, 3), "left"), ((12, 10, 3), "right"), ((4,), "numbers"))
    )
    # Each class answers to its colour: the pixels' means, which are 0..1, decide.
    mean = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 1, use_bias=False, name="planes")(picture))
    scores = layers.Dense(3, use_bias=False, name="scores")(mean)
    shares = layers.Softmax(name="shares")(scores)
    colour = model(picture, shares, name="colour")
    colour.get_layer("planes").set_weights([np.eye(3)[None, None]])
    # Outputs are blue, green, red; channels are red, green, blue.
    colour.get_layer("scores").set_weights([20 * np.eye(3)[::-1]])
    models = {
        "colour": colour,
        "two_outputs": model(picture, [scores, layers.Dense(5, name="other")(mean)], name="two_outputs"),
        "pair": model(
            [picture, other],
            layers.Dense(1, activation="sigmoid", name="same")(
                layers.Flatten()(layers.Subtract(name="difference")([picture, other]))
            ),
            name="pair",
        ),
        "mixed": model(
            [picture, numbers],
            layers.Dense(3, activation="softmax", name="mix")(layers.Concatenate()([mean, numbers])),
            name="mixed",
        ),
        "maps": model(picture, layers.Conv2D(2, 3, name="conv")(picture), name="maps"),
    }
    anything = keras.Input((None, None, 3), name="any")
    hidden = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, name="conv")(anything))
    models["any_size"] = model(anything, layers.Dense(3, activation="softmax")(hidden), name="any_size")
    models["thousand"] = model(picture, layers.Dense(1000, activation="softmax")(mean), name="thousand")
    for name, each in models.items():
        each.save(folder / f"{name}.keras")
    np.save(folder / "numbers.npy", rng.normal(size=(9, 4)).astype(np.float32))
    (folder / "names.txt").write_text("azure\nolive\nruby\n")
    (folder / "many.json").write_text(json.dumps([*(f"kind {k}" for k in range(997)), *reversed(COLOURS)]))
    return folder


@pytest.fixture
def run(capsys, here, monkeypatch):
    monkeypatch.chdir(here)

    def ran(*arguments: str) -> str:
        assert main(arguments) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return ran


@pytest.fixture
def refused(capsys, here, monkeypatch):
    monkeypatch.chdir(here)

    def answer(*arguments: str) -> str:
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        return captured.err

    return answer


UNIT = ("--preprocess", "unit")


def test_predict_names_the_classes_of_pictures(run):
    lines = run("predict", "colour.keras", "photos/red/0.png", *UNIT, "--classes", "names.txt").splitlines()
    assert lines[0] == "preprocess='unit', as asked"
    assert lines[1].startswith("photos/red/0.png: ruby (")
    data = json.loads(run("predict", "--images", "photos", "--model", "colour.keras", *UNIT, "--json"))
    assert [one["image"].split("/")[1] for one in data["images"]] == [c for c in COLOURS for _ in range(3)]
    assert [one["top"][0]["name"] for one in data["images"]] == [c for c in COLOURS for _ in range(3)]
    net = cnnviz.load_model("colour.keras")
    x = cnnviz.load_image("photos/green/1.png", like=net, preprocess="unit")
    (one,) = (one for one in data["images"] if one["image"] == "photos/green/1.png")
    shares = {top["class"]: top["probability"] for top in one["top"]}
    assert [shares[k] for k in range(3)] == net.predict(x)[0].tolist()


def test_predict_says_which_scale_it_took_and_why(run):
    said = run("predict", "colour.keras", "photos/red/0.png").splitlines()[0]
    net = cnnviz.load_model("colour.keras")
    assert said == str(cnnviz.network.expected_pixels.expected_pixels(net))


def test_the_help_names_every_scale(run):
    said = " ".join(run("predict", "--help").split())
    assert all(
        re.search(rf"\b{mode}\b", said[said.index("--preprocess MODE") :]) for mode in (*MODES, "auto")
    )


@pytest.mark.parametrize(
    ("images", "called"),
    [
        (["photos"], [f"{name}/{i}.png" for name in COLOURS for i in range(3)]),
        (["photos/red"], ["0.png", "1.png", "2.png"]),
        (["photos/red/1.png"], ["1.png"]),
        (["photos/red/1.png", "photos/blue/1.png"], ["red/1.png", "blue/1.png"]),
        (["two.npy"], ["two.npy/0", "two.npy/1"]),
    ],
)
def test_the_explorer_calls_pictures_by_their_names_and_not_by_the_way_to_them(
    here, monkeypatch, images, called
):
    np.save(here / "two.npy", np.zeros((2, 12, 10, 3), np.uint8))
    parser, opened = argparse.ArgumentParser(), []
    explore.arguments(parser)
    monkeypatch.setattr(OPEN, "give", opened.append)
    options = [word for path in images for word in ("--images", str(here / path))]
    explore._open_network(parser.parse_args([str(here / "colour.keras"), *options]))
    with opened[0] as network:
        assert network.examples.names == called


def test_words_may_stand_behind_options(run):
    line = run("predict", "--model", "colour.keras", *UNIT, "photos/red/0.png").splitlines()[1]
    assert line == run("predict", "colour.keras", "photos/red/0.png", *UNIT).splitlines()[1]


def test_evaluate_counts_what_a_folder_is_called(run):
    out = run("evaluate", "colour.keras", "--images", "photos", *UNIT)
    assert "accuracy 100.00% (9 of 9 images), loss 0.0" in out
    rows = [line.split() for line in out.splitlines() if line.split()[:1] and line.split()[0] in COLOURS]
    assert rows[1:] == [
        ["blue", "3", "0", "0", "100%"],
        ["green", "0", "3", "0", "100%"],
        ["red", "0", "0", "3", "100%"],
    ]


def test_evaluate_shows_the_worst_mistakes(run):
    # In caffe's order of planes red is blue.
    data = json.loads(
        run("evaluate", "colour.keras", "--images", "photos", "--preprocess", "caffe", "--json")
    )
    confusion = np.array(data["confusion"])
    assert confusion.sum() == 9
    assert data["correct"] == np.trace(confusion) < 9
    assert data["accuracy"] == data["correct"] / 9
    leads = [dict(map(tuple, one["ranked"])) for one in data["worst"]]
    assert all(max(ranked.values()) == next(iter(ranked.values())) for ranked in leads)
    out = run("evaluate", "colour.keras", "--images", "photos", "--preprocess", "caffe")
    worst = out[out.index("the worst mistakes") :].splitlines()[1:]
    assert [line.split()[0] for line in worst] == [one["image"] for one in data["worst"]]
    assert re.search(r"is (blue|red) +\w+ \(> 99.99 %\)", worst[0])


def test_evaluate_takes_logits_and_says_what_it_leaves_out(run):
    out = run("evaluate", "two_outputs.keras", "--images", "photos", *UNIT)
    assert "two_outputs.keras, scores: accuracy 100.00% (9 of 9 images); no loss" in out
    assert "not evaluated, as the labels are no classes of theirs: other" in out


def test_evaluate_finds_a_folders_classes_by_name_among_many(run, refused):
    assert "Give the names of its classes with --classes FILE" in refused(
        "evaluate", "thousand.keras", "--images", "photos"
    )
    data = json.loads(
        run("evaluate", "thousand.keras", "--images", "photos", "--classes", "many.json", "--json")
    )
    counts = np.array(data["confusion"]).sum(axis=1)
    assert {data["classes"][k]: counts[k] for k in np.flatnonzero(counts)} == dict.fromkeys(COLOURS, 3)
    out = run("evaluate", "thousand.keras", "--images", "photos", "--classes", "many.json")
    assert "the commonest confusions" in out


def test_several_inputs_each_get_their_own(run, refused):
    both = ("--images", "left=photos", "--images", "right=photos")
    lines = run("predict", "pair.keras", *both, *UNIT).splitlines()
    # A picture less itself is nothing, of which the sigmoid is a half.
    assert [line.split(": ")[1] for line in lines[1:]] == ["0 (50.00 %), 1 (50.00 %)"] * 9
    one_option = ("--images", "left=photos", "right=photos", *UNIT, "--json")
    for words in (("predict", "pair.keras"), ("exciting", "pair.keras", "difference", "0")):
        assert run(*words, *one_option) == run(*words, *both, *UNIT, "--json")
    assert "unrecognized arguments: right" in refused("verify", "pair.keras", "--images", "photos", "right")
    assert "give each its own, --images left=PATH --images right=PATH" in refused(
        "predict", "pair.keras", "photos"
    )
    assert "as many examples, got 9 for left, 3 for right" in refused(
        "predict", "pair.keras", "--images", "left=photos", "--images", "right=photos/red"
    )
    data = json.loads(
        run("predict", "mixed.keras", "--images", "left=photos", "--images", "numbers=numbers.npy", "--json")
    )
    assert len(data["images"]) == 9
    assert "give its numbers as one .npy or .npz file" in refused(
        "predict", "mixed.keras", "--images", "left=photos", "--images", "numbers=photos"
    )


def test_several_outputs_are_told_by_name(run):
    line = run(
        "predict", "two_outputs.keras", "photos/red/0.png", *UNIT, "--classes", "names.txt"
    ).splitlines()[1]
    assert re.search(r": scores: ruby \(score \d+\.\d+\), .*; other: \d \(score", line)


def test_any_size_takes_each_picture_as_it_is(run, here):
    Image.new("RGB", (30, 20)).save(here / "larger.png")
    data = json.loads(run("predict", "any_size.keras", "larger.png", "photos/red/0.png", "--json"))
    assert [one["image"] for one in data["images"]] == ["larger.png", "photos/red/0.png"]
    assert "any_size" in run("export", "any_size.keras", "larger.png", "-o", "any_size.html")
    assert "larger.png" in run("exciting", "any_size.keras", "conv", "1", "--images", "larger.png")


def test_maps_are_told_by_their_shape(run, refused):
    assert "maps of 10 x 8 x 2, from" in run("predict", "maps.keras", "photos/red/0.png")
    assert "gives no scores of classes" in refused("evaluate", "maps.keras", "--images", "photos")


def test_exciting_finds_the_reddest_picture(run, refused):
    out = run("exciting", "colour.keras", "planes", "0", "--images", "photos", *UNIT, "--json")
    rows = json.loads(out)["images"]
    pixels = {path: np.asarray(Image.open(path))[:, :, 0].max() for path in (row["image"] for row in rows)}
    assert [row["value"] for row in rows] == pytest.approx(
        [pixels[row["image"]] / 255 for row in rows], abs=1e-6
    )
    assert [row["value"] for row in rows] == sorted((row["value"] for row in rows), reverse=True)
    assert rows[0]["label"] == "red"
    assert "difference" in refused("exciting", "pair.keras", "nothing", "0", "--images", "left=photos")
    assert "CHANNEL must be from 0 to 2, got 3" in refused("exciting", "colour.keras", "planes", "3")
    assert "CHANNEL must be a whole number, got 'red'" in refused("exciting", "colour.keras", "planes", "red")


def test_export_shows_pictures_in_their_colours(run, here):
    out = run("export", "colour.keras", "--images", "photos", *UNIT, "--limit", "4", "-o", "photos.html")
    assert "photos.html:" in out
    assert "opens in any browser" in out
    scene = base64.b64decode(re.search(r'data-part="scene">([^<]*)<', (here / "photos.html").read_text())[1])
    titles = re.findall(rb'"title":"([^"]*)","label":(\d)', scene)
    assert titles == [
        (b"blue/0.png", b"0"),
        (b"green/0.png", b"1"),
        (b"green/2.png", b"1"),
        (b"red/2.png", b"2"),
    ]
    assert b'"classes":["blue","green","red"]' in scene
    assert b'"planes":["red","green","blue"]' in scene
    both = ("--images", "left=photos", "--images", "right=photos")
    run("export", "pair.keras", *both, "-o", "pair.html")


def test_info_says_which_scale_pixels_need(run):
    data = json.loads(run("info", "pair.keras", "--json"))
    assert set(data["pixels"]) == {"left", "right"}
    assert "pixels: preprocess=" in run("info", "colour.keras")
    assert "numbers" not in json.loads(run("info", "mixed.keras", "--json"))["pixels"]


def test_verify_takes_any_inputs_and_outputs(run):
    for arguments in (
        ("colour.keras", "--images", "photos", "--limit", "2"),
        ("pair.keras", "--limit", "2"),
        ("mixed.keras", "--limit", "2"),
        ("two_outputs.keras", "--limit", "1"),
        ("any_size.keras", "--limit", "1"),
    ):
        assert "PASSED" in run("verify", *arguments), arguments
    assert "on 2 images of random numbers" in run("verify", "maps.keras", "--limit", "2")


def test_a_damaged_file_is_left_out_and_named(capsys, here, monkeypatch):
    monkeypatch.chdir(here)
    folder = here / "some"
    (folder / "red").mkdir(parents=True)
    Image.new("RGB", (9, 9), "red").save(folder / "red" / "a.png")
    (folder / "red" / "b.png").write_text("no picture")
    (folder / "red" / "notes.txt").write_text("no picture either")
    assert main(["predict", "colour.keras", "some"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "cnnviz: some/red/b.png: the file is not a PNG, JPEG, WebP or GIF image\n"
    assert "some/red/a.png: " in captured.out
    assert "1 other file passed over" in captured.out
    assert main(["predict", "colour.keras", "nowhere.png", "some/red/a.png"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "cnnviz: nowhere.png: cannot read the image: No such file or directory\n"
    assert "some/red/a.png: " in captured.out


def test_pictures_of_digits_are_prepared_as_digits(run, here):
    x, y = load_mnist()[1]
    for digit in range(3):
        (here / "digits" / str(y[digit])).mkdir(parents=True)
        large = 255 - np.kron(x[digit], np.ones((4, 4), np.uint8))
        Image.fromarray(large).save(here / "digits" / str(y[digit]) / "one.png")
    data = json.loads(run("predict", "mnist_14k", "--images", "digits", "--json"))
    assert [one["prediction"] for one in data["images"]] == sorted(int(n) for n in y[:3])
    # Another network of that size may read anything: its folders are taken as they are, and that is said.
    (here / "mine.keras").write_bytes(asset("mnist_14k.keras").read_bytes())
    line = run("predict", "mine.keras", f"digits/{y[0]}/one.png").splitlines()
    assert line[0].startswith("preprocess='digit'")
    assert line[1].startswith(f"digits/{y[0]}/one.png: {y[0]} (")
    assert "preprocess='digit'" not in run("predict", "mine.keras", "--images", "digits")


def test_classes_that_are_no_digits_are_not_measured_against_digits(run, refused, here):
    (here / "ten.keras").write_bytes(asset("mnist_14k.keras").read_bytes())
    names = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"]
    (here / "clothes.txt").write_text("\n".join(names))
    (here / "digits.txt").write_text("\n".join(f"digit {k}" for k in range(10)))
    assumed = "the ten classes of mnist_14k are taken for MNIST's digits"
    assert run("evaluate", "ten.keras", "--images", "20").startswith(assumed)
    assert assumed not in run("evaluate", "ten.keras", "--images", "20", "--classes", "digits.txt")
    assert assumed not in run("evaluate", "mnist_14k", "--images", "20")
    said = refused("evaluate", "ten.keras", "--images", "20", "--classes", "clothes.txt")
    assert "'T-shirt' and others, which MNIST's digits are not: give mnist_14k pictures of its own" in said


def test_what_is_ink_and_where_to_look_can_be_said(run, here):
    x, y = load_mnist()[1]
    # Two digits side by side, the left one white on black.
    page = np.hstack([x[1], 255 - x[0]]).repeat(5, 0).repeat(5, 1)
    Image.fromarray(page).save(here / "page.png")
    for crop, ink, label in (("0 1 0 0.5", "light", y[1]), ("0 1 0.5 1", "dark", y[0])):
        line = run("predict", "page.png", "--ink", ink, "--crop", *crop.split()).splitlines()
        assert line[0].startswith(f"ink='{ink}', as asked; crop=((0.0, 1.0), (")
        assert line[1].startswith(f"page.png: {label} (")
    assert f"page.png: {y[0]} (" in run("predict", "page.png", "--crop", "0", "1", "0.5", "1")


def test_arrays_of_digits_are_taken_as_they_are(run, here):
    x, y = load_mnist()[1]
    np.savez(here / "few.npz", x=x[:60], y=y[:60])
    of_file = json.loads(run("evaluate", "mnist_14k", "--images", "few.npz", "--json"))
    assert of_file == {
        **json.loads(run("evaluate", "mnist_14k", "--images", "60", "--json")),
        "worst": of_file["worst"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "colour.keras", "photos", "--preprocess", "imagenet"], "got 'imagenet'"),
        (["predict", "colour.keras", "photos", "--classes", "many.json"], "network's 3 classes, got 1000"),
        (["predict", "two_outputs.keras", "photos", "--classes", "many.json"], "scores 3, other 5"),
        (["predict", "colour.keras", "photos", "--ink", "dark"], "ink and crop are for preprocess='digit'"),
        (["evaluate", "mnist_14k", "--crop", "0", "1", "0", "1"], "--ink and --crop are for pictures"),
        (["predict", "colour.keras"], "required: IMAGE, or --images"),
        (["evaluate", "colour.keras"], "not 28 x 28 digits: give it pictures with --images PATH"),
        (["evaluate", "colour.keras", "--images", "photos/red"], "evaluate needs labelled images"),
        (["evaluate", "mnist_14k", "--epochs", "--images", "photos"], "--images must be a number of them"),
        (["export", "colour.keras", "-o", "x.html"], "there is nothing to show"),
        (["export", "colour.keras", "--digits", "1", "-o", "x.html"], "--digits are 28 x 28 pixels in grey"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(refused, arguments, message):
    assert message in refused(*arguments)


def test_a_file_holds_no_more_pictures_than_a_browser_takes(run):
    small, large = (
        cnnviz.Network([image(side, side, 3), conv("conv", "image", 3, 8)]) for side in (12, 1000)
    )
    assert (export._most(small), export._most(large)) == (export.MOST, 1)
    for i in range(5):
        Image.new("RGB", (10, 12)).save(f"photos/red/more{i}.png")
    assert run("export", "colour.keras", "--images", "photos", *UNIT, "-o", "all.html").startswith(
        "12 of 14 pictures, evenly spread: --limit N takes more"
    )
    for path in Path("photos/red").glob("more*.png"):
        path.unlink()
