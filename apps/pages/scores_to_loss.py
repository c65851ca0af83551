"""From scores to loss: softmax with a temperature, cross-entropy, its gradient, and the pixels behind it."""

from functools import partial
from typing import Any

import cached
import chrome
import lesson
import numpy as np
import question_widget
import snippets
import state
import streamlit as st
from lesson import Aspect
from plain import plain

from cnnviz import figures
from cnnviz.concepts.scores_to_loss import GradientStep, Loss, loss_of, softmax_steps, step_against
from cnnviz.layers.layer import quoted
from cnnviz.network.colour_planes import picture_of
from cnnviz.numbers import counted, general, number, percent, probability, signed_number
from cnnviz.receipts.one_weight import WeightStep, largest_gradient, weight_step
from cnnviz.teaching.questions.scores_to_loss import halved_probability, shifted_logits
from cnnviz.training.history import read_history
from cnnviz.training.trainer import TrainingStep


def probabilities(loss: Loss) -> float:
    """Softmax step by step, at a temperature, which is returned."""
    degrees = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)
    said, chosen_here = chrome.columns(2, 1)
    with said:
        st.markdown(
            "Divide by the temperature, take the exponential, divide by the sum of all exponentials. A low "
            "temperature sharpens, a high one levels out; the order never changes. The network itself was "
            "trained at temperature 1."
        )
    with chosen_here:
        temperature = state.option(
            "temperature", degrees, 1.0, st.select_slider, "Temperature", format_func=general
        )
    steps = softmax_steps(loss.logits, temperature)
    left, right = chrome.columns(1, 1)
    with left:
        chrome.show(
            "class_columns",
            f"The logits of {here.digit.name}: any numbers, of either sign.",
            share=0.5,
            values=steps.logits,
            selected=loss.predicted,
            classes=here.classes,
            title="logits",
        )
    with right:
        chrome.show(
            "probabilities",
            f"The same after softmax at temperature {general(temperature)}: they add up to 1.",
            share=0.5,
            values=steps.probabilities,
            label=here.label,
            classes=here.classes,
        )
    listed = sorted(np.argsort(-steps.logits, kind="stable")[:20].tolist())
    first = f"The {len(listed)} highest of {len(steps.logits):,}. " if len(listed) < len(steps.logits) else ""
    with st.expander("The same in numbers, step by step"):
        chrome.table(
            ["class", "logit z", "(z − max) / T", "e to that", "over the sum"],
            [
                (
                    here.called(k),
                    signed_number(steps.logits[k], 4),
                    signed_number(steps.scaled[k], 4),
                    number(steps.exponentials[k]),
                    probability(steps.probabilities[k]),
                )
                for k in listed
            ],
            mark=listed.index(loss.predicted),
            caption=f"{first}The exponentials add up to {number(steps.total, 4)}. To take the largest score "
            "off all of them changes no share and keeps the exponentials small.",
            name="softmax",
        )
    return temperature


def cross_entropy(loss: Loss) -> None:
    """The loss, and the gradient at the logits."""
    with chrome.controls("target"):
        choose_target()
    wanted = "the label" if loss.target == here.label else "what you chose"
    if here.label is None and loss.target == loss.predicted:
        wanted = f"what the network says, for your {here.shown} has no label"
    target = plain(here.called(loss.target))
    st.markdown(
        f"The target is {target}, {wanted}. Only its probability counts: the loss is −log of it. It is "
        "0 when the network is certain of the target, and grows without bound as the probability goes to 0."
    )
    left, right = chrome.columns(3, 2)
    with left:
        chrome.show(
            "cross_entropy_curve",
            f"The loss by the probability of {here.called(loss.target)}; the point is {here.digit.name}.",
            share=0.6,
            probability=loss.probability,
        )
    with right:
        chrome.facts(
            (f"probability of {here.called(loss.target)} at temperature 1", probability(loss.probability)),
            ("loss in nats", number(loss.value)),
        )
        st.markdown(
            f"Guessing, with {percent(1 / len(loss.logits))} for each class, costs "
            f"{number(loss.of_guessing)} nats. Training lowers the "
            "mean of this over all training images."
        )
    left, right = chrome.columns(3, 2)
    with left:
        chrome.show(
            "class_columns",
            f"The gradient of the loss at the logits, for the target {target}.",
            share=0.6,
            values=loss.wrt_logits,
            selected=loss.target,
            classes=here.classes,
            title="p − y",
        )
    with right:
        st.markdown(
            "The gradient at the logits is the probabilities less 1 at the target: p − y. A step against it "
            "raises the target's score and lowers the others, each in proportion to its probability. It adds "
            "up to 0, and where the network is certain and right there is next to nothing left to learn."
        )


def outcome(step: GradientStep) -> str:
    """What became of the line's promise."""
    if not step.change.any():
        return "No step was taken."
    if step.actual > 0:
        return "This one was so large that the loss rose: behind the next bend the curve goes up again."
    if step.actual == 0:
        return "The loss is what it was: the line promised that it would fall."
    if step.actual < step.expected:
        return "Here the loss fell by more than the line promised."
    return "Here the loss fell by less than the line promised; with a larger step it can even rise."


def pixels(step: GradientStep, size: float) -> None:
    """Which pixels the gradient points at, and one step against it."""
    loss, after = step.before, step.after
    drawn = picture_of(loss.run)
    pictures = [one.mean(axis=2) if drawn is None else drawn.of(one) for one in (loss.image, after.image)]
    more = "a brighter pixel" if drawn is not None and drawn.planes else "more ink"
    chrome.show(
        "pixel_gradient",
        f"The gradient of the loss by pixel: in blue, {more} would raise the loss; in orange, it would lower "
        f"it. Then the {here.shown} after the step; no pixel changes by more than {general(size)}.",
        image=pictures[0],
        gradient=loss.wrt_pixels.sum(axis=2),
        after=pictures[1],
        titles=(here.digit.name, f"loss for {here.called(loss.target)}, by pixel", "after one step"),
    )
    chrome.table(
        ["", "loss", "its change", f"probability of {here.called(loss.target)}", "predicted"],
        [
            ("before", number(loss.value), "", probability(loss.probability), here.called(loss.predicted)),
            ("expected from the gradient", "", signed_number(step.expected), "", ""),
            (
                "after the step",
                number(after.value),
                signed_number(step.actual),
                probability(after.probability),
                here.called(after.predicted),
            ),
        ],
        mark=2,
        caption=f"{step.cut} of {step.change.size} numbers would have left their range and "
        "were kept in it. A gradient is a straight line put to a curve, and holds for small steps only. "
        + outcome(step),
        name="step",
    )


def choose_target() -> None:
    """Of which class the loss is."""
    names = {k: here.called(k) for k in range(here.run.output.shape[1])}
    thing = "digit" if here.measures_digits else "class"
    state.option("target", names, default, st.selectbox, f"Target: the {thing} that is wanted")


def stepped_pixels() -> float:
    """The gradient by pixel, and one step against it, of a size that is returned."""
    st.markdown(
        "The same gradient, sent on through all layers down to the image. Training stops at the weights and "
        "changes those; here the weights stay, and the pixels take a step against the gradient. Choose "
        "another target, and a few pixels can be enough to change the answer, though the image looks "
        "the same: the network does not see as we do."
    )
    sizes = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    with chrome.controls("step"):
        choose_target()
        size = state.option(
            "step", sizes, 0.1, st.select_slider, "Step: the largest change of a pixel", format_func=general
        )
    pixels(cached.kept(step_against, loss, size), size)
    return size


def uses_of_a_weight(name: str, step: TrainingStep) -> tuple[WeightStep, float]:
    """A weight of a layer and a nudge to be chosen, and where its gradient comes from; both of them."""
    array = f"{name}/kernel"
    with chrome.controls("weight"):
        rows, cols, _, kernels = step.gradients[array].shape
        row, col, _, kernel = cached.kept(largest_gradient, step, array)
        kernel = state.integer("kernel", 0, kernels - 1, kernel, f"Kernel of {name}")
        row = state.integer("row", 0, rows - 1, row, "Row in it")
        col = state.integer("column", 0, cols - 1, col, "Column")
        image = state.integer("image", 0, cached.LEARNED_FROM - 1, 0, "Training image")
        nudge = state.option(
            "nudge",
            (-0.1, -0.03, -0.01, 0.0, 0.01, 0.03, 0.1),
            0.01,
            st.select_slider,
            "Nudge it by",
            format_func=general,
        )
    at = (row, col, 0, kernel)
    found = cached.kept(weight_step, step, array, at)
    loss_then, now = cached.nudged(here.model, array, at, nudge), float(step.loss)
    chrome.facts(
        ("the weight", signed_number(found.before)),
        (f"its gradient, a sum of {counted(found.products.size, 'product')}", signed_number(found.gradient)),
        ("the mean loss", number(now, 4)),
        (f"with {general(nudge)} added to the weight", number(loss_then, 4)),
        ("what that changes", signed_number(loss_then - now)),
        (f"the gradient times {general(nudge)}", signed_number(found.gradient * nudge)),
    )
    left, right = chrome.columns(1, 1)
    with left:
        chrome.show(
            "single_map",
            f"What image {image} adds, use by use: at each position what was read times what came back.",
            share=0.5,
            limit=300,
            values=found.products[image],
            scale=figures.Scale.of(found.products, signed=True),
        )
    with right:
        chrome.table(
            ["training image", "a", "the sum of what it adds"],
            [
                (str(k), str(label), signed_number(added))
                for k, (label, added) in enumerate(zip(found.labels, found.by_image, strict=True))
            ],
            mark=image,
            caption=f"They add up to {signed_number(found.gradient)}. That the loss is a mean over "
            f"{cached.LEARNED_FROM} images is in what came back.",
            name="one-weight",
        )
    return found, nudge


def one_weight() -> None:
    """How one weight learns: its gradient, a nudge that tries it, and one step of training."""
    st.markdown(
        f"Here {plain(here.model)} has the random weights that it began with, and {cached.LEARNED_FROM} "
        "training images give a mean loss. The gradient of one weight says how much that loss changes as "
        "the weight grows. The weight is used at every position of every image; each use adds what was read "
        "there, times what came back there from the loss."
    )
    name = next(layer.name for layer in here.network if layer.is_convolution)
    array = f"{name}/kernel"
    uses = st.container()
    choice, stepped = chrome.columns(1, 2)
    with choice:
        rate = state.option(
            "rate", (0.001, 0.01, 0.1, 1.0), 0.1, st.select_slider, "Learning rate", format_func=general
        )
    step = cached.first_step(here.model, rate)
    with uses:
        found, nudge = uses_of_a_weight(name, step)
    with stepped:
        st.markdown(
            "One step of gradient descent takes the gradient times the learning rate off: "
            f"{signed_number(found.before)} − {general(rate)} · ({signed_number(found.gradient)}) = "
            f"{signed_number(found.after)}. All {step.network.count_params()[1]:,} trainable weights take "
            "such a step at once, again and again, each time with other images: that is training."
        )
    chosen["code"] = f"""
    from cnnviz.receipts.one_weight import first_step, nudged_loss, weight_step
    from cnnviz.training.history import read_history

    (images, labels), _ = cnnviz.load_mnist()
    net = cnnviz.load_model({quoted(here.model)})
    net = net.with_weights(read_history(net.name).weights_after(0))
    batch = images[:{cached.LEARNED_FROM}], labels[:{cached.LEARNED_FROM}]
    found = weight_step(first_step(net, *batch, {rate}), {quoted(array)}, {found.at})
    then = nudged_loss(net, *batch, found.weight, found.at, {nudge})
    print(found.before, found.products.size, found.gradient, found.by_image, found.after)
    print(found.step.loss, then, then - found.step.loss, found.gradient * {nudge})
    """


here = lesson.begin("scores_to_loss")
default = here.predicted if here.label is None else here.label
target = state.place("target", here.run.output.shape[1], default)
loss = cached.kept(loss_of, here.run, target)
chosen: dict[str, Any] = {"temperature": 1.0, "size": 0.1, "code": ""}
question_widget.ask(
    partial(shifted_logits, loss.logits, target, called=here.called(target)),
    partial(halved_probability, loss.probability),
)
parts = {
    "softmax": Aspect("Softmax", lambda: chosen.update(temperature=probabilities(loss)), ("temperature",)),
    "loss": Aspect("The loss, and what it sends back", lambda: cross_entropy(loss)),
    "pixels": Aspect("The pixels that it points at", lambda: chosen.update(size=stepped_pixels()), ("step",)),
}
lesson.closer_in_aspects(
    "about", "Softmax, the loss and its gradient, step by step", "One after the other", parts
)
if cached.kept(read_history, here.model):
    lesson.closer("weight", "How one weight learns", one_weight, asks=("kernel", "rate", "nudge", "image"))
snippets.show(
    f"""
    import cnnviz
    from cnnviz.concepts.scores_to_loss import loss_of, softmax_steps, step_against

    image = {here.digit.code}
    loss = loss_of(cnnviz.load_model({quoted(here.model)}).run(image), target={target})
    print(softmax_steps(loss.logits, temperature={chosen["temperature"]}).probabilities)
    print(loss.probability, loss.value, loss.of_guessing, loss.wrt_logits)

    step = step_against(loss, {chosen["size"]})
    print(loss.predicted, step.after.predicted, step.expected, step.actual, step.after.value)
    """
    + str(chosen["code"])
)
chrome.half_truth(
    "The network outputs how sure it is, and the loss is how many digits it gets wrong.",
    "It outputs scores. Softmax makes shares of them that add up to 1; nothing in it counts how often such "
    "an answer is right. The loss is a smooth number that can fall while the answer stays the same, so its "
    "gradient leads somewhere. A count of mistakes is flat, and then jumps.",
)
