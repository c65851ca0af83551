"""Networks built by hand: what goes in, what is kept, and what can be exchanged.

That layers compute what Keras computes is in test_keras_file.py.
"""

from __future__ import annotations

import pickle
import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from cnnviz import Layer, Network, ops
from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import normalize_config
from cnnviz.network.inputs import floats
from harness.networks import image, layer

RNG = np.random.default_rng(0)

# Ways of computing one probability differ by the rounding of sums of at most 48 terms, twice over:
# 2 * 48 * 2**-24 of the terms, which cancel at most tenfold.
ROUNDING = 1000 * 2.0**-24


def conv(name: str, feeder: str, channels: int, filters: int, size: int = 3, **config: Any) -> Layer:
    weights = {"kernel": RNG.normal(size=(size, size, channels, filters)), "bias": RNG.normal(size=filters)}
    return layer(name, "Conv2D", feeder, weights=weights, filters=filters, kernel_size=size, **config)


def digits(**config: Any) -> Network:
    """8x8 -conv3(4, relu)-> 6 -drop-> 6 -conv3(3)-> 4 -relu-> -flatten-> -dense(2, softmax)->."""
    kernel, bias = RNG.normal(size=(48, 2)) / 7, RNG.normal(size=2)
    return Network(
        [
            image(8, 8, 1),
            conv("conv", "image", 1, 4, activation="relu", **config),
            layer("drop", "Dropout", "conv", rate=0.5),
            conv("conv_1", "drop", 4, 3),
            layer("relu", "ReLU", "conv_1"),
            layer("flat", "Flatten", "relu"),
            layer(
                "scores",
                "Dense",
                "flat",
                weights={"kernel": kernel, "bias": bias},
                units=2,
                activation="softmax",
            ),
        ],
        name="digits",
    )


@pytest.fixture
def net() -> Network:
    return digits()


def some(count: int = 3) -> np.ndarray:
    return RNG.random((count, 8, 8, 1)).astype(np.float32)


# What goes in -----------------------------------------------------------------------------------


def test_every_accepted_form_of_an_image_is_the_same_image(net):
    x = some(1)
    expected = net.predict(x)
    assert expected.shape == (1, 2)
    for form in (x[0], x[..., 0], x[0, ..., 0], x.tolist(), x.astype(np.float64), x[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(net.predict(form), expected)
        np.testing.assert_allclose(net.run(form).output, expected, rtol=ROUNDING)


def test_a_batch_without_channels(net):
    x = some(5)
    np.testing.assert_array_equal(net.predict(x[..., 0]), net.predict(x))


def test_the_input_shape_settles_what_three_axes_mean():
    """(4, 4, 3) is one image of a colour network, and three axes of a grey one are images."""
    colour = Network([image(4, 4, 3), layer("flat", "Flatten", "image")])
    assert colour.predict(np.zeros((4, 4, 3))).shape == (1, 48)
    grey = Network([image(None, None, 1), layer("mean", "GlobalAveragePooling2D", "image")])
    assert grey.predict(np.zeros((5, 4, 4))).shape == (5, 1)
    assert grey.predict(np.zeros((5, 4, 1))).shape == (1, 1)


@pytest.mark.parametrize(
    ("shape", "accepted"),
    [
        ((8, 8, 1), r"\(N, 8, 8, 1\) or \(N, 8, 8\) or \(8, 8, 1\) or \(8, 8\)"),
        ((8, None, 3), r"\(N, 8, any, 3\) or \(8, any, 3\)"),
        ((7,), r"\(N, 7\) or \(7,\)"),
    ],
)
def test_a_wrong_shape_is_answered_with_the_right_ones(shape, accepted):
    net = Network([image(*shape), layer("flat", "Identity", "image")])
    with pytest.raises(ValueError, match=rf"x for 'image' must be {accepted}, got x.shape=\(2, 9, 9, 2\)"):
        net.predict(np.zeros((2, 9, 9, 2)))


def test_integers_are_pixels(net):
    pixels = RNG.integers(0, 256, (3, 8, 8), np.uint8)
    expected = net.predict(pixels.astype(np.float32) / 255)
    for dtype in (np.uint8, np.int16, np.int64):
        np.testing.assert_array_equal(net.predict(pixels.astype(dtype)), expected)
    assert net.run(pixels).input.max() <= 1
    np.testing.assert_array_equal(
        net.run(np.ones((8, 8), bool)).input, net.run(np.ones((8, 8), np.float32)).input
    )


@pytest.mark.parametrize("wrong", [-1, 256])
def test_integers_that_are_not_pixels_are_refused(net, wrong):
    x = np.zeros((8, 8), int)
    x[3, 3] = wrong
    with pytest.raises(ValueError, match=f"integers for 'image' must be pixels, 0 to 255, got .*{wrong}"):
        net.predict(x)


@pytest.mark.parametrize("config", [{"mean": 0.25}, {"variance": 2.0}, {"mean": 0.25, "invert": True}])
def test_a_normalization_has_both_of_its_numbers_or_neither(config):
    with pytest.raises(ValueError, match="mean and variance must both be None, or of one shape"):
        Network([image(3), layer("scale", "Normalization", "image", **config)])


@pytest.mark.parametrize("kind", ["Rescaling", "Normalization"])
def test_a_network_that_scales_its_input_gets_integers_as_they_are(kind):
    config = {"scale": 0.5} if kind == "Rescaling" else {"mean": 0.0, "variance": 4.0, "axis": None}
    net = Network(
        [image(2, 2, 1), layer("drop", "Dropout", "image"), layer("scale", kind, "drop", **config)],
    )
    np.testing.assert_array_equal(net.predict([[2, 4], [6, 1000]])[0, ..., 0], [[1, 2], [3, 500]])


def test_scaling_after_other_arithmetic_is_not_the_inputs(net):
    late = Network([image(2, 2, 1), layer("relu", "ReLU", "image"), layer("s", "Rescaling", "relu", scale=2)])
    assert late.predict(np.full((2, 2), 255))[0, 0, 0, 0] == 2


@pytest.mark.parametrize("x", ["digit", [["a"]], np.zeros((8, 8), complex), None, [[1], [1, 2]]])
def test_what_holds_no_numbers_is_refused(net, x):
    with pytest.raises((TypeError, ValueError), match=r"x must (hold real|be an array of) numbers"):
        net.predict(x)


def test_the_input_is_copied(net):
    x = some()
    run = net.run(x)
    before = run.input.copy()
    x[:] = 0
    np.testing.assert_array_equal(run.input, before)


# Batches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100, np.int64(2)])
def test_batches_do_not_change_predictions(net, batch_size):
    x = some(7)
    np.testing.assert_allclose(net.predict(x, batch_size), net.predict(x), rtol=ROUNDING)
    assert net.predict(x, batch_size).shape == (7, 2)


def test_an_empty_batch(net):
    assert net.predict(np.zeros((0, 8, 8))).shape == (0, 2)
    assert net.run(np.zeros((0, 8, 8, 1)))["conv"].shape == (0, 6, 6, 4)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, "all"])
def test_bad_batch_sizes_are_refused(net, batch_size):
    with pytest.raises(ValueError, match="batch_size must be a positive int or None, got"):
        net.predict(some(), batch_size)


def test_predict_keeps_only_what_is_still_needed():
    """Twenty layers of one megabyte each: run holds them all, predict three or so at a time."""
    names = ["image", *(f"sum_{i}" for i in range(20))]
    net = Network([image(512, 512, 1), *(layer(b, "Add", a, a) for a, b in pairwise(names))])
    x = np.ones((1, 512, 512, 1), np.float32)
    peaks = {}
    for method in (net.run, net.predict):
        tracemalloc.start()
        method(x)
        peaks[method.__name__] = tracemalloc.get_traced_memory()[1] / x.nbytes
        tracemalloc.stop()
    assert peaks["run"] > 20
    assert peaks["predict"] < 6


def test_the_default_batch_follows_the_largest_activation(monkeypatch):
    up = layer("up", "UpSampling2D", "image", size=32)
    net = Network([image(None, None, 1), up, layer("sum", "Add", "up", "up")])
    sizes = []

    def counted(x: np.ndarray, *rest: Any, **named: Any) -> np.ndarray:
        sizes.append(len(x))
        return floats(x, *rest, **named)

    monkeypatch.setattr("cnnviz.network.inputs.floats", counted)
    net.predict(np.zeros((40, 16, 16)))
    assert max(sizes) == 32 * 2**20 // (512 * 512 * 4)
    assert sum(sizes) == 40


# What is kept -----------------------------------------------------------------------------------


def test_a_run_is_a_mapping_from_names_to_activations(net):
    run = net.run(some())
    assert list(run) == ["image", "conv", "drop", "conv_1", "relu", "flat", "scores"]
    assert len(run) == 7
    assert "conv" in run
    assert "nothing" not in run
    assert run.network is net
    assert {name: array.shape[1:] for name, array in run.items()} == {
        entry.name: entry.output_shape for entry in net
    }
    np.testing.assert_array_equal(run["image"], run.input)
    np.testing.assert_array_equal(run["scores"], run.output)
    np.testing.assert_allclose(run.output, net.predict(run.input), rtol=ROUNDING)


def test_pre_activations(net):
    run = net.run(some())
    kernel, bias = net["conv"].weights["kernel"], net["conv"].weights["bias"]
    np.testing.assert_array_equal(run.pre_activation("conv"), ops.conv2d(run.input, kernel, bias))
    np.testing.assert_array_equal(run["conv"], np.maximum(run.pre_activation("conv"), 0))
    assert run.pre_activation("conv").min() < 0
    assert run.pre_activation("relu") is run["conv_1"]
    assert run.pre_activation("conv_1") is run["conv_1"]
    np.testing.assert_array_equal(run["scores"], ops.softmax(run.pre_activation("scores")))


def test_what_a_layer_read(net):
    run = net.run(some())
    assert run.inputs("image") == ()
    (read,) = run.inputs("conv_1")
    assert read is run["drop"]


def test_activations_cannot_be_written_to(net):
    run = net.run(some())
    for name in run:
        with pytest.raises(ValueError, match="read-only"):
            run[name][...] = 0
    with pytest.raises(ValueError, match="read-only"):
        run.pre_activation("conv")[...] = 0


def test_an_unknown_layer_is_answered_with_similar_names(net):
    run = net.run(some())
    for look in (net.__getitem__, run.__getitem__, run.pre_activation, run.inputs):
        with pytest.raises(KeyError, match="digits has no layer 'conv_2'; did you mean conv_1 or conv"):
            look("conv_2")
    with pytest.raises(KeyError, match="has no layer 'xyz'; there are image, conv, drop"):
        net["xyz"]


def test_aliases_answer_for_a_layer():
    net = Network([image(2, 2, 1), layer("m/relu", "ReLU", "image")], aliases={"m": "m/relu"})
    assert net["m"].name == "m/relu"
    assert "m" in net
    run = net.run(np.ones((2, 2)), edits={"m": np.zeros_like})
    assert run["m"].max() == 0
    assert run.pre_activation("m").max() == 1


# Edits ------------------------------------------------------------------------------------------


def without_channel(channel: int):
    def edit(a: np.ndarray) -> np.ndarray:
        a[..., channel] = 0
        return a

    return edit


def test_an_edit_changes_what_is_behind_it_and_nothing_before(net):
    x = some()
    plain, run = net.run(x), net.run(x, edits={"drop": without_channel(2)})
    np.testing.assert_array_equal(run["conv"], plain["conv"])
    assert run["drop"][..., 2].max() == 0 < plain["drop"][..., 2].max()
    np.testing.assert_array_equal(run["drop"][..., :2], plain["drop"][..., :2])
    zeroed = net["conv_1"].weights["kernel"].copy()
    zeroed[:, :, 2] = 0
    expected = net.with_weights({"conv_1/kernel": zeroed}).run(x)
    np.testing.assert_allclose(run.output, expected.output, rtol=ROUNDING)
    assert not np.array_equal(run.output, plain.output)


def test_an_edit_comes_after_the_activation(net):
    run = net.run(some(), edits={"conv": lambda a: a - 10})
    np.testing.assert_array_equal(run["conv"], np.maximum(run.pre_activation("conv"), 0) - 10)


def test_the_input_can_be_edited(net):
    x = some()
    np.testing.assert_array_equal(net.run(x, {"image": lambda a: a * 0}).output, net.run(x * 0).output)


def test_edits_that_cannot_be_are_refused(net):
    with pytest.raises(ValueError, match=r"must keep the shape of conv, \(3, 6, 6, 4\), got \(3, 6\)"):
        net.run(some(), edits={"conv": lambda a: a[..., 0, 0]})
    with pytest.raises(KeyError, match="no layer 'convolution'"):
        net.run(some(), edits={"convolution": np.zeros_like})


# Exchanging parts -------------------------------------------------------------------------------


def test_with_weights_leaves_the_original_alone(net):
    kernel = np.zeros((3, 3, 1, 4))
    changed = net.with_weights({"conv/kernel": kernel, "conv/bias": [1, 2, -3, 4]})
    np.testing.assert_array_equal(changed.run(some())["conv"][0, 0, 0], [1, 2, 0, 4])
    assert net["conv"].weights["kernel"].any()
    assert changed["conv"].weights["kernel"].dtype == np.float32
    assert changed["conv_1"].weights["kernel"] is net["conv_1"].weights["kernel"]
    kernel[:] = 5
    assert not changed["conv"].weights["kernel"].any()
    with pytest.raises(ValueError, match="read-only"):
        changed["conv"].weights["kernel"][...] = 0


def test_with_weights_refuses_what_does_not_fit(net):
    with pytest.raises(ValueError, match=r"conv/kernel must have shape \(3, 3, 1, 4\), got \(3, 3\)"):
        net.with_weights({"conv/kernel": np.zeros((3, 3))})
    with pytest.raises(KeyError, match=r"conv has no weight 'gamma', it has \['bias', 'kernel'\]"):
        net.with_weights({"conv/gamma": 1})
    with pytest.raises(KeyError, match="no layer 'konv'"):
        net.with_weights({"konv/kernel": 1})
    with pytest.raises(KeyError, match="no layer ''"):
        net.with_weights({"kernel": 1})


def shared_twice() -> Network:
    first = conv("conv", "image", 2, 2, padding="same", activation="relu")
    again = Layer("conv:1", "Conv2D", first.config, first.weights, ("conv",), owner="conv")
    return Network([image(4, 4, 2), first, again])


def test_shared_weights_count_once_and_change_together():
    net = shared_twice()
    assert net.count_params() == (38, 38, 0)
    for name in ("conv", "conv:1"):
        changed = net.with_weights({f"{name}/bias": [7, 7]})
        assert changed["conv"].weights["bias"][0] == changed["conv:1"].weights["bias"][0] == 7
    changed = net.with_activation({"conv:1": "tanh"})
    assert str(changed["conv"].activation) == str(changed["conv:1"].activation) == "tanh"


def test_with_activation(net):
    x = some()
    changed = net.with_activation({"conv": "tanh", "relu": Activation("elu", {"alpha": 0.5}), "scores": None})
    run = changed.run(x)
    np.testing.assert_array_equal(run["conv"], np.tanh(run.pre_activation("conv")))
    np.testing.assert_array_equal(run["relu"], ops.elu(run["conv_1"], alpha=0.5))
    np.testing.assert_array_equal(run["scores"], run.pre_activation("scores"))
    assert changed["relu"].kind == "Activation"
    assert changed["relu"].is_activation
    assert str(net["conv"].activation) == "relu"
    np.testing.assert_array_equal(net.run(x)["conv"], np.maximum(run.pre_activation("conv"), 0))
    linear = net.with_activation({"relu": None}).run(x)
    np.testing.assert_array_equal(linear["relu"], linear["conv_1"])


def test_with_activation_drops_the_slopes_of_a_prelu():
    slopes = layer("slopes", "PReLU", "image", weights={"alpha": np.full((2, 2, 1), 0.5)})
    net = Network([image(2, 2, 1), slopes])
    assert net.predict(np.full((2, 2), -2.0))[0, 0, 0, 0] == -1
    changed = net.with_activation({"slopes": "relu"})
    assert changed.count_params() == (0, 0, 0)
    assert changed.predict(np.full((2, 2), -2.0)).max() == 0


def test_with_activation_refuses_what_has_none(net):
    with pytest.raises(ValueError, match="flat is a Flatten, which has no activation to exchange"):
        net.with_activation({"flat": "relu"})
    with pytest.raises(ValueError, match=r"activation must be one of keras.activations.* got 'rely'"):
        net.with_activation({"conv": "rely"})


def test_astype(net):
    double = net.astype(np.float64)
    assert (net.dtype, double.dtype) == (np.float32, np.float64)
    x = some().astype(np.float64) + 1e-9
    assert net.run(x).input.dtype == np.float32
    np.testing.assert_array_equal(double.run(x).input, x)
    assert double.predict(x).dtype == np.float64
    np.testing.assert_allclose(double.predict(x), net.predict(x), rtol=ROUNDING)
    assert double.astype("float32").predict(x).dtype == np.float32
    with pytest.raises(ValueError, match="dtype must be float32 or float64"):
        net.astype(np.float16)


def test_networks_can_be_pickled(net):
    x = some()
    net.predict(x)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict(x), net.predict(x))


# Shapes and counts ------------------------------------------------------------------------------


def test_shapes_and_sizes(net):
    assert (net.input_shape, net.output_shape) == ((8, 8, 1), (2,))
    assert [entry.output_shape for entry in net.layers] == [
        *((8, 8, 1), (6, 6, 4), (6, 6, 4), (4, 4, 3), (4, 4, 3), (48,), (2,))
    ]
    assert net["conv_1"].input_shape == (6, 6, 4)
    assert net["image"].input_shape == (8, 8, 1)
    assert net.count_params() == (40 + 111 + 98, 249, 0)
    assert [entry.multiply_adds for entry in net] == [0, 36 * 36, 0, 16 * 108, 0, 0, 96]
    assert repr(net) == "<Network digits: 7 layers, 249 parameters, (8, 8, 1) -> (2,)>"
    assert repr(net["conv"]) == "<Layer conv: Conv2D (8, 8, 1) -> (6, 6, 4)>"
    assert repr(net.run(some())) == "<Run of digits: 7 layers, batch of 3>"


def test_multiply_adds_of_the_other_convolutions():
    weights = {"depthwise_kernel": np.ones((3, 3, 4, 2)), "pointwise_kernel": np.ones((1, 1, 8, 5))}
    net = Network(
        [
            image(6, 6, 4),
            layer(
                "depth",
                "DepthwiseConv2D",
                "image",
                weights={"kernel": np.ones((3, 3, 4, 1))},
                kernel_size=3,
                use_bias=False,
            ),
            layer(
                "sep",
                "SeparableConv2D",
                "depth",
                weights=weights,
                filters=5,
                kernel_size=3,
                use_bias=False,
                depth_multiplier=2,
            ),
            layer(
                "up",
                "Conv2DTranspose",
                "sep",
                weights={"kernel": np.ones((2, 2, 3, 5))},
                filters=3,
                kernel_size=2,
                strides=2,
                use_bias=False,
            ),
        ]
    )
    assert [entry.multiply_adds for entry in net][1:] == [16 * 36, 4 * (72 + 40), 4 * 60]


def test_frozen_layers_and_statistics_are_not_trainable():
    def norm(trainable: bool) -> Network:
        arrays = {name: np.ones(3, np.float32) for name in ENTRIES["BatchNormalization"].weights}
        config = normalize_config("BatchNormalization", {})
        entry = Layer("norm", "BatchNormalization", config, arrays, ("image",), trainable)
        return Network([image(2, 2, 3), entry])

    assert norm(True).count_params() == (12, 6, 6)
    assert norm(False).count_params() == (12, 0, 12)


def test_unknown_sizes_stay_unknown_until_there_is_an_image():
    """A small U-net: down and up again, joined with what it came from."""
    net = Network(
        [
            image(None, None, 3),
            conv("conv", "image", 3, 4, padding="same"),
            layer("pool", "MaxPooling2D", "conv"),
            layer("up", "UpSampling2D", "pool"),
            layer("join", "Concatenate", "conv", "up"),
            layer("cut", "Cropping2D", "join", cropping=((1, 0), (0, 2))),
            layer("mean", "GlobalAveragePooling2D", "cut"),
        ]
    )
    assert [entry.output_shape for entry in net] == [
        (None, None, 3),
        *[(None, None, 4)] * 3,
        *[(None, None, 8)] * 2,
        (8,),
    ]
    assert net["join"].input_shapes == ((None, None, 4), (None, None, 4))
    assert net["conv"].multiply_adds is None
    run = net.run(np.zeros((2, 6, 10, 3)))
    assert run["cut"].shape == (2, 5, 8, 8)
    assert net.predict(np.zeros((4, 8, 3))).shape == (1, 8)


def test_one_unknown_axis():
    net = Network([image(None, 8, 1), layer("pool", "MaxPooling2D", "image", pool_size=(3, 2))])
    assert net.output_shape == (None, 4, 1)


# Several inputs and outputs ---------------------------------------------------------------------


@pytest.fixture
def sums() -> Network:
    return Network(
        [
            image(2, name="a"),
            image(2, name="b"),
            layer("sum", "Add", "a", "b"),
            layer("difference", "Subtract", "a", "b"),
        ],
        outputs=["difference", "sum"],
        inputs=["b", "a"],
    )


def test_several_inputs_and_outputs(sums):
    a, b = np.array([[5.0, 6.0]]), np.array([[1.0, 2.0]])
    for x in ([b, a], (b, a), {"a": a, "b": b}):
        difference, total = sums.predict(x)
        np.testing.assert_array_equal(difference, [[4, 4]])
        np.testing.assert_array_equal(total, [[6, 8]])
    run = sums.run([b, a])
    np.testing.assert_array_equal(run.input[1], a)
    np.testing.assert_array_equal(run.output[0], [[4, 4]])
    assert run.inputs("difference")[1] is run["b"]
    assert sums.input_shape == ((2,), (2,))


@pytest.mark.parametrize("x", [[np.zeros(2)], {"a": np.zeros(2)}, np.zeros((2, 2)), {"a": 1, "b": 2, "c": 3}])
def test_the_wrong_number_of_inputs(sums, x):
    with pytest.raises(ValueError, match="x must have one array for each input, b, a: a list or a mapping"):
        sums.predict(x)


def test_inputs_that_disagree_in_number(sums):
    with pytest.raises(ValueError, match=r"inputs must agree in batch size, got {'b': 3, 'a': 2}"):
        sums.predict([np.zeros((3, 2)), np.zeros((2, 2))])


# Graphs that cannot be --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([], {}, "inputs must be the InputLayers"),
        ([image(3), image(3)], {}, "layer names must be unique, 'image' comes twice"),
        ([image(3), layer("relu", "ReLU", "late")], {}, r"'relu' reads \['late'\], which must come before"),
        ([image(3), layer("relu", "ReLU")], {}, "'relu': a ReLU cannot have 0 inputs"),
        ([image(3), layer("sub", "Subtract", "image")], {}, "a Subtract cannot have 1 inputs"),
        ([image(3), layer("flat", "Flatten", "image", "image")], {}, "a Flatten cannot have 2 inputs"),
        ([image(3), Layer("gru", "GRU", inputs=("image",))], {}, "layer 'gru': GRU is not supported"),
        ([image(3)], {"outputs": ["nowhere"]}, r"outputs must be layers of the network, got \['nowhere'\]"),
        ([image(3)], {"inputs": ["other"]}, r"inputs must be the InputLayers \['image'\]"),
        ([image(3), layer("pool", "MaxPooling2D", "image")], {}, r"its input must be \(N, H, W, C\)"),
        (
            [image(3, 3, 1), layer("crop", "Cropping2D", "image", cropping=2)],
            {},
            "'crop' .*must leave at least",
        ),
        (
            [image(3), layer("dense", "Dense", "image", units=2)],
            {},
            r"'dense' \(Dense\): it must have the weights \['kernel', 'bias'\], got \[\]",
        ),
        (
            [
                image(3),
                layer("dense", "Dense", "image", units=2, use_bias=False, weights={"kernel": [[1, 2]]}),
            ],
            {},
            r"kernel must have shape \(3, 2\), got \(1, 2\) \(its input is \(3,\)\)",
        ),
    ],
)
def test_graphs_that_cannot_be(layers, options, message):
    with pytest.raises(ValueError, match=message):
        Network(layers, **options)
