"""Records of answers: they come back as they were, hostile ones are refused in a sentence, a class is one
table."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from cnnviz.teaching import answer_record
from cnnviz.teaching.answer_record import AnswerRecord, GivenAnswer, by_lesson, class_table, read_record
from cnnviz.teaching.lessons import LESSONS


def answer(n=0, page="pooling", right=True, **changed):
    words = {"time": f"2026-03-01T09:30:{n:02}+00:00", "question": f'question, "{n}"?', "choice": "−0.5; a"}
    return GivenAnswer(**{**words, "page": page, "right": right, **changed})


RECORD = AnswerRecord(
    tuple(
        answer(n, right=n != 1, choice=words) for n, words in enumerate(["=1+1", "3 × 3", "'tis", "-2", "@a"])
    ),
    ("pooling",),
)


def test_a_record_comes_back_from_either_file():
    assert read_record(RECORD.to_json(), "it") == RECORD
    assert read_record(RECORD.to_csv(), "it").answers == RECORD.answers
    # As spreadsheets of some languages save it again.
    rows = list(csv.reader(io.StringIO(RECORD.to_csv())))
    again = io.StringIO()
    csv.writer(again, delimiter=";").writerows(rows)
    assert read_record("\ufeff" + again.getvalue(), "it").answers == RECORD.answers


def test_a_file_holds_no_formula():
    for text in (RECORD.to_csv(), class_table({"=evil()": RECORD})):
        for row in csv.reader(io.StringIO(text)):
            for cell in row:
                assert cell[:1] not in ("=", "+", "@")
                assert not cell.startswith("-") or float(cell) < 0


def test_records_are_joined_by_time_and_each_answer_is_there_once():
    one, two = (
        AnswerRecord((answer(1), answer(3)), ("pooling",)),
        AnswerRecord((answer(2), answer(3)), ("epochs",)),
    )
    joined = one.joined(two)
    assert joined.answers == (answer(1), answer(2), answer(3))
    assert joined.done == ("pooling", "epochs")
    assert joined.joined(one) == joined


def test_what_was_chosen_last_is_found():
    record = AnswerRecord().with_answer(answer(1, question="q", choice="a"))
    record = record.with_answer(answer(2, question="q", choice="b"))
    assert record.chosen("pooling", "q") == "b"
    assert record.chosen("kernels", "q") is None
    for _ in range(3):
        record = record.with_done("pooling")
    assert record.done == ("pooling",)


def test_a_record_does_not_grow_for_ever(monkeypatch):
    monkeypatch.setattr(answer_record, "MOST_ENTRIES", 3)
    record = AnswerRecord()
    for n in range(5):
        record = record.with_answer(answer(n))
    assert [one.time for one in record.answers] == [answer(n).time for n in (2, 3, 4)]


def test_a_class_is_one_table_that_counts_tries():
    record = AnswerRecord(
        (answer(1, question="q", right=False), answer(2, question="q"), answer(3, page="kernels"))
    )
    rows = list(csv.DictReader(io.StringIO(class_table({"Ada": record, "Emmy": AnswerRecord((answer(4),))}))))
    assert [(row["learner"], row["page"], row["right"], row["try"]) for row in rows] == [
        ("Ada", "pooling", "wrong", "1"),
        ("Ada", "pooling", "right", "2"),
        ("Ada", "kernels", "right", "1"),
        ("Emmy", "pooling", "right", "1"),
    ]
    other = AnswerRecord((answer(5, page="zzz"), answer(6, page="try_it")))
    assert by_lesson([record, other]) == {
        "try_it": (1, 1, 1),
        "kernels": (1, 1, 1),
        "pooling": (1, 1, 0),
        "zzz": (1, 1, 1),
    }
    assert list(LESSONS).index("try_it") < list(LESSONS).index("kernels")


GOOD = json.loads(RECORD.to_json())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line is not time,page,question,choice,right"),
        ("hello", "its first line is not time"),
        ("{", "is not JSON"),
        ("[]", "is no record of answers that the explorer saved"),
        ("{}", "is no record of answers that the explorer saved"),
        ("[" * 5000, "nested too deeply"),
        (json.dumps({**GOOD, "version": 99}), "is a record of version 99, not 1"),
        (json.dumps({**GOOD, "answers": {}}), "must have lists"),
        (json.dumps({**GOOD, "answers": [1]}), "answer 1 must have time, page, question, choice, right"),
        (
            json.dumps({**GOOD, "answers": [{**GOOD["answers"][0], "right": "yes"}]}),
            "right or wrong, got 'yes'",
        ),
        (
            json.dumps({**GOOD, "answers": [{**GOOD["answers"][0], "time": "soon"}]}),
            "must have a time, got 'soon'",
        ),
        (json.dumps({**GOOD, "answers": [{**GOOD["answers"][0], "page": None}]}), "must be of texts"),
        (
            json.dumps({**GOOD, "answers": [{**GOOD["answers"][0], "page": "a" * 2001}]}),
            "at most 2,000 letters",
        ),
        (json.dumps({**GOOD, "answers": [GOOD["answers"][0]] * 5001}), "has 5,001 answers; at most 5,000"),
        ("a" * (4 * 2**20 + 1), "a record of answers has at most 4,194,304"),
        ("time,page,question,choice,right\n1,2\n", "answer 1 has 2 columns, not 5"),
        ("time,page,question,choice,right\n2026-03-01,p,q,c,perhaps\n", "right or wrong, got 'perhaps'"),
        ('time,page,question,choice,right\n"' + "a" * 200_000 + "\n", "not a sound CSV file"),
        (
            '{"format": "cnnviz answers", "version": 1, "answers": [], "done": ["\\ud800"]}',
            "half of a character",
        ),
    ],
)
def test_what_is_no_record_is_refused_in_a_sentence(text, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        read_record(text, "it")
    assert str(refused.value).startswith("it ") or str(refused.value).startswith("it:")
    assert len(str(refused.value)) < 300


def test_marks_that_a_terminal_obeys_are_taken_out():
    bad = {**GOOD["answers"][0], "question": "a\x1b[2Jb\nc", "choice": "\x00"}
    (one,) = read_record(json.dumps({**GOOD, "answers": [bad]}), "it").answers
    assert (one.question, one.choice) == ("a?[2Jb?c", "?")
