"""The state of the explorer is its URL: every choice that is not the default is a query parameter.

A URL that changes from outside (a link, Back, Forward) decides everything anew; a widget that is
touched changes its own parameter and makes one entry in the browser's history. A parameter that
makes no sense is replaced by the default, and a notice says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st
from plain import plain

from cnnviz.resources import one_line

_EXPLICIT = "explicit"
"""Choices by name that are not the default."""
_WIDGETS = "widgets"
"""What each widget showed in the last run, or started at since, by name."""
_URL, _OUTSIDE = "url", "outside"
"""The query that the state belongs to; whether this run took the state from it."""
_ENDED = "ended"
"""Whether the last run came to its end."""
_ASKED, _NOTICES = "asked", "notices"
"""Parameters of a new URL that are not read yet; what had to be replaced in it."""
_SHOWN, _BEFORE = "shown", "shown before"
"""This page's parameters, as this run and the last one make them; None before if the URL says others."""
_DRAWN = "drawn"
"""What each widget shows in this run, by name."""
_MADE = "made"
"""How many widgets a name has had, and what the last one offers."""
_CLOSER, _ALL = "closer", "all"
"""The parameter that names the folded parts that are open, and its word for all of them."""
_SECTIONS = "sections"
"""The folded parts of this page, by name."""
_PUT = "put"
"""The names of what code has chosen since the last run."""


_START = {"selectbox": "index", "radio": "index", "segmented_control": "default", "pills": "default"}
"""The argument by which widgets of a kind take the value they start at; others call it value."""
_MARKDOWN = {"radio", "segmented_control", "pills"}
"""Kinds of widgets that take their options' words for Markdown."""
_ALWAYS = {"segmented_control": {"required": True}}
"""What every widget of a kind is given: one of its options is always chosen."""


def begin() -> None:
    """Take up what the URL says; to be called first in every run."""
    session = st.session_state
    for name in (_EXPLICIT, _WIDGETS, _MADE, _BEFORE, _ASKED):
        session.setdefault(name, {})
    url = st.query_params.to_dict()
    touched = session.pop(_PUT, set()) | {
        name for name, value in session[_WIDGETS].items() if session.get(_key(name), value) != value
    }
    # A run that did not come to its end may not have read all that the URL asks for.
    ended = session.get(_ENDED, True)
    unread = {} if ended else session[_ASKED]
    other = url != session.get(_URL) or (session.get(_OUTSIDE, False) and not ended)
    # A click can come with the URL of the run before, which is no reason to go back to it.
    session[_OUTSIDE] = other and not touched
    session[_ENDED] = False
    if session[_OUTSIDE]:
        session[_ASKED], session[_EXPLICIT] = dict(url), {}
    else:
        session[_ASKED] = {name: value for name, value in unread.items() if name not in touched}
        if other:
            session[_BEFORE] = None
    session[_URL], session[_NOTICES], session[_SHOWN], session[_DRAWN] = url, [], {}, {}
    session[_SECTIONS] = []


def finish() -> None:
    """Write what this page shows into the URL; to be called last in every run."""
    session = st.session_state
    shown = session[_SHOWN]
    if shown != session[_BEFORE] and not session[_OUTSIDE]:
        st.query_params.from_dict(shown)
        session[_URL] = shown
    session[_BEFORE] = shown
    session[_WIDGETS] = session[_DRAWN]
    session[_ENDED] = True


def notices() -> list[str]:
    """What had to be replaced in the URL so far, one sentence each."""
    return st.session_state[_NOTICES]


def kept(*names: str) -> dict[str, str]:
    """The parameters that a link to another page carries along."""
    return {name: st.session_state[_SHOWN][name] for name in names if name in st.session_state[_SHOWN]}


def put(name: str, value: Any) -> None:
    """Choose a value from code: a button's callback."""
    settle(name, value)
    st.session_state.setdefault(_PUT, set()).add(name)


def settle(name: str, value: Any) -> None:
    """Choose a value that follows from others, in the run itself, before its widget is drawn."""
    st.session_state[_EXPLICIT][name] = value
    st.session_state[_WIDGETS].pop(name, None)
    st.session_state[_ASKED].pop(name, None)


def set_to(name: str) -> Any:
    """What the widget of a name now holds: for its callback."""
    return st.session_state[_key(name)]


def from_outside() -> bool:
    """Whether a link, Back or Forward decides this run, not what was done on the page."""
    return bool(st.session_state[_OUTSIDE])


def comes_back(name: str) -> bool:
    """Whether the last run had no widget of that name: the reader was on another page."""
    return name not in st.session_state[_WIDGETS]


def option(
    name: str,
    options: Sequence[Any] | Mapping[Any, str],
    default: Any,
    widget: Callable[..., Any],
    label: str,
    *,
    stays: bool = False,
    **arguments: Any,
) -> Any:
    """A choice among options, by a widget such as st.selectbox or st.segmented_control.

    In the URL an option is its text; on the page too, unless `options` maps it to other words. Where there
    is no choice there is no widget. One that `stays` is in the URL even where it is the default.
    """
    words = arguments.get("format_func", options.get if isinstance(options, Mapping) else str)
    shown = plain if widget.__name__ in _MARKDOWN else one_line
    arguments = {**arguments, "format_func": lambda value: shown(words(value))}
    options = list(options)
    texts = {str(value): value for value in options}
    value = _current(name, default, texts.__getitem__, lambda v: str(v) in texts)
    if len(options) > 1:
        start = _START.get(widget.__name__, "value")
        first = list(texts).index(str(value)) if start == "index" else texts[str(value)]
        arguments = {**_ALWAYS.get(widget.__name__, {}), **arguments, start: first}
        label = plain(label)
        value = _show(name, value, tuple(texts), lambda key: widget(label, options, key=key, **arguments))
    return _remember(name, value, None if stays else default, str)


def integer(
    name: str,
    low: int,
    high: int,
    default: int,
    label: str,
    widget: Callable[..., Any] | None = None,
    *,
    stays: bool = False,
    **arguments: Any,
) -> int:
    """A whole number from low to high, by st.number_input or another widget of that kind.

    What was chosen `stays` in the URL even where it is the default, which may be another on the next page.
    """
    make = widget or st.number_input
    value = _current(name, default, _whole, _between(low, high))
    if low < high:
        label, arguments = plain(label), {**arguments, "value": value}
        picked = _show(name, value, (low, high), lambda key: make(label, low, high, key=key, **arguments))
        value = int(picked)
    return _remember(name, value, None if stays and is_chosen(name) else default, str)


def is_chosen(name: str) -> bool:
    """Whether the URL or the learner has chosen a value that was read in this run, the default included."""
    return name in st.session_state[_EXPLICIT]


def toggle(name: str, default: bool, label: str, **arguments: Any) -> bool:
    """On or off: 1 or 0 in the URL."""
    value = _current(name, default, {"1": True, "0": False}.__getitem__, lambda v: isinstance(v, bool))
    shown = value
    value = _show(name, value, (), lambda key: st.toggle(plain(label), value=shown, key=key, **arguments))
    return _remember(name, value, default, lambda v: str(int(v)))


def text(name: str, default: str, fits: Callable[[str], bool]) -> str:
    """Words that only code and the URL choose; there is no widget."""
    return _remember(name, _current(name, default, str, fits), default, str)


def wanted(name: str) -> str:
    """The words that a new URL or code asks for, before `text` has judged them; "" for the default."""
    session = st.session_state
    return str(session[_ASKED].get(name, session[_EXPLICIT].get(name, "")))


def place(name: str, count: int, default: int, first: int = 0) -> int:
    """A whole number from `first` up to, not including, `count`, that only code and the URL choose."""
    return _remember(name, _current(name, default, _whole, _between(first, count - 1)), default, str)


def section(name: str, label: str, *, opens: bool = False) -> Any:
    """A folded part of the page: what holds it while it is open, else None, so that it costs nothing.

    In the URL `closer` names those that are open, with ~ between them, or says "all". `opens` opens it at a
    first visit, as a link does that asks for what is in it.
    """
    session = st.session_state
    here = session[_SECTIONS]
    here.append(name)
    names = set(text(_CLOSER, "", _is_names).split("~"))
    if opens and session[_OUTSIDE] and name not in names and _ALL not in names:
        names.add(name)
        _remember(_CLOSER, "~".join(sorted(names - {""})), "", str)
    value = _ALL in names or name in names

    def turned() -> None:
        others = (set(here) if _ALL in names else names & set(here)) - {name}
        put(_CLOSER, "~".join(sorted(others | ({name} if session[_key(f"closer.{name}")] else set()))))

    def make(key: str) -> bool:
        boxes.append(st.expander(plain(label), expanded=value, key=key, on_change=turned))
        return bool(boxes[-1].open)

    boxes: list[Any] = []
    shown = _show(f"closer.{name}", value, (), make)
    return boxes[-1] if shown else None


def is_open(name: str) -> bool:
    """Whether the URL says of a folded part, by its name alone, that it is open."""
    return name in text(_CLOSER, "", _is_names).split("~")


def asks(*names: str) -> bool:
    """Whether the URL newly asks for one of these parameters, which are not read yet."""
    return any(name in st.session_state[_ASKED] for name in names)


def _is_names(text: str) -> bool:
    return re.fullmatch(r"[\w~]{0,400}", text) is not None


def is_place(value: Any, count: int, first: int = 0) -> bool:
    """Whether a value, from wherever it is, is a whole number from `first` up to, not including, `count`."""
    return isinstance(value, int) and not isinstance(value, bool) and first <= value < count


def _whole(text: str) -> int:
    """A whole number as a URL writes it; ValueError for anything else, however long it is."""
    if not re.fullmatch("[+-]?[0-9]{1,18}", text):
        raise ValueError(f"a whole number must have 1 to 18 digits, got {text[:40]!r}")
    return int(text)


def _between(low: int, high: int) -> Callable[[Any], bool]:
    """Whether a value is a whole number from low to high."""
    return lambda value: is_place(value, high + 1, low)


def _current(name: str, default: Any, read: Callable[[str], Any], fits: Callable[[Any], bool]) -> Any:
    """The value to show: what the URL newly asks for, what the widget was set to, or what was chosen."""
    session = st.session_state
    asked = session[_ASKED].get(name)
    if asked is not None:
        try:
            value = read(asked)
        except (KeyError, ValueError):
            value = None
        if value is not None and fits(value):
            session[_EXPLICIT][name] = value
            return value
        session[_NOTICES].append(
            f"The address asks for {name} “{asked[:40]}”, which there is not here; "
            f"this is {name} “{str(default)[:40]}”."
        )
        return default
    widget = session.get(_key(name))
    if (
        name in session[_WIDGETS]
        and widget != session[_WIDGETS][name]
        and widget is not None
        and fits(widget)
    ):
        session[_EXPLICIT][name] = widget
        return widget
    chosen = session[_EXPLICIT].get(name, default)
    return chosen if fits(chosen) else default


def _show(name: str, value: Any, offers: tuple[Any, ...], make: Callable[[str], Any]) -> Any:
    """Draw a widget that starts at a value; where that is not what it holds, it is a new one.

    Setting a widget's value from here would not do: it is sent once, and a run that follows at once
    takes back what the browser has not fetched yet.
    """
    session = st.session_state
    number, offered = session[_MADE].get(name, (0, offers))
    anew = offers != offered or session.get(_key(name), value) != value
    session[_MADE][name] = number + anew, offers
    session[_DRAWN][name] = make(_key(name))
    if anew:
        session[_WIDGETS][name] = session[_DRAWN][name]
    return session[_DRAWN][name]


def _remember(name: str, value: Any, default: Any, write: Callable[[Any], str]) -> Any:
    session = st.session_state
    if value == default:
        session[_EXPLICIT].pop(name, None)
    else:
        session[_EXPLICIT][name] = value
        session[_SHOWN][name] = write(value)
    session[_ASKED].pop(name, None)
    return value


def _key(name: str) -> str:
    number, _ = st.session_state[_MADE].get(name, (0, ()))
    return f"choice.{name}.{number}" if number else f"choice.{name}"
