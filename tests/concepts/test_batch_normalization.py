"""Batch normalisation: statistics by plain NumPy, the training form by Keras, folding by the network."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

import cnnviz
from cnnviz import Layer, Network
from cnnviz.concepts.batch_normalization import (
    channel_statistics,
    compare_forms,
    fold,
    normalization_over,
    normalizations,
)
from cnnviz.resources import asset
from cnnviz.training import RECIPES, affine_matrices
from harness.authority import keras
from harness.networks import conv, image, layer, normal

IMAGES = cnnviz.load_mnist()[1][0][:60]


@pytest.fixture(scope="module")
def net():
    return cnnviz.load_model("mnist_14k")


def test_statistics_add_up_to_those_of_all():
    x = np.random.default_rng(0).normal(1000, 0.01, (7, 5, 3))
    whole = channel_statistics(x)
    parts = channel_statistics(x[:2]) + channel_statistics(x[2:])
    assert parts.count == whole.count == 35
    np.testing.assert_allclose(parts.mean, x.mean(axis=(0, 1)), rtol=1e-14)
    np.testing.assert_allclose(parts.variance, x.var(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(whole.deviation, x.std(axis=(0, 1)), rtol=1e-6)


def distorted(images, seed: int = 0) -> np.ndarray:
    """Images distorted as in the training of mnist_14k, by SciPy in place of TensorFlow."""
    limits = RECIPES["mnist_14k"]["best"].augmentation
    numbers = np.random.default_rng(seed).uniform(-1, 1, (len(images), 6))
    row, col = np.mgrid[:28, :28]
    return np.stack(
        [
            map_coordinates(
                image.astype(np.float32) / 255,
                [a[3] * col + a[4] * row + a[5], a[0] * col + a[1] * row + a[2]],
                order=1,
            )
            for image, a in zip(images, affine_matrices(numbers, limits), strict=True)
        ]
    )


def test_the_moving_averages_are_of_distorted_images_and_not_of_plain_ones(net):
    train = cnnviz.load_mnist()[0][0][:600]

    def off(images) -> float:
        found = normalization_over(net, "batch_normalization", images)
        alive = found.moving.variance > 1e-6
        return float(np.median(np.abs(found.before.variance / found.moving.variance - 1)[alive]))

    # The variance of 600 digits is off by a few per cent of itself, whichever they are.
    assert off(distorted(train)) < 0.06 < 0.15 < min(off(train), off(cnnviz.load_mnist()[1][0][:600]))


def test_a_layer_is_measured_batch_by_batch(net):
    done = []
    found = normalization_over(
        net, "batch_normalization_2", IMAGES, batch_size=25, progress=lambda *counts: done.append(counts)
    )
    assert done == [(25, 60), (50, 60), (60, 60)]
    run = net.run(IMAGES)
    read, made = run.inputs("batch_normalization_2")[0], run["batch_normalization_2"]
    for values, statistics in ((read, found.before), (made, found.after)):
        flat = values.reshape(-1, 10).astype(np.float64)
        np.testing.assert_allclose(statistics.mean, flat.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(statistics.variance, flat.var(axis=0), rtol=1e-5)
    weights = net["batch_normalization_2"].weights
    assert (found.moving.mean == weights["moving_mean"]).all()
    assert (found.moving.deviation == np.sqrt(weights["moving_variance"])).all()


@pytest.mark.parametrize("size", [1, 8])
def test_the_training_form_is_keras(net, size):
    name = "batch_normalization_4"
    (found,) = compare_forms(net, name, IMAGES, [size])
    theirs = keras.models.load_model(asset("mnist_14k.keras"), compile=False).get_layer(name)
    read = net.run(IMAGES[:size]).inputs(name)[0]
    # Differences from a mean, over a deviation near 3: some units of roundoff of the largest number.
    tolerance = 64 * 2.0**-24 * np.abs(read).max()
    assert net[name].config["momentum"] == theirs.momentum
    expected = np.asarray(theirs(read, training=True))[0]
    np.testing.assert_allclose(found.training, expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found.inference, net.run(IMAGES[0])[name][0], rtol=0, atol=tolerance)
    assert found.distance == pytest.approx(np.sqrt(np.square(found.difference).mean()), rel=1e-5)
    assert (found.side_by_side(3)[..., 2] == (found.training - found.inference)[..., 3]).all()


def test_every_batch_norm_folds_into_the_convolution_behind_it(net):
    small, run = net, net.run(IMAGES[:2])
    for name in normalizations(net):
        folding = fold(net, name)
        values = run.pre_activation(folding.into)
        assert name not in folding.network
        # Sums of at most 256 products, ordered otherwise; numbers before them cancel at most tenfold.
        assert 0 < folding.largest_difference(run) < 10 * 256 * 2.0**-24 * np.abs(values).max()
        small = fold(small, name).network
    assert not normalizations(small)
    exact = net.astype(np.float64).run(IMAGES[:2]).output
    assert np.abs(small.astype(np.float64).run(IMAGES[:2]).output - exact).max() < 1e-5


def norm(name: str, reads: str, gamma: float = 1.0) -> Layer:
    weights = {
        "gamma": np.array([gamma, 2.0]),
        "beta": np.array([0.5, -1.0]),
        "moving_mean": np.array([0.2, 0.1]),
        "moving_variance": np.array([1.0, 4.0]),
    }
    return layer(name, "BatchNormalization", reads, weights=weights)


def test_where_folding_would_be_wrong_it_is_refused():
    start = [image(6, 6, 2)]
    last = [conv("conv", "pool", 2, 2)]
    pool = layer("pool", "MaxPooling2D", "norm")
    fold(Network([*start, norm("norm", "image"), pool, *last]), "norm")
    with pytest.raises(ValueError, match=r"pool must not come after a negative scale, got -0\.99"):
        fold(Network([*start, norm("norm", "image", -1.0), pool, *last]), "norm")
    with pytest.raises(ValueError, match="followed by a convolution, pool is a Flatten"):
        fold(Network([*start, norm("norm", "image"), layer("pool", "Flatten", "norm")]), "norm")
    with pytest.raises(ValueError, match="norm must have one reader, it has 0"):
        fold(Network([*start, norm("norm", "image")]), "norm")
    padded = conv("conv", "norm", 2, 2, padding="same")
    with pytest.raises(ValueError, match="conv must not pad, it has padding='same'"):
        fold(Network([*start, norm("norm", "image"), padded]), "norm")


def test_what_makes_no_sense_is_refused(net):
    with pytest.raises(ValueError, match="a batch normalisation of channels, conv2d is a Conv2D"):
        fold(net, "conv2d")
    with pytest.raises(ValueError, match="sizes must be from 1 to the 60 images, got \\[61\\]"):
        compare_forms(net, "batch_normalization", IMAGES, [61])
    with pytest.raises(ValueError, match="at least one image, got none"):
        normalization_over(net, "batch_normalization", IMAGES[:0])
    with pytest.raises(ValueError, match="not empty, got shape \\(0, 3\\)"):
        channel_statistics(normal(0, 3))


def test_a_normalisation_of_rows_is_none_of_channels():
    statistics = {name: np.ones(4) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    rows = layer("rows", "BatchNormalization", "image", axis=1, weights=statistics)
    net = Network([image(4, 5, 3), rows])
    assert normalizations(net) == []
    with pytest.raises(ValueError, match="of channels, rows is a BatchNormalization along axis 1"):
        normalization_over(net, "rows", normal(2, 4, 5, 3))
