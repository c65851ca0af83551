"""A network of the user's own beside a bundled one: what both say of the test digits, and their kernels."""

from __future__ import annotations

from functools import partial
from typing import Any

import cached
import chrome
import header
import lesson
import numpy as np
import state
import streamlit as st
from chosen_digit import choose_test_digit, test_digits
from plain import plain
from sample import check_digits

from cnnviz.colours import Scale
from cnnviz.network.evaluation import standard_error
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.network.paired_answers import PairedAnswers, answers_of
from cnnviz.numbers import counted, minus, percent
from cnnviz.teaching.lesson_needs import reads_digits
from cnnviz.training.epoch_predictions import read_predictions

# Digits that are drawn of those which one of both has right.
DRAWN = 6


def show(here: header.Current) -> None:
    """The part of a page; there is none for a network that does not read digits."""
    own = here.opened
    if own is not None and can_stand(own):
        lesson.closer("beside", "Beside a bundled network", partial(_draw, own), asks=("other",))


def can_stand(own: OpenedNetwork) -> bool:
    """Whether its answers to the test digits are answers."""
    return own.reads_digits and reads_digits(own.network)


def _draw(own: OpenedNetwork) -> None:
    models = cached.available_models()
    alike = [name for name in models if _layers(cached.saved(name)) == _layers(own.network)]
    with chrome.controls("beside"):
        other = state.option(
            "other", models, (alike or models)[0], st.segmented_control, "The bundled network"
        )
    try:
        answers = paired(own, other)
    except (ValueError, MemoryError) as error:
        st.error(plain(f"The test digits were not read: {error or 'it takes too much memory'}."))
        return
    names = own.name, other
    chrome.facts(
        *(
            (f"right, {name}", f"{percent(share)} ± {100 * standard_error(share, answers.images):.2f}")
            for name, share in zip(names, answers.accuracies, strict=True)
        ),
        (
            "difference, in percentage points",
            minus(f"{100 * answers.difference:+.2f} ± {100 * answers.error:.2f}"),
        ),
    )
    st.markdown(plain(in_words(answers, *names)))
    _digits(answers, *names)
    _kernels(own.network, cached.saved(other), *names)


def paired(own: OpenedNetwork, other: str) -> PairedAnswers:
    """What both say of all test digits; that of a bundled network was recorded."""
    check_digits(own.network)
    images, labels = test_digits()

    def read(name: str, key: str, net: Any) -> np.ndarray:
        return cached.with_progress(
            ("answers", key),
            f"{name} reads {len(images):,} test digits",
            lambda progress: answers_of(net, images, progress=progress),
        )

    recorded = cached.kept(read_predictions, other)
    theirs = read(other, other, cached.saved(other)) if recorded is None else recorded.predictions[-1]
    # By its path: another network may have its name later.
    return PairedAnswers(labels.astype(int), read(own.name, str(own.path), own.network), theirs.astype(int))


def in_words(answers: PairedAnswers, one: str, other: str) -> str:
    """How often they differ, and whether the difference is more than chance."""
    neither = len(answers.apart) - len(answers.only_one) - len(answers.only_other)
    wrong = f", and {neither:,} both have wrong, in different ways" if neither else ""
    certain = abs(answers.difference) > 2 * answers.error
    better = one if answers.difference > 0 else other
    verdict = (
        f"That {better} reads digits better is more than chance would do."
        if certain
        else "A difference below two standard errors does not say which one reads digits better."
    )
    return (
        f"Of {answers.images:,} test digits they say different things of {len(answers.apart):,}: "
        f"{len(answers.only_one):,} only {one} has right, {len(answers.only_other):,} only {other}{wrong}. "
        f"{verdict}"
    )


def _digits(answers: PairedAnswers, one: str, other: str) -> None:
    found = [*answers.only_one[:DRAWN].tolist(), *answers.only_other[:DRAWN].tolist()]
    if not found:
        return
    images, _ = test_digits()
    chrome.show(
        "flipped_digits",
        f"Test digits by their numbers: what {other} says → what {one} says. First "
        f"{counted(min(DRAWN, len(answers.only_one)), 'digit')} that only {one} has right, then "
        f"{min(DRAWN, len(answers.only_other))} that only {other} has.",
        images=images[found],
        labels=answers.labels[found].tolist(),
        before=answers.other[found].tolist(),
        after=answers.one[found].tolist(),
        names=[f"{index:,}" for index in found],
        limit=640,
    )
    st.pills(
        "Take one of them as the digit of all pages",
        found,
        key="beside.chosen",
        format_func=lambda index: f"{index:,}",
        on_change=_take,
    )


def _take() -> None:
    chosen = st.session_state["beside.chosen"]
    if chosen is not None:
        st.session_state["beside.chosen"] = None
        choose_test_digit(chosen)


def _kernels(own: Any, other: Any, *names: str) -> None:
    """The first kernels of both, side by side on one scale."""
    kernels = [_first_kernels(net) for net in (own, other)]
    if any(each is None for each in kernels):
        return
    scale = Scale.of(*kernels, signed=True)
    for place, name, each in zip(chrome.columns(1, 1), names, kernels, strict=True):
        with place:
            chrome.show(
                "kernel_tiles",
                f"The first kernels of {name}; both networks' are on one scale.",
                share=0.5,
                kernels=each,
                scale=scale,
                values=False,
            )


def _first_kernels(net: Any) -> np.ndarray | None:
    layer = next((layer for layer in net if layer.is_convolution), None)
    kernel = None if layer is None else layer.weights.get("kernel")
    return None if kernel is None or kernel.ndim != 4 else np.asarray(kernel)[:, :, 0]


def _layers(net: Any) -> list[str]:
    return [layer.name for layer in net]
