"""The data set's checksum, and digits from pictures: framed, told from their paper, recognised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from scipy import ndimage

import cnnviz
from cnnviz.images.digit_preparation import CENTRE, prepare_digit
from cnnviz.images.image_files import ImageError
from cnnviz.images.mnist import DataError, load_mnist
from cnnviz.resources import asset

IMAGES, LABELS = (part[:200] for part in load_mnist()[1])
SIDES = (300, 240)


def drawing(width: float = 8, ink: float = 1.0, paper: float = 0.0) -> np.ndarray:
    """A seven, drawn with a round pen."""
    rows, columns = np.mgrid[: SIDES[0], : SIDES[1]]

    def stroke(a, b):
        (r0, c0), (r1, c1) = a, b
        length = np.hypot(r1 - r0, c1 - c0)
        along = np.clip(((rows - r0) * (r1 - r0) + (columns - c0) * (c1 - c0)) / length**2, 0, 1)
        return np.hypot(rows - r0 - along * (r1 - r0), columns - c0 - along * (c1 - c0))

    distance = np.minimum(stroke((60, 70), (60, 170)), stroke((60, 170), (240, 110)))
    return paper + (ink - paper) * np.clip(width / 2 + 0.5 - distance, 0, 1)


def assert_framed(digit: np.ndarray) -> None:
    assert digit.shape == (28, 28)
    assert digit.dtype == np.uint8
    rows, columns = np.flatnonzero(digit.max(1) > 0), np.flatnonzero(digit.max(0) > 0)
    assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
    centre = ndimage.center_of_mass(digit)
    assert max(abs(place - CENTRE) for place in centre) <= 0.51
    assert digit.max() == 255


# The data ---------------------------------------------------------------------------------------


def test_the_data_set_is_all_there_and_shared():
    (x_train, y_train), (x_test, y_test) = load_mnist()
    assert (x_train.shape, y_train.shape) == ((60_000, 28, 28), (60_000,))
    assert (x_test.shape, y_test.shape) == ((10_000, 28, 28), (10_000,))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert load_mnist()[0][0] is x_train
    with pytest.raises(ValueError, match="read-only"):
        x_train[0] = 0


def test_a_damaged_file_says_how_to_get_it_back(tmp_path):
    content = bytearray(asset("mnist.npz").read_bytes())
    content[5_000_000] ^= 1
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged or is not MNIST.*git checkout -- assets/mnist\.npz"):
        load_mnist(path)
    with pytest.raises(DataError, match=r"No such file or directory; restore it with"):
        load_mnist(tmp_path / "missing.npz")


# What is taken as it is -------------------------------------------------------------------------


def test_mnist_digits_come_through_unchanged_and_inverted_ones_too():
    for image in IMAGES[:100]:
        np.testing.assert_array_equal(prepare_digit(image), image)
        np.testing.assert_array_equal(prepare_digit(255 - image), image)
        np.testing.assert_array_equal(prepare_digit(np.stack([image] * 3, axis=-1)), image)
        np.testing.assert_array_equal(prepare_digit((image / 255).astype(np.float32)), image)


def test_28x28_off_its_centre_is_framed():
    digit = prepare_digit(np.roll(IMAGES[0], (-5, 4), axis=(0, 1)))
    assert_framed(digit)
    assert np.abs(digit.astype(int) - IMAGES[0]).mean() < 3


# Framing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(28 * 3, 28 * 3), (280, 280), (500, 700), (1200, 900)])
def test_a_digit_fills_the_box_with_its_aspect_ratio(size):
    height, width = size
    image = np.zeros(size)
    image[height // 10 : height * 7 // 10, width // 2 : width // 2 + height // 5] = 1
    digit = prepare_digit(image)
    assert_framed(digit)
    core = digit > 127
    assert core.any(axis=1).sum() == 20
    assert 6 <= core.any(axis=0).sum() <= 8


@pytest.mark.parametrize("width", [1, 2, 6, 14, 30])
def test_strokes_come_out_as_wide_as_those_of_mnist(width):
    digit = prepare_digit(drawing(width))
    assert_framed(digit)
    # The seven is 20 high; its foot is crossed at the same height in each.
    across = digit[-12, :].astype(float).sum() / 255
    assert 1.5 < across < 5.5


def test_a_dot_or_a_bar_is_framed_too():
    dot, bar = np.zeros((100, 100)), np.zeros((100, 100))
    dot[50, 50] = 1
    bar[10:90, 40:60] = 1
    for image in (dot, bar, bar.T):
        assert prepare_digit(image).max() == 255


# Ink and paper ----------------------------------------------------------------------------------


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation, at best over shifts by a pixel: the centre of mass is rounded to one."""
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return max(float(np.corrcoef(np.roll(a, shift, (0, 1)).ravel(), b.ravel())[0, 1]) for shift in shifts)


PLAIN = prepare_digit(drawing())


def test_both_polarities_and_every_dtype_give_the_same_digit():
    dark = drawing(ink=0.0, paper=1.0)
    np.testing.assert_array_equal(prepare_digit(dark), PLAIN)
    for image in (
        np.rint(255 * dark).astype(np.uint8),
        np.rint(65535 * dark).astype(np.uint16),
        dark.astype(np.float32),
        dark > 0.5,
        np.rint(255 * dark).astype(np.uint8)[..., None],
    ):
        assert alike(prepare_digit(image), PLAIN) > 0.99


@pytest.mark.parametrize(("ink", "paper"), [(0.4, 0.9), (0.75, 0.95), (0.45, 0.25), (0.9, 0.8)])
def test_weak_contrast_becomes_full_contrast(ink, paper):
    digit = prepare_digit(drawing(ink=ink, paper=paper))
    assert_framed(digit)
    assert alike(digit, PLAIN) > 0.99


def test_colours_of_one_brightness_are_told_apart():
    """Yellow on white differs in blue alone, this red and green hardly differ in grey."""
    amount = drawing()[..., None]
    for ink, paper in (((1, 1, 0), (1, 1, 1)), ((0.8, 0.1, 0.1), (0.1, 0.45, 0.1))):
        image = amount * np.array(ink) + (1 - amount) * np.array(paper)
        assert alike(prepare_digit(image), PLAIN) > 0.99


@pytest.mark.parametrize("ink", [0, 255])
def test_transparent_drawings_get_the_opposite_background(ink):
    image = np.full((*SIDES, 4), ink, np.uint8)
    image[..., 3] = np.rint(255 * drawing())
    assert alike(prepare_digit(image), PLAIN) > 0.99
    image[..., :3][image[..., 3] == 0] = 128
    assert alike(prepare_digit(image), PLAIN) > 0.99
    assert alike(prepare_digit(image[..., 2:]), PLAIN) > 0.99


def test_transparent_corners_of_a_photograph_do_not_matter():
    image = np.ones((*SIDES, 4))
    image[..., :3] = drawing(ink=0.1, paper=0.9)[..., None]
    rows, columns = np.mgrid[: SIDES[0], : SIDES[1]]
    image[..., 3] = np.hypot(rows - 150, columns - 120) < 160
    assert alike(prepare_digit(image), PLAIN) > 0.95


def test_uneven_light_noise_shadow_specks_and_the_table_are_left_out():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[-1:1:300j, -1:1:240j]
    paper = 0.75 + 0.15 * columns - 0.1 * rows - 0.1 * (rows**2 + columns**2)
    paper = paper * np.where(columns + 0.4 * rows > 0.1, 1, 0.65)
    image = paper * (1 - 0.75 * drawing(10)) + rng.normal(0, 0.015, SIDES)
    image[20:23, 200:203] = 0.1
    assert alike(prepare_digit(np.clip(image, 0, 1)), PLAIN) > 0.9
    image[:, -12:] = 0.15
    assert alike(prepare_digit(np.clip(image, 0, 1)), PLAIN) > 0.9


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((28, 28), np.uint8),
        np.full((50, 60, 3), 255, np.uint8),
        np.full((1, 1), 0.5),
        np.zeros((40, 40, 4), np.uint8),
        np.broadcast_to(np.linspace(0.3, 0.6, 200), (150, 200)),
        np.random.default_rng(0).normal(0.5, 0.05, (120, 120)).clip(0, 1),
        drawing(ink=0.51, paper=0.5),
    ],
    ids=["black", "white", "one pixel", "transparent", "gradient", "noise", "faint"],
)
def test_an_image_without_a_digit_says_so(image):
    with pytest.raises(ImageError, match="no digit was found"):
        prepare_digit(image)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 3, 5)), r"got shape \(2, 3, 5\)"),
        (np.zeros(9), r"got shape \(9,\)"),
        (np.zeros((0, 4)), r"not empty, got shape \(0, 4\)"),
        (np.full((4, 4), 7.0), r"within 0\.\.1, got values from 7\.0 to 7\.0"),
        (np.full((4, 4), np.nan), r"within 0\.\.1, got values from nan"),
        (np.zeros((4, 4), int), "got int64"),
        (np.zeros((4, 4), complex), "got complex128"),
    ],
)
def test_a_wrong_array_is_named(image, message):
    with pytest.raises(ValueError, match=message):
        prepare_digit(image)


# Recognition ------------------------------------------------------------------------------------


def enlarged(image: np.ndarray, factor: int = 10) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((28 * factor,) * 2, Image.Resampling.BICUBIC))


def photographed(image: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[-1:1:280j, -1:1:280j]
    paper = 0.7 + 0.2 * rows * np.sin(image.sum()) + 0.1 * columns
    noise = np.random.default_rng(int(image.sum())).normal(0, 0.02, paper.shape)
    return np.clip(paper * (1 - 0.8 * enlarged(image) / 255) + noise, 0, 1)


def placed(image: np.ndarray) -> np.ndarray:
    page = np.full((400, 500), 255, np.uint8)
    page[30:114, 300:384] = 255 - enlarged(image, 3)
    return page


@pytest.mark.parametrize("render", [enlarged, photographed, placed, lambda i: 255 - i[3:-3, 3:-3]])
def test_digits_that_were_enlarged_photographed_or_cut_out_are_still_recognised(render):
    """Of 50 test digits, or 100, at most one more is mistaken than as they came."""
    count = 100 if settings.get_current_profile_name() == "thorough" else 50
    net, images, labels = cnnviz.load_model("mnist_14k"), IMAGES[:count], LABELS[:count]
    prepared = np.stack([prepare_digit(render(image)) for image in images])
    right = int((net.predict(prepared).argmax(axis=1) == labels).sum())
    assert right >= int((net.predict(images).argmax(axis=1) == labels).sum()) - 1
