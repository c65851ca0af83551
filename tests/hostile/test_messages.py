"""What processes say to each other, when one of them says anything: a sentence, and the others go on."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from cnnviz import Layer, Network
from cnnviz.network.child_process import ComputingProcess
from cnnviz.network.messages import Message, NoMessage
from cnnviz.network.network_in_child import NetworkInChild
from cnnviz.training.run_process import RunProcess
from cnnviz.training.watched_run import WatchedRun
from cnnviz.training.watched_training import RunSettings


def line(*said: object) -> bytes:
    return json.dumps(said).encode() + b"\n"


ENDS = (b"", b"no line", line("run", {}, [[["a"], "<f4", [2]]]) + b"1234567")
"""What is cut off."""
GARBAGE = (
    *(b"\n", b"Segmentation fault\n", b"[]\n", b"{}\n", b"null\n", b"[1,2,3]\n", b"\xff\xfe\n"),
    b"[" * 100_000 + b"\n",
    *(line("run", {}), line("run", [], []), line(5, {}, []), line("run", {}, 5), line("run", {}, [5])),
    *(
        line("run", {}, [[["a"], dtype, shape]])
        for dtype, shape in (
            ("|O", [1]),
            ("<f4,O", [1]),
            ("none", [1]),
            (None, [1]),
            ("<f4", None),
            ("<f4", [-1]),
            ("<f4", [1.5]),
            ("<f4", [True]),
            ("<f4", ["1"]),
            ("<f4", [1] * 100),
            ("<f4", [10**5, 10**5]),
            ("<f4", [10**400]),
            ("<f4", [0, 10**15, 10**15]),
        )
    ),
    line("run", {}, [[5, "<f4", [1]]]),
    line("run", {}, [[[[]], "<f4", [1]]]),
)


@pytest.mark.parametrize("said", [*ENDS, *GARBAGE], ids=range(len(ENDS) + len(GARBAGE)))
def test_what_is_no_message_is_read_as_none(said):
    stream = io.BytesIO(said)
    if said in ENDS:
        assert Message.read(stream, most=10**9) is None
    else:
        with pytest.raises(NoMessage, match="must be a line of JSON"):
            Message.read(stream, most=10**9)


def saying(file: Path) -> subprocess.Popen[bytes]:
    """A process that says what a file holds, whatever it is asked."""
    program = (
        "import os, sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read()); sys.stdout.flush(); "
        "os.close(1); sys.stdin.buffer.read(); os._exit(0)"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(file)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.parametrize("said", [*ENDS, *GARBAGE[::6]], ids=range(len([*ENDS, *GARBAGE[::6]])))
def test_a_child_may_answer_anything(monkeypatch, tmp_path, said):
    (tmp_path / "said").write_bytes(said)
    child = ComputingProcess(tmp_path / "own.keras", 10**8, seconds=20)
    monkeypatch.setattr(child, "_started", lambda: saying(tmp_path / "said"))
    with pytest.raises(ValueError, match=r"own\.keras was stopped: reading it"):
        child.ask("load")
    assert child.pid is None


WRONG = {
    "gave no numbers of": (),
    r"gave \(1, 4\) numbers of float32": ("<f4", [1, 4]),
    r"gave \(3,\) numbers of float32": ("<f4", [3]),
    r"gave \(1, 3\) numbers of <U1": ("<U1", [1, 3]),
    r"gave \(1, 3\) numbers of complex64": ("<c8", [1, 3]),
    "one larger than what was asked for": ("<f8", [10**6]),
}
QUESTIONS = ("run", "predict", "output", "before", "weights")


@pytest.mark.parametrize(
    ("question", "words"),
    [("run", words) for words in WRONG] + [(each, [*WRONG][1]) for each in QUESTIONS[1:]],
)
def test_an_answer_has_the_shapes_of_its_network(tmp_path, question, words):
    """One of others ended in a traceback wherever it was first computed with."""
    image = Layer.from_config("a", "InputLayer", {"batch_shape": (None, 2)})
    net = Network([image, Layer.from_config("b", "Dense", {"units": 3}, inputs=("a",))], seed=0)
    x = np.ones(2, np.float32)
    child = ComputingProcess(tmp_path / "own.keras", 10**8, seconds=20)
    in_child = NetworkInChild.of(net, child)
    gradient = in_child.gradient_elsewhere(net.run(x), {"b": np.ones((1, 3), np.float32)}, ())
    asked = dict(
        zip(
            QUESTIONS,
            (
                lambda: in_child.run(x),
                lambda: in_child.predict(x),
                lambda: gradient["b"],
                lambda: gradient.pre_activation("b"),
                lambda: gradient["b/kernel"],
            ),
            strict=True,
        )
    )
    arrays = [[["output a", "before a"], "<f4", [1, 2]]]
    if WRONG[words]:
        arrays.append([["output b", "before b", "b", "b/kernel"], *WRONG[words]])
    # What is said to be the same is not known here.
    answer = line("run", {"same": [5, [], "output b"]}, arrays) + bytes(100)
    (tmp_path / "said").write_bytes(answer)
    child._process = saying(tmp_path / "said")
    with pytest.raises(ValueError, match=rf"^own\.keras was stopped: one (forward pass|pass back) .*{words}"):
        asked[question]()
    assert child.pid is None


def test_a_run_that_says_what_is_no_message_is_over():
    with WatchedRun(RunSettings("small"), program="this") as run:
        assert run.wait_for(lambda: run.gone, 30)
        assert run.over == "its process said what is not understood"
        with pytest.raises(ChildProcessError, match="not understood"):
            run.picture()


def test_what_a_run_tells_and_what_it_answers_come_one_after_the_other(monkeypatch):
    """A step that was told in the middle of an answer's arrays ended all that was understood of the run."""

    class Slow(io.BytesIO):
        def write(self, content) -> int:
            time.sleep(0.002)
            return super().write(content)

    # Its thread ends the process that it is in with its commands.
    monkeypatch.setattr(RunProcess, "_listen", lambda run, commands: None)
    monkeypatch.setattr(RunProcess, "_step", lambda run, number: number)
    arrays = {f"{n}": np.full(4, n, np.float32) for n in range(8)}
    stream = Slow()
    run = RunProcess(io.BytesIO(), stream, {"receipt": lambda step, said: Message("receipt", {}, arrays)})
    asked = Message("receipt", {"step": 1, "number": 1})
    answering = Thread(target=lambda: [run._reply(asked) for _ in range(5)])
    answering.start()
    while answering.is_alive():
        run._send("state", playing=True)
        time.sleep(0.001)
    stream.seek(0)
    read = []
    while message := Message.read(stream):
        read.append(message.kind)
    assert read.count("receipt") == 5
    assert "state" in read
