"""Layer: one call of a Keras layer, with its options, its weights and its shapes.

How it computes is in `layer_kinds`. Shapes come from running each op on an empty batch, so that
sizes are worked out in `ops` and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.layers.kinds import KINDS, normalize_config
from cnnviz.layers.options import Shape

PROBES = (512, 1024)
"""Stand-ins for a size that is not known: what differs between the two depends on it.

Powers of two, so that networks that halve and double their maps can join them again.
"""


@dataclass(frozen=True, eq=False)
class Layer:
    """One call of one layer in a network.

    Parameters
    ----------
    name
        Unique in its network; a layer's later calls are "name:1", "name:2", ...; layers of a nested
        model are "model/name".
    kind
        The Keras class, a key of `KINDS`.
    config
        The options that decide what it computes, under Keras's names: sizes and strides as
        (height, width), padding as the string or ((top, bottom), (left, right)).
    weights
        Arrays by Keras's names ("kernel", "bias", "gamma", ...), read-only.
    inputs
        Names of the layers that feed it, in order.
    trainable
        As in Keras; the statistics of a normalisation are never trainable.
    owner
        The name of this layer's first call, which owns the weights; "" means itself.
    input_shapes, output_shape
        Without the batch axis, None where unknown; filled in by `Network`.
    """

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    trainable: bool = True
    owner: str = ""
    input_shapes: tuple[Shape, ...] = ()
    output_shape: Shape = ()

    @classmethod
    def from_config(cls, name: str, kind: str, config: Mapping[str, Any], **fields: Any) -> Layer:
        """A layer from the config that Keras would write for it, or as little of it as it takes.

        >>> Layer.from_config("pool", "MaxPooling2D", {"pool_size": 2}).config["strides"]
        (2, 2)

        Raises ValueError or TypeError for what `normalize_config` refuses.
        """
        return cls(name, kind, normalize_config(kind, config), **fields)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owner", self.owner or self.name)

    def __repr__(self) -> str:
        return f"<Layer {self.name}: {self.kind} {self.input_shape} -> {self.output_shape}>"

    @property
    def input_shape(self) -> Shape:
        """The shape of the first input; an InputLayer's is its own."""
        return self.input_shapes[0] if self.input_shapes else self.output_shape

    @property
    def is_activation(self) -> bool:
        """Whether the layer is an activation and nothing else."""
        return KINDS[self.kind].activation is not None

    @property
    def passes_on(self) -> bool:
        """Whether the layer's output is its input: dropout, for example."""
        return KINDS[self.kind].passes_on

    @property
    def activation(self) -> Activation | None:
        """What turns the pre-activation into the output: fused, or the layer itself; None if nothing."""
        build = KINDS[self.kind].activation
        return build(self.config, self.weights) if build else self.config.get("activation")

    @property
    def params(self) -> int:
        """Number of weights, of all kinds."""
        return sum(array.size for array in self.weights.values())

    @property
    def trainable_params(self) -> int:
        """Number of weights that training would change."""
        statistics = KINDS[self.kind].statistics
        sizes = (array.size for name, array in self.weights.items() if name not in statistics)
        return sum(sizes) if self.trainable else 0

    @property
    def non_trainable_params(self) -> int:
        """Number of weights that training would leave alone, and of statistics."""
        return self.params - self.trainable_params

    @property
    def multiply_adds(self) -> int | None:
        """Products that a convolution or dense layer sums for one image, padding included; else 0.

        Biases, activations, pooling and normalisation are not counted. None if a size is unknown.
        """
        kernels = sum(array.size for name, array in self.weights.items() if name.endswith("kernel"))
        if not kernels:
            return 0
        # The whole kernel is applied once at every position: of the input, for a transposed convolution.
        positions = (self.input_shape if self.kind == "Conv2DTranspose" else self.output_shape)[:-1]
        known = [size for size in positions if size is not None]
        return kernels * math.prod(known) if len(known) == len(positions) else None

    def before_activation(self, *inputs: np.ndarray) -> np.ndarray:
        """What the layer computes from its inputs before its activation."""
        return KINDS[self.kind].compute(self.config, self.weights, *inputs)

    def after_activation(self, z: np.ndarray) -> np.ndarray:
        """The layer's output, given its pre-activation."""
        activation = self.activation
        return z if activation is None else activation(z)


def with_shapes(
    layers: Sequence[Layer], dtype: np.dtype, sizes: Mapping[str, Shape] | None = None
) -> list[Layer]:
    """The layers with their shapes, from running each on an empty batch; weights are checked on the way.

    `sizes` gives the inputs' shapes where they are not those of their config. A size that differs
    between two probes depends on a size that is not known, and is None.
    """
    sizes = sizes or {layer.name: layer.config["batch_shape"][1:] for layer in layers if not layer.inputs}
    known = all(None not in shape for shape in sizes.values())
    probes: list[dict[str, np.ndarray]] = [{} for _ in PROBES[: 1 if known else 2]]
    shaped = []
    for layer in layers:
        for values, probe in zip(probes, PROBES, strict=False):
            if layer.inputs:
                read = [values[name] for name in layer.inputs]
            else:
                read = [np.empty((0, *(probe if n is None else n for n in sizes[layer.name])), dtype)]
            try:
                values[layer.name] = layer.after_activation(_checked(layer, read))
            except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
                raise ValueError(f"layer {layer.name!r} ({layer.kind}): {error}") from error
        feeds = tuple(_shape([values[name] for values in probes]) for name in layer.inputs)
        shape = _shape([values[layer.name] for values in probes])
        shaped.append(replace(layer, input_shapes=feeds, output_shape=shape))
    return shaped


def _checked(layer: Layer, read: list[np.ndarray]) -> np.ndarray:
    kind = KINDS[layer.kind]
    if kind.rank not in (None, read[0].ndim):
        raise ValueError(f"its input must be (N, H, W, C), got {('N', *read[0].shape[1:])}")
    expected = kind.shapes(layer.config, read[0].shape[1:])
    names = kind.weight_names(layer.config)
    if set(names) != set(layer.weights):
        raise ValueError(f"it must have the weights {list(names)}, got {list(layer.weights)}")
    for name in names:
        if layer.weights[name].shape != expected[name]:
            raise ValueError(
                f"{name} must have shape {expected[name]}, got {layer.weights[name].shape} "
                f"(its input is {read[0].shape[1:]})"
            )
    return layer.before_activation(*read)


def _shape(arrays: Sequence[np.ndarray]) -> Shape:
    """The shape of one layer's empty outputs for each probe, None where they differ."""
    first, last = arrays[0].shape[1:], arrays[-1].shape[1:]
    return tuple(a if a == b else None for a, b in zip(first, last, strict=True))
