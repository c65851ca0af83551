"""Try it: the learner's own digit, what is no digit at all, and those that the network gets wrong."""

import cached
import chrome
import header
import lesson
import question_widget
import snippets
import state
import streamlit as st
import trying
from chosen_digit import choose_test_digit, test_digits
from plain import plain

from cnnviz import figures
from cnnviz.images.no_digits import no_digits
from cnnviz.layers.layer import quoted
from cnnviz.network.mistakes import SURE, likeliest, surest
from cnnviz.numbers import percent, probability, with_article
from cnnviz.teaching.questions.try_it import how_sure_it_was

SHOWN = 200  # Mistakes to be picked: a network that has learned little makes thousands.


def draw() -> None:
    trying.pad(here.which, here.digit)


def bring(ask) -> None:
    """Ask for a picture, and say what the network makes of the digit."""
    left, right = chrome.columns(1, 1)
    with left:
        ask()
    with right:
        (best, most), (second, next_to) = likeliest(here.run.output)
        sure = (
            f"That is below {percent(SURE, 0)}: count it as **unsure**. {second} is next, with "
            f"{probability(next_to)}."
            if most < SURE
            else "It is sure of it, which is not the same as being right."
        )
        st.markdown(
            f"Of {here.digit.name} {plain(here.model)} says **{best}** with {probability(most)}. {sure}"
        )
        chrome.show("probabilities", share=0.5, values=here.run.output, label=here.label)


def preparation() -> None:
    """What was done to the digit before the network saw it."""
    st.markdown(
        "The network was trained on digits that had all been prepared alike: fitted into 20 × 20 pixels and "
        "centred in 28 × 28. Yours is prepared likewise, and its strokes are made as thick as theirs where "
        "they are not; then it is the digit of all pages."
    )
    if steps is None:
        st.markdown(f"{here.digit.name.capitalize()} holds no ink: there was nothing to prepare.")
        return
    origin = (
        " The address keeps the 28 × 28 pixels only; what they were made from is gone."
        if here.digit.own
        else ""
    )
    told = (
        f"{here.digit.name.capitalize()} was prepared already, and is taken as it is.{origin}"
        if steps.as_it_was
        else "Its pixels are ink already."
        if drawn
        else "The sheet is told from what lies round it, and its ruling is left out. Of dark and light, "
        "that is its ink whose outline follows more of the edges in the picture."
    )
    chrome.show(
        "preparation_steps",
        f"{told} The dashed box is the ink's, the ring its centre of mass, which all MNIST digits have in "
        "the middle.",
        steps=steps,
        drawn=drawn,
    )


def hard_cases() -> None:
    """The test digits that the network gets wrong, to be picked."""
    images, _ = test_digits()
    wrong = f"{here.model} gets {len(mistakes):,} of the {len(images):,} test digits wrong."
    few = f" These are the first {SHOWN}." if len(mistakes) > SHOWN else ""
    st.markdown(plain(f"{wrong}{few} Pick one to follow it through every page."))
    shown = mistakes[:SHOWN]
    indices = [mistake.index for mistake in shown]
    chrome.pick(
        "hard_cases",
        "Under each digit: what its label says, and the two classes with the largest probabilities.",
        [figures.case_in_words(mistake) for mistake in shown],
        indices.index(here.digit.index) if not here.digit.own and here.digit.index in indices else None,
        lambda number: choose_test_digit(indices[number]),
        found=shown,
        images={index: images[index] for index in indices},
    )


here = header.current()
mistakes = cached.hard_cases(here.model)
ways = {"Draw": draw, "Upload": lambda: bring(trying.upload), "Photograph": lambda: bring(trying.camera)}
choice, idea = chrome.columns(2, 5)
with choice:
    way = state.option("by", list(ways), "Draw", st.segmented_control, "How", label_visibility="collapsed")
idea.markdown(
    "Write a digit of your own: the network answers while you draw. It must divide 100 % among ten answers, "
    "so it has one for anything, a blank sheet too."
)
ways[way]()
refused = trying.say_why_not()
steps, drawn = trying.steps_of(here.digit)
if steps is not None and not drawn and not refused:
    trying.mend(steps)
to_ask = trying.questions_about(here.digit)
if mistakes:
    to_ask.append(how_sure_it_was(mistakes, len(test_digits()[0])))
question_widget.ask(*to_ask)
lesson.walk_closer("try_it", "The whole network on it, step by step: moved, wiped, a few pixels changed")
lesson.closer(
    "prepared", "What was done to it" if here.digit.own else "What was done to the test digits", preparation
)
if mistakes:
    lesson.closer("hard", "Hard cases: what it gets wrong", hard_cases)
snippets.show(
    f"""
    import cnnviz
    from cnnviz.images.digit_preparation import prepare_digit
    from cnnviz.images.image_files import read_image
    from cnnviz.images.no_digits import no_digits
    from cnnviz.network.mistakes import likeliest

    # An image file instead: prepare_digit(read_image("seven.jpg"))
    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    print(likeliest(net.run(image).output, top=3))
    for name, image in no_digits().items():
        print(name, likeliest(net.run(image).output))
    """
)
own = "As it was saved, its" if here.changes else "Its"
asked = [(name, likeliest(here.network.run(image).output)[0]) for name, image in no_digits().items()]
chrome.half_truth(
    "A probability of 99 % means that the answer is right.",
    "It is the largest of ten numbers that softmax makes sum to 1, whatever there is to see. "
    "This network calls "
    + ", ".join(f"{name} {with_article(best)} with {probability(most)}" for name, (best, most) in asked)
    + "."
    + (f" {own} surest mistake among the test digits has {percent(surest(mistakes))}." if mistakes else ""),
)
