"""cnnviz exciting: the images that excite a channel most."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnviz.commands.picture_options import (
    add_classes,
    add_pictures,
    examples_for,
    names_of_classes,
    number_of_digits,
    with_model,
)
from cnnviz.commands.shared import (
    Command,
    add_json,
    add_limits,
    complain,
    mnist_test_set,
    print_json,
    progress_bar,
    say,
    table,
)
from cnnviz.resources import BUNDLED

if TYPE_CHECKING:
    from cnnviz.concepts.exciting import Exciting
    from cnnviz.network import Network
    from cnnviz.network.examples import Examples


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs="*",
        metavar="LAYER",
        help="a layer with maps, such as conv2d_3, and behind it one of its channels, from 0; before them "
        "the model, if not given by --model",
    )
    parser.add_argument("--model", metavar="MODEL", help=f"the model (default: {BUNDLED[0]})")
    add_pictures(parser, numbers=True)
    add_classes(parser)
    parser.add_argument(
        "--record",
        action="store_true",
        help="keep those of all channels of the bundled models, for the explorer",
    )
    add_json(parser)
    add_limits(parser)


def run(args: argparse.Namespace) -> int:
    model, words = with_model(args.words, args.model)
    if args.record != (not words) or len(words) not in (0, 2):
        raise ValueError("give a LAYER and a CHANNEL, or --record without them")
    if args.record:
        return _record()
    from cnnviz.network.class_scores import classes_of
    from cnnviz.network.keras_file import load_model

    net = load_model(model)
    layer, channel = words[0], _number(words[1])
    _check(net, layer, channel)
    examples = examples_for(net, args)
    digits = number_of_digits(args) is not None
    if not digits:
        with progress_bar("reading the pictures") as reading:
            examples = examples.readable(reading)
    for name, why in examples.skipped:
        complain(f"{name}: {why}")
    names = next(iter(names_of_classes(args, classes_of(net), examples).values()), examples.classes)
    found = _search(net, model, examples, digits, whole=digits and not number_of_digits(args))
    rows: list[dict[str, Any]] = [
        {
            **({"digit": one.image} if digits else {"image": examples.names[one.image]}),
            **_label(examples, one.image, names),
            "row": one.row,
            "col": one.col,
            "value": one.value,
        }
        for one in found.of(net[layer].name, channel)
    ]
    if args.json:
        said = {"said": examples.said} if examples.said else {}
        key = "digits" if digits else "images"
        print_json({"model": model, "layer": layer, "channel": channel, **said, key: rows})
        return 0
    if examples.said:
        say(examples.said)
    heads = {"digit": "test digit", "col": "column"}
    lines = [[f"{v:.4f}" if key == "value" else str(v) for key, v in row.items()] for row in rows]
    right = frozenset(i for i, key in enumerate(rows[0]) if digits or key not in ("image", "label"))
    say(*table([[heads.get(key, key) for key in rows[0]], *lines], right))
    return 0


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"CHANNEL must be a whole number, got {text!r}") from None


def _check(net: Network, layer: str, channel: int) -> None:
    """ValueError unless there are such maps."""
    with_maps = [each.name for each in net if each.inputs and len(each.output_shape) == 3]
    if not with_maps:
        raise ValueError(f"{net.name} has no layer with maps, so no channel to excite")
    if layer not in net or net[layer].name not in with_maps:
        raise ValueError(f"LAYER must be one of {', '.join(with_maps)}, got {layer!r}")
    count = net[layer].output_shape[-1]
    if count is not None and not 0 <= channel < count:
        raise ValueError(f"CHANNEL must be from 0 to {count - 1}, got {channel}")


def _label(examples: Examples, image: int, names: Sequence[str] | None) -> dict[str, Any]:
    """What an image is, if that is known."""
    if examples.labels is None:
        return {}
    label = int(examples.labels[image])
    # A folder's labels are numbers of its own classes.
    names = examples.classes or names
    return {"label": names[label] if names else label}


def _search(net: Network, model: str, examples: Examples, digits: bool, *, whole: bool) -> Exciting:
    """What excites the channels in some images; of the whole test set a model's record, if there is one."""
    from cnnviz.concepts.exciting import most_exciting, read_exciting

    kept = read_exciting(model, net.source) if whole and model in BUNDLED else None
    if kept is not None:
        return kept
    # Pictures for a network that takes any size may each have their own.
    alone = any(None in net[name].output_shape for name in net.inputs) and not digits
    with progress_bar(f"looking with {model}") as progress:
        return most_exciting(net, examples, batch_size=1 if alone else None, progress=progress)


def _record() -> int:
    from cnnviz.concepts.exciting import most_exciting, write_exciting
    from cnnviz.network.keras_file import load_model

    images = mnist_test_set(None)[0]
    for model in BUNDLED:
        net = load_model(model)
        assert net.source is not None
        with progress_bar(f"looking with {model}") as progress:
            path = write_exciting(most_exciting(net, images, progress=progress), net.source)
        say(f"{path.name}: {path.stat().st_size:,} bytes")
    return 0


COMMAND = Command(
    "exciting",
    "the images that excite a channel most, and where; without --images of MNIST's test digits",
    arguments,
    run,
    (
        "cnnviz exciting conv2d_3 7",
        "cnnviz exciting conv2d_1 0 --model mnist_maxpool --json",
        "cnnviz exciting mine.keras conv2d 3 --images photos",
        "cnnviz exciting --record",
    ),
)
