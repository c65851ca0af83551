"""The header that all pages share: the digit, what the network makes of it, which network; the sidebar."""

from __future__ import annotations

import base64
import html
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cached
import chrome
import kept_answers
import navigation
import state
import streamlit as st
from chosen_digit import Digit, choose_own, choose_test_digit, is_own, test_digits
from components import component
from plain import plain
from surroundings import surroundings

from cnnviz.colours import ink_png
from cnnviz.network.mistakes import next_mistake
from cnnviz.numbers import counted, probability
from cnnviz.stage.component import live_view
from cnnviz.stage.stage_state import entry_of
from cnnviz.teaching.lessons import LESSONS
from cnnviz.teaching.opening_digits import OPENING_RULES, opening_digit

_COPY_LINK = component("copy_link")


@dataclass(frozen=True)
class Current:
    """The model and the digit that the header shows, and the run that a page draws.

    `network` and `run` have the weights that the learner changed; `model` names the saved one.
    """

    model: str
    digit: Digit
    changes: str = ""

    @property
    def which(self) -> cached.Which:
        """What is computed with: the model, or the one with changed weights."""
        return cached.Changed(self.model, self.changes) if self.changes else self.model

    @property
    def network(self) -> Any:
        return cached.network(self.which)

    @property
    def run(self) -> Any:
        return cached.run(self.which, self.digit)

    @property
    def label(self) -> int | None:
        """What the digit is, if that is known."""
        return self.digit.label

    @property
    def predicted(self) -> int:
        """What the network takes it for."""
        return int(self.run.output[0].argmax())

    def live_view(self, **arguments: Any) -> None:
        """The live view of the network on the digit: it opens with the changed weights."""
        live_view(
            cached.saved(self.model),
            self.digit.image,
            title=self.digit.name.capitalize(),
            label=self.label,
            item=self.digit.own or str(self.digit.index),
            code=self.digit.code,
            changes=self.changes,
            **arguments,
        )


def within_app() -> None:
    """See to it that the page has the app around it, for one that draws nothing of `current`."""
    # Streamlit takes a folder named pages for an app of its older kind, and a new server may run a page
    # without the app around it, until st.navigation has been called once.
    if "current" not in st.session_state:
        st.navigation(navigation.parts(), position="hidden")
        st.rerun()


def chosen() -> Current:
    """What the header shows, with the learner's weights."""
    here: Current = st.session_state["current"]
    return here


def current(*, saved: bool = False) -> Current:
    """What the header shows, for a page to draw; `saved` for one that is about training or sets of images."""
    within_app()
    here = chosen()
    if here.changes:
        with (
            st.session_state["changed line"],
            chrome.row("changed", gap="small", vertical_alignment="center"),
        ):
            st.markdown(_changed_words(here, saved), width="content")
            st.button("Take all back", on_click=_take_back, help="The code on each page loads the saved ones")
    return replace(here, changes="") if saved else here


def change(changes: str) -> None:
    """Take over changed weights, in the words of a link."""
    state.put("changes", changes)


def _take_back() -> None:
    change("")


def _changed_words(here: Current, saved: bool) -> str:
    """What is changed, and what that is for on this page, in one line."""
    changes = entry_of("changes", here.changes)
    count = len({(each["array"], place) for each in changes for place in each["at"]})
    layers = {each["array"].rpartition("/")[0]: None for each in changes}
    changed = f"{counted(count, 'weight')} {'is' if count == 1 else 'are'} changed"
    what = f"**{changed}** in {plain(', '.join(layers))}. "
    if saved:
        return what + "This page keeps the saved network: it is about training or many images."
    return what + "This page computes with that, but for what is measured over many images."


def show() -> None:
    """The digit, how to pick another, what the network makes of it, and which network."""
    st.session_state["pictures"] = 0
    count = len(test_digits()[0])
    own = state.text("own", "", is_own)
    kept_answers.take_up_hiding()
    with chrome.row("header"):
        card = st.empty()
        card.html('<div class="card"></div>')  # It keeps its place until it is known what stands on it.
        picker = chrome.row("picker", gap="small", width="content")
        models = cached.available_models()
        with chrome.row("network", gap="small", width="content"):
            model = state.option("model", models, models[0], st.segmented_control, "Network", width="content")
            _COPY_LINK(key="copy_link", data={"without": _not_in_a_link()}, width="content")
        with picker:
            index = _test_digit(model, count, own)
            if own:
                st.button("Back to the test digit", on_click=choose_own, args=("",))
            else:
                st.button("Random", on_click=_go_to, args=(count,), help="Any of the 10,000 test digits")
                mistake = st.empty()

    def fits(changes: str) -> bool:
        try:
            return not changes or bool(cached.changed(cached.Changed(model, changes)))
        except (ValueError, KeyError):
            return False

    changes = state.text("changes", "", fits)
    st.session_state["changed line"] = st.container()
    if not own:
        mistake.button(
            "Next mistake",
            on_click=_go_to_mistake,
            args=(model, index),
            help="The next test digit that this network gets wrong",
        )
    here = Current(model, Digit(index, own), changes)
    st.session_state["current"] = here
    card.html(_card(here))


def _test_digit(model: str, count: int, own: str) -> int:
    """Which test digit: the chosen one, or the one that the lesson opens on, with the rule beside it."""
    lesson = LESSONS.get(st.session_state["lesson"])
    rule = lesson.opens_on if lesson else ""
    default = cached.kept(opening_digit, rule, cached.saved(model))
    index = state.integer(
        "digit", 0, count - 1, default, "Test digit", stays=True, on_change=choose_own, args=("",)
    )
    if rule and not own and not state.is_chosen("digit"):
        st.html(f'<p class="rule">{html.escape(OPENING_RULES[rule].words)}</p>')
    return index


def point_to_mnist_14k(lack: str, label: str) -> None:
    """Say what the network lacks, and offer the one that has it."""
    st.info(plain(lack))
    st.button(
        label,
        on_click=state.put,
        args=("model", "mnist_14k"),
        disabled="mnist_14k" not in cached.available_models(),
    )


def notices(place: Any) -> None:
    """Say under the header what had to be replaced in the address."""
    with place.container():
        for sentence in state.notices():
            st.warning(plain(sentence))


def _not_in_a_link() -> str:
    """What was done in this session that no address holds, in words."""
    answered, picture = bool(kept_answers.record().answers), bool(st.session_state.get("kernels.file"))
    left = ["your answers"] * answered + ["your picture"] * picture
    return " and ".join(left)


def _go_to(count: int) -> None:
    choose_test_digit(random.randrange(count))


def _go_to_mistake(model: str, index: int) -> None:
    mistake = next_mistake(cached.hard_cases(model), index)
    if mistake is not None:
        choose_test_digit(mistake)


def _card(here: Current) -> str:
    """The digit as a picture, its label, the prediction."""
    drawing = base64.b64encode(ink_png(here.digit.image, surroundings()["theme"])).decode()
    chance = html.escape(probability(here.run.output[0][here.predicted]))
    name = f"{html.escape(here.model)}{', changed,' if here.changes else ''}"
    says = f"{name} says<br><b>{here.predicted}</b> with {chance}"
    if here.label is None:
        words, alt = f"<p>This is<br><b>{here.digit.name}</b></p><p>{says}</p>", here.digit.name.capitalize()
    else:
        right = here.predicted == here.label
        verdict, mark = ("right", "✓") if right else ("wrong", "✗")
        alt = f"{here.digit.name.capitalize()}, a {here.label}"
        words = f"""<p>The label says<br><b>{here.label}</b></p>
      <p class="{verdict}">{says}
        <span class="mark" role="img" aria-label="{verdict}">{mark}</span></p>"""
    return f"""
    <div class="card">
      <img src="data:image/png;base64,{drawing}" width="64" height="64" alt="{alt}">
      {words}
    </div>"""


def sidebar(parts: Mapping[str, Sequence[Any]]) -> None:
    """The pages, in parts, those that are done ticked; their links keep the digit and the network."""
    done = kept_answers.record().done
    with st.sidebar:
        for part, pages in parts.items():
            st.caption(part)
            for page in pages:
                tick = " ✓" if navigation.name_of(page) in done else ""
                st.page_link(page, label=page.title + tick, query_params=navigation.carried())
        if done:
            st.caption("✓ all its questions answered")
