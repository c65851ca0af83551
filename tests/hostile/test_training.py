"""Messages that the Training page's panel never sends, and runs whose process or network is taken away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from hypothesis import settings
from streamlit.components.v2.bidi_component.main import _make_trigger_id

from cnnviz import Network
from cnnviz.training.run_process import GRACE
from cnnviz.training.run_queue import RunQueue
from cnnviz.training.watched_run import SECONDS, WatchedRun
from cnnviz.training.watched_training import RunSettings
from harness.hostile import WORDS, markdown, marks
from harness.networks import image, layer

THOROUGH = settings.get_current_profile_name() == "thorough"
HUGE = 10**400
PLACES: tuple[Any, ...] = (
    *(None, [], [0], [0, 0, 0], [0, 0, 0, 0, 0], [HUGE] * 4, [-HUGE] * 4, [-1, 0, 0, 0], [2**31] * 4),
    *([2**63, 0, 0, 0], [0.5, 0, 0, 0], [True] * 4, ["0"] * 4, [None] * 4, [[0]] * 4, {"0": 0}, "0000", HUGE),
    [0] * 10**5,
)
COMMANDS: list[Any] = [
    *({"do": what} for what in ("", "pause", "quit", "__class__", HUGE, None, [], {}, *WORDS)),
    *({"do": "show", "step": step} for step in (None, -1, 0, 1, 2, HUGE, 2**63, 0.5, "1", True, [1], {})),
    *({"do": "receipt", "at": at} for at in PLACES),
    *({"do": "layer", "layer": name} for name in (None, HUGE, [], {"a": "b"}, "x" * 10**6, "dense", *WORDS)),
    *({"do": what, "step": HUGE, "at": HUGE, "layer": HUGE} for what in ("close", "newest", "watch", "html")),
    *(None, True, 0, "play", [], [{"do": "play"}], [["do", "play"]]),
]  # fmt: skip
"""What a browser may send in place of a press of a button; none of them ends the run."""


@pytest.fixture
def room(visit, monkeypatch):
    """The page's module, with a queue of its own."""
    visit("training", network="small", images=100, batch=20)
    room = sys.modules["training_room"]
    queue = RunQueue(lambda owner: True, lambda settings: WatchedRun(settings, program=room.PROGRAM))
    monkeypatch.setattr(room, "runs", lambda: queue)
    yield room
    queue.close()


def send(at, command: Any) -> None:
    """Let the panel's component ask for something, as its next command."""
    known = "training heard" in at.session_state
    heard = at.session_state["training heard"] if known else 0
    said(at, [{**command, "n": heard + 1} if isinstance(command, dict) else command])


def said(at, commands: Any) -> None:
    """Let the panel's component say something."""
    (panel,) = (
        each.proto.id for each in at.get("bidi_component") if each.proto.component_name == "cnnviz.training"
    )
    states = at._tree.get_widget_states()
    states.widgets.add(
        id=_make_trigger_id(panel, "events"),
        json_trigger_value=json.dumps([{"event": "command", "value": commands}]),
    )
    at._run(states)
    assert not at.exception, commands
    assert not [text for text in markdown(at) if marks(text)], commands


def test_a_run_bears_any_message_of_its_panel(visit, room):
    at = visit("training", network="small", images=100, batch=20)
    send(at, {"do": "step"})
    run = room.runs().on
    assert run.wait_for(lambda: run.steps == 1)
    for command in COMMANDS if THOROUGH else COMMANDS[::7]:
        send(at, command)
        assert room.runs().on is run
        assert not run.gone, command
    for number in (None, 0, -1, 1, 0.5, True, "2", 2**53, HUGE, [], {}):
        said(at, [{"do": "leave", "n": number}])
        assert room.runs().on is run, number
    assert run.picture()["step"] == 1


def test_a_run_that_is_killed_leaves_the_page_as_it_is(visit, room):
    at = visit("training", network="small", images=100, batch=20)
    send(at, {"do": "play"})
    run = room.runs().on
    assert run.wait_for(lambda: run.steps >= 1)
    os.kill(run._process.pid, signal.SIGKILL)
    assert run.wait_for(lambda: run.gone)
    for command in ("play", "step", "receipt", "keras", "html", "use", "show", "newest"):
        send(at, {"do": command, "step": 1, "at": [0, 0, 0, 0]})
    assert "was killed (signal 9)" in run.over
    send(at, {"do": "again"})
    assert room.runs().on is not run


def test_a_run_of_a_network_that_was_closed_is_watched_no_longer(room, tmp_path, monkeypatch):
    """The file of another reader's network goes with it, and what was read of it may be forgotten."""
    look = room.Looking(RunSettings("small", images=100))
    gone = SimpleNamespace(settings=RunSettings(str(tmp_path / "closed.keras")))
    monkeypatch.setattr(room, "runs", lambda: SimpleNamespace(on=gone, run_of=lambda owner: None))
    look.watching = True
    assert room.shown_run(look) is None
    assert not look.watching


def test_a_network_without_kernels_has_no_receipts_of_them(room, tmp_path, monkeypatch):
    monkeypatch.setattr(st, "session_state", {})
    scores = layer("scores", "Dense", "flat", units=10, activation="softmax")
    net = Network([image(28, 28, 1), layer("flat", "Flatten", "image"), scores], seed=0)
    net.save(tmp_path / "dense.keras")
    settings = RunSettings(str(tmp_path / "dense.keras"), images=100, batch_size=20)
    look = room.Looking(settings)
    room._do(look, {"do": "step"})
    run = room.runs().on
    assert run.wait_for(lambda: run.steps == 1)
    look.picture = run.picture()
    room._do(look, {"do": "receipt", "at": [0, 0, 0, 0]})
    assert look.receipt is None


@pytest.mark.skipif(
    not Path("/proc/self/limits").exists(), reason="the limits of another process are Linux's"
)
def test_a_step_that_has_no_end_is_ended():
    with WatchedRun(RunSettings("small", images=100)) as run:
        assert run.wait_for(lambda: run.ready)
        limits = Path(f"/proc/{run._process.pid}/limits").read_text()
        (said,) = (line for line in limits.splitlines() if line.startswith("Max cpu time"))
        assert said.split()[3] == str(round(SECONDS + GRACE))
    program = "from cnnviz.resources import limit_processor_time as limit\nlimit(1)\nwhile True: pass"
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert ended.returncode == -signal.SIGXCPU


def test_only_runs_that_the_walk_is_about_are_kept_for_it(room):
    """Each keeps its weights, and another run's network may be as large as a training bears."""
    card = room.training_card
    for each in (*(RunSettings("own.keras", seed=seed) for seed in range(20)), card.start_of("rate")):
        run = SimpleNamespace(settings=each, curves=None, layers=())
        card.remember(run, {"step": 1, "arrays": {}})
    assert [*st.session_state.pop("training outcomes")] == [card.start_of("rate")]
