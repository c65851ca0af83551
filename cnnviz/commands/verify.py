"""cnnviz verify: every layer against TensorFlow, and every step of training."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cnnviz.commands.picture_options import (
    add_pictures,
    examples_for,
    number_of_digits,
)
from cnnviz.commands.shared import (
    Command,
    Interruption,
    add_json,
    add_limits,
    add_model,
    count,
    import_tensorflow,
    print_json,
    progress_bar,
    say,
)
from cnnviz.resources import BUNDLED

if TYPE_CHECKING:
    from cnnviz.network import Network


def arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, default=None)
    add_pictures(parser, numbers=True)
    parser.add_argument(
        "--training",
        action="store_true",
        help="train small models with every class that is trained, and both bundled architectures, beside "
        "Keras; MODEL is then one of these, a class, or class, pairs, network, optimizer, loss or structure",
    )
    parser.add_argument(
        "--pairs",
        type=count,
        metavar="N",
        help="with --training: of the pairs of classes one in N (default: all)",
    )
    parser.add_argument(
        "--record", action="store_true", help="keep the result with the bundled models, for the explorer"
    )
    add_json(parser)
    add_limits(parser)


def run(args: argparse.Namespace) -> int:
    if args.training:
        return run_training(args)
    if args.pairs is not None:
        raise ValueError("--pairs is about training: add --training")
    from cnnviz.network.keras_file import load_model
    from cnnviz.verification.comparison import verify, write_record

    if args.record and (args.model or args.images):
        raise ValueError("--record takes the bundled models on all test images: leave out MODEL and --images")
    nets = [load_model(name) for name in ([args.model] if args.model else BUNDLED)]
    given = [images_for(net, args) for net in nets]
    results = []
    with Interruption() as interruption:
        import_tensorflow()
        for net, (x, said) in zip(nets, given, strict=True):
            with progress_bar(f"verifying {net.name}", interruption.check) as progress:
                results.append(verify(net, x, progress=progress))
            if not args.json:
                if said:
                    say(said)
                more = [""] if len(nets) > len(results) else []
                say(*str(results[-1]).splitlines(), *more, flush=True)
    if args.json:
        print_json([result.to_dict() for result in results])
    passed = all(result.passed for result in results)
    if args.record and passed:
        write_record(results)
    return 0 if passed else 1


def run_training(args: argparse.Namespace) -> int:
    from cnnviz.verification.training_verification import (
        TrainingCheck,
        verify_training,
        write_training_record,
    )

    if args.images or args.limit is not None:
        raise ValueError("--training makes its own images: leave out --images and --limit")
    if args.record and (args.model or args.pairs):
        raise ValueError("--record takes everything: leave out MODEL and --pairs")
    with (
        Interruption() as interruption,
        progress_bar("training beside Keras", interruption.check) as progress,
    ):
        done: list[str] = []

        def show(check: TrainingCheck) -> None:
            done.append(check.name)
            progress(len(done), len(done) + 1, check.name)

        words = [args.model] if args.model else []
        result = verify_training(words, pairs=args.pairs or 1, progress=show)
    if args.json:
        print_json(result.to_dict())
    else:
        say(*str(result).splitlines())
    if args.record and result.passed:
        write_training_record(result)
    return 0 if result.passed else 1


def images_for(net: Network, args: argparse.Namespace) -> tuple[Any, str]:
    """What to compare on, and what is to be said of it: pictures, test digits, or random numbers."""
    from cnnviz.network.examples import takes_digits

    if not args.images and not takes_digits(net):
        few = args.limit or RANDOM
        return random_inputs(net, few), f"on {few} images of random numbers: --images PATH takes pictures"
    examples = examples_for(net, args)
    if number_of_digits(args) is not None:
        return examples[:], ""
    if args.limit is None and len(examples) > PICTURES:
        examples = examples.evenly(PICTURES)
    places, batch = next(examples.batches(len(examples)), ([], None))
    if not places:
        raise ValueError(examples.none_is_read)
    left = len(examples) - len(places)
    said = f"{examples.said}; {left} of other sizes, or damaged, left out" if left else examples.said
    return batch, said


RANDOM = 4
"""Images of random numbers, where there are no pictures."""
PICTURES = 32
"""Pictures of a folder, unless --limit says otherwise."""
SIDE = 64
"""The size of a random image of a network that takes any."""


def random_inputs(net: Network, number: int) -> dict[str, Any]:
    """Random numbers for every input, the same each time: pixels in the scale that it wants, else normal."""
    import numpy as np

    from cnnviz.images.preprocessing import preprocess
    from cnnviz.network.expected_pixels import expected_pixels

    rng = np.random.default_rng(0)
    inputs = {}
    for name in net.inputs:
        shape = tuple(SIDE if n is None else n for n in net[name].output_shape)
        if len(shape) == 3 and shape[2] in (1, 3):
            pixels = rng.integers(0, 256, (number, *shape))
            inputs[name] = preprocess(pixels, expected_pixels(net, name).mode, net.dtype)
        else:
            inputs[name] = rng.standard_normal((number, *shape)).astype(net.dtype)
    return inputs


COMMAND = Command(
    "verify",
    "compare every layer with TensorFlow, which is needed; without --images on MNIST's 10,000 test digits",
    arguments,
    run,
    (
        "cnnviz verify",
        "cnnviz verify mnist_14k --images 500",
        "cnnviz verify mine.keras --images photos",
        "cnnviz verify --training",
        "cnnviz verify --training Conv2D",
    ),
)
