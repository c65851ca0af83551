"""What pages ask of the library, each answer kept by content: models, digits, runs, pictures.

Nothing is computed here. Runs and networks never change, so sessions share them.
"""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

import cnnviz
from cnnviz import figures, kernels, ops
from cnnviz.activation_exchange import exchange, hidden_activations
from cnnviz.affine_collapse import AffineMap, collapse
from cnnviz.batch_normalization import Forms, Normalization, compare_forms, normalization_over
from cnnviz.dropout import Dropped, drop_in_steps, run_with_dropout
from cnnviz.epoch_predictions import EpochPredictions, read_predictions
from cnnviz.evaluation import Evaluation, evaluate
from cnnviz.images import read_image
from cnnviz.liveview import Scene, build_scene
from cnnviz.mistakes import SURE, Mistake, mistakes
from cnnviz.preparation import Preparation, prepare_in_steps
from cnnviz.receptive_fields import EffectiveReceptiveField, ReceptiveFields
from cnnviz.receptive_fields.notation import stack_specs
from cnnviz.resources import asset
from cnnviz.scores_to_loss import Loss, Step, loss_of, step_against
from cnnviz.sparsity import Sparsity, sparsity_over
from cnnviz.training_history import TrainingHistory, read_history, read_selection
from cnnviz.verification import Verification, read_record

if TYPE_CHECKING:
    from digits import Digit

MODELS = ("mnist_14k", "mnist_maxpool")


@st.cache_data(show_spinner=False)
def available_models() -> list[str]:
    """The bundled models whose files are there."""
    return [name for name in MODELS if asset(f"{name}.keras").is_file()]


@st.cache_resource(show_spinner=False)
def network(model: str) -> cnnviz.Network:
    return cnnviz.load_model(model)


@st.cache_resource(show_spinner=False)
def test_digits() -> tuple[np.ndarray, np.ndarray]:
    """The 10,000 test images and their labels."""
    return cnnviz.load_mnist()[1]


@st.cache_resource(show_spinner=False, max_entries=64)
def run(model: str, digit: Digit, epoch: int | None = None) -> cnnviz.Run:
    """Every activation of a model on a digit, with the weights it had after an epoch."""
    net = network(model) if epoch is None else network_at(model, epoch)
    return net.run(digit.image)


@st.cache_resource(show_spinner=False, max_entries=64)
def layers(model: str, digit: Digit) -> list[figures.LayerMaps]:
    """Every layer's maps of a digit, as the overview draws them."""
    return figures.layers_of(run(model, digit))


@st.cache_resource(show_spinner=False, max_entries=8)
def network_at(model: str, epoch: int) -> cnnviz.Network:
    """The network as it was after an epoch."""
    history = training(model)
    return network(model).with_weights(history.weights_after(epoch) if history else {})


@st.cache_resource(show_spinner="Looking for mistakes among 10,000 test digits")
def hard_cases(model: str) -> list[Mistake]:
    """The test digits that a model gets wrong, from its recorded predictions if there are any."""
    known = read_predictions(model)
    predicted = None if known is None else known.predictions[-1]
    return mistakes(network(model), *test_digits(), predicted=predicted)


@st.cache_resource(show_spinner=False)
def receptive_fields(model: str) -> ReceptiveFields:
    return cnnviz.receptive_field(network(model))


@st.cache_resource(show_spinner=False)
def scene(model: str) -> Scene:
    """A scene of a model, for others to take its receptive fields from."""
    return build_scene(network(model).run(test_digits()[0][0]))


@st.cache_resource(show_spinner=False)
def pad(model: str) -> bytes:
    """The same for the pad, which runs the network in the browser."""
    known = scene(model)
    return bytes(replace(known, header={**known.header, "host": {"sure": SURE}}))


@st.cache_resource(show_spinner=False, max_entries=16)
def preparation(digit: Digit) -> Preparation:
    """The steps of preparing a digit that is one already."""
    return prepare_in_steps(digit.image)


@st.cache_resource(show_spinner=False, max_entries=64)
def path_to(model: str, digit: Digit, layer: str, row: int, col: int) -> list[figures.Seen]:
    return figures.path_to(run(model, digit), layer, row, col)


@st.cache_resource(show_spinner=False, max_entries=64)
def rungs_to(model: str, layer: str, unit: int) -> list[figures.Rung]:
    return figures.rungs_to(network(model), layer, unit)


@st.cache_resource(show_spinner=False, max_entries=256)
def effective(
    model: str, layer: str, digits: tuple[Digit, ...], row: int, col: int, epoch: int | None = None
) -> EffectiveReceptiveField:
    """How much each pixel of some digits counts for a unit, with the weights after an epoch."""
    net = network(model) if epoch is None else network_at(model, epoch)
    images = np.stack([digit.image for digit in digits])
    return cnnviz.effective_receptive_field(net, layer, images, row=row, col=col)


@st.cache_resource(show_spinner=False, max_entries=64)
def stack(text: str, size: int) -> ReceptiveFields:
    """The receptive fields of a stack in words on an input of that size; ValueError if it does not fit."""
    return cnnviz.receptive_field(stack_specs(text), size)


@st.cache_data(show_spinner=False, max_entries=16)
def grey_picture(content: bytes) -> np.ndarray:
    """An uploaded picture's brightness, small enough to be drawn; ImageError if it cannot be read."""
    return kernels.grey(read_image(content))


@st.cache_data(show_spinner=False, max_entries=32)
def gallery_responses(image: np.ndarray, size: int) -> list[np.ndarray]:
    """What every named kernel of a size makes of an image."""
    return [ops.conv2d(image, entry.kernel[:, :, None, None]) for entry in kernels.gallery(size)]


@st.cache_resource(show_spinner=False)
def training(model: str) -> TrainingHistory | None:
    return read_history(model)


@st.cache_resource(show_spinner=False)
def selection(model: str) -> TrainingHistory | None:
    """The run that chose a model's recipe, with images held out."""
    return read_selection(model)


@st.cache_resource(show_spinner=False)
def epoch_predictions(model: str) -> EpochPredictions | None:
    """What a model says of the test digits after every epoch; None if that was not kept."""
    return read_predictions(model)


@st.cache_resource(show_spinner=False)
def verification(model: str) -> Verification | None:
    """The recorded verification of a model; None if there is none of this very file."""
    try:
        record = read_record().get(model)
    except FileNotFoundError:
        return None
    source = network(model).source
    if record is None or source is None:
        return None
    return record if record.sha256 == hashlib.sha256(source.read_bytes()).hexdigest() else None


@st.cache_resource(show_spinner=False)
def _long_answers() -> dict[Any, Any]:
    return {}


def with_progress(key: tuple, words: str, compute: Callable[[Callable[[int, int], None]], Any]) -> Any:
    """What compute(progress) returns, worked out once for a key; what takes long shows how far it is.

    `compute` calls progress(done, of all); the key holds all that the answer depends on.
    """
    answers = _long_answers()
    if key not in answers:
        place, began = st.empty(), time.monotonic()

        def progress(done: int, of_all: int) -> None:
            if time.monotonic() - began > 0.3:
                place.progress(min(done / of_all, 1.0), words)

        answers[key] = compute(progress)
        place.empty()
    return answers[key]


def first_digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first test images and their labels: what is measured without a button."""
    images, labels = test_digits()
    return images[:count], labels[:count]


@st.cache_resource(show_spinner=False, max_entries=32)
def exchanged(model: str, function: str, layers: tuple[str, ...]) -> cnnviz.Network:
    """A model with a function in place of some layers' own; their own if it is named."""
    bends = hidden_activations(network(model))
    other = tuple(name for name in layers if str(bends[name]) != function)
    return exchange(network(model), function, other) if other else network(model)


def accuracy_with(model: str, function: str, layers: tuple[str, ...], count: int) -> Evaluation:
    """A model's accuracy on the first test digits with a function in place of some layers' own."""
    net = exchanged(model, function, layers)
    return with_progress(
        ("accuracy", model, function, layers, count),
        f"Classifying {count:,} digits with {function}",
        lambda progress: evaluate(net, *first_digits(count), progress=progress, batch_size=250),
    )


def sparsity(model: str, count: int) -> dict[str, Sparsity]:
    """Zeros and silent channels of a model's activations over the first test digits."""
    net = network(model)
    return with_progress(
        ("sparsity", model, count),
        f"Counting zeros over {count:,} digits",
        lambda progress: sparsity_over(
            net, first_digits(count)[0], hidden_activations(net), progress=progress
        ),
    )


@st.cache_resource(show_spinner=False)
def affine(model: str, count: int) -> tuple[AffineMap, float, float]:
    """A model as one affine map; its difference from the layers on the first test digits; its accuracy."""
    found = collapse(network(model))
    return found, found.largest_difference(first_digits(count)[0]), found.accuracy(*test_digits())


def normalization(model: str, layer: str, count: int) -> Normalization:
    """A batch normalisation's statistics over the first test digits."""
    return with_progress(
        ("normalization", model, layer, count),
        f"Measuring {layer} over {count:,} digits",
        lambda progress: normalization_over(network(model), layer, first_digits(count)[0], progress=progress),
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def batch_with(digit: Digit, count: int) -> np.ndarray:
    """A batch of test digits, a chosen one in front."""
    return np.concatenate([digit.image[np.newaxis], test_digits()[0][: count - 1]])


@st.cache_resource(show_spinner=False, max_entries=32)
def forms(model: str, layer: str, digit: Digit, sizes: tuple[int, ...]) -> list[Forms]:
    """A digit under both forms of a batch normalisation, in batches of several sizes."""
    return compare_forms(network(model), layer, batch_with(digit, max(sizes)), sizes)


@st.cache_resource(show_spinner=False, max_entries=32)
def batch_inputs(model: str, layer: str, digit: Digit, count: int) -> np.ndarray:
    """What a layer reads of a digit and the first test digits."""
    return network(model).run(batch_with(digit, count)).inputs(layer)[0]


@st.cache_resource(show_spinner=False, max_entries=32)
def dropped(model: str, digit: Digit, layer: str, rate: float, seed: int, steps: int) -> Dropped:
    """What dropout makes of what a layer reads, in some steps."""
    values = run(model, digit).inputs(layer)[0][0]
    return drop_in_steps(values, rate, steps, seed=seed, layer=layer)


@st.cache_resource(show_spinner=False, max_entries=32)
def runs_with_dropout(model: str, digit: Digit, seed: int) -> list[cnnviz.Run]:
    """A few forward passes with dropout at work."""
    return [run_with_dropout(network(model), digit.image, seed=seed, step=step) for step in range(4)]


@st.cache_resource(show_spinner=False, max_entries=64)
def loss(model: str, digit: Digit, target: int) -> Loss:
    """The loss of a digit for a target, with its gradients."""
    return loss_of(run(model, digit), target)


@st.cache_resource(show_spinner=False, max_entries=64)
def step_against_gradient(model: str, digit: Digit, target: int, size: float) -> Step:
    """A digit changed against the gradient of its loss."""
    return step_against(loss(model, digit, target), size)


def picture(figure: str, **arguments: Any) -> tuple[str, str]:
    """A figure of `cnnviz.figures` as inline SVG, and its text alternative."""
    return picture_in_tiles(figure, **arguments)[:2]


def picture_in_tiles(figure: str, **arguments: Any) -> tuple[str, str, list[tuple[float, ...]]]:
    """The same, and where its tiles are: (x, y, width, height) as shares of its width and height."""
    content = pickle.dumps((figure, sorted(arguments.items())), protocol=5)
    return _picture(hashlib.blake2b(content, digest_size=16).hexdigest(), figure, arguments)


@st.cache_data(show_spinner=False, max_entries=512)
def _picture(
    key: str, _figure: str, _arguments: Mapping[str, Any]
) -> tuple[str, str, list[tuple[float, ...]]]:
    drawn = getattr(import_module("cnnviz.figures"), _figure)(**_arguments)
    return drawn.svg(text=True), drawn.alt, drawn.artists.get("tiles", [])
