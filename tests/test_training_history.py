"""What a training run left behind, read back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cnnviz import load_model
from cnnviz.training_history import read_history


def write(folder, rows=2, versions=3, images=1000):
    record = {
        "images": images,
        "recipe": {"batch_size": 128},
        "epochs": [{"epoch": k + 1, "loss": 1 / (k + 1), "accuracy": 0.9} for k in range(rows)],
    }
    (folder / "net.history.json").write_text(json.dumps(record))
    np.savez(
        folder / "net.epochs.npz", **{"conv2d/kernel": np.arange(versions * 4.0).reshape(versions, 2, 2)}
    )


def test_a_history_has_its_arithmetic_right(tmp_path):
    write(tmp_path)
    history = read_history("net", tmp_path)
    assert (history.epochs, history.steps_per_epoch, history.steps, history.last_batch) == (2, 8, 16, 104)
    assert history.series("loss") == [1.0, 0.5]
    assert history.series("val_loss") == []
    assert history.weights_after(0)["conv2d/kernel"].tolist() == [[0, 1], [2, 3]]
    assert history.weights_after(2)["conv2d/kernel"].tolist() == [[8, 9], [10, 11]]


def test_full_batches_have_no_rest(tmp_path):
    write(tmp_path, images=1280)
    assert read_history("net", tmp_path).last_batch == 128


def test_a_run_without_weights(tmp_path):
    write(tmp_path)
    (tmp_path / "net.epochs.npz").unlink()
    history = read_history("net", tmp_path)
    assert history.weights is None
    with pytest.raises(ValueError, match="the weights of net after each epoch were not kept"):
        history.weights_after(1)


def test_no_run_at_all(tmp_path):
    assert read_history("net", tmp_path) is None


def test_epochs_that_are_not_there(tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match="epoch must be from 0 to 2, got 3"):
        read_history("net", tmp_path).weights_after(3)


@pytest.mark.parametrize("damage", ["{", "[]", '{"epochs": []}'])
def test_damaged_files_are_named(tmp_path, damage):
    (tmp_path / "net.history.json").write_text(damage)
    with pytest.raises(ValueError, match=r"net.history.json is no training history"):
        read_history("net", tmp_path)


def test_files_of_different_runs_are_named(tmp_path):
    write(tmp_path, versions=5)
    with pytest.raises(ValueError, match="must hold 3 versions of every weight"):
        read_history("net", tmp_path)


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_the_bundled_histories_end_in_the_bundled_weights(model):
    history, net = read_history(model), load_model(model)
    assert history.images == 60_000
    assert history.steps_per_epoch == 469
    for name, array in history.weights_after(history.epochs).items():
        layer, _, weight = name.rpartition("/")
        np.testing.assert_array_equal(array, net[layer].weights[weight])
