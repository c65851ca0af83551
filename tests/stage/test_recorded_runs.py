"""Recorded runs as a page of their own: what it plays is what was recorded."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest

import cnnviz
from cnnviz.commands import main
from cnnviz.stage.recorded_runs import TITLES, RecordedRuns
from cnnviz.training.epoch_predictions import shares_over_epochs
from cnnviz.training.history import read_history
from cnnviz.training.learning_curves import MEASURES, learning_curves


@pytest.fixture(scope="module")
def digit():
    return cnnviz.load_mnist()[1][0][0]


def held(page):
    (text,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def test_the_file_plays_what_was_recorded(digit, tmp_path):
    path = RecordedRuns(["mnist_maxpool.by_heart"], digit, title="test digit 0", label=7).save(
        tmp_path / "x.html"
    )
    page = path.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', page), "it fetches something"
    (run,) = held(page)["runs"]
    history = read_history("mnist_maxpool.by_heart")
    shares = shares_over_epochs(cnnviz.load_model("mnist_maxpool"), history, digit)
    for measure in MEASURES:
        data = run["measures"][measure]
        curves = learning_curves(["mnist_maxpool.by_heart"], measure)
        assert (data["epochs"], len(data["curves"])) == (history.epochs, len(curves))
        assert np.array_equal(data["shares"]["rows"], shares)
        kernels = np.frombuffer(base64.b64decode(data["kernels"]["numbers"]), "<f4")
        assert np.array_equal(kernels, history.weights["conv2d/kernel"][:, :, :, 0].ravel())
        for curve, drawn in zip(curves, data["curves"], strict=True):
            assert [place is None for place in drawn["places"]] == [value is None for value in curve.values]
            # The higher the number, the nearer to the top, which is 0.
            known = [(p, -v) for p, v in zip(drawn["places"], curve.values, strict=True) if v is not None]
            values = [value for _, value in sorted(known)]
            assert values == sorted(values)


def test_all_small_runs_are_there(digit):
    runs = held(RecordedRuns(list(TITLES), digit)._repr_html_())["runs"]
    assert len({run["title"] for run in runs}) == len(TITLES)


def test_a_run_without_a_record_is_refused(digit):
    with pytest.raises(ValueError, match=r"there is no record of a run 'mnist_14k\.nothing'"):
        RecordedRuns(["mnist_14k.nothing"], digit)
    with pytest.raises(ValueError, match="at least one"):
        RecordedRuns([], digit)


@pytest.mark.parametrize("name", ["9" * 5000, "../mnist_14k", "a\0b", "", " ", "*"])
def test_a_name_that_no_file_has_is_refused_as_any_other(digit, name):
    """One that is too long for a file was refused by the system, with the whole of it."""
    with pytest.raises(ValueError, match="there is no record of a run") as raised:
        RecordedRuns([name], digit)
    assert len(str(raised.value)) < 400


def test_the_command_writes_them(tmp_path, capsys):
    out = tmp_path / "runs.html"
    names = "mnist_maxpool.short,mnist_maxpool.second_seed"
    assert main(["export", "--runs", names, "--digits", "7", "-o", str(out)]) == 0
    assert "2 recorded runs" in capsys.readouterr().out
    runs = held(out.read_text(encoding="utf-8"))["runs"]
    assert [run["title"] for run in runs] == [f"mnist_maxpool: {TITLES[name]}" for name in names.split(",")]
    assert runs[0]["measures"]["loss"]["shares"]["title"] == "What it says of test digit 7, a 9"
    for wrong in (["--digits", "1,2"], ["mnist_14k"], ["--course"], ["--walk", "pooling"], ["--size", "3"]):
        assert main(["export", "--runs", "all", *wrong, "-o", str(tmp_path / "x.html")]) == 2
        assert "--runs plays recorded runs" in capsys.readouterr().err
    assert not (tmp_path / "x.html").exists()
