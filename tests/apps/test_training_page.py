"""The Training page: settings in the address, and what its buttons do to the run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st

from apps.conftest import said, widget
from cnnviz.network.keras_file import load_model
from cnnviz.resources import app
from cnnviz.stage.parts import MAGIC
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.run_queue import RunQueue
from cnnviz.training.watched_run import WatchedRun
from cnnviz.training.watched_training import RunSettings, WatchedTraining

SMALL = RunSettings("small", images=96, batch_size=32, learning_rate=0.01)


def panel(at):
    """The header of what the panel was given."""
    (data,) = [
        element.proto.bytes
        for element in at.get("bidi_component")
        if element.proto.component_name == "cnnviz.training"
    ]
    return header_of(data)


def header_of(data):
    import json

    assert data.startswith(MAGIC)
    length = int.from_bytes(data[8:12], "little")
    return json.loads(data[16 : 16 + length])


def test_settings_are_in_the_address(visit):
    at = visit("training", network="small", images=500, rate="0.003", optimizer="sgd", seed=7, shuffled=1)
    assert not at.exception
    assert not at.warning
    assert "small, 500 images in batches of 128, SGD at 0.003, seed 7, labels shuffled." in " ".join(said(at))
    header = panel(at)
    assert header["said"] == "Before the first step: the weights are drawn at random, by seed 7."
    assert header["offers"] == {
        **dict.fromkeys(("again", "newest", "watch", "leave", "keras", "html", "use"), False),
        "play": True,
        "step": True,
    }


def test_a_step_of_the_walk_has_an_address_and_brings_its_settings(visit):
    at = visit("training", trial="by_heart")
    assert "100 images in batches of 20" in " ".join(said(at))
    card = panel(at)["walk"]
    assert (card["title"], card["place"]) == ("A hundred images by heart", "2 of 6")
    assert (card["back"], card["next"], card["shown"]) == ("rate", "no_norm", False)
    assert (card["runs"], card["until"]) == (["with 100 images"], 200)
    widget(at.number_input, "seed").set_value(3).run()
    assert at.query_params["seed"] == "3"


def test_without_a_step_the_walk_is_offered(visit):
    header = panel(visit("training"))
    assert header["walk"] is None
    assert header["first"] == {"name": "rate", "title": "Things to find out"}


def test_nonsense_in_the_address_is_replaced(visit):
    at = visit("training", network="vgg", images="-3", rate="much", optimizer="💥", seed="x", trial="none")
    assert not at.exception
    notices = " ".join(warning.value for warning in at.warning)
    for name in ("network", "images", "rate", "optimizer", "seed", "trial"):
        assert f"The address asks for {name}" in notices


@pytest.fixture
def room(monkeypatch):
    """The page's module with a queue of its own, and this test as its only session."""
    monkeypatch.syspath_prepend(app().parent)
    import training_room

    queue = RunQueue(lambda owner: True, lambda settings: WatchedRun(settings, program=training_room.PROGRAM))
    monkeypatch.setattr(training_room, "runs", lambda: queue)
    monkeypatch.setattr(training_room, "me", lambda: "reader")
    monkeypatch.setattr(training_room, "_PANEL", None)
    yield training_room
    queue.close()


def test_buttons_do_what_they_say(room, tmp_path):
    look, queue = room.Looking(SMALL), room.runs()
    digit = np.zeros((28, 28), np.uint8)

    def do(what, **more):
        room._do(look, {"do": what, **more})

    def shown():
        run = room.shown_run(look)
        if run is not None and look.step is None:
            assert run.wait_for(lambda: run._glance is None)
        room._picture(look, run, room.network_before(SMALL))
        look.digit, look.run = digit, room._after(look).run(digit)
        return look.picture["step"]

    assert shown() == 0
    do("step")
    run = queue.on
    assert run.wait_for(lambda: run.steps == 1)
    assert shown() in (0, 1)  # What was on its way may come first.
    assert shown() == 1
    for number in (2, 3):
        do("step")
        assert run.wait_for(lambda number=number: run.steps == number)
    do("show", step=2)
    assert shown() == 2
    here = WatchedTraining(SMALL)
    here.run(until=3)
    weights = weights_of(here.state_at(2).network)
    assert all(np.array_equal(weights_of(look.run.network)[key], array) for key, array in weights.items())
    do("receipt", at=[0, 1, 0, 2])
    assert look.receipt["title"].startswith("step 2, conv2d/kernel[0, 1, 0, 2]")
    for nonsense in (None, [0, 1], [0, 1, 0, "2"], {"a": 1}):
        before = look.receipt
        do("receipt", at=nonsense)
        assert look.receipt is before
    do("close")
    assert look.receipt is None
    do("keras")
    import base64

    (tmp_path / "own.keras").write_bytes(base64.b64decode(look.file["content"]))
    assert look.file["name"] == "trained-2.keras"
    saved = weights_of(load_model(tmp_path / "own.keras"))
    assert all(np.array_equal(saved[key], array) for key, array in weights.items())
    do("html")
    assert (look.file["name"], look.file["count"]) == ("trained-2.html", 2)
    assert b"After step 2" in base64.b64decode(look.file["content"])
    room._obey(look)
    assert look.file is not None
    st.session_state["training"] = SimpleNamespace(command=[{"n": 1, "do": "close"}])
    room._obey(look)
    assert look.file is None  # It is sent once, not with every picture from here on.
    for nonsense in (10**9, -1, True, "2", None):
        do("show", step=nonsense)
        assert look.step == 2
    do("again")
    assert run.gone or run.wait_for(lambda: run.gone)
    assert queue.on is not run
    assert look.step is None


def test_what_is_asked_for_at_once_is_all_done_and_once(room):
    """A command that comes right after another takes its place: it brings the other along."""
    st.session_state.clear()
    look = room.Looking(SMALL)
    asked = [{"n": 1, "do": "weights", "name": "dense/bias"}, {"n": 2, "do": "field", "layer": "conv2d"}]
    st.session_state["training"] = SimpleNamespace(command=asked)
    room._obey(look)
    assert (look.weights, look.field_layer) == ("dense/bias", "conv2d")
    look.weights = ""
    asked.append({"n": 3, "do": "channel", "channel": 2})
    room._obey(look)
    assert (look.weights, look.channel) == ("", 2)
    assert panel_of(room, look)["heard"] == 3
    st.session_state.clear()


def test_a_run_of_the_walk_is_started_and_told_of(room, monkeypatch):
    """A start makes as many steps as are compared, and the card has their numbers."""
    chosen = {}
    monkeypatch.setattr(room.training_card.state, "put", chosen.__setitem__)
    look = room.Looking(SMALL, trial="dead")
    room._do(look, {"do": "walk", "to": "seeds"})
    assert (chosen["trial"], chosen["rate"], chosen["seed"]) == ("seeds", 0.003, 1)
    for nonsense in ("nowhere", None, 3):
        chosen.clear()
        room._do(look, {"do": "walk", "to": nonsense})
        assert not chosen
    room._do(look, {"do": "walk", "to": ""})
    assert chosen == {"trial": ""}
    for nonsense in (2, -1, True, "0", None):
        room._do(look, {"do": "start", "run": nonsense})
        assert room.runs().on is None
    room._do(look, {"do": "start", "run": 0})
    run = room.runs().on
    assert (run.settings.learning_rate, chosen["rate"], chosen["network"]) == (0.5, 0.5, "small")
    assert run.wait_for(lambda: run.steps == 100 and not run.playing)
    look = room.Looking(run.settings, trial="dead")
    while panel_of(room, look)["step"] < 100:
        assert run.wait_for(lambda: run._glance is None)
    card = panel_of(room, look)["walk"]
    assert "8 of 8 channels of conv2d_1 are silent after 100 steps" in " ".join(card["say"])
    # Whoever looks back then has seen the last step all the same.
    room._do(look, {"do": "show", "step": 3})
    assert panel_of(room, look)["step"] == 3
    assert panel_of(room, look)["walk"] == card
    st.session_state.clear()


def test_the_field_of_the_digit_is_shown_and_follows_what_is_chosen(room):
    look, digit = room.Looking(SMALL), np.eye(28, dtype=np.uint8) * 255
    look.picture, look.digit = room.initial_picture(room.network_before(SMALL)), digit
    look.run = room._after(look).run(digit)
    field = panel_of(room, look)["field"]
    assert (field["layer"], field["step"], field["layers"]) == ("conv2d_1", 0, ["conv2d", "conv2d_1"])
    room._do(look, {"do": "field", "layer": "conv2d"})
    assert panel_of(room, look)["field"]["layer"] == "conv2d"
    room._do(look, {"do": "weights", "name": "conv2d_1/kernel"})
    room._do(look, {"do": "channel", "channel": 3})
    weights = panel_of(room, look)["weights"]
    assert (weights["name"], weights["channel"]) == ("conv2d_1/kernel", 3)
    st.session_state.clear()


def test_what_was_trained_is_opened_for_all_pages(room, monkeypatch):
    taken = []
    monkeypatch.setattr(room.opened, "use_network", lambda *file: taken.append(file) or len(taken) == 1)
    monkeypatch.setattr(room.opened, "refused", lambda: "The network was not opened: there is no room.")
    look = room.Looking(SMALL)
    room._do(look, {"do": "step"})
    run = room.runs().on
    assert run.wait_for(lambda: run.steps == 1)
    look.picture = run.picture()
    room._do(look, {"do": "use"})
    assert taken == [(run.keras_file(1), "small_step_1.keras")]
    with pytest.raises(OSError, match="there is no room"):
        room._do(look, {"do": "use"})
    st.session_state.clear()


def panel_of(room, look):
    """The header of what the panel would be given now."""
    sent = []
    room._PANEL = lambda **given: sent.append(given["data"])
    run = room.shown_run(look)
    net = room.network_before(room.settings_of(look, run))
    room._show_panel(look, run, net, room._picture(look, run, net))
    return header_of(sent[0])


def test_a_run_of_other_settings_stands_still_and_one_that_waits_is_of_the_new(room):
    queue, other = room.runs(), RunSettings("small", seed=3)
    st.session_state.clear()
    room._do(room.seen(SMALL), {"do": "play"})
    first = queue.on
    look = room.seen(other)
    assert not first.playing
    assert queue.on is first
    assert panel_of(room, look)["offers"]["leave"]
    room._do(look, {"do": "leave"})
    queue.enter("teacher", SMALL)
    room._do(look, {"do": "play"})
    room.seen(SMALL)
    assert queue.place("reader") == 1
    queue.leave("teacher")
    assert queue.run_of("reader").settings == SMALL
    st.session_state.clear()


def test_the_stage_is_rebuilt_for_a_watched_run_of_another_network(room, monkeypatch):
    class Again(Exception):
        pass

    def rerun():
        raise Again

    monkeypatch.setattr(st, "rerun", rerun)
    room.runs().enter("teacher", SMALL)
    look = room.Looking(RunSettings("mnist_14k"), watching=True)
    with pytest.raises(Again), room.beside(look, np.zeros((28, 28), np.uint8), look.settings):
        pass


def test_whoever_comes_later_waits_and_may_watch(room, monkeypatch):
    queue = room.runs()
    queue.enter("teacher", SMALL)
    look = room.Looking(RunSettings("small", seed=3))
    room._do(look, {"do": "play"})
    assert queue.place("reader") == 1
    assert room.shown_run(look) is None
    room._do(look, {"do": "watch"})
    assert room.shown_run(look) is queue.on
    assert room.settings_of(look, room.shown_run(look)) == SMALL
    assert panel_of(room, look)["moves"]  # Though it stands still: its owner may go on.
    room._do(look, {"do": "play"})  # Another's run is watched, not commanded.
    assert not queue.on.playing
    room._do(look, {"do": "watch"})
    room._do(look, {"do": "leave"})
    assert queue.place("reader") is None
    room._do(look, {"do": "watch"})
    queue.leave("teacher")
    assert room.shown_run(look) is None
    assert not look.watching
    st.session_state.clear()
