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
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_images(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from cnnviz.evaluation import evaluate
    from cnnviz.keras_file import load_model

    net = require_digits(load_model(args.model))
    x, y = mnist_test_set(args.images)
    with ProgressBar(f"evaluating {args.model}") as progress:
        result = evaluate(net, x, y, progress=progress)
    if args.json:
        print_json({"model": args.model, **asdict(result), "accuracy": result.accuracy})
    else:
        print(
            f"{args.model}: accuracy {result.accuracy:.2%} ({result.correct:,} of {result.images:,} "
            f"test images), loss {result.loss:.4f}"
        )
    return 0


COMMAND = Command(
    "evaluate",
    "accuracy and loss on the 10,000 test images, by the NumPy engine",
    arguments,
    run,
    ("cnnviz evaluate", "cnnviz evaluate runs/mnist_14k.keras --json"),
)
