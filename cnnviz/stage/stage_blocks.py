"""Blocks: what of a large network stands in one column until it is opened, found by its structure alone.

A fork and the merge in which all its ways meet again hold a region between them (Johnson, Pearson and
Pingali, "The Program Structure Tree", PLDI 1994): a residual block, a layer of a dense block, parallel
branches, squeeze-and-excitation. Nested models are blocks too. Where a level has still more columns than a
screen has room for, neighbours of one kind and size are taken together, then rows of plain layers, then all
of one resolution. A network that fits as it is has no blocks. Names only caption what was found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain, pairwise, takewhile
from math import ceil, sqrt
from typing import Any

from cnnviz.stage.stages import Stage

MOST_COLUMNS = 12
"""Columns that a screen has room for, at 1280x720 beside a receipt."""
MOST_INSIDE = 8
"""Columns of an opened block, which has its neighbours beside it."""
MOST_ROWS = 4
"""Branches that stand above each other."""


@dataclass(frozen=True)
class StageBlock:
    """Stages that are one column until they are opened.

    `name` stands for it in a state. `what` says what it is in words, `caption` what its layers' names have
    in common. `within` is the number of the block around it.
    """

    name: str
    caption: str
    what: str
    stages: tuple[int, ...]
    layers: int
    within: int | None = None


def blocks_of(stages: Sequence[Stage], shown: Iterable[str] | None = None) -> list[StageBlock]:
    """The blocks of a network that was taken apart, each after the one around it.

    Parameters
    ----------
    stages
        Each after those that it reads.
    shown
        The layers that have columns; None is all.

    Examples
    --------
    >>> import cnnviz
    >>> from cnnviz.stage.stages import take_apart
    >>> net = cnnviz.load_model("mnist_14k")
    >>> blocks_of(take_apart(net, {layer.name: layer.output_shape for layer in net}).stages)
    []
    """
    graph = _Graph(stages)
    seen = None if shown is None else set(shown)
    steps = [s for s in graph.order if seen is None or any(each.layer.name in seen for each in graph.of(s))]
    if graph.fits(steps, MOST_COLUMNS):
        return []
    root = graph.tree()
    _coarsen(graph, root, MOST_COLUMNS)
    blocks: list[StageBlock] = []
    _write(graph, root, None, blocks)
    return blocks


def finishing(stages: Sequence[Stage]) -> list[bool]:
    """Which stages only finish, number by number, what the stage that they read began, and nobody else reads.

    They share its column.
    """
    readers = [0] * len(stages)
    for stage in stages:
        for source in set(stage.reads):
            readers[source] += 1
    return [
        len(stage.reads) == 1
        and readers[stage.reads[0]] == 1
        and stage.op["type"] in ("affine", "activation", "softmax")
        and stages[stage.reads[0]].op["type"] != "input"
        and stage.shape == stages[stage.reads[0]].shape
        for stage in stages
    ]


@dataclass(eq=False)
class _Item:
    """A step, or what is taken together: its `parts`, in their order."""

    steps: list[int]
    kind: str = ""
    parts: list[_Item] = field(default_factory=list)
    nested: str | None = None
    """Of a nested model its name."""
    ends: list[_Item] = field(default_factory=list)
    """The first and the last of the parts, where single steps took their places: a caption names them."""

    @property
    def unit(self) -> bool:
        """Whether it is one of what networks repeat."""
        return bool(self.kind) and not self.nested


class _Graph:
    """Steps, each a stage with those that finish it, and which of them reads which."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = stages
        self.members: list[list[int]] = []
        step_of: list[int] = []
        for i, (stage, finishes) in enumerate(zip(stages, finishing(stages), strict=True)):
            if finishes:
                step_of.append(step_of[stage.reads[0]])
                self.members[step_of[i]].append(i)
            else:
                step_of.append(len(self.members))
                self.members.append([i])
        self.reads = [
            list(dict.fromkeys(step_of[source] for source in stages[first].reads))
            for first, *_ in self.members
        ]
        self.readers: list[list[int]] = [[] for _ in self.members]
        for step, sources in enumerate(self.reads):
            for source in sources:
                self.readers[source].append(step)
        self.order = self._deep_first()
        self.place = {step: place for place, step in enumerate(self.order)}

    def of(self, step: int) -> list[Stage]:
        return [self.stages[i] for i in self.members[step]]

    def _deep_first(self) -> list[int]:
        """The steps, each after what it reads, and one branch after the other."""
        order: list[int] = []
        done = [False] * len(self.members)
        for sink in (step for step, readers in enumerate(self.readers) if not readers):
            waiting = [sink]
            while waiting:
                step = waiting[-1]
                left = [source for source in self.reads[step] if not done[source]]
                if left:
                    waiting.append(left[0])
                    continue
                waiting.pop()
                if not done[step]:
                    done[step] = True
                    order.append(step)
        return order

    def fits(self, steps: Sequence[int], most: int) -> bool:
        """Whether steps stand in so many columns, each right of what it reads and few above each other."""
        column: dict[int, int] = {}
        for step in sorted(steps, key=self.place.__getitem__):
            column[step] = max(
                (column[source] + 1 for source in self.reads[step] if source in column), default=0
            )
        above = Counter(column.values())
        return len(above) <= most and max(above.values(), default=0) <= MOST_ROWS

    def size(self, step: int) -> tuple[int, ...]:
        return self.of(step)[-1].shape

    def op(self, step: int) -> Any:
        return self.of(step)[0].op

    # Regions ------------------------------------------------------------------------------------------

    def tree(self) -> _Item:
        """Nested models and regions between a fork and its merge, one in the other."""
        root = _Item(list(self.order))
        for steps, kind, nested in sorted(
            (*self._models(), *self._regions()), key=lambda each: -len(each[0])
        ):
            _insert(root, _Item(steps, kind, nested=nested))
        self._fill(root)
        return root

    def _fill(self, item: _Item) -> None:
        """Steps that are in no region are parts of their own."""
        inside = {step: part for part in item.parts for step in part.steps}
        parts = [inside[step] if step in inside else _Item([step]) for step in item.steps]
        item.parts = list(dict.fromkeys(parts))
        for part in item.parts:
            if len(part.steps) > 1:
                self._fill(part)

    def _models(self) -> Iterable[tuple[list[int], str, str | None]]:
        """The layers of each call of a nested model; a network that is all one is no block."""
        models: dict[tuple[str, str], list[int]] = {}
        for step in self.order:
            name, _, call = self.of(step)[0].layer.name.partition(":")
            folders = name.split("/")[:-1]
            for depth in range(len(folders)):
                models.setdefault(("/".join(folders[: depth + 1]), call), []).append(step)
        for (name, _), steps in models.items():
            if 1 < len(steps) < len(self.order):
                yield steps, "nested model", name

    def _regions(self) -> Iterable[tuple[list[int], str, str | None]]:
        before: dict[int, int] = {}
        for step in self.order:
            ways = [before[source] for source in self.reads[step]]
            before[step] = reduce(int.__and__, ways) if ways else 0
            before[step] |= 1 << self.place[step]
        after: dict[int, int] = {}
        for step in reversed(self.order):
            ways = [after[reader] for reader in self.readers[step]]
            after[step] = (reduce(int.__and__, ways) if ways else 0) | 1 << self.place[step]
        for fork in self.order:
            if len(self.readers[fork]) < 2:
                continue
            meeting = after[fork] & ~(1 << self.place[fork])
            if not meeting:
                continue
            merge = self.order[(meeting & -meeting).bit_length() - 1]
            ends = 1 << self.place[fork], 1 << self.place[merge]
            between = self.order[self.place[fork] + 1 : self.place[merge] + 1]
            steps = [step for step in between if before[step] & ends[0] and after[step] & ends[1]]
            kind = self._kind(fork, merge, steps)
            if before[merge] & ends[0] and len(steps) > 2 and kind:
                yield steps, kind, None

    def _kind(self, fork: int, merge: int, steps: list[int]) -> str:
        """What a region is called; "" for one that goes to other resolutions and back, as a U-Net does."""
        sides = {self.size(step)[:2] for step in steps}
        ends = {self.size(fork)[:2], self.size(merge)[:2], (1, 1)}
        if {side for side in sides - ends if not self._only_padded(side, steps)}:
            return ""
        op = self.op(merge)
        skips = fork in self.reads[merge]
        gates = any(self._excites(step) for step in steps[:-1])
        if op["type"] == "merge" and op["mode"] == "multiply" and skips:
            return "squeeze-and-excitation" if (1, 1) in sides and self.size(merge)[:2] != (1, 1) else "gate"
        if op["type"] == "merge" and op["mode"] in ("add", "average"):
            widest = max(self.size(step)[2] for step in steps)
            deep = any(self._depthwise(step) for step in steps)
            inverted = deep and widest > max(self.size(fork)[2], self.size(merge)[2])
            return ("inverted residual" if inverted else "residual block") + (
                " with squeeze-and-excitation" * gates
            )
        if self._joins(merge):
            return "dense layer" if skips else "parallel branches"
        return "branches"

    def _excites(self, step: int) -> bool:
        """Whether it multiplies maps by one number for each channel."""
        op = self.op(step)
        sizes = [self.size(source)[:2] for source in self.reads[step]]
        return op["type"] == "merge" and op["mode"] == "multiply" and (1, 1) in sizes and len(set(sizes)) > 1

    def _depthwise(self, step: int) -> bool:
        op = self.op(step)
        return op["type"] == "conv" and 1 < op["groups"] == self.size(self.reads[step][0])[2]

    def _pads(self, step: int) -> bool:
        """Whether it only puts a border around, or takes one away: no step of its own in a block's plan."""
        if self.op(step)["type"] != "move" or len(self.reads[step]) != 1:
            return False
        shape, source = self.size(step), self.size(self.reads[step][0])
        return shape[2] == source[2] and max(abs(shape[0] - source[0]), abs(shape[1] - source[1])) < 8

    def _only_padded(self, side: tuple[int, ...], steps: list[int]) -> bool:
        return all(self._pads(step) for step in steps if self.size(step)[:2] == side)

    def _joins(self, step: int) -> bool:
        """Whether it lays the channels of several inputs side by side."""
        return len(self.reads[step]) > 1 and self.size(step)[2] == sum(
            self.size(s)[2] for s in self.reads[step]
        )

    # Comparing ----------------------------------------------------------------------------------------

    def sign(self, item: _Item) -> tuple[Any, ...]:
        """What items of one plan have in common, whatever their sizes."""
        if item.parts:
            return (item.kind, *(sign for part in item.parts for sign in self.plan_of(part)))
        (step,) = item.steps
        op = self.op(step)
        if op["type"] != "conv":
            return op["type"], op.get("mode", "")
        window = "1x1" if op["rows"][1] == op["cols"][1] == 1 else "window"
        return "conv", window, self._depthwise(step), len(self.members[step]) > 2

    def plan_of(self, item: _Item) -> list[tuple[Any, ...]]:
        return [] if not item.parts and self._pads(item.steps[0]) else [self.sign(item)]

    def follows(self, item: _Item, other: _Item) -> bool:
        """Whether an item reads another."""
        steps = set(other.steps)
        return any(source in steps for step in item.steps for source in self.reads[step])

    def side(self, item: _Item) -> tuple[int, ...]:
        return self.size(item.steps[-1])[:2]


def _insert(around: _Item, item: _Item) -> None:
    """Put an item into the innermost one that holds it; what would overlap another is left out."""
    steps = set(item.steps)
    for part in around.parts:
        common = steps.intersection(part.steps)
        if len(common) == len(steps) and len(steps) < len(part.steps):
            _insert(part, item)
            return
        if common:
            return
    around.parts.append(item)


def _coarsen(graph: _Graph, item: _Item, most: int) -> None:
    """Take the parts of an item together until there are few enough, and so on inside each."""
    if graph.fits(item.steps, most):
        item.ends = [item.parts[end] for end in (0, -1)] if item.parts else []
        item.parts = [_Item([step]) for step in item.steps]
        return
    parts = _with_likenesses(graph, item.parts)
    for rung in (_alike, _plain_rows, _of_one_side, _of_one_resolution, _in_equal_shares):
        if len(parts) <= most:
            break
        fewer = rung(graph, parts, most)
        # One part for all would be the same block once more.
        parts = fewer if len(fewer) > 1 else parts
    item.parts = parts
    for part in parts:
        if len(part.steps) > 1:
            _coarsen(graph, part, MOST_INSIDE)


def _with_likenesses(graph: _Graph, parts: list[_Item]) -> list[_Item]:
    """Rows of layers that equal a residual block's branch, or all of it but its first layer, are units too.

    So a block that changes its size, and has therefore no skip, is found by those that have one.
    """
    branches = {}
    for part in parts:
        if part.kind.startswith(("residual", "inverted")):
            inside = [sign for each in part.parts[:-1] for sign in graph.plan_of(each)]
            for branch in (inside, inside[1:] if len(inside) > 2 else []):
                if len(branch) > 1:
                    branches[tuple(branch)] = part.kind
    if not branches:
        return parts
    taken: list[_Item] = []
    end = len(parts)
    while end:
        # The longest is the one that begins first.
        start = next((s for s in range(end) if _row(graph, parts[s:end]) in branches), None)
        if start is None:
            end -= 1
            taken.append(parts[end])
            continue
        row = parts[start:end]
        # Padding before its first layer belongs to it.
        taken.append(_together(row, branches[_row(graph, row) or ()]))
        end = start
    return taken[::-1]


def _row(graph: _Graph, parts: list[_Item]) -> tuple[Any, ...] | None:
    """The plan of parts of which each reads the one before; None if they do not, or one is a unit itself."""
    if any(part.kind.startswith(("residual", "inverted", "nested")) for part in parts):
        return None
    if any(not graph.follows(after, part) for part, after in pairwise(parts)):
        return None
    return tuple(sign for part in parts for sign in graph.plan_of(part))


def _together(parts: list[_Item], kind: str) -> _Item:
    return _Item([step for part in parts for step in part.steps], kind, parts)


def _runs(parts: list[_Item], joins: Callable[[_Item, _Item], bool]) -> list[list[_Item]]:
    """Neighbours that belong together."""
    runs: list[list[_Item]] = []
    for part in parts:
        if runs and joins(runs[-1][-1], part):
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _family(item: _Item) -> str:
    return item.kind.removesuffix(" with squeeze-and-excitation")


def _group(runs: list[list[_Item]]) -> list[_Item]:
    """Runs as items; a run of one is that one."""
    return [run[0] if len(run) == 1 else _together(run, _said(run)) for run in runs]


def _said(parts: list[_Item]) -> str:
    """What parts that are taken together are."""
    kinds = {_family(part) for part in parts}
    if kinds == {"dense layer"}:
        return f"dense block of {len(parts)} layers"
    if len(kinds) == 1 and "" not in kinds:
        (kind,) = kinds
        kind = max((part.kind for part in parts), key=len)
        words, _, more = kind.partition(" with ")
        many = words if words.endswith("s") else f"{words}s"
        return f"{len(parts)} {many}" + (f" with {more}" if more else "")
    return ""


def _alike(graph: _Graph, parts: list[_Item], most: int) -> list[_Item]:
    """Units of one kind and shape, of which each reads the one before; a dense block's grow."""

    def joins(part: _Item, after: _Item) -> bool:
        if not (part.unit and after.unit and _family(part) == _family(after) and graph.follows(after, part)):
            return False
        dense = part.kind == after.kind == "dense layer"
        shapes = [graph.size(each.steps[-1]) for each in (part, after)]
        return shapes[0][:2] == shapes[1][:2] if dense else shapes[0] == shapes[1]

    return _group(_runs(parts, joins))


def _of_one_side(graph: _Graph, parts: list[_Item], most: int) -> list[_Item]:
    """The same for units of one resolution, whatever their channels."""

    def joins(part: _Item, after: _Item) -> bool:
        units = part.unit and after.unit and graph.follows(after, part)
        return units and graph.side(part) == graph.side(after)

    flat = [each for part in parts for each in (part.parts if part.kind[:1].isdigit() else [part])]
    return _group(_runs(flat, joins))


def _plain_rows(graph: _Graph, parts: list[_Item], most: int) -> list[_Item]:
    """Rows of single layers between blocks: all of one plan at a time, those first that save most."""
    if not any(part.kind for part in parts):
        return parts
    ends = [part for part in parts if _is_end(graph, part)]

    def joins(part: _Item, after: _Item) -> bool:
        return not (part.kind or after.kind or part in ends or after in ends) and graph.follows(after, part)

    runs = _runs(parts, joins)
    plans: dict[Any, list[int]] = {}
    for i, run in enumerate(runs):
        if len(run) > 1:
            plans.setdefault(_row(graph, run), []).append(i)
    folded: set[int] = set()
    left = len(parts)
    for rows in sorted(plans.values(), key=lambda each: -sum(len(runs[i]) - 1 for i in each)):
        if left <= most:
            break
        folded.update(rows)
        left -= sum(len(runs[i]) - 1 for i in rows)
    return [item for i, run in enumerate(runs) for item in ([_together(run, "")] if i in folded else run)]


def _is_end(graph: _Graph, item: _Item) -> bool:
    """Whether it is an input or an output, which keep their places."""
    (step, *others) = item.steps
    return not others and not (graph.reads[step] and graph.readers[step])


def _of_one_resolution(graph: _Graph, parts: list[_Item], most: int) -> list[_Item]:
    """All neighbours of one resolution; what has none any more, as vectors, stays."""

    def joins(part: _Item, after: _Item) -> bool:
        if _is_end(graph, part) or _is_end(graph, after) or part.nested or after.nested:
            return False
        side = graph.side(part)
        return side != (1, 1) and side == graph.side(after) and graph.follows(after, part)

    padded: list[_Item] = []
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        # Padding goes with what it is for.
        if after and not part.parts and graph._pads(part.steps[0]) and graph.follows(after, part):
            padded.append(_together([part, after], after.kind))
        elif not (padded and padded[-1].parts[-1:] == [part]):
            padded.append(part)
    return [
        run[0] if len(run) == 1 else _together(_loose(graph, run), _said(run)) for run in _runs(padded, joins)
    ]


def _loose(graph: _Graph, run: list[_Item]) -> list[_Item]:
    """Without the pairs of padding and what it is for, which were only made to stay together."""
    return [
        each
        for item in run
        for each in (
            item.parts
            if item.parts
            and len(item.parts) == 2
            and not item.parts[0].parts
            and graph._pads(item.parts[0].steps[0])
            else [item]
        )
    ]


def _in_equal_shares(graph: _Graph, parts: list[_Item], most: int) -> list[_Item]:
    """As many neighbours together as there are then shares."""
    ends = [part for part in parts if _is_end(graph, part)]
    inner = len(parts) - len(ends)
    size = max(1, ceil(sqrt(inner)), ceil(inner / max(1, most - len(ends))))
    runs = _runs(
        parts, lambda part, after: part not in ends and after not in ends and graph.follows(after, part)
    )
    shares = [run[at : at + size] for run in runs for at in range(0, len(run), size)]
    if len(shares) > most:
        # They do not read each other in a row.
        rows = [share for share in shares if share[0] not in ends]
        size = max(1, ceil(len(rows) / max(1, most - len(ends))))
        joined = [list(chain(*rows[at : at + size])) for at in range(0, len(rows), size)]
        first = [[part] for part in ends if not graph.reads[part.steps[0]]]
        shares = [*first, *joined, *([part] for part in ends if [part] not in first)]
    return _group(shares)


# What is sent ------------------------------------------------------------------------------------------


def _write(graph: _Graph, item: _Item, within: int | None, blocks: list[StageBlock]) -> None:
    for part in item.parts:
        if len(part.steps) == 1:
            continue
        number = len(blocks)
        blocks.append(_block(graph, part, within, "" if within is None else blocks[within].caption))
        _write(graph, part, number, blocks)


def _block(graph: _Graph, item: _Item, within: int | None, around: str) -> StageBlock:
    stages = sorted(i for step in item.steps for i in graph.members[step])
    layers = list(dict.fromkeys(graph.stages[i].layer.name for i in stages))
    hidden = {name for i in stages for name in graph.stages[i].hidden}
    ends = graph.of(item.steps[0])[0].layer.name, graph.of(item.steps[-1])[0].layer.name
    return StageBlock(
        name="..".join(ends),
        caption=_caption(graph, item, around),
        what=item.kind,
        stages=tuple(stages),
        layers=len(layers) + len(hidden),
        within=within,
    )


def _caption(graph: _Graph, item: _Item, around: str = "") -> str:
    """What the names have in common, if that says more than what is around; else the first and the last."""
    if item.nested:
        return item.nested.rpartition("/")[2]
    names = [graph.of(step)[0].layer.name for step in item.steps]
    folder = _common(names).rpartition("/")[0]
    own = [name.removeprefix(f"{folder}/") for name in names]
    shared = _common(own)
    if shared not in own:
        for word in (r"[A-Za-z]", r"\d"):
            # It ends within a word or a number.
            if re.search(f"{word}$", shared) and any(re.match(word, name[len(shared) :]) for name in own):
                shared = re.sub(f"{word}+$", "", shared)
        shared = shared.rstrip("_-. ")
        if shared != around and len(shared) > 2 and re.search(r"\d|_", shared):
            return shared
    ends = item.ends or [item.parts[end] for end in (0, -1)]
    first, last = (
        _caption(graph, each) if each.parts else own[end] for end, each in zip((0, -1), ends, strict=True)
    )
    return f"{first.partition(' – ')[0]} – {last.rpartition(' – ')[2]}"


def _common(names: Sequence[str]) -> str:
    """The letters with which all names begin."""
    return "".join(
        letters[0] for letters in takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))
    )
