"""The header that all pages share: the digit, what the network makes of it, which network; the sidebar."""

from __future__ import annotations

import base64
import html
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cached
import chrome
import kept_answers
import navigation
import numpy as np
import opened
import opening
import state
import streamlit as st
from chosen_digit import Digit, choose_own, choose_test_digit, is_own, test_digits
from components import component
from plain import plain
from sample import MOST_MADE, MOST_OPENED, Sample, most_digits
from surroundings import surroundings

from cnnviz.colours import ink_png, png
from cnnviz.network.colour_planes import picture_of
from cnnviz.network.mistakes import next_mistake
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.numbers import counted, probability, with_article
from cnnviz.stage.component import live_view
from cnnviz.stage.stage_state import entry_of
from cnnviz.teaching.lesson_needs import is_finite, lack_of, passes, reads_digits
from cnnviz.teaching.lessons import LESSONS
from cnnviz.teaching.opening_digits import OPENING_RULES, opening_digit

_COPY_LINK = component("copy_link")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Current:
    """The model and the digit that the header shows, and the run that a page draws.

    `network` and `run` have the weights that the learner changed; `model` names the saved one.
    """

    model: str
    digit: Digit
    changes: str = ""

    @property
    def opened(self) -> OpenedNetwork | None:
        """The user's own network, if that is the one."""
        return opened.named(self.model)

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

    @property
    def shows_a_digit(self) -> bool:
        """Whether it is a digit that the header shows, and not a picture of the user's own."""
        return not isinstance(self.digit, opened.OpenedPicture)

    @property
    def measures_digits(self) -> bool:
        """Whether it can be measured over MNIST's digits and their labels."""
        own = self.opened
        if own is None:
            return True
        reads = own.shows_digits and own.reads_digits and reads_digits(own.network)
        return reads and most_digits(own.network) >= len(test_digits()[0])

    @property
    def classes(self) -> list[str] | None:
        """The names of its last output's classes, where somebody gave them."""
        own = self.opened
        return None if own is None else own.classes.get(own.network.outputs[-1])

    def called(self, number: int) -> str:
        """What a class is called: by its name, or else its number."""
        return self.classes[number] if self.classes else str(number)

    def sample(self, most: int) -> Sample:
        """What it is measured over where labels do not matter: at most so many of what it is shown."""
        own = self.opened
        if own is None:
            return Sample(most)
        if own.shows_digits:
            return Sample(max(1, min(most, most_digits(own.network))))
        most = min(most, MOST_MADE if own.examples is own.made else min(MOST_OPENED, len(own.examples)))
        return Sample(passes(own.network, most), self.model, id(own.examples))

    @property
    def grey(self) -> Any:
        """The image in one plane (H, W): a digit's pixels, of a picture the mean of its colours, 0 to 1."""
        if self.shows_a_digit:
            return self.digit.image
        picture = picture_of(self.run)
        return self.run.input[0].mean(axis=2) if picture is None else _flat(picture.of(self.run.input[0]))

    @property
    def grey_code(self) -> str:
        """The same in Python, of `image`."""
        return "image" if self.shows_a_digit else "np.asarray(image).mean(axis=2)"

    @property
    def shown(self) -> str:
        """What the image is, in a word."""
        return "digit" if self.shows_a_digit else "picture"

    def live_view(self, **arguments: Any) -> None:
        """The live view of the network on the digit: it opens with the changed weights."""
        if not self.shows_a_digit:
            arguments["choose"] = None  # What the pad makes is a digit.
        live_view(
            cached.saved(self.model),
            self.digit.image,
            title=self.digit.title,
            label=self.label,
            item=self.digit.own or str(self.digit.index),
            code=self.digit.exact_code,
            changes=self.changes,
            classes=self.classes,
            noted=kept_answers.hidden(),
            answered=kept_answers.note_of_walk,
            **arguments,
        )


def _flat(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 2 else picture.mean(axis=2)


def within_app() -> None:
    """See to it that the page has the app around it, for one that draws nothing of `current`."""
    # Streamlit takes a folder named pages for an app of its older kind, and a new server may run a page
    # without the app around it, until st.navigation has been called once.
    if "current" not in st.session_state:
        st.navigation(navigation.parts(), position="hidden")
        st.rerun()


def chosen() -> Current:
    """What the header shows, with the learner's weights, or what stands in for it on the whole page."""
    within_app()
    here: Current = st.session_state["current"]
    return Current(*st.session_state["instead"]) if st.session_state["instead"] else here


def current(*, saved: bool = False, what: str = "This page shows") -> Current:
    """What the header shows, for a page to draw; `saved` for one that is about training or sets of images.

    Where the network that is open lacks what the page's lesson needs, it is mnist_14k, which is said.
    """
    here = chosen()
    here = instead_of(here, lack(here), what)
    if here.changes and not is_finite(here.run):
        st.info(
            "What follows is computed with the saved weights: with the changed ones some numbers are none, "
            "or are too large to be added up."
        )
        here = replace(here, changes="")
    if here.changes:
        with (
            st.session_state["changed line"],
            chrome.row("changed", gap="small", vertical_alignment="center"),
        ):
            st.markdown(_changed_words(here, saved), width="content")
            st.button("Take all back", on_click=_take_back, help="The code on each page loads the saved ones")
    return replace(here, changes="") if saved else here


def lack(here: Current) -> str:
    """What the page's lesson needs, beside what its walk does, and the user's own network lacks; else ""."""
    lesson = st.session_state["lesson"]
    if here.opened is None:
        return ""
    return lack_of(lesson, here.network, run=here.run, digits=here.measures_digits)


def instead_of(here: Current, lacks: str, what: str = "This page shows") -> Current:
    """The same, or mnist_14k on a test digit where something is lacking, which is said in one line."""
    if not lacks:
        return here
    if st.session_state["instead"]:
        return Current(*st.session_state["instead"])  # It was said above.
    return _mnist_14k(here, f"{what} mnist_14k: {here.model} lacks {lacks}.")


def _mnist_14k(here: Current, why: str) -> Current:
    st.info(plain(why))
    digit = here.digit if here.shows_a_digit else st.session_state["test digit"]
    st.session_state["instead"] = "mnist_14k", digit
    return Current("mnist_14k", digit)


def run_page(page: Any) -> None:
    """Run a page; what it cannot do with a network of the user's own it does once more with mnist_14k.

    Such a network is anybody's: a page that declares too little of what it needs must not end in an error.
    """
    here, lesson = st.session_state["current"], st.session_state["lesson"]
    if (here, lesson) in _given_up():
        why = f"with {here.model} on this picture it ended in an error, which the server's log holds"
        _mnist_14k(here, f"This page shows mnist_14k: {why}.")
    try:
        page.run()
    except Exception:
        if chosen().opened is None:
            raise
        _LOG.exception("the page %s cannot show %s", lesson, here.model)
        _given_up().add((here, lesson))
        st.rerun()


def _given_up() -> set[tuple[Current, str]]:
    """What was shown, and the lessons, where pages ended in an error in this session."""
    return st.session_state.setdefault("given up", set())


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
    """The digit or picture, how to pick another, what the network makes of it, and which network."""
    st.session_state["pictures"], st.session_state["instead"] = 0, ()
    kept_answers.take_up_hiding()
    with chrome.row("header"):
        card = st.empty()
        own = opened.here()
        # It keeps its place until it is known what stands on it.
        card.html(f'<div class="card{"" if own is None else " own"}"></div>')
        picker = chrome.row("picker", gap="small", width="content")
        with chrome.row("network", gap="small", width="content"):
            models = {name: name for name in cached.available_models()}
            models = models if own is None else {opened.OWN: own.name, **models}
            # A network of the user's own may have a long name, and all is to stand in one row.
            kind: Any = st.segmented_control if own is None else st.selectbox
            width = "content" if own is None else 176
            chosen = state.option("model", models, next(iter(models)), kind, "Network", width=width)
            _COPY_LINK(key="copy_link", data={"without": _not_in_a_link()}, width="content")
        model = own.name if own is not None and chosen == opened.OWN else chosen
        with picker:
            pictures = own is not None and model == own.name and not own.shows_digits
            digit = _pick_picture(own) if own is not None and pictures else _pick_digit(model)

    def fits(changes: str) -> bool:
        try:
            return not changes or bool(cached.changed(cached.Changed(model, changes)))
        except (ValueError, KeyError):
            return False

    changes = state.text("changes", "", fits)
    st.session_state["changed line"] = st.container()
    here = Current(model, digit, changes)
    if here.opened is not None:
        try:
            assert here.run
        except (ValueError, MemoryError) as error:
            # Its picture may be none, and its pass too long: all else goes on.
            st.error(plain(f"{model} cannot be run on {digit.name}: {error}. What follows shows mnist_14k."))
            here = Current("mnist_14k", st.session_state["test digit"])
    st.session_state["current"] = here
    card.html(_card(here))
    if here.opened is not None and here.opened.assumes_digits:
        _say_what_is_assumed(here.opened)


def _say_what_is_assumed(own: OpenedNetwork) -> None:
    """That its classes are taken for digits, in one line, and a way to say otherwise."""

    def deny() -> None:
        own.are_digits = False

    with chrome.row("assumed", gap="small", vertical_alignment="center"):
        st.caption(
            plain(f"{own.name}’s ten classes are taken for MNIST’s digits, as nothing says what they are."),
            width="content",
        )
        if opened.may_name_classes():
            st.button("They are others", on_click=deny, help="Their names can be given under Open a network")


def _pick_digit(model: str) -> Digit:
    """The widgets that choose a test digit, and the digit that is chosen."""
    count = len(test_digits()[0])
    drawn = state.text("own", "", is_own)
    index = _test_digit(model, count, drawn)
    if drawn:
        st.button("Back to the test digit", on_click=choose_own, args=("",))
    else:
        st.button("Random", on_click=_go_to, args=(count,), help="Any of the 10,000 test digits")
        if Current(model, Digit(index, drawn)).measures_digits:
            st.button(
                "Next mistake",
                on_click=_go_to_mistake,
                args=(model, index),
                help="The next test digit that this network gets wrong",
            )
    st.session_state["test digit"] = digit = Digit(index, drawn)
    return digit


def _pick_picture(own: OpenedNetwork) -> opened.OpenedPicture:
    """The widgets that choose a picture of the user's own, and the picture that is chosen."""
    # What a lesson shows on mnist_14k is the digit that was chosen there.
    index = state.place("digit", len(test_digits()[0]), _opening_digit("mnist_14k")[1])
    st.session_state["test digit"] = Digit(index, state.text("own", "", is_own))
    count = len(own.examples)
    key = state.text("brought", "", lambda key: not key or key in opened.brought())

    def back(place: int | None = None) -> None:
        state.put("brought", "")
        if place is not None:
            state.put("picture", place)

    place = state.integer("picture", 0, count - 1, 0, "Picture", on_change=back)
    if key:
        st.button("Back to the pictures" if count > 1 else "Back", on_click=back)
    elif count > 1:
        st.button(
            "Random",
            on_click=lambda: back(random.randrange(count)),
            help=f"Any of the {counted(count, 'picture')}",
        )
    return opened.OpenedPicture(place, key, own.name)


def _test_digit(model: str, count: int, own: str) -> int:
    """Which test digit: the chosen one, or the one that the lesson opens on, with the rule beside it."""
    rule, default = _opening_digit(model)
    index = state.integer(
        "digit", 0, count - 1, default, "Test digit", stays=True, on_change=choose_own, args=("",)
    )
    if rule and not own and not state.is_chosen("digit"):
        st.html(f'<p class="rule">{html.escape(OPENING_RULES[rule].words)}</p>')
    return index


def _opening_digit(model: str) -> tuple[str, int]:
    """The rule by which the lesson opens on a digit, and the digit; "" and the first where none fits it."""
    lesson = LESSONS.get(st.session_state["lesson"])
    rule = lesson.opens_on if lesson else ""
    found = cached.kept(opening_digit, rule, cached.saved(model))
    return ("", 0) if found is None else (rule, found)


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
    answered = bool(kept_answers.record().answers)
    picture = bool(st.session_state.get("kernels.picture")) or bool(state.wanted("brought"))
    left = ["your answers"] * answered + ["your picture"] * picture
    return " and ".join(left)


def _go_to(count: int) -> None:
    choose_test_digit(random.randrange(count))


def _go_to_mistake(model: str, index: int) -> None:
    try:
        mistake = next_mistake(cached.hard_cases(model), index)
    except (ValueError, MemoryError) as error:
        opened.refuse(f"The mistakes were not looked for: {error or 'it takes too much memory'}.")
        return
    if mistake is not None:
        choose_test_digit(mistake)


def _card(here: Current) -> str:
    """The digit as a picture, its label, the prediction."""
    if here.opened is not None:
        return _card_of_own(here)
    drawing = base64.b64encode(ink_png(here.digit.image, surroundings()["theme"])).decode()
    value = here.run.output[0][here.predicted]
    chance = html.escape(probability(value)) if np.isfinite(value) else "what is no number"
    name = f"{html.escape(here.model)}{', changed,' if here.changes else ''}"
    says = f"{name} says<br><b>{here.predicted}</b> with {chance}"
    if here.label is None:
        words, alt = f"<p>This is<br><b>{here.digit.name}</b></p><p>{says}</p>", here.digit.name.capitalize()
    else:
        right = here.predicted == here.label
        verdict, mark = ("right", "✓") if right else ("wrong", "✗")
        alt = f"{here.digit.name.capitalize()}, {with_article(here.label)}"
        words = f"""<p>The label says<br><b>{here.label}</b></p>
      <p class="{verdict}">{says}
        <span class="mark" role="img" aria-label="{verdict}">{mark}</span></p>"""
    return f"""
    <div class="card">
      <img src="data:image/png;base64,{drawing}" width="64" height="64" alt="{alt}">
      {words}
    </div>"""


def _card_of_own(here: Current) -> str:
    """The picture, its class if that is known, and the likeliest classes of the user's own network."""
    own, digit = here.opened, here.digit
    assert own is not None
    run = here.run
    answer = html.escape(own.said_of(run))
    name = f"{html.escape(here.model)}{', changed,' if here.changes else ''}"
    if isinstance(digit, opened.OpenedPicture):
        known = None if digit.own else own.label(digit.index)
        drawn = {name: png(_thumbnail(picture)) for name, picture in digit.drawn.items()}
        number, label = (None, None) if known is None else known
    else:
        drawn = {"": ink_png(digit.image, surroundings()["theme"])}
        number = digit.label if own.reads_digits else None
        label = None if number is None else own.class_name(number)
    title = html.escape(digit.name)
    pictures = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(content).decode()}" width="64" height="64" '
        f'alt="{f"{title}, {html.escape(name)}" if len(drawn) > 1 else title}">'
        for name, content in drawn.items()
    )
    if number is None or label is None:
        words = f"<p>This is<br><b>{title}</b></p><p>{name} says<br><b>{answer}</b></p>"
    else:
        verdict, mark = ("right", "✓") if own.is_right(run, number) else ("wrong", "✗")
        words = f"""<p>The label says<br><b>{html.escape(label)}</b></p>
      <p class="{verdict}">{name} says<br><b>{answer}</b>
        <span class="mark" role="img" aria-label="{verdict}">{mark}</span></p>"""
    return f"""
    <div class="card own">
      {pictures}
      {words}
    </div>"""


def _thumbnail(drawn: np.ndarray) -> np.ndarray:
    """A picture from 0 to 1 in bytes, no larger than a card needs."""
    step = max(1, -(-max(drawn.shape[:2]) // 256))
    small = np.asarray(drawn[::step, ::step])
    small = np.repeat(small[:, :, None], 3, axis=2) if small.ndim == 2 else small
    # Numbers that no picture has may stand in it.
    return np.rint(255 * np.nan_to_num(small).clip(0, 1)).astype(np.uint8)


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
        opening.show()
