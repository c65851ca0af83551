"""Curves of recorded runs: they are the records', with the binomial standard error of each accuracy."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from cnnviz.network.evaluation import standard_error
from cnnviz.training.epoch_predictions import read_predictions
from cnnviz.training.history import read_history
from cnnviz.training.learning_curves import LearningCurve, error_of_difference, learning_curves


@pytest.mark.parametrize(("share", "count"), [(0.9952, 10_000), (0.5, 1), (0.0, 7), (1.0, 7), (1 / 3, 500)])
def test_a_standard_error_is_the_binomial_deviation(share, count):
    assert standard_error(share, count) == pytest.approx(float(binom(count, share).std()) / count, rel=1e-12)


@pytest.mark.parametrize(("share", "count"), [(-0.1, 5), (1.1, 5), (0.5, 0)])
def test_what_is_no_share_is_refused(share, count):
    with pytest.raises(ValueError, match="share must be from 0 to 1"):
        standard_error(share, count)


def test_curves_are_those_of_the_records():
    training, test = learning_curves(["mnist_maxpool"])
    found = read_predictions("mnist_maxpool")
    assert test.values == tuple(found.accuracies["test"])
    assert (training.seen, training.images, test.seen, test.images) == (True, 10_000, False, 10_000)
    training, unseen = learning_curves(["mnist_maxpool.by_heart"], "loss")
    rows = read_history("mnist_maxpool.by_heart").rows
    assert unseen.values == (None, *(row["val_loss"] for row in rows))
    assert (training.images, unseen.images) == (500, 5_000)
    assert unseen.values[unseen.best()] == min(row["val_loss"] for row in rows)
    assert unseen.error(3) is None
    two = learning_curves(["mnist_maxpool.short", "mnist_maxpool.second_seed"])
    assert [curve.name for curve in two] == ["seed 0", "seed 1"]


def test_where_all_or_none_were_right_there_is_no_error_to_be_said():
    curve = LearningCurve("test images", (None, 0.0, 0.9, 1.0), 100, seen=False)
    assert [curve.error(epoch) for epoch in range(4)] == [None, None, pytest.approx(0.03), None]
    assert error_of_difference(curve, curve, 2) == pytest.approx(2**0.5 * 0.03)
    assert curve.best() == 3


def test_what_was_not_recorded_is_refused():
    with pytest.raises(ValueError, match="no record of a run 'nobody'"):
        learning_curves(["nobody"])
    with pytest.raises(ValueError, match="measure must be one of accuracy, loss, got 'speed'"):
        learning_curves(["mnist_14k"], "speed")
    with pytest.raises(ValueError, match="has no val_accuracy"):
        learning_curves(["mnist_14k", "mnist_maxpool"])
