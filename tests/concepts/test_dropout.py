"""Dropout at work: masks that are what they say, a mean that stays, a scale that is Keras's."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.concepts import dropout
from cnnviz.resources import asset
from harness.authority import keras

MODELS = ("mnist_14k", "mnist_maxpool")


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.5, 0.9])
def test_as_many_are_dropped_as_the_rate_says(rate):
    mask = dropout.keep_mask((1000, 100), rate, seed=3)
    # Five standard deviations of a binomial share.
    assert abs((~mask).mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / mask.size)


def test_steps_seeds_and_layers_draw_each_their_own():
    given = [{}, {"step": 1}, {"seed": 1}, {"layer": "dropout"}, {"layer": "dropout_1"}]
    masks = [dropout.keep_mask((100,), 0.5, **each) for each in given]
    assert len({mask.tobytes() for mask in masks}) == len(masks)
    assert (dropout.keep_mask((100,), 0.5, step=1) == masks[1]).all()


def test_what_is_kept_is_scaled_as_in_keras():
    x = np.linspace(1, 2, 200, dtype=np.float32)
    theirs = np.asarray(keras.layers.Dropout(0.3, seed=1)(x, training=True))
    ours = dropout.drop(x, theirs != 0, 0.3)
    assert ours.dtype == np.float32
    assert 100 < np.count_nonzero(theirs) < 180
    np.testing.assert_allclose(ours, theirs, rtol=4 * 2.0**-24)


@pytest.mark.parametrize("rate", [0.03, 0.5])
def test_the_mean_over_steps_tends_to_the_values(rate):
    x = np.random.default_rng(0).normal(size=(20, 20)).astype(np.float32)
    for steps in (50, 500):
        found = dropout.drop_in_steps(x, rate, steps)
        # A root mean square over 400 numbers strays from its expectation by some percent.
        assert found.distance == pytest.approx(found.expected, rel=0.2)
    assert found.dropped.shape == found.kept.shape == (4, 20, 20)
    assert (found.dropped[~found.kept] == 0).all()
    slow = np.mean(
        [dropout.drop(x, dropout.keep_mask(x.shape, rate, step=s), rate) for s in range(500)], axis=0
    )
    # A mean of 500 numbers in float32.
    np.testing.assert_allclose(found.mean, slow, rtol=500 * 2.0**-24)
    assert found.scale == 1 / (1 - rate)


def test_a_channel_is_that_channel():
    x = np.random.default_rng(0).normal(size=(5, 6, 3))
    whole = dropout.drop_in_steps(x, 0.5, 3, shown=2)
    part = whole.channel(1)
    assert (part.values == x[:, :, 1]).all()
    assert (part.dropped == whole.dropped[..., 1]).all()
    assert part.dropped.shape == (2, 5, 6)


@pytest.mark.parametrize("model", MODELS)
def test_a_run_drops_in_every_dropout_layer_and_nowhere_now(model):
    net, image = cnnviz.load_model(model), cnnviz.load_mnist()[1][0][0]
    run, noisy = net.run(image), dropout.run_with_dropout(net, image, seed=5, step=2)
    rates = dropout.dropout_layers(net)
    assert set(rates) == {layer.name for layer in net.layers if layer.kind == "Dropout"}
    dropped = 0
    for name, rate in rates.items():
        read, made = noisy.inputs(name)[0], noisy[name]
        mask = dropout.keep_mask(read.shape, rate, seed=5, step=2, layer=name)
        assert (made == dropout.drop(read, mask, rate)).all()
        assert (run[name] == run.inputs(name)[0]).all()
        dropped += int((~mask).sum())
    assert dropout.count_dropped(net, seed=5, step=2) == dropped > 0


@pytest.mark.parametrize("model", MODELS)
def test_rates_are_those_in_the_file(model):
    theirs = keras.models.load_model(asset(f"{model}.keras"), compile=False)
    rates = {layer.name: layer.rate for layer in theirs.layers if isinstance(layer, keras.layers.Dropout)}
    assert dropout.dropout_layers(cnnviz.load_model(model)) == rates


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="rate must be below 1, or nothing is kept, got 1"):
        dropout.keep_mask((2,), 1)
    with pytest.raises(ValueError, match=r"rate must be from 0 to 1, got -0\.5"):
        dropout.keep_mask((2,), -0.5)
    with pytest.raises(ValueError, match="seed must not be negative, got -1"):
        dropout.keep_mask((2,), 0.5, seed=-1)
    with pytest.raises(ValueError, match="steps must be positive, got 0"):
        dropout.drop_in_steps([1.0], 0.5, 0)
