"""Image files: every kind that is read, and every way in which one can be bad."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.images.image_files import MAX_BYTES, ImageError, read_image

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def encode(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


def test_grey_comes_back_to_the_bit_from_bytes_path_and_file(tmp_path):
    content = encode(Image.fromarray(RAMP))
    path = tmp_path / "ramp.png"
    path.write_bytes(content)
    for source in (content, path, str(path), io.BytesIO(content)):
        np.testing.assert_array_equal(read_image(source), RAMP)


def test_sixteen_bits_are_kept():
    deep = np.array([[0, 257, 65535], [1, 40000, 300]], np.uint16)
    found = read_image(encode(Image.fromarray(deep)))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, deep)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_colour_is_read(kind):
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    found = read_image(encode(Image.fromarray(red), kind))
    assert found.shape == (16, 16, 3)
    assert np.abs(found.astype(int) - red).max() < 12


def test_cmyk_becomes_rgb():
    found = read_image(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert found.shape == (8, 8, 3)
    assert found[0, 0, 0] > 200 > 60 > found[0, 0, 1]


def test_a_palette_and_its_transparency_are_read():
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 255, 255, 255])
    assert read_image(encode(picture)).tolist() == np.full((4, 4, 3), 255).tolist()
    found = read_image(encode(picture, transparency=1))
    assert found.shape == (4, 4, 4)
    assert not found[..., 3].any()


def test_bilevel_becomes_grey():
    found = read_image(encode(Image.fromarray(RAMP > 100)))
    np.testing.assert_array_equal(found, np.where(RAMP > 100, 255, 0))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_read(kind):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("white", "black", "red")]
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    assert read_image(content).shape[:2] == (5, 6)
    assert read_image(content)[..., :3].min() > 250


def test_a_photograph_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read_image(encode(Image.fromarray(np.kron(RAMP, np.ones((8, 8), np.uint8))), "JPEG", exif=exif))
    assert found.shape == (32, 24)
    assert found[0, -1] < 20 < found[-1, 0] - 100


BAD = {
    "empty": (b"", r"^the image file is empty \(0 bytes\)$"),
    "text": (b"this is no picture", "^the file is not a PNG, JPEG, WebP or GIF image$"),
    "zeros": (b"\0" * 4096, "^the file is not a PNG, JPEG, WebP or GIF image$"),
    "another format": (encode(Image.fromarray(RAMP), "BMP"), "^the file is not a PNG"),
    "truncated png": (encode(Image.fromarray(RAMP))[:-30], "^the image is damaged and cannot be decoded"),
    "only a signature": (b"\x89PNG\r\n\x1a\n", "^the file begins as a PNG image does, but is damaged"),
    "broken data": (png_header(20, 20), "^the image is damaged and cannot be decoded"),
    "26 megapixels": (png_header(6500, 4000), "^the image has 6500 x 4000 pixels; at most 25 megapixels"),
    "100 megapixels": (png_header(10_000, 10_000), "^the image is too large; at most 25 megapixels"),
    "40,000 x 40,000": (png_header(40_000, 40_000), "^the image is too large; at most 25 megapixels"),
    "too many bytes": (b"\x89PNG\r\n\x1a\n" + b"\0" * MAX_BYTES, "^the image file is larger than 10 MB$"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_clear_sentence(name):
    content, message = BAD[name]
    with pytest.raises(ImageError, match=message) as caught:
        read_image(content)
    assert "\n" not in str(caught.value)


def test_a_truncated_jpeg_is_damaged():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    with pytest.raises(ImageError, match="damaged"):
        read_image(encode(Image.fromarray(noise), "JPEG")[:900])


def test_every_prefix_of_a_file_is_an_image_or_an_image_error():
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        content = encode(Image.fromarray(np.kron(RAMP, np.ones((4, 4), np.uint8))), kind)
        for end in range(0, len(content), 7):
            try:
                assert read_image(content[:end]).shape[:2] == (12, 16)
            except ImageError:
                continue


def test_what_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(ImageError, match=r"^cannot read the image: No such file or directory$"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match=r"^cannot read the image: Is a directory$"):
        read_image(tmp_path)


# Smaller than the file ------------------------------------------------------------------------------


def means(image: np.ndarray, factor: int) -> np.ndarray:
    rows, columns = (length // factor for length in image.shape[:2])
    return image.reshape(rows, factor, columns, factor, -1).mean(axis=(1, 3)).reshape(rows, columns, -1)


@pytest.mark.parametrize("shape", [(300, 450), (300, 450, 3), (450, 300, 3)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_larger_image_is_reduced_by_the_means_of_its_pixels(shape, kind):
    """To half a level: each mean is rounded once, band by band or not; Pillow sums rows before columns."""
    noise = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    content = encode(Image.fromarray(noise), kind, lossless=True)
    for side, factor in ((150, 3), (450, 1), (1000, 1)):
        found = read_image(content, side=side)
        assert max(found.shape) == 450 // factor
        grey = found if len(shape) == 3 or kind == "PNG" else found[..., 0]
        assert np.abs(grey.reshape(means(noise, factor).shape) - means(noise, factor)).max() <= 1


def test_bands_meet_where_the_factor_is_no_whole_number():
    ramp = np.repeat(np.linspace(0, 65535, 1000).astype(np.uint16)[:, None], 30, axis=1)
    found = read_image(encode(Image.fromarray(ramp)), side=333)
    assert found.dtype == np.uint16
    assert found.shape == (333, 10)
    edges = np.arange(334) * 1000 / 333
    exact = 65535 * (edges[1:] + edges[:-1] - 1) / 2 / 999
    # Within a step of the ramp: a band's first and last row are counted by their share.
    assert np.abs(found[:, 5] - exact).max() < 65.6


def test_the_colour_of_what_is_transparent_does_not_run_into_the_rest():
    image = np.zeros((80, 80, 4), np.uint8)
    image[:, 30:] = 200, 100, 50, 255
    found = read_image(encode(Image.fromarray(image)), side=20)
    # Rounded twice: times its alpha of a half, and divided by it again.
    np.testing.assert_allclose(found[:, 7], np.tile([200, 100, 50, 128], (20, 1)), atol=1)


def test_a_photograph_is_decoded_small_and_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(np.kron(RAMP, np.ones((200, 200), np.uint8)))
    found = read_image(encode(picture, "JPEG", exif=exif), side=100)
    assert found.shape == (100, 75)
    assert found[0, -1] < 20 < found[-1, 0] - 100
    with pytest.raises(ValueError, match="side must be at least 1 pixel, got 0"):
        read_image(b"x", side=0)


UPLOADS = """
import io, threading
import numpy as np
from PIL import Image
from cnnviz.commands.explore import _give_memory_back
from cnnviz.images.image_files import read_image

_give_memory_back()

def peak():
    return [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")][0] * 1024

file = io.BytesIO()
Image.new("RGBA", (5000, 5000), (250, 250, 250, 128)).save(file, "WEBP", lossless=True, method=0)
open("/proc/self/clear_refs", "w").write("5")
base, shapes = peak(), []
one = lambda: shapes.append(read_image(file.getvalue(), side=400).shape)
threads = [threading.Thread(target=one) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(shapes), peak() - base)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc")
def test_three_large_uploads_at_once_need_no_more_room_than_one():
    """Of 100 MB each: libwebp's two canvases, what it hands out and Pillow's; the rest is a band of rows."""
    run = subprocess.run([sys.executable, "-c", UPLOADS], capture_output=True, text=True, check=True)
    count, used = run.stdout.split()
    assert int(count) == 3
    assert float(used) < 4.3 * 5000**2 * 4
