"""Layers on sequences: to the bit what their likes do on maps of one column, and what is their own."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Layer, Network, explain, receptive_field
from cnnviz.concepts.affine_collapse import without_bends
from cnnviz.layers.rounding import allowance, gradient_allowance
from harness.networks import image, layer, normal

X = normal(2, 11, 4).astype(np.float32)


def conv1d(name: str = "conv", feeder: str = "image", **options: object) -> Layer:
    config = {"filters": 6, "kernel_size": 3, **options}
    groups = int(config.get("groups", 1))  # type: ignore[call-overload]
    weights = {"kernel": normal(3, 4 // groups, 6), "bias": normal(6, seed=8)}
    return layer(name, "Conv1D", feeder, weights=weights, **config)


PAIRS = {
    "conv": (conv1d(strides=2, padding="same"), "Conv2D", {"strides": (2, 1), "padding": "same"}),
    "groups": (
        conv1d(groups=2, dilation_rate=2),
        "Conv2D",
        {"groups": 2, "dilation_rate": (2, 1)},
    ),
    "causal": (
        conv1d(padding="causal", dilation_rate=3),
        "Conv2D",
        {"padding": ((6, 0), (0, 0)), "dilation_rate": (3, 1)},
    ),
    "largest": (
        layer("pool", "MaxPooling1D", "image", pool_size=3, strides=1, padding="same"),
        "MaxPooling2D",
        {"pool_size": (3, 1), "strides": (1, 1), "padding": "same"},
    ),
    "mean": (
        layer("pool", "AveragePooling1D", "image", pool_size=3),
        "AveragePooling2D",
        {"pool_size": (3, 1)},
    ),
    "largest of all": (layer("pool", "GlobalMaxPooling1D", "image"), "GlobalMaxPooling2D", {}),
    "mean of all": (
        layer("pool", "GlobalAveragePooling1D", "image", keepdims=True),
        "GlobalAveragePooling2D",
        {"keepdims": True},
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_sequence_is_a_map_of_one_column(name):
    ours, kind, options = PAIRS[name]
    if ours.weights:
        options = {"filters": 6, "kernel_size": (3, 1), **options}
    kernels = {key: array[:, None] if key == "kernel" else array for key, array in ours.weights.items()}
    theirs = layer(ours.name, kind, "image", weights=kernels, **options)
    z, on_map = ours.before_activation(X), theirs.before_activation(X[:, :, None])
    np.testing.assert_array_equal(z.ravel(), on_map.ravel())
    np.testing.assert_array_equal(allowance(ours, X).ravel(), allowance(theirs, X[:, :, None]).ravel())
    grad = normal(*z.shape).astype(np.float32)
    for of in ("", *ours.weights):
        both = []
        for each, x, g in ((ours, X, grad), (theirs, X[:, :, None], grad.reshape(on_map.shape))):
            gradient = (
                each.entry.weight_gradient(each, of, [x], g)
                if of
                else each.entry.input_gradients(each, [x], g)[0]
            )
            (bound,) = gradient_allowance(each, (x,), g, of)
            assert bound.shape == gradient.shape == (each.weights[of] if of else x).shape
            both.append((gradient.ravel(), bound.ravel()))
        np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("kind", ["MaxPooling1D", "GlobalMaxPooling1D"])
def test_a_maximum_must_agree_to_the_bit(kind):
    assert not allowance(Layer.from_config("pool", kind, {}), X).any()


def test_a_causal_convolution_reads_nothing_that_comes_later():
    net = Network([image(11, 4), conv1d(padding="causal", dilation_rate=2)])
    field = receptive_field(net)["conv"]
    assert (field.size, field.stride, field.padding) == ((5,), (1,), (4,))
    assert [field.cells(0, row) for row in (0, 3, 10)] == [(0,), (1, 3), (6, 8, 10)]


def test_a_receipt_goes_by_row_and_channel():
    net = Network([image(11, 4), conv1d(padding="causal", dilation_rate=2, groups=2)])
    receipt = explain(net.run(X), "conv", row=3, channel=4, index=1)
    terms = receipt.terms
    assert terms.window == (3, 1)
    assert terms.labels == ("channel 2", "channel 3")
    assert [terms.cell(1, row).position for row in range(3)] == [(-1, 3), (1, 3), (3, 3)]
    np.testing.assert_array_equal(terms.padding[0, :, 0], [True, False, False])
    np.testing.assert_array_equal(terms.weight_index[1, :, 0], [(0, 1, 4), (1, 1, 4), (2, 1, 4)])
    assert "rows -1 to 3 in steps of 2" in str(receipt)
    assert abs(receipt.residual) <= receipt.bound
    with pytest.raises(ValueError, match=r"is a sequence \(row, channel\), which has no col"):
        explain(net.run(X), "conv", row=3, col=0, channel=4)


def test_a_maximum_has_a_mean_in_its_place():
    pools = ("MaxPooling1D", "GlobalMaxPooling1D")
    net = Network([image(11, 4), layer("a", pools[0], "image"), layer("b", pools[1], "a")])
    straight = [found.kind for found in without_bends(net)]
    assert straight == ["InputLayer", "AveragePooling1D", "GlobalAveragePooling1D"]


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("Conv1D", {"kernel_size": (3, 2)}, r"kernel_size must be one int from 1 to 65536, got \(3, 2\)"),
        ("Conv1D", {"kernel_size": 3, "strides": 0}, "strides must be one int from 1 to 65536, got 0"),
        (
            "Conv1D",
            {"kernel_size": 3, "padding": "full"},
            "padding must be 'valid', 'same' or 'causal', got 'full'",
        ),
        ("MaxPooling1D", {"padding": "causal"}, "padding must be 'valid' or 'same', got 'causal'"),
        ("AveragePooling1D", {"pool_size": 2.5}, "pool_size must be an int or several, got 2.5"),
        ("GlobalMaxPooling1D", {"data_format": "channels_first"}, "data_format='channels_first' is not"),
    ],
)
def test_options_out_of_range_are_named(kind, options, message):
    with pytest.raises(ValueError, match=message):
        Layer.from_config("odd", kind, {"filters": 2, **options})


def test_what_does_not_fit_is_named():
    with pytest.raises(
        ValueError, match=r"'conv' \(Conv1D\): its input must be \(N, L, C\), got \('N', 5, 4, 4\)"
    ):
        Network([image(5, 4, 4), conv1d()])
    with pytest.raises(ValueError, match=r"kernel must have shape \(3, 5, 6\), got \(3, 4, 6\)"):
        Network([image(9, 5), conv1d()])
    with pytest.raises(ValueError, match="groups=3 must divide the 4 input channels and the 6 filters"):
        Network([image(9, 4), layer("conv", "Conv1D", "image", filters=6, kernel_size=3, groups=3)])
