"""What a lesson needs of a network of the user's own, and how to call what is lacking.

A walk says what it needs in an expression (`stage.guided_walk`); here stands what the rest of a lesson's
page needs, which measures over test digits, say, or is about a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from cnnviz.concepts.dropout import dropout_layers
from cnnviz.network import Network, Run
from cnnviz.network.class_scores import gives_scores
from cnnviz.network.examples import takes_digits
from cnnviz.stage.expressions import evaluate
from cnnviz.stage.guided_walk import Walk
from cnnviz.stage.stage_scope import StageScope


class Need(NamedTuple):
    """What a network has or has not: how that is told, and what it is called in a sentence."""

    met: Callable[[Network], bool]
    words: str


def _maps(net: Network) -> bool:
    """Whether it reads one image of a size that is known, and a convolution makes maps of it."""
    images = len(net.inputs) == 1 and len(net.input_shape) == 3
    return images and None not in net.input_shape and _convolutions(net) > 0


def _digits(net: Network) -> bool:
    return takes_digits(net) and net.output_shape == (10,)


def _softmax(net: Network) -> bool:
    activation = net[net.outputs[0]].activation
    return gives_scores(net) and activation is not None and activation.name == "softmax"


def _rows(net: Network) -> Iterator[int]:
    """The rows of each convolution's maps, 0 where they are not known."""
    maps = (layer for layer in net if layer.is_convolution and len(layer.output_shape) == 3)
    return (layer.output_shape[0] or 0 for layer in maps)


def _convolutions(net: Network) -> int:
    return len(list(_rows(net)))


def _light(net: Network) -> bool:
    return sum(layer.multiply_adds or 0 for layer in net) <= 10**8


LIGHT = Need(_light, "speed: one image takes it over 100 million multiply-adds, and this page needs hundreds")
MAPS = Need(_maps, "a convolution over one image, of a size that is known")
WIDE = Need(lambda net: next(_rows(net), 0) > 6, "maps of more than 6 rows behind its first convolution")
TWO = Need(lambda net: _convolutions(net) > 1, "two convolutions")
SOFTMAX = Need(_softmax, "a softmax behind one score for each class")
TEN = Need(lambda net: net.output_shape == (10,), "ten classes, of which this page lets one be chosen")
DIGITS = Need(_digits, "ten classes of digits in grey, 28 × 28, over which this page measures")
PICTURES = "MNIST's digits, over which this page measures, as it is shown pictures of its own"
DROPOUT = Need(lambda net: bool(dropout_layers(net)), "a dropout layer")
FINITE = "finite numbers: on this picture some of its own are none, or are too large to be added up"
RECORD = Need(lambda net: False, "the record that was kept of the bundled networks")

NEEDS: dict[str, tuple[Need, ...]] = {
    "overview": (),
    "try_it": (RECORD,),
    "feature_maps": (MAPS, SOFTMAX),
    "receptive_field": (MAPS, DIGITS),
    "convolution": (MAPS, TWO, DIGITS),
    "kernels": (MAPS,),
    "three_by_three": (MAPS, DIGITS),
    "one_by_one": (MAPS, DIGITS),
    "pooling": (MAPS,),
    "activation_functions": (MAPS, TWO, DIGITS),
    "batch_norm_and_dropout": (MAPS, DROPOUT, DIGITS),
    "why_convolution": (MAPS, SOFTMAX, WIDE, LIGHT),
    "scores_to_loss": (SOFTMAX, TEN),
    "epochs": (RECORD,),
    "verification": (RECORD,),
}
"""By lesson, what its page needs beside what its walk does."""

_WALK_NEEDS = {
    "traceable()": "a single way from each number back to the pixels",
    "stage('input', 1) != ''": "an input of pixels",
    "stage('conv', 1) != ''": "a convolution",
    "stage('conv', 2) != ''": "a second convolution",
    "source(stage('conv', 1)) == stage('input', 1)": "a convolution that reads the image itself",
    "channels(stage('input', 1)) == 1": "an image in grey",
    "stage('pool', 1) != ''": "a pooling",
    "takes_largest(stage('pool', 1))": "a pooling that takes the largest",
    "stage('affine', 1) != ''": "a batch normalisation",
    "kind(last()) == 'softmax'": "a softmax at its end",
    "kind(source(last())) == 'conv'": "scores that a convolution or a dense layer gives",
    "rectifies(reader(stage('conv', 1)))": "a ReLU behind its first convolution",
}
"""Parts of walks' needs, in words."""


def lack_of(lesson: str, net: Network, *, digits: bool = True, run: Run | None = None) -> str:
    """What a lesson's page needs and a network has not; "" where it has all.

    `digits` is whether MNIST's are what the network is shown: a page that measures over them needs that too.
    `run` is what it is shown, if there is such a run: a page that measures a network needs finite numbers.

    >>> import cnnviz
    >>> lack_of("pooling", cnnviz.load_model("mnist_14k")), lack_of("epochs", cnnviz.load_model("mnist_14k"))
    ('', 'the record that was kept of the bundled networks')
    """
    for need in NEEDS.get(lesson, ()):
        if not need.met(net):
            return need.words
        if need is DIGITS and not digits:
            return PICTURES
    return FINITE if NEEDS.get(lesson) and run is not None and not is_finite(run) else ""


_FINITE: WeakKeyDictionary[Run, bool] = WeakKeyDictionary()
"""Runs that were looked through."""


def is_finite(run: Run) -> bool:
    """Whether no number of a run is NaN or infinite, nor the sum of any layer's."""
    if run not in _FINITE:
        with np.errstate(all="ignore"):
            _FINITE[run] = all(np.isfinite(run[name].sum()) for name in run)
    return _FINITE[run]


def lack_for(walk: Walk, run: Run) -> str:
    """What a walk needs and a network on an image has not; "" where it has all."""
    needs = str(walk.get("needs", "1 == 1"))
    scope: dict[str, Any] = {**StageScope(run)}
    if evaluate(needs, scope):
        return ""
    lacking = next((part for part in needs.split(" and ") if not evaluate(part, scope)), "")
    return _WALK_NEEDS.get(lacking, f"what {walk['title']} is about")
