"""Training runs that are killed or fed with what is none: what they leave is whole, and what they say is clear.

A kill before every single operation on a file is tried on the files alone; kills of whole runs, at moments
drawn from seeds, need TensorFlow and are few unless the profile is thorough.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings

from cnnviz.commands import main
from cnnviz.images.mnist import load_mnist
from cnnviz.resources import read_arrays
from cnnviz.training import RunFiles
from cnnviz.training.history import read_history
from harness.limited import MEGABYTE, limited_calls

THOROUGH = settings().max_examples > 200
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where waiting for the disk takes no time."""
EPOCHS = 3

# The files alone --------------------------------------------------------------------------------


def number(run: int, epoch: int) -> float:
    """What all weights of a run are after an epoch."""
    return 100.0 * run + epoch


def described(run: int) -> dict:
    return {"seed": run}


def state(run: int, epoch: int) -> SimpleNamespace:
    """What `RunFiles` needs of a Keras network."""

    def variable(value: float) -> SimpleNamespace:
        array = np.full(50, value, np.float32)
        return SimpleNamespace(numpy=lambda: array, shape=array.shape, dtype="float32")

    return SimpleNamespace(
        weights=[variable(number(run, epoch))],
        optimizer=SimpleNamespace(variables=[variable(epoch)]),
        save=lambda path: Path(path).write_text(f"{run} {epoch}"),
    )


def train(files: RunFiles, run: int, done: int = 0, last: int = EPOCHS) -> None:
    """A run as `cnnviz.training.train` writes it, from one epoch to another; only a whole one ends."""
    files.prepare()
    for epoch in range(done + 1, last + 1):
        rows = [{"epoch": e, "loss": number(run, e)} for e in range(1, epoch + 1)]
        history = {**described(run), "images": 1000, "recipe": {"batch_size": 128}, "epochs": rows}
        snapshots = [{"conv2d/kernel": np.full((3, 4), number(run, e))} for e in range(epoch + 1)]
        files.save_result(state(run, epoch), history, snapshots)
        files.save_checkpoint(state(run, epoch))
    if last == EPOCHS:
        files.checkpoint.unlink(missing_ok=True)


def looked_at(files: RunFiles) -> tuple[int, int] | None:
    """The run and the epochs that its files tell of; AssertionError if they contradict each other."""
    model = tuple(map(int, files.model.read_text().split()))
    history = read_history(files.name, files.folder)
    if history is None:
        assert not files.checkpoint.exists()
        return None
    losses = history.series("loss")
    run = int(losses[0] // 100)
    assert losses == [number(run, e) for e in range(1, history.epochs + 1)]
    for epoch in range(history.epochs + 1):
        assert (history.weights_after(epoch)["conv2d/kernel"] == number(run, epoch)).all()
    assert model in {(run, history.epochs), (run, history.epochs + 1)}
    return run, history.epochs


def resumed_from(files: RunFiles) -> int:
    """The epoch that a checkpoint is of, after what lies beside it was read; 0 without one."""
    if not files.checkpoint.exists() or files.record()["seed"] == 1:
        return 0
    arrays = read_arrays(files.checkpoint)
    epoch = int(arrays["optimizer/0"][0])
    assert (arrays["network/0"] == number(2, epoch)).all()
    files.load(described(2), epoch, {"conv2d/kernel": np.zeros((3, 4))})
    return epoch


def killed_before(step: int | None) -> bool:
    """Kill a run before its operation of this number on a file of its folder; whether it had so many."""
    if step is None:
        return False
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        files = RunFiles(folder, "net")
        train(files, 1, last=EPOCHS - 1)
        child = os.fork()
        if child == 0:
            left = [step]

            def count(event: str, arguments: tuple) -> None:
                if event in ("open", "os.rename", "os.remove", "os.chmod") and str(arguments[0]).startswith(
                    folder
                ):
                    left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(count)
            try:
                train(files, 2)
            finally:
                os._exit(0)
        killed = os.waitpid(child, 0)[1] != 0
        told = looked_at(files)
        assert killed or told == (2, EPOCHS)
        done = resumed_from(files)
        train(files, 2, done)
        assert looked_at(files) == (2, EPOCHS)
        assert sorted(os.listdir(folder)) == ["net.epochs.npz", "net.history.json", "net.keras"]
        return killed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed in the middle")
def test_whenever_a_run_is_killed_its_files_agree_and_it_can_go_on():
    """It overwrites another run that was not finished, whose files agree until the first of its own are there."""
    steps = 0
    for outcome in limited_calls(killed_before, range(1000), memory=500 * MEGABYTE):
        assert not outcome.error, f"killed before step {steps}: {outcome.trace}"
        if not outcome.value:
            break
        steps += 1
    assert steps > 60
