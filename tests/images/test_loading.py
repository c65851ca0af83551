"""One image as a network wants it: against Keras's load_img, and for every kind of picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cnnviz.images.image_files import ImageError, read_image
from cnnviz.images.loading import INTERPOLATIONS, LoadedImage, load_as
from harness.authority import keras

RNG = np.random.default_rng(0)
COLOUR = np.kron(RNG.integers(0, 256, (10, 8, 3)), np.ones((3, 3, 1))).astype(np.uint8)
GREY = COLOUR[..., 0]


def encode(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode(Image.fromarray(COLOUR)))
    return path


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("how", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(17, 9), (12, 40), (30, 24), (64, 64)])
def test_it_is_what_keras_load_img_reads(file, size, how, crop):
    for channels, mode in ((3, "rgb"), (1, "grayscale")):
        picture = keras.utils.load_img(
            file, color_mode=mode, target_size=size, interpolation=how, keep_aspect_ratio=crop
        )
        ours = load_as(file, (*size, channels), "none", interpolation=how, crop_to_aspect_ratio=crop)
        np.testing.assert_array_equal(ours, keras.utils.img_to_array(picture))
        np.testing.assert_array_equal(ours.pixels, ours)


def test_path_content_file_pillow_and_array_are_the_same_image(file):
    sources = [file, str(file), file.read_bytes(), io.BytesIO(file.read_bytes()), Image.open(file), COLOUR]
    found = [load_as(source, (20, 20, 3), "tf") for source in sources]
    for image in found:
        np.testing.assert_array_equal(image, found[0])
        assert image.dtype == np.float32
        assert "24 x 30" in image.said
        assert "resized to 20 x 20 (bilinear), squeezed" in image.said
    assert found[0].said.startswith("a.png: PNG 24 x 30, colour; ")


def test_what_is_computed_from_it_is_a_plain_image():
    image = load_as(COLOUR, COLOUR.shape, "unit", because="because I say so")
    assert image.mode == "unit"
    assert image.said.endswith("preprocess='unit': 0..255 divided by 255, to 0..1, because I say so")
    for other in (image + 1, image[:5], image.copy()):
        assert isinstance(other, LoadedImage)
        assert (other.said, other.mode, other.pixels) == ("", "", None)


def upright(orientation: int) -> np.ndarray:
    """GREY as a camera held so would store it, read back."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(Image.fromarray(GREY), "PNG", exif=exif)
    image = load_as(content, (None, None, 1), "none")
    assert ("turned upright" in image.said) == (orientation > 1)
    held = load_as(Image.open(io.BytesIO(content)), (None, None, 1), "none")
    np.testing.assert_array_equal(image, held)
    assert ("turned upright" in held.said) == (orientation > 1)
    return np.asarray(image[..., 0])


def test_photographs_are_turned_upright():
    # EXIF 2.32, table 4: where row 0 and column 0 of what is stored lie in what is seen.
    turned = {
        1: GREY,
        2: GREY[:, ::-1],
        3: GREY[::-1, ::-1],
        4: GREY[::-1],
        5: GREY.T,
        6: GREY.T[:, ::-1],
        7: GREY.T[::-1, ::-1],
        8: GREY.T[::-1],
    }
    for orientation, wanted in turned.items():
        np.testing.assert_array_equal(upright(orientation), wanted)


def test_what_is_transparent_is_laid_on_white():
    alpha = np.full((30, 24, 1), 51, np.uint8)
    image = load_as(np.concatenate([COLOUR, alpha], axis=2), (30, 24, 3), "none")
    # A fifth of the colour, and four fifths of white; uint8 rounds to the nearest.
    np.testing.assert_allclose(image, 0.2 * COLOUR.astype(float) + 0.8 * 255, atol=0.5 + 1e-4)
    assert "what is transparent laid on white" in image.said
    grey = load_as(encode(Image.fromarray(GREY).convert("LA")), (30, 24, 1), "none")
    np.testing.assert_array_equal(grey[..., 0], GREY)
    assert "white" not in grey.said


def test_four_channels_keep_alpha_and_get_it():
    alpha = np.full((30, 24, 1), 51, np.uint8)
    both = np.concatenate([COLOUR, alpha], axis=2)
    np.testing.assert_array_equal(load_as(both, (30, 24, 4), "none"), both)
    opaque = load_as(COLOUR, (30, 24, 4), "none")
    np.testing.assert_array_equal(opaque[..., 3], np.full((30, 24), 255))
    assert "made opaque" in opaque.said


def test_grey_for_colour_and_colour_for_grey():
    three = load_as(GREY, (30, 24, 3), "none")
    np.testing.assert_array_equal(three, np.stack([GREY] * 3, axis=2))
    assert "grey taken for all three colours" in three.said
    one = load_as(COLOUR, (30, 24), "none")
    assert one.shape == (30, 24)
    # ITU-R BT.601; Pillow rounds to whole numbers.
    np.testing.assert_allclose(one, COLOUR @ [0.299, 0.587, 0.114], atol=0.51)
    assert "colour turned to grey" in one.said
    np.testing.assert_allclose(load_as(COLOUR / 255, (30, 24), "none"), one, atol=0.51)


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "LA", "RGBA", "I;16"])
def test_every_kind_of_file_is_read(mode):
    deep = GREY.astype(np.uint16) * 257
    kind = "TIFF" if mode == "CMYK" else "PNG"
    picture = Image.fromarray(deep) if mode == "I;16" else Image.fromarray(COLOUR).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    image = load_as(
        encode(picture, kind, **({"quality": 100} if kind == "JPEG" else {})), (30, 24, 3), "none"
    )
    wanted = Image.fromarray(GREY) if mode == "I;16" else picture
    difference = np.abs(image - np.asarray(wanted.convert("RGB"), np.float32))
    # A JPEG rounds what it stores of colour.
    assert difference.mean() < (4 if mode == "CMYK" else 0.01)


def test_sixteen_bits_keep_what_eight_would_lose():
    deep = np.arange(300, 300 + 64, dtype=np.uint16).reshape(8, 8)
    image = load_as(encode(Image.fromarray(deep)), (8, 8, 1), "unit")
    np.testing.assert_allclose(image[..., 0], deep / 65535, rtol=4 * 2.0**-24)
    assert "16 bits a channel read as 0..255" in image.said
    for held in (Image.fromarray(deep), Image.fromarray(deep.astype(np.int32))):
        np.testing.assert_array_equal(load_as(held, (8, 8, 1), "unit"), image)


def test_numbers_of_an_array_are_pixels():
    np.testing.assert_array_equal(load_as(GREY > 100, (30, 24, 1), "unit")[..., 0], GREY > 100)
    np.testing.assert_allclose(load_as(GREY / 255, (30, 24, 1), "none")[..., 0], GREY, rtol=4 * 2.0**-24)
    np.testing.assert_array_equal(load_as(GREY.astype(float), (30, 24, 1), "none")[..., 0], GREY)
    assert "0..1 read as 0..255" in load_as(GREY / 255, (30, 24, 1), "none").said


def test_the_middle_is_cut_out():
    image = load_as(COLOUR, (24, 24, 3), "none", crop_to_aspect_ratio=True)
    np.testing.assert_array_equal(image, COLOUR[3:27])
    assert "the middle 24 x 24 cut out" in image.said
    assert "squeezed" not in image.said


def test_of_a_large_file_no_more_is_read_than_is_needed(monkeypatch):
    smooth = Image.fromarray(COLOUR).resize((1200, 900), Image.Resampling.BICUBIC)
    sides = []

    def counted(source, side):
        sides.append(side)
        return read_image(source, side=side)

    monkeypatch.setattr("cnnviz.images.loading.read_image", counted)
    for kind in ("PNG", "JPEG"):
        content = encode(smooth, kind)
        small = load_as(content, (60, 80, 3), "none")
        whole = load_as(np.asarray(Image.open(io.BytesIO(content))), (60, 80, 3), "none")
        # Every pixel is replaced by the mean of five by five around it: by no more than the largest change
        # over five pixels along either axis.
        pixels = np.asarray(smooth, np.float32)
        most = sum(
            np.abs(pixels.take(range(5, n), axis) - pixels.take(range(n - 5), axis)).max()
            for axis, n in enumerate(pixels.shape[:2])
        )
        np.testing.assert_allclose(small, whole, atol=most)
        assert np.abs(small - whole).mean() < 1
        assert "read at up to 240 pixels a side" in small.said
        load_as(content, (60, 80, 3), "none", interpolation="nearest")
        load_as(content, (300, 400, 3), "none")
        load_as(content, (None, None, 3), "none")
    assert sides == [240, None, None, None] * 2


def test_a_stream_without_end_is_refused():
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            assert size >= 0
            return bytes(size)

    with pytest.raises(ImageError, match="larger than 10 MB"):
        load_as(Endless(), (8, 8, 3), "unit")


def test_an_unknown_size_is_the_images_own():
    assert load_as(COLOUR, (None, None, 3), "unit").shape == (30, 24, 3)
    assert load_as(COLOUR, (None, 12, 3), "unit").shape == (30, 12, 3)


def test_a_drawn_digit_becomes_one_like_mnists():
    paper = np.full((200, 300, 3), 240, np.uint8)
    paper[40:160, 150:160] = 20
    for shape in ((28, 28, 1), (28, 28), (32, 32, 3)):
        image = load_as(paper, shape, "digit")
        assert image.shape == shape
        assert (image.max(), image.ravel()[0]) == (1, 0)
    with pytest.raises(ImageError, match="no digit was found"):
        load_as(np.full((50, 50), 200, np.uint8), (28, 28, 1), "digit")


BAD = {
    "text": (b"hello", (8, 8, 3), {}, "not a PNG, JPEG, WebP or GIF image"),
    "vector": (COLOUR, (10,), {}, r"a picture fits an input \(height, width\).* not \(10,\)"),
    "two channels": (COLOUR, (8, 8, 2), {}, r"not \(8, 8, 2\)"),
    "batch": (np.zeros((2, 8, 8, 3)), (8, 8, 3), {}, r"image must be \(H, W\) .* got float64 \(2, 8, 8, 3\)"),
    "negative": (GREY - 1.0 - GREY.min(), (8, 8, 1), {}, "must lie within 0..255, or 0..1, got -1.0 to"),
    "nan": (
        np.full((8, 8), np.nan),
        (8, 8, 1),
        {},
        "must be finite numbers, got NaN or infinite in 64 of 64",
    ),
    "interpolation": (COLOUR, (8, 8, 3), {"interpolation": "area"}, "interpolation must be .* got 'area'"),
    "crop": (GREY[:1], (90, 1, 1), {"crop_to_aspect_ratio": True}, "no part of 24 x 1 pixels has the shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused(name):
    source, shape, options, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        load_as(source, shape, "unit", **options)


def test_a_folder_is_none(tmp_path):
    with pytest.raises(ImageError, match="is a folder: load_images reads"):
        load_as(tmp_path, (8, 8, 3), "unit")
