"""cnnviz predict: what a network says of pictures."""

from __future__ import annotations

import argparse
from typing import Any

from cnnviz.commands.answers import answer, in_words
from cnnviz.commands.picture_options import (
    add_classes,
    add_pictures,
    examples_for,
    names_of_classes,
    with_model,
)
from cnnviz.commands.shared import Command, add_json, add_limits, complain, print_json, say
from cnnviz.resources import BUNDLED


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs="*",
        metavar="IMAGE",
        help="PNG, JPEG, WebP or GIF, or folders of them; before them the model, if not given by --model",
    )
    parser.add_argument("--model", metavar="MODEL", help=f"the model (default: {BUNDLED[0]})")
    add_pictures(parser)
    add_classes(parser)
    add_json(parser)
    add_limits(parser)


def run(args: argparse.Namespace) -> int:
    model, paths = with_model(args.words, args.model)
    if not paths and not args.images:
        raise ValueError(
            "the following arguments are required: IMAGE, or --images (see cnnviz predict --help)"
        )
    from cnnviz.network.class_scores import classes_of, outputs_of
    from cnnviz.network.examples import takes_digits
    from cnnviz.network.keras_file import load_model

    net = load_model(model)
    examples = examples_for(net, args, paths)
    if examples.said and not args.json:
        say(examples.said)
    names = names_of_classes(args, classes_of(net), examples)
    found: list[dict[str, Any]] = []
    for (place,), batch in examples.batches(1):
        told = {
            output: answer(net, output, values[0], names.get(output))
            for output, values in outputs_of(net, net.predict(batch)).items()
        }
        if takes_digits(net) and not names:
            # A digit's class is the digit.
            told = {output: _with_digits(one) for output, one in told.items()}
        found.append({"image": examples.names[place], **_for_json(told)})
        if not args.json:
            several = len(told) > 1
            words = (
                f"{output}: {in_words(one)}" if several else in_words(one) for output, one in told.items()
            )
            say(f"{examples.names[place]}: {'; '.join(words)}", flush=True)
    code = 0
    for name, why in examples.skipped:
        code = complain(f"{name}: {why}")
    if args.json:
        said = {"said": examples.said} if examples.said else {}
        print_json({"model": model, **said, "images": found})
    return code


def _with_digits(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "top": [{"digit": one["class"], **one} for one in told["top"]]} if "top" in told else told


def _for_json(told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the outputs say; that of an only output without its name."""
    return told if len(told) > 1 else next(iter(told.values()))


COMMAND = Command(
    "predict",
    "what a network says of pictures: the three likeliest classes, with probabilities",
    arguments,
    run,
    (
        "cnnviz predict seven.png photo.jpg --ink dark --crop 0.2 0.8 0 1",
        "cnnviz predict seven.png --model mnist_maxpool --json",
        "cnnviz predict mine.keras --images photos --classes names.txt",
    ),
)
