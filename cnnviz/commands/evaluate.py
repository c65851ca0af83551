"""cnnviz evaluate: accuracy, loss, the confusion matrix and the worst mistakes on labelled images."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cnnviz.commands.picture_options import (
    add_classes,
    add_pictures,
    examples_for,
    names_of_classes,
    number_of_digits,
)
from cnnviz.commands.shared import (
    Command,
    add_json,
    add_limits,
    add_model,
    complain,
    print_json,
    progress_bar,
    say,
    table,
)
from cnnviz.resources import BUNDLED

if TYPE_CHECKING:
    from cnnviz.network import Network
    from cnnviz.network.confusion import Classification
    from cnnviz.network.examples import Examples


def arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_pictures(parser, numbers=True)
    add_classes(parser)
    parser.add_argument(
        "--epochs", action="store_true", help="after every epoch of a bundled model's training, not the last"
    )
    parser.add_argument(
        "--record", action="store_true", help="with --epochs: keep all predictions, for the explorer"
    )
    add_json(parser)
    add_limits(parser)


def run(args: argparse.Namespace) -> int:
    if args.epochs:
        return _run_epochs(args)
    if args.record:
        raise ValueError("--record keeps what --epochs finds: give both")
    from cnnviz.network.class_scores import classes_of, classified, labels_by_output
    from cnnviz.network.keras_file import load_model

    net = load_model(args.model)
    own = number_of_digits(args)
    examples = examples_for(net, args)
    names = names_of_classes(args, classes_of(net), examples)
    labels = labels_by_output(net, examples, names)
    if not labels:
        raise ValueError(_why_not(net, examples))
    with progress_bar(f"evaluating {args.model}") as progress:
        results = classified(net, examples, labels, progress, 500 if own else 32)
    code = 0
    for name, why in examples.skipped:
        code = complain(f"{name}: {why}")
    if args.json:
        said = {"said": examples.said} if examples.said else {}
        told = {
            output: _for_json(found, names.get(output), examples.names) for output, found in results.items()
        }
        print_json({"model": args.model, **said, **(told if len(told) > 1 else next(iter(told.values())))})
        return code
    if examples.said:
        say(examples.said)
    others = [output for output in net.outputs if output not in results]
    if others:
        say(f"not evaluated, as the labels are no classes of theirs: {', '.join(others)}")
    for output, result in results.items():
        of = f", {output}" if len(net.outputs) > 1 else ""
        loss = f", loss {result.loss:.4f}" if result.loss is not None else f"; {_NO_LOSS}"
        say(
            f"{args.model}{of}: accuracy {result.accuracy:.2%} ({result.correct:,} of {result.images:,} "
            f"{'test ' if own else ''}images){loss}"
        )
        if not own:
            say(*_details(result, names.get(output), examples.names))
    return code


def _why_not(net: Network, examples: Examples) -> str:
    """Why labels of these examples are no classes of any output."""
    from cnnviz.network.class_scores import classes_of

    sizes = classes_of(net)
    if not sizes:
        return f"{net.name} gives no scores of classes: its output is {net.output_shape}"
    if examples.labels is None:
        return (
            "evaluate needs labelled images: a folder whose sub-folders are the classes, or an .npz file "
            "with labels"
        )
    outputs = ", ".join(f"{output} has {size}" for output, size in sizes.items())
    if examples.classes is None:
        least, most = int(examples.labels.min(initial=0)), int(examples.labels.max(initial=0))
        if least < 0:
            return f"labels must be classes from 0, got {least}"
        return f"no output of {net.name} has as many classes as the labels, up to {most}: {outputs}"
    return (
        f"the folder has {len(examples.classes)} classes, and no output of {net.name} has as many: "
        f"{outputs}. Give the names of its classes with --classes FILE, so that names of folders, "
        f"such as {examples.classes[0]}, are found among them"
    )


_NO_LOSS = "no loss, as the scores are no probabilities"

LARGEST_MATRIX = 20
"""The confusions of more classes are listed, the commonest first."""


def _for_json(result: Classification, names: Sequence[str] | None, images: Sequence[str]) -> dict[str, Any]:
    return {
        "images": result.images,
        "correct": result.correct,
        "loss": result.loss,
        "accuracy": result.accuracy,
        **({"classes": names} if names else {}),
        **_confusions_for_json(result),
        "worst": [
            {"image": images[one.index], "label": one.label, "ranked": [list(pair) for pair in one.ranked]}
            for one in result.worst
        ],
    }


def _confusions_for_json(result: Classification) -> dict[str, Any]:
    """The matrix, or of very many classes those pairs of which there are any."""
    from cnnviz.network.confusion import MOST_IN_A_MATRIX

    if result.classes <= MOST_IN_A_MATRIX:
        return {"confusion": result.confusion.tolist()}
    return {"pairs": [[*pair, count] for pair, count in sorted(result.pairs.items())]}


def _details(result: Classification, names: Sequence[str] | None, images: Sequence[str]) -> Iterator[str]:
    """The confusion matrix, or the commonest confusions of many classes; and the worst mistakes."""
    classes = result.classes
    called = names or [str(k) for k in range(classes)]
    if classes <= LARGEST_MATRIX:
        yield ""
        yield "rows are what the images are, columns what they are called"
        head = ["", *called, "right"]
        shares = _shares(result)
        rows = [
            [called[k], *(str(n) for n in row), share]
            for k, (row, share) in enumerate(zip(result.confusion.tolist(), shares, strict=True))
        ]
        yield from table([head, *rows], frozenset(range(1, classes + 2)))
    elif result.most_confused(1):
        yield ""
        yield "the commonest confusions"
        pairs = [[called[a], "called", called[b], str(n)] for a, b, n in result.most_confused(10)]
        yield from table(pairs, frozenset({3}))
    if result.worst:
        yield ""
        yield "the worst mistakes"
        rows = [
            [
                images[one.index],
                f"is {called[one.label]}",
                ", ".join(f"{called[k]} {_told(result, value)}" for k, value in one.ranked),
            ]
            for one in result.worst
        ]
        yield from table(rows, frozenset())


def _shares(result: Classification) -> list[str]:
    """How much of each class is right."""
    counts = result.confusion.sum(axis=1).tolist()
    rights = result.confusion.diagonal().tolist()
    return [f"{right / n:.0%}" if n else "-" for right, n in zip(rights, counts, strict=True)]


def _told(result: Classification, value: float) -> str:
    from cnnviz.numbers import number, probability

    return f"({probability(value)})" if result.loss is not None else f"(score {number(value, 4)})"


def _run_epochs(args: argparse.Namespace) -> int:
    from cnnviz.images.mnist import load_mnist
    from cnnviz.network.keras_file import load_model
    from cnnviz.training.epoch_predictions import predict_epochs, write_predictions
    from cnnviz.training.history import read_history

    if args.model not in BUNDLED:
        raise ValueError(f"--epochs takes {' or '.join(BUNDLED)}, got {args.model!r}")
    count = number_of_digits(args)
    if count is None:
        raise ValueError("--epochs takes the MNIST test digits: --images must be a number of them")
    if args.record and args.images:
        raise ValueError("--record takes all test images: leave out --images")
    history = read_history(args.model)
    if history is None or history.weights is None:
        raise FileNotFoundError(
            f"the weights of {args.model} after every epoch are missing; reinstall cnnviz"
        )
    with progress_bar(f"evaluating every epoch of {args.model}") as progress:
        (x, y), (images, labels) = load_mnist()
        few = slice(count or None)
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
        say(*table(rows, frozenset(range(5))))
    return 0


COMMAND = Command(
    "evaluate",
    "accuracy and loss on labelled images, by the NumPy engine; without --images on MNIST's 10,000",
    arguments,
    run,
    (
        "cnnviz evaluate",
        "cnnviz evaluate runs/mnist_14k.keras --json",
        "cnnviz evaluate mnist_maxpool --epochs --images 500",
        "cnnviz evaluate mine.keras --images photos --classes names.txt",
    ),
)
