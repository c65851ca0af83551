"""The networks of keras.applications, each read from a file and compared with Keras layer by layer.

Every layer gets what Keras's layer got, so that errors do not pile up, and must stay within its bound.
Weights are drawn, not downloaded; the statistics of batch normalisations are those of a few images, so that
numbers stay of one size through networks of hundreds of layers. Networks are taken one at a time, at the
smallest size that Keras builds them for.
"""

from __future__ import annotations

import gc
import inspect
import math
import re
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.network.hdf5 import MOST_BYTES
from cnnviz.network.keras_file import load_model
from cnnviz.resources import keras
from cnnviz.verification.comparison import KerasFile, alone

SMALLEST, CLASSES, IMAGES = 32, 10, 4


@dataclass(frozen=True)
class ApplicationCheck:
    """One network's comparison, on noise.

    `share` is the largest ratio of a difference to its bound, and `worst` the layer that has it. `outputs`
    are the least and the largest root mean square of a layer's numbers: far from 1 they would say little.
    `problem` is why there is no comparison.
    """

    name: str
    size: int = 0
    layers: int = 0
    params: int = 0
    share: float = math.inf
    worst: str = ""
    outputs: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether every layer is within its bound."""
        return self.share <= 1


def applications() -> list[str]:
    """The names of all networks in keras.applications."""
    return [name for name, value in vars(keras().applications).items() if inspect.isfunction(value)]


def check_application(name: str, seed: int = 0) -> ApplicationCheck:
    """Build, save, load and compare one network.

    Parameters
    ----------
    name
        As in keras.applications: "MobileNetV2".
    seed
        Of its weights and images.

    Returns
    -------
    ApplicationCheck

    Raises
    ------
    ModuleNotFoundError
        where TensorFlow is not installed.
    ValueError
        for a name that is not in keras.applications.

    Examples
    --------
    >>> check_application("VGG1")
    Traceback (most recent call last):
    ValueError: keras.applications has no network 'VGG1'
    """
    if name not in applications():
        raise ValueError(f"keras.applications has no network {name!r}")
    start = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{name}.keras")
            images = _write(name, path, seed)
            return _compare(name, path, images, start)
    except ValueError as error:
        return ApplicationCheck(name, problem=str(error).replace(f"{path}: ", ""))
    finally:
        keras().backend.clear_session()
        gc.collect()


def _write(name: str, path: Path, seed: int) -> np.ndarray:
    """Save the network with random weights; the images that it was given statistics of."""
    model = _smallest(name)
    if (size := 4 * model.count_params()) > MOST_BYTES:
        raise ValueError(f"skipped: weights of {size:,} bytes, more than the {MOST_BYTES:,} that are read")
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 1, (IMAGES, *model.input_shape[1:])).astype(np.float32)
    own = (keras().layers.Rescaling, keras().layers.Normalization)
    if any(isinstance(layer, own) for layer in model.layers):
        images *= 255
    _randomise(model, images, rng)
    with warnings.catch_warnings():
        # NumPy's deprecations, which Keras sets off.
        warnings.simplefilter("ignore")
        model.save(path)
    return images


def _smallest(name: str) -> Any:
    """The network for the smallest images; Keras says of a smaller one what would do."""
    size = SMALLEST
    while True:
        try:
            build = getattr(keras().applications, name)
            return build(weights=None, input_shape=(size, size, 3), classes=CLASSES)
        except ValueError as error:
            least = re.search(r"at least (\d+)", str(error))
            if least is None or int(least[1]) <= size:
                raise
            size = int(least[1])


def _randomise(model: Any, images: np.ndarray, rng: np.random.Generator) -> None:
    """Every weight and statistic something special, and none so that numbers grow or vanish on the way."""
    layers = list(_flat(model))
    for layer in layers:
        for weight in layer.weights:
            weight.assign(_drawn(layer, weight, rng))
        if isinstance(layer, keras().layers.Normalization):
            # It computes with a copy of its weights.
            layer.finalize_state()
    # In training the statistics become those of the images, here at once and with nothing dropped: each layer
    # then has numbers near 1, however many come before it.
    changed = [(layer, name) for layer in layers for name in ("momentum", "rate") if hasattr(layer, name)]
    before = [getattr(layer, name) for layer, name in changed]
    for layer, name in changed:
        setattr(layer, name, 0.0)
    model(images, training=True)
    for (layer, name), value in zip(changed, before, strict=True):
        setattr(layer, name, value)


def _drawn(layer: Any, weight: Any, rng: np.random.Generator) -> Any:
    shape, name = tuple(weight.shape), weight.name
    if len(shape) > 1:
        # As He et al., arXiv 1502.01852: what ReLU halves is doubled.
        each = isinstance(layer, keras().layers.DepthwiseConv2D) or "depthwise" in name
        return rng.normal(0, math.sqrt(2 / math.prod(shape[: 2 if each else -1])), shape)
    if not shape:
        return 1
    return (
        rng.normal(0, 0.1, shape)
        if name in ("bias", "beta") or "mean" in name
        else rng.uniform(0.5, 1.5, shape)
    )


def _flat(model: Any) -> Iterator[Any]:
    """All layers, those of models in the model too."""
    for layer in model.layers:
        yield from _flat(layer) if hasattr(layer, "layers") else (layer,)


def _compare(name: str, path: Path, images: np.ndarray, start: float) -> ApplicationCheck:
    net = load_model(path)
    theirs = KerasFile(path)(images)
    share, worst, sizes = 0.0, "", []
    for layer in net:
        if layer.inputs:
            _, own = alone(layer, theirs, net.dtype)
            share, worst = max((share, worst), (own, layer.name))
            sizes.append(float(np.sqrt(np.square(theirs[layer.name], dtype=np.float64).mean())))
    return ApplicationCheck(
        name,
        size=images.shape[1],
        layers=len(net),
        params=net.count_params()[0],
        share=share,
        worst=worst,
        outputs=(min(sizes), max(sizes)),
        seconds=time.perf_counter() - start,
    )
