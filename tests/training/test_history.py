"""What a training run left behind, read back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cnnviz import load_model
from cnnviz.training import RunFiles
from cnnviz.training.history import read_history, read_selection


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


def test_damaged_weights_are_named(tmp_path):
    write(tmp_path)
    file = tmp_path / "net.epochs.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"net.history.json is no training history"):
        read_history("net", tmp_path)


def test_weights_one_epoch_ahead_of_a_run_that_was_killed_are_left_out(tmp_path):
    write(tmp_path, versions=4)
    history = read_history("net", tmp_path)
    assert history.weights["conv2d/kernel"].shape == (3, 2, 2)
    assert history.weights_after(2)["conv2d/kernel"].tolist() == [[8, 9], [10, 11]]


def test_a_run_can_keep_the_weights_of_some_epochs(tmp_path):
    write(tmp_path, rows=6, versions=7)
    files = RunFiles(tmp_path, "net")
    files.thin([2, 3, 5])
    history = read_history("net", tmp_path)
    assert (history.epochs, history.kept) == (6, (0, 2, 3, 5, 6))
    for epoch in history.kept:
        assert history.weights_after(epoch)["conv2d/kernel"].tolist() == [
            [4 * epoch, 4 * epoch + 1],
            [4 * epoch + 2, 4 * epoch + 3],
        ]
    assert history.around(3) == [0, 2, 3, 5, 6]
    with pytest.raises(ValueError, match="epoch must be one of 0, 2, 3, 5, 6, got 4"):
        history.weights_after(4)
    with pytest.raises(ValueError, match=r"there are no weights after epoch 4 in .*net.epochs.npz"):
        files.thin([4])
    files.thin([5])
    assert read_history("net", tmp_path).kept == (0, 5, 6)


@pytest.mark.parametrize("kept", [[0, 1], [1, 2, 6], [0, 2.5, 6], [0, 6, 2], [0, 2, 6, 7]])
def test_kept_epochs_that_cannot_be_are_named(tmp_path, kept):
    write(tmp_path, rows=6)
    np.savez(tmp_path / "net.epochs.npz", epochs=np.array(kept), **{"conv2d/kernel": np.zeros((3, 2, 2))})
    with pytest.raises(ValueError, match="must name epochs from 0 to 6, and hold a version of every weight"):
        read_history("net", tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "it is a list instead of an object"),
        ("[" * 100_000, "maximum recursion depth"),
        ('{"epochs": 3}', "its epochs must be a list of numbers by name"),
        ('{"epochs": [{"loss": "low"}]}', "its epochs must be a list of numbers by name"),
        ('{"epochs": [], "recipe": {"batch_size": 128}}', "it has no 'images'"),
        ('{"epochs": [], "images": 1e999, "recipe": {"batch_size": 128}}', "infinity"),
        ('{"epochs": [], "images": 10, "recipe": {"batch_size": 0}}', "batch_size"),
        ('{"epochs": [], "images": 10, "recipe": 3}', "recipe"),
        (" " * 17_000_000, "it has more than 16,000,000 bytes"),
    ],
)
def test_a_history_that_is_none_says_why(tmp_path, content, reason):
    (tmp_path / "net.history.json").write_text(content)
    with pytest.raises(ValueError, match=rf"net\.history\.json is no training history: .*{reason}"):
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


def test_another_batch_size_has_its_own_arithmetic(tmp_path):
    write(tmp_path)
    history = read_history("net", tmp_path).with_batch_size(300)
    assert (history.batches, history.steps_per_epoch, history.last_batch) == (1000 / 300, 4, 100)
    assert [history.steps_after(epoch) for epoch in range(3)] == [0, 4, 8]
    assert history.series("loss") == []
    assert history.weights is None
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        history.with_batch_size(0)


def test_epochs_around_one_begin_and_end_with_the_run(tmp_path):
    write(tmp_path)
    assert read_history("net", tmp_path).around(1) == [0, 1, 2]
    history = read_history("mnist_maxpool")
    assert all({0, epoch, 20} <= set(history.around(epoch)) for epoch in range(21))


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_the_selection_run_has_the_final_runs_recipe_and_a_gap(model):
    final, selection = read_history(model), read_selection(model)
    assert selection.recipe == final.recipe
    assert selection.images + selection.validation_images == final.images
    assert (final.validation_images, selection.weights) == (0, None)
    accuracy, validation = selection.series("accuracy"), selection.series("val_accuracy")
    assert selection.gap(3) == accuracy[2] - validation[2]
    with pytest.raises(ValueError, match="no images were held out"):
        final.gap(3)
    with pytest.raises(ValueError, match=f"epoch must be from 1 to {final.epochs}, got 0"):
        selection.gap(0)


def test_a_selection_run_of_another_recipe_is_not_taken(tmp_path):
    write(tmp_path)
    assert read_selection("net", tmp_path) is None
    assert read_selection("nothing", tmp_path) is None
    record = json.loads((tmp_path / "net.history.json").read_text())
    record["validation_images"] = 100
    for name, size in (("a", 64), ("b", 128)):
        record["recipe"] = {"batch_size": size}
        (tmp_path / f"net.{name}.selection.history.json").write_text(json.dumps(record))
    assert read_selection("net", tmp_path).model == "net.b.selection"


def test_of_several_seeds_the_final_runs_own_is_taken(tmp_path):
    write(tmp_path)
    record = json.loads((tmp_path / "net.history.json").read_text())
    for seed in range(3):
        of_seed = record | {"seed": seed, "validation_images": 100}
        (tmp_path / f"net.a{seed}.selection.history.json").write_text(json.dumps(of_seed))
    (tmp_path / "net.history.json").write_text(json.dumps(record | {"seed": 1}))
    assert read_selection("net", tmp_path).seed == 1
