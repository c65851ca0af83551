"""Network and Run: a graph of layers over `ops` that can keep every activation of a forward pass.

Inference only: nothing here trains, and dropout passes its input on. What one layer is and how it
computes is in `layer` and `layer_kinds`. Names follow Keras.
"""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.activation import Activation, parse_activation
from cnnviz.backward import Gradient, gradient
from cnnviz.inference import Inference, is_chain
from cnnviz.layer import Layer, with_shapes
from cnnviz.layer_kinds import KINDS
from cnnviz.network_input import batched, floats

BATCH_BYTES = 32 * 2**20
"""The default batch keeps the largest activation below this."""


Edits = Mapping[str, Callable[[np.ndarray], np.ndarray]]


class Network:
    """A graph of layers, in the order in which they can be computed. It never changes.

    Parameters
    ----------
    layers
        Each after those that feed it.
    outputs
        Names of the layers whose outputs are the network's; None is the last layer.
    name
        For display.
    inputs
        Names of the InputLayers in the order of the network's arguments; None is as they come.
    aliases
        Other names for layers: a nested model's name for its last layer.
    source
        The file that it was read from; networks derived from this one name it too.

    Raises
    ------
    ValueError
        if layers do not fit together or weights do not fit their layer, naming the layer.

    Examples
    --------
    >>> image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 28, 28, 1)})
    >>> net = Network([image, Layer("flat", "Flatten", inputs=("image",))])
    >>> net.output_shape, net.predict(np.zeros((5, 28, 28))).shape
    ((784,), (5, 784))
    """

    def __init__(
        self,
        layers: Iterable[Layer],
        outputs: Sequence[str] | None = None,
        *,
        name: str = "network",
        inputs: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
        source: Path | None = None,
    ) -> None:
        layers = list(layers)
        self.name = name
        self.source = source
        self.inputs = tuple(inputs or (layer.name for layer in layers if layer.kind == "InputLayer"))
        self.outputs = tuple(outputs or (layer.name for layer in layers[-1:]))
        _check_graph(layers, self.inputs, self.outputs)
        self.aliases = dict(aliases or {})
        weights = [array for layer in layers for array in layer.weights.values()]
        self.dtype = np.dtype("float64" if any(a.dtype == np.float64 for a in weights) else "float32")
        self._layers = {layer.name: layer for layer in with_shapes(layers, self.dtype)}

    def __repr__(self) -> str:
        shapes = f"{self.input_shape} -> {self.output_shape}"
        return f"<Network {self.name}: {len(self)} layers, {self.count_params()[0]:,} parameters, {shapes}>"

    def __getitem__(self, name: str) -> Layer:
        return self._layers[self._resolve(name)]

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
        return _single(tuple(self[name].output_shape for name in self.inputs))

    @property
    def output_shape(self) -> Any:
        """The output's shape without the batch axis; a tuple of shapes if there are several outputs."""
        return _single(tuple(self[name].output_shape for name in self.outputs))

    def count_params(self) -> tuple[int, int, int]:
        """Numbers of parameters, (total, trainable, non-trainable); shared weights count once.

        Non-trainable are the statistics of normalisations and the weights of frozen layers.
        """
        owners = [layer for layer in self if layer.owner == layer.name]
        total = sum(layer.params for layer in owners)
        trainable = sum(layer.trainable_params for layer in owners)
        return total, trainable, total - trainable

    def predict(self, x: Any, batch_size: int | None = None) -> Any:
        """The network's output for images, computed batch by batch; nothing else is kept.

        A chain of layers is computed with batch normalisation folded into its neighbours, which rounds
        differently from `run` in the last digits.

        Parameters
        ----------
        x
            Images (N, H, W, C) or one (H, W, C), without the channel axis too if there is one channel:
            integers 0..255, which are divided by 255 unless the network starts with its own Rescaling
            or Normalization, or floats, which are taken as they are. Several inputs: a list, or a
            mapping by name.
        batch_size
            Images at a time; None keeps the largest activation below 32 MB.

        Returns
        -------
        array (N, ...) of the network's dtype
            A tuple of arrays if there are several outputs.

        Raises
        ------
        ValueError, TypeError
            for a shape that does not fit, integers outside 0..255, arrays that do not hold numbers.
        """
        images = self._images(x)
        count = len(images[self.inputs[0]])
        if batch_size is None:
            batch_size = self._default_batch(images)
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"batch_size must be a positive int or None, got {batch_size!r}")
        batches = []
        for first in range(0, max(count, 1), batch_size):
            batch = {name: array[first : first + batch_size] for name, array in images.items()}
            prepared = {name: self._prepared(name, array) for name, array in batch.items()}
            if self._inference is not None:
                batches.append([self._inference(prepared[self.inputs[0]])])
            else:
                values = self._forward(prepared)
                batches.append([values[self._resolve(name)] for name in self.outputs])
        return _single(tuple(np.concatenate(parts) for parts in zip(*batches, strict=True)))

    def run(self, x: Any, edits: Edits | None = None) -> Run:
        """One forward pass that keeps every activation.

        Parameters
        ----------
        x
            As for `predict`.
        edits
            {layer name: function}: each function gets a copy of its layer's output and returns what
            everything behind the layer reads instead, an array of the same shape.

        Returns
        -------
        Run

        Raises
        ------
        ValueError, TypeError
            as `predict`; for an edit that changes the shape.
        KeyError
            for an edit of a layer that there is not.
        """
        edits = {self._resolve(name): function for name, function in (edits or {}).items()}
        images = {name: self._prepared(name, array) for name, array in self._images(x).items()}
        before: dict[str, np.ndarray] = {}
        return Run(self, self._forward(images, before, edits), before, edits)

    def with_weights(self, weights: Mapping[str, Any]) -> Network:
        """The network with some weights exchanged, and everything else shared.

        Parameters
        ----------
        weights
            {"layer/weight": array}, such as "conv2d/kernel"; shapes as they were. Weights that several
            calls share are exchanged in all of them.

        Raises
        ------
        KeyError
            for a layer or weight that there is not.
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
            array = np.array(value, old.dtype)
            if array.shape != old.shape:
                raise ValueError(f"{key} must have shape {old.shape}, got {array.shape}")
            array.flags.writeable = False
            changed.setdefault(layer.owner, {})[weight] = array
        return self._derived(
            replace(layer, weights={**layer.weights, **changed.get(layer.owner, {})}) for layer in self
        )

    def with_activation(self, activations: Mapping[str, str | Activation | None]) -> Network:
        """The network with activations exchanged, fused ones or layers of their own.

        Parameters
        ----------
        activations
            {layer name: "tanh"}: a name that Keras knows, an `Activation`, or None for none. A layer that
            is called several times gets it in all of them.

        Raises
        ------
        KeyError
            for a layer that there is not.
        ValueError
            for a layer that cannot have an activation, or an unknown activation.
        """
        changed: dict[str, dict[str, Any]] = {}
        for name, value in activations.items():
            layer = self[name]
            chosen = {"activation": parse_activation(value)}
            if layer.is_activation:
                changed[layer.owner] = {"kind": "Activation", "config": chosen, "weights": {}}
            elif "activation" in KINDS[layer.kind].options:
                changed[layer.owner] = {"config": {**layer.config, **chosen}}
            else:
                raise ValueError(f"{layer.name} is a {layer.kind}, which has no activation to exchange")
        return self._derived(replace(layer, **changed.get(layer.owner, {})) for layer in self)

    def astype(self, dtype: Any) -> Network:
        """The network with weights, and so all arithmetic, in float32 or float64."""
        kind = np.dtype(dtype)
        if kind not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
        derived = self._derived(
            replace(layer, weights={name: _cast(array, kind) for name, array in layer.weights.items()})
            for layer in self
        )
        derived.dtype = kind
        return derived

    def _derived(self, layers: Iterable[Layer]) -> Network:
        derived = copy.copy(self)
        derived._layers = {layer.name: layer for layer in layers}
        return derived

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes over: all but the compiled way to predict."""
        return {name: value for name, value in vars(self).items() if name != "_inference"}

    @cached_property
    def _inference(self) -> Inference | None:
        """The fast way to the output alone, for networks that are one chain of layers."""
        whole = self.outputs == (self.layers[-1].name,) and is_chain(self.layers)
        return Inference(self.layers, self.dtype) if whole else None

    def _resolve(self, name: str) -> str:
        name = self.aliases.get(name, name)
        if name not in self._layers:
            close = difflib.get_close_matches(str(name), self._layers, n=3)
            hint = (
                f"; did you mean {' or '.join(close)}?" if close else f"; there are {', '.join(self._layers)}"
            )
            raise KeyError(f"{self.name} has no layer {name!r}{hint}")
        return name

    def _forward(
        self,
        inputs: Mapping[str, np.ndarray],
        before: dict[str, np.ndarray] | None = None,
        edits: Edits | None = None,
    ) -> dict[str, np.ndarray]:
        """The outputs of all layers; pre-activations go into `before`.

        Without `before` every output is dropped as soon as nothing needs it.
        """
        values: dict[str, np.ndarray] = {}
        last_reader = {name: layer.name for layer in self for name in layer.inputs}
        last_reader.update(dict.fromkeys(map(self._resolve, self.outputs), ""))
        for layer in self:
            read = [values[name] for name in layer.inputs] or [inputs[layer.name]]
            z = layer.before_activation(*read)
            values[layer.name] = layer.after_activation(z)
            if before is not None:
                before[layer.name] = z
                if edits and layer.name in edits:
                    values[layer.name] = _edited(layer, values[layer.name], edits[layer.name])
            else:
                for name in {*layer.inputs, layer.name}:
                    if last_reader.get(name, layer.name) == layer.name:
                        values.pop(name, None)
        return values

    def _images(self, x: Any) -> dict[str, np.ndarray]:
        """The argument of predict and run as one array with a batch axis for each input."""
        if len(self.inputs) == 1 and not isinstance(x, Mapping):
            given = {self.inputs[0]: x}
        elif isinstance(x, Mapping):
            given = dict(x)
        else:
            arrays = x if isinstance(x, list | tuple) and len(x) == len(self.inputs) else ()
            given = dict(zip(self.inputs, arrays, strict=False))
        if set(given) != set(self.inputs):
            raise ValueError(
                f"x must have one array for each input, {', '.join(self.inputs)}: a list or a mapping"
            )
        images = {name: batched(given[name], self[name]) for name in self.inputs}
        counts = {name: len(array) for name, array in images.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"inputs must agree in batch size, got {counts}")
        return images

    def _prepared(self, name: str, x: np.ndarray) -> np.ndarray:
        return floats(x, self.dtype, name, pixels=not self._scales_itself(name))

    def _scales_itself(self, name: str) -> bool:
        """Whether the first arithmetic on an input is a Rescaling or Normalization."""
        reached = {name}
        for layer in self:
            if not reached.isdisjoint(layer.inputs):
                if layer.kind in ("Rescaling", "Normalization"):
                    return True
                if KINDS[layer.kind].moves_values_only:
                    reached.add(layer.name)
        return False

    def _default_batch(self, images: Mapping[str, np.ndarray]) -> int:
        layers: Iterable[Layer] = self
        if any(None in layer.output_shape for layer in self):
            sizes = {name: array.shape[1:] for name, array in images.items()}
            layers = with_shapes(self.layers, self.dtype, sizes)
        largest = max(math.prod(size or 0 for size in layer.output_shape) for layer in layers)
        return max(1, min(256, BATCH_BYTES // max(largest * self.dtype.itemsize, 1)))


class Run(Mapping[str, np.ndarray]):
    """Every activation of one forward pass: run["conv2d_3"] is what Keras's layer of that name returns.

    A mapping from layer names, in the network's order, to read-only arrays with a batch axis.
    """

    def __init__(
        self,
        network: Network,
        outputs: dict[str, np.ndarray],
        before: dict[str, np.ndarray],
        edited: Iterable[str] = (),
    ) -> None:
        self.network = network
        self.edited = frozenset(edited)
        self._outputs = outputs
        self._before = before
        for array in (*outputs.values(), *before.values()):
            array.flags.writeable = False

    def __getitem__(self, name: str) -> np.ndarray:
        return self._outputs[self.network._resolve(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    def __contains__(self, name: object) -> bool:
        return name in self.network

    def __repr__(self) -> str:
        return f"<Run of {self.network.name}: {len(self)} layers, batch of {len(next(iter(self.values())))}>"

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def pre_activation(self, name: str) -> np.ndarray:
        """A layer's values before its activation: the input of a pure activation layer."""
        return self._before[self.network._resolve(name)]

    def inputs(self, name: str) -> tuple[np.ndarray, ...]:
        """The arrays that a layer read."""
        return tuple(self._outputs[feeder] for feeder in self.network[name].inputs)

    def gradient(
        self, of: Any, unit: Any = None, *, weights: Any = None, pre_activation: bool = False
    ) -> Gradient:
        """The gradient of a unit, or of a weighted sum of units, with respect to what is behind it.

        run.gradient("conv2d_7", unit=(0, 0, 3))["conv2d_3"], say, or .wrt_input; see
        `backward.gradient`, whose arguments these are.
        """
        return gradient(self, of, unit, weights=weights, pre_activation=pre_activation)

    @property
    def input(self) -> Any:
        """What went in, prepared: floats with a batch axis; a tuple if there are several inputs."""
        return _single(tuple(self[name] for name in self.network.inputs))

    @property
    def output(self) -> Any:
        """What came out; a tuple if there are several outputs."""
        return _single(tuple(self[name] for name in self.network.outputs))


def _single(values: tuple) -> Any:
    return values[0] if len(values) == 1 else values


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    array = array.astype(dtype)
    array.flags.writeable = False
    return array


def _edited(layer: Layer, value: np.ndarray, edit: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    result = np.array(edit(value.copy()), value.dtype)
    if result.shape != value.shape:
        raise ValueError(f"an edit must keep the shape of {layer.name}, {value.shape}, got {result.shape}")
    return result


def _check_graph(layers: Sequence[Layer], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ValueError(f"layer names must be unique, {layer.name!r} comes twice")
        if layer.kind not in KINDS:
            raise ValueError(f"layer {layer.name!r}: {layer.kind} is not supported")
        several = KINDS[layer.kind].several_inputs
        wanted = 0 if layer.kind == "InputLayer" else 2 if layer.kind == "Subtract" else 1
        if len(layer.inputs) != wanted and not (several and wanted == 1 and layer.inputs):
            raise ValueError(f"layer {layer.name!r}: a {layer.kind} cannot have {len(layer.inputs)} inputs")
        missing = [name for name in layer.inputs if name not in seen]
        if missing:
            raise ValueError(f"layer {layer.name!r} reads {missing}, which must come before it")
        seen.add(layer.name)
    here = {layer.name for layer in layers if layer.kind == "InputLayer"}
    if set(inputs) != here or len(set(inputs)) != len(inputs) or not inputs:
        raise ValueError(f"inputs must be the InputLayers {sorted(here)}, at least one, got {list(inputs)}")
    if not outputs or not seen.issuperset(outputs):
        raise ValueError(f"outputs must be layers of the network, got {list(outputs)}")
