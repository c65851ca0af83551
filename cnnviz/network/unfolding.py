"""A model's calls as the layers of a network: nested models unfolded, each call after those that feed it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cnnviz.layers import ENTRIES, Layer
from cnnviz.layers.tensor_operations import OperationEntry
from cnnviz.network.keras_config import MOST_CALLS, FileLayer, Model


@dataclass
class Unfolded:
    """The calls of a model as layers, in the order in which they can be computed."""

    layers: list[Layer] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    """Of layers and models."""


def unfold(model: Model) -> Unfolded:
    """Every call of every layer of a model and of the models in it, as a Layer.

    Raises ValueError where the graph has loops, holes, or too many calls.
    """
    unfolded = Unfolded()
    unfolded.outputs = _unfold(model, "", None, unfolded)
    unfolded.inputs = [name for name, _, _ in model.inputs]
    return unfolded


def call_labels(calls: Iterable[str]) -> dict[tuple[str, int], str]:
    """What each call is called, from the names of the layers in the order in which they are called.

    A name that is a layer's own is left out, so that every one is unique.

    >>> list(call_labels(["c", "d", "c", "c:1"]).values())
    ['c', 'd', 'c:2', 'c:1']
    """
    names = list(calls)
    own = set(names)
    labels: dict[tuple[str, int], str] = {}
    counts, numbers = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for name in names:
        number = numbers[name]
        while number and f"{name}:{number}" in own:
            number += 1
        labels[name, counts[name]] = f"{name}:{number}" if number else name
        counts[name], numbers[name] = counts[name] + 1, number + 1
    return labels


def _unfold(model: Model, prefix: str, feeds: list[str] | None, unfolded: Unfolded) -> list[str]:
    """Append the layers of one call of a model; `feeds` are what it is called on, None if outermost."""
    where = f"model {prefix.rstrip('/')!r}" if prefix else "the model"
    arguments = {name: index for index, (name, _, _) in enumerate(model.inputs)}
    if len(arguments) < len(model.inputs):
        raise ValueError(f"{where} has one of its inputs twice")
    if feeds is not None and len(feeds) != len(arguments):
        raise ValueError(f"{where} takes {len(arguments)} inputs and is called on {len(feeds)}")
    labels = call_labels(name for name, _ in model.calls)
    values: dict[tuple[str, int], list[str] | dict[int, str]] = {}
    numbers: dict[tuple[str, int], set[int]] = {}
    for name, call, number in (*(ref for _, reads in model.calls for ref in reads), *model.outputs):
        numbers.setdefault((name, call), set()).add(number)
    for position, call in _in_order(model, where):
        unfolded.calls += 1
        if max(unfolded.calls, len(unfolded.layers)) > MOST_CALLS:
            raise ValueError(f"the model has more than {MOST_CALLS:,} layer calls")
        name, reads = model.calls[position]
        member = model.members[name]
        label = prefix + labels[name, call]
        try:
            inputs = [values[ref[:2]][ref[2]] for ref in reads]
        except LookupError:
            raise ValueError(f"{label!r} reads an output that does not exist") from None
        if isinstance(member, Model):
            values[name, call] = inner = _unfold(member, f"{label}/", inputs, unfolded)
            if len(inner) == 1:
                unfolded.aliases[label] = inner[0]
        elif member.is_input and feeds is not None:
            if name not in arguments:
                raise ValueError(f"{label!r} is not among the inputs of {where}")
            values[name, call] = [feeds[arguments[name]]]
            unfolded.aliases[label] = feeds[arguments[name]]
        else:
            parts = _parts(member, label, inputs, sorted(numbers.get((name, call), ())))
            values[name, call] = {number: part.name for number, part in parts.items()}
            unfolded.layers += parts.values()
    try:
        return [values[ref[:2]][ref[2]] for ref in model.outputs]
    except (KeyError, IndexError):
        raise ValueError(f"an output of {where} is not the output of any of its layers") from None


def _parts(member: FileLayer, label: str, inputs: list[str], numbers: list[int]) -> dict[int, Layer]:
    """A call as layers, by the number of the output: one, but of an operation with several outputs.

    Of those the ones that are read are layers: "split[0]", "split[2]".
    """
    entry = ENTRIES[member.kind]
    if not (isinstance(entry, OperationEntry) and entry.splits):
        return {0: _layer(member, label, inputs)}
    member.owner = member.owner or "".join(f"{label}[{number}]" for number in numbers[:1])
    return {
        number: Layer(
            f"{label}[{number}]",
            member.kind,
            {**member.config, "output": number},
            inputs=tuple(inputs),
            precision=member.precision,
            raw_config=member.raw_config,
        )
        for number in numbers
    }


def _layer(entry: FileLayer, label: str, inputs: list[str]) -> Layer:
    entry.owner = entry.owner or label
    return Layer(
        label,
        entry.kind,
        entry.config,
        entry.weights,
        tuple(inputs),
        entry.trainable,
        entry.owner,
        entry.precision,
        entry.lora_rank,
        entry.raw_config,
    )


def _in_order(model: Model, where: str) -> Iterator[tuple[int, int]]:
    """(position in model.calls, which call of its member), each after the calls that it reads.

    Where several could come next, the one that the file names first does.
    """
    keys: list[tuple[str, int]] = []
    counts: dict[str, int] = {}
    for name, _ in model.calls:
        counts[name] = counts.get(name, -1) + 1
        keys.append((name, counts[name]))
    known = set(keys)
    for name, reads in model.calls:
        for ref in reads:
            if ref[:2] not in known:
                raise ValueError(
                    f"layer {name!r} of {where} reads call {ref[1]} of {ref[0]!r}, which is not there"
                )
    waiting = [{ref[:2] for ref in reads} for _, reads in model.calls]
    readers: dict[tuple[str, int], list[int]] = {}
    for position, needs in enumerate(waiting):
        for need in needs:
            readers.setdefault(need, []).append(position)
    ready = [position for position, needs in enumerate(waiting) if not needs]
    done = 0
    while ready:
        position = heapq.heappop(ready)
        done += 1
        yield position, keys[position][1]
        for reader in readers.get(keys[position], []):
            waiting[reader].discard(keys[position])
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if done < len(keys):
        stuck = next(name for (name, _), needs in zip(keys, waiting, strict=True) if needs)
        raise ValueError(f"{where} has a loop at layer {stuck!r}")
