"""Crops of the middle and resizing: Keras's numbers to the bit, whatever the sizes, and what they read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network, explain, receptive_field
from cnnviz.layers.browser import Drawn
from cnnviz.layers.interpolation import Span, samples
from cnnviz.layers.rounding import allowance, gradient_allowance
from harness.authority import keras, tf
from harness.keras_models import write
from harness.networks import image, layer, normal

SIZES = np.random.default_rng(0).integers(1, 40, (60, 4)).tolist()
L = keras.layers


def compare(kind: str, x: np.ndarray, **config: Any) -> None:
    """The layer's numbers and its gradient with Keras's: to the bit, and within the bound."""
    found = Layer.from_config("a", kind, config)
    ours = found.before_activation(x)
    with tf.GradientTape() as tape:
        images = tf.constant(x)
        tape.watch(images)
        theirs = getattr(L, kind)(**config, dtype=x.dtype.name)(images)
    grad = normal(*ours.shape).astype(x.dtype)
    slope = tape.gradient(theirs, images, output_gradients=tf.cast(grad, theirs.dtype))
    assert ours.dtype == x.dtype
    # TensorFlow interpolates in float32, however precise the images.
    narrow = theirs.dtype == np.float32 or config.get("interpolation") == "bilinear"
    same = close if x.dtype == np.float64 and narrow else np.testing.assert_array_equal
    same(ours, theirs.numpy())
    (our_slope,) = found.entry.input_gradients(found, (x,), grad)
    assert our_slope.dtype == x.dtype
    close(our_slope, slope.numpy())


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * max(np.abs(theirs).max(), 1))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_middle_is_keras_s(sizes, dtype):
    height, width, rows, cols = sizes
    compare("CenterCrop", normal(2, height, width, 3).astype(dtype), height=rows, width=cols)


OPTIONS = [
    {},
    {"crop_to_aspect_ratio": True},
    {"pad_to_aspect_ratio": True, "fill_value": 0.75},
]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_resizing_is_keras_s(sizes, interpolation):
    height, width, rows, cols = sizes
    for options in OPTIONS:
        config = {"height": rows, "width": cols, "interpolation": interpolation, **options}
        for dtype in ("float32", "float64"):
            compare("Resizing", normal(2, height, width, 3).astype(dtype), **config)


@pytest.mark.parametrize("sizes", [(224, 300, 97, 500), (1000, 3, 224, 2), (1, 1, 6, 5)])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_large_images_are_resized_to_the_bit(sizes, interpolation):
    height, width, rows, cols = sizes
    x = (255 * np.abs(normal(1, height, width, 1))).astype(np.float32)
    compare("Resizing", x, height=rows, width=cols, interpolation=interpolation)


@pytest.mark.parametrize("sizes", SIZES[:20])
def test_between_cells_it_is_linear_interpolation(sizes):
    """In float64, against NumPy's, which ends where the cells' middles do; places are rounded to float32."""
    height, width, rows, cols = sizes
    x = normal(1, height, width, 1)
    found = Layer.from_config("a", "Resizing", {"height": rows, "width": cols}).before_activation(x)
    expected = x[0, :, :, 0]
    for size, units in ((width, cols), (height, rows)):
        places = (np.arange(units) + 0.5) * size / units - 0.5
        expected = np.array([np.interp(places, np.arange(size), line) for line in expected]).T
    np.testing.assert_allclose(found[0, :, :, 0], expected, rtol=0, atol=40 * 2.0**-23 * 2 * np.abs(x).max())


SMALL = {"height": 3, "width": 6}
FILTERED = [(how, filtered) for how in ("bicubic", "lanczos3", "lanczos5") for filtered in (False, True)]


@pytest.mark.parametrize("sizes", SIZES[:12])
@pytest.mark.parametrize(("interpolation", "antialias"), [*FILTERED, ("bilinear", True), ("area", False)])
def test_filters_are_keras_s(sizes, interpolation, antialias):
    """Each number within the layer's bound of TensorFlow's, and so is each gradient, where it has one."""
    height, width, rows, cols = sizes
    config = {"height": rows, "width": cols, "interpolation": interpolation, "antialias": antialias}
    x = normal(2, height, width, 2).astype(np.float32)
    for options in OPTIONS:
        found = Layer.from_config("a", "Resizing", {**config, **options})
        ours, images = found.before_activation(x), tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(images)
            theirs = L.Resizing(**config, **options)(images)
        bound = allowance(found, x)
        assert (np.abs(ours - theirs.numpy()) <= bound).all()
        assert bound.max() < 1e-2 * np.abs(x).max()
        if interpolation == "area":
            # TensorFlow has no gradient of it.
            continue
        grad = normal(*ours.shape).astype(np.float32)
        slope = tape.gradient(theirs, images, output_gradients=tf.constant(grad)).numpy()
        (our_slope,) = found.entry.input_gradients(found, (x,), grad)
        assert (np.abs(our_slope - slope) <= gradient_allowance(found, (x,), grad)[0]).all()


@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos3", "lanczos5", "area"])
def test_filters_leave_what_is_even_as_it_is(interpolation):
    """Weights add up to 1, also at the borders, and a receipt lists them."""
    net = Network([image(5, 4, 1), layer("a", "Resizing", "image", **SMALL, interpolation=interpolation)])
    even = np.full((1, 5, 4, 1), 3.0)
    np.testing.assert_allclose(net.astype(np.float64).predict(even), 3, rtol=1e-6)
    terms = explain(net.run(even), "a", row=0, col=1).terms
    assert terms.weight.sum() == pytest.approx(1, abs=1e-6)
    found = receptive_field(net)["a"]
    for row in range(3):
        reads = explain(net.run(even), "a", row=row, col=0).terms.row
        assert found.cells(0, row) == tuple(np.unique(reads).tolist())


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3", "lanczos5", "area"])
def test_a_filter_s_field_without_borders_is_the_one_in_the_middle(interpolation):
    """The closed form against the cells that units far from the borders read."""
    for size, units in ((60, 40), (40, 60), (60, 20), (25, 50)):
        antialias = interpolation != "area" and units < size
        link = samples(Span(size, 0, size, units), interpolation, antialias).link(0)
        for u in range(units // 2 - 5, units // 2 + 5):
            read = [cell for cell in link.cells[u].tolist() if cell >= 0]
            first, last = link.without_borders(u)
            # A weight at the very end of a filter may round to 0 or away from it.
            assert abs(min(read) - first) <= antialias
            assert abs(max(read) - last) <= antialias


def test_the_odd_cell_of_a_crop_is_left_at_the_bottom_and_right():
    crop = Layer.from_config("crop", "CenterCrop", {"height": 2, "width": 2})
    x = np.arange(15.0).reshape(1, 5, 3, 1)
    np.testing.assert_array_equal(crop.before_activation(x)[0, :, :, 0], [[3, 4], [6, 7]])


def enlarged(rows: int = 4, cols: int = 6) -> Network:
    """Two rows and three columns, made twice as many."""
    return Network([image(2, 3, 1), layer("large", "CenterCrop", "image", height=rows, width=cols)])


def test_four_cells_by_hand():
    """Twice as large, units lie a quarter of the way from a cell to its neighbours."""
    x = np.array([[0.0, 16.0, 32.0], [64.0, 80.0, 96.0]]).reshape(1, 2, 3, 1)
    for dtype in (np.float32, np.float64):
        found = enlarged().astype(dtype).predict(x)[0, :, :, 0]
        columns, rows = np.array([0, 4, 12, 20, 28, 32]), np.array([0, 16, 48, 64])
        np.testing.assert_array_equal(found, rows[:, None] + columns)


def test_a_receipt_has_the_cells_that_are_read_and_no_other():
    run = enlarged().run(normal(1, 2, 3, 1))
    inner = explain(run, "large", row=1, col=2).terms
    np.testing.assert_array_equal(inner.weight, [[[0.75 * 0.25, 0.75 * 0.75], [0.25 * 0.25, 0.25 * 0.75]]])
    np.testing.assert_array_equal(inner.row, [[[0, 0], [1, 1]]])
    np.testing.assert_array_equal(inner.col, [[[0, 1], [0, 1]]])
    # At the border there is nothing to lie between.
    assert explain(run, "large", row=0, col=2).terms.weight.tolist() == [[[0.25, 0.75]]]
    corner = explain(run, "large", row=3, col=5)
    assert corner.terms.weight.tolist() == [[[1]]]
    assert "the number itself" in str(corner)
    text = str(explain(run, "large", row=1, col=2))
    assert "reads image, rows 0 to 1, columns 0 to 1" in text
    assert "sum of 4 products" in text


def test_receipts_are_written_in_every_form(tmp_path: Path):
    model = keras.Sequential([keras.Input((5, 4, 2), name="image"), L.CenterCrop(7, 3, name="middle")])
    net = cnnviz.load_model(write(model, tmp_path / "crop.keras"))
    run = net.run(normal(1, 5, 4, 2))
    receipt = explain(run, "middle", row=2, col=1, channel=1)
    assert receipt._repr_html_()
    assert r"\begin{" in receipt.to_latex()
    assert receipt.plot().alt
    assert {node.cell.layer for node in receipt.trace(follow=None).walk()} == {"middle", "image"}
    for library in ("cnnviz", "keras"):
        namespace: dict[str, Any] = {}
        exec(receipt.to_code(library).replace("print(", "found = ("), namespace)
        assert np.float32(namespace["found"]) == receipt.value
    assert cnnviz.verify(net, normal(3, 5, 4, 2))
    cnnviz.view(net, normal(5, 4, 2)).save(tmp_path / "view.html")
    assert "middle" in (tmp_path / "view.html").read_text()


NEAREST = {"interpolation": "nearest"}
PADDED = {**NEAREST, "pad_to_aspect_ratio": True}


@pytest.mark.parametrize(
    ("kind", "options", "shape", "operation"),
    [
        ("CenterCrop", {}, (6, 7, 2), "move"),
        ("CenterCrop", {}, (4, 6, 2), "move"),
        ("CenterCrop", {}, (3, 9, 2), "sample"),
        ("Resizing", {}, (3, 9, 2), "sample"),
        ("Resizing", {}, (4, 6, 2), "move"),
        ("Resizing", NEAREST, (3, 9, 2), "move"),
        ("Resizing", PADDED, (3, 9, 2), "move"),
        ("Resizing", {**PADDED, "fill_value": 1.0}, (3, 9, 2), "sample"),
    ],
)
def test_the_browser_moves_what_is_only_moved(kind, options, shape, operation):
    found = Layer.from_config("a", kind, {"height": 4, "width": 6, **options})
    (stage,) = found.entry.browser(found, Drawn((shape,), (4, 6, 2), (shape,)))
    assert stage.op["type"] == operation
    assert stage.exact == (operation == "move")
    if operation == "move":
        x = normal(1, *shape)
        moved = np.append(0, x.ravel())[stage.arrays["a/from"]]
        np.testing.assert_array_equal(moved, found.before_activation(x).ravel())


def test_a_network_that_resizes_works_everywhere(tmp_path: Path):
    """Pixels of any size in; what `CenterCrop` shows above holds of the other class."""
    image_of_any_size = keras.Input((None, None, 3), name="image")
    middle = L.Resizing(8, 8, name="small")(image_of_any_size)
    scaled = L.Rescaling(1 / 128, offset=-1, name="scaled")(middle)
    out = L.Dense(3, activation="softmax", name="out")(L.Flatten()(L.Conv2D(2, 3)(scaled)))
    model = keras.Model(image_of_any_size, out, name="resized")
    net = cnnviz.load_model(write(model, tmp_path / "resized.keras"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 13, 21, 3), np.uint8)
    np.testing.assert_allclose(net.predict(pixels), model(pixels.astype(np.float32)), rtol=0, atol=1e-5)
    assert cnnviz.verify(net, pixels)
    run = net.run(pixels)
    receipt = explain(run, "small", row=3, col=7, channel=2)
    for library in ("cnnviz", "keras"):
        namespace: dict[str, Any] = {}
        exec(receipt.to_code(library).replace("print(", "found = ("), namespace)
        assert np.float32(namespace["found"]) == receipt.value
    assert {node.cell.layer for node in receipt.trace(follow=None).walk()} == {"small", "image"}
    assert run.gradient("out", unit=1).wrt_input.shape == pixels.shape
    cnnviz.view(net, pixels[0]).save(tmp_path / "view.html")
    assert "small" in (tmp_path / "view.html").read_text()
    assert receptive_field(net, (13, 21))["scaled"].size == (2, 2)
    assert receptive_field(net)["scaled"].stride == (None, None)


def test_pixels_stay_pixels():
    """A network that scales its input is given 0..255, also where it first makes images larger."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 1), np.uint8)
    net = Network([*enlarged(), layer("scaled", "Rescaling", "large", scale=1 / 256)])
    np.testing.assert_array_equal(net.predict(pixels), net.predict(pixels.astype(np.float32)))


def test_sizes_need_not_be_known(tmp_path: Path):
    model = keras.Sequential([keras.Input((None, None, 2), name="image"), L.CenterCrop(5, 4, name="middle")])
    net = cnnviz.load_model(write(model, tmp_path / "any.keras"))
    assert net["middle"].output_shape == (5, 4, 2)
    for height, width in ((5, 4), (9, 12), (3, 30), (30, 3), (1, 1)):
        x = normal(2, height, width, 2).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_array_equal(net.predict(x), model(x).numpy())
        field = receptive_field(net, (height, width))["middle"]
        assert field.shape == (5, 4, 2)
    # Images that are large enough are cropped; where, depends on their size.
    field = receptive_field(net)["middle"]
    assert (field.stride, field.padding) == ((1, 1), (None, None))


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_a_number_that_is_none_reaches_only_who_reads_it(special):
    x = normal(1, 7, 8, 1).astype(np.float32)
    x[0, 3, 4] = special
    net = Network([image(7, 8, 1), layer("large", "CenterCrop", "image", height=11, width=9)])
    found = net.predict(x)[0, :, :, 0]
    np.testing.assert_array_equal(found, L.CenterCrop(11, 9)(x).numpy()[0, :, :, 0])
    fed = receptive_field(net)["large"].projective_mask(3, 4)
    np.testing.assert_array_equal(~np.isfinite(found), fed)


def test_the_table_keeps_its_numbers_behind_a_resizing():
    """From eight rows to twelve a unit is two thirds of a cell; its field reaches to both neighbours."""
    net = Network([image(8, 8, 1), layer("large", "CenterCrop", "image", height=12, width=12)])
    field = receptive_field(net)["large"]
    assert field.size == (2, 2)
    assert [str(stride) for stride in field.stride] == ["2/3", "2/3"]
    assert field.center(1, 4) == (0.5, 2.5)
    assert field.cells(0, 1) == (0, 1)
    assert field.box(4, 0) == ((2, 3), (0, 0))


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("CenterCrop", {"height": 0, "width": 2}, "height must be a positive int, got 0"),
        ("CenterCrop", {"height": 2, "width": None}, "width must be a positive int, got None"),
        ("CenterCrop", {"height": 2, "width": 10**9}, r"\(height, width\) must be at most 65536"),
        ("CenterCrop", {"height": 2, "width": 2, "data_format": "channels_first"}, "channels_first"),
        ("Resizing", {"interpolation": "cubic"}, "interpolation must be 'bilinear', 'nearest'.* got 'cubic'"),
        ("Resizing", {"antialias": 1}, "antialias must be true or false"),
        ("Resizing", {"fill_mode": "reflect"}, "fill_mode='reflect' is not supported"),
        ("Resizing", {"fill_value": None}, "fill_value must be a finite number"),
        ("Resizing", {"crop_to_aspect_ratio": 1}, "crop_to_aspect_ratio must be true or false"),
        ("Resizing", {"pad_to_aspect_ratio": True, "crop_to_aspect_ratio": True}, "only one of"),
    ],
)
def test_what_is_refused(kind, config, message):
    with pytest.raises(ValueError, match=message):
        Layer.from_config("a", kind, {"height": 3, "width": 3, **config})


def test_an_image_without_cells_is_refused():
    crop = Layer.from_config("crop", "CenterCrop", {"height": 2, "width": 2})
    with pytest.raises(ValueError, match="at least one cell, got 0 x 3"):
        crop.before_activation(np.zeros((1, 0, 3, 1)))
