"""Training: repeatable, resumable to the bit, and the recipes what they say they are."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

import cnnviz
from cnnviz.images.mnist import DataError, load_mnist
from cnnviz.resources import asset
from cnnviz.training import (
    RECIPES,
    VALIDATION_IMAGES,
    Augmentation,
    Recipe,
    RunFiles,
    affine_matrices,
    build,
    read_data,
    split,
    train,
)
from harness.authority import keras
from harness.keras_models import counts

X, Y = (part[:200] for part in load_mnist()[0])
VALIDATION = tuple(part[200:260] for part in load_mnist()[0])
TINY = Recipe(epochs=3, batch_size=64, dropout=0.1, augmentation=Augmentation(), average=0.9)


def run(folder, recipe=TINY, **options):
    return train("mnist_maxpool", recipe, folder, X, Y, validation=VALIDATION, **options)


def result(folder):
    """What a run leaves, but for how long it took."""
    files = RunFiles(folder, "mnist_maxpool")
    history = json.loads(files.history.read_text())
    for row in history["epochs"]:
        del row["seconds"]
    with np.load(files.epochs) as archive:
        weights = {name: archive[name] for name in archive.files}
    return history, weights


def assert_same(a, b):
    assert a[0] == b[0]
    assert a[1].keys() == b[1].keys()
    for name, value in a[1].items():
        np.testing.assert_array_equal(value, b[1][name], err_msg=name)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run(folder, seed=3)
    return folder


# Runs -------------------------------------------------------------------------------------------


def test_a_run_leaves_model_history_and_every_epochs_weights(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        "mnist_maxpool.epochs.npz",
        "mnist_maxpool.history.json",
        "mnist_maxpool.keras",
    ]
    history, weights = result(finished)
    assert [row["epoch"] for row in history["epochs"]] == [1, 2, 3]
    assert [row["learning_rate"] for row in history["epochs"]] == [TINY.rate(i) for i in range(3)]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history["epochs"][0])
    assert (history["images"], history["validation_images"], history["seed"]) == (200, 60, 3)
    assert set(history["versions"]) == {"tensorflow", "keras", "numpy"}
    assert weights["conv2d/kernel"].shape == (4, 3, 3, 1, 16)
    net = cnnviz.load_model(finished / "mnist_maxpool.keras")
    np.testing.assert_array_equal(net["conv2d"].weights["kernel"], weights["conv2d/kernel"][-1])
    right = (net.predict(VALIDATION[0]).argmax(axis=1) == VALIDATION[1]).mean()
    assert history["epochs"][-1]["val_accuracy"] == pytest.approx(right, abs=1e-6)


def test_a_seed_repeats_a_run_that_was_killed_and_resumed(finished, tmp_path):
    class Killed(Exception):
        pass

    def kill(epoch, epochs, step, steps, logs):
        if (epoch, step) == (1, 2):
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, seed=3, progress=kill)
    assert [row["epoch"] for row in result(tmp_path)[0]["epochs"]] == [1]
    for changed in ({"seed": 4}, {"recipe": replace(TINY, dropout=0.2), "seed": 3}):
        with pytest.raises(ValueError, match=r"cannot resume: .* is of a run with (seed=3|recipe=)"):
            run(tmp_path, resume=True, **changed)
    with pytest.raises(ValueError, match=r"cannot resume: .* data_sha256="):
        train("mnist_maxpool", TINY, tmp_path, X, Y[::-1], validation=VALIDATION, seed=3, resume=True)
    run(tmp_path, seed=3, resume=True)
    assert_same(result(tmp_path), result(finished))
    assert not RunFiles(tmp_path, "mnist_maxpool").checkpoint.exists()


def test_another_seed_is_another_run(finished, tmp_path):
    train("mnist_maxpool", replace(TINY, epochs=1), tmp_path, X, Y, seed=4)
    assert (result(tmp_path)[1]["dense/kernel"][0] != result(finished)[1]["dense/kernel"][0]).any()


def test_a_kill_between_the_results_and_the_checkpoint_loses_nothing(finished, tmp_path, monkeypatch):
    """The history then is an epoch ahead of the checkpoint; resuming does that epoch again."""
    saved = []

    def killed_at_the_second(self, network):
        if saved:
            raise KeyboardInterrupt
        saved.append(original(self, network))

    original = RunFiles.save_checkpoint
    monkeypatch.setattr(RunFiles, "save_checkpoint", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, seed=3)
    monkeypatch.setattr(RunFiles, "save_checkpoint", original)
    assert len(result(tmp_path)[0]["epochs"]) == 2
    run(tmp_path, seed=3, resume=True)
    assert_same(result(tmp_path), result(finished))


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(ValueError, match="nothing to resume: there is no"):
        run(tmp_path, resume=True)


# Models, recipes, data --------------------------------------------------------------------------


def test_the_architectures_have_the_stated_sizes():
    assert counts(build("mnist_14k")) == (14_060, 13_848, 212)
    total, trainable, rest = counts(build("mnist_maxpool"))
    assert total == trainable < 20_000
    assert rest == 0
    pools = [layer for layer in build("mnist_maxpool").layers if "max_pooling" in layer.name]
    assert len(pools) == 2
    with pytest.raises(
        ValueError, match=r"model must be one of \['mnist_14k', 'mnist_maxpool'\], got 'lenet'"
    ):
        build("lenet")


def test_learning_rates_follow_their_schedule():
    notes = RECIPES["mnist_14k"]["notes"]
    assert (notes.epochs, notes.batch_size, notes.weight_decay) == (20, 128, None)
    assert [notes.rate(epoch) for epoch in range(20)] == [0.003 / (1 + 0.319 * e) for e in range(20)]
    cosine = Recipe(epochs=10, learning_rate=0.2, schedule="cosine")
    assert [cosine.rate(epoch) for epoch in (0, 5)] == pytest.approx([0.2, 0.1])
    assert 0 < cosine.rate(9) < 0.01
    with pytest.raises(ValueError, match="schedule must be 'inverse' or 'cosine', got 'step'"):
        Recipe(schedule="step").rate(0)


def test_the_bundled_models_were_trained_by_their_recipes():
    for name in RECIPES:
        history = json.loads(asset(f"{name}.history.json").read_text())
        assert history["recipe"] in [json.loads(json.dumps(asdict(one))) for one in RECIPES[name].values()]
        assert len(history["epochs"]) == history["recipe"]["epochs"]
        assert (history["images"], history["validation_images"]) == (60_000, 0)
        with np.load(asset(f"{name}.epochs.npz"), allow_pickle=False) as archive:
            assert {len(archive[key]) for key in archive.files} == {len(history["epochs"]) + 1}
            kernel = archive["conv2d/kernel"][-1]
        np.testing.assert_array_equal(kernel, cnnviz.load_model(name)["conv2d"].weights["kernel"])


def test_the_split_is_fixed_disjoint_and_whole():
    (images, labels) = load_mnist()[0]
    numbers = np.arange(len(labels))
    (kept, _), (held_out, _) = split(numbers, labels)
    assert (len(kept), len(held_out)) == (55_000, VALIDATION_IMAGES)
    assert sorted([*kept, *held_out]) == numbers.tolist()
    assert held_out[:5].tolist() == split(numbers, labels)[1][0][:5].tolist()
    (a, a_labels), (b, b_labels) = split(images, labels)
    np.testing.assert_array_equal(a[7], images[kept[7]])
    assert a_labels[7] == labels[kept[7]]
    assert b_labels[7] == labels[held_out[7]]
    assert b.shape == (5_000, 28, 28)


def test_data_of_ones_own_is_read_and_checked(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x_train=X, y_train=Y)
    images, labels = read_data(path)
    np.testing.assert_array_equal(images, X)
    np.testing.assert_array_equal(labels, Y)
    for arrays, message in (
        ({"x_train": X}, "is not an npz file with x_train and y_train"),
        ({"x_train": X / 255, "y_train": Y}, r"x_train must be uint8 \(N, 28, 28\), got float64"),
        ({"x_train": X[:, :5], "y_train": Y}, r"got uint8 \(200, 5, 28\)"),
        ({"x_train": X, "y_train": Y[:5]}, r"y_train must be 200 integers, got uint8 \(5,\)"),
        ({"x_train": X, "y_train": Y + 9}, "y_train must be digits 0..9, got 9 to 18"),
        ({"x_train": np.array([None]), "y_train": Y}, "is not an npz file with x_train and y_train"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=message):
            read_data(path)


# Augmentation -----------------------------------------------------------------------------------


def matrix(*numbers, **limits):
    none = {"rotation": 0.0, "zoom": 0.0, "shear": 0.0, "shift": 0.0}
    return affine_matrices(np.array([numbers], float), Augmentation(**{**none, **limits}))[0]


def place(coefficients, x, y):
    a = coefficients.astype(float)
    return a[0] * x + a[1] * y + a[2], a[3] * x + a[4] * y + a[5]


def test_no_numbers_and_no_limits_change_nothing():
    identity = [1, 0, 0, 0, 1, 0, 0, 0]
    assert affine_matrices(np.zeros((1, 6)), Augmentation())[0] == pytest.approx(identity, abs=1e-6)
    assert matrix(1, -1, 0.5, 1, -1, 1) == pytest.approx(identity, abs=1e-6)


def test_a_shift_moves_every_pixel_alike():
    assert matrix(0, 0, 0, 0, 1, -0.5, shift=2.0) == pytest.approx([1, 0, 2, 0, 1, -1, 0, 0], abs=1e-6)


@pytest.mark.parametrize("limits", [{"rotation": 30.0}, {"zoom": 0.2}, {"shear": 0.3}])
def test_everything_else_leaves_the_centre_where_it_is(limits):
    assert place(matrix(1, 0.5, -1, 1, 0, 0, **limits), 13.5, 13.5) == pytest.approx((13.5, 13.5), abs=1e-5)


def test_a_rotation_turns_by_its_angle_and_keeps_lengths():
    x, y = place(matrix(1, 0, 0, 0, 0, 0, rotation=30.0), 13.5 + 10, 13.5)
    assert math.degrees(math.atan2(y - 13.5, x - 13.5)) == pytest.approx(30, abs=1e-3)
    assert math.hypot(x - 13.5, y - 13.5) == pytest.approx(10, abs=1e-4)


def test_zoom_and_shear_are_those_of_the_limits():
    assert matrix(0, 1, -1, 0, 0, 0, zoom=0.2)[[0, 4]] == pytest.approx([1.2, 0.8])
    assert matrix(0, 0, 0, 1, 0, 0, shear=0.3)[[0, 1, 3, 4]] == pytest.approx([1, 0.3, 0, 1])


def test_keras_moves_a_pixel_as_the_matrix_says():
    image = np.zeros((1, 28, 28, 1), np.float32)
    image[0, 10, 15] = 1
    moved = keras.ops.image.affine_transform(image, matrix(0, 0, 0, 0, 1, -1, shift=3.0)[None]).numpy()
    assert np.argwhere(moved[0, ..., 0] == 1).tolist() == [[13, 12]]
