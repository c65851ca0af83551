"""Run: every activation of one forward pass, and Gradient: how a number of it depends on all before it.

The gradient is the chain rule over the run's graph, from the units back, only as far as is asked for.
Dropout and the like pass gradients on, as they do values. What one layer contributes is in `layers`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from cnnviz.layers.draws import Draws
from cnnviz.layers.layer import Layer
from cnnviz.network.forward import Base, Edits, forward, relus_before_pooling
from cnnviz.network.inputs import images_of, modes_of, prepared
from cnnviz.network.layer_graph import LayerGraph, single
from cnnviz.network.memory import check_gradient, check_kept
from cnnviz.network.simplifying import RELU
from cnnviz.ops.annotations import check_numbers
from cnnviz.ops.padding import integer
from cnnviz.resources import one_line


class Run(Mapping[str, np.ndarray]):
    """Every activation of one forward pass: run["conv2d_3"] is what Keras's layer of that name returns.

    A mapping from layer names, in the network's order, to read-only arrays with a batch axis.

    >>> from cnnviz import load_mnist, load_model
    >>> run = load_model("mnist_14k").run(load_mnist()[1][0][0])
    >>> run["conv2d_3"].shape, int(run.output.argmax())
    ((1, 10, 10, 16), 7)
    """

    def __init__(
        self,
        network: LayerGraph,
        outputs: dict[str, np.ndarray],
        before: dict[str, np.ndarray],
        edited: Iterable[str] = (),
        preprocess: Mapping[str, str] | None = None,
        number: int = 0,
    ) -> None:
        self.network = network
        self.number = number
        """By which a process that computed it knows it again; 0 for one that was computed here."""
        self.edited = frozenset(edited)
        self.preprocess = dict(preprocess or {})
        """The mode of preprocessing that the pixels of each input came in, where that is known."""
        self._outputs = outputs
        """Those that were not needed on the way are worked out when they are asked for."""
        self._before = before
        for array in (*outputs.values(), *before.values()):
            array.flags.writeable = False

    def __getitem__(self, name: str) -> np.ndarray:
        name = self.network.resolve(name)
        if name not in self._outputs:
            self._outputs[name] = self.network[name].after_activation(self._before[name])
            self._outputs[name].flags.writeable = False
        return self._outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._before)

    def __len__(self) -> int:
        return len(self._before)

    def __contains__(self, name: object) -> bool:
        return name in self.network

    def __repr__(self) -> str:
        return one_line(
            f"<Run of {self.network.name}: {len(self)} layers, batch of {len(next(iter(self.values())))}>"
        )

    # Mapping's own would compare arrays.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def pre_activation(self, name: str) -> np.ndarray:
        """A layer's values before its activation: the input of a pure activation layer."""
        return self._before[self.network.resolve(name)]

    def inputs(self, name: str) -> tuple[np.ndarray, ...]:
        """The arrays that a layer read."""
        layer = self.network[name]
        return layer.cast([self[feeder] for feeder in layer.inputs], self.network.dtype)

    def gradient(
        self,
        of: Any,
        unit: Any = None,
        *,
        weights: Any = None,
        pre_activation: bool = False,
        memory_limit: float | None = None,
        work_limit: float | None = None,
    ) -> Gradient:
        """The gradient of a unit, or of a weighted sum of units, with respect to what they depend on.

        Parameters
        ----------
        of
            The name of a layer; or {name: weights} for a sum over several layers.
        unit
            Which unit of the layer: an index such as (row, column, channel), the same for every image, in
            which a slice or ... stands for the sum over what it selects; or an array (N, axes) of
            integers, for each image its own unit. It may be left out where there is only one.
        weights
            Instead of a unit: how much each counts, in the shape of the layer's output, with or
            without the batch axis.
        pre_activation
            Whether the values before the layer's activation are meant, such as logits before a softmax.
        memory_limit, work_limit
            As for `Network.run`: what a layer's gradients may hold while they are computed, and what those
            of one image may take.

        Returns
        -------
        Gradient

        Raises
        ------
        KeyError
            for a layer that does not exist.
        ValueError, TypeError
            for a unit that does not exist, weights of another shape, a unit and weights together or none;
            ValueError above a limit.

        Examples
        --------
        >>> from cnnviz import Layer, Network
        >>> image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 2)})
        >>> config, kernel = {"units": 1, "use_bias": False}, {"kernel": np.array([[2.0], [3.0]])}
        >>> dense = Layer.from_config("dense", "Dense", config, weights=kernel, inputs=("image",))
        >>> found = Network([image, dense]).run([[1.0, 10.0]]).gradient("dense", unit=0)
        >>> found.value, found.wrt_input, found["dense/kernel"].ravel()
        (array([32.]), array([[2., 3.]]), array([ 1., 10.]))
        """
        if isinstance(of, Mapping):
            if unit is not None or weights is not None:
                raise ValueError("of={layer: weights} takes no unit and no weights beside it")
            if not of:
                raise ValueError("of must name at least one layer, got none")
            chosen = {self.network[name].name: _weighted(self, name, value) for name, value in of.items()}
        elif (unit is None) == (weights is None) and (unit is not None or self[of][:1].size != 1):
            raise ValueError(
                f"say which of the {self[of].shape[1:]} units of {of} by unit= or weights=, one of the two"
            )
        elif weights is not None:
            chosen = {self.network[of].name: _weighted(self, of, weights)}
        else:
            chosen = {self.network[of].name: _chosen(self, of, ... if unit is None else unit)}
        images = {name: self[name] for name in self.network.inputs}
        check_gradient(self.network, images, memory_limit, work_limit)
        before = tuple(chosen) if pre_activation else ()
        elsewhere = self.network.gradient_elsewhere(self, chosen, before)
        return Gradient(self, chosen, before) if elsewhere is None else elsewhere

    @property
    def input(self) -> Any:
        """What went in, prepared: floats with a batch axis; a tuple if there are several inputs."""
        return single(tuple(self[name] for name in self.network.inputs))

    @property
    def output(self) -> Any:
        """What came out; a tuple if there are several outputs."""
        return single(tuple(self[name] for name in self.network.outputs))


class Passed(NamedTuple):
    """What a forward pass gave, by the layers' names, and its number where another process computed it."""

    outputs: dict[str, np.ndarray]
    before: dict[str, np.ndarray]
    number: int = 0


def forward_pass(
    graph: LayerGraph,
    x: Any,
    edits: Edits | None = None,
    *,
    memory_limit: float | None = None,
    work_limit: float | None = None,
    inner: Edits | None = None,
    base: Run | None = None,
) -> Run:
    """One forward pass that keeps every activation: what `Network.run` returns, with its arguments.

    It takes a run's network as it is, for another pass: forward_pass(run.network, images). `inner` are edits
    of what layers give before their activation. `base` is a run of the same network, or of one made of it by
    `with_weights`: what this pass has in common with it is taken over, not computed again.
    """
    edits, inner = (
        {graph.resolve(name): function for name, function in (each or {}).items()} for each in (edits, inner)
    )
    images = images_of(graph, x)
    check_kept(graph, images, memory_limit, work_limit)
    inputs = prepared(graph, images)
    passed = graph.passed_elsewhere(inputs, edits, inner, base)
    if passed is None:
        before: dict[str, np.ndarray] = {}
        earlier = None if base is None else Base(base.network, base, base._before, base.edited)
        passed = Passed(forward(graph, inputs, before, edits, inner=inner, base=earlier), before)
    return Run(graph, passed.outputs, passed.before, {*edits, *inner}, modes_of(graph, x), passed.number)


def training_pass(graph: LayerGraph, x: Any, draws: Draws, *, memory_limit: float | None = None) -> Run:
    """One forward pass as in a step of training: batch statistics, and what dropout and noise draw.

    The layers of its `network` are those that computed: what they drew, and the statistics that they took
    from the batch, stand in them. `Entry.after_training` says which weights the pass has changed.
    What is behind a ReLU that a max pooling alone reads is worked out if it is asked for.
    """
    images = images_of(graph, x)
    layers: dict[str, Layer] = {}
    changed: dict[str, dict[str, np.ndarray]] = {}

    def in_training(layer: Layer, inputs: Sequence[np.ndarray]) -> Layer:
        # A later call begins with what the calls before it made of the weights that they share.
        weights = {**layer.weights, **changed.get(layer.owner, {})}
        trained = layer.entry.in_training(replace(layer, weights=weights), inputs, draws)
        changed.setdefault(layer.owner, {}).update(trained.entry.after_training(trained, weights))
        layers[layer.name] = trained
        return trained

    check_kept(graph, images, memory_limit)
    before: dict[str, np.ndarray] = {}
    relus = relus_before_pooling(graph)
    outputs = forward(graph, prepared(graph, images), before, in_training=in_training, relus_behind=relus)
    return Run(graph.with_layers(layers.values()), outputs, before, preprocess=modes_of(graph, x))


class Gradient(Mapping[str, np.ndarray]):
    """The gradient of one number for each image with respect to the activations and weights before it.

    A mapping from names to read-only arrays, each worked out when it is first asked for:
    gradient["conv2d_3"] has the shape of run["conv2d_3"], gradient["conv2d_3/kernel"] the kernel's.
    Iterating gives the layers. What the number does not depend on has a gradient of zeros.

    Images of a batch do not see each other, so an activation's gradient holds that of each image's own
    number. Weights are shared by all images: theirs is the sum over the batch.

    `Run.gradient` makes it from `seeds`, which say how much each unit of some layers counts in the number;
    of the layers in `pre_activations` the units before their activation.
    """

    def __init__(
        self, run: Run, seeds: Mapping[str, np.ndarray], pre_activations: Collection[str] = ()
    ) -> None:
        self.run = run
        self.seeds = dict(seeds)
        self.of_pre_activations = frozenset(pre_activations)
        self._outputs: dict[str, np.ndarray | None] = {}
        self._pre_activations: dict[str, np.ndarray | None] = {}
        self._inputs: dict[str, tuple[np.ndarray, ...] | None] = {}
        self._weights: dict[tuple[str, str], np.ndarray] = {}
        # The layers that the number depends on, and the places where these read each other.
        self._needed = set(self.seeds)
        self._readers: dict[str, list[tuple[Layer, int]]] = {layer.name: [] for layer in run.network}
        for layer in reversed(run.network.layers):
            if layer.name in self._needed and not layer.entry.breaks_gradients:
                self._needed.update(layer.inputs)
                for place, name in enumerate(layer.inputs):
                    self._readers[name].append((layer, place))

    def __getitem__(self, name: str) -> np.ndarray:
        """The gradient with respect to a layer's output, or to "layer/weight"."""
        layer, weight = self.parse(name)
        if weight:
            return self._weight(layer, weight)
        return self._filled(self._output(layer.name), self.run[layer.name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.run)

    def __len__(self) -> int:
        return len(self.run)

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and bool(self.parse(name))
        except KeyError:
            return False

    def __repr__(self) -> str:
        before = ("", "the pre-activation of ")
        units = (f"{before[name in self.of_pre_activations]}{name}" for name in self.seeds)
        return one_line(f"<Gradient of units of {' and '.join(units)} in {self.run.network.name}>")

    # Mapping's own would compare arrays.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def value(self) -> np.ndarray:
        """The numbers themselves: (N,), for each image the sum of its units times their seeds."""
        products = (
            seed * (self.run.pre_activation(name) if name in self.of_pre_activations else self.run[name])
            for name, seed in self.seeds.items()
        )
        return sum(product.reshape(len(product), -1).sum(axis=1) for product in products)  # type: ignore[return-value]

    @property
    def wrt_input(self) -> Any:
        """With respect to the network's input; a tuple if there are several."""
        return single(tuple(self[name] for name in self.run.network.inputs))

    @property
    def wrt_weights(self) -> dict[str, np.ndarray]:
        """With respect to all weights, by "layer/weight"; shared weights under their first layer."""
        return {
            f"{layer.name}/{weight}": self._weight(layer, weight)
            for layer in self.run.network
            if layer.owner == layer.name
            for weight in layer.weights
        }

    def of_weights(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """With respect to several weights, by "layer/weight", in one pass from the units back.

        They are kept, but no activation's gradient longer than the pass needs it: that takes less memory,
        and less time, than asking for each.
        """
        wanted = [(name, *self.parse(name)) for name in names]
        missing = {(layer.owner, weight) for _, layer, weight in wanted} - self._weights.keys()
        for key, total in Gradient(self.run, self.seeds, self.of_pre_activations)._swept(missing).items():
            self._weights[key] = self._filled(total, total)
        return {name: self._weights[layer.owner, weight] for name, layer, weight in wanted}

    def pre_activation(self, name: str) -> np.ndarray:
        """With respect to a layer's values before its activation."""
        layer = self.run.network[name]
        return self._filled(self._pre_activation(layer), self.run.pre_activation(layer.name))

    def readers(self, name: str) -> list[tuple[Layer, int]]:
        """The layers that read a layer's output and lead to the number, each with which input it is."""
        return list(self._readers[self.run.network.resolve(name)])

    def calls(self, name: str) -> list[Layer]:
        """The calls of a layer that lead to the number: they share its weights."""
        owner = self.run.network[name].owner
        return [layer for layer in self.run.network if layer.owner == owner and layer.name in self._needed]

    def reaches(self, name: str) -> bool:
        """Whether a gradient comes back to a layer, or to one that shares its weights, even if it is 0."""
        return bool(self.calls(self.parse(name)[0].name))

    def parse(self, name: str) -> tuple[Layer, str]:
        """The layer, and the weight that is meant or ""."""
        network = self.run.network
        owner, _, weight = name.rpartition("/")
        if name in network or owner not in network:
            return network[name], ""
        layer = network[owner]
        if weight not in layer.weights:
            raise KeyError(f"{layer.name} has no weight {weight!r}, it has {sorted(layer.weights)}")
        return layer, weight

    def _filled(self, grad: np.ndarray | None, like: np.ndarray) -> np.ndarray:
        grad = np.zeros_like(like) if grad is None else grad
        grad.flags.writeable = False
        return grad

    # Below, None stands for a gradient of zeros, so that nothing is computed from zeros.

    def _output(self, name: str) -> np.ndarray | None:
        if name not in self._outputs:
            for layer in reversed(self._between(name)):
                if layer.name not in self._outputs:
                    self._outputs[layer.name] = self._gathered(layer)
        return self._outputs[name]

    def _between(self, name: str) -> list[Layer]:
        """The layer and those that lead from it to the units, in order."""
        reached, between = {name}, []
        for layer in self.run.network:
            on_the_way = layer.name in self._needed and not reached.isdisjoint(layer.inputs)
            if layer.name == name or on_the_way:
                reached.add(layer.name)
                between.append(layer)
        return between

    def _gathered(self, layer: Layer) -> np.ndarray | None:
        """The layer's own seed, and what each reader of its output gives back."""
        total = None if layer.name in self.of_pre_activations else self.seeds.get(layer.name)
        for reader, place in self._readers[layer.name]:
            grads = self._inputs_of(reader)
            if grads is not None:
                total = grads[place] if total is None else total + grads[place]
        return total

    def _inputs_of(self, layer: Layer) -> tuple[np.ndarray, ...] | None:
        if layer.name not in self._inputs:
            grad = self._pre_activation(layer)
            self._inputs[layer.name] = (
                None
                if grad is None
                else layer.entry.input_gradients(layer, self.run.inputs(layer.name), grad)
            )
        return self._inputs[layer.name]

    def _pre_activation(self, layer: Layer) -> np.ndarray | None:
        if layer.name not in self._pre_activations:
            total = self.seeds[layer.name] if layer.name in self.of_pre_activations else None
            grad = self._output(layer.name)
            if grad is not None:
                if layer.name in self.run.edited:
                    raise ValueError(
                        f"the output of {layer.name} was edited in this run: how it depends on what came "
                        "before it is not known"
                    )
                if layer.activation is not None:
                    grad = layer.activation.gradient(self.run.pre_activation(layer.name), grad)
                total = grad if total is None else total + grad
            self._pre_activations[layer.name] = total
        return self._pre_activations[layer.name]

    def _weight(self, layer: Layer, weight: str) -> np.ndarray:
        key = layer.owner, weight
        if key not in self._weights:
            total = self._summed(key, [self._share_of_call(call, weight) for call in self.calls(layer.name)])
            self._weights[key] = self._filled(total, total)
        return self._weights[key]

    def _share_of_call(self, call: Layer, weight: str) -> np.ndarray | None:
        """What one call of a layer adds to the gradient of its weight."""
        grad = self._output(call.name) if call.is_activation else self._pre_activation(call)
        if grad is None:
            return None
        return call.entry.weight_gradient(call, weight, self.run.inputs(call.name), grad)

    def _summed(self, key: tuple[str, str], shares: Iterable[np.ndarray | None]) -> np.ndarray:
        """The gradient of a weight (owner, name), of what its calls add, in their order."""
        owner, weight = key
        total = np.zeros(self.run.network[owner].weights[weight].shape, self.run.network.dtype)
        for share in shares:
            if share is not None:
                total += share
        return total

    def _swept(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], np.ndarray]:
        """The gradients of weights (owner, name), forgetting that of each layer once it is done."""
        shares: dict[tuple[str, str], list[np.ndarray]] = {key: [] for key in wanted}
        names = {owner: [name for each, name in wanted if each == owner] for owner, _ in wanted}
        leading: dict[str, bool] = {}
        """Whether the gradient leads on from a layer to one with such a weight."""
        first_reader: dict[str, str] = {}
        kept = self.seeds.keys() | self.run.edited
        relus = {
            name: relu for name, relu in relus_before_pooling(self.run.network).items() if relu not in kept
        }
        for layer in self.run.network:
            on = [name for name in layer.inputs if name in leading]
            if on or layer.owner in names:
                leading[layer.name] = bool(on)
                first_reader[layer.name] = on[0] if on else ""
        for layer in reversed(self.run.network.layers):
            if layer.name not in leading or layer.name not in self._needed:
                continue
            output = self._outputs[layer.name] = self._gathered(layer)
            for reader, _ in self._readers[layer.name]:
                if first_reader.get(reader.name) == layer.name:
                    self._inputs.pop(reader.name, None)
            grad, weights = self._pre_activation(layer), names.get(layer.owner, [])
            self._inputs[layer.name] = None
            if grad is not None:
                entry, relu = layer.entry, relus.get(layer.name)
                if relu is None:
                    inputs = self.run.inputs(layer.name)
                else:
                    grad, inputs = RELU.gradient(self.run[layer.name], grad), (self.run.pre_activation(relu),)
                # The weights of an activation are asked with the gradient of its output.
                own = () if layer.is_activation else weights
                found, of_weights = entry.gradients(layer, inputs, grad, own, leading[layer.name])
                if relu is not None and found:
                    (self._pre_activations[relu],) = found
                else:
                    self._inputs[layer.name] = found or None
                if layer.is_activation and output is not None:
                    of_weights = entry.gradients(layer, inputs, output, weights, False)[1]
                for name, share in of_weights.items():
                    shares[layer.owner, name].insert(0, share)
            del self._outputs[layer.name], self._pre_activations[layer.name]
        return {key: self._summed(key, found) for key, found in shares.items()}


def _weighted(run: Run, name: str, value: Any) -> np.ndarray:
    check_numbers(value, "weights")
    shape, array = run[name].shape, np.array(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"weights of {name} must be real numbers, got dtype {array.dtype}")
    if array.shape not in (shape, shape[1:]):
        raise ValueError(
            f"weights of {name} must have shape {shape}, or {shape[1:]} for every image, got {array.shape}"
        )
    return np.broadcast_to(array, shape).astype(run.network.dtype)


def _chosen(run: Run, name: str, unit: Any) -> np.ndarray:
    """1 for the chosen units, 0 for the others."""
    shape = run[name].shape
    seed = np.zeros(shape, run.network.dtype)
    if isinstance(unit, np.ndarray | list):
        seed[(np.arange(len(seed)), *_one_for_each(name, shape, unit).T)] = 1
    else:
        seed[(slice(None), *_index(name, shape[1:], unit))] = 1
    return seed


def _index(name: str, shape: tuple[int, ...], unit: Any) -> list[int | slice]:
    entries = list(unit) if isinstance(unit, tuple) else [unit]
    if entries.count(...) == 1:
        place = entries.index(...)
        entries[place : place + 1] = [slice(None)] * (len(shape) - len(entries) + 1)
    if len(entries) != len(shape):
        raise ValueError(f"unit must have an index for each axis of {name}'s units, {shape}, got {unit!r}")
    for size, entry in zip(shape, entries, strict=True):
        if not isinstance(entry, slice) and not -size <= integer(entry, "unit") < size:
            raise ValueError(f"unit must be one of {name}'s, {shape}, got {unit!r}")
    return entries


def _one_for_each(name: str, shape: tuple[int, ...], unit: Any) -> np.ndarray:
    """(N, axes) indices."""
    units = np.array(unit)
    if units.dtype.kind not in "iu":
        raise TypeError(f"unit must be integers, got dtype {units.dtype}")
    if len(shape) == 2 and units.ndim == 1:
        units = units[:, np.newaxis]
    if units.shape != (shape[0], len(shape) - 1):
        raise ValueError(
            f"unit must be a tuple, or an array {(shape[0], len(shape) - 1)} with an index for each image, "
            f"got {unit!r}"
        )
    outside = (units < np.negative(shape[1:])) | (units >= shape[1:])
    if outside.any():
        wrong = tuple(units[outside.any(axis=1)][0].tolist())
        raise ValueError(f"unit must be one of {name}'s, {shape[1:]}, got {wrong}")
    return units
