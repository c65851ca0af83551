"""Moving images: the move itself, and equivariance where the architecture promises it, and only there."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import cnnviz
from cnnviz import Network
from cnnviz.concepts.translation import compare_shift, padded_with_zeros, predictions_over_shifts, shift
from harness.networks import conv, image, layer

DIGIT = cnnviz.load_mnist()[1][0][0]


# shift ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3), (2, 5, 4, 3)])
@pytest.mark.parametrize("rows", [-6, -2, 0, 1, 4, 9])
@pytest.mark.parametrize("cols", [-4, -1, 0, 3])
def test_every_cell_arrives_where_it_should_and_zeros_come_in(shape, rows, cols):
    x = np.arange(1, np.prod(shape) + 1, dtype=np.int16).reshape(shape)
    moved = shift(x, rows, cols)
    assert moved.dtype == x.dtype
    assert moved.shape == x.shape
    axis = len(shape) == 4
    for r in range(5):
        for c in range(4):
            here = (slice(None), r, c) if axis else (r, c)
            there = (slice(None), r - rows, c - cols) if axis else (r - rows, c - cols)
            inside = 0 <= r - rows < 5 and 0 <= c - cols < 4
            assert np.array_equal(moved[here], x[there] if inside else np.zeros_like(x[here]))


def test_a_shift_is_a_copy():
    x = np.ones((3, 3))
    shift(x, 0, 0)[0, 0] = 5
    assert x[0, 0] == 1


def test_what_cannot_be_shifted_is_refused():
    with pytest.raises(ValueError, match=r"\(H, W\), \(H, W, C\) or \(N, H, W, C\), got shape \(3,\)"):
        shift(np.ones(3), 1, 1)
    with pytest.raises((ValueError, TypeError), match="cols must be an int"):
        shift(np.ones((3, 3)), 1, 0.5)


# Networks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
@pytest.mark.parametrize(("rows", "cols"), [(1, 0), (2, -2), (-4, 4), (0, 3), (4, -1)])
def test_the_bundled_networks_move_with_the_digit_where_the_stride_divides_the_move(model, rows, cols):
    net = cnnviz.load_model(model).astype(np.float64)
    found = compare_shift(net, DIGIT, rows, cols)
    fields = cnnviz.receptive_field(net)
    names = [name for name in fields if len(fields[name].shape) == 3]
    assert list(found) == names
    for name, maps in found.items():
        stride = fields[name].stride[0]
        assert maps.moved == (Fraction(rows, stride), Fraction(cols, stride))
        assert maps.whole == (rows % stride == 0 and cols % stride == 0)
        if maps.whole and maps.kept.any():
            # Valid padding: a cell that stays sees what it saw, and sums it in the same order or another.
            assert np.array_equal(maps.inside, maps.kept)
            assert maps.error < 1e-12
        elif maps.kept.any():
            assert maps.error > 0.02


def test_pooling_breaks_an_odd_move_and_not_an_even_one():
    net = cnnviz.load_model("mnist_14k")
    odd, even = compare_shift(net, DIGIT, 0, 1), compare_shift(net, DIGIT, 0, 2)
    before, behind = "batch_normalization_2", "max_pooling2d"
    assert odd[before].error < 1e-5
    assert even[before].error < 1e-5
    assert even[behind].error < 1e-5
    assert odd[behind].error > 0.1
    assert odd[behind].moved == (0, Fraction(1, 2))
    # Half a cell is compared with no move at all.
    assert odd[behind].cells == (0, 0)
    assert np.array_equal(odd[behind].difference, odd[behind].after - odd[behind].before)


def test_the_arithmetic_is_that_of_the_maps():
    found = compare_shift(cnnviz.load_model("mnist_maxpool"), DIGIT, 2, -3)
    maps = found["max_pooling2d"]
    assert maps.cells == (1, -1)
    expected = shift(found.before["max_pooling2d"][0], 1, -1)
    kept = np.zeros((13, 13), bool)
    kept[1:, :-1] = True
    difference = np.float64(found.after["max_pooling2d"][0]) - expected
    assert np.array_equal(maps.kept, kept)
    assert np.allclose(maps.difference[kept], difference[kept], rtol=0, atol=1e-6)
    assert not maps.difference[~kept].any()
    rms = np.sqrt((difference[kept] ** 2).mean() / (np.float64(expected)[kept] ** 2).mean())
    assert maps.error == pytest.approx(rms, rel=1e-6)


def small(padding: str) -> Network:
    """Two layers with biases; integers, so that every sum is exact."""
    net = Network(
        [
            image(9, 8, 1),
            conv("one", "image", 1, 2, padding=padding, activation="relu"),
            conv("two", "one", 2, 3, padding=padding),
        ]
    )
    return net.with_weights(
        {
            f"{name}/{weight}": np.round(3 * array)
            for name in ("one", "two")
            for weight, array in net[name].weights.items()
        }
    )


def test_same_padding_breaks_it_at_the_border_and_nowhere_else():
    digit = np.random.default_rng(1).integers(0, 9, (9, 8)).astype(float)
    found = compare_shift(small("same"), digit, 1, -2)
    two = found["two"]
    # The field is 5 by 5: two cells to each side must be inside, here and where they come from.
    inside = np.zeros((9, 8), bool)
    inside[3:7, 2:4] = True
    assert np.array_equal(two.inside, inside)
    assert two.error_inside == 0
    assert two.error > 0
    assert two.difference[two.kept & ~inside].any(axis=1).mean() > 0.5


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_padding_a_network_with_zeros_breaks_it_at_the_border_alone(model):
    net = cnnviz.load_model(model)
    padded = padded_with_zeros(net).astype(np.float64)
    assert len(padded) == len([layer for layer in net if len(layer.output_shape) == 3])
    for one in padded:
        for key, array in one.weights.items():
            assert np.array_equal(array, net[one.name].weights[key])
        assert one.kind != "Conv2D" or one.output_shape[:2] == one.input_shape[:2]
    found = compare_shift(padded, DIGIT, 4, -4)
    # Behind the first layer the ground is no longer zero, which padding is.
    names = [name for name in found if padded[name].kind == "Conv2D"][1:]
    for name in names:
        assert found[name].error > 1e-3
        if found[name].inside.any():
            assert found[name].error_inside < 1e-12


def test_only_chains_of_maps_are_padded():
    vector = Network([image(5), layer("act", "Activation", "image", activation="relu")])
    with pytest.raises(ValueError, match=r"network must have an image \(H, W, C\) as its input"):
        padded_with_zeros(vector)
    fork = Network(
        [image(5, 5, 1), conv("a", "image", 1, 2), conv("b", "image", 1, 2), layer("c", "Add", "a", "b")]
    )
    with pytest.raises(ValueError, match="network must be one chain of layers"):
        padded_with_zeros(fork)


def test_a_network_that_shares_no_weights_does_not_move_along():
    net = Network(
        [
            image(6, 6, 1),
            layer("flat", "Flatten", "image"),
            layer(
                "dense",
                "Dense",
                "flat",
                weights={"kernel": np.random.default_rng(0).normal(size=(36, 36))},
                units=36,
                use_bias=False,
            ),
            layer("maps", "Reshape", "dense", target_shape=(6, 6, 1)),
        ]
    )
    found = compare_shift(net, np.random.default_rng(2).random((6, 6)), 1, 0)
    assert "image" in found
    assert "flat" not in found
    assert "maps" not in found or not found["maps"].inside.any()


def test_strides_of_two_axes_and_fractions():
    net = Network(
        [image(12, 12, 1), conv("one", "image", 1, 2, strides=(3, 2)), layer("up", "UpSampling2D", "one")]
    )
    found = compare_shift(net, np.random.default_rng(3).random((12, 12)), 3, 3)
    assert found["one"].moved == (1, Fraction(3, 2))
    assert not found["one"].whole
    assert found["one"].cells == (1, 1)
    assert found["up"].moved == (2, 3)
    assert found["up"].whole


def test_negative_halves_go_towards_zero_too():
    net = cnnviz.load_model("mnist_14k")
    moves = [
        compare_shift(net, DIGIT, rows, 0)["max_pooling2d"].cells[0] for rows in (-5, -3, -1, 0, 1, 3, 5)
    ]
    assert moves == [-2, -1, 0, 0, 0, 1, 2]


def test_nothing_is_left_of_a_map_that_is_smaller_than_the_move():
    found = compare_shift(cnnviz.load_model("mnist_14k"), DIGIT, 8, 0)
    last = found["conv2d_6"]
    assert last.cells == (4, 0)
    assert not last.kept.any()
    assert last.error is None
    assert last.error_inside is None


def test_what_fell_over_the_border_is_counted():
    square = np.zeros((28, 28), np.uint8)
    square[10:14, 24:28] = 200
    net = cnnviz.load_model("mnist_14k")
    assert compare_shift(net, square, 0, 1).lost == pytest.approx(0.25, abs=1e-6)
    assert compare_shift(net, square, -5, 0).lost == 0
    assert compare_shift(net, np.zeros((28, 28)), 3, 3).lost == 0


def test_what_has_no_image_is_refused():
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match="image must be one image, got a batch of 2"):
        compare_shift(net, np.zeros((2, 28, 28)), 1, 1)
    vector = Network([image(5), layer("act", "Activation", "image", activation="relu")])
    with pytest.raises(ValueError, match=r"one image \(H, W, C\)"):
        compare_shift(vector, np.zeros(5), 1, 1)


# Predictions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_predictions_over_shifts_are_those_of_the_moved_digits(model):
    net = cnnviz.load_model(model)
    found = predictions_over_shifts(net, DIGIT, 3)
    assert found.shape == (7, 7, 10)
    for rows, cols in [(-3, -3), (0, 0), (2, -1), (3, 3)]:
        moved = compare_shift(net, DIGIT, rows, cols).after.output[0]
        assert np.allclose(found[rows + 3, cols + 3], moved, atol=1e-5)


def test_no_reach_is_the_digit_alone():
    net = cnnviz.load_model("mnist_maxpool")
    assert np.array_equal(predictions_over_shifts(net, DIGIT, 0)[0, 0], net.predict(DIGIT)[0])
    with pytest.raises(ValueError, match="reach must not be negative, got -1"):
        predictions_over_shifts(net, DIGIT, -1)
