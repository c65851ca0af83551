"""A network of the user's own on every page: no page breaks, and what it lacks is shown on mnist_14k."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from streamlit.testing.v1 import AppTest

import cnnviz
from apps.conftest import PAGES, htmls, pictures, tables
from cnnviz import Layer, Network
from cnnviz.commands import explore
from cnnviz.network.examples import Examples
from cnnviz.network.image_loading import load_images
from cnnviz.network.open_networks import OPEN
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.resources import app
from cnnviz.teaching.lesson_needs import lack_of
from harness.generated_networks import image
from harness.hostile import MARKDOWN, markdown, marks
from harness.opened_models import (
    KINDS,
    bottleneck,
    colour,
    no_dropout,
    opened_file,
    pair,
    segmentation,
    two_inputs,
)

THOROUGH = settings.get_current_profile_name() == "thorough"
FEW = (colour, two_inputs, segmentation, bottleneck)
"""Those that every run of the tests opens: the others are for `--hypothesis-profile=thorough`."""

NOT_ON_COLOUR = {"one_by_one", "batch_norm_and_dropout", "try_it", "epochs", "verification"}
"""Lessons whose pages do not show a small colour network itself: it has no such layer, and no record."""


def page(at: AppTest, name: str, **query: str) -> AppTest:
    at.query_params.clear()
    at.query_params.update(query)
    at.switch_page(str(Path("pages") / f"{name}.py"))
    return at.run()


def resnet50() -> bytes:
    """The file of keras.applications' own, with drawn weights."""
    from keras.applications import ResNet50

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "resnet50.keras")
        ResNet50(weights=None).save(path)
        return path.read_bytes()


@pytest.fixture(scope="module")
def app_test() -> AppTest:
    return AppTest.from_file(str(app()), default_timeout=120).run()


@pytest.fixture
def opened(tmp_path):
    """opened(kind): that network is the command's, until the test is over."""

    def give(kind) -> OpenedNetwork:
        OPEN.give(OpenedNetwork(opened_file(kind, tmp_path)))
        return OPEN.given

    yield give
    OPEN.close_all()


@pytest.mark.parametrize("kind", [*KINDS, bottleneck, resnet50], ids=lambda kind: kind.__name__)
def test_no_page_breaks(app_test, opened, kind, caplog):
    if kind not in FEW and not THOROUGH:
        pytest.skip("the thorough profile opens all twelve")
    own = opened(kind)
    lacking = {name for name in PAGES if lack_of(name, own.network)}
    if kind is colour:
        assert lacking == NOT_ON_COLOUR
    # Of the pages that show mnist_14k the few networks meet one.
    for name in [*PAGES] if THOROUGH else [*sorted(set(PAGES) - lacking), min(lacking)]:
        at = page(app_test, name, closer="" if name in lacking else "all")
        assert not at.exception, name
        assert not at.error, name
        assert any(f"mnist_14k: {own.name} lacks" in info.value for info in at.info) == (name in lacking)
        assert own.name in htmls(at)
    # A page may be given up by `header.run_page`; those of these networks need it not.
    assert "cannot show" not in caplog.text


def test_the_card_shows_each_input_that_is_a_picture(app_test, opened):
    opened(pair)
    (card,) = re.findall(r'<div class="card own">.*?</div>', htmls(page(app_test, "overview")), re.DOTALL)
    assert re.findall('alt="([^"]*)"', card) == ["a made picture, left", "a made picture, right"]
    pictures = re.findall('src="([^"]*)"', card)
    assert len(set(pictures)) == 2


def test_what_was_run_ahead_is_what_the_first_page_shows(app_test, opened, monkeypatch):
    own = opened(colour)
    explore._run_ahead(own)
    monkeypatch.setattr(own._child, "ask", lambda *asked: pytest.fail(f"asked once more: {asked}"))
    monkeypatch.setattr("cnnviz.stage.plan._make", lambda *asked: pytest.fail("planned once more"))
    at = page(app_test, "overview")
    assert not at.exception
    assert not at.error
    assert f"{own.name} says" in htmls(at)


@pytest.fixture
def labelled(opened, tmp_path):
    """A colour network with a folder of two pictures of each of four classes."""
    folder = tmp_path / "photos"
    for k, name in enumerate("abcd"):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            pixels = np.random.default_rng(10 * k + number).integers(0, 255, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    own = opened(colour)
    images = load_images(folder, own.network)
    examples = Examples({"image": images}, images.source.names, images.source.labels, images.source.classes)
    own.show(examples, {"scores": list("abcd")})
    return own


def test_a_labelled_folder_is_measured_and_a_mistake_is_one_click_from_the_stage(app_test, labelled):
    at = page(app_test, "overview", picture="3", closer="all")
    (result,) = labelled.evaluate().values()
    card = htmls(at)
    assert "The label says<br><b>b</b>" in card
    name, chance, _ = labelled.answer(labelled.run(3))[0]
    assert f"says<br><b>{name} with" in card
    assert chance > 0
    table = next(each for each in tables(at) if each["name"] == "cnnviz-confusion")
    rows = [line.split(",") for line in table["csv"].strip().splitlines()[1:]]
    assert [[int(cell) for cell in row[1:]] for row in rows] == result.confusion.tolist()
    assert f"{result.correct} of 8" in card
    worst = result.worst[0]
    at.button(key=f"mistake.scores.{worst.index}").click().run()
    assert at.query_params["picture"] == str(worst.index)
    assert labelled.examples.names[worst.index] in card + htmls(at)


def test_the_code_names_the_file_and_the_picture(app_test, labelled):
    at = page(app_test, "pooling", picture="3")
    code = at.code[-1].value
    assert f'load_model("{labelled.path.name}")' in code
    mode = labelled.examples.columns["image"].mode
    assert f'load_image("1.png", like=(16, 16, 3), preprocess="{mode}")' in code
    compile(code, "code", "exec")


def test_words_of_a_user_s_files_are_words_and_no_markdown_or_html(app_test, labelled):
    words = [word for word in MARKDOWN if "/" not in word]
    labelled.name = "".join(words[:6])
    names = [f"{word}.png" for word in (*words, "<b>x")][: len(labelled.examples)]
    labelled.examples.names = names
    labelled.show(labelled.examples, {"scores": ["<i>a", "**b**", "$x^2$", ":smile:"]})
    at = page(app_test, "overview", picture="1", closer="all")
    assert not at.exception
    assert not [(text, found) for text in markdown(at) if (found := marks(text))]
    assert "&lt;i&gt;a" in htmls(at) + "".join(table["table"] for table in tables(at))
    assert "<i>a" not in htmls(at) + "".join(table["table"] for table in tables(at))
    compile(at.code[-1].value, "code", "exec")


def test_a_network_of_digits_gets_the_test_digits(app_test, opened):
    own = opened(no_dropout)
    at = page(app_test, "pooling", digit="8")
    assert not at.info
    _, (images, labels) = cnnviz.load_mnist()
    said = own.network.predict(images[8:9])[0].argmax()
    assert f"<b>{labels[8]}</b>" in htmls(at)
    assert re.search(rf"no_dropout says<br><b>{said} with", htmls(at))
    at = page(app_test, "try_it", digit="8", closer="hard")
    assert not at.info
    wrong = int((own.network.predict(images).argmax(axis=1) != labels).sum())
    assert any(
        f"{own.name} gets {wrong:,} of the 10,000 test digits wrong" in each.value for each in at.markdown
    )
    assert any("These are the first 200" in each.value for each in at.markdown)


def test_a_network_of_digits_is_shown_the_pictures_that_were_opened_for_it(app_test, opened, tmp_path):
    own = opened(no_dropout)
    for label in (3, 5):
        (tmp_path / "sheets" / str(label)).mkdir(parents=True)
        pixels = np.random.default_rng(label).integers(0, 255, (28, 28), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "sheets" / str(label) / f"sheet{label}.png")
    images = load_images(tmp_path / "sheets", own.network)
    examples = Examples({own.network.inputs[0]: images}, images.source.names, np.array([3, 5]))
    own.show(examples)
    at = page(app_test, "overview", picture="1", closer="all")
    assert not at.exception
    assert "The label says<br><b>5</b>" in htmls(at)
    assert any(each["name"] == "cnnviz-confusion" for each in tables(at))
    at = page(app_test, "receptive_field", picture="1", closer="all", about="counts")
    assert not at.exception
    assert not [info for info in at.info if "mnist_14k" in info.value]
    assert any(each["caption"].startswith("Mean of 2 pictures") for each in pictures(at))
    at = page(app_test, "feature_maps", picture="1", closer="all", look="two")
    assert not at.exception
    assert [option for group in at.button_group for option in group.options].count("Another digit") == 0


def test_a_picture_that_is_gone_leaves_everything_else(app_test, labelled):
    (labelled.path.parent / "photos" / "a" / "0.png").unlink()
    at = page(app_test, "overview", picture="0")
    assert not at.exception
    (error,) = at.error
    assert "cannot be run on a/0.png" in error.value.replace("\\", "")
    assert "mnist_14k" in htmls(at)
    at = page(app_test, "overview", picture="1")
    assert not at.error


def test_the_address_of_another_session_s_network_is_noticed(app_test):
    at = page(app_test, "overview", model="own")
    assert not at.exception
    assert "“own”" in " ".join(warning.value for warning in at.warning)


def test_uploads_are_off_unless_allowed(app_test, monkeypatch):
    def offered() -> bool:
        at = page(app_test, "overview")
        return any("keras or .h5 file" in each.label for each in at.get("file_uploader"))

    assert not offered()
    monkeypatch.setattr(OPEN, "uploads", "all")
    assert offered()


def test_a_page_that_fails_on_a_picture_shows_mnist_14k_and_the_log_has_why(
    app_test, labelled, monkeypatch, caplog
):
    header, failing = sys.modules["header"], [True]
    live_view = header.Current.live_view

    def fail(here, **arguments):
        if failing[0] and here.opened is not None:
            raise KeyError("a defect")
        live_view(here, **arguments)

    monkeypatch.setattr(header.Current, "live_view", fail)
    at = page(app_test, "pooling", picture="1")
    assert not at.exception
    assert any("ended in an error" in info.value for info in at.info)
    assert "a defect" in caplog.text
    failing[0] = False
    at = page(app_test, "pooling", picture="2")
    assert not at.info


def test_a_measurement_that_was_stopped_is_one_sentence(app_test, labelled, monkeypatch):
    def stopped(*_):
        raise ValueError("colour.keras was stopped")

    monkeypatch.setattr(labelled, "evaluate", stopped)
    at = page(app_test, "overview", picture="0", closer="evaluation")
    assert not at.exception
    assert not at.info
    (error,) = at.error
    assert error.value == "The pictures were not measured: colour.keras was stopped."


def test_the_command_s_classes_are_not_a_visitor_s_to_name(app_test, labelled, monkeypatch):
    def offered() -> bool:
        at = page(app_test, "overview")
        return any("names of its classes" in each.label for each in at.get("file_uploader"))

    monkeypatch.setattr(OPEN, "uploads", "all")
    assert not offered()


def test_a_digit_is_called_as_the_network_s_classes_are(app_test, opened):
    own = opened(no_dropout)
    names = [f"digit-{k}" for k in range(10)]
    own.show(own.examples, {"scores": names})
    _, (images, labels) = cnnviz.load_mnist()
    said = int(own.network.predict(images[8:9])[0].argmax())
    right = next(k for k in range(1000) if labels[k] == own.network.predict(images[k : k + 1])[0].argmax())
    card = htmls(page(app_test, "pooling", digit="8"))
    assert f"The label says<br><b>digit-{labels[8]}</b>" in card
    assert f"says<br><b>digit-{said} with" in card
    assert 'aria-label="right"' in htmls(page(app_test, "pooling", digit=str(right)))


def test_classes_that_are_no_digits_decide_what_a_network_is_shown(app_test, opened):
    own = opened(no_dropout)
    own.show(own.made, {"scores": ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                                   "Sneaker", "Bag", "Ankle boot"]})  # fmt: skip
    at = page(app_test, "overview")
    assert "This is<br><b>a made picture" in htmls(at)
    assert 'class="mark"' not in htmls(at)
    assert not [button for button in at.button if button.label == "Next mistake"]
    assert not [caption for caption in at.caption if "taken for" in caption.value]
    (info,) = page(app_test, "try_it").info
    assert f"This page shows mnist_14k: {own.name} lacks MNIST’s digits to look at" in info.value


def test_what_is_assumed_of_ten_classes_is_said_and_can_be_denied(app_test, opened, monkeypatch):
    monkeypatch.setattr(OPEN, "uploads", "machine")
    monkeypatch.setattr(sys.modules["opened"], "may_upload", lambda: True)
    own = opened(no_dropout)
    at = page(app_test, "overview", digit="8")
    assert [caption for caption in at.caption if "taken for MNIST’s digits" in caption.value]
    next(button for button in at.button if button.label == "They are others").click().run()
    assert not own.reads_digits
    assert not [caption for caption in at.caption if "taken for" in caption.value]
    assert "a made picture" in htmls(at)
    next(each for each in at.toggle if each.label == "Its ten classes are the digits").set_value(True).run()
    assert own.reads_digits
    assert "The label says" in htmls(at)


def digits_to_scores(*shape: int, **dense: object) -> Network:
    layers = [image(28, 28, 1)]
    for kind, config in (("Flatten", {}), ("Dense", dense), ("Reshape", {"target_shape": shape})):
        layers.append(Layer.from_config(kind.lower(), kind, config, inputs=(layers[-1].name,)))
    return Network(layers, seed=0)


def autoencoder() -> Network:
    return digits_to_scores(28, 28, units=784, activation="sigmoid")


def logits_of_digits() -> Network:
    return digits_to_scores(10, units=10)


def test_a_network_that_calls_no_digits_is_neither_right_nor_wrong(app_test, opened):
    opened(autoencoder)
    at = page(app_test, "overview", digit="8")
    assert not at.exception
    card = htmls(at)
    assert "autoencoder says<br><b>28 × 28 numbers" in card
    assert 'class="mark"' not in card
    assert not [button for button in at.button if button.label == "Next mistake"]


def test_mistakes_that_cannot_be_looked_for_are_one_sentence(app_test, opened):
    opened(logits_of_digits)
    at = page(app_test, "overview", digit="8")
    next(button for button in at.button if button.label == "Next mistake").click().run()
    assert not at.exception
    assert "not probabilities" in at.error[0].value
