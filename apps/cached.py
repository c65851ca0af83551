"""What pages ask of the library, each answer kept by content: models, digits, runs, pictures.

Nothing is computed here. Runs and networks never change, so sessions share them.
"""

from __future__ import annotations

import base64
import hashlib
import pickle
from collections.abc import Callable, Hashable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, TypeVar, cast

import numpy as np
import opened
import streamlit as st
import turns
from chosen_digit import Digit, test_digits
from long_answers import LongAnswers
from plain import plain
from sample import Sample

import cnnviz
from cnnviz import kernels, ops
from cnnviz.animate import Animation
from cnnviz.channels import Reduction, ReductionTrial, with_reduction
from cnnviz.concepts import translation
from cnnviz.concepts.activation_exchange import FUNCTIONS, exchange, hidden_activations
from cnnviz.concepts.affine_collapse import AffineMap, collapse
from cnnviz.concepts.batch_normalization import Forms, Normalization, compare_forms, normalization_over
from cnnviz.concepts.dead_channels import Sparsity, silence, sparsity_over
from cnnviz.concepts.downsampling import PooledMove
from cnnviz.concepts.downsampling import pooled_move as compare_pooled
from cnnviz.concepts.dropout import Dropped, drop_in_steps, run_with_dropout
from cnnviz.concepts.saturation import Hearing, hearing
from cnnviz.images.digit_preparation import Preparation, prepare_in_steps
from cnnviz.images.image_files import ImageError
from cnnviz.images.no_digits import no_digits
from cnnviz.network.confusion import Classification
from cnnviz.network.evaluation import Evaluation, evaluate
from cnnviz.network.mistakes import SURE, Mistake, mistakes
from cnnviz.network.network_in_child import NetworkInChild
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.receipts.one_weight import first_step as training_step
from cnnviz.receipts.one_weight import nudged_loss
from cnnviz.receptive_fields import (
    EffectiveReceptiveField,
    FieldCheck,
    ReceptiveFields,
    check_field,
    receptive_field,
)
from cnnviz.receptive_fields.notation import stack_specs
from cnnviz.resources import BUNDLED, asset
from cnnviz.stage import build_scene
from cnnviz.stage.component import run_shown
from cnnviz.stage.intervention import MOST, with_changed_weights
from cnnviz.stage.stage_state import entry_of
from cnnviz.teaching.public_names import drawn_by, public_names
from cnnviz.teaching.questions import Question
from cnnviz.teaching.questions.verification import rounded_weights
from cnnviz.training.epoch_predictions import read_predictions, shares_over_epochs
from cnnviz.training.history import TrainingHistory, read_history
from cnnviz.training.trainer import TrainingStep
from cnnviz.verification.convolution_rounding import MethodError, compare_methods

Answer = TypeVar("Answer")


def kept(function: Callable[..., Answer], *arguments: Hashable) -> Answer:
    """function(*arguments), worked out once for the same network, run, and plain values.

    For functions of the library. Functions that take arrays, or need much room, have their own below. Of a
    network that somebody has open it is kept with it, and what is asked of its runs, which may be large, not
    at all.
    """
    own = next((each for each in arguments if isinstance(each, NetworkInChild)), None)
    if own is not None:
        key = (function, *arguments)
        with suppress(KeyError):  # Others, who share the network, may drop an answer at any time.
            return own.answers[key]
        with turns.aside():
            answer = own.answers[key] = function(*arguments)
        while len(own.answers) > 24:
            own.answers.popitem(last=False)
        return answer
    if any(isinstance(getattr(each, "network", None), NetworkInChild) for each in arguments):
        return function(*arguments)
    return _last_answers(function)(*arguments)


@cache
def _last_answers(function: Callable[..., Answer]) -> Callable[..., Answer]:
    return lru_cache(maxsize=24)(function)


@st.cache_data(show_spinner=False)
def available_models() -> list[str]:
    """The bundled models whose files are there."""
    return [name for name in BUNDLED if asset(f"{name}.keras").is_file()]


@dataclass(frozen=True)
class Changed:
    """A model with weights that the learner has changed, in the words of a link."""

    model: str
    changes: str


Which = str | Changed
"""A saved model, or a changed one: what is about one digit takes either."""


def network(which: Which) -> cnnviz.Network:
    return changed(which) if isinstance(which, Changed) else saved(which)


def saved(model: str) -> cnnviz.Network:
    """A model as it was saved."""
    own = opened.named(model)
    return own.network if own is not None else _bundled(model)


def is_opened(which: Which) -> bool:
    """Whether it is a network of the user's own."""
    return opened.named(which.model if isinstance(which, Changed) else which) is not None


@st.cache_resource(show_spinner=False)
def _bundled(model: str) -> cnnviz.Network:
    return cnnviz.load_model(model)


MOST_LETTERS = 1_000_000
"""Of changed weights: to read them takes far more room than they have."""


@st.cache_resource(show_spinner=False, max_entries=8)
def changed(which: Changed) -> cnnviz.Network:
    """A model with the learner's weights; ValueError if they do not fit it."""
    if len(which.changes) > MOST_LETTERS or which.changes.count("!") >= MOST:
        raise ValueError(f"changes must be at most {MOST}, in {MOST_LETTERS:,} letters")
    changes = entry_of("changes", which.changes)
    if any(change.get("kind") != "weights" for change in changes):
        raise ValueError("changes must be of weights")
    return with_changed_weights(saved(which.model), changes)


def run(which: Which, digit: Digit, epoch: int | None = None) -> cnnviz.Run:
    """Every activation of a model on a digit, with the weights it had after an epoch."""
    if is_opened(which):
        with turns.aside():
            return run_shown(network(which), digit.image)
    return _run(which, digit, epoch)


@st.cache_resource(show_spinner=False, max_entries=24)
def _run(which: Which, digit: Digit, epoch: int | None = None) -> cnnviz.Run:
    net = network(which) if epoch is None else network_at(str(which), epoch)
    return net.run(digit.image)


@st.cache_resource(show_spinner=False, max_entries=8)
def network_at(model: str, epoch: int) -> cnnviz.Network:
    """The network as it was after an epoch."""
    history = kept(read_history, model)
    return network(model).with_weights(history.weights_after(epoch) if history else {})


@st.cache_resource(show_spinner=False, max_entries=24)
def answers_over_epochs(name: str, digit: Digit) -> np.ndarray:
    """What the network of a recorded run says of a digit after each epoch whose weights were kept."""
    return shares_over_epochs(network(name.partition(".")[0]), recorded_run(name), digit.image)


def recorded_run(name: str) -> TrainingHistory:
    """A recorded run that is there."""
    history = kept(read_history, name)
    assert history is not None
    return history


LEARNED_FROM = 8
"""Training images of a batch whose step is looked at."""


@st.cache_resource(show_spinner=False, max_entries=12)
def first_step(model: str, rate: float) -> TrainingStep:
    """One step of gradient descent on the first training images, with the weights before training."""
    (images, labels), _ = cnnviz.load_mnist()
    return training_step(network_at(model, 0), images[:LEARNED_FROM], labels[:LEARNED_FROM], rate)


@st.cache_resource(show_spinner=False, max_entries=64)
def nudged(model: str, weight: str, at: tuple[int, ...], by: float) -> float:
    """The mean loss of the same images with one weight changed."""
    (images, labels), _ = cnnviz.load_mnist()
    batch = images[:LEARNED_FROM], labels[:LEARNED_FROM]
    return nudged_loss(network_at(model, 0), *batch, weight, at, by)


@st.cache_resource(show_spinner="Looking for mistakes among 10,000 test digits")
def hard_cases(model: str) -> list[Mistake]:
    """The test digits that a model gets wrong, from its recorded predictions if there are any."""
    predictions = kept(read_predictions, model)
    predicted = None if predictions is None else predictions.predictions[-1]
    with turns.aside() if is_opened(model) else nullcontext():
        return mistakes(network(model), *test_digits(), predicted=predicted)


@st.cache_resource(show_spinner=False, max_entries=16)
def pad(which: Which, digit: Digit) -> bytes:
    """A scene of a model for the pad, which runs it in the browser: on a digit, and on what is none."""
    scene = build_scene(run(which, digit))
    odd = [{"name": name, "digit": _text(image)} for name, image in no_digits().items()]
    scene.host.update(sure=SURE, title=digit.name, digit=_text(digit.image), odd=odd)
    return bytes(scene)


def _text(image: np.ndarray) -> str:
    """An image's bytes as text."""
    return base64.b64encode(image.tobytes()).decode()


@st.cache_resource(show_spinner=False, max_entries=16)
def preparation(digit: Digit) -> Preparation | None:
    """The steps of preparing a digit's 28 x 28 pixels once more; None if they hold no ink."""
    try:
        return prepare_in_steps(digit.image, ink="drawn")
    except ImageError:
        return None


def effective(
    which: Which, layer: str, over: Digit | Sample, row: int, col: int, epoch: int | None = None
) -> EffectiveReceptiveField:
    """How much each pixel of an image, or of a sample, counts for a unit, with the weights after an epoch."""
    with turns.aside() if is_opened(which) else nullcontext():
        return _effective(which, layer, over, row, col, epoch)


@st.cache_resource(show_spinner=False, max_entries=64)
def _effective(
    which: Which, layer: str, over: Digit | Sample, row: int, col: int, epoch: int | None
) -> EffectiveReceptiveField:
    if not is_opened(which):
        given: Any = run_of(which, over, epoch)
    else:  # Its runs may be large; images are run a few at a time.
        given = run(which, over) if isinstance(over, Digit) else over.images
    net = given.network if isinstance(given, cnnviz.Run) else network(which)
    return cnnviz.effective_receptive_field(cast(cnnviz.Network, net), layer, given, row=row, col=col)


@st.cache_resource(show_spinner=False, max_entries=4)
def run_of(which: Which, over: Digit | Sample, epoch: int | None = None) -> cnnviz.Run:
    """Every activation of a model on an image or a sample at once, with the weights after an epoch."""
    net = network(which) if epoch is None else network_at(str(which), epoch)
    return net.run(over.image if isinstance(over, Digit) else over.images)


@st.cache_resource(show_spinner=False, max_entries=64)
def field_check(which: Which, digit: Digit, layer: str, row: int, col: int) -> FieldCheck:
    """A unit's receptive field put to the test on a digit."""
    return check_field(network(which), digit.image, layer, row, col)


@st.cache_resource(show_spinner=False, max_entries=24)
def stack(text: str, size: int) -> ReceptiveFields:
    """The receptive fields of a written stack on an input of that size; ValueError if it does not fit."""
    return cnnviz.receptive_field(stack_specs(text), size)


@st.cache_resource(show_spinner=False, max_entries=8)
def gallery_responses(image: np.ndarray, size: int) -> list[np.ndarray]:
    """What every named kernel of a size makes of an image."""
    return [
        ops.conv2d(image, entry.kernel[:, :, None, None].astype(image.dtype))
        for entry in kernels.gallery(size)
    ]


@st.cache_resource(show_spinner=False, max_entries=32)
def nearest_stack(wanted: np.ndarray) -> kernels.NearestStack:
    """The nearest kernel to a large one that 3x3 kernels in a row make."""
    return kernels.nearest_stack(wanted)


def exciting_patches(model: str, layer: str) -> list[kernels.ExcitingPatch]:
    """What excites each kernel of a model's first layer most, over all test digits."""
    return with_progress(
        ("exciting patches", model, layer),
        "Looking through the test digits for what excites each kernel most",
        lambda progress: kernels.exciting_patches(
            network(model)[layer].weights["kernel"], test_digits()[0], progress
        ),
    )


@st.cache_resource(show_spinner=False)
def _long_answers() -> LongAnswers:
    return LongAnswers()


def with_progress(key: tuple, words: str, compute: Callable[[Callable[[int, int], None]], Any]) -> Any:
    """What compute(progress) returns, worked out once for a key; what takes long shows how far it is.

    `compute` calls progress(done, of all); the key holds all that the answer depends on.
    """
    answers = _long_answers()
    if key not in answers:
        place = st.empty()
        with turns.aside():
            answers.work_out(key, compute, lambda share: place.progress(share, plain(words)))
        place.empty()
    return answers[key]


def evaluated(own: OpenedNetwork) -> dict[str, Classification]:
    """What an opened network calls its labelled examples, by its outputs."""
    key = ("evaluated", own.name, id(own.examples), tuple(map(tuple, own.classes.values())))
    return with_progress(key, f"Classifying {len(own.examples):,} pictures", own.evaluate)


def first_digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first test images and their labels: what is measured without a button."""
    images, labels = test_digits()
    return images[:count], labels[:count]


@st.cache_resource(show_spinner=False, max_entries=32)
def exchanged(which: Which, function: str, layers: tuple[str, ...]) -> cnnviz.Network:
    """A model with a function in place of some layers' own; their own if it is named."""
    bends = hidden_activations(network(which))
    other = tuple(name for name in layers if str(bends[name]) != function)
    return exchange(network(which), function, other) if other else network(which)


def accuracy_with(model: str, function: str, layers: tuple[str, ...], count: int) -> Evaluation:
    """A model's accuracy on the first test digits with a function in place of some layers' own."""
    net = exchanged(model, function, layers)
    change = (function, layers) if net is not network(model) else ()
    return with_progress(
        ("accuracy", model, *change, count),
        f"Classifying {count:,} digits with {function}",
        lambda progress: evaluate(net, *first_digits(count), progress=progress, batch_size=250),
    )


def accuracies_with(model: str, layers: tuple[str, ...], count: int) -> dict[str, float]:
    """A model's accuracy on the first test digits with each function in place of some layers' own."""

    def compare(progress: Callable[[int, int], None]) -> dict[str, float]:
        found = {}
        for done, name in enumerate(FUNCTIONS):
            net = exchanged(model, name, layers)
            found[name] = evaluate(net, *first_digits(count), batch_size=250).accuracy
            progress(done + 1, len(FUNCTIONS))
        return found

    words = f"Classifying {count:,} digits with each of {len(FUNCTIONS)} functions"
    return with_progress(("accuracies", model, layers, count), words, compare)


@st.cache_resource(show_spinner=False, max_entries=64)
def hearing_at(model: str, layer: str, epoch: int, count: int) -> Hearing:
    """What comes back to each kernel of a layer from some test digits, with the weights after an epoch."""
    return hearing(network_at(model, epoch), layer, *first_digits(count))


def sparsity(model: str, over: Sample) -> dict[str, Sparsity]:
    """Zeros and silent channels of a model's activations over a sample."""
    net = network(model)
    return with_progress(
        ("sparsity", model, over),
        f"Counting zeros over {over.words}",
        lambda progress: sparsity_over(net, over.images, hidden_activations(net), progress=progress),
    )


def changed_by_silence(model: str, channels: dict[str, tuple[int, ...]], over: Sample) -> int:
    """For how many images of a sample a model predicts something else without some channels."""

    def compare(progress: Callable[[int, int], None]) -> int:
        nets = network(model), silence(network(model), channels)
        return int(np.not_equal(*(net.predict(over.images).argmax(axis=1) for net in nets)).sum())

    return with_progress(
        ("silenced", model, tuple(sorted(channels.items())), over),
        f"Classifying {over.words} without channels that hardly speak",
        compare,
    )


@st.cache_resource(show_spinner=False)
def affine(model: str, count: int) -> tuple[AffineMap, float, float]:
    """A model as one affine map; its difference from the layers on the first test digits; its accuracy."""
    affine_map = collapse(network(model))
    difference = affine_map.largest_difference(first_digits(count)[0])
    return affine_map, difference, affine_map.accuracy(*test_digits())


def normalization(model: str, layer: str, over: Sample) -> Normalization:
    """A batch normalisation's statistics over a sample."""
    return with_progress(
        ("normalization", model, layer, over),
        f"Measuring {layer} over {over.words}",
        lambda progress: normalization_over(network(model), layer, over.images, progress=progress),
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def batch_with(digit: Digit, over: Sample) -> np.ndarray:
    """A batch of a sample's size with a chosen image in front, and no image twice."""
    image = np.asarray(digit.image)
    others = [each for each in np.asarray(over.images) if not np.array_equal(each, image)]
    return np.stack([image, *others[: over.count - 1]])


@st.cache_resource(show_spinner=False, max_entries=16)
def forms(which: Which, layer: str, digit: Digit, over: Sample, sizes: tuple[int, ...]) -> list[Forms]:
    """An image under both forms of a batch normalisation, in batches of several sizes, of a sample."""
    return compare_forms(network(which), layer, batch_with(digit, over), sizes)


@st.cache_resource(show_spinner=False, max_entries=4)
def batch_inputs(which: Which, layer: str, digit: Digit, over: Sample) -> np.ndarray:
    """What a layer reads of an image and a sample."""
    return network(which).run(batch_with(digit, over)).inputs(layer)[0]


@st.cache_resource(show_spinner=False, max_entries=8)
def dropped(which: Which, digit: Digit, layer: str, rate: float, seed: int, steps: int) -> Dropped:
    """What dropout makes of what a layer reads, in some steps."""
    values = run(which, digit).inputs(layer)[0][0]
    return drop_in_steps(values, rate, steps, seed=seed, layer=layer)


@st.cache_resource(show_spinner=False, max_entries=4)
def runs_with_dropout(which: Which, digit: Digit, seed: int) -> list[cnnviz.Run]:
    """A few forward passes with dropout at work."""
    return [run_with_dropout(network(which), digit.image, seed=seed, step=step) for step in range(4)]


@st.cache_resource(show_spinner=False, max_entries=24)
def pooled_move(
    which: Which, digit: Digit, layer: str, rows: int, cols: int, window: int, stride: int, padding: Any
) -> PooledMove:
    """A layer's maps of a digit and of the moved digit, as they are and pooled."""
    return compare_pooled(
        network(which), digit.image, layer, rows, cols, pool_size=window, strides=stride, padding=padding
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def method_errors(which: Which, digit: Digit, layer: str) -> list[MethodError]:
    """How far every method of a convolution is from float64, on what a layer reads of a digit."""
    one = network(which)[layer]
    options = {name: one.config[name] for name in ("strides", "padding", "dilation_rate", "groups")}
    x = run(which, digit).inputs(layer)[0]
    return compare_methods(x, one.weights["kernel"], one.weights.get("bias"), **options)


@st.cache_resource(show_spinner=False, max_entries=16)
def moved(which: Which, digit: Digit, rows: int, cols: int, padded: bool = False) -> translation.Translation:
    """A network on a digit and on the moved digit, as it is or padding with zeros, layer by layer."""
    net = network(which)
    shown = kept(translation.padded_with_zeros, net) if padded else net
    return translation.compare_shift(shown, digit.image, rows, cols, kept(receptive_field, shown))


@st.cache_resource(show_spinner=False, max_entries=16)
def predictions_over_shifts(which: Which, digit: Digit, reach: int) -> np.ndarray:
    """What a network makes of a digit at every place up to so many pixels away."""
    return translation.predictions_over_shifts(network(which), digit.image, reach)


def animation(operation: str, **arguments: Any) -> tuple[Animation, dict[str, Any]]:
    """An animation of `cnnviz.animate`, and what a browser needs of it; ValueError as the operation's."""
    content = pickle.dumps((operation, sorted(arguments.items())), protocol=5)
    return _animation(hashlib.blake2b(content, digest_size=16).hexdigest(), operation, arguments)


@st.cache_resource(show_spinner=False, max_entries=24)
def _animation(key: str, _operation: str, _arguments: Mapping[str, Any]) -> tuple[Animation, dict[str, Any]]:
    animated = getattr(cnnviz.animate, _operation)(**_arguments)
    return animated, {**animated.scene(), "key": key}


def reductions(
    model: str, layer: str, by: str, count: int
) -> tuple[list[tuple[Reduction, Evaluation]], float]:
    """Every reduction of a 1x1 convolution, and the model's accuracy with it on the first test digits.

    And the share of the outputs' mean square that the activation takes away.
    """

    def sweep(progress: Callable[[int, int], None]) -> tuple[list[tuple[Reduction, Evaluation]], float]:
        trial = ReductionTrial(network(model), layer, *first_digits(count))
        return trial.sweep(by, progress), trial.cut

    # What the layer reads of the digits is large, and not kept: all that is asked of it is here.
    return with_progress(
        ("reductions", model, layer, by, count),
        f"Classifying {count:,} digits with less and less of {layer}",
        sweep,
    )


def reduced_accuracy(model: str, layer: str, reduction: Reduction, asked: bool) -> Evaluation | None:
    """A model's accuracy on all test digits with a reduced 1x1 convolution; None if nobody asked yet."""
    key = ("reduced", model, layer, reduction.by, reduction.k)
    if not asked and key not in _long_answers():
        return None
    return with_progress(
        key,
        "Classifying all 10,000 test digits",
        lambda progress: evaluate(
            with_reduction(network(model), layer, reduction), *test_digits(), progress=progress
        ),
    )


@st.cache_data(show_spinner=False)
def rounded_weights_question(model: str, images: int) -> Question:
    """What becomes of so many test digits' predictions when kernels are rounded."""
    return rounded_weights(network(model), test_digits()[0][:images])


@dataclass(frozen=True)
class PagePicture:
    """A figure as a page shows it: inline SVG, its text alternative, and what lies over it.

    `tiles` and `grids` say where its tiles are, and its arrays with their numbers: boxes (x, y, width,
    height) as shares of its width and height.
    """

    svg: str
    alt: str
    tiles: list[tuple[float, ...]]
    grids: list[dict[str, Any]]


def picture(figure: str, **arguments: Any) -> PagePicture:
    """A figure of `cnnviz.figures`."""
    content = pickle.dumps((figure, sorted(arguments.items())), protocol=5)
    return _picture(hashlib.blake2b(content, digest_size=16).hexdigest(), figure, arguments)


MOST_NUMBERS = 100_000
"""Of one picture, to be pointed at; of a larger one none."""


@st.cache_resource(show_spinner=False, max_entries=256)
def _picture(key: str, _figure: str, _arguments: Mapping[str, Any]) -> PagePicture:
    drawn = getattr(import_module("cnnviz.figures"), _figure)(**_arguments)
    grids = drawn.grids
    if sum(array.size for array, _ in grids) > MOST_NUMBERS:
        grids = []
    shown = [
        {"box": box, "columns": array.shape[1], "rows": array.shape[0], "values": _text(array.astype("<f4"))}
        for array, box in grids
    ]
    return PagePicture(drawn.svg(text=True), drawn.alt, drawn.get("tiles", []), shown)


@st.cache_data(show_spinner=False, max_entries=64)
def example_drawn(room: str, name: str, theme: str) -> tuple[str, Any, str]:
    """What a docstring's example draws: its kind ("svg", "gif" or "text"; "" for none), it, and its words."""
    drawn = drawn_by(public_names(room)[name], theme=theme)
    if drawn is None:
        return "", None, ""
    if hasattr(drawn, "svg"):
        return "svg", drawn.svg(text=True), drawn.alt
    if hasattr(drawn, "gif"):
        return "gif", drawn.gif(), drawn.words(len(drawn) - 1)
    return "text", str(drawn), ""
