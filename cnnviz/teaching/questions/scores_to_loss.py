"""Questions about softmax and cross-entropy: what a shift of the scores does, and what a ratio costs.

The answers are computed by `ops.softmax_cross_entropy`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.numbers import general, minus
from cnnviz.teaching.questions.question import Choice, Question, choice_by, question


def shifted_logits(logits: Any, target: int, shift: float = 5.0, called: str = "") -> Question:
    """What becomes of the loss when the same number is added to every logit.

    Parameters
    ----------
    logits
        (classes,).
    target
        The class that the loss is for.
    shift
        What is added; not 0.
    called
        The class's name; by default its number.

    Examples
    --------
    >>> shifted_logits([1.0, 1.0], 0).answer.text
    '0.693'
    """
    logits = np.asarray(logits, np.float64)
    now = float(ops.softmax_cross_entropy(logits, target))
    then = float(ops.softmax_cross_entropy(logits + shift, target))
    if abs(then - now) <= 1e-13 * (1 + float(np.abs(logits).max()) + abs(shift)):
        then = now  # What is left of a difference is rounding.
    probability = math.exp(-now)
    return question(
        f"The loss for {called or target} is {_text(now)}. Now {_text(shift)} is added to all {len(logits)} "
        "logits. What is the loss then?",
        Choice(
            _text(then),
            "Every exponential becomes the same number of times as large, and so does their sum: no "
            "probability changes. Only differences of logits count.",
        ),
        [
            Choice(
                _text(now + shift),
                "The target's logit has grown, but so have the others.",
                "the loss is a logit",
            ),
            Choice(
                _text(max(now - shift, 0.0)),
                "A larger logit of the target lowers the loss only if the others stay behind.",
                "only the target's logit counts",
            ),
            Choice(
                _text(now * math.exp(shift)),
                "Each exponential grows so, and the sum below it does too; the share stays.",
                "exponentials without their sum",
            ),
            Choice(
                _text(probability),
                "That is the target's probability, which has not changed either. The loss is −log of it.",
                "the loss is the probability",
            ),
        ],
    )


def halved_probability(probability: float) -> Question:
    """By how much the loss grows when the target's probability is halved.

    Parameters
    ----------
    probability
        The target's now, above 0 and at most 1.

    Examples
    --------
    >>> halved_probability(0.9).answer.text
    '0.693 more'
    """
    if not 0 < probability <= 1:
        raise ValueError(f"probability must be above 0 and at most 1, got {probability!r}")
    before, after = (_loss(p) for p in (probability, probability / 2))

    more = choice_by(lambda amount: f"{_text(amount)} more")
    return question(
        "Suppose the network gave the target half the probability that it gives it now. How much larger "
        "would the loss be, in nats?",
        more(after - before, "−log(p / 2) = −log p + log 2, whatever p is: each halving costs 0.693 nats."),
        [
            more(
                before,
                "That would double the loss. But the loss is a logarithm: a factor becomes a sum.",
                "half the probability is twice the loss",
            ),
            more(
                probability / 2,
                "That is how much probability is lost. The loss counts ratios, not differences.",
                "the loss is 1 − p",
            ),
            more(
                0.5, "The natural logarithm of 2 is 0.693, not one half.", "the loss falls in a straight line"
            ),
            more(
                1.0,
                "With logarithms to base 2 it would be 1 bit; the loss here is in nats.",
                "nats taken for bits",
            ),
        ],
    )


def _loss(probability: float) -> float:
    """The cross-entropy of a class of that probability, by the op."""
    with np.errstate(divide="ignore"):
        logits = np.log([probability, 1 - probability])
    return float(ops.softmax_cross_entropy(logits, 0))


def _text(value: float) -> str:
    return minus(f"{value:,.0f}") if abs(value) >= 1000 else general(value)
