"""Answers to what the page asks for of a large network: numbers to be seen, and what a change comes to.

A question and its answer are the same in the explorer and in a notebook. A question is plain data:

    count      its number, which the answer repeats
    of         what it is about, entries of a state (`stage_state`): "item", "image" and "changes"
    numbers    [[what, [[first, step, count], ...]], ...]: a stage by its number, or an array by its name, and
               which places of it, flat
    all        whether the page knows nothing yet of what the image with these changes comes to

An answer is a header {"count", "numbers": [[what, places, place in the part], ...]}, in a part (`parts`) with
the numbers themselves. To `all` it adds "all": the small stages' numbers ("tensors", by the stage) and all
channels' "extents", as a scene has them, and which stages are "changed" against the image without changes.
What cannot be answered has an "error" instead, one sentence. Where numbers are asked for, the runs that they
are of are kept, as far as `RUNS` allows.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import prod
from threading import RLock
from typing import Any

import numpy as np

from cnnviz.network import Run
from cnnviz.numbers import brief
from cnnviz.stage.learner_state import checked, run_of
from cnnviz.stage.parts import Part
from cnnviz.stage.scene import Scene, extents_of, is_small
from cnnviz.stage.stages import values_of

KEPT_BYTES = 400 * 10**6
"""Bytes of runs that are kept, for all who look at a network at a time."""
MOST_NUMBERS = 16 * 10**6
"""Numbers in one answer."""
MOST_PLACES = 200_000
"""Steps in which the places of one question are said."""

Places = list[list[int]]


class KeptRuns:
    """The runs that were looked at last, as many as there is room for; the last one always."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self.most = most
        self._runs: OrderedDict[Any, Run] = OrderedDict()
        self._lock = RLock()
        self._flights: dict[Any, RLock] = {}

    def of(self, key: Any, compute: Callable[[], Run]) -> Run:
        """The run that is kept by a name, or that `compute` gives."""
        with self._lock:
            flight = self._flights.setdefault(key, RLock())
        # Who asks for the same run waits for it; nobody else does.
        with flight:
            run = self._runs.get(key)
            if run is None:
                run = compute()
            with self._lock:
                self._runs[key] = run
                self._runs.move_to_end(key)
                while len(self._runs) > 1 and self.held() > self.most:
                    self._runs.popitem(last=False)
                self._flights.pop(key, None)
            return run

    def held(self) -> int:
        """The bytes of all that is kept; what runs have in common counts once."""
        arrays = {
            id(array): array.nbytes
            for run in self._runs.values()
            for name in run
            for array in (run[name], run.pre_activation(name))
        }
        return sum(arrays.values())

    def clear(self) -> None:
        """Keep none."""
        self._runs.clear()


RUNS = KeptRuns()


def run_for(
    scene: Scene, of: Mapping[str, Any], first: Run | None = None, runs: KeptRuns = RUNS
) -> tuple[Run, Run]:
    """The run that a question is about, and that of the same image without changes.

    `first` is the run that the scene's first image is from, if there is one. ValueError for a question that
    does not fit.
    """
    state = checked(scene, {name: of[name] for name in ("item", "image", "changes") if name in of})

    def kept(state: Mapping[str, Any], base: Run | None) -> Run:
        said = json.dumps([state["item"], state["image"], state["changes"]], sort_keys=True)
        return runs.of((scene.plan.key, scene.key, said), lambda: run_of(scene, state, base))

    is_first = state["image"] is None and state["item"] == scene.items[0]["key"]
    base = first if first is not None and is_first else kept({**state, "changes": []}, None)
    return (base if not state["changes"] else kept(state, base)), base


def answer_numbers(
    scene: Scene, asked: Any, part: Part, first: Run | None = None, runs: KeptRuns = RUNS
) -> dict[str, Any]:
    """What is answered to a question about a scene; the numbers themselves go into a part.

    Parameters
    ----------
    scene
        Of the network and its images.
    asked
        The question, as it came from a browser: anything.
    part
        Takes the numbers in.
    first
        The run that the scene's first image is from, if it is kept.
    runs
        Where runs are kept.

    Returns
    -------
    dict
        The answer's header, as above.

    Examples
    --------
    >>> import cnnviz
    >>> from cnnviz.stage.scene import build_scene
    >>> scene = build_scene(cnnviz.load_model("mnist_14k").run(np.zeros((28, 28))), far=True)
    >>> asked = {"count": 1, "of": {}, "numbers": [[1, [[0, 1, 4]]], ["conv2d/kernel", [[5, 16, 9]]]]}
    >>> answer = answer_numbers(scene, asked, Part())
    >>> [(what, place[1]) for what, _, place in answer["numbers"]]
    [(1, 4), ('conv2d/kernel', 9)]
    """
    count = asked.get("count") if isinstance(asked, Mapping) else None
    answer: dict[str, Any] = {"count": count if isinstance(count, int) else 0, "numbers": []}
    try:
        if not isinstance(asked, Mapping) or not isinstance(asked.get("of"), Mapping):
            raise ValueError(f"a question must say what it is of, got {brief(asked, 60)}")
        wanted = _wanted(scene, asked.get("numbers", []))
        run, base = run_for(scene, asked["of"], first, runs)
        stages = scene.plan.taken.stages
        for what, places in wanted:
            flat = (
                values_of(stages[what], run, 0) if isinstance(what, int) else scene.plan.taken.arrays[what]
            ).reshape(-1)
            numbers = [flat[first : first + step * count : step] for first, step, count in places]
            answer["numbers"].append([what, places, part.add(np.concatenate(numbers))])
        if asked.get("all") is True:
            answer["all"] = _all_of(scene, run, base, part)
    except ValueError as error:
        return {"count": answer["count"], "numbers": [], "error": str(error)}
    return answer


def _all_of(scene: Scene, run: Run, base: Run, part: Part) -> dict[str, Any]:
    """What an image comes to, as far as it is sent unasked, and where that is not what it was."""
    stages = scene.plan.taken.stages
    tensors = {
        str(s): part.add(values_of(stage, run, 0)) for s, stage in enumerate(stages) if is_small(stage)
    }
    changed = [] if run is base else [s for s, stage in enumerate(stages) if _differ(stage, run, base)]
    return {"extents": part.add(extents_of(stages, run, 0)), "tensors": tensors, "changed": changed}


def _differ(stage: Any, run: Run, base: Run) -> bool:
    values, before = values_of(stage, run, 0), values_of(stage, base, 0)
    # What a run takes over from another is the very array.
    if np.may_share_memory(values, before):
        return False
    return not np.array_equal(values, before, equal_nan=True)


def _wanted(scene: Scene, numbers: Any) -> list[tuple[Any, Places]]:
    """What is asked for, checked against the scene."""
    if not isinstance(numbers, list):
        raise ValueError(f"numbers must be a list, got {brief(numbers, 60)}")
    total = steps = 0
    wanted = []
    for each in numbers:
        if not isinstance(each, list) or len(each) != 2 or not isinstance(each[1], list) or not each[1]:
            raise ValueError(f"numbers must hold what and its places, got {brief(each, 60)}")
        what, places = each
        size = _size(scene, what)
        for place in places:
            whole = isinstance(place, list) and len(place) == 3 and all(type(n) is int for n in place)
            if (
                not whole
                or place[0] < 0
                or min(place[1:]) < 1
                or place[0] + place[1] * (place[2] - 1) >= size
            ):
                raise ValueError(
                    f"places must be [first, step, count] of the {size} numbers of {what!r}, "
                    f"got {brief(place, 60)}"
                )
            total += place[2]
        steps += len(places)
        wanted.append((what, places))
    if total > MOST_NUMBERS or steps > MOST_PLACES:
        raise ValueError(
            f"a question is for at most {MOST_NUMBERS:,} numbers, got {total:,} in {steps:,} steps"
        )
    return wanted


def _size(scene: Scene, what: Any) -> int:
    stages, arrays = scene.plan.taken.stages, scene.plan.taken.arrays
    if type(what) is int and 0 <= what < len(stages):
        return prod(stages[what].shape)
    if isinstance(what, str) and what in arrays:
        return int(arrays[what].size)
    raise ValueError(
        f"numbers are of a stage, by its number, or of an array, by its name, got {brief(what, 60)}"
    )
