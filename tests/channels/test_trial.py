"""Accuracy with a reduced 1x1 convolution: the same as running the whole changed network."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import channels, load_mnist, load_model
from cnnviz.network.evaluation import evaluate


@pytest.fixture(scope="module")
def net():
    return load_model("mnist_14k")


@pytest.fixture(scope="module")
def digits():
    images, labels = load_mnist()[1]
    return images[:120], labels[:120]


@pytest.fixture(scope="module")
def trial(net, digits):
    return channels.ReductionTrial(net, "conv2d_2", *digits)


@pytest.mark.parametrize(("by", "k"), [("outputs", 0), ("outputs", 6), ("singular", 2), ("singular", 10)])
def test_only_what_follows_is_run_and_the_answer_is_the_whole_networks(net, digits, trial, by, k):
    reduction = trial.reduce(k=k, by=by)
    found = trial.evaluate(reduction)
    whole = evaluate(channels.with_reduction(net, "conv2d_2", reduction), *digits)
    assert (found.images, found.correct) == (whole.images, whole.correct)
    assert found.loss == pytest.approx(whole.loss, rel=1e-5)


def test_with_everything_kept_it_is_the_network_itself(net, digits, trial):
    assert trial.evaluate(trial.reduce(k=10)).correct == evaluate(net, *digits).correct


def test_a_sweep_tries_every_number_and_less_is_worse(trial):
    calls = []
    found = trial.sweep("outputs", progress=lambda *done: calls.append(done))
    assert [reduction.k for reduction, _ in found] == list(range(11))
    assert calls == [(k + 1, 11) for k in range(11)]
    assert found[3][1].correct == trial.evaluate(trial.reduce(k=3)).correct
    assert found[0][1].correct < found[3][1].correct < found[10][1].correct


def test_it_ranks_and_measures_on_its_images(net, digits, trial):
    run = net.run(digits[0])
    x = run.inputs("conv2d_2")[0]
    layer = net["conv2d_2"]
    matrix = channels.mixing_matrix(layer.weights["kernel"])
    expected = channels.reduce_mixing(x, matrix, layer.weights["bias"], k=4)
    found = trial.reduce(k=4)
    assert found.kept == expected.kept
    assert found.error == pytest.approx(expected.error, rel=1e-5)
    np.testing.assert_array_equal(found.matrix, expected.matrix)


def test_another_layer_is_refused(net, digits):
    with pytest.raises(ValueError, match=r"layer must be a 1x1 convolution .*, got <Layer conv2d_3"):
        channels.ReductionTrial(net, "conv2d_3", *digits)
