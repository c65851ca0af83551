"""Which outputs of a network are scores of classes, which of them labels mean, and what it calls examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz.images.class_names import as_name
from cnnviz.network.confusion import Classification, Tally
from cnnviz.network.examples import Examples
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.network.network import Network


def outputs_of(net: LayerGraph, answers: Any) -> dict[str, np.ndarray]:
    """What `Network.predict` returned, by the names of the outputs."""
    return dict(zip(net.outputs, answers if len(net.outputs) > 1 else (answers,), strict=True))


def is_sigmoid(net: LayerGraph, output: str) -> bool:
    """Whether an output's numbers are probabilities, each on its own: it ends in a sigmoid."""
    activation = net[output].activation
    return activation is not None and activation.name == "sigmoid"


def classes_of(net: LayerGraph) -> dict[str, int]:
    """How many classes each output tells apart that gives scores of classes, by the output's name."""
    sizes = {}
    for output in net.outputs:
        shape = net[output].output_shape
        if len(shape) == 1 and shape[0] is not None and (shape[0] > 1 or is_sigmoid(net, output)):
            sizes[output] = max(shape[0], 2)
    return sizes


def gives_scores(net: LayerGraph) -> bool:
    """Whether its only output gives a score for each class, by its last layer with a kernel, of an image."""
    kernels = [layer for layer in net if "kernel" in layer.weights]
    if len(net.outputs) != 1 or len(net.inputs) != 1 or not kernels:
        return False
    shape, scores = net.output_shape, kernels[-1].output_shape
    one_score_each = len(shape) == 1 and (shape[0] or 0) > 1 and scores in (shape, (1, 1, *shape))
    return one_score_each and len(net.input_shape) == 3


def labels_by_output(
    net: LayerGraph, examples: Examples, names: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The labels of the examples as classes of each output that they fit; {} if there are none.

    A folder's classes are those of the output with the same names, each of which only one class has; without
    names, those of an output with as many classes, in order.
    """
    labels = examples.labels
    # As a list of classes has them, where letters that do not print are none.
    folders = None if examples.classes is None else [*map(as_name, examples.classes)]
    if labels is None or not len(labels):
        return {}
    found = {}
    for output, size in classes_of(net).items():
        known = [*map(as_name, names.get(output, ()))]
        called = Counter(known)
        if folders is None:
            if int(labels.min()) >= 0 and int(labels.max()) < size:
                found[output] = labels
        elif all(called[each] == 1 for each in folders):
            found[output] = np.array([known.index(each) for each in folders])[labels]
        elif size == len(folders):
            found[output] = labels
    return found


def as_scores(net: LayerGraph, output: str, values: np.ndarray) -> np.ndarray:
    """An output (N, classes) as scores of classes; one unit with a sigmoid is two classes."""
    if values.shape[1:] == (1,) and is_sigmoid(net, output):
        return np.concatenate([1 - values, values], axis=1)
    return values


def classified(
    net: Network,
    examples: Examples,
    labels: Mapping[str, np.ndarray],
    progress: Callable[[int, int], None] = lambda done, of_all: None,
    batch_size: int = 32,
) -> dict[str, Classification]:
    """What a network calls labelled examples, by the outputs that `labels` names.

    Parameters
    ----------
    labels
        What `labels_by_output` found: (N,) classes, by the output's name.
    progress
        Called as progress(examples that are done, of how many).

    Returns
    -------
    dict
        A mistake's index is its example's place. Examples that cannot be read are left out, and are in
        `examples.skipped`.

    Raises
    ------
    ValueError
        if none can be read; as `Network.predict`.
    """
    tallies = {output: Tally() for output in labels}
    for places, batch in examples.batches(batch_size):
        for output, values in outputs_of(net, net.predict(batch)).items():
            if output in tallies:
                tallies[output].add(as_scores(net, output, values), labels[output][places], places)
        progress(places[-1] + 1, len(examples))
    if examples.skipped and len(examples.skipped) == len(examples):
        raise ValueError(examples.none_is_read)
    return {output: tally.result for output, tally in tallies.items()}
