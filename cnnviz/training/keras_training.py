"""Training of the bundled networks with Keras: their architectures, and resumable runs.

A run is a pure function of (model, recipe, seed, data) on one machine: every epoch draws its order and its
augmentation from (seed, epoch), so a resumed run ends where an uninterrupted one does. No run looks at the
test images.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from cnnviz.resources import keras, tensorflow, versions
from cnnviz.training.recipes import RECIPES, Augmentation, Recipe, affine_matrices
from cnnviz.training.run_files import RunFiles


def build(model: str, dropout: float = 0.0):
    """A freshly initialised Keras model, by name.

    mnist_14k is the course notes' network: 14,060 parameters, 13,848 of them trainable.
    mnist_maxpool is the plain one: convolution, ReLU and max pooling twice, then a dense layer.
    """
    layers = keras().layers
    if model == "mnist_14k":

        def block(filters, size, index):
            suffix = f"_{index}" if index else ""
            return [
                layers.Conv2D(filters, size, activation="relu", name=f"conv2d{suffix}"),
                layers.BatchNormalization(name=f"batch_normalization{suffix}"),
                layers.Dropout(dropout, name=f"dropout{suffix}"),
            ]

        stack = [
            *block(16, 3, 0),
            *block(16, 3, 1),
            *block(10, 1, 2),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            *block(16, 3, 3),
            *block(16, 3, 4),
            *block(16, 3, 5),
            *block(16, 3, 6),
            layers.Conv2D(10, 4, name="conv2d_7"),
            layers.Flatten(name="flatten"),
            layers.Activation("softmax", name="softmax"),
        ]
    elif model == "mnist_maxpool":
        stack = [
            layers.Conv2D(16, 3, activation="relu", name="conv2d"),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_1"),
            layers.MaxPooling2D(2, name="max_pooling2d_1"),
            layers.Flatten(name="flatten"),
            layers.Dropout(dropout, name="dropout"),
            layers.Dense(10, activation="softmax", name="dense"),
        ]
    else:
        raise ValueError(f"model must be one of {sorted(RECIPES)}, got {model!r}")
    image = keras().Input((28, 28, 1), name="input")
    return keras().Sequential([image, *stack], name=model)


def train(
    model: str,
    recipe: Recipe,
    out: str | os.PathLike[str],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    name: str | None = None,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    resume: bool = False,
    progress: Callable[[int, int, int, int, dict[str, float]], None] | None = None,
) -> dict[str, Any]:
    """Train a model and leave `<name>.keras`, `<name>.history.json` and `<name>.epochs.npz` in out.

    After every epoch all files are replaced, the history last, so a killed run leaves its last complete
    epoch; `resume=True` goes on from it and ends in the same weights as an uninterrupted run.

    Parameters
    ----------
    model
        "mnist_14k" or "mnist_maxpool".
    recipe
        See `Recipe`; `RECIPES` has the ones the bundled models were trained with.
    out
        The folder for the files; made if it is missing.
    images, labels
        uint8 (N, 28, 28) and integers (N,).
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
        for an unknown model, or a checkpoint of another run when resuming.
    """
    files = RunFiles(out, name or model)
    files.prepare()
    images, labels = recipe.training_set(images, labels, seed)
    steps = recipe.steps(len(images))
    described = {
        "model": model,
        "recipe": asdict(recipe),
        "seed": seed,
        "images": len(images),
        "validation_images": 0 if validation is None else len(validation[0]),
        "data_sha256": _digest(images, labels),
    }
    keras().utils.set_random_seed(seed)
    tensorflow().config.experimental.enable_op_determinism()
    network = build(model, recipe.dropout)
    network.compile(_optimizer(recipe), "sparse_categorical_crossentropy", metrics=["accuracy"])
    if resume:
        files.load_checkpoint(network)
        done = int(network.optimizer.iterations) // steps
        history, snapshots = files.load(described, done, _weights(network))
    else:
        history = {**described, "versions": versions(), "epochs": []}
        snapshots = [_weights(network)]
    x = images.reshape(-1, 28, 28, 1)
    for epoch in range(len(history["epochs"]), recipe.epochs):
        network.optimizer.learning_rate = recipe.rate(epoch)
        _reseed_dropout(network, seed, epoch)
        watch = _watcher(progress, epoch, recipe.epochs, steps)
        start = time.perf_counter()
        batches = _epoch(x, labels, recipe, seed, epoch)
        # fit ends by putting the moving average, where there is one, into the network.
        logs = network.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[watch]).history
        row = {
            "epoch": epoch + 1,
            "learning_rate": recipe.rate(epoch),
            "loss": logs["loss"][0],
            "accuracy": logs["accuracy"][0],
            "seconds": round(time.perf_counter() - start, 2),
        }
        if validation is not None:
            shown = validation[0].reshape(-1, 28, 28, 1).astype(np.float32) / 255
            row["val_loss"], row["val_accuracy"] = network.evaluate(
                shown, validation[1], batch_size=500, verbose=0
            )
        history["epochs"].append(row)
        snapshots.append(_weights(network))
        # What is kept is a network without the optimizer's state.
        kept = build(model, recipe.dropout)
        kept.set_weights(network.get_weights())
        files.save_result(kept, history, snapshots)
        network.set_weights(watch.raw_weights)
        files.save_checkpoint(network)
        if progress is not None:
            progress(epoch + 1, recipe.epochs, 0, steps, row)
    files.checkpoint.unlink(missing_ok=True)
    return history


def _digest(images: np.ndarray, labels: np.ndarray) -> str:
    return hashlib.sha256(images.tobytes() + labels.astype(np.int64).tobytes()).hexdigest()


def _optimizer(recipe: Recipe):
    optimizers = keras().optimizers
    ema: Any = {} if recipe.average is None else {"use_ema": True, "ema_momentum": recipe.average}
    if recipe.weight_decay is None:
        return optimizers.Adam(recipe.learning_rate, **ema)
    return optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay, **ema)


def _weights(network) -> dict[str, np.ndarray]:
    return {
        f"{layer.name}/{variable.name}": variable.numpy()
        for layer in network.layers
        for variable in layer.weights
    }


def _reseed_dropout(network, seed: int, epoch: int) -> None:
    """Draw the state of dropout's generators anew for an epoch, since Keras does not save it."""
    for index, layer in enumerate(network.layers):
        if hasattr(layer, "seed_generator"):
            state = np.random.SeedSequence([seed, epoch, index]).generate_state(2)
            layer.seed_generator.state.assign(state)


def _watcher(progress, epoch: int, epochs: int, steps: int):
    """A callback that reports every step and keeps the weights that training goes on from."""

    callback: Any = keras().callbacks.Callback

    class Watcher(callback):
        raw_weights: list[np.ndarray]

        def on_train_batch_end(self, batch, logs=None):
            if progress is not None:
                progress(epoch, epochs, batch + 1, steps, logs or {})

        def on_epoch_end(self, epoch, logs=None):
            self.raw_weights = self.model.get_weights()

    return Watcher()


def _epoch(images: np.ndarray, labels: np.ndarray, recipe: Recipe, seed: int, epoch: int):
    """One epoch's batches, drawn from (seed, epoch) alone."""
    tf = tensorflow()
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(images))
    tensors: list[np.ndarray] = [order]
    if recipe.augmentation is not None:
        drawn = recipe.augmentation.draw(random, len(images))
        if recipe.augmentation.alpha:
            return _elastic(images, labels, recipe.augmentation, recipe.batch_size, order, drawn)
        tensors.append(affine_matrices(drawn, recipe.augmentation))
    all_images, all_labels = tf.constant(images), tf.constant(labels.astype(np.int32))

    transform = keras().ops.image.affine_transform

    def load(index, matrices=None):
        batch = tf.cast(tf.gather(all_images, index), tf.float32) / 255
        if matrices is not None:
            batch = transform(batch, matrices, fill_mode="constant")
        return batch, tf.gather(all_labels, index)

    batches = tf.data.Dataset.from_tensor_slices(tuple(tensors)).batch(recipe.batch_size)
    return batches.map(load, num_parallel_calls=2, deterministic=True).prefetch(4)


def _elastic(images, labels, augmentation: Augmentation, batch_size: int, order, drawn):
    """Batches that NumPy changes, since Keras's transform knows affine maps alone."""
    tf = tensorflow()
    starts = range(0, len(images), batch_size)

    def load():
        for start in starts:
            index = order[start : start + batch_size]
            yield augmentation(images[index], drawn[start : start + batch_size]), labels[index]

    shapes = tf.TensorSpec((None, 28, 28, 1), tf.float32), tf.TensorSpec((None,), tf.int32)
    batches = tf.data.Dataset.from_generator(load, output_signature=shapes)
    return batches.apply(tf.data.experimental.assert_cardinality(len(starts))).prefetch(4)
