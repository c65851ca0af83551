"""cnnviz predict: pictures of digits, named."""

from __future__ import annotations

import argparse

from cnnviz.commands.shared import Command, add_json, complain, print_json, require_digits


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="PNG, JPEG, WebP or GIF of one digit")
    parser.add_argument("--model", default="mnist_14k", help="the model (default: mnist_14k)")
    parser.add_argument(
        "--ink",
        choices=("auto", "dark", "light"),
        default="auto",
        help="what is ink on the picture (default: auto)",
    )
    parser.add_argument(
        "--crop",
        nargs=4,
        type=float,
        metavar=("TOP", "BOTTOM", "LEFT", "RIGHT"),
        help="the part to look at, in shares of the height and the width: 0.1 0.9 0 1",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from cnnviz.images.digit_preparation import prepare_digit
    from cnnviz.images.image_files import ImageError, read_image
    from cnnviz.images.ink import LARGEST
    from cnnviz.network.evaluation import probabilities
    from cnnviz.network.keras_file import load_model
    from cnnviz.numbers import probability

    net = require_digits(load_model(args.model))
    crop = args.crop and ((args.crop[0], args.crop[1]), (args.crop[2], args.crop[3]))
    answers, code = [], 0
    for path in args.images:
        try:
            digit = prepare_digit(read_image(path, side=LARGEST), ink=args.ink, crop=crop)
            chances = probabilities(net, digit[None])[0]
        except ImageError as error:
            code = complain(f"{path}: {error}")
            continue
        top = [{"digit": int(i), "probability": float(chances[i])} for i in chances.argsort()[::-1][:3]]
        answers.append({"image": path, "prediction": top[0]["digit"], "top": top})
        if not args.json:
            print(
                f"{path}: " + ", ".join(f"{one['digit']} ({probability(one['probability'])})" for one in top)
            )
    if args.json:
        print_json({"model": args.model, "images": answers})
    return code


COMMAND = Command(
    "predict",
    "name the digit on a picture: the three likeliest, with probabilities",
    arguments,
    run,
    (
        "cnnviz predict seven.png photo.jpg --ink dark --crop 0.2 0.8 0 1",
        "cnnviz predict seven.png --model mnist_maxpool --json",
    ),
)
