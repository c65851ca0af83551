"""check_field: it confirms fields that are right, and refutes fields that are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network
from cnnviz.receptive_fields import FieldCheck, check_field, receptive_field

RNG = np.random.default_rng(5)
DIGIT = cnnviz.load_mnist()[1][0][18]


def network(*convolutions: dict[str, Any], side: int = 15, channels: int = 1) -> Network:
    """Convolutions of three channels with positive weights."""
    layers = [Layer.from_config("image", "InputLayer", {"batch_shape": (None, side, side, channels)})]
    for k, config in enumerate(convolutions):
        kernel = RNG.uniform(0.2, 1, (3, 3, channels if k == 0 else 3, 3))
        whole = {"filters": 3, "kernel_size": 3, "use_bias": False, **config}
        layers.append(
            Layer.from_config(
                f"conv_{k}", "Conv2D", whole, weights={"kernel": kernel}, inputs=(layers[-1].name,)
            )
        )
    return Network(layers)


def reach(net: Network, image: np.ndarray, check: FieldCheck) -> np.ndarray:
    """The pixels whose change alone moves the unit, found without `check_field` and with other values."""
    seen = np.zeros(image.shape[:2], bool)
    before = net.run(image).pre_activation(check.layer)[0, check.row, check.col]
    for place in np.ndindex(*seen.shape):
        changed = image.copy()
        changed[place] += 0.375
        seen[place] = (net.run(changed).pre_activation(check.layer)[0, check.row, check.col] != before).any()
    return seen


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_every_layer_of_the_bundled_models_stands_the_test(model: str) -> None:
    net = cnnviz.load_model(model)
    fields = receptive_field(net)
    layers = [layer for layer in net.layers if "kernel" in layer.weights or "Pooling" in layer.kind]
    for layer in layers:
        if len(layer.output_shape) != 3:
            continue
        rows, cols, channels = layer.output_shape
        for row, col in {(0, 0), (rows // 2, cols // 3)}:
            if fields[layer.name].mask(row, col).sum() > 200:
                continue
            check = check_field(net, DIGIT, layer.name, row, col)
            assert check.unchanged == channels, repr(check)
            assert check.sufficient
            assert check.idle == ((), ()), repr(check)
            assert check.confirmed
            assert check.inside + check.outside == DIGIT.size


def test_changes_are_outside_and_everywhere_outside() -> None:
    check = check_field(cnnviz.load_model("mnist_14k"), DIGIT, "conv2d_1", 9, 10)
    for trial in check.trials:
        differs = trial.image != check.image
        assert not differs[check.mask].any()
        wanted = check.outside if trial.name != "all ink" else (DIGIT[~check.mask] < 255).sum()
        assert trial.changed == differs.any(axis=-1).sum() == wanted
        assert 0 <= trial.image.min() <= trial.image.max() <= 255
    assert [trial.name for trial in check.trials] == ["inverted", "all ink", "noise", "noise"]


def test_the_holes_of_dilation_are_outside() -> None:
    net, image = network({"dilation_rate": 2}, {"dilation_rate": 3}), RNG.random((15, 15, 1))
    check = check_field(net, image, "conv_1", 2, 2)
    assert check.confirmed
    assert check.inside == 81 < 11 * 11
    np.testing.assert_array_equal(check.matters, reach(net, image, check))
    # The hull of the field: sufficient, but the holes in it do not matter.
    hull = np.zeros((15, 15), bool)
    (top, bottom), (left, right) = receptive_field(net)["conv_1"].box(2, 2)
    hull[top : bottom + 1, left : right + 1] = True
    filled = check_field(net, image, "conv_1", 2, 2, mask=hull)
    assert filled.sufficient
    assert filled.idle == ((3, 11), (3, 11))
    assert not filled.confirmed
    np.testing.assert_array_equal(filled.matters, check.mask)


def test_a_border_that_cuts_and_channels_and_an_activation_that_hides() -> None:
    net = network({"padding": "same", "activation": "relu"}, {"padding": "same"}, channels=2)
    image = RNG.random((15, 15, 2)).astype(np.float32)
    check = check_field(net, image, "conv_1", 0, 14)
    assert check.inside == 9
    assert check.confirmed
    assert not check.matters[~check.mask].any()


@pytest.mark.parametrize("edge", ["top", "bottom", "left", "right"])
@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_a_field_that_lacks_an_edge_is_refuted(model: str, edge: str) -> None:
    net = cnnviz.load_model(model)
    mask = receptive_field(net)["conv2d_1"].mask(5, 5)
    rows, cols = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    place = {"top": np.s_[rows[0]], "bottom": np.s_[rows[-1]], "left": np.s_[:, cols[0]]}
    mask[place.get(edge, np.s_[:, cols[-1]])] = False
    check = check_field(net, DIGIT, "conv2d_1", 5, 5, mask=mask)
    assert not check.sufficient
    assert not check.confirmed
    assert check.unchanged < len(check.values)


def test_a_field_with_a_row_or_column_too_many_is_refuted() -> None:
    net = cnnviz.load_model("mnist_14k")
    mask = receptive_field(net)["conv2d_1"].mask(5, 5)
    mask[10, 5:10] = mask[5:10, 4] = True
    check = check_field(net, DIGIT, "conv2d_1", 5, 5, mask=mask)
    assert check.sufficient
    assert check.idle == ((10,), (4,))
    assert not check.confirmed


def test_weights_of_zero_are_idle_and_not_called_wrong() -> None:
    net = network({})
    kernel = net["conv_0"].weights["kernel"].copy()
    kernel[2] = 0
    check = check_field(net.with_weights({"conv_0/kernel": kernel}), RNG.random((15, 15)), "conv_0", 4, 4)
    assert check.sufficient
    assert check.idle == ((6,), ())


def test_what_a_relu_hides_on_the_image_is_found_on_noise() -> None:
    net = network({"activation": "relu"}, {})
    # On an even image the ring outweighs the middle: the ReLU stays shut, whichever pixel is changed.
    kernel = np.full((3, 3, 1, 3), -0.2)
    kernel[1, 1] = 1
    check = check_field(
        net.with_weights({"conv_0/kernel": kernel}), np.ones((15, 15)), "conv_1", 4, 4, noise=20
    )
    assert check.sufficient
    assert not check.matters_on_image.any()
    assert check.confirmed


def test_nothing_lies_outside_the_whole_image() -> None:
    check = check_field(network({}, side=3), RNG.random((3, 3)), "conv_0", 0, 0)
    assert check.outside == 0
    assert check.trials == ()
    assert check.confirmed


def test_the_same_seed_is_the_same_check() -> None:
    net = network({})
    image = RNG.random((15, 15))
    one, two, other = (check_field(net, image, "conv_0", 3, 3, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.trials[-1].image, two.trials[-1].image)
    assert (one.trials[-1].image != other.trials[-1].image).any()


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"layer": "conv"}, KeyError, "no layer 'conv'"),
        ({"row": 13}, IndexError, "13"),
        ({"image": np.zeros((2, 15, 15, 1))}, ValueError, "image must be one image, got 2"),
        ({"image": np.full((15, 15), np.nan)}, ValueError, "finite"),
        ({"mask": np.zeros((14, 15), bool)}, ValueError, r"mask must be an array of bool \(15, 15\)"),
        ({"mask": np.zeros((15, 15))}, ValueError, "got float64"),
        ({"noise": -1}, ValueError, "noise must be an int of at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(given: dict[str, Any], error: type[Exception], words: str) -> None:
    good = {"image": np.zeros((15, 15)), "layer": "conv_0", "row": 3, "col": 3}
    with pytest.raises(error, match=words):
        check_field(network({}), **{**good, **given})


def test_a_layer_without_maps_is_refused() -> None:
    with pytest.raises(ValueError, match="flatten has shape"):
        check_field(cnnviz.load_model("mnist_14k"), DIGIT, "flatten", 0, 0)
