"""Every guided walk on several images and both models: all of it can be said, and the page says the same."""

import re
from base64 import b64encode

import numpy as np
import pytest

import cnnviz
from cnnviz.stage.guided_walk import WALKS, told
from cnnviz.stage.scene import build_scene
from harness.live_view import strokes
from harness.node import ask_node

cnnviz.view  # The package's door brings the walks.  # noqa: B018
LACKS = {"mnist_14k": set(), "mnist_maxpool": {"three-by-three", "one-by-one", "batch-norm-and-dropout"}}
"""The walks that a model has no subject for."""
NUMBER = re.compile(r"[0-9][0-9,.]*(?:e[0-9]+)?")


def images():
    """Two test digits, one of them misread by a model, a drawing, blank paper and paper full of ink."""
    digits = cnnviz.load_mnist()[1][0]
    blank = np.zeros((28, 28), np.uint8)
    return np.stack([*digits[[0, 247]], strokes(1)[::6, ::6], blank, blank + 255]).astype(np.uint8)


@pytest.fixture(scope="module", params=sorted(LACKS))
def run(request):
    return cnnviz.load_model(request.param).run(images())


@pytest.fixture(scope="module")
def tellings(run):
    """What each walk that suits tells of each image."""
    suiting = [name for name in WALKS if name not in LACKS[run.network.name]]
    return {name: [told(WALKS[name], run, index) for index in range(len(run.output))] for name in suiting}


def texts_of(step):
    return [
        step.title,
        *step.say,
        step.ask,
        *(part for text, _, reply in step.choices for part in (text, reply)),
    ]


def test_a_model_without_the_subject_is_told_so(run):
    for name in LACKS[run.network.name]:
        with pytest.raises(ValueError, match=f"the walk {name} does not suit"):
            told(WALKS[name], run)


def test_every_step_can_be_said(tellings):
    for name, images_told in tellings.items():
        for steps in images_told:
            assert 3 <= len(steps) <= 16, name
            for step in steps:
                text = " ".join(filter(None, texts_of(step)))
                assert not re.search(r"[{}]|not a number|infinite|  ", text), text
                assert 1 <= len(step.say) <= 3
                assert len(re.findall(r"[.?](?=\s|$)", " ".join(step.say))) <= 3, step.say
                assert all(re.search(r"[.?]$", each) for each in step.say), step.say
                assert not re.search(r"\b1 (maps|kernels|tries|squares|weights|products|rows)\b", text), text


def test_questions_have_answers_that_can_be_told_apart(tellings):
    for images_told in tellings.values():
        for step in (step for steps in images_told for step in steps if step.ask):
            choices = [text for text, _, _ in step.choices]
            assert len(set(choices)) == len(choices), step.ask
            assert any(right for _, right, _ in step.choices), step.ask
            for _, right, reply in step.choices:
                assert right == reply.startswith("Right"), (step.ask, reply)


def test_a_step_shows_what_the_stage_has(run, tellings):
    """Its cells and layers are there, and its changes are those that a run can be made with."""
    from cnnviz.stage.intervention import intervene

    stages = {stage["name"]: stage["shape"] for stage in build_scene(run).plan.part.header["stages"]}
    for images_told in tellings.values():
        for index, steps in enumerate(images_told):
            for step in steps:
                assert step.state.get("layer", "input") in stages
                for name, *place in step.state.get("path", []):
                    assert all(0 <= at < size for at, size in zip(place, stages[name], strict=True))
                intervene(run.network, run["input"][index], step.state.get("changes", []))


def test_the_page_tells_the_same(run, tellings):
    given = {"scene": b64encode(bytes(build_scene(run))).decode(), "walks": list(WALKS.values())}
    for name, pages in ask_node(IN_PAGE, given, "scene", "stage_scope", "guided_walk").items():
        if name in LACKS[run.network.name]:
            assert pages == [None] * len(run.output)
            continue
        for page, python in zip(pages, tellings[name], strict=True):
            assert [step["number"] for step in page] == [step.number for step in python]
            for here, there in zip(python, page, strict=True):
                assert there["state"] == here.state
                said = [there["title"], *there["say"], there["ask"]]
                said += [part for text, _, reply in there["choices"] for part in (text, reply)]
                assert [right for _, right, _ in here.choices] == [right for _, right, _ in there["choices"]]
                for text, other in zip(texts_of(here), said, strict=True):
                    same_sentence(text, other)


def same_sentence(text, other):
    """The same words; numbers have three digits, of which the last may be rounded the other way."""
    assert NUMBER.sub("#", text) == NUMBER.sub("#", other)
    for a, b in zip(NUMBER.findall(text), NUMBER.findall(other), strict=True):
        a, b = (float(each.replace(",", "").rstrip(".")) for each in (a, b))
        assert a == b or abs(a - b) <= 0.011 * max(a, b), (text, other)


IN_PAGE = """({ scene, stage_scope, guided_walk }, given) => {
  const bytes = Uint8Array.from(atob(given.scene), (letter) => letter.charCodeAt(0));
  const shown = scene.sceneOf(bytes);
  const scopes = shown.items.map((_, item) => {
    const values = shown.valuesOf(item);
    return new stage_scope.StageScope(shown, [values[0]], [], values).functions;
  });
  const { suits, applying, told } = guided_walk;
  const tell = (walk) => scopes.map((scope) =>
    suits(walk, scope) ? applying(walk, scope).map((number) => told(walk, number, scope)) : null);
  return Object.fromEntries(given.walks.map((walk) => [walk.name, tell(walk)]));
}"""
