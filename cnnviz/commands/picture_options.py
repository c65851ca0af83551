"""The options of commands that name pictures, the scale of their pixels, and their classes.

Without --images a network that reads digits gets MNIST's test digits. What is done to the pixels is said.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.commands.shared import count, mnist_test_set, progress_bar
from cnnviz.resources import BUNDLED, bundled_name

if TYPE_CHECKING:
    import numpy as np

    from cnnviz.network import Network
    from cnnviz.network.examples import Examples

_MODEL_FILES = (".keras", ".h5", ".hdf5")


def add_pictures(parser: argparse.ArgumentParser, *, numbers: bool = False) -> None:
    """--images, --limit, --preprocess, --ink and --crop; with `numbers` --images takes a number too."""
    digits = "; or a number: so many of the MNIST test digits" if numbers else ""
    parser.add_argument(
        "--images",
        type=_path_or_number,
        action="append",
        default=[],
        metavar="PATH",
        help="a picture, a folder (its sub-folders are classes), or an .npz or .npy file; for a network of "
        f"several inputs NAME=PATH for each{digits}",
    )
    parser.add_argument("--limit", type=count, metavar="N", help="at most N of them, evenly spread")
    parser.add_argument(
        "--preprocess",
        default="auto",
        metavar="MODE",
        help="the scale of the pixels: tf, caffe or torch as in Keras's preprocess_input, unit (0..1), none "
        "(0..255), or digit, which makes a digit of a picture as in MNIST (default: auto, which asks the "
        "network and says what it took)",
    )
    parser.add_argument(
        "--ink",
        choices=("auto", "dark", "light"),
        default="auto",
        help="of a digit: what is ink on the picture (default: auto, which looks for it)",
    )
    parser.add_argument(
        "--crop",
        nargs=4,
        type=float,
        metavar=("TOP", "BOTTOM", "LEFT", "RIGHT"),
        help="of a digit: the part to look at, in shares of the picture's height and width: 0.1 0.9 0 1",
    )


def add_classes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="the names of the classes: one a line, or JSON; or a folder of folders",
    )


def with_model(words: Sequence[str], model: str | None) -> tuple[str, list[str]]:
    """The model, which may come first among a command's words or after --model, and the other words."""
    rest = list(words)
    first = rest[0] if rest else ""
    if model is None and (first in BUNDLED or first.lower().endswith(_MODEL_FILES)):
        model = rest.pop(0)
    return model or BUNDLED[0], rest


def number_of_digits(args: argparse.Namespace) -> int | None:
    """How many of MNIST's test digits the options ask for, 0 for all of them; None if for other images."""
    if not args.images:
        return args.limit or 0
    only, *more = args.images
    return int(only) if _is_number(only) and not more else None


def _path_or_number(text: str) -> str:
    return str(count(text)) if _is_number(text) else text


def _is_number(text: str) -> bool:
    # A file may have a number for its name.
    return text.isascii() and text.isdigit() and not Path(text).exists()


def _of_a_digit(args: argparse.Namespace) -> dict[str, Any]:
    """What is said of a digit's picture, as `load_images` takes it; nothing if nothing is."""
    said = {} if args.ink == "auto" else {"ink": args.ink}
    if args.crop is not None:
        top, bottom, left, right = args.crop
        said["crop"] = ((top, bottom), (left, right))
    return said


def check_no_ink(args: argparse.Namespace) -> None:
    """ValueError where it is said what is ink on pictures that there are not."""
    if _of_a_digit(args):
        raise ValueError("--ink and --crop are for pictures of a digit: give them with --images PATH")


def examples_for(net: Network, args: argparse.Namespace, paths: Sequence[str] = ()) -> Examples:
    """What a command's options say that the network is to be run on.

    `paths` are pictures that come without an option. ValueError if there are none, but for a network that
    reads digits, which gets the MNIST test digits.
    """
    options = [*paths, *args.images]
    digits = number_of_digits(args) if not paths else None
    if digits is not None:
        check_no_ink(args)
        from cnnviz.network.examples import takes_digits

        if takes_digits(net):
            return _test_digits(digits or None, _check_digits(net, args))
        raise ValueError(
            f"{net.name} takes {net.input_shape}, not 28 x 28 digits: give it pictures with --images PATH"
        )
    if len(net.inputs) == 1:
        return _of_one_input(net, options, args, words=bool(paths))
    return _of_several_inputs(net, options, args)


def _check_digits(net: Network, args: argparse.Namespace) -> str:
    """ValueError where the classes are named, and are no digits; else what is assumed, if anything is."""
    from cnnviz.images.class_names import class_names
    from cnnviz.network.class_scores import classes_of
    from cnnviz.network.examples import are_digits
    from cnnviz.numbers import brief

    named = getattr(args, "classes", None)
    if named is not None and not are_digits(class_names(named)):
        raise ValueError(
            f"{named} names {brief(class_names(named)[0])} and others, which MNIST's digits are not: give "
            f"{net.name} pictures of its own with --images PATH"
        )
    if named is None and bundled_name(net.source) is None and list(classes_of(net).values()) == [10]:
        return (
            f"the ten classes of {net.name} are taken for MNIST's digits; --classes FILE or --images PATH "
            "says otherwise"
        )
    return ""


def _test_digits(limit: int | None, said: str = "") -> Examples:
    from cnnviz.network.examples import Examples

    x, y = mnist_test_set(limit)
    return Examples({"digits": x}, [f"test digit {i}" for i in range(len(x))], y, said=said)


def _of_one_input(net: Network, paths: Sequence[str], args: argparse.Namespace, *, words: bool) -> Examples:
    """`words` says that they are pictures that stand behind the command: drawn or photographed digits."""
    (name,) = net.inputs
    paths = [path.removeprefix(f"{name}=") for path in paths]
    if len(net[name].output_shape) not in (2, 3):
        from cnnviz.network.examples import Examples

        columns, names, labels = _numbers(net, name, paths, args.limit)
        return Examples({name: columns}, names, labels)
    from cnnviz.images.preprocessing import MODES
    from cnnviz.images.sources import LoadedImages
    from cnnviz.network.examples import Examples, takes_digits
    from cnnviz.network.expected_pixels import expected_pixels
    from cnnviz.network.image_loading import load_images

    digits = args.preprocess == "auto" and takes_digits(net)
    bundled = digits and expected_pixels(net, name).mode == "digit"
    digits = bundled or (digits and words)
    mode = "digit" if digits else args.preprocess
    limit, asked = args.limit if len(paths) == 1 else None, _of_a_digit(args)
    with progress_bar("looking for pictures") as looking:
        parts = [
            load_images(_source(path), net, mode, limit=limit, progress=looking, **asked) for path in paths
        ]
    if digits and not asked:
        # Arrays of MNIST's size are digits already.
        parts = [
            LoadedImages(part.source, part.shape, "unit")
            if getattr(part.source.items, "shape", ())[1:3] == (28, 28)
            else part
            for part in parts
        ]
    entries = [(part, i) for part in parts for i in range(len(part))]
    names = [
        each for path, part in zip(paths, parts, strict=True) for each in _called(path, part.source.names)
    ]
    labelled = len(parts) == 1
    said = [part.source.said for part in parts if part.source.skipped]
    if not digits:
        said.append(_scale_said(net, name, args.preprocess, parts[0].mode))
    elif not bundled and any(part.mode == "digit" for part in parts):
        said.append(f"preprocess='digit': {MODES['digit']}; --preprocess unit takes pictures as they are")
    said += [f"{option}={value!r}, as asked" for option, value in asked.items()]
    if labelled and getattr(args, "classes", "") is None:
        said += _order_said(net, parts[0].source.classes)
    found = Examples(
        {name: _Parts(entries, digits)},
        names,
        parts[0].source.labels if labelled else None,
        parts[0].source.classes if labelled else None,
        "; ".join(said),
    )
    return found if labelled or args.limit is None else found.of(range(min(args.limit, len(found))))


def _order_said(net: Network, folders: Sequence[str] | None) -> list[str]:
    """What is assumed where only a folder's names say which class is which."""
    from cnnviz.network.class_scores import classes_of
    from cnnviz.numbers import shortened

    if not folders or len(folders) not in classes_of(net).values():
        return []
    return [
        f"its classes are taken for {shortened(', '.join(folders), 60)}, in the order of the folders' names, "
        "as Keras takes them; --classes FILE says another order"
    ]


def _source(path: str) -> str | list[str]:
    """What `load_images` takes; a single picture in a list, so that it may turn out to be none later on."""
    return path if Path(path).is_dir() or path.lower().endswith((".npz", ".npy")) else [path]


def _called(path: str, names: Sequence[str]) -> list[str]:
    """The images of a folder or an archive by their paths; a single file by its own."""
    return (
        [path] if len(names) == 1 and not Path(path).is_dir() else [str(Path(path) / name) for name in names]
    )


def titles_of(names: Sequence[str]) -> list[str]:
    """What pages call pictures: their paths without the folder in which all of them lie.

    >>> titles_of(["my/photos/cats/0.png", "my/photos/dogs/0.png"])
    ['cats/0.png', 'dogs/0.png']
    """
    # Pictures of one name lie in the folders of several classes.
    paths = [Path(name).absolute() for name in names]
    folder = os.path.commonpath([path.parent for path in paths]) if paths else ""
    if os.path.isfile(folder):  # An array's images are called by the file and a number.
        folder = os.path.dirname(folder)
    return [path.relative_to(folder).as_posix() for path in paths]


class _Parts(Sequence[Any]):
    """The images of several sources, one after the other; digits as the bytes that MNIST has."""

    def __init__(self, entries: Sequence[tuple[Sequence[Any], int]], digits: bool) -> None:
        self.entries, self.digits = entries, digits

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, i: Any) -> Any:
        part, place = self.entries[i]
        # A network that scales pixels itself wants a digit's ink as 0..255 too: bytes go to each as it wants.
        return part[place].pixels if self.digits else part[place]


def _of_several_inputs(net: Network, options: Sequence[str], args: argparse.Namespace) -> Examples:
    from cnnviz.network.examples import Examples
    from cnnviz.network.image_loading import load_images

    given = dict(option.split("=", 1) for option in options if "=" in option)
    if len(given) != len(options) or set(given) != set(net.inputs):
        each = " ".join(f"--images {name}=PATH" for name in net.inputs)
        raise ValueError(f"{net.name} has the inputs {', '.join(net.inputs)}: give each its own, {each}")
    columns: dict[str, Any] = {}
    names: Sequence[str] = ()
    labels, classes, said = None, None, []
    for name in net.inputs:
        if len(net[name].output_shape) in (2, 3):
            with progress_bar("looking for pictures") as looking:
                part = load_images(
                    _source(given[name]),
                    net,
                    args.preprocess,
                    input=name,
                    limit=args.limit,
                    progress=looking,
                    **_of_a_digit(args),
                )
            columns[name] = part
            names = names or _called(given[name], part.source.names)
            labels = part.source.labels if labels is None else labels
            classes = classes or part.source.classes
            said.append(f"{name}: {_scale_said(net, name, args.preprocess, part.mode)}")
        else:
            columns[name], numbers, own = _numbers(net, name, [given[name]], args.limit)
            names = names or numbers
            labels = own if labels is None else labels
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        words = ", ".join(f"{length} for {name}" for name, length in lengths.items())
        raise ValueError(f"--images must give every input as many examples, got {words}")
    return Examples(columns, names, labels, classes, "; ".join(said))


def _numbers(
    net: Network, name: str, paths: Sequence[str], limit: int | None
) -> tuple[np.ndarray, list[str], np.ndarray | None]:
    """Arrays for an input that reads no pictures, from an .npy or .npz file; its labels "y", if any."""
    from cnnviz.images.sources import checked_labels
    from cnnviz.numbers import shortened
    from cnnviz.resources import mapped_array, read_arrays, stated_arrays

    (path,) = paths if len(paths) == 1 else ("",)
    shape = net[name].output_shape
    if not path.lower().endswith((".npy", ".npz")):
        raise ValueError(
            f"the input {name} takes {shape}, no pictures: give its numbers as one .npy or .npz file"
        )
    labels = None
    try:
        if path.lower().endswith(".npy"):
            content = mapped_array(path)
        else:
            stated = stated_arrays(path)
            found = next((each for each in (name, "x", "arr_0") if each in stated), None)
            if found is None:
                raise ValueError(f"it must hold {name} or x, it holds {shortened(', '.join(stated), 200)}")
            arrays = read_arrays(path, [each for each in (found, "y") if each in stated])
            content, labels = arrays[found], arrays.get("y")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"cannot read numbers from {path}: {error}") from None
    if content.dtype.kind not in "buif" or content.dtype.itemsize > 8 or not content.ndim or not content.size:
        raise ValueError(
            f"{path} must hold real numbers (N, ...) for {name}, got {shortened(str(content.dtype), 80)} "
            f"{content.shape}"
        )
    if labels is not None:
        labels = checked_labels(labels, len(content), path)[:limit]
    return content[:limit], [str(i) for i in range(len(content[:limit]))], labels


def _scale_said(net: Network, name: str, asked: str, mode: str) -> str:
    """Which scale the pixels get, and why."""
    from cnnviz.network.expected_pixels import expected_pixels

    return f"preprocess={mode!r}, as asked" if asked != "auto" else str(expected_pixels(net, name))


def names_of_classes(
    args: argparse.Namespace, sizes: Mapping[str, int], examples: Examples | None = None
) -> dict[str, list[str]]:
    """The names of the classes of each output that is known to have some: --classes', else a folder's.

    `sizes` are the numbers of classes of the outputs. ValueError if --classes fits none of them.
    """
    from cnnviz.images.class_names import class_names

    if args.classes is None:
        names = list(examples.classes or ()) if examples is not None else []
        return {output: names for output, size in sizes.items() if names and len(names) == size}
    if len(sizes) == 1:
        ((output, size),) = sizes.items()
        return {output: class_names(args.classes, size)}
    names = class_names(args.classes)
    fitting = {output: names for output, size in sizes.items() if len(names) == size}
    if not fitting:
        outputs = ", ".join(f"{output} {size}" for output, size in sizes.items()) or "none"
        raise ValueError(f"{args.classes} names {len(names)} classes; the outputs with classes are {outputs}")
    return fitting
