"""cnnviz supported: the Keras classes that are read, and the networks of keras.applications."""

from __future__ import annotations

import argparse
import textwrap
from dataclasses import asdict
from typing import Any

from cnnviz.commands.shared import Command, add_json, import_tensorflow, print_json, progress_bar, say, table

WIDTH = 100
MARKS = {
    "operands": ("*", "a receipt shows the number, not what it is made of"),
    "links": ("°", "a unit is said to read everything"),
    "browser": ("+", "the live view shows Python's numbers, and recomputes none"),
}
"""What an entry may leave to a default, and how the table marks it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--applications",
        nargs="*",
        metavar="NAME",
        help="compare the networks of keras.applications with Keras, all or these (needs TensorFlow)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.applications is not None:
        return _applications(args.applications, args.json)
    rows = _classes()
    if args.json:
        print_json(rows)
        return 0
    families: dict[str, list[str]] = {}
    for row in rows:
        marks = "".join(mark for name, (mark, _) in MARKS.items() if not row[name])
        families.setdefault(row["family"], []).append(f"{row['class']}{marks}")
    for family, classes in families.items():
        say(*textwrap.wrap(f"{family}: {', '.join(classes)}", WIDTH, subsequent_indent="  "))
    borne = [f"{mark} {words}" for name, (mark, words) in MARKS.items() if not all(row[name] for row in rows)]
    say(*["", *borne] if borne else [])
    return 0


def _classes() -> list[dict[str, Any]]:
    """Every class with the file that says it, and which of MARKS its entry says itself."""
    from cnnviz.layers import ENTRIES, Entry

    return [
        {
            "class": kind,
            "family": type(entry).__module__.rpartition(".")[2].replace("_", " "),
            **{
                # What computes nothing is its input, in every respect.
                name: not entry.computes or getattr(type(entry), name) is not getattr(Entry, name)
                for name in MARKS
            },
        }
        for kind, entry in sorted(ENTRIES.items(), key=lambda item: (type(item[1]).__module__, item[0]))
    ]


def _applications(names: list[str], as_json: bool) -> int:
    from cnnviz.verification.applications import applications, check_application

    import_tensorflow()
    checks = []
    names = names or applications()
    with progress_bar("comparing") as progress:
        for done, name in enumerate(names):
            progress(done, len(names), name)
            checks.append(check_application(name))
    if as_json:
        print_json([{**asdict(check), "share": None if check.problem else check.share} for check in checks])
    else:
        heads = ("network", "input", "layers", "parameters", "worst share of its bound", "outputs", "seconds")
        rows = [
            (
                check.name,
                f"{check.size} x {check.size}",
                str(check.layers),
                f"{check.params:,}",
                f"{check.share:.0%}" + ("" if check.passed else f" in {check.worst}  FAILED"),
                "{:.2g} to {:.2g}".format(*check.outputs),
                f"{check.seconds:.0f}",
            )
            for check in checks
            if not check.problem
        ]
        say(*table([heads, *rows], right=frozenset({1, 2, 3, 4, 5, 6})))
        for check in checks:
            if check.problem:
                say(f"{check.name}: {check.problem}")
    return 0 if all(check.passed or check.problem.startswith("skipped") for check in checks) else 1


COMMAND = Command(
    "supported",
    "the Keras layer classes that are read, and how the networks of keras.applications compare with Keras",
    arguments,
    run,
    ("cnnviz supported", "cnnviz supported --applications MobileNetV2 ResNet50"),
)
