"""cnnviz export: the live view of digits as one HTML file."""

from __future__ import annotations

import argparse

from cnnviz.commands.shared import Command, say


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help="PNG, JPEG, WebP or GIF of one digit; or give --digits"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the HTML file to write")
    parser.add_argument("--model", default="mnist_14k", help="the model (default: mnist_14k)")
    parser.add_argument(
        "--digits", type=digits, default=(), metavar="N,N,...", help="MNIST test digits to take in, by number"
    )


def digits(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"must be whole numbers with commas between, got {text!r}")
    return tuple(map(int, parts))


def run(args: argparse.Namespace) -> int:
    from cnnviz.stage.export import export

    path = export(args.output, args.image, model=args.model, digits=args.digits)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, opens in any browser")
    return 0


COMMAND = Command(
    "export",
    "write the live view of a digit as one HTML file that needs no server and no network",
    arguments,
    run,
    ("cnnviz export seven.png -o seven.html", "cnnviz export --digits 0,7,42 -o digits.html"),
)
