"""What a lesson needs of a network of the user's own, and how to call what is lacking.

A walk says what it needs in an expression (`stage.guided_walk`); what else is on a lesson's page measures
over the test digits, and needs a network that reads them.
"""

from __future__ import annotations

from typing import Any

from cnnviz.network import LayerGraph, Run
from cnnviz.network.examples import takes_digits
from cnnviz.stage.expressions import evaluate
from cnnviz.stage.guided_walk import Walk
from cnnviz.stage.stage_scope import StageScope

ANY = ("overview",)
"""Lessons whose pages need nothing but a network."""

_LACKING = {
    "traceable()": "single way from each number back to the pixels",
    "stage('input', 1) != ''": "input of pixels",
    "stage('conv', 1) != ''": "convolution",
    "stage('conv', 2) != ''": "second convolution",
    "source(stage('conv', 1)) == stage('input', 1)": "convolution that reads the image itself",
    "channels(stage('input', 1)) == 1": "image in grey",
    "stage('pool', 1) != ''": "pooling",
    "takes_largest(stage('pool', 1))": "max pooling",
    "stage('affine', 1) != ''": "batch normalisation",
    "kind(last()) == 'softmax'": "softmax at its end",
    "rectifies(reader(stage('conv', 1)))": "ReLU behind its first convolution",
}
"""Parts of walks' needs, and what a network has none of that does not meet them."""


def lack_of(lesson: str, net: LayerGraph) -> str:
    """What a lesson's page needs and a network has none of; "" where it has all.

    >>> import cnnviz
    >>> lack_of("pooling", cnnviz.load_model("mnist_14k"))
    ''
    """
    if lesson in ANY:
        return ""
    if not takes_digits(net) or len(net.outputs) != 1 or net.output_shape != (10,):
        return "ten classes of digits, 28 × 28 pixels in grey, over which the page measures"
    first = next((layer for layer in net if layer.is_convolution), None)
    if first is None or first.inputs != net.inputs or len(first.output_shape) != 3:
        return "convolution that reads the image itself"
    last = net[net.outputs[0]]
    if last.activation is None or last.activation.name != "softmax":
        return "softmax at its end"
    return ""


def lack_for(walk: Walk, run: Run) -> str:
    """What a walk needs and a network on an image has none of; "" where it has all."""
    needs = str(walk.get("needs", "1 == 1"))
    scope: dict[str, Any] = {**StageScope(run)}
    if evaluate(needs, scope):
        return ""
    parts = needs.split(" and ")
    lacking = next((part for part in parts if not evaluate(part, scope)), "")
    return _LACKING.get(lacking, f"subject for {walk['title']}")
