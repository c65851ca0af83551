"""cnnviz evaluate: accuracy and loss on the test images."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from cnnviz.commands.shared import (
    Command,
    ProgressBar,
    add_images,
    add_json,
    add_model,
    mnist_test_set,
    print_json,
    require_digits,
    say,
    table,
)
from cnnviz.resources import BUNDLED


def arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_images(parser)
    parser.add_argument(
        "--epochs", action="store_true", help="after every epoch of a bundled model's training, not the last"
    )
    parser.add_argument(
        "--record", action="store_true", help="with --epochs: keep all predictions, for the explorer"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.epochs:
        return _run_epochs(args)
    if args.record:
        raise ValueError("--record keeps what --epochs finds: give both")
    from cnnviz.network.evaluation import evaluate
    from cnnviz.network.keras_file import load_model

    net = require_digits(load_model(args.model))
    x, y = mnist_test_set(args.images)
    with ProgressBar(f"evaluating {args.model}") as progress:
        result = evaluate(net, x, y, progress=progress)
    if args.json:
        print_json({"model": args.model, **asdict(result), "accuracy": result.accuracy})
    else:
        say(
            f"{args.model}: accuracy {result.accuracy:.2%} ({result.correct:,} of {result.images:,} "
            f"test images), loss {result.loss:.4f}"
        )
    return 0


def _run_epochs(args: argparse.Namespace) -> int:
    from cnnviz.images.mnist import load_mnist
    from cnnviz.network.keras_file import load_model
    from cnnviz.training.epoch_predictions import predict_epochs, write_predictions
    from cnnviz.training.history import read_history

    if args.model not in BUNDLED:
        raise ValueError(f"--epochs takes {' or '.join(BUNDLED)}, got {args.model!r}")
    if args.record and args.images:
        raise ValueError("--record takes all test images: leave out --images")
    history = read_history(args.model)
    if history is None or history.weights is None:
        raise FileNotFoundError(
            f"the weights of {args.model} after every epoch are missing; reinstall cnnviz"
        )
    with ProgressBar(f"evaluating every epoch of {args.model}") as progress:
        (x, y), (images, labels) = load_mnist()
        few = slice(args.images)
        predictions = predict_epochs(
            load_model(args.model),
            history,
            (images[few], labels[few]),
            (x[few], y[few]) if args.images else None,
            progress=progress,
        )
    if args.record:
        write_predictions(predictions)
    measures = {
        f"{images}_{name}": values[images].tolist()
        for name, values in (("accuracy", predictions.accuracies), ("loss", predictions.losses))
        for images in ("test", "training")
    }
    if args.json:
        print_json({"model": args.model, "images": len(predictions.labels), **measures})
    else:
        rows = [["epoch", "test accuracy", "test loss", "training accuracy", "training loss"]]
        for epoch in range(predictions.epochs + 1):
            test, training = (
                [f"{predictions.accuracies[images][epoch]:.2%}", f"{predictions.losses[images][epoch]:.4f}"]
                for images in ("test", "training")
            )
            rows.append([str(epoch), *test, *training])
        say("\n".join(table(rows, frozenset(range(5)))))
    return 0


COMMAND = Command(
    "evaluate",
    "accuracy and loss on the 10,000 test images, by the NumPy engine",
    arguments,
    run,
    (
        "cnnviz evaluate",
        "cnnviz evaluate runs/mnist_14k.keras --json",
        "cnnviz evaluate mnist_maxpool --epochs --images 500",
    ),
)
