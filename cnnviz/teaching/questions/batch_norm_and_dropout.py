"""Questions about batch normalisation and dropout: what rescaling does, and what scaling is for.

The answers are computed by `ops.batch_norm_training`, and over drawn masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers.layer import Layer
from cnnviz.numbers import general, percent
from cnnviz.teaching.questions.question import Choice, Question, question


def louder_input(layer: Layer, batch: Any, *, row: int, col: int, channel: int, factor: int = 10) -> Question:
    """What a batch norm in training form makes of a number when its whole channel becomes larger.

    Parameters
    ----------
    layer
        A batch normalisation.
    batch
        (N, H, W, C): what it reads.
    row, col, channel
        A cell of the batch's first image.
    factor
        What the channel is multiplied with, in all images.

    Raises
    ------
    ValueError
        for another kind of layer.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> net = load_model("mnist_14k")
    >>> run = net.run(load_mnist()[1][0][:4])
    >>> layer = net["batch_normalization_3"]
    >>> asked = louder_input(layer, run.inputs(layer.name)[0], row=3, col=4, channel=2)
    >>> len(asked.choices)
    4
    """
    if layer.kind != "BatchNormalization":
        raise ValueError(f"layer must be a batch normalisation, {layer.name} is a {layer.kind}")
    batch = np.asarray(batch)
    gamma, beta = layer.weights.get("gamma"), layer.weights.get("beta")
    epsilon = layer.config["epsilon"]
    cell = (0, row, col, channel)
    louder = batch * batch.dtype.type(factor)
    now = float(ops.batch_norm_training(batch, gamma, beta, epsilon=epsilon)[0][cell])
    then = float(ops.batch_norm_training(louder, gamma, beta, epsilon=epsilon)[0][cell])
    moving = layer.weights["moving_mean"], layer.weights["moving_variance"]
    fixed = float(ops.batch_norm(louder, *moving, gamma, beta, epsilon=epsilon)[cell])
    offset = 0.0 if beta is None else float(beta[channel])
    variance = float(batch[..., channel].var(dtype=np.float64))
    farther = (then - offset) / (now - offset) if now != offset else 1.0
    return question(
        f"In training, {layer.name} makes {general(now)} of the number at row {row}, column {col} of channel "
        f"{channel}. Now the layer before it gives {factor} times as much in this channel, in every image "
        "of the batch. What does it make of the number then? Before dividing, the layer adds epsilon, "
        f"{epsilon:g}, to the variance, which was {general(variance)}.",
        Choice(
            general(then),
            f"Mean and deviation become {factor} times as large too, and are divided out. Epsilon does not "
            f"grow with them: beside the variance it was {_beside(epsilon, variance)}, and now counts for "
            f"less. So the number lies {general(farther)} times as far from beta as it did"
            + (
                ". That is why the size of the weights before a batch norm hardly matters in training."
                if farther < 1.05
                else ", where a batch norm without epsilon would have left it. Only in a channel that varies "
                "so little does the size of the weights before it matter."
            )
            if variance
            else "This channel has the same number everywhere, in all images of the batch. Less its mean "
            "it is 0, however large it was, and beta is all that is left.",
        ),
        [
            Choice(
                general(factor * now),
                "So it would be if batch norm multiplied by a fixed number; in training the number follows "
                "the batch.",
                "batch norm is a fixed scale",
            ),
            Choice(
                general(fixed),
                "That is the inference form, with the moving averages, which know nothing of the change.",
                "training uses the moving averages",
            ),
            Choice(
                general(offset),
                "beta is what the channel's mean becomes, not each of its numbers.",
                "batch norm makes all numbers alike",
            ),
            Choice(
                general(now / factor),
                "The deviation by which it divides has grown, but so has the number that is divided.",
                "only the divisor grows",
            ),
        ],
    )


def _beside(epsilon: float, variance: float) -> str:
    """How much epsilon is of what the layer divides by."""
    return f"{percent(epsilon / (epsilon + variance), 1)} of the sum"


def without_scaling(name: str, rate: float) -> Question:
    """What would have to be done now if training had not divided what it kept by 1 - rate.

    Parameters
    ----------
    name
        The dropout layer's, for the prompt.
    rate
        Its rate, above 0 and below 1.

    Examples
    --------
    >>> without_scaling("dropout", 0.25).answer.text
    '0.75'
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate must be above 0 and below 1, got {rate!r}")
    return question(
        f"Suppose training had only set numbers to 0 in {name}, each with probability {general(rate)}, and "
        "not divided the others by anything. By what would its output have to be multiplied now, so that the "
        "next layer sees on average what it saw in training?",
        Choice(
            general(1 - rate),
            "On average that share of each number came through. The first paper on dropout did it so; to "
            "divide in training instead leaves nothing to do now.",
        ),
        [
            Choice(
                general(1),
                "The next layer would see more than it ever saw on average: in training a part was missing.",
                "dropout has no effect on sizes",
            ),
            Choice(
                general(1 / (1 - rate)),
                "That makes up for missing numbers while they are missing, in training. Now none is.",
                "the scaling the wrong way round",
            ),
            Choice(
                general(rate),
                "That is the share that was dropped, not the one that came through.",
                "dropped and kept confused",
            ),
        ],
    )
