"""Channels switched off: each row is what the network says of weights that cannot use the channel."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import load_mnist, load_model
from cnnviz.channels.ablation import ablate, without_channel


@pytest.fixture(scope="module", params=["mnist_14k", "mnist_maxpool"])
def run(request):
    return load_model(request.param).run(load_mnist()[1][0][[18, 0]])


def test_a_channel_switched_off_is_one_whose_weights_are_zero(run):
    net = run.network
    reader = next(layer for layer in net if layer.name == "conv2d_1")
    feeder = reader.inputs[0]
    found = ablate(run, feeder, index=1)
    for channel in range(16):
        kernel = reader.weights["kernel"].copy()
        kernel[:, :, channel] = 0
        expected = net.with_weights({"conv2d_1/kernel": kernel}).run(run.input[1]).output[0]
        # Products with zero are zero, whichever factor it is; sums may be taken in another order.
        assert_allclose(found.without[channel], expected, rtol=0, atol=1e-6)


def test_every_layer_has_an_ablation_and_the_whole_is_the_runs_own(run):
    for name in run:
        found = ablate(run, name)
        assert found.without.shape == (run[name].shape[-1], 10)
        assert_array_equal(found.whole, run.output[0])
        assert found.predicted == run.output[0].argmax()


def test_what_is_said_of_the_rows(run):
    found = ablate(run, "conv2d_1")
    p = found.predicted
    assert_array_equal(found.remaining, found.without[:, p])
    assert found.flipped == tuple(c for c in range(len(found.without)) if found.without[c].argmax() != p)
    left = [found.without[c, p] for c in found.ranking]
    assert left == sorted(left)
    assert sorted(found.ranking) == list(range(len(found.without)))


def test_a_silent_channel_changes_nothing():
    net = load_model("mnist_14k")
    kernel, bias = (net["conv2d_3"].weights[name].copy() for name in ("kernel", "bias"))
    kernel[..., 5], bias[5] = 0, -1
    run = net.with_weights({"conv2d_3/kernel": kernel, "conv2d_3/bias": bias}).run(np.full((28, 28), 200))
    found = ablate(run, "conv2d_3")
    assert 5 in found.silent
    assert_allclose(found.without[5], found.whole, rtol=0, atol=1e-6)


def test_more_channels_than_copies_at_a_time(run, monkeypatch):
    whole = ablate(run, "conv2d_1")
    monkeypatch.setattr("cnnviz.channels.ablation._COPIES", 5)
    assert_allclose(ablate(run, "conv2d_1").without, whole.without, rtol=0, atol=1e-6)


def test_one_channel_off_keeps_every_activation(run):
    found = without_channel(run, "conv2d_1", 3)
    assert not found["conv2d_1"][..., 3].any()
    assert_array_equal(np.delete(found["conv2d_1"], 3, axis=-1), np.delete(run["conv2d_1"], 3, axis=-1))
    for index in (0, 1):
        assert_allclose(found.output[index], ablate(run, "conv2d_1", index).without[3], rtol=0, atol=1e-6)


def test_bad_arguments_are_named(run):
    with pytest.raises(ValueError, match="channel must be from 0 to 15, got 16"):
        without_channel(run, "conv2d", 16)
    with pytest.raises(KeyError, match="no layer 'x'"):
        ablate(run, "x")
