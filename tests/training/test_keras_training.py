"""Training: repeatable, resumable to the bit, and the recipes what they say they are."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cnnviz
from cnnviz.resources import read_arrays, write_arrays
from cnnviz.training import (
    Augmentation,
    Recipe,
    RunFiles,
    build,
    train,
)
from cnnviz.training.keras_training import KerasEngine
from harness.keras_models import counts
from harness.training_runs import FILES, VALIDATION, X, Y, assert_same_bits, left_in, run_on_few

TINY = Recipe(epochs=3, batch_size=64, dropout=0.1, augmentation=Augmentation(), average=0.9)


def run(folder, recipe=TINY, **options):
    return run_on_few("tensorflow", folder, recipe, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run(folder, seed=3)
    return folder


# Runs -------------------------------------------------------------------------------------------


def test_a_run_leaves_model_history_and_every_epochs_weights(finished):
    assert sorted(path.name for path in finished.iterdir()) == FILES
    history, weights = left_in(finished)
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
    assert [row["epoch"] for row in left_in(tmp_path)[0]["epochs"]] == [1]
    for changed in ({"seed": 4}, {"recipe": replace(TINY, dropout=0.2), "seed": 3}):
        with pytest.raises(ValueError, match=r"cannot resume: .* is of a run with (seed=3|recipe=)"):
            run(tmp_path, resume=True, **changed)
    with pytest.raises(ValueError, match=r"cannot resume: .* data_sha256="):
        train(
            "mnist_maxpool",
            TINY,
            tmp_path,
            X,
            Y[::-1],
            validation=VALIDATION,
            seed=3,
            resume=True,
            engine="tensorflow",
        )
    run(tmp_path, seed=3, resume=True)
    assert_same_bits(tmp_path, finished)
    assert not RunFiles(tmp_path, "mnist_maxpool").checkpoint.exists()


def test_another_seed_is_another_run(finished, tmp_path):
    train("mnist_maxpool", replace(TINY, epochs=1), tmp_path, X, Y, seed=4, engine="tensorflow")
    assert (left_in(tmp_path)[1]["dense/kernel"][0] != left_in(finished)[1]["dense/kernel"][0]).any()


def test_a_kill_between_the_results_and_the_checkpoint_loses_nothing(finished, tmp_path, monkeypatch):
    """The history then is an epoch ahead of the checkpoint; resuming does that epoch again."""
    saved = []

    def killed_at_the_second(self, path):
        if saved:
            raise KeyboardInterrupt
        saved.append(original(self, path))

    original = KerasEngine.save_checkpoint
    monkeypatch.setattr(KerasEngine, "save_checkpoint", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, seed=3)
    monkeypatch.setattr(KerasEngine, "save_checkpoint", original)
    assert len(left_in(tmp_path)[0]["epochs"]) == 2
    run(tmp_path, seed=3, resume=True)
    assert_same_bits(tmp_path, finished)


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """What a run leaves that is killed in its second epoch."""

    class Killed(Exception):
        pass

    def kill(epoch, epochs, step, steps, logs):
        if epoch == 1 and step == 2:
            raise Killed

    folder = tmp_path_factory.mktemp("unfinished")
    with pytest.raises(Killed):
        run(folder, seed=3, progress=kill)
    return folder


def arrays_without(path, name, replaced=None):
    arrays = read_arrays(path)
    del arrays[name]
    write_arrays(path, arrays | ({} if replaced is None else {name: replaced}))


@pytest.mark.parametrize(
    ("ending", "damage", "message"),
    [
        (
            "epochs.npz",
            lambda path: path.write_bytes(path.read_bytes()[:5000]),
            "epochs.npz is not what a run",
        ),
        ("epochs.npz", Path.unlink, "cannot resume: there is no .*epochs.npz"),
        (
            "epochs.npz",
            lambda path: arrays_without(path, "dense/bias", np.zeros((1, 10), np.float32)),
            r"epochs.npz is not what a run leaves: it must hold 2 versions of dense/bias \(10,\)",
        ),
        (
            "history.json",
            lambda path: path.write_text("[]"),
            "history.json is no training history: it is a list",
        ),
        ("history.json", Path.unlink, "history.json is no training history: No such file"),
        (
            "checkpoint.npz",
            lambda path: path.write_bytes(b"PK\3\4"),
            "checkpoint.npz is not what a run leaves",
        ),
        (
            "checkpoint.npz",
            lambda path: build("mnist_maxpool").save(f"{path}.keras") or os.replace(f"{path}.keras", path),
            "checkpoint.npz is not what a run leaves: it is not a sound .npz file",
        ),
        (
            "checkpoint.npz",
            lambda path: arrays_without(path, "optimizer/0"),
            "checkpoint.npz is not what a run leaves: it must hold optimizer/0, int64 ",
        ),
        (
            "checkpoint.npz",
            lambda path: arrays_without(path, "optimizer/0", np.array(4000, np.int64)),
            "checkpoint.npz is after epoch 1000, but .*history.json has 1",
        ),
        (
            "checkpoint.npz",
            lambda path: arrays_without(path, "network/0", np.zeros((5, 5, 1, 16), np.float32)),
            r"it must hold network/0, float32 \(3, 3, 1, 16\)",
        ),
    ],
)
def test_what_is_damaged_cannot_be_resumed_and_stays_as_it_is(unfinished, tmp_path, ending, damage, message):
    folder = shutil.copytree(unfinished, tmp_path / "run")
    damage(folder / f"mnist_maxpool.{ending}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match=message):
        run(folder, seed=3, resume=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"^cannot make the folder .*/file: File exists$"):
        run(tmp_path / "file")


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(ValueError, match="nothing to resume: there is no"):
        run(tmp_path, resume=True)


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
