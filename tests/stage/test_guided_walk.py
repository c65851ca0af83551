"""Guided walks as data: what is told of them, and what is refused."""

import numpy as np
import pytest

import cnnviz
from cnnviz.stage.expressions import ExpressionError
from cnnviz.stage.guided_walk import WALKS, told, walk_named

cnnviz.view  # The package's door brings the walks.  # noqa: B018
WALK = {
    "name": "mine",
    "title": "Mine",
    "needs": "rows('input') == 28",
    "names": {"conv": "stage('conv', 1)", "spot": "largest(conv)"},
    "steps": [
        {
            "title": "All of {conv}",
            "say": ["{cells('input'): count} pixels"],
            "state": {"layer": "{conv}", "zoom": "layer"},
        },
        {"title": "Never", "if": "1 == 0", "names": {"bad": "rows('nothing')"}, "say": ["{bad}"]},
        {
            "title": "Ask",
            "names": {"inked": "nonzero('input') > 0"},
            "say": [["inked", "There is ink."], ["not inked", "It is blank."]],
            "state": {"path": "{spot}"},
            "question": {
                "ask": "Is {1 + 1} even?",
                "choices": [["Yes", "2 % 2 == 0", "Right."], ["No", "1 == 0", "It is."]],
            },
        },
    ],
}


@pytest.fixture(scope="module")
def run():
    return cnnviz.load_model("mnist_14k").run(np.zeros((28, 28), np.uint8))


def test_steps_that_apply_are_told_with_their_states(run):
    first, last = told(WALK, run)
    assert (first.number, first.title, first.say) == (0, "All of conv2d", ("784 pixels",))
    assert first.state == {"layer": "conv2d", "zoom": "layer"}
    assert (last.number, last.say) == (2, ("It is blank.",))
    ((name, *place),) = last.state["path"]
    assert (name, len(place)) == ("conv2d", 3)
    assert last.choices == (("Yes", True, "Right."), ("No", False, "It is."))


def test_what_does_not_fit_is_refused(run):
    with pytest.raises(ValueError, match="mine does not suit mnist_14k: it needs rows"):
        told({**WALK, "needs": "rows('input') == 3"}, run)
    with pytest.raises(ExpressionError, match="nothing"):
        told({**WALK, "steps": [{"title": "", "say": ["{rows('nothing')}"]}]}, run)
    with pytest.raises(ValueError, match="entries of a state"):
        told({**WALK, "steps": [{"title": "", "say": [], "state": {"colour": "red"}}]}, run)
    for wrong in ("nothing", 3, {"name": "Mine!"}, {}):
        with pytest.raises(ValueError, match="walk must be one of from-pixel-to-answer"):
            walk_named(wrong)


def test_a_view_offers_a_walk_by_name_or_as_data(run):
    net, image = run.network, np.zeros((28, 28), np.uint8)
    name = "from-pixel-to-answer"
    for walk in (name, WALK):
        view = cnnviz.view(net, image, walk=walk)
        scene = view.scene
        (offered,) = scene.host["walks"]
        assert offered == walk_named(walk)
        assert scene.numbers.header["start"]["walk"] == view.state["walk"] == [offered["name"], 0]
    assert name in WALKS
    assert "walks" not in cnnviz.view(net, image).scene.host
    with pytest.raises(ValueError, match="does not suit"):
        cnnviz.view(net, image, walk={**WALK, "needs": "1 == 0"})
