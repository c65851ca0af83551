"""cnnviz predict: pictures of digits, named."""

from __future__ import annotations

import argparse

from cnnviz.commands.shared import Command, add_json, complain, print_json, require_digits, say


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="PNG, JPEG, WebP or GIF of one digit")
    parser.add_argument("--model", default="mnist_14k", help="the model (default: mnist_14k)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from cnnviz.images.digit_preparation import prepare_digit
    from cnnviz.images.image_files import ImageError, read_image
    from cnnviz.network.evaluation import probabilities
    from cnnviz.network.keras_file import load_model
    from cnnviz.numbers import probability

    net = require_digits(load_model(args.model))
    answers, code = [], 0
    for path in args.images:
        try:
            chances = probabilities(net, prepare_digit(read_image(path))[None])[0]
        except ImageError as error:
            code = complain(f"{path}: {error}")
            continue
        top = [{"digit": int(i), "probability": float(chances[i])} for i in chances.argsort()[::-1][:3]]
        answers.append({"image": path, "prediction": top[0]["digit"], "top": top})
        if not args.json:
            say(f"{path}: " + ", ".join(f"{one['digit']} ({probability(one['probability'])})" for one in top))
    if args.json:
        print_json({"model": args.model, "images": answers})
    return code


COMMAND = Command(
    "predict",
    "name the digit on a picture: the three likeliest, with probabilities",
    arguments,
    run,
    ("cnnviz predict seven.png photo.jpg", "cnnviz predict seven.png --model mnist_maxpool --json"),
)
