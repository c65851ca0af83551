"""cnnviz answers: the records that learners took along, put together."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

from cnnviz.commands.shared import Command, complain, refuse_to_replace, say, table, words_beside
from cnnviz.resources import text_writer, write_atomically


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="what learners saved in the explorer, .json or .csv"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the CSV file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace it if it is there")


def run(args: argparse.Namespace) -> int:
    with words_beside(args.output):
        return collect(args)


def collect(args: argparse.Namespace) -> int:
    """Write the table of the class, and say how it did; a file that is no record is said and left out."""
    from cnnviz.numbers import counted
    from cnnviz.teaching.answer_record import AnswerRecord, by_lesson, class_table, read_record

    output = Path(args.output)
    refuse_to_replace(args.output, args.files)
    if output.is_file() and not args.overwrite:
        raise ValueError(f"{output} is there already: choose another -o, or --overwrite it")
    records: dict[str, AnswerRecord] = {}
    code, times = 0, Counter[str]()
    for file in args.files:
        try:
            record = read_record(_text(file), file)
        except (ValueError, OSError) as error:
            # What the system says comes without the file.
            code = complain(f"{file}: {error.strerror}" if isinstance(error, OSError) else str(error))
            continue
        name = Path(file).stem.removeprefix("cnnviz-answers-")
        times[name] += 1
        records[name if times[name] == 1 else f"{name} ({times[name]})"] = record
    if not records:
        return code
    text = "\ufeff" + class_table(records)
    write_atomically(output, text_writer(text))
    rows = [
        (page, str(learners), str(asked), f"{right} ({right / asked:.0%})")
        for page, (learners, asked, right) in by_lesson(records.values()).items()
    ]
    say(*table([("lesson", "learners", "answered", "right at once"), *rows], frozenset({1, 2, 3})))
    count = sum(len(record.answers) for record in records.values())
    say(f"{output}: {counted(count, 'answer')} of {counted(len(records), 'learner')}")
    return code


def _text(file: str) -> str:
    """What a file holds; ValueError for what is no text of a record's size."""
    from cnnviz.teaching.answer_record import MOST_BYTES

    if not os.path.isfile(file) and os.path.exists(file):
        raise ValueError(f"{file} is no file")
    with open(file, "rb") as opened:
        content = opened.read(4 * MOST_BYTES + 1)
    if len(content) > 4 * MOST_BYTES:
        raise ValueError(f"{file} is larger than a record of answers can be")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file} is no record of answers: it is not text in UTF-8") from None


COMMAND = Command(
    "answers",
    "put the records of answers that learners saved in the explorer into one table",
    arguments,
    run,
    ("cnnviz answers handed-in/*.json -o class.csv",),
)
