"""cnnviz answers: a class's records in one table, bad files said and left out, nothing replaced unasked."""

from __future__ import annotations

import csv

import pytest

from cnnviz.commands import main
from cnnviz.teaching.answer_record import AnswerRecord, GivenAnswer


@pytest.fixture
def handed_in(tmp_path):
    """Two records, of one name in two folders, one as CSV."""
    paths = []
    for number, ending in enumerate(("json", "csv")):
        folder = tmp_path / f"inbox {number}"
        folder.mkdir()
        record = AnswerRecord(
            (GivenAnswer("2026-03-01T09:30:00+00:00", "pooling", "q", f"={number}", number == 0),)
        )
        paths.append(folder / f"cnnviz-answers-Ada.{ending}")
        paths[-1].write_text(
            record.to_json() if ending == "json" else "\ufeff" + record.to_csv(), encoding="utf-8"
        )
    return paths


def test_thirty_become_one(handed_in, tmp_path, capsys):
    out = tmp_path / "class.csv"
    assert main(["answers", *map(str, handed_in), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "pooling         2         2        1 (50%)" in said
    assert "2 answers of 2 learners" in said
    text = out.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["learner"], row["choice"], row["right"]) for row in rows] == [
        ("Ada", "'=0", "right"),
        ("Ada (2)", "'=1", "wrong"),
    ]


def test_a_bad_file_is_said_and_the_others_are_taken(handed_in, tmp_path, capsys):
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"\xff\xfe\x00")
    out = tmp_path / "class.csv"
    files = [str(bad), str(tmp_path / "nothing.json"), str(tmp_path), str(handed_in[0])]
    assert main(["answers", *files, "-o", str(out)]) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert "bad.json is no record of answers: it is not text in UTF-8" in lines[0]
    assert "nothing.json: No such file" in lines[1]
    assert "is no file" in lines[2]
    assert len(lines) == 3
    assert "1 answer of 1 learner" in captured.out


def test_nothing_is_replaced_unasked(handed_in, tmp_path, capsys):
    out = tmp_path / "class.csv"
    out.write_text("mine")
    assert main(["answers", str(handed_in[0]), "-o", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["answers", str(handed_in[0]), "-o", str(out), "--overwrite"]) == 0
    before = handed_in[1].read_bytes()
    assert main(["answers", str(handed_in[1]), "-o", str(handed_in[1]), "--overwrite"]) == 2
    assert "would be replaced, and is read too" in capsys.readouterr().err
    assert handed_in[1].read_bytes() == before


def test_if_none_is_a_record_nothing_is_written(tmp_path, capsys):
    bad, out = tmp_path / "bad.json", tmp_path / "class.csv"
    bad.write_text("[]")
    assert main(["answers", str(bad), "-o", str(out)]) == 2
    assert not out.exists()
