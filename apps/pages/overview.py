"""Overview: the whole network on the chosen digit, from the image to the prediction."""

import beside_bundled
import cached
import chrome
import evaluating
import lesson
import question_widget
import snippets
import state

from cnnviz import figures
from cnnviz.layers.layer import quoted
from cnnviz.network.class_scores import gives_scores
from cnnviz.teaching.questions import overview as questions

# A picture of more is too tall to be looked at.
MOST_MAPS = 1000


def show_all_layers() -> None:
    """The maps as a figure, to be saved and shown."""
    shared = state.toggle("shared", False, "One colour scale for the whole network")
    chrome.show(
        "network_maps",
        "Blue is positive and orange negative, the fainter the nearer to zero; each row's scale is at its "
        "end. “Sees” is the receptive field: how many pixels of the image one cell depends on.",
        layers=cached.kept(figures.layers_of, here.run),
        shared=shared,
    )


# The whole network comes first; its walk begins with the image alone.
here = lesson.begin("overview", opens=False)
asked = []
if gives_scores(here.network):
    asked.append(questions.products_of_the_score(here.run))
if here.shows_a_digit:
    layers = cached.kept(figures.layers_of, here.run)
    asked.append(questions.numbers_for_one_digit(here.network, layers))
question_widget.ask(*asked)
evaluating.show(here)
beside_bundled.show(here)
if sum(layer.output_shape[-1] for layer in here.network if len(layer.output_shape) == 3) <= MOST_MAPS:
    lesson.closer("layers", "All layers in one picture", show_all_layers, asks=("shared",))
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
chrome.half_truth(
    "A neural network is a black box.",
    "Nothing in it is hidden: every number was computed from others, and you can follow it down to "
    "the pixels. What is hard is to say in words what "
    f"{here.network.count_params()[0]:,} parameters do together.",
)
