"""The numbers in a picture are the numbers that were given, in place, on the scale they share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import Network, channels, figures, kernels, load_image, load_mnist, load_model, ops
from cnnviz.images.input_pictures import input_picture
from cnnviz.images.preprocessing import preprocess
from cnnviz.network.mistakes import Mistake
from harness.networks import conv, image

RNG = np.random.default_rng(11)
MAPS = RNG.standard_normal((5, 6, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def run():
    return load_model("mnist_14k").run(load_mnist()[1][0][3])


def arrays(images):
    return [np.asarray(image.get_array()) for image in images]


def limits(image):
    return image.norm.vmin, image.norm.vmax


def test_feature_maps_draws_every_channel_as_it_is_on_one_scale():
    picture = figures.feature_maps(MAPS)
    for channel, drawn in enumerate(arrays(picture["maps"])):
        assert_array_equal(drawn, MAPS[:, :, channel])
        assert drawn.dtype == np.float32
    largest = float(np.abs(MAPS).max())
    assert {limits(image) for image in [*picture["maps"], picture["legend"]]} == {(-largest, largest)}


def test_feature_maps_takes_the_scale_of_what_it_is_compared_with():
    picture = figures.feature_maps(MAPS[:, :, :1], scale=figures.Scale.of(MAPS * 3))
    assert limits(picture["maps"][0]) == limits(picture["legend"])
    assert picture["legend"].norm.vmax == pytest.approx(3 * np.abs(MAPS).max())


def test_network_maps_holds_every_channel_of_every_layer(run):
    layers = figures.layers_of(run)
    picture = figures.network_maps(layers)
    images = iter(picture["maps"])
    for layer, scale in zip(layers, picture["scales"], strict=True):
        values = layer.values.reshape(1, 1, -1) if layer.values.ndim == 1 else layer.values
        rows, cols, count = values.shape
        repeat = -(-24 // cols) if cols < 24 else 1
        image = next(images)
        cells = np.ma.filled(np.ma.masked_invalid(image.get_array()), np.nan)
        gap = (cells.shape[1] - count * cols * repeat) // max(count - 1, 1)
        for channel in range(count):
            start = channel * (cols * repeat + gap)
            tile = cells[::repeat, start : start + cols * repeat : repeat]
            assert tile.shape == (rows, cols)
            assert_array_equal(tile, values[:, :, channel])
        assert limits(image) == (scale.low, scale.limit)
        if not layer.pixels:
            assert scale.limit == np.abs(values).max()


def test_network_maps_can_share_one_scale(run):
    layers = figures.layers_of(run)
    picture = figures.network_maps(layers, shared=True)
    largest = max(float(np.abs(layer.values).max()) for layer in layers if not layer.pixels)
    assert {limits(image) for image in picture["maps"][1:]} == {(-largest, largest)}


def test_layers_of_leaves_out_what_changes_nothing(run):
    names = [layer.name for layer in figures.layers_of(run)]
    kinds = {run.network[name].kind for name in names}
    assert "Dropout" not in kinds
    assert "Flatten" not in kinds
    assert {"InputLayer", "Conv2D", "BatchNormalization", "MaxPooling2D"} <= kinds
    notes = {layer.name: layer.note for layer in figures.layers_of(run)}
    assert notes["conv2d_1"] == "24 × 24 × 16, sees 5 × 5"


@pytest.mark.parametrize(("layer", "row", "col", "channel"), [("conv2d", 0, 25, 3), ("conv2d_1", 7, 9, 0)])
def test_convolution_step_adds_up_to_the_networks_number(run, layer, row, col, channel):
    weights = run.network[layer].weights
    output = run.pre_activation(layer)[0, :, :, channel]
    picture = figures.convolution_step(
        run.inputs(layer)[0],
        weights["kernel"][:, :, :, channel],
        weights["bias"][channel],
        row=row,
        col=col,
        output=output,
    )
    assert picture["total"].dtype == np.float32
    x, k = run.inputs(layer)[0][0], weights["kernel"][:, :, :, channel]
    terms = x[row : row + 3, col : col + 3].astype(float) * k
    # Any order of summing n terms is within n units of roundoff of their magnitudes.
    bound = (terms.size + 1) * 2**-24 * (np.abs(terms).sum() + abs(float(weights["bias"][channel])))
    assert abs(float(picture["total"]) - (terms.sum() + float(weights["bias"][channel]))) <= bound
    assert abs(float(picture["total"]) - float(output[row, col])) <= 2 * bound
    shown = int(np.abs(picture["partial_sums"]).argmax())
    assert_array_equal(picture["patch"].get_array(), x[row : row + 3, col : col + 3, shown])
    assert_array_equal(picture["kernel"].get_array(), k[:, :, shown])
    assert_array_equal(
        picture["products"].get_array(), picture["patch"].get_array() * picture["kernel"].get_array()
    )
    assert_array_equal(picture["output"].get_array(), output)
    assert limits(picture["patch"]) == limits(picture["input"])


@pytest.mark.parametrize(
    "options", [{"padding": "same"}, {"strides": 2}, {"dilation_rate": 2, "padding": "same"}]
)
def test_convolution_step_reads_where_the_engine_reads(options):
    x, kernel = MAPS, RNG.standard_normal((3, 2, 4, 1))
    output = ops.conv2d(x.astype(float), kernel, **options)[:, :, 0]
    for row, col in np.ndindex(output.shape):
        picture = figures.convolution_step(x, kernel[:, :, :, 0], row=row, col=col, output=output, **options)
        assert float(picture["total"]) == pytest.approx(output[row, col])


def test_kernel_tiles_share_a_scale_unless_told_and_then_say_so():
    weights = RNG.standard_normal((3, 3, 5)) * [1, 2, 3, 4, 5]
    together, apart = figures.kernel_tiles(weights), figures.kernel_tiles(weights, shared=False)
    for k in range(5):
        assert_array_equal(together["kernels"][k].get_array(), weights[:, :, k])
        assert limits(together["kernels"][k]) == limits(together["legend"])
        assert limits(apart["kernels"][k])[1] == np.abs(weights[:, :, k]).max()


def test_kernel_response_is_drawn_beside_its_own_kernel():
    image, kernel = RNG.random((7, 7)), kernels.laplacian()
    response = ops.conv2d(image, kernel[:, :, None, None])
    picture = figures.kernel_response(image, kernel, response)
    assert_array_equal(picture["image"].get_array(), image)
    assert_array_equal(picture["kernel"].get_array(), kernel)
    assert_array_equal(picture["response"].get_array(), response)


def test_pixel_mixing_gives_what_the_layer_gives(run):
    layer = run.network["conv2d_2"]
    matrix = channels.mixing_matrix(layer.weights["kernel"])
    picture = figures.pixel_mixing(run.inputs("conv2d_2")[0][0, 5, 6], matrix, layer.weights["bias"])
    assert_array_equal(picture["matrix"].get_array(), matrix)
    assert_array_equal(picture["result"].get_array()[0], picture["outputs"])
    # Sums of 16 float32 products, in whatever order.
    expected = run.pre_activation("conv2d_2")[0, 5, 6]
    bound = 34 * 2**-24 * (np.abs(run.inputs("conv2d_2")[0][0, 5, 6]) @ np.abs(matrix) + 1)
    assert (np.abs(picture["outputs"] - expected) <= bound).all()


def test_before_and_after_are_drawn_on_one_scale():
    picture = figures.before_and_after(MAPS, np.maximum(MAPS, 0))
    for channel in range(4):
        assert_array_equal(picture["before"][channel].get_array(), MAPS[:, :, channel])
        assert_array_equal(picture["after"][channel].get_array(), np.maximum(MAPS, 0)[:, :, channel])
        assert limits(picture["before"][channel]) == limits(picture["after"][channel])


def test_bars_are_as_long_as_their_values():
    values = np.array([0.0, 0.25, 1.0])
    for picture in (
        figures.bars(values, ["a", "b", "c"], inner=values / 2),
        figures.probabilities(values / 1.25),
    ):
        lengths = np.array([bar.get_width() for bar in picture["bars"]])
        assert_allclose(lengths / lengths[2], values)
    inner = figures.bars(values, ["a", "b", "c"], inner=values / 2)
    assert inner["inner"][2].get_width() == pytest.approx(inner["bars"][2].get_width() / 2)


def test_probabilities_say_what_was_right():
    assert figures.probabilities(np.float32([0.0, 1.0])).alt == "Predicted 1. 0: < 0.01 %; 1: > 99.99 %."
    assert figures.probabilities([0.2, 0.8], label=0).alt.startswith("Predicted 1; the true label is 0.")
    assert "true label" in [t.get_text() for t in figures.probabilities([0.2, 0.8], label=0).ax.texts][1]


def test_of_many_classes_the_likeliest_are_drawn_and_the_rest_is_said():
    values = np.random.default_rng(0).dirichlet(np.full(1000, 0.1))
    names = [f"class called {k}" for k in range(1000)]
    picture = figures.probabilities(values, classes=names, label=3)
    order = np.argsort(-values, kind="stable")[:10].tolist()
    assert 3 not in order
    shown = [*values[order], values[3], 1 - values[order].sum() - values[3]]
    unit = picture["bars"][0].get_width() / values[order[0]]
    assert_allclose([bar.get_width() for bar in picture["bars"]], np.multiply(shown, unit), rtol=1e-6)
    assert f"Predicted class called {order[0]}; the true label is class called 3." in picture.alt
    assert "class called 3: " in picture.alt
    assert "989 others: " in picture.alt
    assert len(figures.probabilities(values, top=3)["bars"]) == 4
    assert len(figures.probabilities(values[:20])["bars"]) == 20


def test_classes_have_their_names_in_every_figure_of_scores():
    names = ["tench", "goldfish"]
    assert "goldfish: 90" in figures.probabilities([0.1, 0.9], classes=names).alt
    assert "tench: +1" in figures.class_columns([1.0, -2.0], classes=names).alt
    off = figures.channels_off([0.25, 0.75], [[0.25, 0.75], [0.9, 0.1]], classes=dict(enumerate(names)))
    assert "goldfish with 75" in off.alt
    assert "so tench is predicted" in off.alt
    found = [Mistake(0, 0, ((1, 0.75), (0, 0.25)))]
    wrong = figures.hard_cases(found, np.zeros((1, 8, 8), "uint8"), classes=names)
    assert "Image 0 is a tench: goldfish with 75 %" in wrong.alt
    for draw in (figures.probabilities, figures.class_columns):
        with pytest.raises(
            ValueError, match="classes must have one name for each of the network's 2 classes, got 1"
        ):
            draw([0.1, 0.9], classes=["tench"])
    with pytest.raises(ValueError, match="classes must name class 1 too, got 1 names"):
        figures.hard_cases(found, np.zeros((1, 8, 8), "uint8"), classes=["tench"])


def test_magnitudes_lie_on_a_logarithmic_scale():
    picture = figures.magnitudes([("a", (1e-6,)), ("b", (1e-5,)), ("c", (1e-4,)), ("d", (0.0,))], ["x"])
    x = [mark.center[0] for mark in picture["marks"][0]]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1])
    assert x[3] == x[0], "zero lies at the left end"


def test_the_activations_curve_is_the_function_and_the_histogram_counts():
    values = RNG.standard_normal(500)
    picture = figures.activation_curve(ops.relu, values, name="relu")
    z, y = picture["curve"].get_data()
    assert_array_equal(y, np.maximum(z, 0))
    assert picture["counts"].sum() == 500
    assert 0.0 in picture["edges"].round(12), "no bar holds both signs"
    positive = picture["counts"][picture["edges"][:-1] >= -1e-12].sum()
    assert positive == (values >= 0).sum()


def test_the_error_curve_is_its_series():
    picture = figures.error_curve([1.0, 0.4, 0.0], 1)
    assert_array_equal(picture["curve"].get_ydata(), [1.0, 0.4, 0.0])
    assert picture["point"].get_xydata().tolist() == [[1.0, 0.4]]


def test_an_image_of_bytes_ends_at_255():
    pixels = np.arange(4, dtype=np.uint8).reshape(2, 2)
    assert limits(figures.image_of(pixels)["image"]) == (0, 255)
    assert limits(figures.image_of(pixels / 255)["image"]) == (0, 1)


def test_the_strongest_cell_and_channel():
    maps = np.zeros((3, 4, 2))
    maps[2, 1, 1] = 5
    assert figures.strongest(maps[:, :, 1]) == (2, 1)
    assert figures.strongest_channel(maps) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.feature_maps(np.zeros((2, 3, 4, 5))), r"maps must be .* got shape \(2, 3, 4, 5\)"),
        (
            lambda: figures.feature_maps(np.zeros((3, 4, 5)), labels=["a"]),
            "labels must have one entry for each of 5",
        ),
        (lambda: figures.single_map([1.0]), r"values must be \(H, W\) and not empty, got shape \(1,\)"),
        (lambda: figures.network_maps([]), "layers must not be empty"),
        (lambda: figures.bars([-1.0], ["a"]), "values must not be negative or NaN, got -1"),
        (lambda: figures.magnitudes([("a", (1.0, 2.0))], ["x"]), "one value for each of 1 to 3 series"),
        (lambda: figures.error_curve([1.0], 1), "hold k=1"),
        (lambda: figures.pixel_mixing(np.ones((2, 2)), np.ones((2, 3))), r"values must be \(C_in,\)"),
        (
            lambda: figures.before_and_after(np.ones((2, 2, 1)), np.ones((2, 2, 2))),
            "before and after must have one shape",
        ),
        (
            lambda: figures.convolution_step(MAPS, np.ones((3, 3, 2)), row=0, col=0, output=np.ones((3, 4))),
            r"kernel must be \(kh, kw, 4\)",
        ),
        (
            lambda: figures.convolution_step(MAPS, np.ones((3, 3, 4)), row=3, col=0, output=np.ones((3, 4))),
            r"output must be \(3, 4\) and hold \(3, 0\)",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Pictures in their colours --------------------------------------------------------------------------

PHOTOGRAPH = RNG.integers(0, 256, (12, 9, 3)).astype(np.uint8)


def shown(image):
    """What is drawn of a picture, as the bytes 0..255 that a file has."""
    return np.rint(255 * np.asarray(image.get_array())).astype(np.uint8)


@pytest.mark.parametrize("mode", ["unit", "tf", "caffe", "torch", "none"])
def test_a_colour_picture_is_drawn_as_it_was_before_it_was_prepared(mode):
    # 12 by 9 pixels with the whole range of each plane, as a photograph has it.
    photograph = PHOTOGRAPH.copy()
    photograph[0, 0], photograph[0, 1] = 0, 255
    x = preprocess(photograph, mode)
    assert_array_equal(shown(figures.image_of(x, preprocess=mode)["image"]), photograph)
    picture = input_picture(x, mode)
    maps = figures.network_maps([figures.LayerMaps("input", x, pixels=True, picture=picture)])
    assert_array_equal(shown(maps["maps"][0])[::3, ::3], photograph)
    assert maps["legends"] == maps["scales"] == [None]
    seen = figures.Seen("input", x, ((0, 1), (0, 1)), pixels=True, picture=picture)
    path = figures.receptive_path([seen])
    assert_array_equal(shown(path["maps"][0]), photograph)
    assert path["channels"] == [None]


def test_a_picture_that_is_not_drawn_as_it_is_says_so():
    x = PHOTOGRAPH - 40.5
    picture = figures.image_of(x)
    assert_allclose(picture["image"].get_array(), (x - x.min()) / np.ptp(x), atol=1e-12)
    assert f"drawn from {x.min():g} to {x.max():g}" in picture.alt
    assert "the preprocessing 'tf' undone" in figures.image_of(x / 300, preprocess="tf").alt
    assert "drawn from" not in figures.image_of(PHOTOGRAPH).alt
    # Numbers that no picture becomes by that mode are not taken for one.
    assert "drawn from" in figures.image_of(x, preprocess="torch").alt


def test_figures_of_several_images_take_colour():
    boxes = [((0, 3), (2, 5))] * 2
    both = np.stack([PHOTOGRAPH, 255 - PHOTOGRAPH])
    picture = figures.exciting_digits(both, boxes, [2.0, 1.0], titles=["0", "1"])
    assert_array_equal(shown(picture["images"][1]), both[1])
    assert_array_equal(shown(picture["patches"][0]), PHOTOGRAPH[:4, 2:6])
    wrong = [Mistake(1, 0, ((1, 0.75), (0, 0.25)))]
    assert_array_equal(shown(figures.hard_cases(wrong, both)["images"][0]), both[1])


@pytest.mark.parametrize("planes", [("red", "green", "blue"), ("blue", "green", "red")])
def test_a_kernel_over_colours_is_three_planes_on_one_scale_and_a_colour_picture(planes):
    kernel = RNG.standard_normal((3, 3, 3, 5))
    picture = figures.kernel_tiles(kernel, planes=planes)
    limit = np.abs(kernel).max()
    for k in range(5):
        for channel, drawn in enumerate(picture["kernels"][k]):
            assert_array_equal(drawn.get_array(), kernel[:, :, channel, k])
            assert limits(drawn) == limits(picture["legend"]) == (-limit, limit)
        red = kernel[:, :, planes.index("red"), k]
        assert_allclose(picture["pictures"][k].get_array()[:, :, 0], 0.5 + red / (2 * limit))
    words = picture.alt[picture.alt.index(" 0: ") : picture.alt.index(" 1: ")]
    assert [words.index(name) for name in planes] == sorted(words.index(name) for name in planes)


def test_kernels_of_other_shapes_are_refused():
    assert len(figures.kernel_tiles(RNG.standard_normal((3, 3, 1, 5)))["kernels"]) == 5
    for bad in (np.ones((3, 3, 2, 5)), [np.ones((3, 3, 4))], np.ones((3, 3, 0))):
        with pytest.raises(ValueError, match=r"kernels must be \(kh, kw, N\).*over colours \(kh, kw, 3, N\)"):
            figures.kernel_tiles(bad)
    with pytest.raises(ValueError, match="planes must be red, green and blue"):
        figures.kernel_tiles(np.ones((3, 3, 3, 5)), planes=("red", "blue"))
    with pytest.raises(ValueError, match=r"pixels must be \(H, W\) or \(H, W, 1\) in grey or \(H, W, 3\)"):
        figures.image_of(np.ones((3, 3, 4)))


@pytest.mark.parametrize("mode", ["unit", "tf", "caffe", "torch", "none"])
def test_a_run_on_a_colour_picture_is_drawn_from_the_picture_on(mode):
    net = Network([image(12, 9, 3), conv("conv", "image", 3, 4)])
    photograph = PHOTOGRAPH.copy()
    photograph[0, 0], photograph[0, 1] = 0, 255
    run = net.run(load_image(photograph, like=net, preprocess=mode))
    maps = figures.network_maps(figures.layers_of(run))
    assert_array_equal(shown(maps["maps"][0])[::3, ::3], photograph)
    path = figures.receptive_path(figures.path_to(run, "conv", 3, 4))
    assert_array_equal(shown(path["maps"][0]), photograph)


def test_what_is_pointed_at_is_the_array_that_was_drawn():
    kernel, pixels = np.arange(9.0).reshape(3, 3), np.random.default_rng(1).random((8, 9))
    picture = figures.patch_matrix(pixels[:5, :5], kernel)
    arrays = [array for array, _ in picture.grids]
    for name, array in zip(("input", "matrix", "kernel", "product", "map"), arrays, strict=True):
        assert_array_equal(array, picture[name].get_array())
    for _, (x, y, width, height) in picture.grids:
        assert min(x, y) >= 0
        assert max(x + width, y + height) <= 1
    # Several maps in one array have gaps, and small ones are repeated.
    maps = [figures.LayerMaps("conv", np.ones((4, 4, 3)))]
    assert figures.network_maps(maps).grids == []
