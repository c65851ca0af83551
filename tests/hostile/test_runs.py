"""Training runs that are killed, or fed with what is no data: their files agree, their words are clear.

A kill before every single operation on a file is tried on the files alone; kills of whole runs, at moments
drawn from seeds, need TensorFlow and are few unless the profile is thorough.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import settings

from cnnviz import Layer, Network
from cnnviz.commands import main
from cnnviz.images.mnist import load_mnist
from cnnviz.resources import read_arrays, write_arrays
from cnnviz.training import Recipe, RunFiles
from cnnviz.training import train as run_training
from cnnviz.training.history import read_history
from harness.limited import MEGABYTE, limited_calls

THOROUGH = settings().max_examples > 200
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where waiting for the disk takes no time."""
EPOCHS = 3

# The files alone --------------------------------------------------------------------------------


def number(run: int, epoch: int) -> float:
    """What all weights of a run are after an epoch."""
    return 100.0 * run + epoch


def described(run: int) -> dict:
    return {"seed": run}


def state(run: int, epoch: int) -> SimpleNamespace:
    """What `RunFiles` needs of a network."""
    return SimpleNamespace(save=lambda path: Path(path).write_text(f"{run} {epoch}"))


def train(files: RunFiles, run: int, done: int = 0, last: int = EPOCHS) -> None:
    """A run as `cnnviz.training.train` writes it, from one epoch to another; only a whole one ends."""
    files.prepare()
    for epoch in range(done + 1, last + 1):
        rows = [{"epoch": e, "loss": number(run, e)} for e in range(1, epoch + 1)]
        history = {**described(run), "images": 1000, "recipe": {"batch_size": 128}, "epochs": rows}
        snapshots = [{"conv2d/kernel": np.full((3, 4), number(run, e))} for e in range(epoch + 1)]
        files.save_result(state(run, epoch), history, snapshots)
        arrays = {"network/0": np.full(50, number(run, epoch)), "epoch": np.array([epoch])}
        write_arrays(files.checkpoint, arrays)
    if last == EPOCHS:
        files.checkpoint.unlink(missing_ok=True)


def looked_at(files: RunFiles) -> tuple[int, int] | None:
    """The run and the epochs that its files tell of; AssertionError if they contradict each other."""
    model = tuple(map(int, files.model.read_text().split()))
    history = read_history(files.name, files.folder)
    if history is None:
        assert not files.checkpoint.exists()
        return None
    losses = history.series("loss")
    run = int(losses[0] // 100)
    assert losses == [number(run, e) for e in range(1, history.epochs + 1)]
    for epoch in range(history.epochs + 1):
        assert (history.weights_after(epoch)["conv2d/kernel"] == number(run, epoch)).all()
    assert model in {(run, history.epochs), (run, history.epochs + 1)}
    return run, history.epochs


def resumed_from(files: RunFiles) -> int:
    """The epoch that a checkpoint is of, after what lies beside it was read; 0 without one."""
    if not files.checkpoint.exists() or files.record()["seed"] == 1:
        return 0
    arrays = read_arrays(files.checkpoint)
    epoch = int(arrays["epoch"][0])
    assert (arrays["network/0"] == number(2, epoch)).all()
    files.load(described(2), epoch, {"conv2d/kernel": np.zeros((3, 4))})
    return epoch


def killed_before(step: int | None) -> bool:
    """Kill a run before its operation of this number on a file of its folder; whether it had so many."""
    if step is None:
        return False
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        files = RunFiles(folder, "net")
        train(files, 1, last=EPOCHS - 1)
        child = os.fork()
        if child == 0:
            left = [step]

            def count(event: str, arguments: tuple) -> None:
                if event in ("open", "os.rename", "os.remove", "os.chmod") and str(arguments[0]).startswith(
                    folder
                ):
                    left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(count)
            try:
                train(files, 2)
            finally:
                os._exit(0)
        killed = os.waitpid(child, 0)[1] != 0
        told = looked_at(files)
        assert killed or told == (2, EPOCHS)
        done = resumed_from(files)
        train(files, 2, done)
        assert looked_at(files) == (2, EPOCHS)
        assert sorted(os.listdir(folder)) == ["net.epochs.npz", "net.history.json", "net.keras"]
        return killed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed in the middle")
def test_whenever_a_run_is_killed_its_files_agree_and_it_can_go_on():
    """It overwrites an unfinished run, whose files agree until the first of its own are there."""
    steps = 0
    for outcome in limited_calls(killed_before, range(1000), memory=500 * MEGABYTE):
        assert not outcome.error, f"killed before step {steps}: {outcome.trace}"
        if not outcome.value:
            break
        steps += 1
    assert steps > 60


# Interruptions ----------------------------------------------------------------------------------

INTERRUPTED = ("trainer", "runs", "numpy_training", "run_files", "checkpoints", "resources")
"""Modules in which a run is interrupted."""
FEW_LINES = 3
"""Of each module, unless all are tried."""


def tiny_data() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_mnist()[0]
    return x[:9], y[:9]


@lru_cache(maxsize=1)
def tiny() -> Network:
    return Network(
        [
            Layer.from_config("image", "InputLayer", {"batch_shape": (None, 28, 28, 1)}),
            Layer.from_config("pool", "AveragePooling2D", {"pool_size": 7}, inputs=("image",)),
            Layer.from_config("flat", "Flatten", {}, inputs=("pool",)),
            Layer.from_config("drop", "Dropout", {"rate": 0.2}, inputs=("flat",)),
            Layer.from_config("scores", "Dense", {"units": 10, "activation": "softmax"}, inputs=("drop",)),
        ],
        seed=0,
        name="tiny",
    )


def train_tiny(folder: str, *, resume: bool = False, stop_before: int = -1) -> list[tuple[str, int]]:
    """Two epochs of three batches, interrupted before the line of this number; the lines, in order."""
    lines: list[tuple[str, int]] = []

    def traced(frame: Any, event: str, _: Any) -> Any:
        module = Path(frame.f_code.co_filename).stem
        if module not in INTERRUPTED:
            return None
        if event == "line":
            if len(lines) == stop_before:
                raise KeyboardInterrupt
            lines.append((module, frame.f_lineno))
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        recipe = Recipe(epochs=2, batch_size=4, average=0.9)
        run_training(tiny(), recipe, folder, *tiny_data(), seed=3, resume=resume)
    finally:
        sys.settrace(before)
    return lines


def of_run(folder: str) -> dict[str, Any]:
    history = json.loads((Path(folder) / "tiny.history.json").read_text())
    for row in history["epochs"]:
        del row["seconds"]
    return {"history": json.dumps(history), **read_arrays(Path(folder) / "tiny.epochs.npz")}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_whenever_a_run_is_interrupted_it_goes_on_to_the_same_weights(tmp_path):
    """Before every line that could leave the files, or a checkpoint, in contradiction."""
    train_tiny(str(tmp_path / "whole"))  # What is made once is made now.
    lines, whole = train_tiny(str(tmp_path / "again")), of_run(str(tmp_path / "again"))
    # Each line where it comes first and last, as another epoch is on.
    places = [*{line: k for k, line in reversed([*enumerate(lines)])}.items()]
    places += {line: k for k, line in enumerate(lines)}.items()
    chosen = set()
    for module in INTERRUPTED:
        own = sorted({place for (name, _), place in places if name == module})
        assert len(own) > FEW_LINES
        chosen |= set(own if THOROUGH else random.Random(3).sample(own, FEW_LINES))
    for line in sorted(chosen):
        with tempfile.TemporaryDirectory(dir=FAST) as folder:
            with contextlib.suppress(KeyboardInterrupt):
                train_tiny(folder, stop_before=line)
            resume = (Path(folder) / "tiny.checkpoint.npz").exists()
            train_tiny(folder, resume=resume)
            found = of_run(folder)
            line = f"before {lines[line]}, the {line}th"
            assert found["history"] == whole["history"], f"{line}, resumed: {resume}"
            for name, array in whole.items():
                if name != "history":
                    np.testing.assert_array_equal(found[name], array, err_msg=line)
            names = sorted(os.listdir(folder))
            assert names == ["tiny.epochs.npz", "tiny.history.json", "tiny.keras"], line


# Data of one's own ------------------------------------------------------------------------------

DATA_MEMORY, DATA_SECONDS = 100 * MEGABYTE, 1.0


@lru_cache(maxsize=16)
def archive(shape: tuple[int, ...], dtype: str, written: int, labels: int) -> bytes:
    """An .npz whose images are said to have a shape and a type, and have `written` bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open("x_train.npy", "w", force_zip64=True) as images:
            header = {"shape": shape, "fortran_order": False, "descr": dtype}
            np.lib.format.write_array_header_1_0(images, header)
            for start in range(0, written, 10**7):
                images.write(bytes(min(10**7, written - start)))
        with file.open("y_train.npy", "w") as numbers:
            np.lib.format.write_array(numbers, np.zeros(labels, np.uint8))
    return content.getvalue()


def data(seed: int, path: Path) -> str:
    """A file for --data with something wrong in it, drawn from a seed; what it is."""
    draw = random.Random(seed)
    count = draw.choice([1, 3, 50])
    images = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)
    np.savez_compressed(path, x_train=images, y_train=np.arange(count) % 10)
    content = bytearray(path.read_bytes())
    kind = draw.choice(["bytes", "cut", "shape", "type", "lie", "bomb", "other"])
    if kind == "bytes":
        for _ in range(draw.choice([1, 4, 30])):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content)
    elif kind == "cut":
        path.write_bytes(content[: draw.randrange(len(content))])
    elif kind == "other":
        with path.open("wb") as file:
            np.save(file, images)
    else:
        shape, dtype, written = {
            "shape": (draw.choice([(), (0, 28, 28), (5, 28), (5, 28, 28, 1), (5, 0, 0)]), "|u1", 5 * 28 * 28),
            "type": ((2, 28, 28), draw.choice(["<f8", "|O", "|b1", "<U1000", "V8", "nonsense"]), 2 * 28 * 28),
            "lie": ((draw.choice([10**5, 10**9, 2**62, -1]), 28, 28), "|u1", 1000),
            "bomb": ((2 * 10**5, 28, 29), "|u1", 2 * 10**5 * 28 * 29),
        }[kind]
        path.write_bytes(archive(shape, dtype, written, count))
    return kind


def said_of_data(case: tuple[str, str] | None) -> list[str]:
    """What `cnnviz train --data` says: its lines on stderr; nothing if it would train."""
    if case is None:
        return []
    path, out = case
    words = io.StringIO()
    stop = patch("cnnviz.training.train", side_effect=ValueError("would train"))
    with contextlib.redirect_stderr(words), stop:
        assert main(["train", "mnist_maxpool", "--data", path, "--out", out]) == 2
    return words.getvalue().splitlines()


def test_whatever_is_given_as_data_is_a_sentence_within_its_memory(tmp_path):
    count = 2000 if THOROUGH else 150
    paths = [tmp_path / f"{seed}.npz" for seed in range(count)]
    kinds = [data(seed, path) for seed, path in enumerate(paths)]
    assert set(kinds) == {"bytes", "cut", "shape", "type", "lie", "bomb", "other"}
    cases = [(str(path), str(tmp_path / "out")) for path in paths]
    outcomes = limited_calls(said_of_data, cases, memory=DATA_MEMORY, seconds=DATA_SECONDS)
    for seed, (kind, outcome) in enumerate(zip(kinds, outcomes, strict=True)):
        assert not outcome.error, f"{kind}, seed {seed}: {outcome.trace or outcome.message}"
        (line,) = outcome.value
        assert len(line) < 300, f"{kind}, seed {seed}: {line}"
        if line != "cnnviz: would train":
            assert line.startswith("cnnviz: ")
            assert any(word in line for word in ("x_train", "y_train")), f"{kind}, seed {seed}: {line}"
        assert line != "cnnviz: would train" or kind == "bytes", f"{kind}, seed {seed}"
        assert outcome.peak < DATA_MEMORY, f"{kind}, seed {seed}: {outcome.peak}"
        assert outcome.worked < DATA_SECONDS + 1, f"{kind}, seed {seed}: {outcome.worked}"
    assert not (tmp_path / "out").exists()


# Checkpoints ------------------------------------------------------------------------------------

COUNTS = ("steps", "epoch", "batches", "until")


def interrupted(folder: Path) -> tuple[Path, list[str]]:
    """The checkpoint that a run of the NumPy engine leaves behind its first epoch, and how it is resumed."""
    x, y = (part[:40] for part in load_mnist()[0])
    np.savez(folder / "own.npz", x_train=x, y_train=y)
    data, out = str(folder / "own.npz"), str(folder)
    command = ["train", "mnist_maxpool", "--data", data, "--epochs", "2", "--out", out]

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with patch("cnnviz.commands.train.say", side_effect=stop):
        assert main(command) == 130
    return folder / "mnist_maxpool.checkpoint.npz", [*command, "--resume"]


def test_a_checkpoint_that_contradicts_itself_is_refused(tmp_path, capsys):
    """A run that goes on until epoch 10**6 of 2 would never end."""
    path, resume = interrupted(tmp_path)
    arrays = read_arrays(path)
    said = json.loads(arrays["state"].tobytes())
    assert (said["epoch"], said["until"]) == (1, 2)
    for count in COUNTS:
        for value in (-1, 10**6, 2**63, 10**30, "3", None, 1.5, [], True, said[count] + 1):
            text = np.frombuffer(json.dumps({**said, count: value}).encode(), np.uint8)
            np.savez(path, **{**arrays, "state": text})
            assert main(resume) == 2, (count, value)
            line = capsys.readouterr().err.splitlines()[-1]
            assert line.startswith("cnnviz: ")
            assert "checkpoint" in line
            assert len(line) < 500
    text = np.frombuffer(json.dumps({**said, "sums": {"loss": float("nan")}}).encode(), np.uint8)
    np.savez(path, **{**arrays, "state": text})
    assert main(resume) == 2
    assert "its sums must be finite" in capsys.readouterr().err
    for value in ("nan", None, [1], True):
        text = np.frombuffer(json.dumps({**said, "history": [{"loss": value}]}).encode(), np.uint8)
        np.savez(path, **{**arrays, "state": text})
        assert main(resume) == 2
        assert "its history must be of numbers, got {'loss'" in capsys.readouterr().err
    weight = next(name for name in arrays if name.startswith("weight:"))
    np.savez(path, **{**arrays, weight: np.full_like(arrays[weight], np.nan)})
    assert main(resume) == 2
    assert "the loss is nan at step" in capsys.readouterr().err
    np.savez(path, **arrays)
    assert main(resume) == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_what_is_no_file_in_the_place_of_one_is_not_waited_for(tmp_path):
    """Nor read without end."""
    x, y = (part[:40] for part in load_mnist()[0])
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y)
    cases = []
    for ending in ("keras", "history.json", "epochs.npz", "checkpoint.npz"):
        for kind in ("pipe", "folder", "zeros"):
            folder = tmp_path / f"{kind} {ending}"
            folder.mkdir()
            path = folder / f"mnist_maxpool.{ending}"
            {"pipe": os.mkfifo, "folder": os.mkdir, "zeros": lambda at: os.symlink("/dev/zero", at)}[kind](
                path
            )
            cases += [(str(tmp_path / "own.npz"), str(folder), way) for way in ("--overwrite", "--resume")]
    outcomes = limited_calls(said_of_place, cases, memory=DATA_MEMORY, seconds=DATA_SECONDS)
    for case, outcome in zip(cases, outcomes, strict=True):
        assert not outcome.error, f"{case}: {outcome.trace or outcome.message}"
        (line,) = outcome.value
        assert "is in the way: a run writes a file there" in line, f"{case}: {line}"
        assert outcome.peak < DATA_MEMORY


def said_of_place(case: tuple[str, str, str] | None) -> list[str]:
    """What `cnnviz train` says of a folder to write into."""
    if case is None:
        return []
    data, out, way = case
    words = io.StringIO()
    with contextlib.redirect_stderr(words):
        assert main(["train", "mnist_maxpool", "--data", data, "--epochs", "1", "--out", out, way]) == 2
    return words.getvalue().splitlines()


# Whole runs -------------------------------------------------------------------------------------


def trained(case: tuple[str, str, tuple[str, ...], int, float] | None) -> tuple[int, float]:
    """`cnnviz train` in a fork of a process that has imported all, sent a signal: how it ended, and when."""
    import cnnviz.resources
    import cnnviz.training.numpy_training as _  # noqa: F401

    if case is None:
        return 0, 0.0
    data, out, options, sent, after = case
    if "tensorflow" in options:
        cnnviz.resources.keras()
    # It is there however early the child is killed.
    log = os.open(f"{out}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    child = os.fork()
    if child == 0:
        code = 130
        # Before `main` and behind it the signal is this function's, and must not get to what has called it.
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(log, 1)
            os.dup2(log, 2)
            code = main(["train", "mnist_maxpool", "--data", data, "--epochs", "3", "--out", out, *options])
        os._exit(code)
    os.close(log)
    begin = time.monotonic()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if sent and time.monotonic() > begin + after:
            os.kill(child, sent)
            return os.waitpid(child, 0)[1], time.monotonic() - begin
        time.sleep(0.002)
    return 0, time.monotonic() - begin


def kept(folder: Path) -> dict:
    """What a run leaves, but for how long it took."""
    history = json.loads((folder / "mnist_maxpool.history.json").read_text())
    for row in history["epochs"]:
        del row["seconds"]
    return {"history": history, **read_arrays(folder / "mnist_maxpool.epochs.npz")}


@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_runs_that_are_killed_or_interrupted_go_on_to_the_same_weights(tmp_path, engine):
    if engine == "tensorflow" and find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    kills = 40 if THOROUGH else {"numpy": 5, "tensorflow": 1}[engine]
    data, chosen = str(tmp_path / "own.npz"), ("--engine", engine, "--batch-size", "32")
    x, y = (part[:100] for part in load_mnist()[0])
    np.savez(data, x_train=x, y_train=y)
    lasted = []

    def cases():
        yield data, str(tmp_path / "whole"), chosen, 0, 0.0
        for seed in range(kills):
            for kind in (signal.SIGKILL, signal.SIGINT):
                moment = lasted[0] * random.Random(f"{seed} {kind}").random()
                folder = tmp_path / f"{kind.name} {seed}"
                yield data, str(folder), chosen, int(kind), moment
                again = "--resume" if (folder / "mnist_maxpool.checkpoint.npz").exists() else "--overwrite"
                yield data, str(folder), (*chosen, again), 0, 0.0

    whole = None
    for case, outcome in zip_lazily(
        cases(), lambda each: limited_calls(trained, each, memory=8192 * MEGABYTE, seconds=300)
    ):
        _, out, options, sent, after = case
        what = f"{Path(out).name} {options} after {after:.2f} s: {Path(f'{out}.log').read_text()}"
        assert not outcome.error, f"{what}: {outcome.trace or outcome.message}"
        status, seconds = outcome.value
        lasted.append(seconds)
        assert "Traceback" not in what
        if sent:
            code = os.waitstatus_to_exitcode(status)
            if code == 0:  # The signal came after the end.
                assert kept(Path(out))["history"] == whole["history"], what
            else:
                assert code == (-signal.SIGKILL if sent == signal.SIGKILL else 130), what
            if (Path(out) / "mnist_maxpool.history.json").exists():
                assert read_history("mnist_maxpool", out).weights is not None
            continue
        assert status == 0, what
        whole = whole or kept(Path(out))
        again = kept(Path(out))
        assert again["history"] == whole["history"], what
        for name, array in whole.items():
            if name != "history":
                np.testing.assert_array_equal(again[name], array, err_msg=f"{what}: {name}")
        assert sorted(os.listdir(out)) == [
            f"mnist_maxpool.{end}" for end in ("epochs.npz", "history.json", "keras")
        ]


def zip_lazily(cases, call):
    """Each case with its outcome; a case is drawn when the outcome before it is known."""
    drawn = []

    def noted():
        for case in cases:
            drawn.append(case)
            yield case

    for outcome in call(noted()):
        yield drawn[-1], outcome
