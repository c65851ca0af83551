"""Batch norm and dropout: statistics, training against inference, folding; masks, and why none now."""

from functools import partial
from typing import Any

import cached
import chrome
import header
import lesson
import numpy as np
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import choose_test_digit
from plain import plain

from cnnviz import figures
from cnnviz.concepts import dropout
from cnnviz.concepts.batch_normalization import Folding, fold
from cnnviz.layers.layer import quoted
from cnnviz.network import Network
from cnnviz.network.class_scores import gives_scores
from cnnviz.network.evaluation import are_probabilities
from cnnviz.network.mistakes import least_sure
from cnnviz.numbers import number, percent, probability, signed_number
from cnnviz.teaching.lesson_needs import normalized_maps
from cnnviz.teaching.questions.batch_norm_and_dropout import louder_input, without_scaling
from cnnviz.training.history import read_history
from cnnviz.training.recipes import Recipe

# Images over which statistics are measured.
COUNT = 1000
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


def normalizing() -> None:
    """A layer and a channel to be chosen, and what is asked about them."""
    with chrome.controls("norm"):
        name = state.option("layer", norms, norms[0], st.selectbox, "Layer")
        channels = here.network[name].output_shape[-1]
        best = figures.strongest_channel(here.run[name])
        channel = state.integer("channel", 0, channels - 1, best, "Channel")
        parts = {"spread": "Before and after", "forms": "In training, and now", "fold": "Folded away"}
        part = state.option("about", parts, "spread", st.segmented_control, "About it")
    controls.update(norm=name, channel=channel)
    {"spread": statistics, "forms": forms, "fold": folding}[part](name, channel)


def statistics(name: str, channel: int) -> None:
    """Means and deviations of all channels before and after, and one channel's numbers."""
    st.markdown(
        "The convolution's numbers come in with any mean and spread. Out of the layer they come with a mean "
        "near beta and a deviation near gamma, channel by channel. Only a channel that hardly varies stays "
        "flat: epsilon, which is added to the variance, is then the larger part of it."
    )
    measured = cached.normalization(here.model, name, over)
    layer, moving = measured.layer, measured.moving
    # A layer may be without either.
    gamma = layer.weights.get("gamma", np.ones_like(moving.mean))
    beta = layer.weights.get("beta", np.zeros_like(moving.mean))
    chrome.show(
        "channel_spreads",
        f"Each channel of {name} over {over.words}, {measured.before.count:,} numbers a "
        "channel. A bar is the mean plus and minus the standard deviation, a ring what the layer itself "
        "holds: above its moving averages, below beta and gamma.",
        before=(measured.before.mean, measured.before.deviation),
        after=(measured.after.mean, measured.after.deviation),
        moving=(moving.mean, moving.deviation),
        wanted=(beta, gamma),
        selected=channel,
    )
    with st.expander("All its numbers"):
        columns = {
            "mean": measured.before.mean,
            "variance": measured.before.variance,
            "moving mean": moving.mean,
            "moving var.": moving.variance,
            "gamma": gamma,
            "beta": beta,
            "mean after": measured.after.mean,
            "var. after": measured.after.variance,
        }
        chrome.table(
            ["channel", *columns],
            [(str(c), *(number(values[c]) for values in columns.values())) for c in range(len(gamma))],
            mark=channel,
            caption=f"{name} over {over.words}: measured before, held by the layer, measured after. "
            f"{whose_averages()}",
            name=name,
        )


def whose_averages() -> str:
    """Of which images the moving averages are, and what that means for those here."""
    history = cached.kept(read_history, here.model)
    if history is None:
        return "The moving averages are of the images that it was trained on, as they were changed then."
    recipe = Recipe.of(history.recipe)
    others = "digits as they are, test or training, have other statistics"
    others = others if recipe.augmentation else "the digits here are others"
    return f"The moving averages are of training images {recipe.sees}; {others}."


def forms(name: str, channel: int) -> None:
    """The digit in training form and in inference form, by the size of the batch."""
    epsilon, momentum = (here.network[name].config[key] for key in ("epsilon", "momentum"))
    st.markdown(
        "In training the mean and the variance are those of the batch at hand, so what becomes of an image "
        "depends on its company. Now they are the moving averages, and every image is on its own. Both "
        f"compute gamma · (x − mean) / √(variance + {epsilon:g}) + beta. After each training step the moving "
        f"averages keep {momentum:g} of what they were and take the rest from the batch."
    )
    with chrome.controls("batch"):
        size = state.option("batch", sizes, min(8, sizes[-1]), st.select_slider, "Images in the batch")
    others = "the first other test digits" if here.shows_a_digit else f"others of {company.words}"
    by_size = dict(zip(sizes, cached.forms(here.which, name, here.digit, company, sizes), strict=True))
    chosen = by_size[size]
    left, right = chrome.columns(1, 1)
    with left:
        chrome.show(
            "distance_by_batch",
            f"Root mean square difference of the two forms over all channels, for this {here.shown}. The "
            "statistics of a small batch depend on which images are in it: one more image can bring them "
            "nearer to the moving averages or take them farther away. Those of a large batch settle, but not "
            f"on the moving averages. {whose_averages()}",
            share=0.5,
            sizes=sizes,
            distances=[each.distance for each in by_size.values()],
            chosen_size=size,
        )
    with right:
        moving = here.network[name].weights
        chrome.table(
            [f"channel {channel}", "mean", "variance"],
            [
                (
                    "training: the batch's",
                    signed_number(chosen.mean[channel]),
                    number(chosen.variance[channel]),
                ),
                (
                    "now: moving averages",
                    signed_number(moving["moving_mean"][channel]),
                    number(moving["moving_variance"][channel]),
                ),
            ],
            caption=f"The batch is {here.digit.name} "
            + (f"and {others}, {size} in all." if size > 1 else "alone."),
            name="forms",
        )
    chrome.show(
        "feature_maps",
        f"Channel {channel} of {name} for this {here.shown}, in a batch of {size}, on one scale.",
        maps=chosen.side_by_side(channel),
        labels=["training form", "inference form", "difference"],
        columns=3,
        limit=480,
    )
    controls["batch"] = size


def folding(name: str, channel: int) -> None:
    """The layer folded into the next convolution."""
    folded = cached.kept(folding_of, here.network, name)
    if isinstance(folded, str):
        st.info(plain(f"{name} is not folded into a convolution behind it: {folded}."))
        return
    before, after = (
        signed_number(network[folded.into].weights["kernel"][0, 0, channel, 0])
        for network in (here.network, folded.network)
    )
    st.markdown(
        f"Now that its statistics are fixed, {plain(name)} is y = scale · x + shift for each channel, and "
        f"{plain(folded.into)} can do its work: its weights for a channel are multiplied with the scale, and "
        "what the shifts come to is added to its biases. What is left differs by rounding. Network.predict "
        "works so."
    )
    chrome.facts(
        (f"scale of channel {channel}", signed_number(folded.scale[channel])),
        (f"{folded.into}'s first weight for it", f"{before} → {after}"),
        (f"numbers of {name} no longer needed", f"{here.network[name].params}"),
        (
            f"largest difference of {folded.into} on this {here.shown}",
            number(folded.largest_difference(here.run)),
        ),
    )


def folding_of(net: Network, name: str) -> Folding | str:
    """The folding, or why there is none."""
    try:
        return fold(net, name)
    except ValueError as error:
        return str(error)


def dropping() -> None:
    """Dropout at work: what it does to the answer, or to a map."""
    parts = {"masks": "What it drops"}
    if gives_scores(here.network):
        parts["answers"] = "What it does to the answer"
    part = state.option("drop", parts, "masks", st.segmented_control, "Dropout at work")
    {"answers": now, "masks": masks}[part]()


def masks() -> None:
    """Dropout at work in several steps, and their mean."""
    st.markdown(
        "Each number is dropped with the same probability, the rate, by itself and anew in each step. What "
        "is kept is divided by 1 − rate, so that the mean over many steps stays what it was."
    )
    with chrome.controls("dropout"):
        name = state.option("dropout", list(drops), next(iter(drops)), st.selectbox, "Dropout layer")
        rates = sorted({drops[name], 0.1, 0.25, 0.5, 0.8})
        rate = state.option("rate", rates, drops[name], st.select_slider, "Rate")
        seed = state.integer("seed", 0, 9999, 0, "Seed")
        steps = state.option("steps", (4, 10, 100, 1000), 100, st.select_slider, "Steps in the mean")
        values = here.run.inputs(name)[0][0]
        of, shown = name, cached.dropped(here.which, here.digit, name, rate, seed, steps)
        if values.ndim == 3:
            best = figures.strongest_channel(values)
            channel = state.integer("map", 0, values.shape[2] - 1, best, "Map")
            of, shown = f"channel {channel} of {name}", shown.channel(channel)
    chrome.show(
        "dropout_steps",
        f"What enters {of}, what the first {len(shown.kept)} steps with seed {seed} make of it, and the mean "
        f"over {steps:,}. Crossed: dropped. The rest is {number(shown.scale)} times as large as without "
        "dropout.",
        values=shown.values,
        kept=shown.kept,
        dropped=shown.dropped,
        mean=shown.mean,
        mean_label=f"mean of {steps:,} steps",
    )
    chrome.facts(
        (f"rate of {name} in training", percent(drops[name])),
        ("kept numbers are multiplied by 1 / (1 − rate)", number(shown.scale)),
        (f"root mean square distance of the mean over {steps:,} steps", number(shown.distance)),
        ("distance to be expected", number(shown.expected)),
    )
    one = f".channel({channel})" if values.ndim == 3 else ""
    controls["seed"] = seed
    controls["dropping"] = f"""
values = run.inputs({quoted(name)})[0][0]
found = drop_in_steps(values, {rate}, {steps}, seed={seed}, layer={quoted(name)}){one}
print(drops[{quoted(name)}], found.scale, found.distance, found.expected)
"""


def now() -> None:
    """The network with dropout at work and without."""
    st.markdown(
        "In training the noise keeps the network from relying on any single number. Now it would only make "
        f"the answer depend on chance: each step below computes the same {here.shown} with other numbers "
        f"dropped. A {here.shown} of which it is sure mostly keeps its answer; for one of which it is "
        "not, probabilities go up and down, and the answer may change. Without dropout the layer is the "
        "identity: each of its numbers is what it was on average, and the answer is always the same."
    )
    unsure = least_sure(cached.hard_cases(here.model)) if here.measures_digits else None
    with chrome.controls("steps"):
        seed = state.integer("seed", 0, 9999, 0, "Seed")
        if unsure is not None and (here.digit.own or here.digit.index != unsure.index):
            st.button(
                f"Try test digit {unsure.index:,}, of which it is not sure",
                on_click=choose_test_digit,
                args=(unsure.index,),
            )
    controls["seed"] = seed
    runs = cached.runs_with_dropout(here.which, here.digit, seed)
    best = here.predicted
    shares = are_probabilities(here.run.output)
    score, written = ("probability", probability) if shares else ("score", signed_number)
    chrome.table(
        ["", "dropped", f"{score} of {here.called(best)}", "predicted"],
        [
            *(
                (
                    f"step {step}, dropout at work",
                    dropout.count_dropped(here.run.network, seed=seed, step=step),
                    written(run.output[0, best]),
                    here.called(int(run.output[0].argmax())),
                )
                for step, run in enumerate(runs)
            ),
            ("now", 0, written(here.run.output[0, best]), here.called(best)),
        ],
        mark=len(runs),
        caption=f"All of {here.model}'s dropout layers at work with their own rates, seed {seed}"
        + ("; batch norm as it is now." if norms else "."),
        name="dropout",
    )
    name = next(iter(drops))
    before, after = here.run.inputs(name)[0], here.run[name]
    same = "equals" if np.array_equal(before, after) else "differs from"
    said = f"What comes out of {name} now {same} what goes in, in each of its {after.size:,} numbers."
    st.markdown(plain(said))


here = lesson.begin("batch_norm_and_dropout")
norms = normalized_maps(here.network)
drops = dropout.dropout_layers(here.network)
over, company = here.sample(COUNT), here.sample(SIZES[-1])
sizes = tuple(size for size in SIZES if size <= len(cached.batch_with(here.digit, company)))
controls: dict[str, Any] = {}
asking = st.container()
if norms:
    lesson.closer(
        "norm", "What batch norm does to a channel", normalizing, asks=("layer", "channel", "about", "batch")
    )
else:
    header.point_to_mnist_14k(f"{here.model} has no batch normalisation.", "Show those in mnist_14k")
if drops:
    lesson.closer(
        "dropout", "Dropout at work", dropping, asks=("drop", "dropout", "rate", "seed", "steps", "map")
    )
else:
    header.point_to_mnist_14k(f"{here.model} has no dropout layer.", "Show those in mnist_14k")
questions: list[Any] = [partial(without_scaling, name, rate) for name, rate in list(drops.items())[:1]]
if norms:
    norm = controls.get("norm", norms[0])
    channel = controls.get("channel", figures.strongest_channel(here.run[norm]))
    row, col = figures.strongest(here.run[norm][0, :, :, channel])
    batch = cached.batch_inputs(here.which, norm, here.digit, here.sample(8))
    questions.insert(0, partial(louder_input, here.network[norm], batch, row=row, col=col, channel=channel))
with asking:
    question_widget.ask(*questions)
batch_size = controls.get("batch", min(8, sizes[-1]))
reading = "images, labels = cnnviz.load_mnist()[1]"
if not here.shows_a_digit:
    reading = "images = np.stack([image])  # and others"
lines = f"""
import numpy as np
import cnnviz
from cnnviz.concepts.dropout import dropout_layers, drop_in_steps, run_with_dropout

image = {here.digit.code}
{reading}
net = cnnviz.load_model({quoted(here.model)})
run = net.run(image)
drops = dropout_layers(net)
for step in range(4):
    print(run_with_dropout(net, image, seed={controls.get("seed", 0)}, step=step).output)
{controls.get("dropping", "")}"""
if norms:
    others = [k for k in range(batch_size) if here.digit.own or k != here.digit.index][: batch_size - 1]
    last = others[-1] + 1 if others else 0
    without = (
        f"np.delete(images[:{last}], {here.digit.index}, 0)" if last > len(others) else f"images[:{last}]"
    )
    batch_code = f"np.concatenate([image[np.newaxis], {without}])" if here.shows_a_digit else "images"
    lines += f"""
from cnnviz.concepts.batch_normalization import compare_forms, fold, normalization_over

measured = normalization_over(net, {quoted(norm)}, images[:{over.count}])
print(measured.before.mean[{channel}], measured.moving.mean[{channel}])
batch = {batch_code}
forms = compare_forms(net, {quoted(norm)}, batch, [{batch_size if here.shows_a_digit else 1}])[0]
print(forms.distance, forms.mean[{channel}], forms.variance[{channel}])
"""
if norms and not isinstance(cached.kept(folding_of, here.network, norm), str):
    lines += f"""
folded = fold(net, {quoted(norm)})
before, after = (each[folded.into].weights["kernel"][0, 0, {channel}, 0] for each in (net, folded.network))
print(folded.scale[{channel}], before, after, net[{quoted(norm)}].params, folded.largest_difference(run))
"""
snippets.show(lines)
chrome.half_truth(
    "Dropout removes neurons from the network, and batch norm keeps all numbers between 0 and 1.",
    "Dropout removes nothing for good: each step drops other numbers, and the finished network drops "
    "none. Batch norm bounds nothing: it sets a channel's mean and deviation, and single numbers may lie "
    "anywhere.",
)
