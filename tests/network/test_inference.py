"""The fast forward pass gives what the plain one does, and folds only where that is exact."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cnnviz import load_model
from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import Affine, Layer
from cnnviz.network import Network
from cnnviz.network.inference import IMAGES
from cnnviz.network.simplifying import (
    Cellwise,
    Convolution,
    DepthwiseConvolution,
    MaxPool,
    ZeroPadding,
    is_chain,
    simplify,
)
from cnnviz.ops.parallel import is_busy

RNG = np.random.default_rng(11)


def conv(name, filters, size, channels, **config):
    shape = (size, size, channels // config.get("groups", 1), filters)
    weights = {"kernel": RNG.normal(size=shape).astype("f") / 4, "bias": RNG.normal(size=filters).astype("f")}
    config = {"filters": filters, "kernel_size": size, **config}
    return Layer.from_config(name, "Conv2D", config, weights=weights)


def norm(name, channels, *, positive=False):
    gamma = RNG.normal(size=channels)
    weights = {
        "gamma": np.abs(gamma) if positive else gamma,
        "beta": RNG.normal(size=channels),
        "moving_mean": RNG.normal(size=channels),
        "moving_variance": RNG.uniform(0.1, 2, channels),
    }
    return Layer.from_config(
        name, "BatchNormalization", {}, weights={key: value.astype("f") for key, value in weights.items()}
    )


def layer(name, kind, **config):
    return Layer.from_config(name, kind, config)


def dense(name, units, inputs, **config):
    weights = {
        "kernel": RNG.normal(size=(inputs, units)).astype("f") / 8,
        "bias": RNG.normal(size=units).astype("f"),
    }
    return Layer.from_config(name, "Dense", {"units": units, **config}, weights=weights)


def chain(*layers, shape=(12, 12, 3)):
    """A network in which each layer is fed by the one before it."""
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, *shape)})
    linked, before = [image], image
    for each in layers:
        before = Layer(each.name, each.kind, each.config, each.weights, (before.name,))
        linked.append(before)
    return Network(linked)


def assert_same(net, count=2 * IMAGES + 3):
    """predict against run in float64 and float32; both round, on numbers of the size of their output."""
    shape = net.input_shape
    x = RNG.normal(size=(count, *shape)).astype("f")
    exact = net.astype(np.float64).run(x).output
    scale = np.abs(exact).max()
    np.testing.assert_allclose(net.astype(np.float64).predict(x), exact, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(net.predict(x), exact, rtol=0, atol=2e-5 * scale)


def kinds(net):
    return [type(step.operation) for step in simplify(net.layers, net.outputs)[0]]


def test_batch_norm_after_a_linear_convolution_goes_into_it():
    net = chain(conv("a", 4, 3, 3, padding="same"), norm("n", 4))
    assert kinds(net) == [Convolution]
    assert_same(net)


def test_batch_norm_after_relu_goes_into_the_next_convolution():
    net = chain(conv("a", 4, 3, 3, activation="relu"), norm("n", 4), conv("b", 6, 3, 4, strides=2))
    assert kinds(net) == [Convolution, Activation, Convolution]
    assert_same(net)


def test_batch_norm_stays_before_a_convolution_that_reads_padding():
    net = chain(conv("a", 4, 3, 3, activation="relu"), norm("n", 4), conv("b", 6, 3, 4, padding="same"))
    assert kinds(net) == [Convolution, Activation, Affine, Convolution]
    assert_same(net)


def test_batch_norm_goes_into_grouped_convolutions():
    net = chain(conv("a", 4, 3, 3, activation="relu"), norm("n", 4), conv("b", 6, 3, 4, groups=2))
    assert kinds(net) == [Convolution, Activation, Convolution]
    assert_same(net)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_batch_norm_passes_max_pooling_only_with_positive_scales(padding):
    for positive, expected in (
        (True, [Convolution, MaxPool, Activation, Convolution]),
        (False, [Convolution, Activation, Affine, MaxPool, Convolution]),
    ):
        net = chain(
            conv("a", 5, 3, 3, activation="relu"),
            norm("n", 5, positive=positive),
            layer("pool", "MaxPooling2D", pool_size=3, strides=2, padding=padding),
            conv("b", 6, 3, 5),
        )
        assert kinds(net) == expected
        assert_same(net)


def test_batch_norm_goes_through_flatten_into_a_dense_layer():
    net = chain(
        layer("pool", "MaxPooling2D"),
        norm("n", 3, positive=True),
        layer("drop", "Dropout", rate=0.5),
        layer("flat", "Flatten"),
        dense("d", 7, 36 * 3, activation="softmax"),
    )
    assert [kind.__name__ for kind in kinds(net)] == ["MaxPool", "Reshaping", "Convolution", "Activation"]
    assert_same(net)


def test_several_batch_norms_and_one_at_the_end():
    net = chain(norm("n", 3), norm("m", 3), conv("a", 4, 3, 3, activation="tanh"), norm("o", 4))
    assert kinds(net) == [Convolution, Activation, Affine]
    assert_same(net)


def test_layers_that_are_not_compiled_run_as_they_are():
    net = chain(
        layer("pad", "ZeroPadding2D", padding=1),
        conv("a", 4, 3, 3, activation="leaky_relu", dilation_rate=2),
        layer("avg", "AveragePooling2D"),
        norm("n", 4),
        layer("up", "UpSampling2D"),
        layer("gap", "GlobalAveragePooling2D"),
        dense("d", 5, 4),
    )
    assert_same(net)


def test_prediction_follows_exchanged_weights():
    net = chain(conv("a", 4, 3, 3, activation="relu"), norm("n", 4), conv("b", 2, 3, 4))
    x = RNG.normal(size=(2, 12, 12, 3)).astype("f")
    before = net.predict(x)
    changed = net.with_weights({"a/kernel": 2 * net["a"].weights["kernel"]})
    assert np.abs(changed.predict(x) - before).max() > 0.1
    np.testing.assert_array_equal(net.predict(x), before)


def test_threads_do_not_share_buffers():
    net = chain(conv("a", 8, 3, 3, activation="relu"), conv("b", 8, 3, 8), layer("flat", "Flatten"))
    batches = [RNG.normal(size=(IMAGES, 12, 12, 3)).astype("f") for _ in range(16)]
    expected = [net.predict(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for found, right in zip(pool.map(net.predict, batches * 4), expected * 4, strict=True):
            np.testing.assert_array_equal(found, right)


def test_an_empty_batch_and_a_graph_with_branches():
    net = chain(conv("a", 4, 3, 3))
    assert net.predict(np.zeros((0, 12, 12, 3))).shape == (0, 10, 10, 4)
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4, 4, 1)})
    double = Network([image, Layer("add", "Add", inputs=("image", "image"))])
    assert not is_chain(double.layers)
    np.testing.assert_array_equal(double.predict(np.ones((1, 4, 4, 1))), np.full((1, 4, 4, 1), 2))


def depthwise(name, size, channels, multiplier=1, **config):
    shape = (size, size, channels, multiplier)
    weights = {
        "kernel": RNG.normal(size=shape).astype("f") / 3,
        "bias": RNG.normal(size=channels * multiplier).astype("f"),
    }
    config = {"kernel_size": size, "depth_multiplier": multiplier, **config}
    return Layer.from_config(name, "DepthwiseConv2D", config, weights=weights)


def fed(one, *names):
    return Layer(one.name, one.kind, one.config, one.weights, names, owner=one.owner)


IMAGE = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 12, 12, 3)})


def test_batch_norm_goes_into_depthwise_convolutions_on_both_sides():
    net = chain(
        conv("a", 4, 3, 3, activation="relu"),
        norm("n", 4),
        depthwise("d", 3, 4, multiplier=2, strides=2),
        norm("m", 8),
        layer("relu", "ReLU", max_value=6.0),
    )
    assert kinds(net) == [Convolution, Activation, DepthwiseConvolution, Activation]
    assert_same(net)


def test_padding_goes_into_the_convolution_that_reads_it():
    net = chain(
        layer("pad", "ZeroPadding2D", padding=((0, 1), (2, 1))),
        depthwise("d", 3, 3, strides=2),
        layer("pad2", "ZeroPadding2D"),
        conv("a", 4, 3, 3, padding="same"),
    )
    assert kinds(net) == [DepthwiseConvolution, ZeroPadding, Convolution]
    assert_same(net)


def test_what_two_layers_read_is_kept():
    net = Network(
        [
            IMAGE,
            fed(conv("a", 4, 3, 3, padding="same"), "image"),
            fed(norm("n", 4), "a"),
            fed(layer("relu", "ReLU"), "n"),
            fed(layer("add", "Add"), "relu", "a", "n", "relu"),
            fed(layer("product", "Multiply"), "a", "add"),
        ]
    )
    assert kinds(net) == [Convolution, Affine, Activation, Cellwise, Cellwise]
    assert_same(net)


def test_outputs_and_inputs_that_are_read_further_on_are_not_written_over():
    net = Network(
        [
            IMAGE,
            fed(layer("drop", "Dropout", rate=0.1), "image"),
            fed(layer("relu", "ReLU"), "drop"),
            fed(norm("n", 3), "relu"),
            fed(layer("flat", "Flatten"), "n"),
            fed(layer("tanh", "Activation", activation="tanh"), "n"),
        ],
        outputs=["n", "image", "flat", "tanh", "drop"],
    )
    x = RNG.normal(size=(3, 12, 12, 3)).astype("f")
    for _ in range(2):
        for found, right in zip(net.predict(x), net.run(x).output, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-6)


def several(output):
    return output if isinstance(output, tuple) else (output,)


def any_graph(random):
    """A graph of layers of all kinds that are compiled, each reading any that came before."""
    layers, shapes = [IMAGE], {"image": (12, 12, 3)}
    for i in range(random.integers(4, 14)):
        source = str(random.choice(list(shapes)))
        rows, _, channels = shapes[source]
        one = [
            lambda name, rows, c: conv(
                name, 4, 3, c, padding="same", activation=str(random.choice(["relu", "silu"]))
            ),
            lambda name, rows, c: conv(name, 5, 1, c),
            lambda name, rows, c: depthwise(name, 3, c, padding="same"),
            lambda name, rows, c: norm(name, c, positive=bool(random.integers(2))),
            lambda name, rows, c: layer(name, "ReLU"),
            lambda name, rows, c: layer(name, "Softmax"),
            lambda name, rows, c: layer(name, "Dropout", rate=0.5),
            lambda name, rows, c: layer(name, "ZeroPadding2D", padding=((0, 1), (0, 1))),
            lambda name, rows, c: layer(name, "MaxPooling2D", padding="same"),
            lambda name, rows, c: layer(name, str(random.choice(["Add", "Multiply", "Subtract"]))),
            lambda name, rows, c: layer(name, "GlobalAveragePooling2D", keepdims=True),
        ][random.integers(11)](f"layer_{i}", rows, channels)
        names = [source]
        if one.entry.most_inputs > 1:
            partners = [
                name for name, shape in shapes.items() if shape == shapes[source] or shape == (1, 1, channels)
            ]
            count = 2 if one.kind == "Subtract" else random.integers(2, 4)
            names = [source, *map(str, random.choice(partners, count - 1))]
            random.shuffle(names)
        layers.append(fed(one, *names))
        shapes = {each.name: each.output_shape for each in Network(layers)}
    outputs = random.choice(list(shapes), random.integers(1, 3), replace=False)
    return Network(layers, outputs=[str(name) for name in outputs])


@pytest.mark.parametrize("seed", range(40))
def test_any_graph_predicts_what_it_runs(seed):
    random = np.random.default_rng(seed)
    net = any_graph(random).astype(np.float64)
    x = random.normal(size=(3, 12, 12, 3))
    expected = several(net.run(x).output)
    for _ in range(2):
        for one, right in zip(several(net.predict(x)), expected, strict=True):
            np.testing.assert_allclose(one, right, rtol=0, atol=1e-12 * max(np.abs(right).max(), 1))


def test_threads_that_share_one_image_change_nothing(monkeypatch):
    net = chain(
        conv("a", 64, 3, 3, padding="same"), norm("n", 64), layer("relu", "ReLU"), shape=(128, 128, 3)
    )
    x = RNG.normal(size=(1, 128, 128, 3)).astype("f")
    results = []
    for count in (1, 2, 4):
        monkeypatch.setattr("cnnviz.network.inference.threads", lambda count=count: count)
        monkeypatch.setattr("cnnviz.network.inference.is_busy", lambda: False)
        results.append(net.astype(np.float32).predict(x))
    monkeypatch.setattr("cnnviz.network.inference.is_busy", lambda: True)
    results.append(net.astype(np.float32).predict(x))
    for result in results[1:]:
        np.testing.assert_array_equal(results[0], result)


def test_a_busy_machine_gets_one_thread(monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (1000.0, 0.0, 0.0))
    assert is_busy()
    monkeypatch.setattr("os.getloadavg", lambda: (0.5, 1000.0, 1000.0))
    assert not is_busy()


def test_a_method_may_be_asked_for_where_it_is_possible() -> None:
    """Winograd's for 3x3 kernels at stride 1; the others stay as they are."""
    net = load_model("mnist_14k")
    digits = np.random.default_rng(3).random((5, 28, 28), np.float32)
    plain, other = net.predict(digits), net.predict(digits, method="winograd")
    assert not np.array_equal(plain, other)
    np.testing.assert_allclose(other, plain, rtol=0, atol=1e-4)
    np.testing.assert_allclose(net.predict(digits, method="fft"), plain, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(net.predict(digits, method="im2col"), plain)
    with pytest.raises(
        ValueError, match="method must be auto or one of direct, im2col, fft, winograd, got 'fast'"
    ):
        net.predict(digits, method="fast")
