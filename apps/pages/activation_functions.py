"""Activation functions: the curve and its slope, exchanged and left out; dying ReLUs; the map A x + b."""

from contextlib import suppress
from functools import partial
from typing import Any

import cached
import chrome
import curve_view
import header
import lesson
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import test_digits
from glossary_words import explained
from plain import plain

from cnnviz.concepts.activation_exchange import FUNCTIONS, function_named, hidden_activations
from cnnviz.concepts.dead_channels import SCARCE, zeros_in
from cnnviz.concepts.saturation import FLAT, slopes_at
from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import quoted
from cnnviz.network.class_scores import gives_scores
from cnnviz.network.evaluation import are_probabilities
from cnnviz.numbers import all_of, counted, number, percent, probability
from cnnviz.teaching.questions.activation_functions import applied_twice, one_convolution
from cnnviz.training.history import TrainingHistory, read_history

# Images that are measured without being asked for; a button measures all test digits.
COUNT = 1000
# And on which the collapsed network is checked, in float64.
CHECKED = 250
# And whose loss is followed back to the kernels.
FOLLOWED = 50
# After so many epochs, where they were trained: a ReLU dies early.
EPOCHS = (0, 1, 2, 3, 5, 10, 20, 40)

here = header.current()
every = len(test_digits()[0])
bends = {
    name: bend for name, bend in hidden_activations(here.network).items() if len(here.run[name].shape) == 4
}
answers = gives_scores(here.network)


def named(function: str) -> Activation:
    """A layer's own function, or another one by its name."""
    return next((own for own in bends.values() if str(own) == function), None) or function_named(function)


def curve() -> None:
    """The function over the layer's numbers, its slope, and what it does to this digit."""
    share = slopes_at(named(function), before)
    whose = f"{here.model} {here.changes} {here.digit}"
    curve_view.show(whose, name, function, named(function), bends[name], before)
    said = [("as trained", here.run.output)] if answers else []
    if function != own and answers:
        net = cached.exchanged(here.which, function, layers)
        said.append((f"with {function} in {places(layers)}", net.predict(here.digit.image)))
    facts.html(
        chrome.facts_html(
            (f"of {name}'s numbers on this {here.shown} stand where the slope is 0", percent(share.none)),
            *[(f"where it is below {percent(FLAT, 0)} of the steepest: saturated", percent(share.flat))]
            * (share.flat != share.none),
            *(
                (
                    f"{words}, {here.model} says {here.called(int(output[0].argmax()))}",
                    probability(output.max()) if are_probabilities(output) else number(output.max()),
                )
                for words, output in said
            ),
        )
    )


def maps() -> None:
    """What the function does to the layer's maps."""
    zeros_now = zeros_in(named(function)(before))
    chrome.facts(
        (f"of {name}'s outputs are exactly 0 on this {here.shown}", percent(zeros_now.share)),
        (
            f"channels are 0 everywhere on this {here.shown}",
            f"{len(zeros_now.silent)} of {zeros_now.channels}",
        ),
    )
    chrome.show(
        "before_and_after",
        f"All channels of {name} before and after {function}, on one scale.",
        before=before,
        after=named(function)(before),
        titles=("before", "after"),
    )


def places(layers: tuple[str, ...]) -> str:
    return layers[0] if len(layers) == 1 else all_of(len(layers), "layer")


def done_to_numbers() -> None:
    """What the function does to the maps and to the answers, and what is left without any."""
    parts = {
        "answer": "The answer, not trained again",
        "maps": "All channels, before and after",
        "none": "Without any: one affine map",
    }
    if not here.measures_digits:
        del parts["none"]
    if not answers:
        del parts["answer"]
    {"answer": exchanged, "maps": maps, "none": collapse}[
        state.option("does", parts, next(iter(parts)), st.segmented_control, "What it does")
    ]()


def exchanged() -> None:
    """What the network with the function makes of this digit, and of many test digits."""
    st.markdown(
        "The weights were learned for one curve. With another one each layer gets numbers that it was not "
        "made for, and even a small change of the curve can do great harm. How much differs from network to "
        "network: try both. A network trained with another function can be as good as this one."
    )
    net = cached.exchanged(here.which, function, layers)
    answer = net.predict(here.digit.image)
    left, right = chrome.columns(3, 2)
    with left:
        words = f"{here.digit.title} with {function} in {places(layers)}" + (
            ", as trained; choose another function above." if function == own else "."
        )
        if are_probabilities(answer):
            about: dict[str, Any] = {"values": answer, "label": here.label, "classes": here.classes}
            chrome.show("probabilities", words, share=0.6, **about)
        else:
            about = {"values": answer[0], "title": "scores", "classes": here.classes}
            chrome.show("class_columns", words, share=0.6, **about)
    if not here.measures_digits:
        return
    with right:
        as_trained = cached.accuracy_with(here.model, own, (name,), COUNT)
        now = cached.accuracy_with(here.model, function, layers, COUNT)
        chrome.facts(
            (f"of the first {COUNT:,} test digits right, as trained", percent(as_trained.accuracy)),
            (f"right with {function} in {places(layers)}", percent(now.accuracy)),
        )
        asked = f"{function} in {places(layers)}"
        if state.text("over", "", lambda text: not text or text.split(" in ")[0] in functions) == asked:
            over_all = cached.accuracy_with(here.model, function, layers, every)
            chrome.facts((f"of all {every:,} test digits right with {asked}", percent(over_all.accuracy)))
        else:
            st.button(f"Over all {every:,} test digits", on_click=state.put, args=("over", asked))
        compared = state.text("compare", "", ("", "1").__contains__)
        if not compared:
            st.button("Try every function", on_click=state.put, args=("compare", "1"))
    if compared:
        tried = cached.accuracies_with(here.model, layers, COUNT)
        chrome.show(
            "bars",
            f"Share of the first {COUNT:,} test digits classified rightly with each function in "
            f"{places(layers)}. Guessing gets about 10 %.",
            values=list(tried.values()),
            labels=list(tried),
            texts=[percent(share) for share in tried.values()],
            highlight=list(tried).index(function) if function in tried else None,
            limit=640,
        )


def dying() -> None:
    """Kernels that died, through the training, and zeros, layer by layer."""
    history = cached.kept(read_history, here.model) if here.opened is None else None
    rectified = [each for each, bend in bends.items() if bend.name == "relu"]
    if not rectified or history is None or history.weights is None:
        zeros()
        return
    parts = {"training": "Through the training", "zeros": "Zeros, layer by layer"}
    if state.asks("zeros") and not state.asks("dies"):
        state.settle("dies", "zeros")
    if state.option("dies", parts, "training", st.segmented_control, "Where to look") == "zeros":
        zeros()
    else:
        through_the_training(name if name in rectified else rectified[0], history)


def through_the_training(watched: str, history: TrainingHistory) -> None:
    """What comes back to each kernel, by epoch: those of which nothing is left are not heard of again."""
    epochs = [epoch for epoch in EPOCHS if history.kept is None or epoch in history.kept]
    epochs = [epoch for epoch in epochs if epoch <= history.epochs]
    st.markdown(
        "A ReLU passes no gradient where it makes 0. A kernel whose numbers are negative nearly "
        "everywhere gets next to none, so next to nothing can bring it back: it is as good as dead. Move "
        f"through the training, and watch {plain(watched)}."
    )
    epoch = state.option("epoch", epochs, epochs[0], st.select_slider, "After so many epochs")
    heard = cached.hearing_at(here.model, watched, epoch, FOLLOWED)
    labels = [str(channel) for channel in range(len(heard.active))]
    largest = heard.gradient.max() or 1.0
    pairs = (
        (heard.active, "Share of each channel's numbers after the ReLU that are not 0"),
        (
            heard.gradient / largest,
            "Length of the gradient that reaches each kernel, of the longest",
        ),
    )
    for place, (values, words) in zip(chrome.columns(1, 1), pairs, strict=True):
        with place:
            chrome.show(
                "bars",
                f"{words}, after {counted(epoch, 'epoch')}: the first {FOLLOWED} test digits.",
                share=0.5,
                values=values,
                labels=labels,
                texts=[percent(float(value)) for value in values],
                row=15.0,
            )


def zeros() -> None:
    """Zeros and dead channels, layer by layer, on this image and over many."""
    st.markdown(
        "Zeros are no loss: what is not there is information too. A channel that is zero everywhere on one "
        f"{here.shown} may speak on another. One that is zero for all of them is dead: it costs its "
        "multiplications and says nothing. One that is hardly ever other than zero is as good as dead."
    )
    whole = state.text("zeros", "", ("", "all").__contains__)
    sample = here.sample(every if whole else COUNT)
    over = cached.sparsity(here.model, sample)
    over = {each: measured for each, measured in over.items() if each in bends}
    scarce = {name: measured.scarce for name, measured in over.items() if measured.scarce}
    chrome.table(
        [
            "layer",
            "outputs",
            f"zeros, this {here.shown}",
            f"zeros, {sample.words.removeprefix('the first ')}",
            "silent now",
            "dead",
            "as good as dead",
        ],
        [
            (
                name,
                zeros_in(here.run[name]).values,
                percent(zeros_in(here.run[name]).share),
                percent(measured.share),
                f"{len(zeros_in(here.run[name]).silent)} of {measured.channels}",
                ", ".join(map(str, measured.silent)) or "none",
                ", ".join(map(str, measured.scarce)) or "none",
            )
            for name, measured in over.items()
        ],
        caption=f"As trained. Silent now: channels that are 0 everywhere on this {here.shown}. Dead: those "
        f"that are 0 everywhere on each of {sample.words}, by number. As good as dead: other "
        f"than 0 in fewer than 1 of {1 / SCARCE:,.0f} of their values.",
        name="zeros",
    )
    if scarce and answers:
        few = here.sample(COUNT)
        changed = cached.changed_by_silence(
            here.model, {name: tuple(found) for name, found in scarce.items()}, few
        )
        which = "it" if sum(map(len, scarce.values())) == 1 else "all of these"
        st.markdown(
            "; ".join(
                f"Channel {channel} of {plain(name)} is other than 0 in "
                f"{of.active[channel]:,} of {counted(of.each, 'value')}"
                for name, found in scarce.items()
                for of in [over[name]]
                for channel in found
            )
            + f". With {which} set to 0, the prediction changes for {counted(changed, here.shown)} of "
            f"{few.words.removesuffix(' test digits')}."
        )
    if not whole and here.measures_digits:
        st.button(f"Count over all {every:,}", on_click=state.put, args=("zeros", "all"))


def collapse() -> None:
    """The network without bends, which is one matrix."""
    affine, difference, accuracy = cached.affine(here.model, CHECKED)
    outputs, inputs = affine.matrix.shape
    layers, parameters = len(affine.network.layers), here.network.count_params()[0]
    st.markdown(
        "Leave out every activation and let the pooling average instead of choosing the largest. All that is "
        f"left are weighted sums, and weighted sums of weighted sums are weighted sums. The {layers} layers "
        f"of {plain(here.model)} become one affine map from {inputs} pixels to {outputs} logits, logits = "
        "A x + b, whatever its depth. (The softmax after it does not count: it leaves the order as it is.)"
    )
    logits = affine(here.digit.image)[0]
    chrome.show(
        "feature_maps",
        "A, one picture for each digit's row less the mean of all ten, for only differences of logits "
        "count; all on one scale. Where a picture is blue, ink raises that digit's logit more than the "
        "others' on average, and where it is orange less: no stroke can mean something else because of "
        "another.",
        maps=affine.contrasts,
        columns=10,
        title="weight of each pixel in A, less the mean over the digits",
    )
    left, right = chrome.columns(2, 3)
    with left:
        chrome.facts(
            (f"numbers in A, {outputs} × {inputs}, and b", f"{affine.numbers:,}"),
            ("parameters in the layers", f"{parameters:,}"),
            (f"largest difference of A x + b from the layers, {CHECKED} digits, float64", number(difference)),
            ("largest logit of this digit, for comparison", number(logits.max())),
            (f"of {every:,} test digits right", percent(accuracy)),
        )
    with right:
        chrome.show(
            "class_columns",
            "A x + b for this digit: the largest would be the answer. With these weights, learned with "
            f"{' and '.join(sorted({str(own) for own in bends.values()}))}, it is of little worth. A linear "
            "map that is trained as one got 88 % of the test digits right in LeCun et al., “Gradient-based "
            "learning applied to document recognition”, 1998; with softmax and cross-entropy it gets about "
            "92 %. Depth adds nothing to it.",
            values=logits,
            share=0.6,
            selected=int(logits.argmax()),
            title="logits of the collapsed network",
        )


st.markdown(
    explained(
        "An activation function is one fixed curve, and every number of a hidden layer goes through it by "
        "itself. Drag the point: the slope below says how much of the gradient comes back through it while "
        "the network learns."
    )
)
left, right = chrome.columns(3, 1)
with right:
    name = state.option("layer", list(bends), next(iter(bends)), st.selectbox, "Layer")
    own = str(bends[name])
    functions = list(dict.fromkeys([own, *FUNCTIONS]))
    function = state.option("function", functions, own, st.selectbox, "Function")
    kinds = {"all": "in all layers", "one": "only here"}
    where = state.option("where", kinds, "all", st.segmented_control, "Exchange")
    facts = st.empty()
layers = tuple(bends) if where == "all" else (name,)
before = here.run.pre_activation(name)
with left:
    curve()
asked: list[Any] = [partial(applied_twice, name, named(function), before)]
with suppress(ValueError):  # Where no other convolution follows, there is nothing to ask.
    asked.append(one_convolution(here.network, name))
question_widget.ask(*asked)
lesson.walk_closer("activation_functions", "Step by step, in the whole network")
lesson.closer(
    "exchange",
    "Exchange it, or leave it out",
    done_to_numbers,
    asks=("does", "over", "compare"),
)
lesson.closer("dying", "How a ReLU dies", dying, asks=("dies", "epoch", "zeros"))
over_digits = f"""
    images, labels = cnnviz.load_mnist()[1]
    for each in (net, other):
        print(evaluate(each, images[:{COUNT}], labels[:{COUNT}]).accuracy)

    print(hearing(net, {quoted(name)}, images[:{FOLLOWED}], labels[:{FOLLOWED}]).gradient)

    affine = collapse(net)
    print(affine.numbers, net.count_params()[0], affine.largest_difference(images[:{CHECKED}]))
    print(affine(image).max(), affine.accuracy(images, labels))
"""
snippets.show(
    f"""
    import cnnviz
    from cnnviz.concepts.activation_exchange import exchange, function_named
    from cnnviz.concepts.affine_collapse import collapse
    from cnnviz.concepts.dead_channels import zeros_in
    from cnnviz.concepts.saturation import hearing, slopes_at
    from cnnviz.network.evaluation import evaluate

    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    before = net.run(image).pre_activation({quoted(name)})
    after = function_named({quoted(function)})(before)
    print((before < 0).mean(), (after == 0).mean(), len(zeros_in(after).silent))
    print(slopes_at(function_named({quoted(function)}), before))

    other = exchange(net, {quoted(function)}, {list(layers)})
    for each in (net, other):
        print(each.predict(image).argmax(), each.predict(image).max())
    {over_digits if here.measures_digits else ""}
    """
)
chrome.half_truth(
    "The activation function chooses which neurons fire.",
    "It chooses nothing. It bends: every number goes through the same curve. Without a bend, "
    "convolutions and dense layers, however many, would together be a single affine map.",
)
