"""Files of arrays that are none, or state what they do not hold: read as numbers, as pictures and as data.

Each goes to networks that take numbers and that take pictures, by every command that reads such files.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import settings

from cnnviz import Layer, Network
from cnnviz.commands import main
from harness.hostile import printed
from harness.limited import MEGABYTE, limited_calls

THOROUGH = settings().max_examples > 200
FEW = 7
"""Of so many commands one is run, unless all are: there are six for each file, and each gets its turn."""
MEMORY, SECONDS = 150 * MEGABYTE, 3.0
X, IMAGES, LABELS = np.ones((5, 4), np.float32), np.ones((5, 8, 8, 3), np.uint8), np.array([0, 1, 2, 0, 1])


def npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def stating(
    shape: Any, dtype: Any = "<f4", body: bytes = b"", header: bytes = b"", version: int = 1
) -> bytes:
    """An .npy file that says this of its array, and holds the body."""
    text = header or repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (64 - (len(text) + 11) % 64) + b"\n"
    return (
        b"\x93NUMPY"
        + bytes((version, 0))
        + struct.pack("<H" if version == 1 else "<I", len(text))
        + text
        + body
    )


ARRAYS: dict[str, Any] = {
    "objects": np.array([{}, 1], object),
    "words": np.array(["a"]),
    "records": np.zeros(3, [("a", "f4"), ("b" * 500, "U9")]),
    "times": np.zeros(3, "M8[s]"),
    "complex": X.astype(complex),
    "long": IMAGES.astype(np.longdouble),
    "raw": np.zeros(3, "V7"),
    "one number": np.float32(3),
    "no rows": np.zeros((0, 4), np.float32),
    "no columns": np.zeros((5, 0), np.float32),
    "no numbers": np.full((5, 4), np.nan, np.float32),
    "no colours": np.full((5, 8, 8, 3), np.inf),
    "one pixel is none": np.where(np.arange(960).reshape(5, 8, 8, 3) == 700, np.nan, 0.5),
    "negative": np.full((5, 8, 8, 3), -1),
    "five axes": np.zeros((1, 2, 3, 4, 5), np.float32),
}
HEADERS: dict[str, bytes] = {
    "4 TB": stating((10**12, 4)),
    "more than there is": stating((2**62, 2**62)),
    "less than nothing": stating((-1, 4)),
    "half a row": stating((1.5, 4)),
    "many rows of nothing": stating((10**12, 0)),
    "many empty words": stating((2**40,), "<U0"),
    "much that is empty": stating((5, 2**40), "|V0"),
    "a long word": stating((1,), "<U99999999"),
    "100 axes": stating((1,) * 100, body=bytes(4)),
    "a program": stating(
        0, header=b"{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': ()}"
    ),
    "brackets": stating(0, header=b"(" * 9000),
    "lists": stating(
        0, header=b"{'descr': " + b"[" * 3000 + b"]" * 3000 + b", 'fortran_order': 1, 'shape': ()}"
    ),
    "version 9": stating((5, 4), body=bytes(80), version=9),
    "a long header": b"\x93NUMPY\2\0" + struct.pack("<I", 2**31 - 1) + b"{" * 1000,
    "cut off": npy(X)[:-3],
    "nothing": b"",
    "half a zip": b"PK\3\4",
    "an empty zip": b"PK\5\6" + bytes(18),
    "text": b"hello\n",
    "a pickle": b"\x80\x04N.",
}
OTHER_LABELS: dict[str, Any] = {
    "too few": LABELS[:1],
    "negative": -LABELS,
    "huge": LABELS + 2**62,
    "halves": LABELS / 2,
    "words": LABELS.astype(str),
    "truths": LABELS > 0,
    "one": np.int64(1),
    "a table": np.zeros((5, 2), int),
}


def files() -> Iterator[tuple[str, bytes]]:
    """The files' names and contents."""
    for name, content in {**{name: npy(array) for name, array in ARRAYS.items()}, **HEADERS}.items():
        yield f"{name}.npy", content
        yield f"{name}.npz", zipped({"x.npy": content})
        if name in ("nothing", "half a zip", "an empty zip", "text", "a pickle", "cut off"):
            yield f"{name} alone.npz", content
    for name, labels in OTHER_LABELS.items():
        yield f"labels, {name}.npz", npz(x=X, y=labels)
        yield f"labels of pictures, {name}.npz", npz(x=IMAGES, y=labels)
        yield f"training labels, {name}.npz", npz(x_train=IMAGES, y_train=labels)
    yield "1 GB.npz", zipped({"x.npy": stating((10**6, 256)) + bytes(10**6)})
    yield "other names.npz", npz(**{"\x1b[31m" + "n" * 200 + str(i): X for i in range(99)})
    yield "no array.npz", zipped({"x": b"hello"})
    yield "words.npz", zipped({"x.txt": b"hello"})
    yield "cut.npz", npz(x=X)[:-30]


def networks() -> dict[str, Network]:
    layer = Layer.from_config
    last = layer("scores", "Dense", {"units": 3, "activation": "softmax"}, inputs=("before",))
    pool = "GlobalAveragePooling2D"
    return {
        "numbers": Network(
            [
                layer("x", "InputLayer", {"batch_shape": (None, 4)}),
                layer("before", "ReLU", {}, inputs=("x",)),
                last,
            ],
            seed=0,
        ),
        "pictures": Network(
            [
                layer("x", "InputLayer", {"batch_shape": (None, 8, 8, 3)}),
                layer("before", pool, {}, inputs=("x",)),
                last,
            ],
            seed=0,
        ),
    }


def said(words: list[str] | None) -> tuple[int, str, str]:
    """What a command returns and prints; nothing is trained."""
    out, err = io.StringIO(), io.StringIO()
    stop = patch("cnnviz.training.train", side_effect=ValueError("would train"))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), stop:
        code = main(words or ["info"])
    return code, out.getvalue(), err.getvalue()


def commands(folder: Path, path: Path) -> Iterator[list[str]]:
    for name in ("numbers", "pictures"):
        model = str(folder / f"{name}.keras")
        yield ["predict", "--model", model, "--images", str(path)]
        yield ["evaluate", model, "--images", str(path)]
        yield [
            "train",
            model,
            "--data",
            str(path),
            "--epochs",
            "1",
            "--out",
            str(folder / "out"),
            "--overwrite",
        ]
    if THOROUGH:
        yield ["predict", str(path)]
        yield ["exciting", "conv2d", "0", "--images", str(path)]
        yield ["export", "--images", str(path), "-o", str(folder / "page.html")]


def check(words: list[str], outcome: Any) -> None:
    """A result, or one line that says why there is none."""
    assert not outcome.error, f"{words}: {outcome.error} {outcome.message}\n{outcome.trace}"
    assert outcome.peak < MEMORY, f"{words} took {outcome.peak / MEGABYTE:.0f} MB"
    assert outcome.worked < SECONDS, f"{words} took {outcome.worked:.1f} s"
    code, out, err = outcome.value
    assert printed(out + err), f"{words}: {out + err!r}"
    assert code in (0, 2), words
    assert out if code == 0 else err, words
    for line in err.splitlines():
        assert line.startswith("cnnviz: "), f"{words}: {line}"
        assert len(line) < 700, f"{words}: {line}"
        assert "object has no" not in line, f"{words}: {line}"


def test_a_file_of_arrays_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    for name, net in networks().items():
        net.save(tmp_path / f"{name}.keras")
    paths = [tmp_path / name for name, _ in files()]
    for path, (_, content) in zip(paths, files(), strict=True):
        path.write_bytes(content)
    cases = [words for path in paths for words in commands(tmp_path, path)][:: 1 if THOROUGH else FEW]
    for words, outcome in zip(cases, limited_calls(said, cases, memory=MEMORY, seconds=SECONDS), strict=True):
        check(words, outcome)


def test_of_pictures_of_which_one_has_pixels_that_are_none_the_others_are_read(tmp_path: Path) -> None:
    """It ended the command, and which of them it was was not said."""
    model, sound = networks()["pictures"], ARRAYS["one pixel is none"]
    model.save(tmp_path / "pictures.keras")
    for file, array in (("some", sound), ("none", ARRAYS["no colours"])):
        (tmp_path / f"{file}.npz").write_bytes(npz(x=array, y=LABELS))
    name, file = str(tmp_path / "pictures.keras"), str(tmp_path / "some.npz")
    words = f"{Path('some.npz') / '3'}: pixels must be finite numbers, got NaN or infinite in 1 of 192"
    for command in (
        ["predict", "--model", name, "--images"],
        ["evaluate", name, "--images"],
        ["export", name, "-o", str(tmp_path / "page.html"), "--images"],
    ):
        code, out, err = said([*command, file])
        assert words in err, command
        assert out, command
        assert code in (0, 2), command
        code, out, err = said([*command, file.replace("some", "none")])
        assert code == 2, command
        assert "got NaN or infinite in 192 of 192" in err, command


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_what_has_no_end_is_not_waited_for(tmp_path: Path) -> None:
    for name, net in networks().items():
        net.save(tmp_path / f"{name}.keras")
    cases = []
    for ending in ("npy", "npz"):
        os.mkfifo(tmp_path / f"pipe.{ending}")
        (tmp_path / f"zeros.{ending}").symlink_to("/dev/zero")
        (tmp_path / f"loop.{ending}").symlink_to(f"loop.{ending}")
        (tmp_path / f"folder.{ending}").mkdir()
        for name in ("pipe", "zeros", "loop", "folder"):
            cases += commands(tmp_path, tmp_path / f"{name}.{ending}")
    for words, outcome in zip(cases, limited_calls(said, cases, memory=MEMORY, seconds=SECONDS), strict=True):
        check(words, outcome)
        assert outcome.value[0] == 2, words


def test_a_network_of_very_many_classes_is_measured_without_a_matrix_of_them(tmp_path: Path) -> None:
    """Which would take 80 GB."""
    layer, classes = Layer.from_config, 100_000
    inputs = layer("x", "InputLayer", {"batch_shape": (None, 4)})
    scores = layer("scores", "Dense", {"units": classes, "activation": "softmax"}, inputs=("x",))
    Network([inputs, scores], seed=0).save(tmp_path / "many.keras")
    (tmp_path / "five.npz").write_bytes(npz(x=X, y=LABELS))
    command = ["evaluate", str(tmp_path / "many.keras"), "--images", str(tmp_path / "five.npz")]
    cases = [command, [*command, "--json"]]
    for words, outcome in zip(cases, limited_calls(said, cases, memory=MEMORY, seconds=SECONDS), strict=True):
        check(words, outcome)
        code, out, _ = outcome.value
        assert code == 0
        assert "confus" in out or '"pairs"' in out
