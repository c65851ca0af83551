"""Digits that the learner brings: drawn on a pad, in a file, photographed.

Each is prepared as MNIST was and becomes the digit of all pages. What it was made from stays in the
session; the address carries the 28 x 28 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cached
import numpy as np
import state
import streamlit as st
import turns
from chosen_digit import Digit, choose_image, choose_own
from components import component
from plain import plain
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz.images.digit_preparation import Crop, Ink, Preparation, prepare_in_steps
from cnnviz.images.digit_text import digit_to_text
from cnnviz.images.image_files import FORMATS, read_image
from cnnviz.images.ink import LARGEST
from cnnviz.images.no_digits import no_digits
from cnnviz.stage.bundle import style
from cnnviz.stage.component import raster_of
from cnnviz.teaching.questions import Question
from cnnviz.teaching.questions.try_it import what_makes_no_difference

_PAD = component("trying", base_css=style())
_BROUGHT, _REFUSED, _REFUSED_PART, _FILES = "brought", "refused", "refused part", "files"
"""The last digit that was brought: its text, its steps, its picture. What was not taken: why, its picture.
Likewise for a part of the last picture. How many files there were. A drawing has no picture."""


def pad(which: cached.Which, digit: Digit) -> None:
    """A pad; what is drawn is taken as soon as the pen rests, and what is no digit when it is picked."""

    def drawn() -> None:
        drawing = st.session_state["pad"].drawing
        if isinstance(drawing, Mapping) and drawing.get("cleared") is True:
            _forget_drawing()
        elif drawing:
            _take(lambda: raster_of(drawing), "The drawing", ink="drawn")

    def picked() -> None:
        name = st.session_state["pad"].picked
        if isinstance(name, str) and name in no_digits():
            choose_image(no_digits()[name])

    _PAD(key="pad", data=cached.pad(which, digit), on_drawing_change=drawn, on_picked_change=picked)


def _forget_drawing() -> None:
    """Go back to the test digit, if what was drawn here is the digit of all pages."""
    text, _, picture = st.session_state.get(_BROUGHT, ("", None, None))
    if text and picture is None and state.wanted("own") == text:
        choose_own("")


def upload() -> None:
    """A file."""
    st.file_uploader(
        "A picture of one digit: PNG, JPEG, WebP or GIF (its first frame), up to 10 MB and 25 megapixels",
        type=[*(name.lower() for name in FORMATS), "jpg"],
        key="upload",
        on_change=lambda: _take_file("upload", "The file"),
    )


def camera() -> None:
    """A photograph; the camera is asked for when somebody wants it, never by a link."""
    if st.toggle("Use the camera", key="camera wanted"):
        st.camera_input(
            "Hold one digit, written large, into the picture",
            key="camera",
            on_change=lambda: _take_file("camera", "The photograph"),
            width=480,
        )
    else:
        st.markdown("The picture is read here and forgotten when you leave.")


def steps_of(digit: Digit) -> tuple[Preparation | None, bool]:
    """How a digit was prepared, None if it holds no ink; and whether that began with ink, not a picture.

    It begins with what was drawn or handed in if the session still has it, else with the digit itself.
    """
    text, steps, picture = st.session_state.get(_BROUGHT, ("", None, None))
    return (steps, picture is None) if text and text == digit.own else (cached.preparation(digit), True)


def mend(steps: Preparation | None, picture: np.ndarray | None = None) -> None:
    """Where something else was taken for ink than was meant: the other tone, or a part of the picture.

    `steps` is how the picture was prepared; a `picture` that was not taken has none.
    """
    if picture is None:
        picture = st.session_state[_BROUGHT][2]
    # The browser keeps what was chosen under a key: each file has its own.
    ink, rows, columns = (f"{name} {st.session_state.get(_FILES, 0)}" for name in ("ink", "rows", "columns"))
    # What is wrong with a part is said where it was chosen.
    where = _REFUSED_PART if steps else _REFUSED

    def again() -> None:
        chosen = st.session_state
        (top, bottom), (left, right) = ([share / 100 for share in chosen[key]] for key in (rows, columns))
        if top == bottom or left == right:
            chosen[where] = "That part was not taken: nothing lies between its two ends.", picture
        else:
            crop = (top, bottom), (left, right)
            _take(lambda: picture, "That part", where, ink=chosen[ink], crop=crop)

    refused, _ = st.session_state.pop(_REFUSED_PART, ("", None))
    title = "Was the wrong thing taken for ink?" if steps else "Show where the digit is"
    with st.expander(title, expanded=steps is None or bool(refused)), st.form("mend"):
        if refused:
            st.error(refused)
        inks = ["dark", "light"]
        st.radio(
            "Its ink, against its paper, is",
            inks,
            inks.index("dark" if steps is None or steps.inverted else "light"),
            key=ink,
            horizontal=True,
        )
        st.slider("Rows to look at, from the top, in %", 0, 100, (0, 100), key=rows)
        st.slider("Columns to look at, from the left, in %", 0, 100, (0, 100), key=columns)
        st.form_submit_button("Prepare it again", on_click=again)


def questions_about(digit: Digit) -> list[Question]:
    """What can be asked of its preparation: nothing, if it holds no ink."""
    try:
        return [what_makes_no_difference(digit.image)]
    except ValueError:
        return []


def _take_file(key: str, what: str) -> None:
    file = st.session_state[key]
    # What the server does not hold, an upload that is gone or was never made, is no UploadedFile.
    if isinstance(file, UploadedFile):
        st.session_state[_FILES] = st.session_state.get(_FILES, 0) + 1
        _take(lambda: read_image(file, side=LARGEST), what)


def _take(
    read: Callable[[], np.ndarray],
    what: str,
    where: str = _REFUSED,
    *,
    ink: Ink = "auto",
    crop: Crop | None = None,
) -> None:
    """Make what was brought the digit of all pages, or remember why it cannot be."""
    picture = None
    try:
        picture = read()
        # Callbacks run before a page has its turn.
        with turns.taken():
            steps = prepare_in_steps(picture, ink=ink, crop=crop)
    except ValueError as error:
        to_mend = None if ink == "drawn" else picture
        st.session_state[where] = f"{what} was not taken: {error}.", to_mend
        return
    st.session_state[_BROUGHT] = digit_to_text(steps.digit), steps, None if ink == "drawn" else picture
    choose_image(steps.digit)


def say_why_not() -> bool:
    """Why what was brought last was not taken; whether another part or ink of it can be chosen here."""
    refused, picture = st.session_state.pop(_REFUSED, ("", None))
    if refused:
        st.error(plain(refused))
    if picture is not None:
        mend(None, picture)
    return picture is not None
