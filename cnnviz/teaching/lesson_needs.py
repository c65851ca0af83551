"""What a lesson needs of a network of the user's own, and how to call what is lacking.

A walk says what it needs in an expression (`stage.guided_walk`); here stands what the rest of a lesson's
page needs. Single parts of a page may need more, and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from cnnviz.channels import mixing_layers
from cnnviz.concepts.activation_exchange import hidden_activations
from cnnviz.concepts.batch_normalization import normalizations
from cnnviz.concepts.downsampling import map_layers
from cnnviz.concepts.dropout import dropout_layers
from cnnviz.layers.layer import Layer
from cnnviz.network import Network, Run
from cnnviz.network.class_scores import gives_scores
from cnnviz.network.examples import takes_digits
from cnnviz.stage.expressions import evaluate
from cnnviz.stage.guided_walk import Walk
from cnnviz.stage.plan import plan_for
from cnnviz.stage.stage_scope import StageScope


class Need(NamedTuple):
    """What a network has or has not: how that is told, and what it is called in a sentence."""

    met: Callable[[Network], bool]
    words: str


def _maps(net: Network) -> bool:
    """Whether it reads one image of a size that is known, and a convolution makes maps of it."""
    images = len(net.inputs) == 1 and len(net.input_shape) == 3
    return images and None not in net.input_shape and _convolutions(net) > 0


TEST_DIGITS = 10_000


def reads_digits(net: Network) -> bool:
    """Whether it could tell MNIST's digits apart: ten classes of grey images of 28 x 28."""
    return takes_digits(net) and net.output_shape == (10,)


def _softmax(net: Network) -> bool:
    activation = net[net.outputs[0]].activation
    return gives_scores(net) and activation is not None and activation.name == "softmax"


def _convolved(net: Network) -> Iterator[Layer]:
    """Its convolutions that give maps."""
    return (layer for layer in net if layer.is_convolution and len(layer.output_shape) == 3)


def _convolutions(net: Network) -> int:
    return len(list(_convolved(net)))


def _wide(net: Network) -> bool:
    first = next(_convolved(net), None)
    return first is not None and (first.output_shape[0] or 0) > 6


def _three(net: Network) -> bool:
    return any(layer.config["kernel_size"] == (3, 3) for layer in _convolved(net))


def normalized_maps(net: Network) -> list[str]:
    """The names of its batch normalisations of maps: not those behind dense layers."""
    return [name for name in normalizations(net) if len(net[name].output_shape) == 3]


def passes(net: Network, most: int, work: float = 2 * 10**9) -> int:
    """How many forward passes a page may ask for while somebody waits, from 1 to `most`."""
    one = sum(layer.multiply_adds or 0 for layer in net)
    return max(1, min(most, int(work / max(one, 1))))


def _light(net: Network) -> bool:
    return passes(net, 20) == 20


LIGHT = Need(_light, "speed: one image takes it over 100 million multiply-adds, and this page needs hundreds")
MAPS = Need(_maps, "a convolution over one image, of a size that is known")
POOLABLE = Need(lambda net: bool(map_layers(net)), "maps of at least 4 rows and columns")
WIDE = Need(_wide, "maps of more than 6 rows behind its first convolution")
TWO = Need(lambda net: _convolutions(net) > 1, "two convolutions")
THREE = Need(_three, "a convolution with kernels of 3 × 3")
MIXES = Need(lambda net: bool(mixing_layers(net)), "a 1 × 1 convolution")
BENDS = Need(lambda net: bool(hidden_activations(net)), "an activation function between its layers")
SOFTMAX = Need(_softmax, "a softmax behind one score for each class")
TRAINS_OTHERWISE = Need(
    lambda net: bool(normalized_maps(net) or dropout_layers(net)),
    "a batch normalisation of maps, and a dropout layer",
)
FINITE = "finite numbers: on this picture some of its own are none, or are too large to be added up"
DIGITS = Need(
    lambda net: reads_digits(net) and _softmax(net),
    "MNIST’s digits to look at, with a probability for each of the ten",
)
QUICK = Need(
    lambda net: passes(net, TEST_DIGITS, 2 * 10**11) == TEST_DIGITS,
    "speed: one image takes it over 20 million multiply-adds, and this page shows it 10,000",
)
IN_PAGE = Need(
    lambda net: (plan := plan_for(net, None)).computable and not plan.far,
    "layers that the page itself computes while somebody draws",
)
RECORD = Need(lambda net: False, "the record that was kept of the bundled networks")

NEEDS: dict[str, tuple[Need, ...]] = {
    "overview": (),
    "try_it": (DIGITS, MAPS, BENDS, QUICK, IN_PAGE),
    "feature_maps": (MAPS, SOFTMAX),
    "receptive_field": (MAPS,),
    "convolution": (MAPS, TWO),
    "kernels": (MAPS,),
    "three_by_three": (MAPS, THREE),
    "one_by_one": (MAPS, MIXES),
    "pooling": (MAPS, POOLABLE),
    "activation_functions": (MAPS, BENDS),
    "batch_norm_and_dropout": (MAPS, TRAINS_OTHERWISE),
    "why_convolution": (MAPS, SOFTMAX, WIDE, LIGHT),
    "scores_to_loss": (SOFTMAX,),
    "epochs": (RECORD,),
    "verification": (RECORD,),
}
"""By lesson, what its page needs beside what its walk does."""

WALK_NEEDS = {
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
    "rows(stage('input', 1)) > 1": "an image of more than one row",
    "columns(stage('input', 1)) > 1": "an image of more than one column",
    "channels(last()) == cells(last())": "one score for each class, and not one for each place",
    "cells(last()) > 1": "more than one class to choose from",
    "rows(stage('conv', 2)) > 1": "maps of more than one row behind its second convolution",
    "rows(stage('pool', 1)) > 1": "a pooling that leaves more than one row",
    "rows(stage('affine', 1)) > 1": "a batch normalisation of maps",
    **{
        f"window_{axis}(stage('conv', {number})) == 3": f"3 × 3 kernels in its {which} convolution"
        for axis in ("rows", "columns")
        for number, which in ((1, "first"), (2, "second"))
    },
    "stride(stage('conv', 1)) == 1": "a first convolution that moves on by one cell",
    **{
        f"field_{axis}(stage('conv', 2)) == 5": "a 3 × 3 convolution that reads another’s maps as they are"
        for axis in ("rows", "columns")
    },
    "channels_read(stage('conv', 2)) == channels(source(stage('conv', 2)))": (
        "a second convolution that reads all maps"
    ),
    "pointwise() != ''": "a 1 × 1 convolution",
    **{
        f"{axis}(pointwise()) == {axis}(source(pointwise()))": "a 1 × 1 convolution that keeps its maps’ size"
        for axis in ("rows", "columns")
    },
    "channels_read(pointwise()) == channels(source(pointwise()))": "a 1 × 1 convolution that reads all maps",
    "stride(pointwise()) == 1": "a 1 × 1 convolution at every place",
    "channels_read(pointwise()) > 1": "a 1 × 1 convolution that reads several maps",
}
"""Parts of walks' needs, in words."""


def lack_of(lesson: str, net: Network, *, run: Run | None = None, digits: bool = True) -> str:
    """What a lesson's page needs and a network has not; "" where it has all.

    `run` is what it is shown, if there is such a run: a page that measures a network needs finite numbers.
    `digits` says whether the ten classes of a network that could read digits are digits.

    >>> import cnnviz
    >>> lack_of("pooling", cnnviz.load_model("mnist_14k")), lack_of("epochs", cnnviz.load_model("mnist_14k"))
    ('', 'the record that was kept of the bundled networks')
    """
    needs = NEEDS.get(lesson, ())
    lacks = next((each.words for each in needs if (each is DIGITS and not digits) or not each.met(net)), "")
    if lacks or run is None or not NEEDS.get(lesson) or is_finite(run):
        return lacks
    return FINITE


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
    scope: dict[str, Any] = {**StageScope(run)}
    if evaluate(" and ".join(parts_of(walk)), scope):
        return ""
    return WALK_NEEDS[next(part for part in parts_of(walk) if not evaluate(part, scope))]


def parts_of(walk: Walk) -> list[str]:
    """What a walk needs, one thing after the other: each has its words."""
    return str(walk.get("needs", "1 == 1")).split(" and ")
