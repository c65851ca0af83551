"""cnnviz exciting: the test digits that excite a channel most."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cnnviz.commands.shared import (
    Command,
    ProgressBar,
    add_json,
    mnist_test_set,
    print_json,
    require_digits,
    say,
    table,
)
from cnnviz.resources import BUNDLED

if TYPE_CHECKING:
    from cnnviz.concepts.exciting import Exciting


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("layer", nargs="?", metavar="LAYER", help="a layer with maps, such as conv2d_3")
    parser.add_argument("channel", nargs="?", type=int, metavar="CHANNEL", help="one of its channels, from 0")
    parser.add_argument(
        "--model", default=BUNDLED[0], metavar="MODEL", help=f"the model (default: {BUNDLED[0]})"
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="keep those of all channels of the bundled models, for the explorer",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.record != (args.layer is None) or (args.layer is None) != (args.channel is None):
        raise ValueError("give a LAYER and a CHANNEL, or --record without them")
    if args.record:
        return _record()
    exciting = _search(args.model)
    if args.layer not in exciting.values:
        raise ValueError(f"LAYER must be one of {', '.join(exciting.values)}, got {args.layer!r}")
    count = len(exciting.values[args.layer])
    if not 0 <= args.channel < count:
        raise ValueError(f"CHANNEL must be from 0 to {count - 1}, got {args.channel}")
    labels = mnist_test_set(None)[1]
    rows: list[dict[str, Any]] = [
        {
            "digit": one.image,
            "label": int(labels[one.image]),
            "row": one.row,
            "col": one.col,
            "value": one.value,
        }
        for one in exciting.of(args.layer, args.channel)
    ]
    if args.json:
        print_json({"model": args.model, "layer": args.layer, "channel": args.channel, "digits": rows})
        return 0
    heads = ["test digit", "label", "row", "column", "value"]
    lines = [
        [str(row["digit"]), str(row["label"]), str(row["row"]), str(row["col"]), f"{row['value']:.4f}"]
        for row in rows
    ]
    say("\n".join(table([heads, *lines], frozenset(range(5)))))
    return 0


def _search(model: str) -> Exciting:
    """A model's record if there is one, else a new search."""
    from cnnviz.concepts.exciting import most_exciting, read_exciting
    from cnnviz.network.keras_file import load_model

    net = require_digits(load_model(model))
    kept = read_exciting(model, net.source) if model in BUNDLED else None
    if kept is not None:
        return kept
    with ProgressBar(f"looking with {model}") as progress:
        return most_exciting(net, mnist_test_set(None)[0], progress=progress)


def _record() -> int:
    from cnnviz.concepts.exciting import most_exciting, write_exciting
    from cnnviz.network.keras_file import load_model

    images = mnist_test_set(None)[0]
    for model in BUNDLED:
        net = load_model(model)
        assert net.source is not None
        with ProgressBar(f"looking with {model}") as progress:
            path = write_exciting(most_exciting(net, images, progress=progress), net.source)
        say(f"{path.name}: {path.stat().st_size:,} bytes")
    return 0


COMMAND = Command(
    "exciting",
    "the test digits that excite a channel most, and where",
    arguments,
    run,
    (
        "cnnviz exciting conv2d_3 7",
        "cnnviz exciting conv2d_1 0 --model mnist_maxpool --json",
        "cnnviz exciting --record",
    ),
)
