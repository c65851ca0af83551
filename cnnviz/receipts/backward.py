"""GradientReceipt: one number of a gradient, and how it came back there from the layers above.

The gradient with respect to a cell adds up what came back to every number that reads it, times how much
that changes with it; the gradient with respect to a weight, what it was multiplied with wherever it was
used, times what came back there. What these are the entries in `layers` say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.layers.activations import ELEMENTARY, Activation
from cnnviz.layers.constraints import Constraint
from cnnviz.layers.layer import Layer
from cnnviz.layers.operands import Operands, Position, no_products
from cnnviz.layers.rounding import activation_gradient_allowance, gradient_allowance, sum_allowance
from cnnviz.network.run import Gradient
from cnnviz.receipts.cells import Cell, checked_index, locate
from cnnviz.receipts.receipt import Receipt, of_one_number
from cnnviz.receipts.steps import Derivation, slope_steps
from cnnviz.receipts.terms import Terms, joined
from cnnviz.resources import one_line
from cnnviz.training.training_step import TrainingStep


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class GradientReceipt(Receipt):
    """One number of a gradient, and how it came about. Made by `explain`.

    Parameters
    ----------
    gradient
        From `Run.gradient`.
    weight
        The name of the weight that the cell is a number of; "" for a layer's output.
    before
        Whether the layer's values before its activation are meant.
    step
        The step of training that the gradient is of, if there is one.

    The other fields are those of a receipt: `terms` are what was read or what came back, times the weights;
    `bias` is how much the number itself counts in what was differentiated; `value` is read from the gradient.
    """

    gradient: Gradient = field(repr=False)
    weight: str = ""
    before: bool = False
    step: TrainingStep | None = field(repr=False, default=None)

    @cached_property
    def bound(self) -> float:
        """How large the residual can get by rounding alone (derived in `cnnviz.layers.rounding`)."""
        with np.errstate(all="ignore"):
            if self.weight:
                found = (
                    gradient_allowance(call, inputs, grad, self.weight)[0][self.cell.position]
                    for call, inputs, grad in _calls(self.gradient, self.layer)
                )
                return float(sum(found) + self._added(len(self.gradient.calls(self.layer.name))))
            readers = self.gradient.readers(self.layer.name)
            bound = self._added(len(readers) + 1)
            for reader, place in readers:
                image = slice(self.index, self.index + 1)
                inputs, grad = self.run.inputs(reader.name), self.gradient.pre_activation(reader.name)
                at = (self.index, *self.cell.position)
                if not reader.entry.mixes_images:
                    reader, at = reader.entry.of_images(reader, image), (0, *self.cell.position)
                    inputs, grad = tuple(x[image] for x in inputs), grad[image]
                bound += float(gradient_allowance(reader, inputs, grad)[place][at])
            return bound if not self.before else self._through(bound)

    def _added(self, count: int) -> float:
        """By the additions of what comes from several layers."""
        terms = self.terms
        size = np.abs(terms.product).sum(dtype=np.float64) + abs(float(terms.bias))
        return sum_allowance(count - 1, size, terms.factor.dtype)

    def _through(self, bound: float) -> float:
        """The bound behind the activation's slope; a seed may be added then."""
        activation = self.layer.activation
        if activation is not None:
            z, back, _ = _argument(self)
            if activation.axis is None:
                alone = self.activation_here
                slope = abs(float(alone.gradient(z, np.ones_like(back))[0]))
                bound = slope * bound + float(activation_gradient_allowance(alone, z, back)[0])
            else:
                # The results, and their sum with what came back; no slope is above 1.
                roundings = len(z) + 2 * ELEMENTARY + 6
                bound += sum_allowance(roundings, 2 * float(np.abs(back).sum()), z.dtype)
        return bound + sum_allowance(
            1, abs(float(self.result)) + abs(float(self.value)), self.terms.factor.dtype
        )

    @property
    def activation_here(self) -> Activation:
        """The layer's activation, of one number with its own alpha, or of a line."""
        activation = self.layer.activation
        assert activation is not None
        if activation.axis is not None:
            return replace(activation, arguments={})
        return of_one_number(activation, self.run.pre_activation(self.layer.name).shape, self.place)

    @property
    def was_edited(self) -> bool:
        """Never: the gradient of an edited layer is not known."""
        return False

    @property
    def pre_activation(self) -> Any:
        """The gradient with respect to the number before the layer's activation."""
        return self.gradient.pre_activation(self.layer.name)[self.place]

    @property
    def class_name(self) -> str:
        return ""

    @property
    def plane(self) -> str:  # type: ignore[override]
        return ""

    @property
    def in_colours(self) -> dict[str, np.ndarray]:  # type: ignore[override]
        return {}

    @property
    def given(self) -> bool:
        return False

    @property
    def title(self) -> str:
        """The number that it is the gradient with respect to, in words."""
        if self.weight:
            at = ", ".join(map(str, self.cell.position))
            return f"gradient of {self.layer.owner}/{self.weight}[{at}] ({self.layer.kind})"
        before = "the pre-activation of " if self.before else ""
        image = f", image {self.index}" if len(self.run[self.layer.name]) > 1 else ""
        return f"gradient of {before}{self.layer.name} ({self.layer.kind}), {self.cell.place}{image}"

    @property
    def introduction(self) -> str:
        terms = self.terms
        if not terms.taken_apart:
            return f"from {'; '.join(terms.sources)}, and not taken apart"
        if not len(terms):
            return "where the way back begins" if terms.bias_name else "nothing comes back from any layer"
        if self.weight and (terms.source % 2).any():
            return (
                f"how much {_listed(self.terms.sources[1::2])} changes with it, at each position of each "
                "image, times what came back there"
            )
        if self.weight:
            return (
                f"what was read of {_listed(self.terms.sources[::2])} where it was used, at each position of "
                "each image, times what came back there"
            )
        head = self.heads[1]
        return f"what came back to each number of {_listed(terms.sources)} that reads it, times its {head}"

    @property
    def heads(self) -> tuple[str, str]:
        if self.weight:
            return "slope" if (self.terms.source % 2).any() else "read", "came back"
        return "came back", "weight" if self.terms.weight_name else "slope"

    @property
    def symbol(self) -> str:
        return "g"

    @property
    def blank(self) -> str:
        return "a number that does not read it"

    @property
    def where(self) -> str:
        return "in the gradient"

    def followed(self, count: int | None) -> list[Cell]:
        """The cells to which came back what adds most, those first; all in one image."""
        places, terms = self.terms.largest(count), self.terms
        if not self.weight:
            cells = [terms.cell(*place) for place in places if self._image(place) == self._image(places[0])]
        elif terms.weight_index is None:
            return []
        else:
            index = terms.weight_index
            cells = [
                Cell(terms.sources[int(terms.source[place[0]]) | 1], tuple(index[place].tolist()))
                for place in places
                if self._image(place) == self._image(places[0])
            ]
        return list(dict.fromkeys(cells))

    def _image(self, place: tuple[int, int, int]) -> int:
        return int(self.terms.images[place[0]]) if self.terms.images is not None else self.index

    def at(self, cell: Cell) -> GradientReceipt:
        (strongest,) = self.terms.largest(1)
        before = not (self.weight and self.layer.is_activation)
        return explain_returned(self.gradient, cell, self._image(strongest), before, self.step)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class UpdateReceipt(GradientReceipt):
    """One number of a weight after a step of training: its gradient, and what the optimizer made of it.

    `total` is the gradient as this receipt adds it up; `value` is the weight in the network after the step,
    and `result` what the equations in `steps` come to.
    """

    @property
    def result(self) -> Any:
        return next(each.result for each in reversed(self.steps) if each.name == "w")

    @cached_property
    def bound(self) -> float:
        """0: these are the optimizer's own lines, on the one number."""
        return 0.0

    @property
    def title(self) -> str:
        assert self.step is not None
        return f"step {self.step.number}, {super().title}".replace("gradient of ", "")

    @property
    def where(self) -> str:
        return "in the network after the step"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(map(one_line, names)))


def explain_gradient(
    gradient: Gradient,
    name: str,
    *,
    row: int | None,
    col: int | None,
    channel: int | None,
    index: int,
    at: Sequence[int] | None,
    pre_activation: bool,
    step: TrainingStep | None = None,
) -> GradientReceipt:
    """`explain` for a number of a gradient, which may be that of a step of training."""
    layer, weight = gradient.parse(name)
    batch = len(gradient.run[layer.name])
    index = checked_index("index", index, batch, f"the run's batch of {batch}")
    if not weight:
        values = gradient.run.pre_activation(layer.name) if pre_activation else gradient.run[layer.name]
        cell = locate(layer.name, values.shape[1:], row, col, channel, at)
        return explain_returned(gradient, cell, index, pre_activation, step)
    if at is None or not {row, col, channel} <= {None}:
        raise ValueError(
            f"say which number of {name!r} {layer.weights[weight].shape} by its indices, as "
            f"explain(gradient, {name!r}, {(0,) * layer.weights[weight].ndim})"
        )
    if pre_activation:
        raise ValueError(f"pre_activation=True is for layers, got the weight {name!r}")
    cell = locate(f"{layer.owner}/{weight}", layer.weights[weight].shape, None, None, None, at)
    return explain_weight(gradient, layer, weight, cell, step)


def explain_returned(
    gradient: Gradient, cell: Cell, index: int, before: bool = False, step: TrainingStep | None = None
) -> GradientReceipt:
    """The receipt of the gradient with respect to a layer's number, in one image."""
    run, layer = gradient.run, gradient.run.network[cell.layer]
    parts, names = [], []
    for reader, place in gradient.readers(layer.name):
        inputs, grad = run.inputs(reader.name), gradient.pre_activation(reader.name)
        part = reader.entry.returns_in_batch(reader, inputs, place, index, cell.position, grad)
        images = np.full(len(part.source), index) if part.images is None else part.images
        parts.append(replace(part, images=images))
        names.append(reader.name)
    value = (gradient.pre_activation(layer.name) if before else gradient[layer.name])[(index, *cell.position)]
    sources = [replace(part, source=part.source * 0 + i) for i, part in enumerate(parts)]
    shapes = [run.pre_activation(name).shape[1:] for name in names]
    seed = gradient.seeds.get(layer.name)
    own = None if seed is None else seed[(index, *cell.position)]
    # A seed is added where it belongs; with nothing else it is all there is.
    later = before and layer.name in gradient.of_pre_activations and bool(parts)
    shown = before or layer.name not in gradient.of_pre_activations
    terms = _terms(sources, names, names, shapes, value, own if shown and not later else None)
    if own is not None and step is not None and shown:
        equations = step.loss_arithmetic(layer.name, (index, *cell.position))
        terms = replace(terms, preparation=tuple(Derivation(**vars(each)) for each in equations))
    fields: dict[str, Any] = {"gradient": gradient, "before": before, "step": step}
    receipt = GradientReceipt(run, layer, cell, index, terms, value, (), **fields)
    if not before or (own is not None and not parts and layer.name in gradient.of_pre_activations):
        return receipt
    steps: tuple[Derivation, ...] = ()
    if layer.activation is not None:
        z, back, place = _argument(receipt)
        steps = slope_steps(receipt.activation_here, z, back, place)
    if later and own is not None:
        result = steps[-1].result if steps else terms.total
        values = {"sum": result, "seed": own}
        steps = (*steps, Derivation("with the seed", "sum + seed", values, result + own))
    return replace(receipt, steps=steps)


def explain_weight(
    gradient: Gradient, layer: Layer, weight: str, cell: Cell, step: TrainingStep | None = None
) -> GradientReceipt:
    """The receipt of the gradient with respect to one number of a weight, over all images."""
    run, parts, names, shapes = gradient.run, [], [], []
    calls = _calls(gradient, layer)
    for i, (call, inputs, grad) in enumerate(calls):
        part = call.entry.uses(call, weight, cell.position, inputs, grad)
        parts.append(replace(part, source=part.source + 2 * i))
        names += [call.inputs[0], call.name]
        shapes += [inputs[0].shape[1:], grad.shape[1:]]
    value = gradient[f"{layer.owner}/{weight}"][cell.position]
    terms = _terms(parts, [call.name for call, _, _ in calls], names, shapes, value, None)
    fields: dict[str, Any] = {"gradient": gradient, "weight": weight}
    if step is None:
        return GradientReceipt(run, layer, cell, 0, terms, value, (), **fields)
    steps = tuple(_updating(step, cell, terms.total, value, layer.constraint(weight)))
    value = step.after[cell.layer][cell.position]
    return UpdateReceipt(run, layer, cell, 0, terms, value, steps, **fields, step=step)


def _updating(
    step: TrainingStep, cell: Cell, total: Any, value: Any, constraint: Constraint | None
) -> Iterator[Derivation]:
    """From the sum of a weight's receipt to the weight after the step."""
    equations = step.arithmetic(cell.layer, cell.position)
    if value != total:
        numbers = {"sum": total, "residual": value - total}
        yield Derivation("g", "sum + residual", numbers, value)
    whole = step.gradients[cell.layer][cell.position]
    if whole != value:
        yield Derivation("g", "g + penalty", {"g": value, "penalty": whole - value}, whole)
    yield from (Derivation(**vars(equation)) for equation in equations)
    after = step.after[cell.layer][cell.position]
    reached = next(each.result for each in reversed(equations) if each.name == "w")
    if constraint is not None and after != reached:
        yield Derivation("w", "constrained(w)", {"w": reached}, after)


def _calls(gradient: Gradient, layer: Layer) -> list[tuple[Layer, tuple[np.ndarray, ...], np.ndarray]]:
    """Each call of a layer, what it read, and what came back to it."""
    return [
        (
            call,
            gradient.run.inputs(call.name),
            gradient[call.name] if call.is_activation else gradient.pre_activation(call.name),
        )
        for call in gradient.calls(layer.name)
    ]


def _terms(
    parts: Sequence[Operands],
    labels: Sequence[str],
    sources: Sequence[str],
    shapes: Sequence[Position],
    value: Any,
    seed: Any,
) -> Terms:
    """The parts as one, with what is added to them."""
    whole = [part for part in parts if not part.taken_apart]
    nothing = no_products(np.empty(0, value.dtype), value.dtype.type(0), "")
    found = joined(parts, labels) if parts else nothing
    named = [(part.bias, part.bias_name) for part in whole] + ([] if seed is None else [(seed, "seed")])
    fields = {**vars(found), "preparation": (), "bias": found.factor.dtype.type(0), "bias_name": ""}
    if named:
        fields |= {
            "bias": sum(bias for bias, _ in named),
            "bias_name": " and ".join(name for _, name in named),
        }
    if seed is not None:
        fields["taken_apart"] = True
    return Terms(**fields, sources=tuple(sources), shapes=tuple(shapes))


def _argument(receipt: GradientReceipt) -> tuple[np.ndarray, np.ndarray, int]:
    """What a layer's activation was given, what came back to its results, and which of them is meant.

    One number; for an activation that mixes numbers all of them, with the receipt's own total among those
    that came back.
    """
    layer, place = receipt.layer, receipt.place
    z, activation = receipt.run.pre_activation(layer.name), layer.activation
    assert activation is not None
    if activation.axis is None:
        return z[place].reshape(1), np.array([receipt.terms.total]), 0
    axis = activation.axis % z.ndim
    line = place[:axis] + place[axis + 1 :]
    back = np.moveaxis(receipt.gradient[layer.name], axis, -1)[line].copy()
    back[place[axis]] = receipt.terms.total
    return np.moveaxis(z, axis, -1)[line], back, place[axis]
