"""Random Keras models: graphs with branches, shared layers, nested models, over all kinds of layers.

All maps keep their size, so that any two can be joined. There is no ReLU: it would make maps that are
constant in places, where rounding decides which of several numbers is the largest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.authority import keras
from harness.keras_models import L

ACTIVATIONS = (None, None, "tanh", "sigmoid", "elu", "selu", "silu", "softplus", "softsign", "mish")

Made = tuple[Any, dict[str, Any]]


def random_model(seed: int, steps: int = 8) -> Made:
    """A model, and its tensors under the names that a network has for them."""
    rng = np.random.default_rng(seed)

    def pick(choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    dtype = keras.config.dtype_policy().compute_dtype
    channels = pick((2, 4))
    image = keras.Input((6, 5, channels), name="image", dtype=dtype)
    tensors, maps, calls = {"image": image}, [image], {}

    def add(name: str, tensor: Any) -> None:
        tensors[name] = tensor
        maps.append(tensor)

    for step in range(steps):
        x = maps[-1] if rng.random() < 0.7 else pick(maps)
        kind = pick(("layer", "layer", "layer", "merge", "shared", "nested"))
        if kind == "layer":
            name = f"layer_{step}"
            add(name, pick(LAYERS)(x.shape[-1], pick(ACTIVATIONS), name)(x))
        elif kind == "merge":
            add(f"merge_{step}", _merge(pick, x, maps, f"merge_{step}"))
        elif kind == "shared":
            # A layer for each number of channels, called as often as it comes up.
            name = f"shared_{x.shape[-1]}"
            if name not in calls:
                calls[name] = [L.Conv2D(x.shape[-1], 3, padding="same", activation="tanh", name=name), 0]
            layer, count = calls[name]
            add(name if count == 0 else f"{name}:{count}", layer(x))
            calls[name][1] += 1
        else:
            name = f"nested_{step}"
            parts = [
                L.Conv2D(4, 1, name="in", activation="tanh"),
                L.BatchNormalization(name="norm"),
                L.Dropout(0.5, name="drop"),
            ]
            add(f"{name}/drop", keras.Sequential(parts, name=name)(x))
    pooled = pick((L.GlobalAveragePooling2D, L.GlobalMaxPooling2D, L.Flatten))(name="pooled")(maps[-1])
    tensors["pooled"] = pooled
    tensors["scores"] = L.Dense(3, activation=pick((None, "softmax")), name="scores")(pooled)
    # All are outputs: Keras leaves out what does not lead to one, and then counts calls otherwise.
    return keras.Model(image, list(tensors.values())[1:], name=f"random_{seed}"), tensors


def _merge(pick: Callable[[Any], Any], x: Any, maps: list[Any], name: str) -> Any:
    alike = [other for other in maps if other.shape[-1] == x.shape[-1]]
    merge = pick((L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate))
    others = maps if merge is L.Concatenate else alike
    return merge(name=name)([x, pick(others)])


LAYERS: list[Callable[[int, Any, str], Any]] = [
    lambda c, a, n: L.Conv2D(4, 3, padding="same", activation=a, name=n),
    lambda c, a, n: L.Conv2D(c, (2, 3), padding="same", dilation_rate=(1, 2), groups=2, activation=a, name=n),
    lambda c, a, n: L.Conv2D(12, 1, use_bias=False, activation=a, name=n),
    lambda c, a, n: L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation=a, name=n),
    lambda c, a, n: L.SeparableConv2D(4, 3, padding="same", activation=a, name=n),
    lambda c, a, n: L.Conv2DTranspose(4, (3, 2), padding="same", activation=a, name=n),
    lambda c, a, n: L.Dense(4, activation=a, name=n),
    lambda c, a, n: L.BatchNormalization(name=n),
    lambda c, a, n: L.PReLU(shared_axes=[1, 2], name=n),
    lambda c, a, n: L.Activation(a or "softplus", name=n),
    lambda c, a, n: L.Softmax(name=n),
    lambda c, a, n: L.MaxPooling2D((3, 2), strides=1, padding="same", name=n),
    lambda c, a, n: L.AveragePooling2D(3, strides=1, padding="same", name=n),
    lambda c, a, n: L.Rescaling(0.5, offset=0.25, name=n),
    lambda c, a, n: L.SpatialDropout2D(0.5, name=n),
]
