"""cnnviz exercises: a worksheet for each student of a class, and the key."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from cnnviz.commands.shared import Command, count, folder_of, say
from cnnviz.resources import text_writer, write_together

KEY, ALL = "key.csv", "all-sheets.html"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="the lesson, such as one_by_one")
    parser.add_argument(
        "--students", type=count, default=30, metavar="N", help="how many sheets (default: 30)"
    )
    parser.add_argument(
        "--seed",
        type=_seed,
        metavar="N",
        help="a whole number, which gives the same sheets again; keep it to yourself (default: any, printed)",
    )
    parser.add_argument(
        "--model", default="mnist_14k", metavar="MODEL", help="the model (default: mnist_14k)"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder to write into")
    parser.add_argument("--overwrite", action="store_true", help="replace the sheets that are there")


def run(args: argparse.Namespace) -> int:
    """Write the sheets and the key, and say where they are."""
    from cnnviz.network.examples import takes_digits
    from cnnviz.network.keras_file import load_model
    from cnnviz.numbers import brief
    from cnnviz.teaching.exercises.answer_key import answer_key
    from cnnviz.teaching.exercises.notebooks import notebook
    from cnnviz.teaching.exercises.paper import paper
    from cnnviz.teaching.exercises.worksheets import MOST_STUDENTS, with_exercises, worksheets

    with_exercises(args.lesson)
    net = load_model(args.model)
    if not takes_digits(net):
        raise ValueError(
            f"exercises are about 28 x 28 digits in grey, and {net.name} takes {net.input_shape}"
        )
    seed = secrets.randbelow(10**6) if args.seed is None else args.seed
    if args.students > MOST_STUDENTS:
        raise ValueError(f"--students must be up to {MOST_STUDENTS:,}, got {brief(args.students)}")
    folder = folder_of(args.output)
    names = [f"sheet-{number:0{max(2, len(str(args.students)))}}" for number in range(1, args.students + 1)]
    _check_folder(
        folder, [KEY, ALL, *(f"{name}{end}" for name in names for end in (".html", ".ipynb"))], args
    )
    sheets = list(worksheets(args.lesson, args.students, seed, net))
    texts: dict[str, str] = {}
    for name, sheet in zip(names, sheets, strict=True):
        about = (sheet.lesson, sheet.number, sheet.model, sheet.digit)
        texts[f"{name}.html"] = paper([(*about, sheet.image, sheet.tasks)])
        texts[f"{name}.ipynb"] = notebook(*about, sheet.tasks)
    texts[ALL] = paper(
        [(one.lesson, one.number, one.model, one.digit, one.image, one.tasks) for one in sheets]
    )
    # The mark in front tells spreadsheets that the letters are UTF-8.
    texts[KEY] = "\ufeff" + answer_key(
        (f"{name}.html", sheet) for name, sheet in zip(names, sheets, strict=True)
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_together({folder / name: text_writer(text) for name, text in texts.items()})
    say(
        f"{folder}: {names[0]} to {names[-1]}, each as .html to print and as .ipynb; {ALL} prints all "
        "at once",
        f"{folder / KEY}: all answers, and how to grade them; keep it, and the seed {seed}, to yourself",
    )
    return 0


def _check_folder(folder: Path, names: list[str], args: argparse.Namespace) -> None:
    """ValueError where a file is in the way."""
    there = [name for name in names if (folder / name).exists()]
    if there and not args.overwrite:
        raise ValueError(f"{folder / there[0]} is there already: choose another -o, or --overwrite it")
    others = sorted({path.name for path in folder.glob("sheet-*.*")} - set(names))
    if others:
        raise ValueError(f"{folder / others[0]} would have no key any more: delete it, or choose another -o")


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        from cnnviz.numbers import brief

        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0 up, of at most 18 digits, got {brief(text)}"
        )
    return int(text)


COMMAND = Command(
    "exercises",
    "a worksheet for each student, to print and as a notebook, and a key with all answers",
    arguments,
    run,
    (
        "cnnviz exercises one_by_one --students 30 --seed 7 -o sheets",
        "cnnviz exercises convolution -o sheets",
    ),
)
