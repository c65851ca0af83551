"""Runs: a network trained by a recipe, epoch by epoch, whose files can be resumed; by NumPy or by Keras.

A run is a pure function of (model, recipe, seed, data, engine) on one machine: every epoch draws its order
and its augmentation from (seed, epoch), so a resumed run ends where an uninterrupted one does. No run looks
at the test images.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from cnnviz.network import Network
from cnnviz.numbers import brief
from cnnviz.training.checkpoints import Row, weights_of
from cnnviz.training.engines import Engine, Progress, TrainingTask
from cnnviz.training.recipes import Recipe
from cnnviz.training.run_files import RunFiles

ENGINES = ("numpy", "tensorflow")


def train(
    model: str | Network,
    recipe: Recipe,
    out: str | os.PathLike[str],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    engine: str = "numpy",
    name: str | None = None,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a model and leave `<name>.keras`, `<name>.history.json` and `<name>.epochs.npz` in out.

    After every epoch all files are replaced, the history last, so a killed run leaves its last complete
    epoch; `resume=True` goes on from it and ends in the same weights as an uninterrupted run.

    Parameters
    ----------
    model
        "mnist_14k" or "mnist_maxpool", which begin with random weights; or a network, which goes on from
        those that it has.
    recipe
        See `Recipe`; `RECIPES` has the ones the bundled models were trained with.
    out
        The folder for the files; made if it is missing.
    images, labels
        Images as the network takes them, uint8 (N, 28, 28) for a bundled model, and integers (N,).
    engine
        "numpy", or "tensorflow" for Keras, which trains the bundled architectures only.
    name
        What the files are called; None is the model's name.
    validation
        Images and labels that are only looked at, after each epoch.
    seed
        Of the initial weights, the order, the augmentation and dropout.
    resume
        Go on from the checkpoint in `out`.
    progress
        Called as progress(epoch, epochs, step, steps, logs) while it trains.

    Returns
    -------
    dict
        The history, as in the JSON file: what was run, and per epoch loss and accuracy (on the
        augmented images, with dropout), learning rate, seconds, and validation figures if any.

    Raises
    ------
    ValueError
        for an unknown model or engine, or a checkpoint of another run when resuming.
    LossNotFinite
        (an ArithmeticError) if the loss is no number any more.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {brief(engine)}")
    files = RunFiles(out, name or (model if isinstance(model, str) else model.name))
    files.prepare()
    images, labels = recipe.training_set(images, labels, seed)
    described = {
        "model": model if isinstance(model, str) else model.name,
        "engine": engine,
        "recipe": asdict(recipe),
        "seed": seed,
        "images": len(images),
        "validation_images": 0 if validation is None else len(validation[0]),
        "data_sha256": data_digest(images, labels),
    }
    if isinstance(model, Network):
        described["weights_sha256"] = _digest(*weights_of(model).values())
    if resume:
        if not files.checkpoint.exists():
            raise ValueError(f"nothing to resume: there is no {files.checkpoint}")
        files.check(described)
    task = TrainingTask(model, recipe, images, labels, validation, seed, progress)
    run = engine_of(engine)(task)
    if resume:
        done = run.load_checkpoint(files.checkpoint)
        history, snapshots = files.load(described, done, run.weights())
    else:
        history = {**described, "versions": run.versions(), "epochs": []}
        snapshots = [run.weights()]
    # How many epochs the files tell of; those of a run that begins are another's, or there are none.
    told = len(history["epochs"]) if resume else -1

    def after_epoch(row: Row) -> None:
        nonlocal told
        history["epochs"].append(row)
        snapshots.append(run.weights())
        files.save_result(run, history, snapshots)
        told = len(history["epochs"])
        run.save_checkpoint(files.checkpoint)
        if progress is not None:
            progress(int(row["epoch"]), recipe.epochs, 0, task.steps, row)

    try:
        run.train(after_epoch)
    except KeyboardInterrupt:
        # Only a place that fits the files: the interruption may have come while they were written.
        if told == len(history["epochs"]):
            run.keep_place(files.checkpoint, told)
        raise
    files.checkpoint.unlink(missing_ok=True)
    return history


def engine_of(name: str) -> Callable[[TrainingTask], Engine]:
    """The class of an engine, by its name in ENGINES."""
    if name == "numpy":
        from cnnviz.training.numpy_training import NumpyEngine

        return NumpyEngine
    from cnnviz.training.keras_training import KerasEngine

    return KerasEngine


def data_digest(images: np.ndarray, labels: np.ndarray) -> str:
    """What a history says of the images and labels that were trained on, to know them again."""
    return _digest(images, labels.astype(np.int64))


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
