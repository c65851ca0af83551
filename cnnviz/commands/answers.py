"""What a network answers, in words and for JSON: the likeliest classes, a number, or the ends of its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from cnnviz.commands.picture_options import Examples
    from cnnviz.network import Network

TOP = 3
"""How many of the likeliest classes are told."""


def outputs_of(net: Network, answers: Any) -> dict[str, np.ndarray]:
    """What `Network.predict` returned, by the names of the outputs."""
    return dict(zip(net.outputs, answers if len(net.outputs) > 1 else (answers,), strict=True))


def is_sigmoid(net: Network, output: str) -> bool:
    """Whether an output's numbers are probabilities, each on its own: it ends in a sigmoid."""
    activation = net[output].activation
    return activation is not None and activation.name == "sigmoid"


def classes_of(net: Network) -> dict[str, int]:
    """How many classes each output tells apart that gives scores of classes, by the output's name."""
    sizes = {}
    for output in net.outputs:
        shape = net[output].output_shape
        if len(shape) == 1 and shape[0] is not None and (shape[0] > 1 or is_sigmoid(net, output)):
            sizes[output] = max(shape[0], 2)
    return sizes


def labels_by_output(net: Network, examples: Examples, names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The labels of the examples as classes of each output that they fit; {} if there are none.

    A folder's classes are those of the output with the same names; without names, those of an output with
    as many classes, in order.
    """
    import numpy as np

    labels, folders = examples.labels, examples.classes
    if labels is None or not len(labels):
        return {}
    found = {}
    for output, size in classes_of(net).items():
        known = list(names.get(output, ()))
        if folders is None:
            if int(labels.max()) < size:
                found[output] = labels
        elif known and set(folders) <= set(known):
            found[output] = np.array([known.index(each) for each in folders])[labels]
        elif size == len(folders):
            found[output] = labels
    return found


def as_scores(net: Network, output: str, values: np.ndarray) -> np.ndarray:
    """An output (N, classes) as scores of classes; one unit with a sigmoid is two classes."""
    import numpy as np

    if values.shape[1:] == (1,) and is_sigmoid(net, output):
        return np.concatenate([1 - values, values], axis=1)
    return values


def answer(
    net: Network, output: str, values: np.ndarray, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """One output for one image, for JSON: the likeliest classes, a number, or the shape and ends of maps.

    Classes have a "probability" where the numbers are one, by a softmax or a sigmoid, else a "score".
    """
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
