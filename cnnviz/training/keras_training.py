"""Training of a run with Keras: the bundled architectures, and an engine that follows a recipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.resources import keras, read_arrays, stated_arrays, tensorflow, versions, write_arrays
from cnnviz.training.checkpoints import Row
from cnnviz.training.engines import TrainingTask
from cnnviz.training.recipes import RECIPES, Augmentation, Recipe, affine_matrices
from cnnviz.training.run_files import resuming
from cnnviz.training.trainer import LossNotFinite


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


class KerasEngine:
    """The `Engine` of the bundled architectures in Keras."""

    def __init__(self, task: TrainingTask) -> None:
        if not isinstance(task.model, str):
            raise ValueError(f"the engine tensorflow trains {' and '.join(RECIPES)} only; leave it out")
        self.task, self.model = task, task.model
        keras().utils.set_random_seed(task.seed)
        tensorflow().config.experimental.enable_op_determinism()
        self.network = build(self.model, task.recipe.dropout)
        self.network.compile(_optimizer(task.recipe), "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.done = 0

    def weights(self) -> dict[str, np.ndarray]:
        return {
            f"{layer.name}/{variable.name}": variable.numpy()
            for layer in self.network.layers
            for variable in layer.weights
        }

    def versions(self) -> dict[str, str]:
        return versions()

    def train(self, after_epoch: Callable[[Row], None]) -> None:
        task, recipe, network = self.task, self.task.recipe, self.network
        images = task.images.reshape(-1, 28, 28, 1)
        for epoch in range(self.done, recipe.epochs):
            network.optimizer.learning_rate = recipe.rate(epoch)
            _reseed_dropout(network, task.seed, epoch)
            watch = _watcher(task.progress, epoch, recipe.epochs, task.steps)
            start = time.perf_counter()
            batches = _epoch(images, task.labels, recipe, task.seed, epoch)
            # fit ends by putting the moving average, where there is one, into the network.
            logs = network.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[watch]).history
            row = {
                "epoch": epoch + 1,
                "learning_rate": recipe.rate(epoch),
                "loss": logs["loss"][0],
                "accuracy": logs["accuracy"][0],
                "seconds": round(time.perf_counter() - start, 2),
            }
            if task.validation is not None:
                shown = task.validation[0].reshape(-1, 28, 28, 1).astype(np.float32) / 255
                row["val_loss"], row["val_accuracy"] = network.evaluate(
                    shown, task.validation[1], batch_size=500, verbose=0
                )
            _check_finite(row, network, images[: recipe.batch_size])
            self.raw_weights = watch.raw_weights
            after_epoch(row)
            network.set_weights(watch.raw_weights)

    def save(self, path: str) -> None:
        # What is kept is a network without the optimizer's state.
        kept = build(self.model, self.task.recipe.dropout)
        kept.set_weights(self.network.get_weights())
        kept.save(path)

    def save_checkpoint(self, path: Path) -> None:
        """The raw weights and the optimizer's variables: numbers alone, nothing that could be executed."""
        averaged = self.network.get_weights()
        self.network.set_weights(self.raw_weights)
        write_arrays(path, {name: variable.numpy() for name, variable in self._variables().items()})
        self.network.set_weights(averaged)

    def keep_place(self, path: Path, epochs: int) -> None:
        """Keras begins an epoch again: the checkpoint of its beginning is there."""

    def load_checkpoint(self, path: Path) -> int:
        self.network.optimizer.build(self.network.trainable_variables)
        variables = self._variables()
        with resuming(path):
            stated = stated_arrays(path)
            for name, variable in variables.items():
                found = stated.get(name)
                if found is None or (found.shape, found.dtype) != (tuple(variable.shape), variable.dtype):
                    raise ValueError(f"it must hold {name}, {variable.dtype} {tuple(variable.shape)}")
            arrays = read_arrays(path, variables)
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self.done = int(self.network.optimizer.iterations) // self.task.steps
        return self.done

    def _variables(self) -> dict[str, Any]:
        """Those of the model and of its optimizer, by their places."""
        of = {"network": self.network.weights, "optimizer": self.network.optimizer.variables}
        return {f"{part}/{i}": each for part, variables in of.items() for i, each in enumerate(variables)}


def _check_finite(row: Row, network, images: np.ndarray) -> None:
    """LossNotFinite if an epoch's loss is no number, or what the network says after it."""
    said = network.predict_on_batch(images.astype(np.float32) / 255)
    if not (math.isfinite(row["loss"]) and np.isfinite(said).all()):
        raise LossNotFinite(
            f"the loss is {row['loss']:g} in epoch {row['epoch']}, or what the network says after it is no "
            "number; a smaller learning rate may help"
        )


def _optimizer(recipe: Recipe):
    optimizers = keras().optimizers
    ema: Any = {} if recipe.average is None else {"use_ema": True, "ema_momentum": recipe.average}
    if recipe.weight_decay is None:
        return optimizers.Adam(recipe.learning_rate, **ema)
    return optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay, **ema)


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
