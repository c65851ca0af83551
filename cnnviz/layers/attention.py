"""Attention: each position of a sequence takes a mean of the values at all positions, by how well they fit.

Masks but the causal one and the sliding window are left out. In training, dropout takes away some of the
shares by which values count. What is computed is in `attention_steps`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from cnnviz.layers import draws as drawing
from cnnviz.layers import options as read
from cnnviz.layers.attention_stages import plain_stages, projecting_stages
from cnnviz.layers.attention_steps import AttentionSteps, Heads
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.draws import Draws
from cnnviz.layers.estimated import (
    EstimatedEntry,
    Numbers,
    Wrap,
    allowed_places,
    dropped,
    masked,
    softmax,
    softmax_back,
    tanh,
    turned,
)
from cnnviz.layers.layer import ENTRIES, Arrays, Layer
from cnnviz.layers.links import Links, Regroup, Slide, after, mix
from cnnviz.layers.options import Options
from cnnviz.layers.regularizers import Regularizer
from cnnviz.layers.work import Effort, Sizes, by_cell
from cnnviz.ops.padding import Axis

Shape = tuple[int, ...]


KEPT = "kept"
"""What a layer in training has in its config: by how much each share counts that dropout has left, else 0."""


class DroppingEntry(EstimatedEntry):
    """What attention has in common: dropout on the shares."""

    def shares_shape(self, layer: Layer, inputs: Arrays) -> Shape:
        """Of the shares as Keras lays them out."""
        raise NotImplementedError(f"{type(self).__name__} says no shape of its shares")

    def in_training(self, layer: Layer, inputs: Arrays, draws: Draws) -> Layer:
        rate = layer.config["dropout"]
        if not rate:
            return layer
        drawn = draws(layer.name, self.shares_shape(layer, inputs), partial(drawing.kept, rate=rate))
        dtype = inputs[0].dtype
        scale = dtype.type(1 / (1 - rate) if rate < 1 else 0)
        return replace(layer, config={**layer.config, KEPT: np.multiply(drawn, scale, dtype=dtype)})

    def of_images(self, layer: Layer, images: slice) -> Layer:
        if KEPT not in layer.config:
            return layer
        return replace(layer, config={**layer.config, KEPT: layer.config[KEPT][images]})

    def _kept(self, layer: Layer, shape: Shape) -> np.ndarray | None:
        """By how much each share counts, shaped as the steps have the shares; None without dropout."""
        return layer.config[KEPT].reshape(shape) if KEPT in layer.config else None


PARTS = ("query", "key", "gate", "value", "output")


class ProjectingEntry(DroppingEntry):
    """Query, key and value are projected to several heads, and what these find back to one vector."""

    call_arguments = ("query", "value", "key")
    call_options = {"use_causal_mask": (read.flag, False)}
    least_inputs, most_inputs = 2, 3
    multiplies = True
    label = "attention"
    private: ClassVar[tuple[str, ...]] = ("gate",)
    """The parts that a file has under a name that begins with an underscore."""
    weights = tuple(f"{part}_{name}" for part in PARTS for name in ("kernel", "bias"))

    def activity_regularizer(self, config: Mapping[str, Any]) -> Regularizer | None:
        if "activity_regularizer" in config:
            raise ValueError(
                "its activity_regularizer is about the projections within it, which is not computed: "
                "leave it out, or put an ActivityRegularization behind the layer"
            )
        return None

    def option_prefix(self, weight: str) -> str:
        return weight.rpartition("_")[2]

    def heads(self, config: Mapping[str, Any], width: int) -> Heads:
        """Of a layer whose query has so many channels."""
        raise NotImplementedError(f"{type(self).__name__} says no heads")

    def weight_groups(self, config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        names = ("kernel", "bias") if config["use_bias"] else ("kernel",)
        return {
            f"{'_' * (part in self.private)}{part}_dense": tuple(f"{part}_{name}" for name in names)
            for part in PARTS
            if part != "gate" or config["use_gate"]
        }

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(name for names in self.weight_groups(config).values() for name in names)

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        query, value, key = _three(shape)
        attended = self.attended(config, query)
        masked = config["use_causal_mask"] or config["sliding_window"] is not None
        if masked and len(query) != 2:
            raise ValueError(
                "use_causal_mask and sliding_window are only supported on inputs (N, positions, channels)"
            )
        between = [axis for axis in range(len(query) - 1) if axis not in attended]
        fits = len(query) == len(value) == len(key) and value[:-1] == key[:-1]
        if not fits or any(query[axis] != value[axis] for axis in between):
            raise ValueError(
                "query, value and key must agree in all axes but attention_axes and the last, and value and "
                f"key in those too, got {query}, {value} and {key}"
            )
        heads = self.heads(config, query[-1])
        shapes = {
            "query": (query[-1], heads.queries, heads.key_dim),
            "key": (key[-1], heads.keys, heads.key_dim),
            "gate": (query[-1], heads.queries, heads.value_dim),
            "value": (value[-1], heads.keys, heads.value_dim),
        }
        biases = {f"{name}_bias": each[1:] for name, each in shapes.items()}
        kernels = {f"{name}_kernel": each for name, each in shapes.items()}
        output = {
            "output_kernel": (heads.queries, heads.value_dim, *heads.output),
            "output_bias": heads.output,
        }
        return {**kernels, **biases, **output}

    def attended(self, config: Mapping[str, Any], shape: Shape) -> Shape:
        """The axes of positions, of an input without its batch."""
        last = len(shape) - 1
        axes = config.get("attention_axes")
        asked = tuple(range(1, last + 1)) if axes is None else axes
        found = tuple(axis % (last + 2) - 1 for axis in asked if -last - 1 <= axis <= last)
        if len(found) != len(asked) or len({*found}) != len(found) or not found or {*found} & {-1, last}:
            raise ValueError(
                f"attention_axes={axes} must be axes of positions of an input of rank {last + 2}: "
                "not the batch, not the channels"
            )
        return found

    # What it computes ---------------------------------------------------------------------------

    def forward(self, layer: Layer, inputs: Arrays, wrap: Wrap) -> Numbers:
        return self._back(layer, inputs, self._steps(layer, inputs, wrap).out)

    def backward(
        self, layer: Layer, inputs: Arrays, grad: np.ndarray, wrap: Wrap
    ) -> tuple[list[Numbers], dict[str, Numbers]]:
        flat = grad.reshape(*inputs[0].shape[:-1], math.prod(grad.shape[inputs[0].ndim - 1 :]))
        (query, value, key), weights = self._steps(layer, inputs, wrap).backward(
            wrap(self._sequence(layer, flat))
        )
        found = [query, value, key] if len(inputs) == 3 else [query, value + key]
        return [self._unsequenced(layer, x, each) for x, each in zip(inputs, found, strict=True)], weights

    def _steps(self, layer: Layer, inputs: Arrays, wrap: Wrap) -> AttentionSteps:
        config, heads = layer.config, self.heads(layer.config, inputs[0].shape[-1])
        query, value, key = (self._sequence(layer, x) for x in _three(inputs))
        causal, window = config["use_causal_mask"], config["sliding_window"]
        # A query that may read nothing finds 0, or the mean of all: Keras computes in two ways.
        finds_nothing = bool(config["dropout"] > 0 or inputs[0].ndim != 3)
        return AttentionSteps(
            [wrap(query), wrap(value), wrap(key)],
            {name: wrap(array) for name, array in layer.weights.items()},
            heads,
            allowed_places(query.shape[1], key.shape[1], causal, window, of=len(query)),
            # As Keras casts it: to float32 first, even where it computes in float64.
            float(np.float32(1 / math.sqrt(heads.key_dim))),
            finds_nothing,
            self._kept(layer, (len(query), heads.queries, query.shape[1], key.shape[1])),
        )

    def steps(self, layer: Layer, inputs: Arrays, wrap: Wrap) -> dict[str, Numbers]:
        return self._steps(layer, inputs, wrap).by_name()

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        heads = self.heads(layer.config, drawn.inputs[0][-1])
        return projecting_stages(self, layer, drawn, heads, self.attended(layer.config, drawn.inputs[0]))

    def shares_shape(self, layer: Layer, inputs: Arrays) -> Shape:
        (query, _, key), attended = _three(inputs), self.attended(layer.config, inputs[0].shape[1:])
        apart = (n for axis, n in enumerate(query.shape[1:-1]) if axis not in attended)
        heads = self.heads(layer.config, query.shape[-1]).queries
        pairs = (array.shape[axis + 1] for array in (query, key) for axis in attended)
        return (len(query), *apart, heads, *pairs)

    def _order(self, layer: Layer, rank: int) -> Shape:
        """Axes of an input with its batch, those of positions behind all that are taken one by one."""
        attended = [axis + 1 for axis in self.attended(layer.config, (1,) * (rank - 1))]
        return (*(axis for axis in range(rank - 1) if axis not in attended), *attended, rank - 1)

    def _sequence(self, layer: Layer, x: np.ndarray) -> np.ndarray:
        """(N, positions, channels)."""
        count = len(self.attended(layer.config, x.shape[1:]))
        moved = x.transpose(self._order(layer, x.ndim))
        apart, positions = moved.shape[: -count - 1], moved.shape[-count - 1 : -1]
        return moved.reshape(math.prod(apart), math.prod(positions), x.shape[-1])

    def _unsequenced(self, layer: Layer, like: np.ndarray, sequence: Numbers) -> Numbers:
        """From (N, positions, numbers) to the axes of an input, and the numbers."""
        order = self._order(layer, like.ndim)
        moved = sequence.reshape(*(like.shape[axis] for axis in order[:-1]), sequence.shape[-1])
        return moved.transpose(*np.argsort(order))

    def _back(self, layer: Layer, inputs: Arrays, out: Numbers) -> Numbers:
        heads = self.heads(layer.config, inputs[0].shape[-1])
        return self._unsequenced(layer, inputs[0], out).reshape(*inputs[0].shape[:-1], *heads.output)

    # Which cells it reads -----------------------------------------------------------------------

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        """The query where the unit is; values and keys at all positions that it may attend to."""
        query, *others = shapes
        heads = self.heads(layer.config, query[-1])
        outputs = mix(query, -1, math.prod(heads.output))
        shape = after(outputs, query)
        split = (Regroup(shape, (*query[:-1], *heads.output)),) if len(heads.output) > 1 else ()
        found: list[Links] = [(*outputs, *split)]
        for other in others:
            along = [
                link
                for axis in self.attended(layer.config, query)
                for link in self._along(layer, query, other, axis)
            ]
            found.append((*along, *mix(other, -1, math.prod(heads.output)), *split))
        return found

    def _along(self, layer: Layer, query: Shape, other: Shape, axis: int) -> Links:
        """How positions along an axis are read."""
        queries, keys, window = query[axis], other[axis], layer.config["sliding_window"]
        causal, longest = layer.config["use_causal_mask"], max(queries, keys)
        near = window or longest
        reads_all = keys == 1 if causal else True
        # The last query reads the fewest; one that may read nothing finds the mean of all.
        if (reads_all and near >= longest) or queries - near >= keys:
            return mix(other, axis, queries)
        before = min(window or longest, longest) - 1
        ahead = 0 if causal else before
        return (Slide(axis, Axis(keys, before + 1 + ahead, before=before, after=queries - keys + ahead)),)

    def multiply_adds(self, layer: Layer) -> int | None:
        """Of the projections, the scores and the means."""
        shapes = _three(layer.input_shapes)
        if any(None in shape for shape in shapes):
            return None
        heads = self.heads(layer.config, shapes[0][-1])
        attended = self.attended(layer.config, shapes[0])
        queries, _, keys = (math.prod(shape[:-1]) for shape in shapes)
        sizes = {name: array.size for name, array in layer.weights.items() if name.endswith("kernel")}
        by_position = {"key_kernel": keys, "value_kernel": keys}
        projections = sum(size * by_position.get(name, queries) for name, size in sizes.items())
        read_by_each = math.prod(shapes[2][axis] for axis in attended)
        return projections + queries * read_by_each * heads.queries * (heads.key_dim + heads.value_dim)

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        """With the scores, one for each head, query and key, and what is projected."""
        query, _, key = _three(shapes)
        heads = self.heads(layer.config, query[-1])
        attended = self.attended(layer.config, query)
        scores = heads.queries * math.prod(query[:-1]) * math.prod(key[axis] for axis in attended)
        queries = math.prod(query[:-1]) * heads.queries * (heads.key_dim + 2 * heads.value_dim)
        keys = math.prod(key[:-1]) * heads.queries * (heads.key_dim + heads.value_dim)
        return _with_scores(super().effort(layer, shapes, out), scores, queries + keys)


def _with_scores(rest: Effort, scores: int, others: int = 0) -> Effort:
    """What scores, of which a softmax makes shares, and other numbers that are held take beside the rest."""
    return Effort(rest.work + by_cell((SCORES * scores,), (others,)), SCORES * scores + others)


SCORES = 4
"""Arrays of the scores' size that there are at one time: scaled, where allowed, to the power of e, shares."""


def _three(values: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Query, value and key, which is the value where it is not given."""
    query, value, *key = values
    return query, value, (key or [value])[0]


class PlainAttentionEntry(DroppingEntry):
    """Queries, keys and values as they are: `Attention`, and Bahdanau's additive one, arXiv 1409.0473.

    A score is a product of query and key, or a weighted sum of tanh(query + key).
    """

    options = {
        "use_scale": (read.flag, False),
        "score_mode": (read.choice("dot", "concat"), "dot"),
        "use_causal_mask": (read.flag, False),
        "dropout": (read.share, 0.0),
    }
    call_options = {"use_causal_mask": options["use_causal_mask"]}
    least_inputs, most_inputs = 2, 3
    rank = 3
    multiplies = True
    label = "attention"
    weights: ClassVar[tuple[str, ...]] = ("scale", "concat_score_weight")
    initializers: Mapping[str, Any] = {"scale": "ones", "concat_score_weight": "ones"}

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        there = {"scale": config["use_scale"], "concat_score_weight": config["score_mode"] == "concat"}
        return tuple(name for name, is_there in there.items() if is_there)

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        query, value, key = _three(shape)
        if {len(query), len(value), len(key)} != {2} or query[1] != key[1] or value[0] != key[0]:
            raise ValueError(
                "query and key must agree in their channels, and value and key in their positions, "
                f"got {query}, {value} and {key}"
            )
        return dict.fromkeys(self.weights, ())

    def multiply_adds(self, layer: Layer) -> int | None:
        """Of the scores and the means."""
        query, value, key = _three(layer.input_shapes)
        if None in (*query, *value, *key):
            return None
        return query[0] * key[0] * (query[1] + value[1])

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        query, _, key = _three(shapes)
        # Sums of queries and keys are held as they are, scaled, and bent.
        sums = 0 if self._multiplies(layer) else SCORES * query[0] * math.prod(key)
        return _with_scores(super().effort(layer, shapes, out), query[0] * key[0], sums)

    def forward(self, layer: Layer, inputs: Arrays, wrap: Wrap) -> Numbers:
        _, value, _ = _three([wrap(x) for x in inputs])
        shares = dropped(self._shares(layer, inputs, wrap), self._kept_of(layer, inputs))
        return shares @ value

    def backward(
        self, layer: Layer, inputs: Arrays, grad: np.ndarray, wrap: Wrap
    ) -> tuple[list[Numbers], dict[str, Numbers]]:
        _, value, _ = _three([wrap(x) for x in inputs])
        shares, after = self._shares(layer, inputs, wrap), wrap(grad)
        kept = self._kept_of(layer, inputs)
        by_share = dropped(after @ turned(value), kept)
        scores = softmax_back(by_share, shares, self._allowed(layer, inputs))
        query_grad, key_grad, weights = self._scores_back(layer, inputs, scores, wrap)
        value_grad = turned(dropped(shares, kept)) @ after
        found = [value_grad, key_grad] if len(inputs) == 3 else [value_grad + key_grad]
        return [query_grad, *found], weights

    def steps(self, layer: Layer, inputs: Arrays, wrap: Wrap) -> dict[str, Numbers]:
        query, _, key = _three([wrap(x) for x in inputs])
        w = {name: wrap(array) for name, array in layer.weights.items()}
        allowed = self._allowed(layer, inputs)
        found: dict[str, Numbers] = {}
        if self._multiplies(layer):
            found["products"] = query @ turned(key)
        else:
            sums = _all_sums(query, key)
            found |= {"sums": sums, "scaled": sums * self._factors(w)[0], "bent": self._bent(query, key, w)}
        scores = self._scores(layer, query, key, w)
        found |= {"scores": scores, "masked": masked(scores, allowed), "shares": softmax(scores, allowed)}
        return found

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        return plain_stages(self, layer, drawn, self._multiplies(layer))

    def shares_shape(self, layer: Layer, inputs: Arrays) -> Shape:
        query, _, key = _three(inputs)
        return (len(query), query.shape[1], key.shape[1])

    def _kept_of(self, layer: Layer, inputs: Arrays) -> np.ndarray | None:
        return self._kept(layer, self.shares_shape(layer, inputs))

    def _allowed(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        query, _, key = _three(inputs)
        return allowed_places(query.shape[1], key.shape[1], layer.config["use_causal_mask"], of=len(query))

    def _shares(self, layer: Layer, inputs: Arrays, wrap: Wrap) -> Numbers:
        query, _, key = _three([wrap(x) for x in inputs])
        w = {name: wrap(array) for name, array in layer.weights.items()}
        return softmax(self._scores(layer, query, key, w), self._allowed(layer, inputs))

    def _scores(self, layer: Layer, query: Numbers, key: Numbers, w: Mapping[str, Numbers]) -> Numbers:
        if self._multiplies(layer):
            products = query @ turned(key)
            return products * w["scale"] if w else products
        (_, (each, whole)), bent = self._factors(w), self._bent(query, key, w)
        return (bent * each).sum(-1) * whole

    def _multiplies(self, layer: Layer) -> bool:
        return layer.config["score_mode"] == "dot"

    def _factors(self, w: Mapping[str, Numbers]) -> tuple[Numbers, tuple[Numbers, Numbers]]:
        """What the sum of query and key is multiplied by, what its tanh, and what the sum of these."""
        return w.get("scale", 1), (1, w["concat_score_weight"])

    def _bent(self, query: Numbers, key: Numbers, w: Mapping[str, Numbers]) -> Numbers:
        """(N, queries, keys, channels)."""
        return tanh(_all_sums(query, key) * self._factors(w)[0])

    def _scores_back(
        self, layer: Layer, inputs: Arrays, grad: Numbers, wrap: Wrap
    ) -> tuple[Numbers, Numbers, dict[str, Numbers]]:
        query, _, key = _three([wrap(x) for x in inputs])
        w = {name: wrap(array) for name, array in layer.weights.items()}
        if self._multiplies(layer):
            scaled = grad * w["scale"] if w else grad
            own = {"scale": _total(grad * (query @ turned(key)))} if w else {}
            return scaled @ key, turned(scaled) @ query, own
        (inner, (each, whole)), bent = self._factors(w), self._bent(query, key, w)
        grad = grad.reshape(*grad.shape, 1)
        by_sum = grad * whole * each * (1 - bent * bent)
        own = self._weights_back(w, grad, by_sum, bent, _all_sums(query, key))
        found = by_sum * inner
        return found.sum(2), found.sum(1), own

    def _weights_back(
        self, w: Mapping[str, Numbers], grad: Numbers, by_sum: Numbers, bent: Numbers, sums: Numbers
    ) -> dict[str, Numbers]:
        own = {"concat_score_weight": _total(grad * bent)}
        return {**own, "scale": _total(by_sum * sums)} if "scale" in w else own


class AdditiveAttentionEntry(PlainAttentionEntry):
    """The sum of tanh(query + key), each channel with its own weight."""

    options = {
        "use_scale": (read.flag, True),
        "use_causal_mask": (read.flag, False),
        "dropout": (read.share, 0.0),
    }
    weights = ("scale",)
    initializers = {"scale": "glorot_uniform"}

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return self.weights if config["use_scale"] else ()

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        super().weight_shapes(config, shape)
        return {"scale": shape[0][-1:]}

    def _multiplies(self, layer: Layer) -> bool:
        return False

    def _factors(self, w: Mapping[str, Numbers]) -> tuple[Numbers, tuple[Numbers, Numbers]]:
        return 1, (w.get("scale", 1), 1)

    def _weights_back(
        self, w: Mapping[str, Numbers], grad: Numbers, by_sum: Numbers, bent: Numbers, sums: Numbers
    ) -> dict[str, Numbers]:
        return {"scale": (grad * bent).sum(0).sum(0).sum(0)} if w else {}


def _all_sums(query: Numbers, key: Numbers) -> Numbers:
    """Of each query with each key: (N, queries, keys, channels)."""
    (count, queries, channels), keys = query.shape, key.shape[1]
    return query.reshape(count, queries, 1, channels) + key.reshape(count, 1, keys, channels)


def _total(x: Numbers) -> Numbers:
    while len(x.shape):
        x = x.sum(0)
    return x


SHARED: Options = {
    "use_bias": (read.flag, True),
    "use_gate": (read.flag, False),
    "dropout": (read.share, 0.0),
    "sliding_window": (read.optional(read.count), None),
    **ProjectingEntry.call_options,
}


class MultiHeadAttentionEntry(ProjectingEntry):
    options = {
        "num_heads": (read.count, None),
        "key_dim": (read.count, None),
        "value_dim": (read.optional(read.count), None),
        "output_shape": (read.axes, None),
        "attention_axes": (read.optional(read.ints), None),
        **SHARED,
    }

    def heads(self, config: Mapping[str, Any], width: int) -> Heads:
        number, key_dim = config["num_heads"], config["key_dim"]
        return Heads(
            number, number, key_dim, config["value_dim"] or key_dim, config["output_shape"] or (width,)
        )


class GroupQueryAttentionEntry(ProjectingEntry):
    options = {
        "head_dim": (read.count, None),
        "num_query_heads": (read.count, None),
        "num_key_value_heads": (read.count, None),
        **SHARED,
    }
    file_name = "GroupedQueryAttention"
    rank = 3
    # Keras has all of them under private names.
    private = PARTS

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        normal = super().normalize(config)
        queries, keys = normal["num_query_heads"], normal["num_key_value_heads"]
        if queries % keys:
            raise ValueError(f"num_query_heads={queries} must be a multiple of num_key_value_heads={keys}")
        return normal

    def heads(self, config: Mapping[str, Any], width: int) -> Heads:
        queries, keys, dim = (config[name] for name in ("num_query_heads", "num_key_value_heads", "head_dim"))
        return Heads(queries, keys, dim, dim, (width,))


ENTRIES.update(
    {
        "MultiHeadAttention": MultiHeadAttentionEntry(),
        "GroupQueryAttention": GroupQueryAttentionEntry(),
        "Attention": PlainAttentionEntry(),
        "AdditiveAttention": AdditiveAttentionEntry(),
    }
)
