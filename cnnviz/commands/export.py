"""cnnviz export: the live view of pictures, the course, or recorded runs of training, as HTML."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cnnviz.commands.picture_options import (
    add_classes,
    add_pictures,
    check_no_ink,
    examples_for,
    names_of_classes,
    titles_of,
    with_model,
)
from cnnviz.commands.shared import (
    Command,
    add_limits,
    amount,
    complain,
    count,
    folder_of,
    refuse_to_replace,
    say,
    whole_numbers,
    words_beside,
)
from cnnviz.resources import BUNDLED, text_writer, write_together

if TYPE_CHECKING:
    from cnnviz.network import Network
    from cnnviz.network.examples import Examples

MOST, BYTES = 12, 64 * 2**20
"""Pictures in one file, and what their numbers take, unless --limit says otherwise."""
SIDE = 64
"""What an unknown size is reckoned as."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs="*",
        metavar="IMAGE",
        help="PNG, JPEG, WebP or GIF, or a folder of them; before it the model, if not given by --model",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the HTML file to write; with --course a folder"
    )
    parser.add_argument("--model", metavar="MODEL", help=f"the model (default: {BUNDLED[0]})")
    add_pictures(parser)
    add_classes(parser)
    parser.add_argument(
        "--digits",
        type=whole_numbers,
        default=(),
        metavar="N,N,...",
        help="MNIST test digits to take in, by number",
    )
    parser.add_argument(
        "--walk", metavar="NAME", help="a guided walk that the file begins with, such as from-pixel-to-answer"
    )
    parser.add_argument(
        "--course",
        action="store_true",
        help="write the guided walks of all lessons, a page each, into a folder that needs no server",
    )
    parser.add_argument(
        "--runs",
        type=lambda text: text.split(","),
        metavar="NAME,NAME,...",
        help="recorded runs of training, to be played epoch by epoch, such as mnist_maxpool.by_heart; all: "
        "the small ones. One of --digits says which digit is followed",
    )
    parser.add_argument(
        "--layers",
        type=lambda text: text.split(","),
        metavar="NAME,NAME,...",
        help="of a large network the numbers of these layers, with what they read",
    )
    parser.add_argument("--last", type=count, metavar="N", help="of a large network the last N layers")
    parser.add_argument(
        "--size",
        type=partial(amount, "megabytes", 1e6),
        metavar="MB",
        help="of a large network as many layers from both ends as a file of this size holds (default: 20)",
    )
    add_limits(parser)


def run(args: argparse.Namespace) -> int:
    with words_beside(args.output):
        if args.runs is not None:
            return export_runs(args)
        return export_course(args) if args.course else export(args)


def export_runs(args: argparse.Namespace) -> int:
    """Write the player of recorded runs, and say what is in it."""
    from cnnviz.numbers import counted
    from cnnviz.stage.export import mnist_digits
    from cnnviz.stage.recorded_runs import TITLES, RecordedRuns

    others = (args.model, args.walk, args.classes, args.limit, args.layers, args.last, args.size)
    more = (args.words, args.images, args.course or None)
    if any(option is not None and option != [] for option in (*others, *more)) or len(args.digits) > 1:
        raise ValueError(
            "--runs plays recorded runs and follows one of --digits in them: it goes with no model, "
            "pictures, --course, --walk, --classes, --limit, --layers, --last or --size"
        )
    names = list(TITLES) if args.runs == ["all"] else args.runs
    ((pixels, named),) = mnist_digits(args.digits or (0,))
    runs = RecordedRuns(names, pixels, title=named["title"], label=named["label"])
    path = runs.save(args.output)
    said = counted(len(names), "recorded run")
    say(f"{path}: {said}, {path.stat().st_size / 1e6:.1f} MB, opens in any browser")
    return 0


def export_course(args: argparse.Namespace) -> int:
    """Write the course into its folder, and say what is in it."""
    from cnnviz.network.examples import takes_digits
    from cnnviz.network.keras_file import load_model
    from cnnviz.teaching.course import DIGITS, course

    model, paths = with_model(args.words, args.model)
    others = (args.images, args.walk, args.classes, args.limit, args.layers, args.last, args.size)
    if paths or any(option is not None and option != [] for option in others):
        raise ValueError(
            "--course is about test digits, which --digits names, and takes all walks: it goes with no "
            "pictures, --walk, --classes, --limit, --layers, --last or --size"
        )
    net = load_model(model)
    if not takes_digits(net):
        raise ValueError(f"--course is about 28 x 28 digits in grey, and {net.name} takes {net.input_shape}")
    folder = folder_of(args.output)
    texts = course(net, args.digits or DIGITS)
    folder.mkdir(parents=True, exist_ok=True)
    size = sum(len(text.encode(errors="surrogatepass")) for text in texts.values())
    write_together({folder / name: text_writer(text) for name, text in texts.items()})
    pages = len(texts) - 2
    say(f"{folder}: {pages} lessons, {size / 1e6:.1f} MB, begin with {folder / 'index.html'}")
    return 0


def export(args: argparse.Namespace) -> int:
    """Write the file, and say what is in it."""
    from cnnviz.network.class_scores import classes_of
    from cnnviz.network.examples import Examples, takes_digits
    from cnnviz.network.keras_file import load_model
    from cnnviz.stage.export import export_images, mnist_digits
    from cnnviz.teaching.walks import WALKS

    model, paths = with_model(args.words, args.model)
    if not paths and not args.images and not args.digits:
        raise ValueError("there is nothing to show: give an image, --images PATH, or --digits")
    if args.walk is not None and args.walk not in WALKS:
        raise ValueError(f"--walk must be one of {', '.join(WALKS)}, got {args.walk!r}")
    net = load_model(model)
    if args.digits and not takes_digits(net):
        raise ValueError(f"--digits are 28 x 28 pixels in grey, and {net.name} takes {net.input_shape}")
    if not (paths or args.images):
        check_no_ink(args)
    examples = examples_for(net, args, paths) if paths or args.images else Examples({}, [])
    read = [model, *paths, *(args.images or []), *examples.names, str(args.classes or "")]
    # As OUTPUT=PATH too.
    refuse_to_replace(args.output, [*read, *(path.rpartition("=")[2] for path in read)])
    most = _most(net) if args.limit is None else args.limit
    if len(examples) > most:
        say(f"{most} of {len(examples)} pictures, evenly spread: --limit N takes more")
        examples = examples.evenly(most)
    names = names_of_classes(args, classes_of(net), examples)
    shown = [*_shown(net, examples, names), *mnist_digits(args.digits)]
    code = 0
    for name, why in examples.skipped:
        code = complain(f"{name}: {why}")
    if not shown:
        return code
    if examples.said:
        say(examples.said)
    chosen: dict[str, Any] = {"layers": args.layers, "last": args.last, "said": say}
    chosen |= {} if args.size is None else {"limit": args.size}
    path = export_images(args.output, net, shown, names.get(_last_output(net)), args.walk, **chosen)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, opens in any browser")
    return code


def _most(net: Network) -> int:
    """How many pictures a file holds without getting too large for a browser; at least one."""
    numbers = sum(math.prod(size or SIDE for size in layer.output_shape) for layer in net)
    return max(1, min(MOST, BYTES // (4 * max(numbers, 1))))


def _last_output(net: Network) -> str:
    """The output that is the view's last column."""
    order = {layer.name: place for place, layer in enumerate(net)}
    return max(net.outputs, key=lambda output: order[net[output].name])


def _shown(
    net: Network, examples: Examples, names: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each picture with what is said of it; those of another size than the first are left out."""
    from cnnviz.network.class_scores import labels_by_output

    labels = labels_by_output(net, examples, names).get(_last_output(net))
    size = None
    titles = titles_of(examples.names)
    for (place,), batch in examples.batches(1):
        shapes = [x.shape for x in (batch.values() if isinstance(batch, dict) else [batch])]
        size = size or shapes
        name = examples.names[place]
        if shapes != size:
            examples.skipped.append(
                (name, f"has another size than {examples.names[0]}: one view shows one size")
            )
            continue
        label = None if labels is None else int(labels[place])
        yield batch, {"title": titles[place], "label": label, "key": titles[place]}


COMMAND = Command(
    "export",
    "write the live view of pictures, the course, or runs of training, as HTML that needs no server",
    arguments,
    run,
    (
        "cnnviz export seven.png -o seven.html",
        "cnnviz export --digits 0,7,42 -o digits.html",
        "cnnviz export --digits 0 --walk from-pixel-to-answer -o walk.html",
        "cnnviz export --course -o course",
        "cnnviz export --runs all -o runs.html",
        "cnnviz export mine.keras --images photos --classes names.txt -o photos.html",
        "cnnviz export resnet50.keras --image cat.jpg --last 8 -o end.html",
    ),
)
