"""How long a network takes to learn the digits from random weights: the NumPy engine beside Keras.

Both follow one recipe, each in a process of its own with the same number of threads, one after the other.
The test images say after each epoch whether it is enough; they change nothing, and looking at them is not
counted. Keras's first epoch holds the time in which it compiles its step.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from cnnviz.images.mnist import load_mnist
from cnnviz.network.evaluation import evaluate
from cnnviz.network.keras_file import load_model
from cnnviz.training.checkpoints import Row
from cnnviz.training.engines import TrainingTask
from cnnviz.training.recipes import RECIPES, Recipe
from cnnviz.training.runs import engine_of
from cnnviz.verification.tensorflow_process import TensorFlowProcess, answer_stream, available

GOALS = {"mnist_14k": 0.99, "mnist_maxpool": 0.98}
"""The accuracy on the test images at which the time is taken, by model."""

MOST_EPOCHS = 10


@dataclass(frozen=True)
class LearningTime:
    """How long one engine took; None where it did not get there."""

    model: str
    engine: str
    goal: float
    seconds: float | None
    epochs: int
    accuracy: float
    """On the test images, after the last of these epochs."""


class _Reached(Exception):
    pass


def recipe_for(model: str) -> Recipe:
    """The model's own recipe without changes of the images, and with an end that is near."""
    own = next(iter(RECIPES[model].values()))
    return replace(own, epochs=MOST_EPOCHS, augmentation=None)


def measure_learning(
    threads: int, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> list[LearningTime]:
    """The table for this machine; without TensorFlow our own times alone.

    `progress` is called as progress(runs done, runs in all). Raises ChildProcessError if a run fails.
    """
    engines = ("numpy", "tensorflow") if available() else ("numpy",)
    runs = [(model, engine) for model in GOALS for engine in engines]
    measured: list[LearningTime] = []
    for model, engine in runs:
        process = TensorFlowProcess(
            *("-m", "cnnviz.verification.training_time", model, engine, str(threads), str(seed)),
            environment={
                **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
        )
        try:
            process.run(lambda line: measured.append(LearningTime(**json.loads(line))))
        except ChildProcessError as error:
            raise ChildProcessError(f"training {model} with {engine} failed: {error}") from None
        if progress is not None:
            progress(len(measured), len(runs))
    return measured


def learn(model: str, engine: str, goal: float, seed: int) -> LearningTime:
    """Train until the goal is reached, or the recipe ends."""
    (images, labels), (test_images, test_labels) = load_mnist()
    recipe, net = recipe_for(model), load_model(model)
    run = engine_of(engine)(TrainingTask(model, recipe, images, labels, seed=seed))
    rows: list[Row] = []
    accuracies: list[float] = []

    def after_epoch(row: Row) -> None:
        rows.append(row)
        found = evaluate(net.with_weights(run.weights()), test_images, test_labels)
        accuracies.append(found.accuracy)
        if found.accuracy >= goal:
            raise _Reached

    reached = False
    try:
        run.train(after_epoch)
    except _Reached:
        reached = True
    seconds = sum(row["seconds"] for row in rows)
    return LearningTime(model, engine, goal, seconds if reached else None, len(rows), accuracies[-1])


def learning_table(measured: list[LearningTime]) -> str:
    """The times as text."""
    lines = [f"{'':42}  {'cnnviz':>24}  {'Keras':>24}  {'ratio':>5}"]
    for model, goal in GOALS.items():
        found = {one.engine: one for one in measured if one.model == model}
        if not found:
            continue
        ours, theirs = found.get("numpy"), found.get("tensorflow")
        ratio = "-"
        if ours and theirs and ours.seconds and theirs.seconds:
            ratio = f"{ours.seconds / theirs.seconds:.2f}"
        work = f"{model} to {goal:.1%} of the test images"
        lines.append(f"{work:42}  {_said(ours):>24}  {_said(theirs):>24}  {ratio:>5}")
    return "\n".join(lines)


def _said(one: LearningTime | None) -> str:
    if one is None:
        return "-"
    time = "not reached" if one.seconds is None else f"{one.seconds:.1f} s"
    return f"{time} (epoch {one.epochs}: {one.accuracy:.2%})"


def main(model: str, engine: str, threads: int, seed: int) -> None:
    """Write one JSON line: what one engine took."""
    if engine == "tensorflow":
        from cnnviz.resources import tensorflow

        tf = tensorflow()
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    with answer_stream() as answer:
        answer.write(json.dumps(asdict(learn(model, engine, GOALS[model], seed))).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
