"""Overview: the whole network on the chosen digit, from the image to the prediction."""

from functools import partial
from typing import Any

import beside_bundled
import cached
import chrome
import evaluating
import lesson
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import test_digits
from plain import plain

from cnnviz import figures
from cnnviz.layers.layer import quoted
from cnnviz.network.class_scores import gives_scores
from cnnviz.numbers import counted, percent
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


def show_networks(models: list[str]) -> None:
    """The networks that come with the pages: what each is made of, and how often it is right."""
    st.markdown(
        f"{plain(' and '.join(models))} come with these pages; *Network*, at the top, says which one they "
        "show. Both learned from MNIST’s training digits. Here are their layers, each with the maps that "
        "come out of it: a bar is as long as the maps have rows. Between these layers stand activations, "
        "batch norms and dropout, which leave the sizes as they are."
    )
    count = len(test_digits()[1])
    for place, model in zip(chrome.columns(*[1] * len(models)), models, strict=True):
        net, right = cached.network(model), count - len(cached.hard_cases(model))
        layers = [layer for layer in net if layer.is_convolution or layer.is_dense or layer.is_pool]
        shapes = [(1, 1, *layer.output_shape) if layer.is_dense else layer.output_shape for layer in layers]
        with place:
            chrome.show(
                "bars",
                f"{model}: {counted(sum(layer.is_convolution for layer in layers), 'convolution')}, "
                f"{counted(sum(layer.is_pool for layer in layers), 'pooling')}, "
                f"{counted(net.count_params()[0], 'parameter')}. Of {count:,} test digits, which it did not "
                f"learn from, {right:,} are right: {percent(right / count)}.",
                share=1 / len(models),
                limit=460,
                values=[shape[0] for shape in shapes],
                labels=[named(layer) for layer in layers],
                texts=[f"{maps} of {rows} × {columns}" for rows, columns, maps in shapes],
            )


def named(layer: Any) -> str:
    """A layer's name, with the size of its window if it has one."""
    size = layer.config.get("kernel_size") or layer.config.get("pool_size")
    return f"{layer.name}, {'×'.join(map(str, size))}" if size else layer.name


# The whole network comes first; its walk begins with the image alone.
here = lesson.begin("overview", opens=False)
asked = []
if gives_scores(here.network):
    asked.append(partial(questions.products_of_the_score, here.run))
if here.shows_a_digit:
    layers = cached.kept(figures.layers_of, here.run)
    asked.append(partial(questions.numbers_for_one_digit, here.network, layers))
question_widget.ask(*asked)
evaluating.show(here)
beside_bundled.show(here)
models = cached.available_models()
lesson.closer("networks", f"The two networks: {' and '.join(models)}", lambda: show_networks(models))
# Each map is one, and a vector is a row of its own; what has more axes is not drawn.
drawn = [layer.output_shape for layer in here.network if len(layer.output_shape) in (1, 3)]
if drawn and sum(shape[-1] for shape in drawn if len(shape) == 3) <= MOST_MAPS:
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
