"""The live view as HTML: self-contained, small enough for a mail, and honest about bad input."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz.commands import main
from cnnviz.stage.export import export


def test_a_notebook_gets_html_that_fetches_nothing(net):
    shown = cnnviz.view(net, np.zeros((28, 28)))._repr_html_()
    assert shown.startswith("<div id=")
    assert not re.search(r'(src|href)=(?!"?data:)', shown)
    assert "fetch(" not in shown
    assert not re.search(r"^(import|export) ", shown, re.MULTILINE)


def test_two_views_in_one_notebook_have_names_of_their_own(net):
    view = cnnviz.view(net, np.zeros((28, 28)))
    names = {re.match(r'<div id="([\w-]+)"', view._repr_html_())[1] for _ in range(2)}
    assert len(names) == 2


def test_ten_digits_are_under_one_megabyte(tmp_path):
    path = export(tmp_path / "ten.html", digits=range(10))
    assert path.stat().st_size < 1_000_000


def test_an_image_file_and_digits_are_exported_by_the_command(tmp_path, capsys):
    digit = tmp_path / "seven.png"
    Image.fromarray(255 - np.kron(cnnviz.load_mnist()[1][0][0], np.ones((6, 6), np.uint8))).save(digit)
    out = tmp_path / "seven.html"
    assert main(["export", str(digit), "-o", str(out), "--digits", "1,2"]) == 0
    assert "MB" in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "seven.png and 2 more" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--digits", "10000"], "digits must be 0 to 9999, got 10000"),
        (["--digits", "1,x"], "must be whole numbers with commas between, got '1,x'"),
        ([], "nothing to show"),
        (["no.png"], "no.png|cannot read the image"),
        (["--digits", "0", "--model", "nothing"], "nothing"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, message):
    assert main(["export", *arguments, "-o", str(tmp_path / "x.html")]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_titles_and_labels_must_fit(net):
    images = np.zeros((2, 28, 28))
    with pytest.raises(ValueError, match="titles must have one entry for each of the 2 images, got 1"):
        cnnviz.view(net, images, titles=["a"])
    with pytest.raises(ValueError, match="labels must have one entry"):
        cnnviz.view(net, images, labels=[1, 2, 3])


def test_classes_are_called_by_their_names(net, tmp_path):
    names = [f"the {i}" for i in range(10)]
    path = tmp_path / "names.json"
    path.write_text(json.dumps(names))
    for classes in (names, path, {str(i): name for i, name in enumerate(names)}):
        assert cnnviz.view(net, np.zeros((28, 28)), classes=classes).scene.numbers.header["classes"] == names
    with pytest.raises(
        ValueError, match="classes must have one name for each of the network's 10 classes, got 9"
    ):
        cnnviz.view(net, np.zeros((28, 28)), classes=names[:9])
    # A part of the network that does not reach the scores has no classes.
    part = cnnviz.view(net, np.zeros((28, 28)), classes=names, last="conv2d").scene
    assert "the 0" not in part.numbers.header["classes"]


def test_a_float64_network_is_shown_in_float32(net):
    view = cnnviz.view(net.astype(np.float64), np.zeros((28, 28)))
    assert view.scene.network.dtype == np.float32


def test_markup_in_a_title_stays_text(net, tmp_path):
    view = cnnviz.view(net, np.zeros((28, 28)), titles=["<img src=x onerror=alert(1)></script>"])
    text = view.save(tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<img" not in text
