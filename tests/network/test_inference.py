"""The fast forward pass gives what the plain one does, and folds only where that is exact."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import Layer
from cnnviz.network import Network
from cnnviz.network.inference import IMAGES, Affine, Convolution, MaxPool, is_chain, simplify

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
    return [type(operation) for operation in simplify(net.layers)]


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
    assert [kind.__name__ for kind in kinds(net)] == ["MaxPool", "Flattening", "Convolution", "Activation"]
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
