"""What a network answers, in words and for JSON: the likeliest classes, a number, or the ends of its maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from cnnviz.network import Network

TOP = 3
"""How many of the likeliest classes are told."""


def answer(
    net: Network, output: str, values: np.ndarray, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """One output for one image, for JSON: the likeliest classes, a number, or the shape and ends of maps.

    Classes have a "probability" where the numbers are one, by a softmax or a sigmoid, else a "score".
    """
    from cnnviz.network.class_scores import as_scores, is_sigmoid
    from cnnviz.network.evaluation import are_probabilities
    from cnnviz.network.mistakes import likeliest

    values = as_scores(net, output, values[None])[0]
    if values.ndim != 1:
        ends = {"smallest": float(values.min()), "largest": float(values.max())} if values.size else {}
        return {"shape": list(values.shape), **ends}
    if len(values) == 1:
        return {"value": float(values[0])}
    shares = is_sigmoid(net, output) or are_probabilities(values[None])
    word = "probability" if shares else "score"
    top = [
        {"class": k, **({"name": names[k]} if names else {}), word: value}
        for k, value in likeliest(values, TOP)
    ]
    return {"prediction": top[0]["class"], "top": top}


def in_words(found: dict[str, Any]) -> str:
    """The same in words: "tench (97.12 %), goldfish (1.04 %), 7 (0.20 %)"."""
    from cnnviz.numbers import number, probability

    if "shape" in found:
        words = f"maps of {' x '.join(map(str, found['shape']))}"
        return f"{words}, from {number(found['smallest'])} to {number(found['largest'])}"
    if "value" in found:
        return number(found["value"], 4)
    return ", ".join(
        f"{one.get('name', one['class'])} "
        + (
            f"({probability(one['probability'])})"
            if "probability" in one
            else f"(score {number(one['score'], 4)})"
        )
        for one in found["top"]
    )
