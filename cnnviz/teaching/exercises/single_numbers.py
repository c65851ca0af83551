"""Exercises on a few numbers: a pooling window, an activation, batch normalisation, softmax and loss."""

from __future__ import annotations

import math

import numpy as np

from cnnviz import ops
from cnnviz.concepts.scores_to_loss import logits_of
from cnnviz.kernels import layers_with_kernels
from cnnviz.layers.layer import Layer
from cnnviz.receipts import explain
from cnnviz.teaching.exercises.exercise import (
    Answer,
    Asked,
    Exercise,
    Given,
    Material,
    Task,
    decimals_for,
    half_a_unit,
    listed,
    rounded,
    telling,
)

DECIMALS = 2
POWERS = 4
"""Decimals of e^x."""
LARGEST_WINDOW = 9
"""Cells of a window that is pooled by hand."""
FARTHEST = 4.0
"""How far below the largest score those of an exercise are: e^-4 is 0.0183."""


def window_by_hand(about: Material) -> Exercise:
    """What max and average pooling make of one window.

    Raises ValueError where the network has no pooling layer with maps.
    """
    pools = [layer for layer in about.network if layer.is_pool and len(layer.output_shape) == 3]
    if not pools:
        raise ValueError(f"{about.network.name} has no layer that pools over windows")
    layer = about.one_of(pools)
    for row, col, channel in about.units(layer.name, 4000):
        terms = explain(about.run, layer.name, row=row, col=col, channel=channel).terms
        digits = decimals_for(terms.factor, 1)
        window = rounded(terms.factor[0], digits)
        different = len(set(window.ravel().tolist()))
        if not terms.padding.any() and window.size <= LARGEST_WINDOW and different >= min(3, window.size):
            break
    else:
        raise ValueError(f"on test digit {about.digit} no window of {layer.name} has three different numbers")
    largest = float(ops.max_pool2d(window[:, :, None], window.shape)[0, 0, 0])
    mean = float(ops.avg_pool2d(window[:, :, None], window.shape)[0, 0, 0])
    rows, cols = terms.position[0, :, 0, 0], terms.position[0, 0, :, 1]
    off = half_a_unit(DECIMALS)
    return Exercise(
        Task(
            "pooling",
            "One window, pooled",
            f"These are rows {rows[0]} to {rows[-1]}, columns {cols[0]} to {cols[-1]} of channel {channel} "
            f"of {layer.inputs[0]}, which {layer.name} reads.",
            (Given("window", "The window", listed(window), digits),),
            (
                Asked("What max pooling makes of it", digits),
                Asked("What average pooling makes of it", DECIMALS),
            ),
        ),
        (
            Answer(
                largest,
                0.0,
                "One of the numbers, as it stands.",
                telling([(float(window.sum()), "added up"), (mean, "the mean")], largest, 0.0),
            ),
            Answer(
                mean,
                off,
                f"A sum over {window.size}, rounded once: {off:g}.",
                telling([(float(window.sum()), f"not divided by {window.size}")], mean, off),
            ),
        ),
    )


def activations_by_hand(about: Material) -> Exercise:
    """ReLU, leaky ReLU and sigmoid of one number before its activation."""
    names = layers_with_kernels(about.network)
    if not names:
        raise ValueError(f"{about.network.name} has no convolution")
    name = about.one_of(names)
    values = about.run.pre_activation(name)[0]
    for place in about.units(name, 4000):
        value = float(rounded(values[place], DECIMALS))
        if 0.1 <= abs(value) <= FARTHEST:
            break
    else:
        raise ValueError(f"{name} has no number between 0.1 and {FARTHEST:g} on test digit {about.digit}")
    slope = about.one_of([0.1, 0.2, 0.3])
    x = np.array([value])
    relu, leaky, sigmoid = (
        float(out[0]) for out in (ops.relu(x), ops.leaky_relu(x, negative_slope=slope), ops.sigmoid(x))
    )
    # Rounded to tenths of hundredths, e^-x is off by d; 1 / (1 + e^-x) falls by less than d, as 1 + e^-x > 1.
    off = half_a_unit(POWERS) + half_a_unit(DECIMALS)
    leak = half_a_unit(DECIMALS) if value < 0 else 0.0
    row, col, channel = place
    return Exercise(
        Task(
            "activations",
            "One number, three activations",
            f"Before its activation the number at row {row}, column {col}, channel {channel} of {name} is "
            f"this. A pocket calculator may help with e^−x: take it with {POWERS} decimals.",
            (Given("x", "x", value, DECIMALS), Given("slope", "Slope of the leaky ReLU below 0", slope, 1)),
            (
                Asked("ReLU of x", DECIMALS),
                Asked("Leaky ReLU of x", DECIMALS),
                Asked("Sigmoid of x, 1 / (1 + e^−x)", DECIMALS),
            ),
        ),
        (
            Answer(
                relu,
                0.0,
                "x or 0, as it stands.",
                telling([(abs(value), "the sign was dropped")], relu, 0.0),
            ),
            Answer(
                leaky,
                leak,
                f"A product, rounded once: {leak:g}." if leak else "x, as it stands.",
                telling([(relu, "that is the ReLU"), (slope * value, "the slope also above 0")], leaky, leak),
            ),
            Answer(
                sigmoid,
                off,
                f"e^−x rounded to {POWERS} decimals moves the quotient by less than "
                f"{half_a_unit(POWERS):g}; it is rounded itself: {half_a_unit(DECIMALS):g} more.",
                telling(
                    [(1 - sigmoid, "e^x taken for e^−x"), (1 / (1 + abs(value)), "no power was taken")],
                    sigmoid,
                    off,
                ),
            ),
        ),
    )


def normalised_by_hand(about: Material) -> Exercise:
    """One number through batch normalisation, as it is after training.

    Raises ValueError where the network has none.
    """
    layers = [layer for layer in about.network if _normalises(layer)]
    if not layers:
        raise ValueError(
            f"{about.network.name} has no batch normalisation; the bundled network that has some is mnist_14k"
        )
    layer = about.one_of(layers)
    values = about.run.inputs(layer.name)[0][0]
    weights = layer.weights
    for place in about.units(layer.name, 4000):
        channel = place[-1]
        x = float(rounded(values[place], DECIMALS))
        mean, variance, gamma, beta = (
            float(rounded(weights[name][channel], DECIMALS))
            for name in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        if x and variance >= 0.04 and gamma and beta and abs(x - mean) >= 0.1:
            break
    else:
        raise ValueError(f"on test digit {about.digit} {layer.name} has too little to normalise")
    value = float(
        ops.batch_norm(
            np.array([x]),
            *(np.array([each]) for each in (mean, variance, gamma, beta)),
            epsilon=0.0,
        )[0]
    )
    root = math.sqrt(variance)
    # (x - m) / s with s off by d is off by at most |x - m| d / (s (s - d)).
    d = half_a_unit(DECIMALS)
    off = abs(gamma) * (abs(x - mean) * d / (root * (root - d)) + d) + d
    row, col, channel = place
    return Exercise(
        Task(
            "normalisation",
            "One number through batch normalisation",
            f"{layer.name} takes the number at row {row}, column {col}, channel {channel}, less the "
            "channel’s mean, "
            "over its spread, times gamma, plus beta. The spread is the root of the variance. Round "
            "each step to "
            f"{DECIMALS} decimals.",
            (
                Given("x", "The number", x, DECIMALS),
                Given("mean", "The channel’s mean", mean, DECIMALS),
                Given("variance", "Its variance", variance, DECIMALS),
                Given("gamma", "gamma", gamma, DECIMALS),
                Given("beta", "beta", beta, DECIMALS),
            ),
            (Asked("The number that comes out", DECIMALS),),
        ),
        (
            Answer(
                value,
                off,
                f"The root is off by {d:g} at most, the quotient by that and {d:g}, times gamma, and {d:g} "
                f"for the end. (The network adds epsilon, {layer.config['epsilon']:g}, to the variance.)",
                telling(
                    [
                        (gamma * (x - mean) / variance + beta, "divided by the variance, not by its root"),
                        (gamma * x / root + beta, "the mean was not taken away"),
                        (gamma * (x - mean) / root, "beta was left out"),
                    ],
                    value,
                    off,
                ),
            ),
        ),
    )


def _normalises(layer: Layer) -> bool:
    return layer.entry.op == "batch_norm" and {"gamma", "beta"} <= layer.weights.keys()


def in_doubt(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,): whether three probabilities, the label's among them, are close enough for a softmax by hand.

    >>> in_doubt(np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]]), np.array([1, 0])).tolist()
    [True, False]
    """
    chosen = (row[_three(row, int(label))] for row, label in zip(probabilities, labels, strict=True))
    # Scores differ by the logarithm of what probabilities are to each other; rounded, by 0.1 more at most.
    return np.array([three.min() > three.max() * math.exp(0.1 - FARTHEST) for three in chosen])


def softmax_by_hand(about: Material) -> Exercise:
    """The softmax of three scores, and the loss.

    Raises ValueError for a digit whose scores lie too far apart.
    """
    scores = logits_of(about.run)[0]
    chosen = _three(scores, about.label)
    z = rounded(scores[chosen], 1)
    if z.max() - z.min() > FARTHEST:
        raise ValueError(f"the scores of test digit {about.digit} lie too far apart for a softmax by hand")
    shares = ops.softmax(z)
    best, label = int(np.argmax(z)), chosen.index(about.label)
    # Every power is off by d at most: of three, a share's own goes one way and the two others the other way.
    d = half_a_unit(POWERS)
    powers = np.exp(z - z.max())
    ends = [((e - d) / (powers.sum() + d), (e + d) / (powers.sum() - d)) for e in powers]
    offs = [
        float(max(high - p, p - low)) + half_a_unit(DECIMALS)
        for (low, high), p in zip(ends, shares, strict=True)
    ]
    loss = -math.log(float(shares[label]))
    off = max(loss + math.log(ends[label][1]), -math.log(ends[label][0]) - loss) + half_a_unit(DECIMALS)
    heads = tuple(f"class {k}" for k in chosen)
    why = (
        f"Powers rounded to {POWERS} decimals, with all errors the worst way, and the result rounded to "
        f"{DECIMALS}."
    )
    return Exercise(
        Task(
            "softmax",
            "From scores to a probability",
            f"For test digit {about.digit} these are three of the network’s scores. Take the softmax "
            "of these three "
            f"alone: first take the largest from each, then e to these powers with {POWERS} decimals "
            "(a pocket "
            "calculator may help), then each over their sum.",
            (
                Given("scores", "Scores", listed(z), 1, heads),
                Given("label", "The label says class", float(about.label)),
            ),
            (
                Asked(f"The probability of class {chosen[best]}", DECIMALS),
                Asked(f"The probability of class {about.label}", DECIMALS),
                Asked(
                    "The loss: minus the natural logarithm of the label’s probability, before that is "
                    "rounded",
                    DECIMALS,
                ),
            ),
        ),
        (
            Answer(
                float(shares[best]),
                offs[best],
                why,
                telling([(float(z[best] / z.sum()), "no powers were taken")], float(shares[best]), offs[best])
                if z.sum()
                else (),
            ),
            Answer(float(shares[label]), offs[label], why),
            Answer(
                loss,
                off,
                why,
                telling([(-math.log10(float(shares[label])), "logarithm to the base 10")], loss, off),
            ),
        ),
    )


def _three(scores: np.ndarray, label: int) -> list[int]:
    """Three classes: the likeliest, and the label's if it is not among them, in order."""
    ranked = [int(k) for k in np.argsort(-scores)[:3]]
    return sorted(ranked if label in ranked else [*ranked[:2], label])
