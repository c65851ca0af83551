"""A learner's answers as a file to take along, and those of a class in one table.

A record is what its learner hands in: it is read as it is, within limits, and nothing in it is believed to be
true, run or sent.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from cnnviz.numbers import brief
from cnnviz.resources import one_line, read_json
from cnnviz.teaching.csv_tables import csv_text, words_of
from cnnviz.teaching.lessons import LESSONS

VERSION = 1
MOST_ENTRIES, MOST_BYTES = 5_000, 4 * 2**20
"""What a record holds at most, and how large its file is: a course has some forty questions."""
MOST_LETTERS = 2_000


@dataclass(frozen=True)
class GivenAnswer:
    """One answer that a learner gave.

    Parameters
    ----------
    time
        When, as ISO 8601 has it: "2026-03-01T09:30:00+00:00".
    page
        The name of the lesson.
    question, choice
        The words of both.
    right
        Whether it was.
    """

    time: str
    page: str
    question: str
    choice: str
    right: bool


HEADS = tuple(field.name for field in fields(GivenAnswer))


@dataclass(frozen=True)
class AnswerRecord:
    """The answers of one learner, in the order in which they were given, and the lessons that are done."""

    answers: tuple[GivenAnswer, ...] = ()
    done: tuple[str, ...] = ()

    def with_answer(self, answer: GivenAnswer) -> AnswerRecord:
        """With one answer more; the oldest is left out where there are too many."""
        return AnswerRecord((*self.answers, answer)[-MOST_ENTRIES:], self.done)

    def with_done(self, lesson: str) -> AnswerRecord:
        """With one lesson more that is done."""
        return self if lesson in self.done else AnswerRecord(self.answers, (*self.done, lesson))

    def joined(self, other: AnswerRecord) -> AnswerRecord:
        """This one and another, each answer once, by time."""
        answers = dict.fromkeys([*self.answers, *other.answers])
        kept = sorted(answers, key=lambda answer: answer.time)[-MOST_ENTRIES:]
        return AnswerRecord(tuple(kept), tuple(dict.fromkeys([*self.done, *other.done])))

    def chosen(self, page: str, question: str) -> str | None:
        """The words of what was chosen last; None if nothing was."""
        given = (a.choice for a in reversed(self.answers) if (a.page, a.question) == (page, question))
        return next(given, None)

    def to_json(self) -> str:
        """The record as a JSON file.

        >>> read_record(AnswerRecord(done=("pooling",)).to_json(), "it").done
        ('pooling',)
        """
        answers = [asdict(answer) for answer in self.answers]
        record = {"format": "cnnviz answers", "version": VERSION, "done": list(self.done), "answers": answers}
        return json.dumps(record, indent=1, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """The answers as a CSV file, a row each."""
        return csv_text(HEADS, [_row(answer) for answer in self.answers])


def read_record(text: str, what: str) -> AnswerRecord:
    """A record from the text of its file, JSON or CSV; `what` is what its errors call it.

    Raises
    ------
    ValueError
        for what is no record, or larger than one can be.

    Examples
    --------
    >>> record = AnswerRecord((GivenAnswer("2026-03-01T09:30:00+00:00", "pooling", "4?", "5", False),))
    >>> read_record(record.to_csv(), "it") == read_record(record.to_json(), "it") == record
    True
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"{what} has {len(text):,} letters; a record of answers has at most {MOST_BYTES:,}")
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "["):
        return _of_json(read_json(text, what), what)
    return _of_csv(text, what)


def _of_json(found: Any, what: str) -> AnswerRecord:
    if not isinstance(found, Mapping) or found.get("format") != "cnnviz answers":
        raise ValueError(f"{what} is no record of answers that the explorer saved")
    if found.get("version") != VERSION:
        raise ValueError(f"{what} is a record of version {brief(found.get('version'))}, not {VERSION}")
    answers, done = found.get("answers"), found.get("done", [])
    if not isinstance(answers, list) or not isinstance(done, list):
        raise ValueError(f"{what} must have lists of answers and of lessons that are done")
    _check_count(answers, what)
    kept = tuple(dict.fromkeys(name for name in done if isinstance(name, str) and name in LESSONS))
    return AnswerRecord(tuple(_answer(one, n, what) for n, one in enumerate(answers, 1)), kept)


def _of_csv(text: str, what: str) -> AnswerRecord:
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        heads = next(rows, [])
        if tuple(heads) != HEADS:
            raise ValueError(f"{what} is no record of answers: its first line is not {','.join(HEADS)}")
        found = [[words_of(cell) for cell in row] for row in rows if row]
    except csv.Error as error:
        raise ValueError(f"{what} is not a sound CSV file ({error})") from None
    _check_count(found, what)
    for n, row in enumerate(found, 1):
        if len(row) != len(HEADS):
            raise ValueError(f"{what}: answer {n} has {len(row)} columns, not {len(HEADS)}")
    return AnswerRecord(
        tuple(
            _answer({**dict(zip(HEADS, row, strict=True)), "right": _yes(row[-1])}, n, what)
            for n, row in enumerate(found, 1)
        )
    )


def _yes(word: str) -> bool | str:
    """What a table says of an answer; another word as it is, for the error to say it."""
    return {"right": True, "wrong": False}.get(word.strip().lower(), word)


def _check_count(answers: Sequence[Any], what: str) -> None:
    if len(answers) > MOST_ENTRIES:
        raise ValueError(f"{what} has {len(answers):,} answers; at most {MOST_ENTRIES:,} are read")


def _answer(found: Any, number: int, what: str) -> GivenAnswer:
    """One answer of a file; ValueError for what is none."""
    if not isinstance(found, Mapping) or not {*HEADS} <= found.keys():
        raise ValueError(f"{what}: answer {number} must have {', '.join(HEADS)}")
    *words, right = (found[name] for name in HEADS)
    if not all(isinstance(word, str) and len(word) <= MOST_LETTERS for word in words):
        raise ValueError(
            f"{what}: answer {number} must be of texts, each of at most {MOST_LETTERS:,} letters"
        )
    if not isinstance(right, bool):
        raise ValueError(f"{what}: answer {number} must be right or wrong, got {brief(right)}")
    try:
        datetime.fromisoformat(words[0])
    except ValueError:
        raise ValueError(f"{what}: answer {number} must have a time, got {brief(words[0], 40)}") from None
    time, page, question, choice = map(one_line, words)
    return GivenAnswer(time, page, question, choice, right)


def _row(answer: GivenAnswer) -> list[Any]:
    return [answer.time, answer.page, answer.question, answer.choice, "right" if answer.right else "wrong"]


CLASS_HEADS = ("learner", *HEADS, "try")


def class_table(records: Mapping[str, AnswerRecord]) -> str:
    """The answers of several learners, by their names, as one CSV file.

    The last column counts a learner's tries at a question: what was right at the first is told from what
    was right once the page had said so.
    """
    rows: list[list[Any]] = []
    for name, record in records.items():
        tries: Counter[tuple[str, str]] = Counter()
        for answer in record.answers:
            tries[answer.page, answer.question] += 1
            rows.append([name, *_row(answer), tries[answer.page, answer.question]])
    return csv_text(CLASS_HEADS, rows)


def by_lesson(records: Iterable[AnswerRecord]) -> dict[str, tuple[int, int, int]]:
    """What a class answered, by the names of the lessons: learners, questions, right at the first try."""
    learners: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for record in records:
        first: dict[tuple[str, str], bool] = {}
        for answer in record.answers:
            first.setdefault((answer.page, answer.question), answer.right)
        learners.update({page for page, _ in first})
        asked.update(page for page, _ in first)
        right.update(page for (page, _), good in first.items() if good)
    order = [*(name for name in LESSONS if name in asked), *sorted(asked.keys() - LESSONS.keys())]
    return {page: (learners[page], asked[page], right[page]) for page in order}
