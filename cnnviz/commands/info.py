"""cnnviz info: the layer table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cnnviz.commands.shared import Command, add_json, add_model, print_json, say, table

if TYPE_CHECKING:
    from cnnviz.network import Network


def arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from cnnviz.network.expected_pixels import expected_pixels
    from cnnviz.network.keras_file import load_model

    net = load_model(args.model)
    sizes, labels, unknown = _fields(net)
    total, trainable, fixed = net.count_params()
    layers: list[dict[str, Any]] = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "output_shape": layer.output_shape,
            "params": layer.params if layer.owner == layer.name else 0,
            "multiply_adds": layer.multiply_adds,
            "receptive_field": sizes.get(layer.name),
        }
        for layer in net
    ]
    pixels = {name: str(expected_pixels(net, name)) for name in net.inputs if _is_picture(net, name)}
    counts = [row["multiply_adds"] for row in layers]
    products = None if None in counts else sum(counts)
    if args.json:
        params = {"total": total, "trainable": trainable, "non_trainable": fixed}
        print_json(
            {
                "model": args.model,
                "layers": layers,
                "params": params,
                "multiply_adds": products,
                "pixels": pixels,
                "notes": net.notes,
            }
        )
        return 0
    heads = ("layer", "kind", "output", "parameters", "multiply-adds", "receptive field")
    rows = [
        (
            layer.name,
            layer.kind,
            " x ".join("?" if n is None else str(n) for n in layer.output_shape),
            f"{row['params']:,}",
            _number(row["multiply_adds"]),
            labels.get(layer.name, "-"),
        )
        for layer, row in zip(net, layers, strict=True)
    ]
    say(*table([heads, *rows], right=frozenset({3, 4, 5})))
    say(f"{total:,} parameters: {trainable:,} trainable, {fixed:,} non-trainable")
    say(f"{_number(products)} multiply-adds for one image")
    if unknown:
        say(f"receptive fields: {unknown}")
    for name, said in pixels.items():
        say(f"pixels{f' of {name}' if len(net.inputs) > 1 else ''}: {said}")
    for note in net.notes:
        say(note)
    return 0


def _fields(net: Network) -> tuple[dict[str, Any], dict[str, str], str]:
    """The layers' receptive fields and what these are called, or why they are not known."""
    from cnnviz.receptive_fields import receptive_field

    try:
        fields = receptive_field(net)
        return {name: f.size for name, f in fields.items()}, {n: f.label for n, f in fields.items()}, ""
    except ValueError as error:
        return {}, {}, str(error)


def _is_picture(net: Network, name: str) -> bool:
    shape = net[name].output_shape
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


COMMAND = Command(
    "info",
    "the layer table: output shape, parameters, multiply-adds, receptive field; and the scale of its pixels",
    arguments,
    run,
    ("cnnviz info", "cnnviz info mnist_maxpool --json"),
)
