"""The guess from a network's weights: right for small networks that Keras trained in each scale."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import Network
from cnnviz.images.preprocessing import COLOUR_MODES, preprocess
from cnnviz.network.expected_pixels import expected_pixels
from harness.authority import keras
from harness.networks import conv, image, layer

L = keras.layers
SIDE, IMAGES = 20, 600


@cache
def shapes(colours: int) -> tuple[np.ndarray, np.ndarray]:
    """Discs, squares and stripes on a shaded ground, uint8, and which of them it is."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    images, labels = np.zeros((IMAGES, SIDE, SIDE, colours), np.uint8), rng.integers(0, 3, IMAGES)
    for i, label in enumerate(labels):
        row, col = rng.uniform(7, SIDE - 7, 2)
        disc = np.hypot(rows - row, cols - col) < 6
        square = np.maximum(abs(rows - row), abs(cols - col)) < 5
        stripes = (rows + cols) // 3 % 2 == 0
        slope = rng.normal(0, 3, 2)
        ground = slope[0] * (rows - SIDE / 2) + slope[1] * (cols - SIDE / 2)
        drawn = np.where(
            (disc, square, stripes)[label][..., None],
            rng.uniform(0, 255, colours),
            ground[..., None] + rng.uniform(30, 225, colours),
        )
        images[i] = np.clip(drawn + rng.normal(0, 8, drawn.shape), 0, 255)
    return images, labels


@cache
def compiled(colours: int, normalised: bool) -> tuple[Any, list[tuple[Any, np.ndarray]]]:
    """A model that is compiled once for all modes, and all of its variables with what they begin as."""
    keras.utils.set_random_seed(1)
    first = [L.Conv2D(8, 3, use_bias=False), L.BatchNormalization(momentum=0.9), L.ReLU()]
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, colours)),
            *(first if normalised else [L.Conv2D(8, 3, activation="relu")]),
            L.MaxPooling2D(),
            L.Conv2D(16, 3, activation="relu"),
            L.GlobalAveragePooling2D(),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    return model, [(variable, np.array(variable)) for variable in variables]


def trained(mode: str, colours: int, *, normalised: bool, folder) -> Network:
    images, labels = shapes(colours)
    model, start = compiled(colours, normalised)
    for variable, value in start:
        variable.assign(value)
    keras.utils.set_random_seed(1)
    model.fit(preprocess(images, mode), labels, epochs=4, batch_size=32, verbose=0)
    path = folder / f"{mode}.keras"
    model.save(path)
    return cnnviz.load_model(path)


@pytest.mark.parametrize(
    ("mode", "colours"),
    [
        *((mode, 3) for mode in ("unit", "tf", "none", *COLOUR_MODES)),
        *((mode, 1) for mode in ("unit", "tf", "none")),
    ],
)
def test_batch_normalisation_remembers_the_scale(mode, colours, tmp_path):
    found = expected_pixels(trained(mode, colours, normalised=True, folder=tmp_path))
    assert found.mode == mode
    assert not found.sure
    assert "a guess from what its layer batch_normalization" in found.because


@pytest.mark.parametrize("mode", ["tf", "torch", "none"])
def test_without_one_only_0_to_255_is_told_from_the_small_scales(mode, tmp_path):
    found = expected_pixels(trained(mode, 3, normalised=False, folder=tmp_path))
    large = mode == "none"
    assert found.mode == ("none" if large else "unit")
    assert "a guess from the spread of its scores" in found.because
    alike = "'caffe' cannot" if large else "'tf' and 'torch' cannot"
    assert f"{alike} be told from it without a batch normalisation" in found.because


def test_untrained_statistics_say_nothing():
    weights = {
        "gamma": np.ones(2),
        "beta": np.zeros(2),
        "moving_mean": np.zeros(2),
        "moving_variance": np.ones(2),
    }
    net = Network(
        [
            image(16, 16, 3),
            conv("conv", "image", 3, 2),
            layer("norm", "BatchNormalization", "conv", weights=weights),
        ]
    )
    found = expected_pixels(net)
    assert found.mode == "unit"
    assert found.because.startswith("for want of anything in the network")


def test_a_network_of_any_size_is_asked_too():
    weights = {"gamma": np.ones(3), "beta": np.zeros(3)}
    # It reads the pixels themselves: their mean and variance, of ordinary pictures in each scale.
    for mode, mean, deviation in (("unit", 0.45, 0.25), ("tf", -0.1, 0.5), ("none", 115.0, 64.0)):
        statistics = {"moving_mean": np.full(3, mean), "moving_variance": np.full(3, deviation**2)}
        net = Network(
            [
                image(None, None, 3),
                layer("norm", "BatchNormalization", "image", weights={**weights, **statistics}),
            ]
        )
        assert expected_pixels(net).mode == mode


def test_the_statistics_of_rows_are_evidence_too():
    weights = {"gamma": np.ones(24), "beta": np.zeros(24)}
    for mode, mean, deviation in (("unit", 0.45, 0.25), ("tf", -0.1, 0.5), ("none", 115.0, 64.0)):
        statistics = {"moving_mean": np.full(24, mean), "moving_variance": np.full(24, deviation**2)}
        rows = layer("rows", "BatchNormalization", "image", axis=1, weights={**weights, **statistics})
        found = expected_pixels(Network([image(24, 20, 3), rows]))
        assert found.mode == mode
        assert "a guess from what its layer rows remembers" in found.because
