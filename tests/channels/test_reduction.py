"""Reduced 1x1 convolutions: errors and costs by direct computation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import channels


@pytest.fixture(scope="module")
def layer():
    """Correlated activations (6, 5, 7, 8), a matrix (8, 5) and a bias."""
    rng = np.random.default_rng(3)
    x = np.maximum(rng.standard_normal((6, 5, 7, 4)) @ rng.standard_normal((4, 8)), 0)
    return x, rng.standard_normal((8, 5)), rng.standard_normal(5)


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
    errors = [channels.reduce_mixing(*layer, k=k, by=by).error for k in range(6)]
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


@pytest.mark.parametrize("by", ["outputs", "singular"])
def test_moments_stand_for_the_activations_they_were_summed_from(layer, by):
    x, matrix, bias = layer
    known = channels.moments(x)
    assert known.positions == 6 * 5 * 7
    assert_allclose(known.energy(matrix, bias), np.square(x @ matrix + bias).sum(axis=(0, 1, 2)), rtol=1e-12)
    for k in range(6):
        one = channels.reduce_mixing(x, matrix, bias, k=k, by=by)
        other = channels.reduce_mixing(known, matrix, bias, k=k, by=by)
        assert one.kept == other.kept
        assert one.error == other.error


def test_moments_are_summed_block_by_block_in_float64(monkeypatch):
    x = np.random.default_rng(0).standard_normal((1000, 3)).astype("float32")
    monkeypatch.setattr("cnnviz.channels.reduction._ROWS", 64)
    wide = np.column_stack([x.astype(float), np.ones(1000)])
    assert_allclose(channels.moments(x.reshape(10, 100, 3)).sums, wide.T @ wide, rtol=1e-12)


def test_the_error_of_a_reduction_on_other_activations(layer):
    x, matrix, bias = layer
    found = channels.reduce_mixing(x, matrix, bias, k=2)
    other = x[:1]
    y, z = other @ matrix + bias, other @ found.matrix + found.bias
    error = channels.mixing_error(other, matrix, bias, found.matrix, found.bias)
    assert error == pytest.approx(np.linalg.norm(y - z) / np.linalg.norm(y), rel=1e-12)


def test_noise_where_silence_is_right_is_an_infinite_error():
    assert channels.mixing_error(np.eye(2), np.zeros((2, 1)), None, np.ones((2, 1))) == np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: channels.reduce_mixing(np.ones(3), np.ones((3, 2)), k=3), "k must be from 0 to 2 .* got 3"),
        (
            lambda: channels.reduce_mixing(np.ones(3), np.ones((3, 2)), k=1, by="rank"),
            "by must be 'outputs' or 'singular', got 'rank'",
        ),
        (lambda: channels.reduce_mixing(np.ones(4), np.ones((3, 2)), k=1), r"matrix must be \(4, C_out\)"),
        (lambda: channels.reduce_mixing(np.ones(3), np.ones(3), k=1), r"matrix must be \(C_in, C_out\), got"),
        (
            lambda: channels.mixing_error(np.ones(3), np.ones((3, 2)), None, np.ones((3, 1))),
            r"other must have the matrix's shape \(3, 2\), got \(3, 1\)",
        ),
        (lambda: channels.moments(1.0), r"x must be \(..., C_in\), got shape \(\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
