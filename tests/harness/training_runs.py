"""Short runs on few digits, and what they leave, for the tests of every engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cnnviz.images.mnist import load_mnist
from cnnviz.resources import read_arrays
from cnnviz.training import RunFiles, train

X, Y = (part[:200] for part in load_mnist()[0])
VALIDATION = tuple(part[200:260] for part in load_mnist()[0])
FILES = ["mnist_maxpool.epochs.npz", "mnist_maxpool.history.json", "mnist_maxpool.keras"]
"""What a run that has ended leaves."""


def run_on_few(engine: str, folder: Path, recipe: Any, **options: Any) -> dict[str, Any]:
    """A run of mnist_maxpool."""
    return train("mnist_maxpool", recipe, folder, X, Y, engine=engine, validation=VALIDATION, **options)


def left_in(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a run leaves, but for how long it took: its history, and the weights after every epoch."""
    files = RunFiles(folder, "mnist_maxpool")
    history = json.loads(files.history.read_text())
    for row in history["epochs"]:
        del row["seconds"]
    return history, read_arrays(files.epochs)


def assert_same_bits(folder: Path, other: Path) -> None:
    """Of two runs."""
    (history, weights), (other_history, other_weights) = left_in(folder), left_in(other)
    assert history == other_history
    assert weights.keys() == other_weights.keys()
    for name, value in weights.items():
        assert value.shape == other_weights[name].shape
        assert value.tobytes() == other_weights[name].tobytes(), name
