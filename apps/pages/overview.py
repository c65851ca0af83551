"""Overview: every layer's maps of the chosen digit, from the image to the prediction."""

import cached
import chrome
import header
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import choose_shown

from cnnviz import figures
from cnnviz.layers.layer import quoted
from cnnviz.teaching.questions import overview as questions
from cnnviz.teaching.walks import WALKS

here = header.current()
here.live_view(choose=choose_shown, change=header.change, walks=list(WALKS.values()))
chrome.title(
    "Overview",
    "A convolutional network turns an image into a decision in small steps, and every step is above: "
    "a column for each layer, a tile for each of its channels, and ten probabilities at the end. "
    "Every number was computed just now, by cnnviz's own NumPy engine, from the trained weights.",
    heard="A neural network is a black box.",
    instead="Nothing in it is hidden: every number was computed from others, and you can follow it down to "
    f"the pixels. What is hard is to say in words what {here.network.count_params()[0]:,} parameters do "
    "together.",
)
st.markdown(
    f"1. **Start at the prediction**: click the longest bar, the {here.predicted}. Its receipt opens beside "
    "or below the picture: the numbers it was made of, the largest first.\n"
    "2. **Walk down**: click one of these numbers to see what that one was made of, one layer earlier, until "
    "you stand on the pixels. Click a layer’s name to see it large. Escape goes one step back.\n"
    "3. **Change it**: paint on the digit, move it, draw one of your own, turn a weight, switch a channel "
    "off: everything behind it follows while you do."
)
chrome.section("All layers in one picture", "The same maps as a figure, to be saved and shown.")
shared = state.toggle("shared", False, "One colour scale for the whole network")
chrome.show(
    "network_maps",
    "Blue is positive and orange negative, the fainter the nearer to zero; each row's scale is at its end. "
    "“Sees” is the receptive field: how many pixels of the image one cell depends on.",
    layers=cached.kept(figures.layers_of, here.run),
    shared=shared,
)
question_widget.ask(
    questions.products_of_the_score(here.run),
    questions.numbers_for_one_digit(here.network, cached.kept(figures.layers_of, here.run)),
)
snippets.show(
    f"""
    import cnnviz

    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    run = net.run(image)
    for name, values in run.items():
        print(name, values.shape, values.min(), values.max())
    print(run.output.argmax())
    """
)
