"""Keras models that between them have every layer class and every option that cnnviz reads.

Their weights are drawn at random, statistics of normalisations included: a fresh model's zeros and
ones would hide a weight that is read from the wrong place.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from keras.src.applications.convnext import LayerScale

from harness.authority import keras

L = keras.layers

Stack = tuple[tuple[int | None, ...], Callable[[], list[Any]]]
STACKS: dict[str, Stack] = {
    "convolution": (
        (13, 11, 4),
        lambda: [
            L.Conv2D(6, (3, 2), strides=(2, 1), padding="same", activation="relu"),
            L.Conv2D(4, 3, dilation_rate=(1, 2), use_bias=False, activation="tanh"),
            L.Conv2D(8, 2, groups=2, padding="same"),
            L.Conv2D(5, 1, activation=L.LeakyReLU(negative_slope=0.25)),
        ],
    ),
    "sequences": (
        (19, 4),
        lambda: [
            L.Conv1D(6, 3, strides=2, padding="same", activation="relu"),
            L.Conv1D(4, 3, padding="causal", dilation_rate=2, use_bias=False, activation="tanh"),
            L.Conv1D(6, 2, groups=2),
            L.Conv1D(8, 3, padding="same", groups=2, dilation_rate=2),
            L.MaxPooling1D(3, strides=1, padding="same"),
            L.AveragePooling1D(3, strides=2, padding="same"),
            L.Conv1D(5, 2, strides=2, padding="causal", activation="softmax"),
            L.Flatten(),
            L.Dense(3),
        ],
    ),
    "pools of sequences": (
        (19, 3),
        lambda: [
            L.AveragePooling1D(3),
            L.MaxPooling1D(),
            L.GlobalAveragePooling1D(keepdims=True),
            L.Conv1D(4, 1),
            L.GlobalMaxPooling1D(keepdims=True),
        ],
    ),
    "other convolutions of sequences": (
        (13, 4),
        lambda: [
            L.DepthwiseConv1D(3, strides=2, padding="same", depth_multiplier=2, activation="relu"),
            L.Conv1DTranspose(6, 3, strides=2, padding="same"),
            L.Conv1DTranspose(4, 2, strides=3, output_padding=1, use_bias=False),
            L.SeparableConv1D(5, 3, strides=2, depth_multiplier=2, activation="tanh"),
            L.SeparableConv1D(3, 2, padding="same", use_bias=False),
            L.DepthwiseConv1D(2, dilation_rate=2),
            L.Conv1DTranspose(2, 3),
        ],
    ),
    "shapes of sequences": (
        (7, 3),
        lambda: [
            L.ZeroPadding1D((2, 1)),
            L.Cropping1D((1, 3)),
            L.UpSampling1D(3),
            L.ZeroPadding1D(2),
            L.Cropping1D(1),
            L.Flatten(),
            L.RepeatVector(2),
            L.UpSampling1D(),
        ],
    ),
    "each step": (
        (3, 6, 5, 2),
        lambda: [
            L.TimeDistributed(L.Conv2D(4, 3, padding="same", activation="relu")),
            L.TimeDistributed(L.BatchNormalization()),
            L.TimeDistributed(L.MaxPooling2D(2)),
            L.TimeDistributed(L.PReLU(shared_axes=[1, 2])),
            L.TimeDistributed(L.Softmax(axis=1)),
            L.TimeDistributed(L.LayerNormalization()),
            L.TimeDistributed(L.Permute((3, 1, 2))),
            L.TimeDistributed(L.Rescaling(0.5, offset=0.25)),
            L.TimeDistributed(L.Flatten()),
            L.TimeDistributed(L.Dropout(0.5)),
            L.TimeDistributed(L.Dense(5, activation="tanh")),
            L.TimeDistributed(L.ReLU()),
            L.Conv1D(4, 2),
        ],
    ),
    "spectral normalisation": (
        (6, 5, 2),
        lambda: [
            L.SpectralNormalization(L.Conv2D(4, 3, padding="same", activation="relu")),
            L.SpectralNormalization(L.DepthwiseConv2D(2, use_bias=False)),
            L.SpectralNormalization(L.Conv2DTranspose(3, 2, strides=2)),
            L.Reshape((10, 24)),
            L.TimeDistributed(L.SpectralNormalization(L.Dense(3))),
            L.SpectralNormalization(L.Conv1D(4, 2), power_iterations=2),
        ],
    ),
    "rows as a sequence": (
        (8, 5, 2),
        lambda: [
            L.Conv2D(3, 2, activation="relu"),
            L.Reshape((7, -1)),
            L.Conv1D(4, 3),
            L.BatchNormalization(),
            L.GlobalMaxPooling1D(),
        ],
    ),
    "depthwise": (
        (10, 9, 3),
        lambda: [
            L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, activation="silu"),
            L.DepthwiseConv2D((2, 3), use_bias=False, dilation_rate=(1, 1)),
            L.DepthwiseConv2D(2, dilation_rate=(2, 1), padding="same", depth_multiplier=1),
        ],
    ),
    "separable": (
        (10, 12, 3),
        lambda: [
            L.SeparableConv2D(5, 3, strides=2, depth_multiplier=2, activation="elu"),
            L.SeparableConv2D(4, (1, 3), padding="same", use_bias=False),
        ],
    ),
    "transposed": (
        (4, 5, 3),
        lambda: [
            L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="selu"),
            L.Conv2DTranspose(3, (2, 4), strides=(3, 2), output_padding=(1, 0)),
            L.Conv2DTranspose(2, 2, use_bias=False),
        ],
    ),
    "dense": (
        (6,),
        lambda: [L.Dense(7, activation="mish"), L.Dense(5, use_bias=False), L.Dense(3, "softmax")],
    ),
    "products along axes": (
        # As many rows as columns: Keras mixes up the axes that "..." stands for when it says the shape.
        (3, 3, 2),
        lambda: [
            L.EinsumDense("...c,cd->...d", output_shape=5, bias_axes="d", activation="tanh"),
            L.EinsumDense("abcd,ce->abed", output_shape=(3, 6, 5), bias_axes="e"),
            L.EinsumDense("abcd,cdef->abef", output_shape=(3, 3, 2), bias_axes="be"),
            L.EinsumDense("abcd,bc->acd", output_shape=(3, 2)),
            L.EinsumDense("acd,dbe->abce", output_shape=(2, 3, 4)),
            L.Flatten(),
            L.EinsumDense("ab,bc->ac", output_shape=3, bias_axes="c", activation="softmax"),
        ],
    ),
    "dense on maps": ((4, 3, 2), lambda: [L.Dense(5, activation="sigmoid"), L.Softmax(axis=1)]),
    "batch normalisation": (
        (5, 4, 3),
        lambda: [
            L.BatchNormalization(),
            L.BatchNormalization(scale=False, epsilon=0.01),
            L.BatchNormalization(center=False, axis=3),
            L.Flatten(),
            L.BatchNormalization(scale=False, center=False),
        ],
    ),
    "layer normalisation": (
        (5, 4, 3),
        lambda: [
            L.LayerNormalization(),
            L.LayerNormalization(axis=(3, 1, 2), epsilon=0.01),
            L.LayerNormalization(axis=[1, -1], center=False),
            L.LayerNormalization(axis=2, scale=False),
            L.Flatten(),
            L.LayerNormalization(scale=False, center=False),
        ],
    ),
    "batch normalisation of rows": (
        (5, 4, 3),
        lambda: [
            L.BatchNormalization(axis=1),
            L.BatchNormalization(axis=-2, scale=False, epsilon=0.01),
            L.Reshape((5, 12)),
            L.BatchNormalization(axis=1, center=False),
            L.Flatten(),
            L.BatchNormalization(axis=1),
        ],
    ),
    "lengths as units": (
        (5, 4, 3),
        lambda: [
            L.RMSNormalization(),
            L.RMSNormalization(axis=(2, 3), epsilon=0.01),
            L.UnitNormalization(),
            L.Dense(5),
            L.RMSNormalization(axis=1),
            L.UnitNormalization(axis=(1, -1)),
            L.RMSNormalization(axis=[1, 2, 3]),
            L.Flatten(),
            L.UnitNormalization(axis=1),
        ],
    ),
    "group normalisation": (
        (5, 6, 4),
        lambda: [
            L.GroupNormalization(-1, center=False),
            L.GroupNormalization(2),
            L.GroupNormalization(1, epsilon=0.01),
            L.GroupNormalization(3, axis=2, scale=False),
            L.GroupNormalization(5, axis=-3),
            L.Flatten(),
            L.GroupNormalization(12, scale=False, center=False),
        ],
    ),
    "pooling": (
        (17, 15, 3),
        lambda: [
            L.MaxPooling2D((2, 3), strides=(1, 2), padding="same"),
            L.AveragePooling2D(3, strides=2, padding="same"),
            L.MaxPooling2D(),
            L.AveragePooling2D((2, 1)),
        ],
    ),
    "adaptive pooling": (
        (11, 9, 3),
        lambda: [
            L.AdaptiveAveragePooling2D((8, 9)),
            L.AdaptiveMaxPooling2D((5, 4)),
            L.AdaptiveAveragePooling2D((3, 6)),
            L.AdaptiveAveragePooling2D((1, 2)),
        ],
    ),
    "adaptive pooling of sequences": (
        (12, 3),
        lambda: [
            L.AdaptiveMaxPooling1D(4),
            L.Conv1D(3, 1),
            L.AdaptiveAveragePooling1D(7),
            L.AdaptiveMaxPooling1D(5),
            L.AdaptiveAveragePooling1D(1),
        ],
    ),
    "global average": ((5, 4, 3), lambda: [L.GlobalAveragePooling2D(keepdims=True), L.Flatten()]),
    "global maximum": ((5, 4, 3), lambda: [L.GlobalMaxPooling2D(), L.Dense(2)]),
    "global both": (
        (5, 4, 3),
        lambda: [L.GlobalMaxPooling2D(keepdims=True), L.GlobalAveragePooling2D()],
    ),
    "activation layers": (
        (6, 5, 4),
        lambda: [
            L.ReLU(max_value=2.0, negative_slope=0.5, threshold=0.25),
            L.LeakyReLU(negative_slope=0.75),
            L.PReLU(),
            L.PReLU(shared_axes=[1, 2]),
            L.ELU(alpha=0.5),
            L.Activation(L.ReLU(max_value=6.0)),
            L.Activation(keras.activations.softsign),
            L.Softmax(),
        ],
    ),
    "activations": (
        (8,),
        lambda: [
            L.Dense(8, activation=name)
            for name in (
                *("relu", "relu6", "elu", "celu", "selu", "silu", "swish", "mish", "softplus", "softsign"),
                *("hard_silu", "hard_swish", "sigmoid", "hard_sigmoid", "tanh", "exponential", "linear"),
                *("hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus"),
                *("sparse_sigmoid", "log_sigmoid", "softmax", "log_softmax", "sparsemax", None),
            )
        ],
    ),
    "shapes": (
        (6, 8, 2),
        lambda: [
            L.ZeroPadding2D(((1, 0), (2, 3))),
            L.Cropping2D(((0, 2), (1, 1))),
            L.UpSampling2D((2, 3)),
            L.ZeroPadding2D(1),
            L.Cropping2D((1, 2)),
            L.Permute((3, 1, 2)),
            L.Reshape((-1, 4)),
            L.Reshape((4, 5, -1)),
            L.Flatten(),
        ],
    ),
    "a vector as a map": (
        (6,),
        lambda: [
            L.Dense(12),
            L.Reshape((2, 3, 2)),
            L.Conv2D(4, 2, padding="same"),
            L.Reshape((6, -1)),
            L.Dense(5),
            L.BatchNormalization(),
            L.Reshape((6, 1, 5)),
        ],
    ),
    "sums along axes": (
        (3, 3, 5),
        lambda: [
            L.EinsumDense("abcd,def->abcef", (3, 3, 2, 6), bias_axes="f", activation="tanh"),
            L.EinsumDense("...ef,efg->...g", 4, bias_axes="g"),
            L.EinsumDense("abcd,cg->agbd", (5, 3, 4), bias_axes="gd"),
            L.EinsumDense("ab...,bc->ac...", 6, bias_axes="c", activation="sigmoid"),
            L.EinsumDense("abcd,bcdh->ah", 3),
        ],
    ),
    "a scale for each channel": (
        (4, 3, 5),
        lambda: [L.Conv2D(4, 2), LayerScale(1e-6, 4), L.GlobalAveragePooling2D(), LayerScale(1.0, 4)],
    ),
    "crops of the middle": ((9, 8, 2), lambda: [L.CenterCrop(7, 7), L.CenterCrop(4, 3)]),
    "scales": (
        (4, 5, 3),
        lambda: [
            L.Rescaling(1 / 256, offset=-0.5),
            L.Rescaling([1.0, 2.0, 4.0], offset=np.array([0.5, 0.25, 0.0])),
            L.Normalization(),
            L.Normalization(axis=(1, 3)),
            L.Normalization(axis=None),
            L.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 0.0, 1.0]),
            L.Normalization(mean=0.5, variance=2.0, invert=True),
        ],
    ),
    "identities": (
        (6, 7, 3),
        lambda: [
            L.RandomFlip(),
            L.RandomRotation(0.1),
            L.RandomTranslation(0.1, 0.1),
            L.RandomZoom(0.1),
            L.RandomContrast(0.1),
            L.RandomBrightness(0.1),
            L.RandomCrop(6, 7),
            L.RandomShear((0.0, 0.1), (0.0, 0.1)),
            L.RandomPerspective(),
            L.RandomElasticTransform(),
            L.RandomErasing(),
            L.RandomColorDegeneration(0.1),
            L.RandomColorJitter(brightness_factor=0.1),
            L.RandomGrayscale(),
            L.RandomHue(0.1),
            L.RandomInvert(),
            L.RandomPosterization(4),
            L.RandomSaturation(0.1),
            L.RandomSharpness(0.1),
            L.RandomGaussianBlur(),
            L.Solarization(),
            L.AugMix(),
            L.CutMix(),
            L.MixUp(),
            L.RandAugment(),
            L.MaxNumBoundingBoxes(3),
            L.Dropout(0.5),
            L.SpatialDropout2D(0.5),
            L.GaussianDropout(0.5),
            L.GaussianNoise(1.0),
            L.AlphaDropout(0.5),
            L.ActivityRegularization(l2=0.1),
            L.Identity(),
            L.Reshape((6, 21)),
            L.SpatialDropout1D(0.5),
            L.Reshape((3, 2, 7, 3)),
            L.SpatialDropout3D(0.5),
        ],
    ),
    "unknown lengths": (
        (None, 3),
        lambda: [
            L.Conv1D(4, 3, padding="causal"),
            L.MaxPooling1D(2),
            L.Conv1D(4, 2, strides=2, padding="same"),
            L.GlobalAveragePooling1D(),
            L.Dense(2),
        ],
    ),
    "nearest": (
        (7, 6, 2),
        lambda: [
            L.Resizing(5, 9, interpolation="nearest"),
            L.Resizing(4, 4, interpolation="nearest", crop_to_aspect_ratio=True),
            L.Resizing(6, 3, interpolation="nearest", pad_to_aspect_ratio=True, fill_value=0.5),
            L.Resizing(3, 7, interpolation="nearest", pad_to_aspect_ratio=True, antialias=True),
        ],
    ),
    "crops of unknown sizes": (
        (None, None, 3),
        lambda: [L.Conv2D(2, 2), L.CenterCrop(4, 5), L.Flatten(), L.Dense(2)],
    ),
    "unknown sizes": (
        (None, None, 3),
        lambda: [
            L.Conv2D(4, 3, padding="same"),
            L.MaxPooling2D(2),
            L.UpSampling2D(2),
            L.AveragePooling2D(3, strides=1),
            L.PReLU(shared_axes=[1, 2]),
            L.GlobalAveragePooling2D(),
            L.Dense(2),
        ],
    ),
}
"""Sequential models by name: the input's shape, and the layers."""

ONLY_FLOAT32: dict[str, Stack] = {
    "transposed and dilated": ((4, 5, 3), lambda: [L.Conv2DTranspose(2, 3, dilation_rate=2)]),
    "crops of the middle, resized": (
        (5, 9, 2),
        lambda: [L.CenterCrop(7, 6), L.CenterCrop(4, 8), L.Conv2D(2, 3), L.CenterCrop(3, 3)],
    ),
    "resizing": (
        (7, 6, 2),
        lambda: [
            L.Resizing(5, 9),
            L.Resizing(8, 4, crop_to_aspect_ratio=True),
            L.Conv2D(3, 2),
            L.Resizing(5, 5, pad_to_aspect_ratio=True, fill_value=-2.0),
            L.Resizing(5, 7),
            L.Resizing(9, 3, pad_to_aspect_ratio=True),
            L.Resizing(9, 3),
        ],
    ),
    "filters": (
        (7, 6, 2),
        lambda: [
            L.Resizing(5, 9, interpolation="bicubic"),
            L.Resizing(8, 4, interpolation="lanczos3", crop_to_aspect_ratio=True),
            L.Conv2D(3, 2),
            L.Resizing(
                5, 5, interpolation="bicubic", antialias=True, pad_to_aspect_ratio=True, fill_value=1.5
            ),
            L.Resizing(3, 9, interpolation="lanczos5", antialias=True),
            L.Resizing(9, 4, interpolation="bilinear", antialias=True),
        ],
    ),
    "upsampling": (
        (3, 2, 2),
        lambda: [
            L.UpSampling2D((2, 3), interpolation="bilinear"),
            L.Conv2D(3, 2),
            L.UpSampling2D(2, interpolation="bicubic"),
            L.UpSampling2D((1, 2), interpolation="lanczos3"),
        ],
    ),
    "resizing of unknown sizes": (
        (None, None, 3),
        lambda: [L.Resizing(6, 7), L.Conv2D(2, 3), L.Flatten(), L.Dense(2)],
    ),
    "rounded constants": (
        (8,),
        lambda: [
            L.Dense(8, activation="gelu"),
            L.Dense(8, activation="leaky_relu"),
            L.Rescaling(1 / 255),
            L.ELU(alpha=0.3),
        ],
    ),
}
"""What TensorFlow does not compute in float64, or only with constants rounded to float32."""


@contextmanager
def policy(name: str):
    """Models are built in this dtype."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def sequential(stack: Stack, name: str = "stack") -> Any:
    shape, build = stack
    image = keras.Input(shape, name="image", dtype=keras.config.dtype_policy().compute_dtype)
    return keras.Sequential([image, *build()], name=name)


def randomise(model: Any, seed: int = 0) -> Any:
    """Every weight drawn anew; variances positive, one of them nothing special."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name == "count":
            weight.assign(7)
        elif "variance" in weight.name:
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        else:
            weight.assign(rng.normal(0.0, 0.5, weight.shape))
    for layer in _flat(model):
        if isinstance(layer, L.Normalization):
            layer.finalize_state()
    return model


def _flat(model: Any) -> list[Any]:
    nested = [_flat(layer) if hasattr(layer, "layers") else [layer] for layer in model.layers]
    return [layer for part in nested for layer in part]


def save(model: Any, folder: Path, seed: int = 0) -> Path:
    """The model with random weights, as a .keras file."""
    return write(randomise(model, seed), folder / f"{model.name}.keras")


def write(model: Any, path: Path) -> Path:
    """model.save(path), whatever Keras warns of: NumPy's deprecations, and the model's oddities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


def counts(model: Any) -> tuple[int, int, int]:
    """Keras's own (total, trainable, non-trainable)."""
    total, trainable, rest = (
        sum(int(np.prod(weight.shape)) for weight in weights)
        for weights in (model.weights, model.trainable_weights, model.non_trainable_weights)
    )
    return total, trainable, rest


def outputs(model: Any, tensors: dict[str, Any], x: Any) -> dict[str, np.ndarray]:
    """What Keras computes for tensors of a model, at inference."""
    probe = keras.Model(model.inputs, tensors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: np.asarray(value) for name, value in probe(x, training=False).items()}
