"""The runs that readers of the Training page have on, and what a session sees and does there."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Any

import header
import opened
import streamlit as st
import training_card
import turns
from components import component
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnnviz.network import Network, Run
from cnnviz.stage.component import live_view
from cnnviz.stage.live_view import page, view
from cnnviz.stage.training_digit import DigitField, field_header, field_layers, field_of
from cnnviz.stage.training_panel import Picture, initial_picture, panel_part, shown_weights, status
from cnnviz.stage.training_program import PROGRAM
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.run_queue import RunQueue
from cnnviz.training.watched_run import Curves, WatchedRun
from cnnviz.training.watched_training import NETWORKS, RunSettings, network_of

_PANEL = component("training")
_SEEN, _HEARD = "training looking", "training heard"
PATIENCE = 1000
"""Milliseconds from one look at the queue to the next."""
MOST = 2**53
"""Commands are numbered from 1 to below this: what JavaScript's numbers hold exactly."""
FIELDS = 0.5
"""Seconds from one effective field to the next, while it trains: it costs a backward pass."""


@cache  # Streamlit's own cache any visitor may clear, and have a second queue with a second run.
def runs() -> RunQueue:
    """The server's one queue."""
    return RunQueue(_is_there, partial(WatchedRun, program=PROGRAM))


def _is_there(session: str) -> bool:
    return not exists() or get_instance().is_active_session(session)


def me() -> str:
    """This session, as the queue knows it."""
    context = get_script_run_ctx()
    return "" if context is None else context.session_id


def network_before(settings: RunSettings) -> Network:
    """The network before the first step."""
    if settings.network in NETWORKS:
        return _before(RunSettings(settings.network, seed=settings.seed, batch_norm=settings.batch_norm))
    return _before_of_file(settings.network, settings.batch_norm)


@lru_cache(maxsize=8)
def _before(settings: RunSettings) -> Network:
    return network_of(settings)


@lru_cache(maxsize=2)  # Anybody's, who may have closed it long ago: as large as a file may be.
def _before_of_file(path: str, batch_norm: bool) -> Network:
    return network_of(RunSettings(path, batch_norm=batch_norm))


@dataclass
class Looking:
    """What a session looks at: it is no choice that a link could hold, but a place in a run that goes on."""

    settings: RunSettings
    step: int | None = None
    """None follows the newest."""
    weights: str = ""
    """Those that are drawn, "layer/weight", for one of their input channels."""
    channel: int = 0
    field_layer: str = ""
    watching: bool = False
    receipt: Mapping[str, Any] | None = None
    file: Mapping[str, Any] | None = None
    """What is to be saved: its name and content, and how many there were; gone with the next command."""
    files: int = 0
    refused: str = ""
    picture: Picture = field(default_factory=lambda: {"step": -1})
    of: WatchedRun | None = None
    """Whose picture it is."""
    run: Run | None = None
    """The digit's, of that picture."""
    digit: Any = None
    field: DigitField | None = None
    """Of that digit, after that step or one shortly before it."""
    field_at: float = 0.0
    """When that was worked out."""
    field_before: tuple[Any, ...] = ()
    """Of which run, digit and layer it is known before training, and the pixels that held half of it."""
    trial: str = ""
    """The step of the walk that is open."""


def seen(settings: RunSettings) -> Looking:
    """What this session looks at; other settings begin anew."""
    found = st.session_state.get(_SEEN)
    if found is None or found.settings != settings:
        found = st.session_state[_SEEN] = Looking(settings)
        _leave_other(settings)
    return found


def _leave_other(settings: RunSettings) -> None:
    """What is not shown does not go on: a run of other settings stands still, one that waits is of these."""
    queue = runs()
    run = queue.run_of(me())
    if run is None and queue.place(me()) is not None:
        with suppress(OSError):
            queue.enter(me(), settings, WatchedRun.play)
    elif run is not None and run.settings != settings:
        run.pause()


def shown_run(look: Looking) -> WatchedRun | None:
    """The run that is shown: the session's own of these settings, or another that it watches."""
    own, on = runs().run_of(me()), runs().on
    # Who waited need watch no longer, and where none is on there is nothing to be watched.
    look.watching = look.watching and own is None and on is not None and _is_to_be_seen(on)
    if look.watching:
        return on
    return own if own is not None and own.settings == look.settings else None


def _is_to_be_seen(run: WatchedRun) -> bool:
    """Whether its network is still there: that of another reader may be closed."""
    try:
        return network_before(run.settings) is not None
    except (OSError, ValueError):
        return False


def settings_on() -> RunSettings | None:
    """Those of the run that this session has on."""
    run = runs().run_of(me())
    return None if run is None else run.settings


def settings_of(look: Looking, run: WatchedRun | None) -> RunSettings:
    """Those of a run, or of the one that is to come."""
    return look.settings if run is None else run.settings


@contextmanager
def beside(look: Looking, digit: Any, stage_of: RunSettings) -> Iterator[Run]:
    """The panel on the left, the stage on the right, and the digit's run to be shown there."""
    run = shown_run(look)
    settings = settings_of(look, run)
    if (settings.network, settings.batch_norm) != (stage_of.network, stage_of.batch_norm):
        # The run that is watched is another by now, of another network: the stage is not for it.
        st.rerun()
    net = network_before(settings)
    panel, stage = st.columns([2, 5], gap="medium")
    picture = _picture(look, run, net)
    if look.run is None or look.digit is not digit:
        with turns.aside():  # The network may be anybody's, and slow.
            look.run, look.digit = _after(look).run(digit), digit
    with panel:
        _show_panel(look, run, net, picture)
    with stage:
        yield look.run


def _after(look: Looking) -> Network:
    """The network as the picture shows it."""
    net = network_before(settings_of(look, look.of))
    return net.with_weights({key: look.picture["arrays"][key] for key in weights_of(net)})


def _picture(look: Looking, run: WatchedRun | None, net: Network) -> Picture:
    """The picture to show; the digit's run of another one is forgotten."""
    before = look.picture
    if look.of is not run:
        before = {"step": -1}
        if look.of is not None:
            look.step = look.receipt = None
    if run is None:
        found: Picture | None = initial_picture(net) if before["step"] else before
    elif look.step is None:
        with turns.aside():
            found = run.glance(before["step"])
    else:
        found = before
        if before["step"] != look.step:
            try:
                with turns.aside():
                    found = run.picture(look.step)
            except ChildProcessError as error:
                look.step, look.refused, found = None, str(error), run.glance()
    found = found or (before if before["step"] >= 0 else initial_picture(net))
    if found is not look.picture:
        look.picture, look.of, look.run = found, run, None
        if run is not None and run is runs().run_of(me()):
            training_card.remember(run, found)
    return found


def _field(look: Looking, run: WatchedRun | None, net: Network) -> DigitField | None:
    """The effective field on the digit; while it trains it may be that of a step shortly before."""
    layers = field_layers(net)
    if not layers or look.run is None:
        return None
    layer = look.field_layer if look.field_layer in layers else layers[-1]
    known, step = look.field, look.picture["step"]
    of = look.of, look.digit, layer
    if not look.field_before or any(
        was is not now for was, now in zip(look.field_before[:3], of, strict=True)
    ):
        look.field_before = *of, field_of(net.run(look.digit), layer, 0).half
        known = None
    goes_on = run is not None and run.moves and look.step is None
    if known is not None and goes_on and time.monotonic() - look.field_at < FIELDS:
        return known
    if known is None or known.step != step:
        look.field = field_of(look.run, layer, step, look.field_before[3])
        look.field_at = time.monotonic()
    return look.field


def _show_panel(look: Looking, run: WatchedRun | None, net: Network, picture: Picture) -> None:
    queue, settings = runs(), settings_of(look, run)
    place = queue.place(me())
    before = place or 0
    mine = not look.watching
    curves, layers = (Curves(), ()) if run is None else (run.curves, run.layers)
    part = panel_part(curves, layers, net, picture, look.weights, look.channel)
    field = _field(look, run, net)
    said = status(
        run,
        settings,
        picture["step"],
        before=before,
        watching=look.watching,
        turn=queue.turn(me()) if mine else (0, math.inf),
    )
    if run is None and not before and (why := queue.why_ended(me())):
        said = f"Your run was ended: {why}. {said}"
    moves = run is not None and look.step is None and run.moves
    if look.refused:
        said = f"{said} Not done: {look.refused}."
    part.header |= {
        "said": said,
        "heard": st.session_state.get(_HEARD, 0),
        "playing": run is not None and run.playing and mine,
        "watching": look.watching,
        "waits": before > 0,
        "moves": before > 0 or look.watching or moves,
        # A run that stands still may be told to go on by whose it is.
        "patience": 0 if moves else PATIENCE,
        "receipt": look.receipt,
        "file": look.file,
        "field": None
        if field is None or look.run is None
        else field_header(part, field, field_layers(net), look.run.input),
        "digit": None,
        "walk": training_card.card(look.trial),
        "first": training_card.FIRST,
        "offers": {
            "play": mine and not before and not (run is not None and run.over),
            "step": mine and not before and not (run is not None and (run.over or run.playing)),
            "again": mine and run is not None,
            "keras": run is not None and picture["step"] > 0,
            "html": run is not None and picture["step"] > 0,
            "use": run is not None and picture["step"] > 0,
            "newest": run is not None and look.step not in (None, run.steps),
            "watch": look.watching or (queue.on is not None and queue.run_of(me()) is None),
            "leave": place is not None,
        },
    }
    _PANEL(
        key="training",
        data=bytes(part),
        on_command_change=partial(_obey, look),
        on_tick_change=lambda: None,
    )


def _obey(look: Looking) -> None:
    """Do what was asked for on the panel; what makes no sense is not done."""
    commands = _unheard(getattr(st.session_state.get("training"), "command", None))
    if not commands:
        return
    look.refused, look.file = "", None
    for asked in commands:
        try:
            _do(look, asked)
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            look.refused = getattr(error, "strerror", "") or str(error) or "it takes too much memory"


def _unheard(asked: Any) -> list[Mapping[str, Any]]:
    """The commands that were not heard before: the panel says each again until it knows that it was."""
    heard = st.session_state.get(_HEARD, 0)
    found = []
    for command in asked if isinstance(asked, list) else []:
        number = command.get("n") if isinstance(command, Mapping) else None
        if type(number) is int and heard < number < MOST:
            found.append(command)
            heard = number
    st.session_state[_HEARD] = heard
    return found


def _do(look: Looking, asked: Mapping[str, Any]) -> None:
    queue, what, run = runs(), asked.get("do"), shown_run(look)
    if what in ("play", "step") and not look.watching:
        look.step = None
        if run is None:
            queue.enter(me(), look.settings, WatchedRun.step if what == "step" else WatchedRun.play)
        else:
            (run.step if what == "step" else run.pause if run.playing else run.play)()
    elif what == "again" and not look.watching:
        look.step = look.receipt = None
        queue.enter(me(), look.settings)
    elif what == "show" and run is not None:
        if not look.watching:
            run.pause()
        step = asked.get("step")
        if type(step) is int and 0 <= step <= run.steps:
            look.step = None if step == run.steps else step
    elif what == "newest":
        look.step = None
    elif what == "weights":
        look.weights, look.channel = str(asked.get("name"))[:120], 0
    elif what == "channel" and type(asked.get("channel")) is int:
        look.channel = asked["channel"]
    elif what == "field":
        look.field_layer, look.field = str(asked.get("layer"))[:80], None
    elif what == "walk" and isinstance(asked.get("to"), str):
        training_card.go_to(asked["to"])
        st.session_state["live.used"] = True
    elif what == "start":
        _start(look, asked.get("run"))
    elif what == "receipt" and run is not None and look.picture["step"] > 0:
        _explain(look, run, asked.get("at"))
    elif what in ("keras", "html") and run is not None and look.picture["step"] > 0:
        _save(look, run, what)
    elif what == "use" and run is not None and look.picture["step"] > 0:
        look.step = look.picture["step"]
        _use(run, look.step)
    elif what == "close":
        look.receipt = None
    elif what == "watch":
        look.watching, look.step, look.receipt = not look.watching, None, None
        st.session_state["live.used"] = True
    elif what == "leave":
        look.step = look.receipt = None
        queue.leave(me())


def _start(look: Looking, number: Any) -> None:
    """Make one of the runs that the walk is about, as many steps of it as are compared."""
    found = training_card.run_named(look.trial, number)
    if found is None or look.watching:
        return
    settings, until = found
    look.step = look.receipt = None
    training_card.put_settings(settings)
    runs().enter(me(), settings, lambda run: run.play(until))
    st.session_state["live.used"] = True


def _explain(look: Looking, run: WatchedRun, at: Any) -> None:
    """The receipt of a weight in the step that is shown, which stays while it is read."""
    names = shown_weights(network_before(run.settings))
    if not names:
        return
    name = look.weights if look.weights in names else names[0]
    # Of the run that is watched now it may be that no picture has come.
    array = look.picture["arrays"].get(name)
    if (
        array is None
        or not isinstance(at, list)
        or len(at) != array.ndim
        or any(type(place) is not int for place in at)
    ):
        return
    if not look.watching:
        run.pause()
    look.step = look.picture["step"]
    found = run.ask("receipt", step=look.step, weight=name, at=at)
    look.receipt = {"title": found["title"], "html": found["html"]}


def _save(look: Looking, run: WatchedRun, kind: str) -> None:
    """Make a file of what is shown, which stays while it is saved."""
    if not look.watching:
        run.pause()
    step = look.step = look.picture["step"]
    if kind == "keras":
        content = run.keras_file(step)
    elif look.run is not None:
        content = page(view(_after(look), look.digit), f"After step {step:,}").encode()
    else:
        return
    look.files += 1
    look.file = {
        "name": f"trained-{step}.{kind}",
        "content": base64.b64encode(content).decode(),
        "count": look.files,
    }


def _use(run: WatchedRun, step: int) -> None:
    """Open the network after a step for all pages, whose header then shows it."""
    content = run.keras_file(step)
    if not opened.use_network(content, f"{network_before(run.settings).name}_step_{step}.keras"):
        raise OSError(opened.refused().removesuffix("."))
    st.session_state["live.used"] = True


def show(settings: RunSettings, trial: str, choose: Any) -> None:
    """The panel, with a step of the walk or without, and the stage."""
    look = seen(settings)
    look.trial = trial
    here = header.chosen()
    # What is trained here is trained on digits, whatever another network is shown.
    digit = here.digit if here.shows_a_digit else st.session_state["test digit"]
    shown = settings_of(look, shown_run(look))
    live_view(
        network_before(shown),
        digit.image,
        title=digit.name.capitalize(),
        label=digit.label,
        item=digit.own or str(digit.index),
        code=digit.code,
        choose=choose,
        around=partial(beside, look, digit.image, shown),
    )
