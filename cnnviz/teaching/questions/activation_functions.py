"""Questions about activation functions: what a second one changes, and what layers without one are.

The answers come from the ops and from receptive fields.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.network import Network
from cnnviz.numbers import counted
from cnnviz.receptive_fields import receptive_field
from cnnviz.teaching.questions.question import Choice, Question, choice_by, question


def applied_twice(name: str, function: Activation, values: Any) -> Question:
    """How many outputs of a layer a second activation of the same kind changes.

    Parameters
    ----------
    name
        The layer's, for the prompt.
    function
        Elementwise.
    values
        Its pre-activations, any shape and not empty.

    Examples
    --------
    >>> applied_twice("conv2d", Activation("relu"), [-1.0, 2.0, 3.0]).answer.text
    '0 of 3'
    """
    values = np.asarray(values)
    once = function(values)
    changed = int((function(once) != once).sum())
    zeros, passed = int((once == 0).sum()), int((values > 0).sum())
    if changed:
        why = f"{function} maps what it has made to other numbers wherever f(f(z)) is not f(z)."
    elif not _settles(function):
        why = f"All these numbers come through {function} as they are, the first time and the second."
    else:
        why = f"What {function} has made it leaves alone: f(f(z)) = f(z). A second one in a row is of no use."

    of = choice_by(lambda count: f"{count:,} of {values.size:,}")
    mistakes = [
        (
            passed,
            "These were above 0 before the first one. To pass a curve is not yet to be changed by it.",
            "an activation function changes whatever passes it",
        ),
        (
            0,
            f"For ReLU that would be so. But {function} of {function} is another curve.",
            "every activation function is done after the first time",
        ),
        (
            zeros,
            "These are 0 already; whether they change depends on f(0), not on their being 0.",
            "an activation function works on zeros",
        ),
        (
            values.size,
            f"Every number goes through the curve; {values.size - changed:,} come out as they went in.",
            "every function changes every number",
        ),
    ]
    return question(
        f"Behind the {function} of {name} stands another {function}, with no layer between. How many of "
        "the outputs does the second one change, on this image?",
        of(changed, why),
        # What is nearly right, since a few numbers are too small to change, is not asked for.
        [
            of(count, reason, misconception)
            for count, reason, misconception in mistakes
            if abs(count - changed) > values.size // 20
        ],
    )


def _settles(function: Activation) -> bool:
    """Whether the function leaves alone what it has made, whatever that was made of."""
    once = function(np.linspace(-8, 8, 1601))
    return bool(np.array_equal(function(once), once))


def one_convolution(net: Network, name: str) -> Question:
    """Which single convolution does what a layer and the next one do without the bends between them.

    Parameters
    ----------
    net
        A chain of layers.
    name
        A layer: the last convolution up to it is meant; if that is the network's last, the one before it.

    Raises
    ------
    ValueError
        if the network has no second convolution, or it does not read the first.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> one_convolution(load_model("mnist_14k"), "conv2d").answer.text
    'one of 5 × 5'
    """
    convolutions = [layer for layer in net.layers if layer.is_convolution]
    if len(convolutions) < 2:
        raise ValueError(f"net must have two convolutions, {net.name} has {len(convolutions)}")
    places = [layer.name for layer in convolutions]
    names = [layer.name for layer in net.layers]
    upto = [each for each in places if names.index(each) <= names.index(net[name].name)]
    place = max(min(len(upto) - 1, len(places) - 2), 0)
    first, second = convolutions[place : place + 2]
    fields = receptive_field(net, wrt=first.inputs[0])
    if second.name not in fields or second.name not in receptive_field(net, wrt=first.name):
        raise ValueError(f"{second.name} must read what {first.name} gives")
    seen, apart = fields[second.name].size, int(fields[second.inputs[0]].stride[0] or 1)
    one, two = (layer.config["kernel_size"] for layer in (first, second))
    between = net.layers[names.index(first.name) : names.index(second.name)]
    pools = [layer.name for layer in between if layer.is_pool]

    def of(size: Any) -> str:
        return f"one of {size[0]} × {size[1]}"

    sizes = f"{one[0]} × {one[1]} and {two[0]} × {two[1]}"
    averages = f", and let {' and '.join(pools)} average" if pools else ""
    through = " through the pooling" if pools else ""
    overlap = f"The windows of {first.name} begin {counted(apart, 'cell')} apart, and overlap"
    return question(
        f"Take the activation of {first.name} away{averages}. Which single convolution then does what "
        f"{first.name} and {second.name}, {sizes}, do together?",
        Choice(
            of(seen),
            f"Sums of sums are sums: each output of {second.name} is a weighted sum of the {seen[0]} × "
            f"{seen[1]} cells that it reaches{through}, with the same weights everywhere.",
        ),
        [
            Choice(
                "none",
                "Without a bend the second can add nothing but reach: the weights multiply out.",
                "two layers are always more than one",
            ),
            Choice(
                of((one[0] + two[0], one[1] + two[1])),
                f"{overlap}: the sizes do not simply add up.",
                "kernel sizes add up",
            ),
            Choice(
                of((one[0] * two[0], one[1] * two[1])),
                f"That would hold if the windows stood side by side. {overlap}.",
                "kernel sizes multiply",
            ),
            Choice(
                of(two),
                f"Each cell that {second.name} reads is itself a sum over a window of {first.name}.",
                "the last layer's window is all that counts",
            ),
            Choice(
                of((one[0] + two[0] - 1, one[1] + two[1] - 1)),
                f"So it would be with windows 1 cell apart; they are {apart} apart here.",
                "a pooling or a stride does not widen the steps",
            ),
        ],
    )
