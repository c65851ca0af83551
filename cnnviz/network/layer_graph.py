"""LayerGraph: layers by name, in an order in which they can be computed, and copies with changes.

This is a network that computes nothing: `network` adds predictions and runs.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from cnnviz.layers import ENTRIES, Layer
from cnnviz.layers.activations import Activation, parse_activation
from cnnviz.layers.shapes import with_shapes
from cnnviz.network.keras_config import Model
from cnnviz.numbers import brief
from cnnviz.ops.annotations import check_numbers
from cnnviz.resources import one_line


class LayerGraph:
    """The layers of a network. It never changes. See `Network` for the parameters."""

    memory_limit: float | None = None
    work_limit: float | None = None
    """What a pass may take where nothing else is said; None for the limits that hold for every network."""

    def __init__(
        self,
        layers: Iterable[Layer],
        outputs: Sequence[str] | None = None,
        *,
        name: str = "network",
        inputs: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
        source: Path | None = None,
        seed: int | None = None,
        structure: Model | None = None,
    ) -> None:
        layers = list(layers)
        self.name = name
        self.source = source
        self.structure = structure
        self.inputs = tuple(inputs or (layer.name for layer in layers if not layer.inputs))
        self.outputs = tuple(outputs or (layer.name for layer in layers[-1:]))
        _check_graph(layers, self.inputs, self.outputs)
        self.aliases = dict(aliases or {})
        weights = [array for layer in layers for array in layer.weights.values()]
        self.dtype = np.dtype("float64" if any(a.dtype == np.float64 for a in weights) else "float32")
        generator = None if seed is None else np.random.default_rng(seed)
        self._layers = {layer.name: layer for layer in with_shapes(layers, self.dtype, generator=generator)}
        self.taken: dict[Any, Any] = {}
        """What one image takes, as `memory` has worked it out: by the inputs' shapes, the last few; () where
        all sizes are known, and one image takes as much as any."""

    def __repr__(self) -> str:
        shapes = f"{self.input_shape} -> {self.output_shape}"
        return one_line(
            f"<Network {self.name}: {len(self)} layers, {self.count_params()[0]:,} parameters, {shapes}>"
        )

    def __getitem__(self, name: str) -> Layer:
        return self._layers[self.resolve(name)]

    def __contains__(self, name: object) -> bool:
        return name in self._layers or name in self.aliases

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers.values())

    def __len__(self) -> int:
        return len(self._layers)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, inputs included, each after those that feed it."""
        return tuple(self._layers.values())

    @property
    def input_shape(self) -> Any:
        """The input's shape without the batch axis; a tuple of shapes if there are several inputs."""
        return single(tuple(self[name].output_shape for name in self.inputs))

    @property
    def output_shape(self) -> Any:
        """The output's shape without the batch axis; a tuple of shapes if there are several outputs."""
        return single(tuple(self[name].output_shape for name in self.outputs))

    def count_params(self) -> tuple[int, int, int]:
        """Numbers of parameters, (total, trainable, non-trainable); shared weights count once.

        Non-trainable are the statistics of normalisations and the weights of frozen layers.
        """
        owners = [layer for layer in self if layer.owner == layer.name]
        total = sum(layer.params for layer in owners)
        trainable = sum(layer.trainable_params for layer in owners)
        return total, trainable, total - trainable

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about how the network runs here, one sentence each; () if it runs as in Keras."""
        halves = sorted({layer.precision for layer in self} & {"float16", "bfloat16"})
        names = [layer.name for layer in self if layer.precision in halves]
        if not names:
            return ()
        which = "all layers" if len(names) == len(self) else f"{len(names)} of {len(self)} layers"
        return (f"Keras computes {which} in {' and '.join(halves)}; here they run in {self.dtype}.",)

    def with_weights(self, weights: Mapping[str, Any]) -> Self:
        """The network with some weights exchanged, and everything else shared.

        Parameters
        ----------
        weights
            {"layer/weight": array}, such as "conv2d/kernel"; shapes as they were. Weights that several
            calls share are exchanged in all of them.

        Raises
        ------
        KeyError
            for a layer or weight that does not exist.
        ValueError
            for another shape.
        """
        changed: dict[str, dict[str, np.ndarray]] = {}
        for key, value in weights.items():
            name, _, weight = key.rpartition("/")
            layer = self[name]
            if weight not in layer.weights:
                raise KeyError(f"{layer.name} has no weight {weight!r}, it has {sorted(layer.weights)}")
            old = layer.weights[weight]
            check_numbers(value, key)
            array = np.array(value, old.dtype)
            if array.shape != old.shape:
                raise ValueError(f"{key} must have shape {old.shape}, got {array.shape}")
            array.flags.writeable = False
            changed.setdefault(layer.owner, {})[weight] = array
        derived = self.with_layers(
            replace(layer, weights={**layer.weights, **changed.get(layer.owner, {})}) for layer in self
        )
        # Other weights take as much: each step of training makes such a network.
        derived.taken = self.taken
        return derived

    def initialized(self, seed: int | None = None) -> Self:
        """The network as it is before any training: all weights drawn anew, as its initialisers say.

        Statistics and frozen layers begin anew too; a layer that is called several times is drawn once. Of a
        float32 and a float64 network the numbers are the same, up to rounding. In Keras a seed gives other
        numbers, of the same distribution.

        Parameters
        ----------
        seed
            For NumPy's generator; None draws other numbers each time.

        Raises
        ------
        ValueError
            for a layer whose initialiser is its author's own, naming the layer.

        Examples
        --------
        >>> import cnnviz
        >>> net = cnnviz.load_model("mnist_14k").initialized(seed=0)
        >>> float(net["conv2d"].weights["bias"].max()), net["conv2d"].weights["kernel"].shape
        (0.0, (3, 3, 1, 16))
        """
        generator = np.random.default_rng(seed)
        drawn: dict[str, dict[str, np.ndarray]] = {}
        for layer in self:
            if layer.owner not in drawn:
                try:
                    drawn[layer.owner] = {
                        name: layer.initializer(name).draw(array.shape, generator, array.dtype)
                        for name, array in layer.weights.items()
                    }
                except ValueError as error:
                    raise ValueError(f"layer {layer.name!r} ({layer.kind}): {error}") from error
                for array in drawn[layer.owner].values():
                    array.flags.writeable = False
        return self.with_layers(replace(layer, weights=drawn[layer.owner]) for layer in self)

    def with_activation(self, activations: Mapping[str, str | Activation | None]) -> Self:
        """The network with activations exchanged, fused ones or layers of their own.

        Parameters
        ----------
        activations
            {layer name: "tanh"}: a name that Keras knows, an `Activation`, or None for none. A layer that
            is called several times gets it in all of them.

        Raises
        ------
        KeyError
            for a layer that does not exist.
        ValueError
            for a layer that cannot have an activation, or an unknown activation.
        """
        changed: dict[str, dict[str, Any]] = {}
        for name, value in activations.items():
            layer = self[name]
            chosen = {"activation": parse_activation(value)}
            if layer.is_activation:
                changed[layer.owner] = {
                    "kind": "Activation",
                    "config": chosen,
                    "weights": {},
                    "raw_config": {},
                }
            elif "activation" in layer.entry.options:
                changed[layer.owner] = {"config": {**layer.config, **chosen}}
            else:
                raise ValueError(f"{layer.name} is a {layer.kind}, which has no activation to exchange")
        return self.with_layers(replace(layer, **changed.get(layer.owner, {})) for layer in self)

    def astype(self, dtype: Any) -> Self:
        """The network with weights, and so all arithmetic, in float32 or float64."""
        kind = np.dtype(dtype)
        if kind not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
        derived = self.with_layers(
            replace(layer, weights={name: _cast(array, kind) for name, array in layer.weights.items()})
            for layer in self
        )
        derived.dtype = kind
        return derived

    def with_layers(self, layers: Iterable[Layer]) -> Self:
        """The network with other layers of the same names, shapes and places."""
        derived = copy.copy(self)
        derived._layers = {layer.name: layer for layer in layers}
        derived.taken = {}
        return derived

    def passed_elsewhere(self, inputs: Any, edits: Any, inner: Any, base: Any) -> Any:
        """A forward pass (`run.Passed`) where another process computes it; None where it is computed here."""
        return None

    def gradient_elsewhere(self, run: Any, seeds: Any, pre_activations: Any) -> Any:
        """Likewise the gradient of a run."""
        return None

    def resolve(self, name: str) -> str:
        """The layer's name that an alias stands for; KeyError for a name that does not exist."""
        if not isinstance(name, str):
            raise TypeError(f"the name of a layer must be a string, got {brief(name)}")
        name = self.aliases.get(name, name)
        if name not in self._layers:
            raise KeyError(f"{self.name} has no layer {brief(name)}; {names_like(name, self._layers)}")
        return name


def names_like(name: Any, names: Collection[str]) -> str:
    """What to say to somebody who gave a name that is not among these.

    >>> names_like("conv", ["conv2d", "pool"]), names_like("x", ["conv2d", "pool"])
    ('did you mean conv2d?', 'there are conv2d, pool')
    """
    close = difflib.get_close_matches(str(name), names, n=3)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}"


def single(values: tuple) -> Any:
    """The one value, or all of them if there are several."""
    return values[0] if len(values) == 1 else values


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    array = array.astype(dtype)
    array.flags.writeable = False
    return array


def _check_graph(layers: Sequence[Layer], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ValueError(f"layer names must be unique, {layer.name!r} comes twice")
        if layer.kind not in ENTRIES:
            raise ValueError(f"layer {layer.name!r}: {layer.kind} is not supported")
        if not layer.entry.least_inputs <= len(layer.inputs) <= layer.entry.most_inputs:
            raise ValueError(f"layer {layer.name!r}: a {layer.kind} cannot have {len(layer.inputs)} inputs")
        missing = [name for name in layer.inputs if name not in seen]
        if missing:
            raise ValueError(f"layer {layer.name!r} reads {missing}, which must come before it")
        seen.add(layer.name)
    here = {layer.name for layer in layers if not layer.inputs}
    if set(inputs) != here or len(set(inputs)) != len(inputs) or not inputs:
        raise ValueError(f"inputs must be the InputLayers {sorted(here)}, at least one, got {list(inputs)}")
    if not outputs or not seen.issuperset(outputs):
        raise ValueError(f"outputs must be layers of the network, got {list(outputs)}")
