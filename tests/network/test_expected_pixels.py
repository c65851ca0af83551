"""The scale in which a network wants its pixels: from its layers, its name, and Keras's own table."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network
from cnnviz.images.preprocessing import preprocess
from cnnviz.network.expected_pixels import APPLICATIONS, expected_pixels
from harness.authority import keras
from harness.networks import conv, image, layer

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def named(name: str, channels: int = 3, prefix: str = "") -> Network:
    """A network of one layer, which may lie in a model of some name."""
    return Network([image(32, 32, channels), conv(f"{prefix}first", "image", channels, 2)], name=name)


@pytest.mark.parametrize(
    "front",
    [
        [("Rescaling", {"scale": 1 / 127.5, "offset": -1.0})],
        [("ZeroPadding2D", {}), ("RandomFlip", {}), ("Rescaling", {"scale": 1 / 255})],
        [("Resizing", {"height": 16, "width": 16}), ("Normalization", {"mean": 100.0, "variance": 9.0})],
    ],
)
def test_a_network_that_scales_pixels_itself_gets_them_as_they_are(front):
    layers = [image(32, 32, 3)]
    for i, (kind, config) in enumerate(front):
        layers.append(layer(f"front_{i}", kind, layers[-1].name, **config))
    net = Network([*layers, conv("first", layers[-1].name, 3, 2)], name="mobilenetv2_1.00_32")
    found = expected_pixels(net)
    assert (found.mode, found.sure) == ("none", True)
    assert found.because == f"because its layer {layers[-1].name} ({front[-1][0]}) scales the pixels itself"
    np.testing.assert_array_equal(net.predict(PIXELS), net.predict(PIXELS.astype(np.float32)))


CONSTRUCTORS = {
    name: module
    for module in vars(keras.applications).values()
    if isinstance(module, ModuleType)
    for name, value in vars(module).items()
    if name[0].isupper() and "weights" in inspect.signature(value).parameters
}
NAMES = {"MobileNet": "mobilenet_0.50_128", "MobileNetV2": "mobilenetv2_1.40_None"}
"""Those that are made of a size and a width; the others are defaults of an argument."""


@pytest.mark.parametrize("constructor", sorted(CONSTRUCTORS))
def test_every_application_gets_what_its_preprocess_input_makes(constructor):
    """The networks whose `preprocess_input` does nothing have layers for it."""
    module = CONSTRUCTORS[constructor]
    default = inspect.signature(getattr(module, constructor)).parameters["name"].default
    name = NAMES.get(constructor) or default
    theirs = module.preprocess_input(PIXELS.astype(np.float32))
    net = named(name)
    if (theirs != PIXELS).any():
        np.testing.assert_array_equal(preprocess(PIXELS, expected_pixels(net).mode), theirs)
        # predict does the same to integers.
        np.testing.assert_array_equal(net.run(PIXELS).input, theirs[np.newaxis])


def test_a_model_within_the_network_says_it_too():
    found = expected_pixels(named("functional", prefix="resnet50/"))
    assert found.mode == "caffe"
    assert found.because == "because the model called resnet50 is ResNet, which Keras trains so"
    deep = named("functional", prefix="mine/resnet50/")
    assert expected_pixels(deep).mode == "caffe"


def test_a_model_further_on_says_nothing():
    net = Network([image(32, 32, 3), conv("mine", "image", 3, 3), conv("resnet50/first", "mine", 3, 2)])
    assert not expected_pixels(net).sure


@pytest.mark.parametrize("constructor", ["MobileNetV2", "VGG16", "ResNet50"])
def test_layers_names_tell_the_architecture_where_the_model_has_another_name(constructor):
    base = getattr(keras.applications, constructor)(weights=None, include_top=False, input_shape=(32, 32, 3))
    names = {each.name for each in base.layers}
    fitting = [known for known in APPLICATIONS if known.layers and names.issuperset(known.layers)]
    assert re.fullmatch(fitting[0].name, base.name)


def test_a_name_that_fits_none_says_nothing():
    for name in ("my_resnet50", "resnet50_finetuned", "sequential"):
        assert not expected_pixels(named(name)).sure
    # These modes take the means of three colours.
    grey = named("vgg16", channels=1)
    assert expected_pixels(grey).mode == "unit"
    np.testing.assert_array_equal(
        grey.run(PIXELS[..., :1]).input, preprocess(PIXELS[np.newaxis, ..., :1], "unit")
    )


def test_the_bundled_networks_read_digits():
    net = cnnviz.load_model("mnist_14k")
    assert expected_pixels(net)[::2] == ("digit", True)
    (x, _) = cnnviz.load_mnist()[1]
    np.testing.assert_array_equal(net.predict(x[:3]), net.predict(x[:3].astype(np.float32) / 255))


def test_several_inputs_are_asked_for_by_name():
    net = Network(
        [
            image(8, 8, 3, name="left"),
            image(8, 8, 3, name="right"),
            layer("scaled", "Rescaling", "left", scale=1 / 255),
            layer("sum", "Add", "scaled", "right"),
        ]
    )
    assert expected_pixels(net, "left").mode == "none"
    assert not expected_pixels(net, "right").sure
    with pytest.raises(ValueError, match="input must be one of network's inputs, left, right, got None"):
        expected_pixels(net)


def test_what_is_no_picture_gets_the_usual_and_says_so():
    net = Network([image(10), Layer("same", "Identity", inputs=("image",))])
    found = expected_pixels(net)
    assert (found.mode, found.sure) == ("unit", False)
    assert "if its answers make no sense, say which preprocess" in str(found)


def test_arithmetic_in_front_scales_pixels_too(tmp_path):
    """As TensorFlow's tutorials write it, `preprocess_input` within the graph included."""
    fronts = {
        "x / 255": lambda x: x / 255,
        "x / 127.5 - 1": lambda x: x / 127.5 - 1,
        "caffe": keras.applications.vgg16.preprocess_input,
        "torch": keras.applications.densenet.preprocess_input,
        "tf": keras.applications.mobilenet_v2.preprocess_input,
    }
    for name, front in fronts.items():
        x = keras.Input((32, 32, 3))
        model = keras.Model(x, keras.layers.Conv2D(2, 3)(front(x)), name="vgg16")
        model.save(tmp_path / "model.keras")
        net = cnnviz.load_model(tmp_path / "model.keras")
        assert expected_pixels(net)[::2] == ("none", True), name
        theirs = model(PIXELS[np.newaxis].astype(np.float32), training=False).numpy()
        scale = float(np.abs(theirs).max())
        # Sums of 28 terms that cancel at most tenfold.
        np.testing.assert_allclose(net.predict(PIXELS), theirs, rtol=0, atol=280 * 2.0**-24 * scale)
