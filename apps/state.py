"""The state of the explorer: what is chosen, kept across pages and in the URL.

Every choice is a query parameter. A parameter that changes outside (a link, Back, Forward) wins over
what the session holds; one that makes no sense is replaced by a default, and a notice says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

_CHOSEN, _ASKED, _SHOWN, _WRITTEN, _NOTICES = "chosen", "asked", "shown", "written", "notices"
_DRAWN, _SETTLED = "drawn", "settled"


def begin() -> None:
    """Take up what the URL says; to be called first in every run."""
    st.session_state.setdefault(_CHOSEN, {})
    written = st.session_state.setdefault(_WRITTEN, {})
    st.session_state[_NOTICES] = []
    st.session_state.setdefault(_SETTLED, set())
    st.session_state[_DRAWN] = set()
    st.session_state[_ASKED] = {
        name: value for name, value in st.query_params.to_dict().items() if written.get(name) != value
    }
    st.session_state[_SHOWN] = {}


def finish() -> None:
    """Write what this page shows into the URL; to be called last in every run."""
    shown = st.session_state[_SHOWN]
    if st.query_params.to_dict() != shown:
        st.query_params.from_dict(shown)
    st.session_state[_WRITTEN] = shown
    st.session_state[_SETTLED] = st.session_state[_DRAWN]


def notices() -> list[str]:
    """What had to be replaced in the address, one sentence each."""
    return st.session_state[_NOTICES]


def put(name: str, value: Any) -> None:
    """Choose a value from code: a button, a callback."""
    st.session_state[_CHOSEN][name] = value
    st.session_state.pop(_key(name), None)


def option(
    name: str,
    options: Sequence[Any],
    default: Any,
    widget: Callable[..., Any],
    label: str,
    **arguments: Any,
) -> Any:
    """A choice among options, by a widget such as st.selectbox, st.segmented_control or st.radio.

    In the URL an option is its text. Where there is no choice there is no widget.
    """
    if len(options) == 1:
        return _remember(name, options[0])
    texts = {str(value): value for value in options}
    value = _current(name, default, lambda text: texts[text], lambda v: str(v) in texts)
    value = texts[str(value)]
    return _remember(name, _show(name, value, lambda key: widget(label, options, key=key, **arguments)))


def integer(
    name: str,
    low: int,
    high: int,
    default: int,
    label: str,
    widget: Callable[..., Any] | None = None,
    **arguments: Any,
) -> int:
    """A whole number from low to high, by st.number_input or another widget of that kind."""

    def fits(value: Any) -> bool:
        return isinstance(value, int) and low <= value <= high

    value = _current(name, default, int, fits)
    if low == high:  # Streamlit's sliders refuse a range of one.
        return _remember(name, low)
    make = widget or st.number_input
    return _remember(name, int(_show(name, value, lambda key: make(label, low, high, key=key, **arguments))))


def toggle(name: str, default: bool, label: str, **arguments: Any) -> bool:
    """On or off: 1 or 0 in the URL."""

    def read(text: str) -> bool:
        return {"1": True, "0": False}[text]

    value = _current(name, default, read, lambda v: isinstance(v, bool))
    picked = _show(name, value, lambda key: st.toggle(label, key=key, **arguments))
    _remember(name, picked)
    st.session_state[_SHOWN][name] = str(int(picked))
    return picked


def _current(name: str, default: Any, read: Callable[[str], Any], fits: Callable[[Any], bool]) -> Any:
    """The value to show: what the URL asks for, else the widget's, else what was chosen, else the default."""
    asked = st.session_state[_ASKED].pop(name, None)
    if asked is not None:
        try:
            value = read(asked)
            if not fits(value):
                raise ValueError(asked)
        except (KeyError, ValueError):
            st.session_state[_NOTICES].append(
                f"The address asks for {name} “{asked[:40]}”, which there is not here; "
                f"this is {name} “{default}”."
            )
            value = default
        st.session_state[_key(name)] = value
        return value
    for value in (st.session_state.get(_key(name)), st.session_state[_CHOSEN].get(name)):
        if value is not None and fits(value):
            return value
    return default


def _show(name: str, value: Any, make: Callable[[str], Any]) -> Any:
    key = _key(name)
    # A run that is interrupted may have set a widget that the browser never saw; so until a run has
    # come to its end with the widget in it, the browser is told its value again.
    if st.session_state.get(key) != value or key not in st.session_state[_SETTLED]:
        st.session_state[key] = value
    st.session_state[_DRAWN].add(key)
    return make(key)


def _remember(name: str, value: Any) -> Any:
    st.session_state[_CHOSEN][name] = value
    st.session_state[_SHOWN][name] = str(value)
    return value


def _key(name: str) -> str:
    return f"choice.{name}"
