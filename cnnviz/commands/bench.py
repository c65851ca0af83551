"""cnnviz bench: how fast the engine is, beside TensorFlow where it is installed."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from cnnviz.commands.shared import Command, Interruption, add_json, print_json, progress_bar, say

MOST_THREADS = 256


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="threads of each engine (default: %(default)s)"
    )
    parser.add_argument(
        "--applications",
        action="store_true",
        help="one image through networks of keras.applications instead; needs TensorFlow",
    )
    parser.add_argument(
        "--train",
        action="store_true",
        help="seconds to learn the digits from random weights instead, beside Keras's; takes minutes",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from cnnviz.ops.processor import blas_name, processor_name
    from cnnviz.verification.benchmark import conditions, measure, table

    if not 1 <= args.threads <= MOST_THREADS:
        raise ValueError(f"--threads must be from 1 to {MOST_THREADS}, got {args.threads}")
    if args.train and args.applications:
        raise ValueError("--train and --applications measure different things: give one of them")
    if args.train:
        return _learning(args)
    with Interruption() as interruption, progress_bar("measuring", interruption.check) as progress:
        measured = measure(args.threads, progress=progress, applications=args.applications)
    if args.json:
        rows = [{**asdict(row), "ratio": row.ratio, "floor": row.floor, "bar": row.bar} for row in measured]
        machine = {"processor": processor_name(), "blas": blas_name()}
        print_json({**machine, "threads": args.threads, "rows": rows})
    else:
        say(conditions(args.threads), "", *table(measured).splitlines())
    return 0


def _learning(args: argparse.Namespace) -> int:
    from cnnviz.verification.training_time import learning_table, measure_learning

    with Interruption() as interruption, progress_bar("training", interruption.check) as progress:
        measured = measure_learning(args.threads, progress=progress)
    if args.json:
        print_json({"threads": args.threads, "runs": [asdict(one) for one in measured]})
    else:
        say(*learning_table(measured).splitlines())
    return 0


COMMAND = Command(
    "bench",
    "time the engine's work, beside TensorFlow's where it is installed",
    arguments,
    run,
    (
        "cnnviz bench",
        "cnnviz bench --threads 2 --json",
        "cnnviz bench --applications",
        "cnnviz bench --train --threads 2",
    ),
)
