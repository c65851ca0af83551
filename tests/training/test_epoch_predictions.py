"""Predictions after every epoch: made, kept, tied to the weights, and told apart."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.network.evaluation import evaluate
from cnnviz.training.epoch_predictions import (
    EpochPredictions,
    Flip,
    predict_epochs,
    read_predictions,
    write_predictions,
)
from cnnviz.training.history import TrainingHistory, read_history

MODELS = ("mnist_14k", "mnist_maxpool")


@pytest.fixture(scope="module")
def short() -> TrainingHistory:
    """Three epochs of the bundled run, as a run of its own."""
    history = read_history("mnist_maxpool")
    weights = {name: array[:4] for name, array in history.weights.items()}
    return TrainingHistory("short", history.images, history.batch_size, history.rows[:3], weights)


@pytest.fixture(scope="module")
def found(short) -> EpochPredictions:
    (x, y), (images, labels) = cnnviz.load_mnist()
    net = cnnviz.load_model("mnist_maxpool")
    return predict_epochs(net, short, (images[:80], labels[:80]), (x[:50], y[:50]))


@pytest.mark.parametrize("epoch", range(4))
def test_every_epochs_figures_are_those_of_its_weights(short, found, epoch):
    (x, y), (images, labels) = cnnviz.load_mnist()
    net = cnnviz.load_model("mnist_maxpool").with_weights(short.weights_after(epoch))
    np.testing.assert_array_equal(found.predictions[epoch], net.predict(images[:80]).argmax(axis=1))
    for name, result in (
        ("test", evaluate(net, images[:80], labels[:80])),
        ("training", evaluate(net, x[:50], y[:50])),
    ):
        assert found.accuracies[name][epoch] == result.accuracy
        assert found.losses[name][epoch] == pytest.approx(result.loss, rel=1e-12)


def test_flips_are_the_digits_that_changed_sides():
    rows = np.array([[1, 2, 3, 4], [1, 0, 0, 9], [0, 2, 7, 4]], np.uint8)
    found = EpochPredictions("net", np.array([1, 2, 3, 4], np.uint8), rows, {}, {}, 0)
    assert found.flips(1) == [Flip(1, 2, 2, 0), Flip(2, 3, 3, 0), Flip(3, 4, 4, 9)]
    assert found.flips(2) == [Flip(0, 1, 1, 0), Flip(1, 2, 0, 2), Flip(3, 4, 9, 4)]
    assert [flip.gained for flip in found.flips(2)] == [False, True, True]
    assert found.turns().tolist() == [[0, 3], [2, 1]]
    for epoch in (0, 3):
        with pytest.raises(ValueError, match=f"epoch must be from 1 to 2, got {epoch}"):
            found.flips(epoch)


def test_the_gap_is_positive_where_training_images_do_better(found):
    seen, unseen = found.accuracies["training"][3], found.accuracies["test"][3]
    assert found.gap(3) == seen - unseen
    with pytest.raises(ValueError, match="epoch must be from 0 to 3, got 4"):
        found.gap(4)


def test_what_is_written_is_read_and_only_with_its_weights(short, found, tmp_path):
    np.savez(tmp_path / "short.epochs.npz", **short.weights)
    path = write_predictions(found, tmp_path)
    again = read_predictions("short", tmp_path)
    np.testing.assert_array_equal(again.predictions, found.predictions)
    np.testing.assert_array_equal(again.labels, found.labels)
    assert again.training_images == 50
    for name in ("test", "training"):
        np.testing.assert_array_equal(again.losses[name], found.losses[name])
        np.testing.assert_array_equal(again.accuracies[name], found.accuracies[name])
    np.savez(tmp_path / "short.epochs.npz", **{name: array + 1 for name, array in short.weights.items()})
    assert read_predictions("short", tmp_path) is None
    path.unlink()
    assert read_predictions("short", tmp_path) is None


def test_a_damaged_file_is_named(short, found, tmp_path):
    np.savez(tmp_path / "short.epochs.npz", **short.weights)
    path = write_predictions(found, tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"short\.predictions\.npz holds no predictions"):
        read_predictions("short", tmp_path)
    with np.load(tmp_path / "short.epochs.npz") as archive:
        np.savez(path, sha256=np.array("?"), **dict(archive))
    assert read_predictions("short", tmp_path) is None


@pytest.mark.parametrize("model", MODELS)
def test_the_bundled_predictions_are_those_of_the_bundled_weights(model):
    found, history = read_predictions(model), read_history(model)
    images, labels = cnnviz.load_mnist()[1]
    assert found.epochs == history.epochs
    np.testing.assert_array_equal(found.labels, labels)
    assert found.accuracies["test"] == pytest.approx(found.right.mean(axis=1))
    # The ends and one between, on images from all over the set.
    chosen = np.arange(0, 10_000, 40)
    for epoch in (0, 3, history.epochs):
        net = cnnviz.load_model(model).with_weights(history.weights_after(epoch))
        said = net.predict(images[chosen]).argmax(axis=1)
        np.testing.assert_array_equal(found.predictions[epoch, chosen], said)
