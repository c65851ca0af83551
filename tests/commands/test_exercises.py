"""cnnviz exercises: what it writes, and that it replaces nothing silently."""

from __future__ import annotations

import csv
import io

import pytest

from cnnviz.commands import main
from harness.worksheet_solver import solve


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sheets"


def make(folder, *more):
    return main(["exercises", "one-by-one", "--students", "3", "--seed", "7", "-o", str(folder), *more])


def test_a_class_gets_its_sheets_and_the_teacher_the_key(folder, capsys):
    assert make(folder) == 0
    said = capsys.readouterr().out
    assert "keep it, and the seed 7, to yourself" in said
    names = {f"sheet-0{n}.{end}" for n in (1, 2, 3) for end in ("html", "ipynb")}
    assert {path.name for path in folder.iterdir()} == names | {"key.csv", "all-sheets.html"}
    key = (folder / "key.csv").read_text(encoding="utf-8")
    assert key.startswith("\ufeffsheet,file,")
    rows = list(csv.DictReader(io.StringIO(key[1:])))
    for number in (1, 2, 3):
        page = (folder / f"sheet-0{number}.html").read_text(encoding="utf-8")
        theirs = [float(row["answer"]) for row in rows if row["file"] == f"sheet-0{number}.html"]
        assert [each for task in solve(page) for each in task] == pytest.approx(theirs, abs=6e-7)
        assert "seed" not in page.lower()
    everything = (folder / "all-sheets.html").read_text(encoding="utf-8")
    assert everything.count('<main class="sheet">') == 3
    assert [each for task in solve(everything) for each in task] == pytest.approx(
        [float(row["answer"]) for row in rows], abs=6e-7
    )


def test_nothing_is_replaced_unasked(folder, capsys):
    assert make(folder) == 0
    (folder / "sheet-02.html").write_text("mine")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert make(folder) == 2
    assert "is there already: choose another -o, or --overwrite it" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert make(folder, "--overwrite") == 0
    assert (folder / "sheet-02.html").read_text() != "mine"
    (folder / "sheet-31.html").write_text("of a larger class")
    assert make(folder, "--overwrite") == 2
    assert "sheet-31.html would have no key any more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["epochs", "-o", "DIR"], "the lesson epochs has no exercises; those are for feature_maps"),
        (["poling", "-o", "DIR"], "there is no lesson 'poling'"),
        (["pooling", "--students", "0", "-o", "DIR"], "must be a positive whole number, got '0'"),
        (["pooling", "--students", "201", "-o", "DIR"], "--students must be up to 200, got 201"),
        (["pooling", "--seed", "-1", "-o", "DIR"], "seed"),
        (["pooling", "--seed", "9" * 30, "-o", "DIR"], "at most 18 digits"),
        (["pooling"], "-o"),
    ],
)
def test_bad_words_are_one_line_and_nothing_is_written(arguments, said, folder, capsys):
    assert main(["exercises", *(str(folder) if word == "DIR" else word for word in arguments)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not folder.exists()


def test_a_file_in_the_folder_s_place_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert make(tmp_path / "file") == 2
    assert "is a file, not a folder to write into" in capsys.readouterr().err
