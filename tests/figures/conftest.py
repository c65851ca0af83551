"""Every figure with plausible arguments, drawn at any width and theme."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import channels, figures, kernels, ops
from cnnviz.concepts import translation
from cnnviz.images.digit_preparation import prepare_in_steps
from cnnviz.images.input_pictures import input_picture
from cnnviz.images.preprocessing import preprocess
from cnnviz.network.mistakes import Mistake
from cnnviz.receptive_fields import check_field

DRAWING = np.zeros((60, 90), np.uint8)
DRAWING[10:50, 30:36] = 255
RNG = np.random.default_rng(7)
IMAGE = np.clip(RNG.normal(0.3, 0.4, (28, 28)), 0, 1).astype(np.float32)
SIGNED = RNG.standard_normal((12, 12, 16)).astype(np.float32)
POSITIVE = np.maximum(SIGNED, 0)
KERNEL = RNG.standard_normal((3, 3, 16)).astype(np.float32)
MATRIX = RNG.standard_normal((16, 10)).astype(np.float32)
BIAS = RNG.standard_normal(10).astype(np.float32)
CHANCES = RNG.dirichlet(np.full(10, 0.2), 17)
SOBEL = kernels.sobel("x")
COLOUR = np.random.default_rng(5).integers(0, 256, (28, 20, 3)).astype(np.uint8)
KEPT = np.random.default_rng(3).random((4, 12, 12)) >= 0.25
KEPT_90 = np.random.default_rng(4).random((2, 90)) >= 0.5
SIGNED_IMAGE = (IMAGE - 0.5) * 1e-5
MOVED = translation.compare_shift(cnnviz.load_model("mnist_14k"), IMAGE, 1, -3)
READS = [[u, u + 1, u + 2] for u in range(26)]
REDUCTION_ERRORS = [channels.reduce_mixing(SIGNED, MATRIX, BIAS, k=k).error for k in range(11)]


def figure_calls() -> dict[str, Callable[..., figures.Picture]]:
    """By name, each taking width= and theme= (and whatever else the figure takes)."""

    def call(function: Callable[..., figures.Picture], *given: Any, **fixed: Any) -> Callable[..., Any]:
        return lambda **more: function(*given, **{**fixed, **more})

    layers = [
        figures.LayerMaps("input", IMAGE[:, :, None], "28 × 28 × 1", pixels=True),
        figures.LayerMaps("batch_normalization_6", SIGNED, "12 × 12 × 16, sees 22 × 22"),
        figures.LayerMaps("conv2d_1", np.concatenate([POSITIVE] * 2, axis=2), "12 × 12 × 32"),
        figures.LayerMaps("softmax", np.full(10, 0.1), "10"),
    ]
    seen = [
        figures.Seen("input", IMAGE, ((3, 8), (20, 29)), pixels=True),
        *(figures.Seen(f"conv2d_{k}", SIGNED, ((k, k + 3), (0, 2))) for k in range(7)),
    ]
    coloured = [
        figures.LayerMaps(
            "input",
            preprocess(COLOUR, "torch"),
            "28 × 20 × 3",
            pixels=True,
            picture=input_picture(preprocess(COLOUR, "torch"), "torch"),
        ),
        figures.LayerMaps("grey", IMAGE[:, :, None] * 2 - 1, "28 × 28 × 1", pixels=True),
        *layers[1:],
    ]
    seen_in_colour = [
        figures.Seen("input", COLOUR, ((3, 8), (14, 21)), pixels=True),
        figures.Seen("conv2d", SIGNED, ((2, 3), (0, 2))),
    ]
    rungs = [
        figures.Rung("input", range(28), [4, 5, 6]),
        figures.Rung("max_pooling2d_1", range(1, 27), [4], READS),
    ]
    moved = np.stack([KERNEL, KERNEL * 2, KERNEL * 3])
    small = np.zeros((28, 28), bool)
    small[5:9, 6:10] = True
    refuted = check_field(cnnviz.load_model("mnist_maxpool"), IMAGE, "conv2d_1", 2, 2, mask=small)
    return {
        "activation_curve": call(figures.activation_curve, ops.relu, SIGNED, name="relu"),
        "activation_curve alone": call(
            figures.activation_curve, ops.tanh, name="tanh", others={"relu": ops.relu}
        ),
        "bars": call(figures.bars, [1.0, 2.0], ["one", "two"], inner=[0.5, 1.0], highlight=1),
        "before_and_after of two digits": call(
            figures.before_and_after,
            SIGNED,
            POSITIVE,
            titles=("test digit 9,999\na 7", "test digit 1,234\na 1"),
            selected=5,
            columns=8,
        ),
        "before_and_after": call(figures.before_and_after, SIGNED, POSITIVE, dropped=[3]),
        "channel_spreads": call(
            figures.channel_spreads,
            (SIGNED.mean(axis=(0, 1)), SIGNED.std(axis=(0, 1))),
            (SIGNED.mean(axis=(0, 1)) / 2, SIGNED.std(axis=(0, 1))),
            moving=(SIGNED.mean(axis=(0, 1)) + 0.1, np.full(16, 1.1)),
            wanted=(SIGNED.mean(axis=(0, 1)) / 2, np.linspace(-1, 1, 16)),
            selected=3,
        ),
        "channels_off": call(figures.channels_off, CHANCES[0], CHANCES[1:], selected=2, silent=[5]),
        "class_columns": call(figures.class_columns, 10 * BIAS, selected=4, title="logit"),
        "class_columns, tiny": call(figures.class_columns, 1e-7 * BIAS, title="gradient"),
        "convolution_step": call(
            figures.convolution_step, SIGNED, KERNEL, 0.5, row=3, col=4, output=SIGNED[:10, :10, 0]
        ),
        "convolution_step of pixels": call(
            figures.convolution_step,
            IMAGE,
            KERNEL[:, :, :1],
            row=25,
            col=0,
            output=np.ones((26, 26)),
            pixels=True,
        ),
        "convolution_step of one cell": call(
            figures.convolution_step, SIGNED, KERNEL[:1, :1], row=0, col=0, output=SIGNED[:, :, 0]
        ),
        "cross_entropy_curve": call(figures.cross_entropy_curve, 0.93),
        "cross_entropy_curve, beyond": call(figures.cross_entropy_curve, 1e-9),
        "distance_by_batch": call(
            figures.distance_by_batch, [1, 2, 4, 8, 16, 32, 64, 128, 256], np.linspace(0.6, 0.05, 9), 16
        ),
        "dropout_steps": call(
            figures.dropout_steps, SIGNED[:, :, 0], KEPT, SIGNED[:, :, 0] * KEPT / 0.75, SIGNED[:, :, 0]
        ),
        "dropout_steps of a vector": call(
            figures.dropout_steps, np.ones(90), KEPT_90, 2.0 * KEPT_90, np.full(90, 1.1)
        ),
        "correlation_and_convolution": call(
            figures.correlation_and_convolution, IMAGE[:7, :9], KERNEL[:, :, 0], strides=2, padding="same"
        ),
        "effective_field": call(figures.effective_field, IMAGE, ((4, 20), (-2, 12))),
        "error_curve with accuracies": call(
            figures.error_curve, [1.0, 0.8, 0.3, 0.0], 1, accuracies=[0.1, 0.7, 0.9, 0.99]
        ),
        "error_curve": call(figures.error_curve, REDUCTION_ERRORS, 4),
        "field_trials": call(figures.field_trials, refuted),
        "exciting_digits in colour": call(
            figures.exciting_digits, COLOUR[None], [((2, 4), (0, 2))], [28.7893], titles=["cat 3"]
        ),
        "exciting_digits": call(
            figures.exciting_digits,
            np.stack([IMAGE] * 7),
            [((2, 4), (0, 2)), ((20, 27), (20, 27)), *[((0, 27), (0, 27))] * 5],
            [28.7893, 3.2, 1e-4, 0.0, -1.5, 1234.5, 7.0],
            titles=[f"digit {k:,}" for k in (0, 1234, 9999, 5, 6, 7, 8)],
            labels=list("7210414"),
        ),
        "feature_maps": call(figures.feature_maps, POSITIVE, selected=3, cell=(2, 5), title="conv2d"),
        "feature_maps, signed": call(figures.feature_maps, SIGNED),
        "frequency_map": call(figures.frequency_map, SOBEL),
        "hard_cases in colour": call(
            figures.hard_cases, [Mistake(0, 1, ((2, 0.9), (1, 0.1)))], COLOUR[None] / 255
        ),
        "hard_cases": call(
            figures.hard_cases,
            [Mistake(k, k % 10, ((3, 0.999), (k % 3, 1e-3))) for k in range(23)],
            (255 * np.stack([IMAGE] * 23)).astype(np.uint8),
        ),
        "image_of": call(figures.image_of, IMAGE, box=((1, 4), (2, 8))),
        "image_of in colour": call(figures.image_of, COLOUR, box=((1, 4), (2, 8))),
        "image_of in colour, prepared": call(
            figures.image_of, preprocess(COLOUR, "caffe"), preprocess="caffe"
        ),
        "image_of in colour, of no known range": call(figures.image_of, COLOUR[:8] - 99.5),
        "kernel_gallery": call(
            figures.kernel_gallery,
            [k.kernel for k in kernels.gallery(5)],
            [ops.conv2d(IMAGE, k.kernel[:, :, None, None]) for k in kernels.gallery(5)],
            [k.name for k in kernels.gallery(5)],
            selected=2,
        ),
        "kernel_portraits": call(
            figures.kernel_portraits,
            KERNEL,
            kernels.exciting_patches(KERNEL[:, :, None], np.uint8(255 * IMAGE)[None]),
            selected=5,
        ),
        "kernel_response": call(
            figures.kernel_response, IMAGE, SOBEL, ops.conv2d(IMAGE, SOBEL[:, :, None, None])
        ),
        "kernel_tiles": call(figures.kernel_tiles, KERNEL, selected=2, notes=["sobel x\n0.98"] * 16),
        "kernel_tiles over colours": call(
            figures.kernel_tiles,
            np.stack([KERNEL, -KERNEL, KERNEL / 2], axis=2),
            selected=2,
            notes=["mostly red\n0.98"] * 16,
        ),
        "kernel_tiles, each its own": call(
            figures.kernel_tiles,
            [k.kernel for k in kernels.gallery(3)],
            labels=[k.name for k in kernels.gallery(3)],
            shared=False,
        ),
        "epoch_batches": call(figures.epoch_batches, 60_000, 128),
        "epoch_batches of single images": call(figures.epoch_batches, 3000, 1),
        "flipped_digits": call(
            figures.flipped_digits,
            np.arange(8 * 28 * 28, dtype=np.uint8).reshape(8, 28, 28),
            [9] * 8,
            [4] * 8,
            [4, 9] * 4,
            [f"{9990 + k:,}" for k in range(8)],
        ),
        "kernels_over_epochs": call(figures.kernels_over_epochs, moved, [0, 1, 20], highlight=1),
        "magnitudes": call(
            figures.magnitudes,
            [("conv2d", (1e-7, 3e-8, 2e-7)), ("batch_normalization_6", (0.0, 5e-6, 4e-5))],
            ["NumPy − TensorFlow", "NumPy − float64", "TensorFlow − float64"],
        ),
        "moved_maps": call(figures.moved_maps, MOVED["conv2d_2"], 3),
        "moved_maps behind a stride": call(figures.moved_maps, MOVED["conv2d_3"], 3),
        "moved_maps of pixels": call(figures.moved_maps, MOVED["input"], pixels=True),
        "max_and_average": call(figures.max_and_average, POSITIVE[:, :, 0], 3, strides=2, padding="same"),
        "max_and_average with numbers": call(figures.max_and_average, SIGNED[:4, :5, 0]),
        "moved_and_pooled": call(
            figures.moved_and_pooled,
            [("map", SIGNED[:, :, 0], SIGNED[:, :, 1]), ("max", POSITIVE[:6, :6, 0], POSITIVE[:6, :6, 1])],
        ),
        "network_maps": call(figures.network_maps, layers),
        "network_maps, one scale": call(figures.network_maps, layers, shared=True),
        "network_maps in colour": call(figures.network_maps, coloured),
        "outer_product": call(figures.outer_product, kernels.gaussian(5)),
        "outer_product, nearest": call(figures.outer_product, kernels.laplacian_of_gaussian(7)),
        "pixel_gradient": call(figures.pixel_gradient, IMAGE, SIGNED_IMAGE, after=IMAGE),
        "pixel_gradient alone": call(figures.pixel_gradient, IMAGE, SIGNED_IMAGE),
        "pixel_mixing": call(figures.pixel_mixing, SIGNED[2, 3], MATRIX, BIAS, selected=4),
        "probabilities": call(figures.probabilities, np.full(10, 0.1), label=3),
        "preparation_steps": call(figures.preparation_steps, prepare_in_steps(DRAWING), drawn=True),
        "preparation_steps of a photograph": call(
            figures.preparation_steps,
            prepare_in_steps(np.dstack([1 - DRAWING / 255, np.full((60, 90, 2), 0.9)])),
        ),
        "receptive_growth": call(
            figures.receptive_growth, ["conv2d", "max_pooling2d_1"], [3, 40], effective=[2, 11.5], image=28
        ),
        "receptive_ladder": call(figures.receptive_ladder, rungs),
        "receptive_path": call(figures.receptive_path, seen),
        "receptive_path in colour": call(figures.receptive_path, seen_in_colour),
        "shift_map": call(
            figures.shift_map, np.abs(SIGNED[:11, :11, 0]) / 5, 2, -1, title="probability of 7"
        ),
        "single_map": call(figures.single_map, SIGNED[:, :, 0], cell=(0, 3)),
        "single_map with numbers": call(figures.single_map, SIGNED[:4, :4, 0]),
        "sum_of_parts": call(figures.sum_of_parts, SIGNED, -0.25, SIGNED.sum(axis=2) - 0.25, cell=(3, 11)),
        "sum_of_parts of one channel": call(figures.sum_of_parts, SIGNED[..., :1], 0.5, SIGNED[..., 0] + 0.5),
        "stacked_fields": call(figures.stacked_fields, 3),
        "stacked_fields of six": call(figures.stacked_fields, 6),
        "stacked_fields of one": call(figures.stacked_fields, 1, 5),
        "patch_matrix": call(figures.patch_matrix, IMAGE[:5, :5], SOBEL, output=4),
        "weight_matrix": call(figures.weight_matrix, IMAGE[:6, :6], SOBEL, output=6),
        "training_curves": call(
            figures.training_curves,
            {
                "accuracy": {"training": [0.9, 0.97, 0.98], "validation": [0.95, 0.96, 1.0]},
                "loss": {"training": [0.5, 0.02, 0.011]},
                "learning rate": {"learning rate": [0.004, 0.003, 0.001]},
                "digits that flip": {"become right": [8541, 12, 0], "become wrong": [12, 13, 1]},
            },
            epoch=2,
            scales={"accuracy": "accuracy", "loss": "log", "digits that flip": "count"},
        ),
        "training_curves without a cursor": call(figures.training_curves, {"loss": {"loss": [1.0, 1.0]}}),
    }


CALLS = figure_calls()


@pytest.fixture(params=CALLS, ids=str)
def name(request: pytest.FixtureRequest) -> str:
    """One figure after the other."""
    return request.param


@pytest.fixture
def draw(name: str) -> Callable[..., figures.Picture]:
    """What draws it."""
    return CALLS[name]


@cache
def _drawn(name: str) -> figures.Picture:
    return CALLS[name]()


@pytest.fixture
def picture(name: str) -> figures.Picture:
    """It, drawn as it is by default, once for all tests."""
    return _drawn(name)
