"""Guided walks: steps of a few sentences with live numbers, each with the stage's state that it is about.

A walk is plain data, which JSON can hold; js/walking.js plays it. Its entries:

    name        in links and commands: letters, digits and hyphens
    title       for the reader
    needs       an expression: whether a network and its image have what the walk speaks of
    names       {name: expression}, in this order: what all steps may use, each also those before it
    steps       a list of steps

    A step:
    title       a few words
    if          an expression: whether the step applies; without it, it does
    names       as the walk's, for this step, read only where it applies
    say         one to three texts of a sentence or two, as `expressions.sentence` fills them;
                [expression, text] is said only where the expression is true
    searches    true where it asks for the change of mind, which takes the page a moment
    state       {entry: sentence}: of the entries of a state (see `stage_state`) those that the step sets,
                each in the words of a link: {"zoom": "cell", "path": "{largest(conv)}"}. What it does not
                set is as the stage opens, but for what is the learner's: the image, the scale, what is
                unfolded, and the changes, behind which a step's own come until it is left
    question    {"ask": sentence, "choices": [[sentence, expression, sentence], ...]}: an answer, whether it
                is right, and what is said to whoever chose it; one at least is right

What expressions may call, `stage_scope` says; they speak of the learner's image and changes, without those
of the step. A walk's place in a state is [name, step], counted from 0 in the list of all steps, so that a
link means the same step on every network; where that step does not apply, it is the next that does.

Walks are written in rooms above this one, which put them into `WALKS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnviz.network import Run
from cnnviz.numbers import brief
from cnnviz.stage.expressions import Scope, evaluate, sentence
from cnnviz.stage.scene import Scene
from cnnviz.stage.stage_scope import StageScope
from cnnviz.stage.stage_state import empty_state, entry_of

Walk = Mapping[str, Any]

WALKS: dict[str, Walk] = {}
"""The walks that are there, by their names."""


@dataclass(frozen=True)
class Told:
    """One step as it is told of one image."""

    number: int
    title: str
    say: tuple[str, ...]
    state: Mapping[str, Any]
    ask: str = ""
    choices: tuple[tuple[str, bool, str], ...] = ()


def walk_named(walk: str | Walk) -> Walk:
    """A walk by its name, or one that is data already; ValueError if there is none.

    >>> walk_named({"name": "mine", "title": "Mine", "steps": []})["title"]
    'Mine'
    """
    found = WALKS.get(walk) if isinstance(walk, str) else walk
    if not isinstance(found, Mapping) or not re.fullmatch("[a-z0-9-]{1,80}", str(found.get("name"))):
        raise ValueError(f"walk must be one of {', '.join(WALKS) or 'none'}, got {brief(walk)}")
    return found


def told(walk: Walk, run: Run, index: int = 0, classes: Sequence[str] = ()) -> list[Told]:
    """A walk on one image of a run: the steps that apply, their sentences with the image's numbers.

    Parameters
    ----------
    walk
        One of `WALKS`, or data like it.
    run, index
        The image, by its place in the run's batch.
    classes
        The names of the classes; by default their numbers.

    Raises
    ------
    ValueError
        if the walk needs what the network does not have; `ExpressionError`, which is one, for a text that
        is no expression or means nothing.
    """
    return list(_told(walk, _with_names(_suited(walk, run, index, classes), walk)))


def open_walk(scene: Scene, walk: str | Walk, run: Run) -> None:
    """Let a view offer a walk and begin with it; ValueError if it does not suit the run."""
    chosen = walk_named(walk)
    _suited(chosen, run)
    scene.host["walks"] = [*scene.host.get("walks", ()), chosen]
    scene.numbers.header["start"]["walk"] = [chosen["name"], 0]


def suits(walk: Walk, run: Run, index: int = 0) -> bool:
    """Whether a network and its image have what a walk speaks of."""
    return bool(evaluate(walk.get("needs", "1 == 1"), {**StageScope(run, index)}))


def _suited(walk: Walk, run: Run, index: int = 0, classes: Sequence[str] = ()) -> Scope:
    """What a walk speaks of; ValueError where it needs something else."""
    scope = {**StageScope(run, index, tuple(classes))}
    needs = walk.get("needs", "1 == 1")
    if not evaluate(needs, scope):
        raise ValueError(f"the walk {walk['name']} does not suit {run.network.name}: it needs {needs}")
    return scope


def _told(walk: Walk, scope: Scope) -> Iterator[Told]:
    opens = empty_state()
    for number, step in enumerate(walk["steps"]):
        if "if" in step and not evaluate(step["if"], scope):
            continue
        here = _with_names(scope, step)
        state = {key: entry_of(key, sentence(text, here)) for key, text in step.get("state", {}).items()}
        if not state.keys() <= opens.keys():
            raise ValueError(f"a step's state has the entries of a state, got {', '.join(state)}")
        question = step.get("question", {"ask": "", "choices": ()})
        yield Told(
            number,
            sentence(step["title"], here),
            tuple(sentence(text, here) for text in _said(step["say"], here)),
            state,
            sentence(question["ask"], here),
            tuple(
                (sentence(text, here), evaluate(right, here) is True, sentence(reply, here))
                for text, right, reply in question["choices"]
            ),
        )


def _said(say: Sequence[Any], scope: Scope) -> Iterator[str]:
    for each in say:
        condition, text = ("1 == 1", each) if isinstance(each, str) else each
        if evaluate(condition, scope):
            yield text


def _with_names(scope: Scope, named: Mapping[str, Any]) -> Scope:
    known = dict(scope)
    for name, text in named.get("names", {}).items():
        known[name] = evaluate(text, known)
    return known
