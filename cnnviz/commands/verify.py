"""cnnviz verify: every layer against TensorFlow."""

from __future__ import annotations

import argparse

from cnnviz.commands.shared import (
    Command,
    ProgressBar,
    add_images,
    add_json,
    add_model,
    import_tensorflow,
    mnist_test_set,
    print_json,
    require_digits,
    say,
)
from cnnviz.resources import BUNDLED


def arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, default=None)
    add_images(parser)
    parser.add_argument(
        "--record", action="store_true", help="keep the result with the bundled models, for the explorer"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from cnnviz.network.keras_file import load_model
    from cnnviz.verification.comparison import verify, write_record

    if args.record and (args.model or args.images):
        raise ValueError("--record takes the bundled models on all test images: leave out MODEL and --images")
    nets = [require_digits(load_model(name)) for name in ([args.model] if args.model else BUNDLED)]
    x, _ = mnist_test_set(args.images)
    import_tensorflow()
    results = []
    for net in nets:
        with ProgressBar(f"verifying {net.name}") as progress:
            results.append(verify(net, x, progress=progress))
        if not args.json:
            say(results[-1], end="\n\n" if len(nets) > len(results) else "\n", flush=True)
    if args.json:
        print_json([result.to_dict() for result in results])
    passed = all(result.passed for result in results)
    if args.record and passed:
        write_record(results)
    return 0 if passed else 1


COMMAND = Command(
    "verify",
    "compare every layer with TensorFlow on the 10,000 test images (needs TensorFlow)",
    arguments,
    run,
    ("cnnviz verify", "cnnviz verify mnist_14k --images 500"),
)
