"""Layer, one call of a Keras layer; and Entry, what its class is: everything that depends on the class.

A class is said once, in an entry of its family's file (`convolutions`, `pooling`, ...), which puts it
into ENTRIES. The rooms above ask a layer, which asks its entry. What an entry leaves out has a default
that is honest: a receipt that is not taken apart, a receptive field that is everything, a stage that
shows Python's values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from cnnviz import ops
from cnnviz.layers.activations import Activation
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.constraints import Constraint
from cnnviz.layers.draws import Draws
from cnnviz.layers.initializers import Initializer
from cnnviz.layers.keras_object import KerasObject
from cnnviz.layers.links import Links, after, everything, mix
from cnnviz.layers.operands import Operands, Position, no_products
from cnnviz.layers.options import Options, Shape, all_of, as_json, default_of, same
from cnnviz.layers.refusals import refusal
from cnnviz.layers.regularizers import Regularizer
from cnnviz.layers.slopes import readers_of, returning, slopes_of_input, slopes_of_weight, used
from cnnviz.layers.work import Effort, Sizes, by_cell
from cnnviz.resources import one_line

Weights = Mapping[str, np.ndarray]
Arrays = Sequence[np.ndarray]

ABOUT_WEIGHTS: Mapping[str, type[KerasObject]] = {
    "initializer": Initializer,
    "regularizer": Regularizer,
    "constraint": Constraint,
}
"""What a config says of a weight for training, as in kernel_initializer."""


class Affine(NamedTuple):
    """x*scale + shift, channel by channel."""

    scale: np.ndarray
    shift: np.ndarray


class Entry:
    """One Keras class. Subclasses say what differs from a layer that passes its one input on.

    Methods take the layer in question. Where an op of the engine does all the work, `op`, `op_weights`
    and `op_options` name it and what it is called with, and so say the forward pass and the code.
    """

    options: Options = {}
    """The config keys that matter: how to read each, and Keras's default."""
    weights: ClassVar[tuple[str, ...]] = ()
    """Their names, in the order in which Keras saves them."""
    statistics: ClassVar[frozenset[str]] = frozenset()
    """The weights that training does not change."""
    added: ClassVar[frozenset[str]] = frozenset({"bias", "beta"})
    """The weights that are added to what is multiplied."""
    counts: ClassVar[frozenset[str]] = frozenset()
    """The weights that are whole numbers."""
    initializers: Mapping[str, Any] = {}
    """How Keras draws a weight if its config does not say: kernels glorot_uniform, others zeros."""
    most_inputs: float = 1
    least_inputs: ClassVar[int] = 1
    rank: ClassVar[int | None] = None
    """Axes that the input must have, with the batch; None is any number."""
    op: ClassVar[str] = ""
    """The function of `ops` that does all the work; "" where `compute` says it, or nothing is computed."""
    op_weights: ClassVar[tuple[str, ...]] = ()
    """The weights that it takes behind the inputs, in order."""
    op_options: ClassVar[tuple[str, ...]] = ()
    """The options that it takes by name."""
    joins: bool = False
    """Whether the op takes its inputs as one list."""
    activates: ClassVar[bool] = False
    """Whether the class is an activation and nothing else."""
    moves_values_only: ClassVar[bool] = False
    """Whether each output is one of the inputs' numbers, or padding: the layer does no arithmetic."""
    relays: bool = False
    """Whether the output is the input in another shape, in the same order."""
    pools: ClassVar[bool] = False
    """Whether it makes one number of a whole window."""
    averaging: str = ""
    """Where the class selects, the one with the same options that takes the mean instead."""
    mixes_images: ClassVar[bool] = False
    """Whether what it makes of an image depends on the others of the batch."""
    multiplies: bool = False
    """Whether it multiplies its inputs with each other."""
    selects: str = ""
    """"largest" or "smallest" where each output is the winner among several inputs."""
    breaks_gradients: bool = False
    """Whether no gradient comes back through it, not even zeros: what is behind it is not trained by it."""
    casts: ClassVar[bool] = True
    """Whether it computes in its network's dtype, as Keras's layers do, whatever it reads."""
    scales_input: ClassVar[bool] = False
    """Whether a network that begins with it expects pixels as they are, 0..255."""
    label: str = ""
    """A short word for what it does, where that is not its class."""

    call_arguments: ClassVar[tuple[str, ...]] = ("inputs",)
    """Keras's names for the tensors that its call takes, in order; the later ones may be left out."""
    required: tuple[str, ...] = ()
    """The options that Keras must be told, with which nothing may be computed here."""
    call_options: ClassVar[Options] = {}
    """The options, of `options` too, that Keras takes not when the layer is made but when it is called."""
    module: str = "keras.layers"
    """Where Keras has the class."""
    file_name: ClassVar[str] = ""
    """What Keras names its weights in a file after, where that is not its class."""

    def of(self, config: Mapping[str, Any]) -> Entry:
        """The entry of a layer with these options: this one, unless the class wraps another."""
        return self

    # Its config and weights --------------------------------------------------------------------

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a config in one form, checked, with Keras's defaults."""
        return {**all_of(self.options, config), **self.training_options(config)}

    def training_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """What a config says for training alone, of weights and output, where that is not Keras's default."""
        said = {}
        for weight in self.weights:
            for what, kind in ABOUT_WEIGHTS.items():
                name = f"{self.option_prefix(weight)}_{what}"
                value = kind.parse(config.get(name))
                if value is not None and value != self.weight_option({}, weight, what):
                    said[name] = value
        penalty = Regularizer.parse(config.get("activity_regularizer"))
        return said if penalty is None else {**said, "activity_regularizer": penalty}

    @property
    def option_names(self) -> frozenset[str]:
        """All that is read of a config."""
        about = {f"{self.option_prefix(weight)}_{what}" for weight in self.weights for what in ABOUT_WEIGHTS}
        return frozenset({*self.options, *about, "activity_regularizer"})

    def activity_regularizer(self, config: Mapping[str, Any]) -> Regularizer | None:
        """What training adds to the loss for the output, by a normal config."""
        return config.get("activity_regularizer")

    def option_prefix(self, weight: str) -> str:
        """What the names of a weight's options begin with."""
        return weight

    def weight_option(self, config: Mapping[str, Any], weight: str, what: str) -> Any:
        """A weight's "initializer", "regularizer" or "constraint" in a normal config; None if it has none."""
        said = config.get(f"{self.option_prefix(weight)}_{what}")
        if said is not None or what != "initializer":
            return said
        default = "glorot_uniform" if weight.endswith("kernel") else "zeros"
        return Initializer.parse(self.initializers.get(weight, default))

    def weight_names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The weights that a layer with these options has."""
        switch = {"bias": "use_bias", "gamma": "scale", "beta": "center"}
        return tuple(name for name in self.weights if name not in switch or config.get(switch[name], True))

    def weight_groups(self, config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """The weights by the layer within the layer that has them in a file; "" is the layer itself."""
        return {"": self.weight_names(config)}

    def weight_shapes(self, config: Mapping[str, Any], shape: Any) -> dict[str, tuple[int, ...]]:
        """The shapes of its weights for an input of this shape; ValueError where it does not fit.

        Of a layer with several inputs `shape` holds one for each.
        """
        return {}

    # How Keras writes it -----------------------------------------------------------------------

    def serialized(self, config: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
        """A normal config as Keras writes it, with what else `raw` says; ValueError where it cannot."""
        written = dict(raw)
        for name, (reader, default) in self.options.items():
            if name in self.call_options:
                written.pop(name, None)
                continue
            value, usual = config.get(name, default), default_of(reader, default, name)
            if name in written or name in self.required or not same(value, usual):
                written[name] = as_json(value, name, reader)
        if missing := [name for name in self.required if written.get(name) is None]:
            raise ValueError(f"Keras needs its {' and '.join(missing)}: make it with Layer.from_config")
        for weight in self.weights:
            for what in ABOUT_WEIGHTS:
                name = f"{self.option_prefix(weight)}_{what}"
                written.pop(name, None)
                if name in config:
                    written[name] = config[name].serialized()
        if "activity_regularizer" in config:
            written["activity_regularizer"] = config["activity_regularizer"].serialized()
        return written

    def serialized_call(
        self, config: Mapping[str, Any], tensors: list[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call as Keras writes them, by position and by name."""
        named = {
            name: config[name] for name, (_, default) in self.call_options.items() if config[name] != default
        }
        if len(self.call_arguments) == 1 and self.most_inputs > 1:
            return [tensors], named
        return tensors, named

    def class_name(self, layer: Layer) -> str:
        """What Keras calls the class."""
        return layer.kind

    # What it computes --------------------------------------------------------------------------

    @property
    def keeps_scale(self) -> bool:
        """Whether pixels that are read as they are, 0..255, come out so: moved, for example."""
        return self.moves_values_only

    @property
    def computes(self) -> bool:
        """Whether the pre-activation is anything but the input."""
        return bool(self.op) or type(self).compute is not Entry.compute

    def only_activates(self, layer: Layer) -> bool:
        """Whether the layer is an activation and nothing else."""
        return self.activates

    def bends(self, layer: Layer) -> bool:
        """Whether the layer is no affine map, even without an activation."""
        return self.multiplies

    def scales_pixels(self, layer: Layer) -> bool:
        """Whether a network that begins with this layer expects pixels as they are, 0..255."""
        return self.scales_input

    def activation(self, layer: Layer) -> Activation | None:
        """What turns the pre-activation into the output: fused, or the layer itself; None if nothing."""
        return layer.config.get("activation")

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        """What the layer computes from its inputs before its activation."""
        if not self.op:
            return inputs[0]
        weights = (layer.weights.get(name) for name in self.op_weights)
        return getattr(ops, self.op)(
            *([inputs] if self.joins else inputs), *weights, **chosen(layer.config, self.op_options)
        )

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        """From the gradient with respect to the pre-activation to those with respect to the inputs."""
        if not self.computes:
            return (grad,)
        raise NotImplementedError(f"{type(self).__name__} says no gradient")

    def weight_gradient(self, layer: Layer, weight: str, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        """The same with respect to a weight, a statistic included: a method `<weight>_gradient`.

        Where the class is an activation and nothing else, `grad` is with respect to the output.
        """
        return getattr(self, f"{weight}_gradient")(layer, inputs, grad)

    def gradients(
        self, layer: Layer, inputs: Arrays, grad: np.ndarray, weights: Sequence[str], of_inputs: bool = True
    ) -> tuple[tuple[np.ndarray, ...], dict[str, np.ndarray]]:
        """Both in one call, since they may share work: of the inputs, if wanted, and of these weights."""
        wrt_inputs = self.input_gradients(layer, inputs, grad) if of_inputs else ()
        return wrt_inputs, {name: self.weight_gradient(layer, name, inputs, grad) for name in weights}

    # What its gradients are made of ------------------------------------------------------------

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray | None:
        """How much each number before the activation changes with one cell of an input, for one image.

        `inputs` have a batch of 1, the result has none. None is not known.
        """
        return slopes_of_input(layer, inputs, place, cell)

    def weight_slopes(self, layer: Layer, weight: str, index: Position, inputs: Arrays) -> np.ndarray | None:
        """The same with one number of a weight, for each image; a batch of 1 stands for all.

        Where the class is an activation and nothing else, of the numbers behind it.
        """
        return slopes_of_weight(layer, weight, index, inputs)

    def returns(self, layer: Layer, inputs: Arrays, place: int, cell: Position, grad: np.ndarray) -> Operands:
        """What makes the gradient with respect to one cell of an input: `operands` read backwards.

        The factors are what came back to the numbers that read the cell, the weights their slopes.
        `inputs` and `grad`, that with respect to the pre-activation, are those of one image, without batch.
        """
        batch = [x[np.newaxis] for x in inputs]
        slopes = self.input_slopes(layer, batch, place, cell)
        if slopes is None:
            value = self.input_gradients(layer, batch, grad[np.newaxis])[place][(0, *cell)]
            return no_products(grad, value, "not taken apart", taken_apart=False)
        return returning(grad, slopes, readers_of(layer, batch, place, cell))

    def returns_in_batch(
        self, layer: Layer, inputs: Arrays, place: int, index: int, cell: Position, grad: np.ndarray
    ) -> Operands:
        """The same for a cell of one image of a batch, from that of all."""
        one = self.of_images(layer, slice(index, index + 1))
        return self.returns(one, [x[index] for x in inputs], place, cell, grad[index])

    def uses(self, layer: Layer, weight: str, index: Position, inputs: Arrays, grad: np.ndarray) -> Operands:
        """What makes the gradient with respect to one number of a weight, a group for each image.

        The factors are what it was multiplied with, the weights what came back there. Positions are of
        the cells that were read; or, with the source 1, of those to which it came back.
        """
        slopes = self.weight_slopes(layer, weight, index, inputs)
        if slopes is None:
            value = self.weight_gradient(layer, weight, inputs, grad)[index]
            return no_products(grad[0], value, "not taken apart", taken_apart=False)
        return used(slopes, grad)

    # What differs in training --------------------------------------------------------------------

    def in_training(self, layer: Layer, inputs: Arrays, draws: Draws) -> Layer:
        """The layer as a step of training computes these inputs: itself, where training does not differ.

        Where it does, what the step drew or took from the batch stands in the config and the weights of
        the layer that comes back; everything else is asked of that as of any layer.
        """
        return layer

    def after_training(self, layer: Layer, weights: Weights) -> dict[str, np.ndarray]:
        """The weights that the forward pass of a step itself changes: statistics that follow the batches.

        `layer` is what `in_training` gave; `weights` are those that the step began with.
        """
        return {}

    def of_images(self, layer: Layer, images: slice) -> Layer:
        """The layer as it computes some images of the batch alone: another, if it drew for each image."""
        return layer

    # Which cells it reads ----------------------------------------------------------------------

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        """From each input, of these shapes without the batch, to the units; by default everything."""
        if not self.computes:
            return [() for _ in shapes]
        empty = [np.empty((0, *shape), np.float32) for shape in shapes]
        out = self.compute(layer, *empty).shape[1:]
        return [everything(shape, out) for shape in shapes]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        """What one cell, before the activation, is made of, from what the layer read for one image."""
        z = self.compute(layer, *(x[np.newaxis] for x in inputs))[0]
        return no_products(z, z[position], "not taken apart", taken_apart=False)

    def kernel_positions(self, layer: Layer) -> Shape:
        """Where its kernel is applied, once at each position: by default of the output."""
        return layer.output_shape[:-1]

    def multiply_adds(self, layer: Layer) -> int | None:
        """Products that it sums for one image, padding included; None if a size is unknown."""
        kernels = sum(array.size for name, array in layer.weights.items() if name.endswith("kernel"))
        if not kernels:
            return 0
        positions = self.kernel_positions(layer)
        known = [size for size in positions if size is not None]
        return kernels * math.prod(known) if len(known) == len(positions) else None

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        """What it takes, about, to make this output of one image from inputs of these shapes (no batch)."""
        return Effort((self.multiply_adds(layer) or 0) + by_cell(*shapes, out))

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        """The same for all its gradients: with respect to the inputs and to the weights."""
        forward = self.effort(layer, shapes, out)
        return forward.times(2)

    # What the browser computes, and the code ----------------------------------------------------

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        """The operations of the browser, one after the other; by default none, and Python's values."""
        return [BrowserStage({"type": "given", "label": self.label or layer.kind})]

    def code(self, layer: Layer, reads: Sequence[str]) -> str:
        """A Python expression that computes it before its activation.

        `reads` are the expressions of its inputs; `ops`, `net` and, if it has weights, `w` are at hand.
        """
        if not self.computes:
            return reads[0]
        if not self.op:
            return f"net[{quoted(layer.name)}].before_activation({', '.join(reads)})"
        arguments = [f"[{', '.join(reads)}]"] if self.joins else list(reads)
        names = [f"w[{quoted(name)}]" if name in layer.weights else "None" for name in self.op_weights]
        while names and names[-1] == "None":
            names.pop()
        named = [f"{name}={literal(layer.config[name])}" for name in self.op_options]
        return f"ops.{self.op}({', '.join([*arguments, *names, *named])})"

    # How it rounds ------------------------------------------------------------------------------

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        """How many roundings a sum can go through: its terms, the bias, and the last step."""
        if self.moves_values_only or self.selects or not self.computes:
            return 0
        raise NotImplementedError(f"{type(self).__name__} says no roundings")

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        """The sum of the magnitudes of the terms: the layer itself, all of it made positive."""
        return self.compute(self.absolute(layer), *(np.abs(x) for x in inputs))

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        """The same for the gradient with respect to a weight, or to the inputs (of="")."""
        if self.moves_values_only or not self.computes:
            return 0
        raise NotImplementedError(f"{type(self).__name__} says no roundings of its gradients")

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """The sums of the magnitudes of a gradient's terms: the gradient itself, made positive."""
        # Which number is the largest depends on the signs.
        positive = inputs if self.selects else tuple(np.abs(x) for x in inputs)
        layer = self.absolute(layer)
        if of:
            return (np.abs(self.weight_gradient(layer, of, positive, np.abs(grad))),)
        return tuple(np.abs(each) for each in self.input_gradients(layer, positive, np.abs(grad)))

    def absolute(self, layer: Layer) -> Layer:
        """The layer with weights, and numbers in its config, that make every term positive."""
        return replace(layer, weights={name: np.abs(value) for name, value in layer.weights.items()})

    # How it folds away in a prediction -----------------------------------------------------------

    def as_affine(self, layer: Layer) -> Affine | None:
        """What it does to each channel, if that is x*scale + shift and nothing else."""
        return None

    def as_convolution(self, layer: Layer) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]] | None:
        """Kernel, bias and options of `ops.conv2d` that do the same; a vector is an image of one cell."""
        return None


ENTRIES: dict[str, Entry] = {}
"""Every Keras class that cnnviz computes, by its name; the families' files fill it."""


def normalize_config(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a layer that matter here, checked, in one form, with Keras's defaults.

    >>> normalize_config("MaxPooling2D", {"pool_size": 2, "name": "pool", "dtype": "float32"})
    {'pool_size': (2, 2), 'strides': (2, 2), 'padding': 'valid'}

    Raises
    ------
    ValueError, TypeError
        for an unknown kind, an option out of its range, and options that cnnviz does not compute.
    """
    if kind not in ENTRIES:
        raise ValueError(refusal(kind))
    if config.get("data_format") == "channels_first":
        raise ValueError(
            "data_format='channels_first' is not supported: build the model with 'channels_last', "
            "(N, H, W, C), where kernels keep their shapes, and give it the weights with set_weights"
        )
    return ENTRIES[kind].normalize(config)


@dataclass(frozen=True, eq=False)
class Layer:
    """One call of one layer in a network.

    Parameters
    ----------
    name
        Unique in its network; a layer's later calls are "name:1", "name:2", ...; layers of a nested
        model are "model/name".
    kind
        The Keras class, a key of `ENTRIES`.
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
    precision
        The dtype in which Keras computes it, by its policy; here it is computed in its weights'.
    lora_rank
        Of the two factors that Keras trains in place of the kernel (LoRA), 0 where there are none. A file
        holds the kernel with their product added.
    raw_config
        The config that `config` was read from, with options that say nothing of what is computed here; for
        `Network.save`.
    input_shapes, output_shape
        Without the batch axis, None where unknown; filled in by `Network`.
    """

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Weights = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    trainable: bool = True
    owner: str = ""
    precision: str = "float32"
    lora_rank: int = 0
    raw_config: Mapping[str, Any] = field(default_factory=dict)
    input_shapes: tuple[Shape, ...] = ()
    output_shape: Shape = ()

    @classmethod
    def from_config(cls, name: str, kind: str, config: Mapping[str, Any], **fields: Any) -> Layer:
        """A layer from the config that Keras would write for it, or as little of it as it takes.

        >>> Layer.from_config("pool", "MaxPooling2D", {"pool_size": 2}).config["strides"]
        (2, 2)

        Raises ValueError or TypeError for what `normalize_config` refuses.
        """
        return cls(name, kind, normalize_config(kind, config), raw_config=dict(config), **fields)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owner", self.owner or self.name)

    def __repr__(self) -> str:
        return one_line(f"<Layer {self.name}: {self.kind} {self.input_shape} -> {self.output_shape}>")

    @property
    def entry(self) -> Entry:
        """What there is to know about its class."""
        return ENTRIES[self.kind].of(self.config)

    @property
    def input_shape(self) -> Shape:
        """The shape of the first input; an InputLayer's is its own."""
        return self.input_shapes[0] if self.input_shapes else self.output_shape

    @property
    def is_activation(self) -> bool:
        """Whether the layer is an activation and nothing else."""
        return self.entry.only_activates(self)

    @property
    def is_convolution(self) -> bool:
        """Whether it is an ordinary convolution, each filter of which reads all channels of its group."""
        return self.entry.op == "conv2d"

    @property
    def is_dense(self) -> bool:
        """Whether it is a dense layer."""
        return self.entry.op == "dense"

    @property
    def is_pool(self) -> bool:
        """Whether it pools, over windows or whole maps."""
        return self.entry.pools

    @property
    def passes_on(self) -> bool:
        """Whether the layer's output is its input: dropout, for example."""
        return not self.entry.computes and not self.is_activation

    @property
    def activation(self) -> Activation | None:
        """What turns the pre-activation into the output: fused, or the layer itself; None if nothing."""
        return self.entry.activation(self)

    @property
    def params(self) -> int:
        """Number of weights, of all kinds."""
        return sum(array.size for array in self.weights.values()) + self._lora_params

    @property
    def trained(self) -> tuple[str, ...]:
        """The weights that training would change, in Keras's order; not a kernel that has LoRA factors."""
        if not self.trainable:
            return ()
        fixed = self.entry.statistics | {"kernel"} if self.lora_rank else self.entry.statistics
        names = self.entry.weight_names(self.config)
        return tuple(name for name in names if name in self.weights and name not in fixed)

    @property
    def trainable_params(self) -> int:
        """Number of weights that training would change."""
        sizes = sum(self.weights[name].size for name in self.trained)
        return sizes + self._lora_params if self.trainable else 0

    @property
    def _lora_params(self) -> int:
        """Of the factors (all axes of the kernel but the last, rank) and (rank, the last axis)."""
        if not self.lora_rank or "kernel" not in self.weights:
            return 0
        *reads, makes = self.weights["kernel"].shape
        return self.lora_rank * (math.prod(reads) + makes)

    @property
    def non_trainable_params(self) -> int:
        """Number of weights that training would leave alone, and of statistics."""
        return self.params - self.trainable_params

    @property
    def multiply_adds(self) -> int | None:
        """Products that a convolution, dense or attention layer sums for one image, padding included; else 0.

        Biases, activations, pooling and normalisation are not counted. None if a size is unknown.
        """
        return self.entry.multiply_adds(self)

    def initializer(self, weight: str) -> Initializer:
        """How Keras draws a weight before training."""
        return self.entry.weight_option(self.config, weight, "initializer")  # type: ignore[no-any-return]

    def regularizer(self, weight: str) -> Regularizer | None:
        """What training adds to the loss for a weight; None for nothing."""
        return self.entry.weight_option(self.config, weight, "regularizer")  # type: ignore[no-any-return]

    def constraint(self, weight: str) -> Constraint | None:
        """Where training puts a weight back after each step; None if it is free."""
        return self.entry.weight_option(self.config, weight, "constraint")  # type: ignore[no-any-return]

    @property
    def activity_regularizer(self) -> Regularizer | None:
        """What training adds to the loss for the output; None for nothing."""
        return self.entry.activity_regularizer(self.config)

    @property
    def widens(self) -> bool:
        """Whether it makes float64 of what it reads, as an operation with an array of that dtype does."""
        arrays = (value for value in self.config.values() if isinstance(value, np.ndarray))
        return not self.entry.casts and any(array.dtype == np.float64 for array in arrays)

    def cast(self, inputs: Arrays, dtype: np.dtype) -> tuple[np.ndarray, ...]:
        """What it reads as it computes with it, in a network of this dtype."""
        if not self.entry.casts:
            return tuple(inputs)
        return tuple(x if x.dtype == dtype else x.astype(dtype) for x in inputs)

    def before_activation(self, *inputs: np.ndarray) -> np.ndarray:
        """What the layer computes from its inputs before its activation."""
        return self.entry.compute(self, *inputs)

    def links(self, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        """From each input, of these shapes without the batch, to the units behind the activation."""
        links = self.entry.links(self, shapes)
        activation = self.activation
        if activation is None or activation.axis is None:
            return links
        # Keras counts the batch as axis 0.
        axis = activation.axis - 1 if activation.axis > 0 else activation.axis
        mixed = mix(after(links[0], shapes[0]), axis)
        return [(*each, *mixed) for each in links]

    def after_activation(self, z: np.ndarray) -> np.ndarray:
        """The layer's output, given its pre-activation."""
        activation = self.activation
        return z if activation is None else activation(z)


def chosen(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Some of a config's options, as keyword arguments."""
    return {name: config[name] for name in names}


def quoted(words: str) -> str:
    """A text as a Python literal, whatever it holds: names come from files.

    >>> print(quoted("conv2d"), quoted('a"; import os\\n'))
    "conv2d" "a\\"; import os\\n"
    """
    spelt = (f"\\{c}" if c in '"\\' else c if c.isprintable() else ascii(c)[1:-1] for c in words)
    return f'"{"".join(spelt)}"'


def literal(value: Any) -> str:
    """An option's value as a Python literal."""
    if isinstance(value, np.ndarray):
        return repr(value.tolist())
    return quoted(value) if isinstance(value, str) else repr(value)
