"""1x1 convolutions: equality with the engine, reduction errors and costs by direct computation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import channels, load_model, ops


@pytest.fixture(scope="module")
def layer():
    """Correlated activations (6, 5, 7, 8), a matrix (8, 5) and a bias."""
    rng = np.random.default_rng(3)
    x = np.maximum(rng.standard_normal((6, 5, 7, 4)) @ rng.standard_normal((4, 8)), 0)
    return x, rng.standard_normal((8, 5)), rng.standard_normal(5)


def test_mixing_is_the_1x1_convolution_and_a_dense_layer_at_every_pixel(layer):
    x, matrix, bias = layer
    kernel = matrix[None, None]
    mixed = channels.mix(x, channels.mixing_matrix(kernel), bias)
    assert_allclose(mixed, ops.conv2d(x, kernel, bias), rtol=1e-12, atol=1e-12)
    assert_array_equal(mixed[2, 1, 3], ops.dense(x, matrix, bias)[2, 1, 3])
    assert_array_equal(ops.dense(x[2, 1, 3][None], matrix, bias).shape, (1, 5))


def test_keeping_outputs_zeroes_those_with_least_energy(layer):
    x, matrix, bias = layer
    y = x @ matrix + bias
    energy = (y**2).sum(axis=(0, 1, 2))
    found = channels.reduce_mixing(x, matrix, bias, k=2)
    assert set(found.kept) == set(np.argsort(energy)[-2:])
    assert energy[found.kept[0]] >= energy[found.kept[1]]
    dropped = [c for c in range(5) if c not in found.kept]
    assert_array_equal(found.matrix[:, dropped], 0)
    assert_array_equal(found.bias[dropped], 0)
    assert_array_equal(found.matrix[:, found.kept], matrix[:, found.kept])
    assert found.error == pytest.approx(np.sqrt(energy[dropped].sum() / energy.sum()))
    assert found.cost == channels.Cost(8 * 2 + 2, 8 * 2)


def test_singular_directions_give_the_matrix_of_lower_rank(layer):
    x, matrix, bias = layer
    y = x @ matrix + bias
    for k in range(6):
        found = channels.reduce_mixing(x, matrix, bias, k=k, by="singular")
        assert np.linalg.matrix_rank(found.matrix) == k
        s = np.linalg.svd(matrix, compute_uv=False)
        assert np.linalg.norm(matrix - found.matrix) == pytest.approx(np.sqrt((s[k:] ** 2).sum()), abs=1e-12)
        assert_array_equal(found.bias, bias)
        expected = np.linalg.norm(y - (x @ found.matrix + bias)) / np.linalg.norm(y)
        assert found.error == pytest.approx(expected, abs=1e-12)
        assert found.cost == channels.Cost(8 * k + 5 * k + 5, 13 * k)


@pytest.mark.parametrize("by", ["outputs", "singular"])
def test_errors_fall_to_nothing_as_more_is_kept(layer, by):
    errors = channels.reduction_errors(*layer, by=by)
    assert len(errors) == 6
    assert errors[-1] == pytest.approx(0, abs=1e-12)
    # Dropping outputs can only lose more; a lower rank is best for the matrix, not for these activations.
    assert by == "singular" or (np.diff(errors) < 0).all()


def test_float32_activations_stay_float32_and_are_measured_in_float64(layer):
    x, matrix, bias = (array.astype("float32") for array in layer)
    found = channels.reduce_mixing(x, matrix, bias, k=3, by="singular")
    assert found.matrix.dtype == np.float32
    assert found.error == pytest.approx(channels.reduce_mixing(*layer, k=3, by="singular").error, rel=1e-4)


def test_silence_has_no_error():
    zero = np.zeros((4, 3))
    assert channels.reduce_mixing(zero, np.ones((3, 2)), k=1).error == 0


def test_conv_cost_counts_what_the_engine_does():
    x, kernel = np.ones((1, 10, 9, 6)), np.ones((3, 2, 3, 4))
    y = ops.conv2d(x, kernel, np.zeros(4), groups=2)
    # With ones everywhere each output is the number of products in its sum.
    cost = channels.conv_cost(6, 4, (3, 2), y.shape[1:3], groups=2)
    assert cost == channels.Cost(kernel.size + 4, int(y.sum()))


def test_dense_cost_counts_what_the_engine_does():
    y = ops.dense(np.ones((1, 20)), np.ones((20, 7)), np.zeros(7))
    assert channels.dense_cost(20, 7) == channels.Cost(147, int(y.sum()))


def test_the_bottleneck_of_resnet():
    found = channels.bottleneck(256, 64, 14, bias=False)
    assert found.direct.parameters == 9 * 256 * 256
    assert [step.parameters for step in found.steps] == [256 * 64, 9 * 64 * 64, 64 * 256]
    assert found.other.multiply_adds == 14 * 14 * 69632
    assert found.saving == pytest.approx((589824 / 69632,) * 2)


def test_three_3x3_layers_against_one_7x7():
    # VGG paper, section 2.3: 3(3^2 C^2) = 27 C^2 against 7^2 C^2 = 49 C^2, 81 % more.
    found = channels.stack_of_3x3(3, 64, bias=False)
    assert found.other.parameters == 27 * 64**2
    assert found.direct.parameters == 49 * 64**2
    assert found.saving[0] - 1 == pytest.approx(0.81, abs=0.005)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: channels.mixing_matrix(np.ones((3, 3, 2, 2))), r"kernel must be \(1, 1, .*\(3, 3, 2, 2\)"),
        (lambda: channels.reduce_mixing(np.ones(3), np.ones((3, 2)), k=3), "k must be from 0 to 2 .* got 3"),
        (
            lambda: channels.reduce_mixing(np.ones(3), np.ones((3, 2)), k=1, by="rank"),
            "by must be 'outputs' or 'singular', got 'rank'",
        ),
        (lambda: channels.conv_cost(6, 4, groups=4), "groups must divide the channels 6 and 4, got groups=4"),
        (lambda: channels.stack_of_3x3(0, 4), "depth must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_sharing_saves_is_counted_on_the_layer_itself():
    layer = load_model("mnist_14k")["conv2d_1"]
    found = channels.shared_weights(layer)
    assert found.other == channels.Cost(3 * 3 * 16 * 16 + 16, 24 * 24 * 3 * 3 * 16 * 16)
    assert found.direct == channels.Cost(
        26 * 26 * 16 * 24 * 24 * 16 + 24 * 24 * 16, 26 * 26 * 16 * 24 * 24 * 16
    )


def test_only_a_convolution_shares_weights():
    with pytest.raises(ValueError, match="layer must be a convolution, got <Layer max_pooling2d"):
        channels.shared_weights(load_model("mnist_14k")["max_pooling2d"])
