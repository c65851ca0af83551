"""Try it: what is brought is prepared and taken, or refused in one sentence; mistakes can be picked."""

from __future__ import annotations

import base64
import html
import io
import json
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

import cnnviz
from apps.conftest import drawn, htmls, pictures
from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.images.digit_text import digit_from_text, digit_to_text
from cnnviz.images.no_digits import no_digits
from cnnviz.numbers import probability, with_article

SEVEN = np.zeros((200, 200), np.uint8)
SEVEN[40:56, 40:150] = SEVEN[40:160, 134:150] = 255


def written(array: np.ndarray, ending: str, **options) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(array)
    mode = options.pop("mode", None)
    (image.convert(mode) if mode else image).save(file, ending, **options)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def huge() -> bytes:
    """40,000 x 40,000 pixels in some hundred bytes."""
    size = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


PNG = written(SEVEN, "PNG")
BAD = {
    "zero bytes": (b"", "the image file is empty (0 bytes)"),
    "truncated": (PNG[: len(PNG) // 2], "the image is damaged"),
    "a text file": (b"hello, I am text\n" * 20, "the file is not a PNG, JPEG, WebP or GIF image"),
    "40,000 x 40,000": (huge(), "the image is too large; at most 25 megapixels are read"),
    "over 10 MB": (PNG + bytes(11 * 2**20), "the image file is larger than 10 MB"),
    "blank": (written(np.full((90, 90), 200, np.uint8), "PNG"), "no digit was found"),
}
UPRIGHT, TURNED = 255 - SEVEN, 255 - SEVEN.T.copy()
FRAMES = {"save_all": True, "append_images": [Image.fromarray(TURNED)], "duration": 50}
GOOD = {
    "plain": PNG,
    "dark on light": written(UPRIGHT, "PNG"),
    "CMYK": written(np.dstack([UPRIGHT] * 3), "JPEG", mode="CMYK", quality=95),
    "16-bit": written(SEVEN.astype(np.uint16) * 257, "PNG"),
    "transparent": written(np.dstack([np.zeros((200, 200, 3), np.uint8), SEVEN]), "PNG"),
    "animated GIF": written(UPRIGHT, "GIF", **FRAMES),
    "animated WebP": written(UPRIGHT, "WEBP", **FRAMES, lossless=True),
}


@pytest.fixture
def upload(visit):
    """upload(content): the page after a file was handed in."""

    def hand_in(content: bytes):
        at = visit("try_it", by="Upload", digit=3)
        at.file_uploader(key="upload").upload("digit.png", content, "image/png").run()
        return at

    return hand_in


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_gets_one_sentence_and_the_page_goes_on(upload, kind):
    content, sentence = BAD[kind]
    at = upload(content)
    assert not at.exception
    (said,) = at.error
    assert said.value.startswith(f"The file was not taken: {sentence}")
    assert said.value.count(". ") == 0
    assert "own" not in at.query_params
    assert "The label says<br><b>0</b>" in htmls(at)
    assert len(pictures(at)) >= 3
    at.run()
    assert not at.error, "it is said once"


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_file_becomes_the_digit_of_all_pages(upload, kind):
    at = upload(GOOD[kind])
    assert not at.exception
    assert not at.error
    text = at.query_params["own"]
    found = digit_from_text(text[0] if isinstance(text, list) else text).astype(int)
    assert np.abs(found - prepare_digit(SEVEN)).max() <= (40 if kind == "CMYK" else 1)
    assert "your digit" in htmls(at)
    assert "<b>7</b> with" in htmls(at)
    assert any("200 by 200 pixels" in picture["alt"] for picture in pictures(at))


def test_what_is_made_of_a_picture_is_made_in_turn(visit, monkeypatch):
    # Beside a page that is drawn meanwhile, both would be late.
    in_turn = []
    at = visit("try_it", by="Upload", digit=3)
    trying = sys.modules["trying"]
    prepare = trying.prepare_in_steps

    def watched(*arguments, **options):
        in_turn.append(sys.modules["turns"]._turn.locked())
        return prepare(*arguments, **options)

    monkeypatch.setattr(trying, "prepare_in_steps", watched)
    at.file_uploader(key="upload").upload("digit.png", PNG, "image/png").run()
    assert in_turn == [True]


def test_its_history_is_shown_as_long_as_it_is_known(upload, visit):
    text = digit_to_text(prepare_digit(SEVEN))
    at = upload(PNG)
    assert "strokes" in drawn(at, "preparation-steps")["alt"]
    assert "was prepared already" not in drawn(at, "preparation-steps")["caption"]
    at = visit("try_it", own=digit_to_text(prepare_digit(SEVEN.T)))
    assert "what they were made from is gone" in drawn(at, "preparation-steps")["caption"]
    at = visit("try_it", own=text)
    assert "was prepared already" not in drawn(at, "preparation-steps")["caption"]


def ink_and_columns(at):
    (ink,) = [radio for radio in at.radio if radio.label.startswith("Its ink")]
    (columns,) = [slider for slider in at.slider if slider.label.startswith("Columns")]
    return ink, columns


def prepare_again(at, ink: str, columns: tuple[int, int]):
    of_ink, of_columns = ink_and_columns(at)
    of_ink.set_value(ink)
    of_columns.set_value(columns)
    (button,) = [button for button in at.button if button.label == "Prepare it again"]
    return button.click().run()


def own_digit(at) -> np.ndarray:
    text = at.query_params["own"]
    return digit_from_text(text[0] if isinstance(text, list) else text)


def test_another_ink_or_part_of_a_picture_can_be_chosen(upload):
    """A dark 7 beside a light one on a dark card."""
    page = np.hstack([255 - SEVEN, SEVEN])
    at = upload(written(page, "PNG"))
    for ink, columns, part in (("dark", (0, 45), page[:, :180]), ("light", (55, 100), page[:, 220:])):
        at = prepare_again(at, ink, columns)
        assert not at.exception
        assert not at.error
        np.testing.assert_array_equal(own_digit(at), prepare_digit(part, ink=ink))
        assert "<b>7</b> with" in htmls(at)
    at = prepare_again(at, "light", (70, 70))
    (said,) = [error for expander in at.expander for error in expander.error]
    assert said.value == "That part was not taken: nothing lies between its two ends."
    # Another file begins anew.
    at.file_uploader(key="upload").upload("next.png", PNG, "image/png").run()
    assert [choice.value for choice in ink_and_columns(at)] == ["light", (0, 100)]


def test_a_picture_that_was_refused_can_be_mended(upload):
    texture = np.random.default_rng(0).integers(0, 2, (20, 20)).repeat(10, 0).repeat(10, 1)
    page = np.hstack([255 - SEVEN, np.uint8(255 * texture)])
    at = upload(written(page, "PNG"))
    (said,) = at.error
    assert said.value.startswith("The file was not taken: no digit was found")
    at = prepare_again(at, "dark", (0, 50))
    assert not at.exception
    assert not at.error
    np.testing.assert_array_equal(own_digit(at), prepare_digit(page[:, :200], ink="dark"))


def test_an_address_may_hold_a_digit_without_ink(visit):
    blank = digit_to_text(np.zeros((28, 28), np.uint8))
    at = visit("try_it", own=blank)
    assert not at.exception
    assert not [picture for picture in pictures(at) if picture["name"] == "cnnviz-preparation-steps"]
    assert "holds no ink" in " ".join(part.value for part in at.markdown)
    assert not visit("overview", own=blank).exception


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_all_mistakes_are_there_with_their_two_likeliest_classes(visit, model):
    at = visit("try_it", model=model)
    (gallery,) = [picture for picture in pictures(at) if picture.get("tiles")]
    _, (images, labels) = cnnviz.load_mnist()
    record = cnnviz.load_model(model)
    names = [tile["name"] for tile in gallery["tiles"]]
    assert len(names) > 20
    for name in names[::7]:
        index = int(name.split()[1])
        first, second = np.argsort(-record.predict(images[index : index + 1])[0])[:2]
        assert f"Image {index} is {with_article(labels[index])}: {first} with" in name
        assert f", {second} with" in name
        assert first != labels[index]
    assert f"gets {len(names)} of the 10,000 test digits wrong" in " ".join(
        part.value for part in at.markdown
    )


def test_it_says_when_the_network_is_unsure(visit):
    _, (images, _) = cnnviz.load_mnist()
    shares = cnnviz.load_model("mnist_14k").predict(images[:1000]).max(axis=1)
    words = " ".join(part.value for part in visit("try_it", by="Upload", digit=int(shares.argmin())).markdown)
    assert "**unsure**" in words
    words = " ".join(part.value for part in visit("try_it", by="Upload", digit=int(shares.argmax())).markdown)
    assert "**unsure**" not in words
    assert "not the same as being right" in words


def test_the_camera_is_asked_for_only_when_it_is_wanted(visit):
    at = visit("try_it", by="Photograph")
    assert not at.exception
    assert not at.get("camera_input")
    at.toggle(key="camera wanted").set_value(True).run()
    assert not at.exception
    assert at.get("camera_input")


def test_the_uploader_takes_no_more_than_the_reader():
    import tomllib

    from cnnviz.images.image_files import MAX_BYTES
    from cnnviz.resources import app

    config = tomllib.loads((app().parent / ".streamlit" / "config.toml").read_text())
    assert config["server"]["maxUploadSize"] * 2**20 == MAX_BYTES


def test_the_pad_s_raster_is_read_as_it_was_sent():
    from cnnviz.stage.component import raster_of

    sent = {"side": 200, "pixels": base64.b64encode(SEVEN.tobytes()).decode()}
    np.testing.assert_array_equal(raster_of(json.loads(json.dumps(sent))), SEVEN)


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_what_is_no_digit_gets_an_answer_too_and_the_page_says_which(visit, model):
    net = cnnviz.load_model(model)
    for name, image in no_digits().items():
        at = visit("try_it", model=model, own=digit_to_text(image))
        shares = net.predict(image[None])[0]
        assert f"<b>{name}</b>" in htmls(at)
        assert f"<b>{shares.argmax()}</b> with" in htmls(at)
        said = f"{name} {with_article(shares.argmax())} with {probability(shares.max())}"
        assert html.escape(said) in htmls(at)
