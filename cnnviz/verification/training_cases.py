"""What training is verified on: a small Keras model for every class that differs in training, and for pairs.

The classes are those of `layers` that have weights, or that draw or measure something in training. A class
joins by its entry: what a Keras layer needs is chosen here by the names of its arguments. Nothing is computed
here, and Keras is handed in, so that the list can be read without it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from cnnviz.layers import ENTRIES, Entry
from cnnviz.layers.activation_layers import ActivationEntry
from cnnviz.layers.layer import normalize_config
from cnnviz.layers.passing import AugmentationEntry
from cnnviz.resources import BUNDLED, asset
from cnnviz.training.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    LossFunction,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from cnnviz.training.optimizers import SGD, Adam, AdamW, Optimizer
from cnnviz.training.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

BATCH = 8
SHAPES = ((4, 4, 4), (4, 4), (2, 4, 4, 2), (8,))
"""Inputs that a class is tried on: a map, a sequence, a sequence of maps, a vector."""
TAKEN = 4
"""Sizes are even, so that channels can be in two groups behind every class."""


SECOND = "second_"
"""What the names of the layers behind the first one begin with."""
MEAN_SQUARES = MeanSquaredError()


@dataclass(frozen=True)
class TrainingCase:
    """A model, and how it is trained.

    Parameters
    ----------
    name
        Unique among all cases.
    about
        The kind of case: "class", "pairs", "network", "optimizer", "loss" or "structure".
    build
        Makes the Keras model; called with the module `keras`.
    classes
        The classes of `layers` that it is about.
    """

    name: str
    about: str
    build: Callable[[Any], Any]
    optimizer: Optimizer
    loss: LossFunction = MEAN_SQUARES
    classes: tuple[str, ...] = ()
    batch: int = BATCH

    def is_called(self, words: Collection[str]) -> bool:
        """Whether it is meant by one of some words; every case is by none."""
        alone = self.classes if self.about == "class" else ()
        return not words or any(
            word in (self.about, self.name, *alone) or self.name.startswith(f"{word},") for word in words
        )

    def classes_of(self, layers: Collection[str]) -> tuple[str, ...]:
        """Those that a model with layers of these names trains: of pairs those of which some shape fits."""
        if self.about != "pairs":
            return self.classes
        first, *seconds = self.classes
        return first, *(kind for n, kind in enumerate(seconds) if f"{SECOND}{n}" in layers)


def trained_classes() -> tuple[str, ...]:
    """The classes that a case must be about: with weights, or with something else in training.

    >>> [kind for kind in trained_classes() if "Dropout" in kind][:2]
    ['Dropout', 'SpatialDropout1D']
    """
    return tuple(kind for kind, entry in ENTRIES.items() if _is_trained(entry))


def _is_trained(entry: Entry) -> bool:
    differs = type(entry).in_training is not Entry.in_training
    # Other layers; an activation that a config makes another entry of holds none.
    holds = type(entry).of not in (Entry.of, ActivationEntry.of)
    return bool(entry.weights or differs or holds) and not isinstance(entry, AugmentationEntry)


def cases(stride: int = 1) -> Iterator[TrainingCase]:
    """All cases; of the pairs of classes one in so many, the others with another stride.

    >>> sorted({case.about for case in cases()})
    ['class', 'loss', 'network', 'optimizer', 'pairs', 'structure']
    """
    yield from of_networks()
    yield from of_classes()
    yield from of_structures()
    yield from of_optimizers()
    yield from of_losses()
    yield from of_pairs(stride)


# Arguments by their names -------------------------------------------------------------------------

NEEDED: dict[str, Any] = {
    "equation": "...c,cd->...d",
    "filters": TAKEN,
    "head_dim": 2,
    "init_values": 0.5,
    "input_dim": 3,
    "kernel_size": 2,
    "key_dim": 2,
    "num_heads": 2,
    "num_key_value_heads": 1,
    "num_query_heads": 2,
    "output_dim": TAKEN,
    "output_shape": TAKEN,
    "projection_dim": TAKEN,
    "rate": 0.3,
    "stddev": 0.25,
    "units": TAKEN,
}
"""What a layer cannot be made without."""

STYLES: tuple[dict[str, Any], ...] = (
    {"layer": lambda layers: layers.Dense(TAKEN)},
    {
        "activation": "tanh",
        "axis": 1,
        "bias_axes": "d",
        "center": False,
        "depth_multiplier": 2,
        "dilation_rate": 2,
        "dropout": 0.3,
        "epsilon": 0.01,
        "groups": 2,
        "layer": lambda layers: layers.Conv2D(TAKEN, 2, activation="tanh"),
        "momentum": 0.75,
        "padding": "same",
        "power_iterations": 2,
        "shared_axes": [1],
        "sliding_window": 2,
        "use_causal_mask": True,
        "use_gate": True,
    },
    {
        "activation": "softmax",
        "groups": 1,
        "layer": lambda layers: layers.BatchNormalization(),
        "noise_shape": (None, 1, 1, None),
        "scale": False,
        "score_mode": "concat",
        "strides": 2,
        "use_bias": False,
        "use_scale": True,
        "value_dim": 3,
    },
    {
        "attention_axes": 1,
        "axis": [1, -1],
        "dropout": 0.5,
        "layer": lambda layers: layers.Dropout(0.4),
        "mean": 0.5,
        "padding": "causal",
        "use_scale": True,
        "variance": 2.0,
    },
    {
        "dropout": 0.25,
        "layer": lambda layers: layers.SpectralNormalization(layers.Dense(TAKEN)),
        "score_mode": "concat",
        "use_gate": True,
    },
)
"""Which of a layer's other arguments are chosen, one way after another."""


STEADY = {"epsilon": 0.01}
"""Of layers behind each other: a dropout can leave nearly nothing of a row, and a normalisation with an
epsilon of 1e-7, as RMSNormalization's, makes 1e7 times as much of its rounding."""


def made(
    keras: Any, kind: str, style: int, name: str, more: Mapping[str, Any] = MappingProxyType({})
) -> tuple[Any, dict[str, Any]] | None:
    """A Keras layer of a class and what its call takes; None where this style changes nothing of it."""
    layer_class = getattr(keras.layers, kind, None) or _of_applications(kind)
    arguments = inspect.signature(layer_class.__init__).parameters
    needed = {key: NEEDED[key] for key in arguments if key in NEEDED}
    chosen = {key: value for key, value in STYLES[style].items() if key in arguments}
    more = {key: value for key, value in more.items() if key in arguments}
    if "output_padding" in arguments:
        # In float64 TensorFlow spreads no transposed convolution.
        chosen.pop("dilation_rate", None)
    called = {key: STYLES[style][key] for key in ENTRIES[kind].call_options if key in STYLES[style]}
    if style and not (chosen or called):
        return None
    config = {
        key: value(keras.layers) if callable(value) else value
        for key, value in (needed | chosen | more).items()
    }
    return layer_class(**config, name=name), called


def _of_applications(kind: str) -> Any:
    """The classes that `keras.applications` keeps beside `keras.layers`."""
    from keras.src.applications import convnext

    return getattr(convnext, kind)


def called(keras: Any, kind: str, layer: Any, x: Any, options: dict[str, Any]) -> Any:
    """The layer behind a tensor; what takes several has another one made of it as the second."""
    entry, shape = ENTRIES[kind], tuple(x.shape[1:])
    # What cnnviz does not read is not trained.
    config = normalize_config(kind, {**layer.get_config(), **options})
    if entry.of(config).rank not in (None, len(x.shape)):
        raise ValueError(f"{kind} does not take {len(x.shape)} axes")
    entry.of(config).weight_shapes(config, shape if entry.least_inputs == 1 else (shape, shape))
    if "input_dim" in entry.options:
        # Rows of a table, by numbers that must be there.
        x = keras.ops.add(keras.ops.cast(keras.ops.greater(x, 0.0), x.dtype), 0.0)
    if entry.least_inputs == 1:
        return layer(x, **options)
    other = keras.layers.Activation("tanh", name=f"{layer.name}_other")(x)
    return layer(x, other, **options) if len(entry.call_arguments) > 1 else layer([x, other], **options)


def attached(
    keras: Any,
    kind: str,
    style: int,
    name: str,
    x: Any,
    *,
    exact: bool = False,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Any | None:
    """What a layer of a class makes of a tensor, unless `exact` perhaps in another shape; None: none fits."""
    for rank in dict.fromkeys((len(x.shape), *(() if exact else (4, 3, 2, 5)))):
        target = _shape_of(math.prod(x.shape[1:]), rank - 1)
        try:
            pair = made(keras, kind, style, name, more)
            if pair is None:
                return None
            read = x if rank == len(x.shape) else keras.layers.Reshape(target, name=f"{name}_in")(x)
            return called(keras, kind, pair[0], read, pair[1])
        except (ValueError, TypeError, IndexError, AttributeError):
            continue
    return None


def _shape_of(size: int, axes: int) -> tuple[int, ...]:
    """So many numbers along so many axes, with as many channels as classes make where that is possible."""
    shape: list[int] = []
    for _ in range(axes - 1):
        step = next((n for n in (TAKEN, 2, 3) if size % n == 0), 1)
        shape.append(step)
        size //= step
    return (size, *shape)


# The cases ----------------------------------------------------------------------------------------


def of_classes() -> Iterator[TrainingCase]:
    """Each class for itself, in several styles beside each other."""
    for kind in trained_classes():
        yield TrainingCase(kind, "class", partial(_in_all_styles, kind), Adam(1e-3), classes=(kind,))


def _in_all_styles(kind: str, keras: Any) -> Any:
    inputs, outputs = [], []
    for style in range(len(STYLES)):
        for shape in SHAPES:
            x = keras.Input(shape, name=f"image_{style}")
            y = attached(
                keras, kind, style, f"style_{style}", _mixed(keras, x, f"before_{style}"), exact=True
            )
            if y is not None:
                inputs.append(x)
                outputs.append(y)
                break
    return _model(keras, kind, inputs, outputs)


def _mixed(keras: Any, x: Any, name: str) -> Any:
    """Behind weights that are trained too, so that a gradient goes through what comes next."""
    return keras.layers.Dense(TAKEN, name=name)(x)


def _model(keras: Any, kind: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    if not outputs:
        raise ValueError(f"no way was found to make a {kind}: say in NEEDED and STYLES what it takes")
    return keras.Model(list(inputs), list(outputs), name="model")


def of_pairs(stride: int = 1) -> Iterator[TrainingCase]:
    """Each class with every other one behind it, or one in so many, which ones changes with the class."""
    kinds = trained_classes()
    for place, first in enumerate(kinds):
        seconds = [kind for number, kind in enumerate(kinds) if (number + place) % stride == 0]
        optimizer = SGD(1e-3, momentum=0.9, nesterov=True)
        build = partial(_behind_each_other, first, seconds)
        yield TrainingCase(f"{first} and behind it", "pairs", build, optimizer, classes=(first, *seconds))


def _behind_each_other(first: str, seconds: Sequence[str], keras: Any) -> Any:
    for shape in SHAPES:
        x = keras.Input(shape, name="image")
        source = _in_any_style(keras, first, "first", _mixed(keras, x, "before"))
        if source is not None:
            break
    found = (_in_any_style(keras, kind, f"{SECOND}{n}", source) for n, kind in enumerate(seconds))
    return _model(keras, first, [x], [y for y in found if y is not None])


def _in_any_style(keras: Any, kind: str, name: str, x: Any) -> Any | None:
    tries = (attached(keras, kind, style, name, x, more=STEADY) for style in range(len(STYLES)))
    return next((y for y in tries if y is not None), None)


def of_networks() -> Iterator[TrainingCase]:
    """Both bundled architectures, as their recipes train them and otherwise."""
    settings = (AdamW(1e-3), SGD(0.01, momentum=0.9, nesterov=True))
    for name in BUNDLED:
        for optimizer in settings:
            said = type(optimizer).__name__
            yield TrainingCase(
                f"{name}, {said}",
                "network",
                partial(_bundled, name),
                optimizer,
                SparseCategoricalCrossentropy(),
                batch=32,
            )


def _bundled(name: str, keras: Any) -> Any:
    """The architecture, in the dtype that Keras is set to."""
    config = keras.models.load_model(asset(f"{name}.keras"), compile=False).to_json()
    return keras.models.model_from_json(config.replace('"float32"', f'"{keras.config.floatx()}"'))


def of_structures() -> Iterator[TrainingCase]:
    """What no class shows for itself: weights that are shared, models within models, several outputs, ..."""
    sparse = SparseCategoricalCrossentropy()
    for build, optimizer in (
        (_shared, Adam(1e-3)),
        (_nested, Adam(1e-3)),
        (_half_frozen, AdamW(1e-3)),
        (_stopped, AdamW(1e-3)),
        (_each_step, Adam(1e-3)),
        (_transformer, Adam(1e-3)),
        (_any_axis, SGD(0.01, momentum=0.9)),
        (_penalised_and_bounded, Adam(1e-3, use_ema=True)),
    ):
        said = build.__name__.strip("_").replace("_", " ")
        yield TrainingCase(said, "structure", build, optimizer, sparse)


def _head(keras: Any, x: Any, name: str = "classes") -> Any:
    layers = keras.layers
    return layers.Dense(3, activation="softmax", name=name)(layers.Flatten(name=f"{name}_flat")(x))


def _shared(keras: Any) -> Any:
    """Each layer twice, one call behind the other."""
    layers = keras.layers
    x = image = keras.Input((5, 5, 3), name="image")
    for layer in (
        layers.Conv2D(3, 2, padding="same", activation="relu"),
        layers.BatchNormalization(momentum=0.8),
        layers.Dropout(0.3),
        layers.SpectralNormalization(layers.Conv2D(3, 1)),
        layers.PReLU(),
        layers.Dense(3),
        layers.LayerNormalization(),
    ):
        x = layer(layer(x))
    return keras.Model(image, _head(keras, x))


def _nested(keras: Any) -> Any:
    """A model called twice, which holds another one; two inputs and two outputs."""
    layers = keras.layers
    innermost = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Conv2D(3, 2, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.SpatialDropout2D(0.3),
        ],
        name="innermost",
    )
    x = inside = keras.Input((4, 4, 3))
    x = layers.Add()([innermost(x), x])
    block = keras.Model(inside, layers.DepthwiseConv2D(2, padding="same")(x), name="block")
    first, second = (keras.Input((4, 4, 3), name=name) for name in ("left", "right"))
    a = block(first)
    b = block(layers.Add()([a, second]))
    joined = layers.Concatenate()([a, layers.Multiply()([a, b])])
    return keras.Model([first, second], [_head(keras, joined), _head(keras, b, "other_classes")])


def _half_frozen(keras: Any) -> Any:
    layers = keras.layers
    x = image = keras.Input((6, 6, 2), name="image")
    for trainable in (False, True, False):
        for layer in (layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()):
            layer.trainable = trainable
            x = layer(x)
    return keras.Model(image, _head(keras, x))


def _stopped(keras: Any) -> Any:
    """Weights that no gradient reaches, beside others; a weight decay leaves them alone, too."""
    layers = keras.layers
    image = keras.Input((6,), name="image")
    one, other = layers.Dense(4, activation="tanh")(image), layers.Dense(4)(image)
    behind = layers.Add()([one, keras.ops.stop_gradient(other)])
    table = layers.Embedding(2, 4)(keras.ops.greater(layers.Dense(4)(image), 0.0))
    return keras.Model(image, _head(keras, layers.Add()([behind, layers.GlobalAveragePooling1D()(table)])))


def _each_step(keras: Any) -> Any:
    layers = keras.layers
    x = image = keras.Input((3, 5, 4, 2), name="image")
    for layer in (
        layers.Conv2D(4, 2),
        layers.BatchNormalization(),
        layers.PReLU(shared_axes=[1, 2]),
        layers.SpatialDropout2D(0.3),
        layers.GroupNormalization(2),
        layers.Flatten(),
        layers.SpectralNormalization(layers.Dense(4)),
        layers.GaussianNoise(0.1),
        layers.Dense(3, activation="softmax"),
    ):
        x = layers.TimeDistributed(layer)(x)
    return keras.Model(image, _head(keras, x))


def _transformer(keras: Any) -> Any:
    layers = keras.layers
    words = keras.Input((5,), name="words")
    x = layers.Embedding(2, 6)(keras.ops.greater(words, 0.0))
    x = layers.Add()([x, layers.Dense(6)(layers.Reshape((5, 1))(words))])
    for attention in (
        layers.MultiHeadAttention(2, 3, dropout=0.2),
        layers.GroupQueryAttention(3, 4, 2, dropout=0.2),
    ):
        x = layers.LayerNormalization()(layers.Add()([x, attention(x, x, use_causal_mask=True)]))
    x = layers.Add()([x, layers.Attention(dropout=0.3, use_scale=True)([x, x])])
    x = layers.Add()([x, layers.AdditiveAttention(dropout=0.3)([x, x])])
    x = layers.RMSNormalization()(layers.Dense(6, activation="silu")(x))
    return keras.Model(words, _head(keras, x))


def _any_axis(keras: Any) -> Any:
    layers = keras.layers
    x = image = keras.Input((5, 4, 3), name="image")
    for axis in (1, 2, 3, -1, -2):
        x = layers.BatchNormalization(axis=axis)(layers.Conv2D(3, 2, padding="same")(x))
    return keras.Model(image, _head(keras, x))


def _penalised_and_bounded(keras: Any) -> Any:
    """Regularisers of weights and of outputs, and constraints."""
    layers, regularizers, constraints = keras.layers, keras.regularizers, keras.constraints
    x = image = keras.Input((5, 5, 2), name="image")
    shared = layers.Conv2D(
        4, 2, padding="same", kernel_regularizer=regularizers.L2(0.01), kernel_constraint="max_norm"
    )
    x = shared(layers.Conv2D(4, 2, activity_regularizer=regularizers.L1L2(0.01, 0.02))(x))
    x = layers.BatchNormalization(gamma_regularizer="l1", beta_constraint="non_neg")(shared(x))
    x = layers.DepthwiseConv2D(2, depthwise_constraint=constraints.UnitNorm(axis=[0, 1]))(x)
    x = layers.ActivityRegularization(l1=0.01, l2=0.01)(layers.ReLU()(x))
    x = layers.Flatten()(x)
    x = layers.Dense(
        6,
        kernel_regularizer=regularizers.L1L2(0.01, 0.02),
        kernel_constraint=constraints.MinMaxNorm(0.2, 0.8, rate=0.5),
        bias_regularizer=regularizers.L1(0.01),
    )(x)
    frozen = layers.Dense(6, kernel_regularizer="l2", kernel_constraint="unit_norm")
    frozen.trainable = False
    last = layers.Dense(3, activation="softmax", activity_regularizer=regularizers.L2(0.1))
    return keras.Model(image, last(frozen(x)))


OPTIMIZERS: tuple[Optimizer, ...] = (
    SGD(0.02),
    SGD(0.02, momentum=0.9),
    SGD(0.02, momentum=0.9, nesterov=True),
    SGD(0.02, momentum=0.5, weight_decay=0.01, clipnorm=0.5),
    SGD(0.02, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=7),
    Adam(0.002),
    Adam(0.002, beta_1=0.8, beta_2=0.99, epsilon=1e-4, amsgrad=True),
    Adam(0.002, clipnorm=0.1),
    Adam(0.002, clipvalue=0.01),
    Adam(0.002, global_clipnorm=0.1),
    Adam(0.002, use_ema=True),
    AdamW(0.002),
    AdamW(0.002, weight_decay=0.1, amsgrad=True, use_ema=True, ema_momentum=0.5),
    SGD(ExponentialDecay(0.05, 10, 0.9)),
    SGD(ExponentialDecay(0.05, 10, 0.9, staircase=True), momentum=0.5),
    Adam(InverseTimeDecay(0.01, 10, 0.5)),
    Adam(PiecewiseConstantDecay([5, 50], [0.01, 0.001, 0.0001])),
    AdamW(PolynomialDecay(0.01, 30, 0.001, power=2.0, cycle=True)),
    AdamW(CosineDecay(0.0, 60, 0.1, warmup_target=0.01, warmup_steps=20)),
    Adam(CosineDecayRestarts(0.01, 20, 1.5, 0.8, 0.1)),
)


def of_optimizers() -> Iterator[TrainingCase]:
    """Each rule and each of its settings, on one small network."""
    for optimizer in OPTIMIZERS:
        kind: Any = type(optimizer)
        plain = kind()
        said = ", ".join(
            f"{name}={value}" for name, value in optimizer.config().items() if value != getattr(plain, name)
        )
        name = f"{type(optimizer).__name__}({said})"
        yield TrainingCase(name, "optimizer", _small, optimizer, SparseCategoricalCrossentropy())


def _small(keras: Any) -> Any:
    layers = keras.layers
    x = image = keras.Input((6, 6, 2), name="image")
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(x))
    x = layers.Dropout(0.25)(layers.ReLU()(x))
    return keras.Model(image, _head(keras, x))


LOSSES: tuple[tuple[LossFunction, str | None, bool | None], ...] = (
    (SparseCategoricalCrossentropy(), "softmax", True),
    (SparseCategoricalCrossentropy(), "softmax", None),
    (SparseCategoricalCrossentropy(), "softmax", False),
    (SparseCategoricalCrossentropy(), "sigmoid", True),
    (SparseCategoricalCrossentropy(from_logits=True), None, True),
    (CategoricalCrossentropy(), "softmax", True),
    (CategoricalCrossentropy(), "softmax", False),
    (CategoricalCrossentropy(), "sigmoid", True),
    (CategoricalCrossentropy(label_smoothing=0.1), "softmax", True),
    (CategoricalCrossentropy(from_logits=True, label_smoothing=0.2), None, True),
    (BinaryCrossentropy(), "sigmoid", True),
    (BinaryCrossentropy(), "softmax", True),
    (BinaryCrossentropy(), "sigmoid", False),
    (BinaryCrossentropy(label_smoothing=0.1), "sigmoid", True),
    (BinaryCrossentropy(from_logits=True, label_smoothing=0.2), None, True),
    (MeanSquaredError(), "tanh", True),
)
"""Each loss on an activation at the end of the network (True), behind a Reshape (False), or an Identity."""


def of_losses() -> Iterator[TrainingCase]:
    """Each loss on a row of classes and on a map of them."""
    for loss, activation, seen in LOSSES:
        behind = {True: "", False: ", behind a Reshape", None: ", behind an Identity"}[seen]
        name = f"{loss} of {activation or 'logits'}{behind}"
        yield TrainingCase(name, "loss", partial(_ending_in, activation, seen), Adam(0.002), loss)


def _ending_in(activation: str | None, seen: bool | None, keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((3, 3, 2), name="image")
    row = layers.Dense(4, activation=activation)(layers.Flatten()(image))
    maps = layers.Conv2D(4, 2, activation=activation)(image)
    outputs = [row, maps]
    if seen is not True:
        last = layers.Identity if seen is None else layers.Reshape
        outputs = [last()(x) if seen is None else last(x.shape[1:])(x) for x in outputs]
    return keras.Model(image, outputs)
