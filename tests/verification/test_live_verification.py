"""Verification in a process: what it finds is what `verify` finds, and what goes wrong is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from threading import Thread

import numpy as np
import pytest

import cnnviz
from cnnviz.verification import tensorflow_process
from cnnviz.verification.comparison import read_record
from cnnviz.verification.live_verification import VerificationJob, Verifications
from cnnviz.verification.tensorflow_process import OneAtATime, TensorFlowProcess

IMAGES = np.zeros((3, 28, 28), np.uint8)


def job(program: str) -> VerificationJob:
    return VerificationJob(TensorFlowProcess("-c", program, images=IMAGES), len(IMAGES))


def wait(found: VerificationJob, state: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while found.state != state and time.monotonic() < end:
        time.sleep(0.02)
    assert found.state == state, found.error


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_a_network_is_compared_in_a_process():
    net = cnnviz.load_model("mnist_maxpool")
    images = cnnviz.load_mnist()[1][0][:3]
    jobs = Verifications()
    assert jobs.find(net, images) is None
    started = jobs.start(net, images)
    assert jobs.start(net, images) is started is jobs.find(net, images)
    wait(started, "done")
    result = started.result
    assert result.passed
    assert (result.images, result.identical, started.done) == (3, 3, 3)
    recorded = read_record()["mnist_maxpool"]
    assert result.sha256 == recorded.sha256
    assert [layer.name for layer in result.layers] == [layer.name for layer in recorded.layers]
    assert 0 < result.predict_difference < 1e-4


def test_progress_and_result_are_taken_from_its_lines():
    record = replace(read_record()["mnist_maxpool"], images=3)
    found = job(
        "import sys; sys.stdin.buffer.read()\n"
        'print(\'{"done": 2, "images": 3}\')\n'
        f"print({json.dumps({'result': record.to_dict()})!r})"
    )
    assert (found.state, found.done, found.images) == ("waiting", 0, 3)
    found.run()
    assert (found.state, found.done, found.result) == ("done", 2, record)


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("import sys; print('no such layer', file=sys.stderr); sys.exit(3)", "no such layer"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("pass", "it ended without a result"),
        (
            "print('Loading weights'); import time; time.sleep(60)",
            "its answer cannot be read: b'Loading weights",
        ),
        ("print('[]')", "its answer cannot be read"),
    ],
)
def test_what_goes_wrong_is_said(program, error):
    found = job(program)
    found.run()
    assert (found.state, found.result) == ("failed", None)
    assert found.error.startswith(error)


def test_after_a_job_that_fails_the_next_one_runs(monkeypatch, tmp_path):
    queue, record = OneAtATime(), read_record()["mnist_maxpool"]
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
        nowhere = job("print('never')")
        queue.put(nowhere.run)
        wait(nowhere, "failed")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/no/such/program")
        unstarted = job("print('never')")
        queue.put(unstarted.run)
        wait(unstarted, "failed")
    assert nowhere.error == "the temporary folder cannot be written in: No such file or directory"
    assert "/no/such/program" in unstarted.error
    after = job(f"print({json.dumps({'result': record.to_dict()})!r})")
    queue.put(after.run)
    wait(after, "done")


class Ending(BaseException):
    """What ends a program, like SystemExit."""


@pytest.mark.parametrize(
    "trouble",
    ["a full temporary folder", "a killed child", "a hanging child", "an ending", "an ending outside"],
)
def test_a_job_fails_with_its_reason_and_those_behind_it_run(monkeypatch, trouble, capsys):
    queue, record = OneAtATime(), read_record()["mnist_maxpool"]
    sleep = "import time; time.sleep(60)"
    kept = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}])"
    program = {
        "a killed child": "import os; os.kill(os.getpid(), 9)",
        "a hanging child": f"{kept}; {sleep}",
    }.get(trouble, "print(3)")
    first, second = job(program), job(f"print({json.dumps({'result': record.to_dict()})!r})")
    run_first = first.run
    if trouble == "a hanging child":
        first._process.timeout = 0.5
    with monkeypatch.context() as patch:
        if trouble == "a full temporary folder":
            if not os.path.exists("/dev/full"):
                pytest.skip("there is no device that is always full")
            patch.setattr(tensorflow_process, "TemporaryFile", lambda: open("/dev/full", "w+b"))  # noqa: SIM115
        elif trouble == "an ending":

            def end(line):
                raise Ending("the end")

            first._take = end
        elif trouble == "an ending outside":

            def run_first():
                first.run()
                raise Ending("the end")

        queue.put(run_first)
        wait(first, "failed", 20)
    queue.put(second.run)
    wait(second, "done", 20)
    assert (
        first.error
        == {
            "a full temporary folder": "the temporary folder cannot be written in: No space left on device",
            "a killed child": "exit code -9",
            "a hanging child": "it took longer than 0.5 seconds",
            "an ending": "the end",
            "an ending outside": "its answer cannot be read: b'3\\n'",
        }[trouble]
    )


def test_without_a_thread_a_job_fails_and_one_begins_when_there_is_one_again(monkeypatch):
    net, jobs = cnnviz.load_model("mnist_maxpool"), Verifications()

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", refuse)
        refused = jobs.start(net, IMAGES)
    assert (refused.state, refused.error) == ("failed", "can't start new thread")
    monkeypatch.setattr(VerificationJob, "run", lambda self: setattr(self, "state", "done"))
    wait(jobs.start(net, IMAGES), "done")


def test_a_job_is_stopped_before_or_while_it_runs():
    waiting = job("print('never')")
    waiting.stop()
    waiting.run()
    assert waiting.state == "stopped"
    running = job("import time; time.sleep(60)")
    thread = Thread(target=running.run)
    thread.start()
    wait(running, "running")
    running.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert (running.state, running.error) == ("stopped", "")


def test_a_server_that_ends_leaves_no_process_behind():
    program = """
import numpy as np
import cnnviz
from cnnviz.verification.live_verification import VERIFICATIONS
net, images = cnnviz.load_model("mnist_maxpool"), np.zeros((1, 28, 28), np.uint8)
job = VERIFICATIONS.start(net, images)
while job._process._process is None:
    pass
print(job._process._process.pid)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_only_a_network_of_a_file_can_be_compared():
    net = cnnviz.load_model("mnist_maxpool").with_weights({})
    net.source = None
    with pytest.raises(ValueError, match="mnist_maxpool was not read from a file"):
        Verifications().start(net, IMAGES)
