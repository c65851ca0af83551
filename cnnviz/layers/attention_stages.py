"""The steps of attention as the browser computes them, each with a receipt of its own.

Projections, scores and means are sums of products; between them are a softmax and, where not all may be read,
what takes the others' places. Maps of scores and shares have a row for each query and a column for each key;
the heads are their channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import numpy as np

from cnnviz.layers.attention_steps import Heads
from cnnviz.layers.browser import BrowserStage, Drawn, strides
from cnnviz.layers.contractions import Contraction, contract_stage
from cnnviz.layers.estimated import LOWEST, EstimatedEntry, allowed_places
from cnnviz.layers.layer import Layer
from cnnviz.layers.merging import merge_stage

Shape = tuple[int, ...]


def projecting_stages(
    entry: EstimatedEntry, layer: Layer, drawn: Drawn, heads: Heads, attended: Shape
) -> list[BrowserStage]:
    """Of attention that projects query, key and value to several heads.

    Each axis has a letter: those of the query's positions, which those of the keys share unless they are
    attended; then c for channels, d for the numbers of a head, g and s for the heads, of which s share a key.
    """
    sources = dict(zip(("query", "value", "key"), (0, 1, len(drawn.inputs) - 1), strict=True))
    query, key = drawn.inputs[0], drawn.inputs[sources["key"]]
    rank = len(query) - 1
    letters = ascii_uppercase[-2 * rank :]
    here = letters[:rank]
    there = "".join(letters[rank + i] if i in attended else here[i] for i in range(rank))
    apart = "".join(here[i] for i in range(rank) if i not in attended)
    of_query, of_key = ("".join(each[i] for i in attended) for each in (here, there))
    alone = math.prod(query[i] for i in range(rank) if i not in attended)
    queries, keys = (math.prod(shape[i] for i in attended) for shape in (query, key))
    shared = heads.queries // heads.keys
    made = _Steps(entry, layer)

    def projected(part: str, numbers: int, source: str) -> BrowserStage:
        of_keys = source != "query"
        shape = drawn.inputs[sources[source]]
        count, positions, axes = (keys, of_key, there) if of_keys else (queries, of_query, here)
        groups, sizes = ("g", (heads.keys,)) if of_keys else ("gs", (heads.keys, shared))
        equation = Contraction(axes + "c", f"c{groups}d", f"{apart}{positions}d{groups}")
        along = dict(zip(f"{groups}d", strides((*sizes, numbers)), strict=True))
        return made.product(
            "opening" if part == "gate" else part,
            equation,
            [shape, (shape[-1], *sizes, numbers)],
            [None, f"{part}_kernel"],
            reads=(sources[source],),
            shape=(alone * count, numbers, math.prod(sizes)),
            bias=(f"{part}_bias", along),
        )

    groups, count = (heads.keys, shared), heads.queries
    apart_sizes = tuple(query[here.index(letter)] for letter in apart)
    query_sizes = (*apart_sizes, *(query[i] for i in attended))
    key_sizes = (*apart_sizes, *(key[i] for i in attended))
    pairs = (*query_sizes, *(key[i] for i in attended), *groups)
    found = [projected("query", heads.key_dim, "query"), projected("key", heads.key_dim, "key")]
    found.append(projected("value", heads.value_dim, "value"))
    found.append(
        made.product(
            "scores",
            Contraction(f"{apart}{of_query}dgs", f"{apart}{of_key}dg", f"{apart}{of_query}{of_key}gs"),
            [(*query_sizes, heads.key_dim, *groups), (*key_sizes, heads.key_dim, heads.keys)],
            [None, None],
            reads=("query", "key"),
            shape=(alone * queries, keys, count),
            scale=float(np.float32(1 / math.sqrt(heads.key_dim))),
        )
    )
    allowed = allowed_places(queries, keys, layer.config["use_causal_mask"], layer.config["sliding_window"])
    found += made.shares("scores", (alone * queries, keys, count), allowed)
    finds_nothing = bool(layer.config["dropout"] > 0 or len(query) != 2)
    if finds_nothing and not allowed.any(axis=-1).all():
        found.append(made.where_allowed("kept", "shares", (queries, keys, count), allowed, nothing=True))
    means = (alone * queries, heads.value_dim, count)
    found.append(
        made.product(
            "attended",
            Contraction(f"{apart}{of_query}{of_key}gs", f"{apart}{of_key}dg", f"{apart}{of_query}dgs"),
            [pairs, (*key_sizes, heads.value_dim, heads.keys)],
            [None, None],
            reads=(found[-1].name, "value"),
            shape=means,
        )
    )
    if layer.config["use_gate"]:
        found.append(projected("gate", heads.value_dim, "query"))
        sigmoid = {"type": "activation", "name": "sigmoid", "arguments": {}, "label": "sigmoid"}
        found.append(made.step("gate", sigmoid, means, ("opening",)))
        found.append(made.merged("gated", "multiply", [means, means], means, ("attended", "gate")))
    size = math.prod(heads.output)
    found.append(
        made.product(
            "",
            Contraction(f"{apart}{of_query}dgs", "gsdo", f"{here}o"),
            [(*query_sizes, heads.value_dim, *groups), (*groups, heads.value_dim, size)],
            [None, "output_kernel"],
            reads=(found[-1].name,),
            shape=drawn.shape,
            bias=("output_bias", {"o": 1}),
        )
    )
    return found


def plain_stages(entry: EstimatedEntry, layer: Layer, drawn: Drawn, multiplies: bool) -> list[BrowserStage]:
    """Of attention whose scores are products of query and key as they are, or sums of tanh(query + key)."""
    (queries, channels), (keys, _) = drawn.inputs[0], drawn.inputs[-1]
    made, last = _Steps(entry, layer), len(drawn.inputs) - 1
    pairs = (queries, keys, 1)
    if multiplies:
        equation, scaled = Contraction("qc", "kc", "qk"), bool(layer.weights)
        name = "products" if scaled else "scores"
        shapes: list[Shape] = [drawn.inputs[0], drawn.inputs[last]]
        found = [made.product(name, equation, shapes, [None, None], reads=(0, last), shape=pairs)]
        if scaled:
            found.append(made.merged("scores", "multiply", [pairs], pairs, (name,), ["scale"]))
    else:
        sums = (queries, keys, channels)
        spread: list[Shape] = [(queries, 1, channels), (1, keys, channels)]
        found = [made.merged("sums", "add", spread, sums, (0, last))]
        weight = "scale" if layer.config.get("score_mode", "") != "concat" else "concat_score_weight"
        if weight != "scale" and "scale" in layer.weights:
            found.append(made.merged("scaled", "multiply", [sums], sums, ("sums",), ["scale"]))
        tanh = {"type": "activation", "name": "tanh", "arguments": {}, "label": "tanh"}
        found.append(made.step("bent", tanh, sums, (found[-1].name,)))
        if weight in layer.weights:
            # A single weight is that of all channels.
            of_each = layer.weights[weight].ndim == 1
            shapes = [sums, (channels,)]
            equation = Contraction("qkc", "c", "qk")
            stage = made.product("scores", equation, shapes, [None, weight], reads=("bent",), shape=pairs)
            if not of_each:
                stage.op["over"] = [[length, step, 0, 0] for length, step, *_ in stage.op["over"]]
            found.append(stage)
        else:
            along = list(zip(sums, strides(sums), strict=True))
            total = {"type": "reduce", "mode": "sum", "over": [along[2]], "kept": along[:2], "label": "sum"}
            found.append(made.step("scores", total, pairs, ("bent",)))
    allowed = allowed_places(queries, keys, layer.config["use_causal_mask"])
    found += made.shares("scores", pairs, allowed)
    value = drawn.inputs[1]
    mean = Contraction("qk", "kv", "qv")
    shapes = [(queries, keys), value]
    found.append(made.product("", mean, shapes, [None, None], reads=("shares", 1), shape=drawn.shape))
    return found


class _Steps:
    """Makes the steps of one layer, which give their values by their names."""

    def __init__(self, entry: EstimatedEntry, layer: Layer) -> None:
        self.entry, self.layer = entry, layer

    def product(
        self,
        name: str,
        equation: Contraction,
        shapes: Sequence[Shape],
        operands: Sequence[str | None],
        *,
        bias: tuple[str, Mapping[str, int]] | None = None,
        **more: Any,
    ) -> BrowserStage:
        """Sums of products of two earlier steps, or of one and a weight."""
        weights = self.layer.weights
        if bias is not None:
            bias = (self._named(bias[0]), bias[1]) if bias[0] in weights else None
        arrays = {self._named(each): weights[each] for each in operands if each is not None}
        arrays |= {bias[0]: weights[bias[0].rpartition("/")[2]]} if bias else {}
        names = [None if each is None else self._named(each) for each in operands]
        label = f"{name or self.entry.label}"
        return contract_stage(
            self.layer, equation, shapes, names, arrays, bias=bias, label=label, **self._fields(name), **more
        )

    def merged(
        self,
        name: str,
        mode: str,
        shapes: Sequence[Shape],
        shape: Shape,
        reads: tuple[int | str, ...],
        weights: Sequence[str] = (),
        arguments: Sequence[Any] | None = None,
    ) -> BrowserStage:
        """A function of earlier steps of these shapes, and of weights, cell by cell."""
        drawn = Drawn(tuple(shapes), shape, tuple(shapes))
        arrays = {self._named(each): self.layer.weights[each] for each in weights}
        given = [None] * len(shapes) if arguments is None else list(arguments)
        fields = {**self._fields(name), "shape": shape, "reads": reads}
        return merge_stage(self.layer, mode, drawn, [*given, *arrays], name, arrays, **fields)

    def step(self, name: str, op: dict[str, Any], shape: Shape, reads: tuple[int | str, ...]) -> BrowserStage:
        return BrowserStage(op, shape=shape, reads=reads, **self._fields(name))

    def shares(self, scores: str, shape: Shape, allowed: np.ndarray) -> list[BrowserStage]:
        """The softmax of the scores, of those that are allowed."""
        line = {"type": "softmax", "log": False, "count": shape[1], "step": shape[2], "label": "softmax"}
        if allowed.all():
            return [self.step("shares", line, shape, (scores,))]
        return [
            self.where_allowed("masked", scores, shape, allowed),
            self.step("shares", line, shape, ("masked",)),
        ]

    def where_allowed(
        self, name: str, source: str, shape: Shape, allowed: np.ndarray, *, nothing: bool = False
    ) -> BrowserStage:
        """What is not allowed has the lowest score, as in Keras, or counts as nothing."""
        mask = allowed[..., np.newaxis].astype(np.float32)
        if nothing:
            return self.merged(name, "multiply", [shape], shape, (source,), arguments=[None, mask])
        return self.merged(name, "where", [shape], shape, (source,), arguments=[mask, None, LOWEST])

    def _named(self, weight: str) -> str:
        return f"{self.layer.owner}/{weight}"

    def _fields(self, name: str) -> dict[str, Any]:
        if not name:
            return {"name": ""}
        return {"name": name, "value": lambda layer, *inputs: self._value(name, layer, *inputs)}

    def _value(self, name: str, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return np.asarray(_steps_of(self.entry, layer, inputs)[name]).reshape(1, -1)


_last: tuple[Layer, tuple[np.ndarray, ...], Mapping[str, Any]] | None = None
"""The steps that were asked for last: those of a layer are asked for one after the other."""


def _steps_of(entry: EstimatedEntry, layer: Layer, inputs: tuple[np.ndarray, ...]) -> Mapping[str, Any]:
    global _last
    if (last := _last) is not None and last[0] is layer and _same(last[1], inputs):
        return last[2]
    with np.errstate(all="ignore"):
        found = entry.steps(layer, inputs, lambda array: array)
    _last = layer, inputs, found
    return found


def _same(some: tuple[np.ndarray, ...], others: tuple[np.ndarray, ...]) -> bool:
    """Whether they are the very same numbers; a run never changes what it gave."""
    return [each.__array_interface__ for each in some] == [each.__array_interface__ for each in others]
