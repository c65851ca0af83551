"""From scores to loss: softmax with a temperature, cross-entropy, its gradient, and the pixels behind it."""

import cached
import chrome
import header
import question_widget
import snippets
import state
import streamlit as st

from cnnviz.concepts.scores_to_loss import GradientStep, Loss, loss_of, softmax_steps, step_against
from cnnviz.layers.layer import quoted
from cnnviz.numbers import number, probability, signed_number
from cnnviz.teaching.questions.scores_to_loss import halved_probability, shifted_logits

here = header.current()
chrome.definition(
    "The network's last sums are scores, one a digit: the logits. Softmax makes probabilities of them, and "
    "the cross-entropy is minus the logarithm of the probability of the digit that is wanted: the loss. Its "
    "gradient says, for every number in the network and every pixel, which way the loss would fall.",
    heard="The network outputs how sure it is, and the loss is how many digits it gets wrong.",
    instead="It outputs scores. Softmax makes shares of them that add up to 1; nothing in it counts how "
    "often such an answer is right. The loss is a smooth number that can fall while the answer stays the "
    "same, so its gradient leads somewhere. A count of mistakes is flat, and then jumps.",
)


def plain(value: float) -> str:
    """A number that was chosen, as it was written."""
    return f"{value:g}"


def probabilities(loss: Loss) -> float:
    """Softmax step by step, at a temperature, which is returned."""
    chrome.section(
        "Scores become probabilities",
        "Divide by the temperature, take the exponential, divide by the sum of all exponentials. A low "
        "temperature sharpens, a high one levels out; the order never changes. The network itself was "
        "trained at temperature 1.",
    )
    degrees = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)
    with chrome.controls("temperature"):
        temperature = state.option(
            "temperature", degrees, 1.0, st.select_slider, "Temperature", format_func=plain
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
            title="logits",
        )
    with right:
        chrome.show(
            "probabilities",
            f"The same after softmax at temperature {plain(temperature)}: they add up to 1.",
            share=0.5,
            values=steps.probabilities,
            label=here.label,
        )
    chrome.table(
        ["digit", "logit z", "(z − max) / T", "e to that", "over the sum"],
        [
            (
                str(k),
                signed_number(steps.logits[k], 4),
                signed_number(steps.scaled[k], 4),
                number(steps.exponentials[k]),
                probability(steps.probabilities[k]),
            )
            for k in range(len(steps.logits))
        ],
        mark=loss.predicted,
        caption=f"The exponentials add up to {number(steps.total, 4)}. To take the largest score off all of "
        "them changes no share and keeps the exponentials small.",
        name="softmax",
    )
    return temperature


def cross_entropy(loss: Loss) -> None:
    """The loss, and the gradient at the logits."""
    wanted = "the label" if loss.target == here.label else "what you chose"
    if here.label is None and loss.target == loss.predicted:
        wanted = "what the network says, for your digit has no label"
    chrome.section(
        "Probabilities become one number",
        f"The target is {loss.target}, {wanted}. Only its probability counts: the loss is −log of it. It is "
        "0 when the network is certain of the target, and grows without bound as the probability goes to 0.",
    )
    left, right = chrome.columns(3, 2)
    with left:
        chrome.show(
            "cross_entropy_curve",
            f"The loss by the probability of {loss.target}, and where {here.digit.name} is: at temperature "
            "1, whatever was chosen above.",
            share=0.6,
            probability=loss.probability,
        )
    with right:
        chrome.facts(
            (f"probability of {loss.target} at temperature 1", probability(loss.probability)),
            ("loss in nats", number(loss.value)),
        )
        st.markdown(
            f"Guessing, with 10 % for each digit, costs {number(loss.of_guessing)} nats. Training lowers the "
            "mean of this over all training images."
        )
    chrome.section(
        "What training would send back",
        "The gradient at the logits is the probabilities less 1 at the target: p − y. A step against it "
        "raises the target's score and lowers the others, each in proportion to its probability. It adds up "
        "to 0, and where the network is certain and right there is next to nothing left to learn.",
    )
    chrome.show(
        "class_columns",
        f"The gradient of the loss at the logits, for the target {loss.target}.",
        values=loss.wrt_logits,
        selected=loss.target,
        title="p − y",
    )


def outcome(step: GradientStep) -> str:
    """What became of the line's promise."""
    if not step.change.any():
        return "No step was taken."
    if step.actual > 0:
        return "This one was so large that the loss rose: behind the next bend the curve goes up again."
    if step.actual < step.expected:
        return "Here the loss fell by more than the line promised."
    return "Here the loss fell by less than the line promised; with a larger step it can even rise."


def pixels(step: GradientStep, size: float) -> None:
    """Which pixels the gradient points at, and one step against it."""
    loss, after = step.before, step.after
    chrome.show(
        "pixel_gradient",
        "The gradient of the loss by pixel: in blue, more ink would raise the loss; in orange, more ink "
        f"would lower it. Then the digit after the step; no pixel changes by more than {plain(size)}.",
        image=loss.image[:, :, 0],
        gradient=loss.wrt_pixels[:, :, 0],
        after=after.image[:, :, 0],
        titles=(here.digit.name, f"loss for {loss.target}, by pixel", "after one step"),
    )
    chrome.table(
        ["", "loss", "its change", f"probability of {loss.target}", "predicted"],
        [
            ("before", number(loss.value), "", probability(loss.probability), str(loss.predicted)),
            ("expected from the gradient", "", signed_number(step.expected), "", ""),
            (
                "after the step",
                number(after.value),
                signed_number(step.actual),
                probability(after.probability),
                str(after.predicted),
            ),
        ],
        mark=2,
        caption=f"{step.cut} of {step.change.size} pixels would have left the range from paper to ink and "
        "were kept in it. A gradient is a straight line put to a curve, and holds for small steps only. "
        + outcome(step),
        name="step",
    )


with chrome.controls("target"):
    default = here.predicted if here.label is None else here.label
    target = state.option("target", range(10), default, st.selectbox, "Target: the digit that is wanted")
loss = cached.kept(loss_of, here.run, target)
temperature = probabilities(loss)
cross_entropy(loss)
chrome.section(
    "Which pixels it points at",
    "The same gradient, sent on through all layers down to the image. Training stops at the weights and "
    "changes those; here the weights stay, and the pixels take a step against the gradient. Choose another "
    "target above, and a few grey pixels can be enough to change the answer, though the digit looks the "
    "same: the network does not see as we do.",
)
sizes = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
with chrome.controls("step"):
    size = state.option(
        "step", sizes, 0.1, st.select_slider, "Step: the largest change of a pixel", format_func=plain
    )
pixels(cached.kept(step_against, loss, size), size)
question_widget.ask(shifted_logits(loss.logits, target), halved_probability(loss.probability))
snippets.show(
    f"""
    import cnnviz
    from cnnviz.concepts.scores_to_loss import loss_of, softmax_steps, step_against

    image = {here.digit.code}
    loss = loss_of(cnnviz.load_model({quoted(here.model)}).run(image), target={target})
    print(softmax_steps(loss.logits, temperature={temperature}).probabilities)
    print(loss.probability, loss.value, loss.of_guessing, loss.wrt_logits)

    step = step_against(loss, {size})
    print(loss.predicted, step.after.predicted, step.expected, step.actual, step.after.value)
    """
)
