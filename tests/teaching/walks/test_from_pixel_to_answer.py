"""The walk from pixel to answer: what its sentences claim, on several digits and both models."""

import re

import numpy as np
import pytest
from hypothesis import settings

import cnnviz
from cnnviz.stage.guided_walk import WALKS, told
from harness.live_view import strokes

cnnviz.view  # The package's door brings the walks.  # noqa: B018
WALK = WALKS["from-pixel-to-answer"]
LACKS = {"mnist_14k": {6}, "mnist_maxpool": {5, 8, 9}}
"""The steps that a model has no subject for: only one of both poolings, the norm and the 1 x 1 layer."""


def images():
    """Test digits, some that are misread, drawings, blank paper and paper full of ink."""
    digits = cnnviz.load_mnist()[1][0]
    drawn = [strokes(seed)[::6, ::6] for seed in range(1)]
    return np.stack([*digits[[1, 18, 247]], *drawn, np.zeros((28, 28)), np.full((28, 28), 255)]).astype(
        np.uint8
    )


@pytest.fixture(scope="module", params=sorted(LACKS))
def run(request):
    return cnnviz.load_model(request.param).run(images())


def test_every_step_is_told_of_every_image(run):
    for index in range(len(run.output)):
        steps = told(WALK, run, index)
        numbers = {step.number for step in steps}
        expected = set(range(len(WALK["steps"]))) - LACKS[run.network.name]
        assert numbers | {14} == expected, "taking away is left out where no ink is found"
        assert 12 <= len(numbers | {14}) <= 16
        for step in steps:
            assert 1 <= len(step.say) <= 3
            text = " ".join(
                (
                    step.title,
                    *step.say,
                    step.ask,
                    *(part for each in step.choices for part in (each[0], each[2])),
                )
            )
            assert not re.search(r"[{}]|not a number|  ", text), text
            assert all(re.search(r"[.?]$", each) for each in (*step.say, *([step.ask] if step.ask else [])))
            assert not step.choices or any(right for _, right, _ in step.choices), step.ask


def test_singular_and_plural():
    one = cnnviz.load_model("mnist_14k")
    blank = np.zeros((28, 28), np.uint8)
    blank[3, 4] = 255
    first = told(WALK, one.run(blank))[0]
    assert "1 of them is not 0; the largest is 1.00, in row 3, column 4" in first.say[1]


def test_claims_hold(run):
    """The numbers that sentences state, worked out by NumPy from the run."""
    net = run.network
    for index in range(len(run.output)):
        said = {step.number: (" ".join(step.say), step) for step in told(WALK, run, index)}
        x = run["input"][index, ..., 0]
        assert f"{np.count_nonzero(x):,} of them" in said[0][0]
        before = run.pre_activation("conv2d")[index]
        assert f"Here {(before < 0).sum():,} of {before.size:,} numbers" in said[4][0]
        assert f"{np.count_nonzero(np.maximum(before, 0)):,}" in said[4][0]
        order = np.argsort(-run.output[index])
        assert f"for {order[0]}. Next comes {order[1]} with" in said[11][0]
        if 14 in said:
            text, step = said[14]
            after = net.predict(changed(x, step.state["changes"]))[0]
            assert (f"still says {order[0]}" in text) == (after.argmax() == order[0])
            assert after.argmax() == order[0] or f"Now it says {after.argmax()}" in text
        text, step = said[15]
        flipped = net.predict(changed(x, step.state["changes"]))[0]
        if step.state["changes"]:
            assert f"Now it says {flipped.argmax()}, with" in text
            assert flipped.argmax() != order[0]
        else:
            assert "none changes its mind" in text


def changed(x, changes):
    x = x.copy()
    for change in changes:
        assert (change["kind"], change["stage"]) == ("values", "input")
        x.ravel()[change["at"]] = change["values"]
    return x


@pytest.mark.parametrize("name", sorted(LACKS))
def test_a_change_of_mind_is_found_or_said_not_to_be(name):
    """On 1,000 digits in the thorough profile, of which at most 22 and 6 kept their mind; on a few else."""
    net = cnnviz.load_model(name)
    digits = cnnviz.load_mnist()[1][0][:: 10 if settings().max_examples > 200 else 2500]
    kept = 0
    for digit in digits:
        step = next(step for step in told(WALK, net.run(digit)) if step.number == 15)
        text = " ".join(step.say)
        kept += "none changes its mind" in text
        assert ("none changes its mind" in text) == (step.state["changes"] == [])
    assert kept <= 0.03 * len(digits)
