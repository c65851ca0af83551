"""Questions about verification: what equal predictions prove, and what a third evaluation says.

The first one computes with wrong weights on purpose; the second takes a recorded comparison.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.network import Network
from cnnviz.numbers import counted, number
from cnnviz.teaching.questions.question import Choice, Question, choice_by, question
from cnnviz.verification.comparison import LayerCheck


def rounded_weights(net: Network, images: Any, decimals: int = 1) -> Question:
    """On how many images a network predicts something else when its kernels are rounded.

    Parameters
    ----------
    net
        A classifier with kernels.
    images
        As for `Network.predict`, at least one.
    decimals
        That the weights of all kernels are rounded to.

    Raises
    ------
    ValueError
        if there are no images, or no kernels.

    Examples
    --------
    >>> import cnnviz
    >>> images = cnnviz.load_mnist()[1][0][:20]
    >>> rounded_weights(cnnviz.load_model("mnist_maxpool"), images).answer.text
    '0 of 20'
    """
    if not len(images):
        raise ValueError("images must hold at least one")
    kernels = {
        f"{layer.name}/{name}": np.round(weights, decimals)
        for layer in net
        for name, weights in layer.weights.items()
        if name.endswith("kernel")
    }
    if not kernels:
        raise ValueError(f"{net.name} has no kernels to round")
    exact, rounded = net.predict(images), net.with_weights(kernels).predict(images)
    count, classes = exact.shape
    changed = int((exact.argmax(axis=1) != rounded.argmax(axis=1)).sum())
    furthest = float(np.abs(exact - rounded).max())
    places = "one decimal" if decimals == 1 else f"{decimals} decimals"

    of = choice_by(lambda images: f"{images:,} of {count:,}")
    return question(
        f"All kernels of {net.name} are rounded to {places}, so every layer computes something wrong. On how "
        f"many of {count:,} test digits is the prediction another?",
        of(
            changed,
            f"A probability is off by as much as {number(furthest)}, and yet the largest one stays the "
            f"largest in {counted(count - changed, 'image')} of {count:,}. Equal predictions prove little "
            "about numbers, so every number is compared.",
        ),
        [
            of(
                count,
                "Every probability depends on every weight, and changes. The prediction is only which one is "
                "largest.",
                "taking the prediction for the numbers",
            ),
            of(
                round(count * (1 - 1 / classes)),
                f"So many would be wrong by pure guessing among {classes} classes. The rounded weights' "
                "answers are not guesses.",
                "a wrong network guesses",
            ),
            of(
                round(count * furthest),
                f"{number(furthest)} is how far the worst probability is off, not how many digits are wrong.",
                "taking the size of an error for the share of errors",
            ),
            # Where none of the above differs from the answer.
            of(
                min(changed + 1, count),
                f"One too many: {counted(changed, 'prediction')} changed.",
                "miscounting",
            ),
        ],
    )


def who_is_right(layer: LayerCheck) -> Question:
    """What a difference between two engines says, with each one's error against float64 beside it.

    Parameters
    ----------
    layer
        Of a `Verification`.

    Raises
    ------
    ValueError
        for a layer in which one of them does not round.

    Examples
    --------
    >>> from cnnviz.verification.comparison import read_record
    >>> layer = next(row for row in read_record()["mnist_14k"].layers if row.name == "conv2d_3")
    >>> [choice.misconception for choice in who_is_right(layer).choices if not choice.right][0]
    'whatever is widely used is exact'
    """
    ours, theirs = layer.numpy_error, layer.tensorflow_error
    if not (ours > 0 and theirs > 0):
        raise ValueError(f"layer must be one in which both engines round, got {layer}")
    nearer = f"{'NumPy' if ours < theirs else 'TensorFlow'} is nearer to the exact value"
    if ours == theirs:
        nearer = "both are equally far from the exact value"
    return question(
        f"At {layer.name} NumPy and TensorFlow differ by up to {number(layer.difference)}. From the "
        f"evaluation in float64 NumPy is up to {number(ours)} away, TensorFlow up to {number(theirs)}. What "
        "follows?",
        Choice(
            f"Both round, each in its own order; here {nearer}.",
            "A float32 keeps 24 binary digits, and a sum depends on the order in which it is rounded. "
            "Neither is exact, and two correct programs may differ by the sum of their errors.",
        ),
        [
            Choice(
                f"TensorFlow is right, and NumPy is wrong by {number(layer.difference)}.",
                f"Then TensorFlow would be 0 away from float64, and it is {number(theirs)}.",
                "whatever is widely used is exact",
            ),
            Choice(
                "One of the two has a mistake: correct programs agree to the last digit.",
                "They would if numbers were exact. Floating-point sums in another order end in other digits.",
                "rounding is a bug",
            ),
            Choice(
                "TensorFlow computes in float64, and NumPy in float32.",
                "Both compute in float32 here; the float64 evaluation is the third one, which judges.",
                "a difference means another precision",
            ),
        ],
    )
