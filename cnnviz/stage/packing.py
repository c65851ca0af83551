"""Which numbers of a large network go into a file: the layers that were chosen, or as many as fit.

A layer goes with all that its receipts show: its stages, the stages that these read, and its weights. What is
left out is shown as such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

from cnnviz.network import Run
from cnnviz.numbers import brief
from cnnviz.stage.plan import place_of
from cnnviz.stage.scene import Scene, extents_of, is_small
from cnnviz.stage.stages import values_of

FILE_BYTES = 20 * 10**6
"""What a file of a large network may have, unless its author says what is to be in it."""
CODE_BYTES = 700_000
"""About what style sheet and script take of it."""


def packed(
    scene: Scene,
    run_of_item: Callable[[str], Run],
    layers: Iterable[str] | None = None,
    last: int | None = None,
    limit: float = FILE_BYTES,
) -> Scene:
    """A far scene with numbers in it, for a page that cannot ask for any.

    Parameters
    ----------
    scene
        Whose plan is far; it stays as it is.
    run_of_item
        The run of each of its images, by the key.
    layers, last, limit
        As for `LiveView.save`.

    Returns
    -------
    Scene
        Its host's "left_out" is a sentence about what is not in it, "" if nothing.

    Raises
    ------
    ValueError
        if there is no such layer.
    """
    stages = scene.plan.taken.stages
    names = list(dict.fromkeys(stage.layer.name for stage in stages))
    if layers is not None and last is not None:
        raise ValueError("layers and last are two ways to say the same: give one of them")
    if layers is not None:
        chosen = [_known(scene, name, names) for name in layers]
    elif last is not None:
        if not last >= 1:
            raise ValueError(f"last must be a number of layers, at least 1, got {brief(last)}")
        chosen = names[-last:]
    else:
        chosen = None
    held = _Held(scene)
    if chosen is None:
        # A file holds bytes as text, four letters for three.
        room = 0.75 * (limit - CODE_BYTES) - len(scene.plan.sent) - len(bytes(scene.numbers))
        # From both ends inwards, over what is too large for the room that is left.
        inwards = [name for both in zip(names, reversed(names), strict=True) for name in both]
        # One layer that would take a large part of it waits until the others are in.
        for most in (room / 8, room):
            for name in dict.fromkeys(inwards):
                if held.bytes_with(name) <= min(room, held.bytes_with() + most):
                    held.take(name)
    else:
        for name in chosen:
            held.take(name)
    return held.scene(run_of_item, names)


def _known(scene: Scene, name: str, names: list[str]) -> str:
    net = scene.network
    if name not in net or net[name].name not in names:
        raise ValueError(
            f"layers must be names of layers that are shown ({', '.join(names[:20])}), got {name!r}"
        )
    return net[name].name


class _Held:
    """The stages and arrays that are in the file so far."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stages: set[int] = set()
        self._arrays: set[str] = set()

    def _needed(self, name: str) -> tuple[set[int], set[str]]:
        taken, places = self._scene.plan.taken, self._scene.plan.part.header["arrays"]
        own = [s for s, stage in enumerate(taken.stages) if stage.layer.name == name]
        wanted = {*own, *(read for s in own for read in taken.stages[s].reads)}
        arrays = {each for s in own for each in taken.stages[s].computed.arrays if each in places}
        far = {each for each in arrays if places[each][0] is None}
        return {s for s in wanted if not is_small(taken.stages[s])} - self._stages, far - self._arrays

    def bytes_with(self, name: str = "") -> int:
        """What all would take with one more layer."""
        stages, arrays = self._needed(name)
        return self._bytes(self._stages | stages, self._arrays | arrays)

    def _bytes(self, stages: Iterable[int], arrays: Iterable[str]) -> int:
        taken = self._scene.plan.taken
        numbers = len(self._scene.items) * sum(prod(taken.stages[s].shape) for s in stages)
        return 4 * (numbers + sum(taken.arrays[name].size for name in arrays))

    def take(self, name: str) -> None:
        """One more layer."""
        stages, arrays = self._needed(name)
        self._stages |= stages
        self._arrays |= arrays

    def scene(self, run_of_item: Callable[[str], Run], names: list[str]) -> Scene:
        """The scene with all that is held."""
        new = self._scene.copy()
        taken, numbers, header = new.plan.taken, new.numbers, new.numbers.header
        items = []
        for item in header["items"]:
            run = run_of_item(item["key"])
            small = {s for s, stage in enumerate(taken.stages) if is_small(stage)}
            sent = item["tensors"]
            more = sorted(s for s in small | self._stages if str(s) not in sent)
            places = {str(s): numbers.add(values_of(taken.stages[s], run, 0)) for s in more}
            extents = item.get("extents") or numbers.add(extents_of(taken.stages, run, 0))
            items.append({**item, "tensors": {**sent, **places}, "extents": extents})
        arrays = {name: place_of(numbers, taken.arrays[name]) for name in sorted(self._arrays)}
        header |= {"items": items, "arrays": {**header["arrays"], **arrays}}
        new.host["left_out"] = _sentence([name for name in names if any(self._needed(name))], names)
        return new


def _sentence(left: list[str], names: list[str]) -> str:
    if not left:
        return ""
    some = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    return (
        f"This file holds the numbers of {len(names) - len(left)} of {len(names)} layers, so that it is not "
        f"too large. Left out are those of {some}, so that nothing can be changed in it."
    )
