"""A run in its own process: commands, pictures, files; what becomes of it when something goes wrong."""

from __future__ import annotations

import math
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cnnviz.network.keras_file import load_model
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.run_queue import GONE, LEFT_ALONE, TURN, WANTED, RunQueue
from cnnviz.training.watched_run import PROGRAM, WatchedRun, thinned
from cnnviz.training.watched_training import Measures, RunSettings, WatchedTraining, network_of

SMALL = RunSettings("small", images=80, batch_size=32, learning_rate=0.01)


@pytest.fixture(scope="module")
def run():
    with WatchedRun(SMALL) as found:
        yield found


def made(run, steps):
    assert run.wait_for(lambda: run.steps >= steps)


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"


def test_its_pictures_are_those_of_the_same_training_here(run):
    first = run.picture()
    assert all(
        np.array_equal(first["arrays"][key], array) for key, array in weights_of(network_of(SMALL)).items()
    )
    for number in range(1, 5):
        run.step()
        made(run, number)
    here = WatchedTraining(SMALL)
    here.run(until=4)
    for number in (4, 3, 2):  # The third batch is of 16 images.
        picture = run.picture(number)
        step = here.step_at(number)
        assert picture["measures"] == [number, step.loss, step.metrics["accuracy"]]
        arrays = picture["arrays"]
        assert all(np.array_equal(arrays[key], array) for key, array in weights_of(step.network).items())
        assert picture["images"] == len(step.run["dense"]) == (16 if number == 3 else 32)
        assert np.array_equal(arrays["batch labels"], step.labels["dense"][:24])
        assert np.array_equal(arrays["batch answers"], step.run["dense"][:24].argmax(axis=-1))
    assert [each.step for each in run.curves.held_out] == [1, 2, 3, 4]


def test_it_plays_pauses_and_is_glanced_at(run):
    before = run.steps
    run.play()
    made(run, before + 3)
    assert run.playing
    seen = run.glance(seconds=60)
    assert seen["step"] > before
    run.pause()
    assert run.wait_for(lambda: not run.playing)
    last = run.picture()["step"]
    assert run.picture()["step"] == last == run.steps
    assert run.glance(seconds=60)["step"] == last
    assert run.glance(last, seconds=60) is None


def test_it_plays_as_far_as_it_was_told_and_no_further():
    with WatchedRun(SMALL) as run:
        run.play(until=4)
        made(run, 4)
        assert run.wait_for(lambda: not run.playing)
        assert run.picture()["step"] == run.steps == 4
        assert run.moves  # The last step is still to be shown.
        # It stopped there, so the held-out images were looked at there.
        assert run.curves.held_out[-1].step == 4
        run.play(until=4)
        assert run.wait_for(lambda: not run.playing)
        assert run.picture()["step"] == 4
        run.play()
        made(run, 6)


def test_whoever_looks_back_does_not_hold_up_the_run():
    settings = RunSettings("mnist_maxpool", images=600, batch_size=16)
    with WatchedRun(settings) as run:
        run.play(until=40)
        made(run, 40)
        assert run.wait_for(lambda: not run.playing)
        here = WatchedTraining(settings)
        here.run(until=40)
        run.play()
        made(run, 45)
        # All asked while it trains: the answers are those of the steps, and it goes on meanwhile.
        for number in (7, 23, 7, 40):
            before = run.steps
            picture = run.picture(number)
            weights = weights_of(here.state_at(number).network)
            assert all(np.array_equal(picture["arrays"][key], weights[key]) for key in weights)
            made(run, before + 1)
        assert run.playing


def test_its_file_is_what_a_trainer_there_saves(run, tmp_path):
    here = WatchedTraining(SMALL)
    here.run(until=1)
    here.trainer.save(tmp_path / "own.keras")
    content = run.keras_file(1)
    assert content == (tmp_path / "own.keras").read_bytes()
    weights = run.picture(1)["arrays"]
    net = load_model(tmp_path / "own.keras")
    assert all(np.array_equal(weights[key], array) for key, array in weights_of(net).items())


def test_what_cannot_be_answered_is_said_and_the_run_goes_on(run):
    with pytest.raises(ChildProcessError, match="step must be from 1 to"):
        run.picture(10**6)
    with pytest.raises(ChildProcessError, match="nonsense"):
        run.ask("nonsense")
    before = run.steps
    run.step()
    made(run, before + 1)


def test_a_killed_process_is_said_and_leaves_no_zombie():
    with WatchedRun(SMALL) as run:
        assert run.wait_for(lambda: run.ready)
        process = run._process.pid
        os.kill(process, signal.SIGKILL)
        assert run.wait_for(lambda: run.gone)
        assert run.over == "its process was killed (signal 9)"
        with pytest.raises(ChildProcessError, match="was killed"):
            run.picture()
        run.play()
        assert not Path(f"/proc/{process}").exists()


def test_what_is_no_message_ends_the_process():
    # Else nobody would listen any more, and it would stay when its owner goes.
    command = [sys.executable, "-m", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"nonsense\n")
        process.stdin.flush()
        assert process.stdout.read() == b""


def test_a_command_is_glanced_at_though_a_picture_was_on_its_way():
    with WatchedRun(SMALL) as run:
        run.glance(seconds=0)
        run.step()
        assert run.moves
        run.glance(seconds=0)
        assert run.wait_for(lambda: not run.moves)
        assert run._newest["step"] == run.steps == 1
        assert run._answers == {}


def test_a_loss_that_is_no_number_is_a_sentence_and_what_was_before_it_stays(tmp_path):
    net = network_of(SMALL)
    net.with_weights({"dense/bias": np.full(10, np.inf, np.float32)}).save(tmp_path / "own.keras")
    with WatchedRun(RunSettings(str(tmp_path / "own.keras"), images=64)) as run:
        run.play()
        assert run.wait_for(lambda: bool(run.over))
        assert run.over.startswith("the loss is nan at step 1 ")
        assert np.isinf(run.picture(0)["arrays"]["dense/bias"]).all()
        run.play()
        assert run.picture(0)["step"] == 0
        assert not run.playing


@pytest.mark.parametrize(
    ("settings", "limits", "words"),
    [
        (RunSettings("/nowhere/own.keras"), {}, "there is no file"),
        (RunSettings("mnist_14k", images=600, batch_size=512), {"memory": 200 * 2**20}, "not enough memory"),
        (SMALL, {"seconds": 0.0}, "computed for 0 seconds"),
    ],
)
def test_what_stops_a_run_is_one_sentence(settings, limits, words):
    with WatchedRun(settings, **limits) as run:
        run.play()
        assert run.wait_for(lambda: bool(run.over))
        assert words in run.over
        assert "\n" not in run.over
        if not run.ready:
            assert run.wait_for(lambda: run.gone)
            assert run._process.returncode == 0
            with pytest.raises(ChildProcessError, match=words):
                run.picture()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the limits of another process are Linux's")
def test_its_file_is_written_nowhere(run):
    # A process that is killed would leave it there; a full disk would be in its way.
    run.wait_for(lambda: run.ready)
    before = resource.prlimit(run._process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        assert len(run.keras_file(0)) > 1000
    finally:
        resource.prlimit(run._process.pid, resource.RLIMIT_FSIZE, before)


def test_it_ends_with_its_owner():
    code = """
import sys
from cnnviz.training.watched_run import WatchedRun
from cnnviz.training.watched_training import RunSettings
run = WatchedRun(RunSettings("small", images=64))
assert run.wait_for(lambda: run.ready)
run.play()
print(run._process.pid, flush=True)
sys.stdin.read()
"""
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    with owner:
        process = int(owner.stdout.readline())
        assert is_alive(process)
        owner.kill()
    deadline = time.monotonic() + 60
    while is_alive(process):
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Standing:
    """A run that is never started."""

    def pause(self):
        self.playing = False

    def __init__(self, settings):
        self.settings, self.playing, self.ended = settings, False, False

    def end(self):
        self.ended = True


@pytest.fixture
def queue():
    found = RunQueue(lambda owner: owner not in gone, Standing, lambda: now[0])
    gone, now = set(), [0.0]
    found.gone, found.now = gone, now
    yield found
    found.close()


def test_one_runs_and_the_others_see_their_place(queue):
    for owner in "abc":
        queue.enter(owner, SMALL)
    assert [queue.place(owner) for owner in "abcd"] == [0, 1, 2, None]
    first = queue.on
    assert queue.run_of("a") is first
    assert queue.run_of("b") is None
    queue.leave("b")
    assert queue.place("c") == 1
    queue.leave("a")
    assert first.ended
    assert queue.run_of("c") is queue.on is not first


def test_what_a_run_is_to_do_it_does_once_it_begins(queue):
    began = []
    queue.enter("a", SMALL)
    queue.enter("b", SMALL, began.append)
    assert began == []
    queue.leave("a")
    assert began == [queue.on]


def test_who_begins_anew_keeps_the_place(queue):
    queue.enter("a", SMALL)
    queue.enter("b", SMALL)
    first, other = queue.on, RunSettings("small", seed=3)
    queue.enter("a", other)
    assert first.ended
    assert (queue.place("a"), queue.on.settings) == (0, other)
    queue.enter("b", other)
    assert queue.place("b") == 1


def test_a_run_ends_with_its_session(queue):
    queue.enter("a", SMALL)
    queue.enter("b", SMALL)
    queue.enter("c", SMALL)
    first = queue.on
    queue.gone.update("ab")
    queue.now[0] = GONE
    queue.sweep()
    assert queue.on is first  # a connection that broke may come back
    queue.now[0] = GONE + 1
    queue.sweep()
    assert first.ended
    assert (queue.place("a"), queue.place("c")) == (None, 0)


def test_a_run_that_stands_still_makes_room(queue):
    queue.enter("a", SMALL)
    queue.now[0] = WANTED + 1
    queue.sweep()
    assert queue.place("a") == 0  # nobody waits
    queue.on.playing = True
    queue.enter("b", SMALL)
    queue.now[0] += LEFT_ALONE / 2
    queue.sweep()
    assert queue.place("a") == 0  # it plays
    queue.on.playing = False
    queue.now[0] += WANTED + 1
    queue.sweep()
    assert (queue.place("a"), queue.place("b")) == (None, 0)
    assert queue.why_ended("a") == "it stood still, and others waited"
    queue.now[0] += LEFT_ALONE + 1
    queue.sweep()
    assert queue.on is None
    queue.enter("a", SMALL)
    assert queue.why_ended("a") == ""


def test_a_run_that_nobody_looks_at_pauses_and_then_makes_room(queue):
    queue.enter("a", SMALL)
    run = queue.on
    run.playing = True
    for _ in range(3):
        queue.now[0] += LEFT_ALONE
        queue.run_of("a")  # Whoever looks at it asks for it.
        queue.sweep()
    assert run.playing
    queue.now[0] += LEFT_ALONE + 1
    queue.sweep()
    assert not run.playing
    assert queue.on is run
    queue.now[0] += LEFT_ALONE + 1
    queue.sweep()
    assert run.ended
    assert queue.why_ended("a") == "it stood still for long"


def test_a_run_that_plays_on_has_a_turn_while_others_wait(queue):
    queue.enter("a", SMALL)
    run = queue.on
    run.playing = True
    queue.now[0] = 5 * TURN
    queue.run_of("a")
    queue.sweep()
    assert queue.turn("a") == (0, math.inf)
    queue.enter("b", SMALL)
    assert queue.turn("a") == (1, TURN)
    assert queue.turn("b") == (0, math.inf)
    for share in (0.25, 0.5, 1.0):
        queue.now[0] = (5 + share) * TURN
        queue.run_of("a")
        queue.sweep()
        assert queue.on is run
        assert queue.turn("a")[1] == pytest.approx((1 - share) * TURN)
    queue.now[0] += 1
    queue.sweep()
    assert run.ended
    assert queue.place("b") == 0
    assert "others waited" in queue.why_ended("a")
    queue.gone.add("a")
    queue.sweep()
    assert queue.why_ended("a") == ""  # Nothing is kept of who has left.


def test_a_run_that_cannot_be_started_leaves_no_place():
    def fails(settings):
        raise OSError("no more processes")

    queue = RunQueue(lambda owner: True, fails)
    with pytest.raises(OSError, match="no more processes"):
        queue.enter("a", SMALL)
    assert queue.place("a") is None


def test_the_queue_is_looked_after_though_a_look_failed(monkeypatch):
    monkeypatch.setattr("cnnviz.training.run_queue.EACH", 0.01)
    asked, now = [], [0.0]

    def alive(owner):
        asked.append(owner)
        if len(asked) == 1:
            raise RuntimeError("can't start new thread")
        return False

    queue = RunQueue(alive, Standing, lambda: now[0])
    queue.enter("a", SMALL)
    now[0] = GONE + 1
    deadline = time.monotonic() + 20
    while queue.on is not None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_many_steps_are_thinned_to_their_means():
    values = [Measures(step, float(step), step % 2) for step in range(1, 1002)]
    together, points = thinned(values, most=100)
    assert together == 11
    assert len(points) == 91
    assert points[0] == Measures(11, 6.0, pytest.approx(6 / 11))
    assert points[-1].step == 1001
    assert thinned([], most=5) == (1, [])
