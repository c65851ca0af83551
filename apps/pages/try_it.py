"""Try it: the learner's own digit, drawn, uploaded or photographed, and those that the network gets wrong."""

import cached
import chrome
import header
import question_widget
import snippets
import state
import streamlit as st
import trying
from chosen_digit import choose_test_digit, test_digits
from plain import plain

from cnnviz import figures
from cnnviz.layers.layer import quoted
from cnnviz.network.mistakes import SURE, likeliest, surest
from cnnviz.numbers import percent, probability
from cnnviz.teaching.questions.try_it import how_sure_it_was

here = header.current()
mistakes = cached.hard_cases(here.model)
chrome.definition(
    "The network was trained on digits that had all been prepared alike: fitted into 20 × 20 pixels and "
    "centred in 28 × 28. Yours is prepared likewise, and its strokes are made as thick as theirs where they "
    "are not; then it is the digit of all pages. What the network says of your handwriting is a "
    "harder test than the one it has passed.",
    heard="A probability of 99 % means that the answer is right.",
    instead="It is the largest of ten numbers that softmax makes sum to 1. The network gives such numbers "
    f"to anything, a scribble too. Its surest mistake among the test digits has {percent(surest(mistakes))}.",
)
ways = {"Draw": lambda: trying.pad(here.model), "Upload": trying.upload, "Photograph": trying.camera}
chrome.section("A digit of your own")
way = state.option("by", list(ways), "Draw", st.segmented_control, "How", label_visibility="collapsed")
ways[way]()
refused = trying.say_why_not()
steps, drawn = trying.steps_of(here.digit)
if steps is not None:
    chrome.section("What was done to it" if here.digit.own else "What was done to the test digits")
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
    if not drawn and not refused:
        trying.mend(steps)
chrome.section("What the network says of it")
(best, most), (second, next_to) = likeliest(here.run.output)
sure = (
    f"That is below {percent(SURE, 0)}: count it as **unsure**. {second} is next, with "
    f"{probability(next_to)}."
    if most < SURE
    else "It is sure of it, which is not the same as being right."
)
st.markdown(f"{plain(here.model)} says **{best}** with {probability(most)}. {sure}")
chrome.show("probabilities", values=here.run.output, label=here.label, limit=640)
chrome.section("Hard cases")
images, _ = test_digits()
wrong = f"{here.model} gets {len(mistakes):,} of the {len(images):,} test digits wrong."
st.markdown(plain(f"{wrong} Pick one to follow it through every page."))
indices = [mistake.index for mistake in mistakes]
chrome.pick(
    "hard_cases",
    "Under each digit: what its label says, and the two classes with the largest probabilities.",
    [figures.case_in_words(mistake) for mistake in mistakes],
    indices.index(here.digit.index) if not here.digit.own and here.digit.index in indices else None,
    lambda number: choose_test_digit(indices[number]),
    found=mistakes,
    images={index: images[index] for index in indices},
)
question_widget.ask(*trying.questions_about(here.digit), how_sure_it_was(mistakes, len(images)))
snippets.show(
    f"""
    import cnnviz
    from cnnviz.images.digit_preparation import prepare_digit
    from cnnviz.images.image_files import read_image
    from cnnviz.network.mistakes import likeliest

    # An image file instead: prepare_digit(read_image("seven.jpg"))
    image = {here.digit.code}
    run = cnnviz.load_model({quoted(here.model)}).run(image)
    print(likeliest(run.output, top=3))
    """
)
