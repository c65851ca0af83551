"""A Streamlit page with the live view of a network that is too large to be sent whole, for the tests."""

from __future__ import annotations

import numpy as np
import streamlit as st

from cnnviz import Layer, Network
from cnnviz.stage.component import live_view

SIDE, WIDTHS = 64, (32, 64, 512, 768)


@st.cache_resource
def large_network() -> Network:
    """Four convolutions and ten classes: 17 MB of weights and numbers."""
    random = np.random.default_rng(0)
    layers = [Layer.from_config("input", "InputLayer", {"batch_shape": (None, SIDE, SIDE, 3)})]
    source, depth = "input", 3
    for i, filters in enumerate(WIDTHS):
        kernel = random.normal(0, (2 / (9 * depth)) ** 0.5, (3, 3, depth, filters)).astype(np.float32)
        weights = {"kernel": kernel, "bias": random.normal(0, 0.05, filters).astype(np.float32)}
        config = {"filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu"}
        config["strides"] = 1 if i == 0 else 2
        layers.append(Layer.from_config(f"conv_{i}", "Conv2D", config, weights=weights, inputs=(source,)))
        source, depth = f"conv_{i}", filters
    layers.append(Layer.from_config("mean", "GlobalAveragePooling2D", {}, inputs=(source,)))
    weights = {
        "kernel": random.normal(0, 0.05, (depth, 10)).astype(np.float32),
        "bias": np.zeros(10, np.float32),
    }
    config = {"units": 10, "activation": "softmax"}
    layers.append(Layer.from_config("scores", "Dense", config, weights=weights, inputs=("mean",)))
    return Network(layers)


def picture() -> np.ndarray:
    """An image for it, 0 to 1."""
    return np.random.default_rng(1).uniform(0, 1, (SIDE, SIDE, 3)).astype(np.float32)


if __name__ == "__main__":
    st.set_page_config(layout="wide")
    live_view(large_network(), picture(), title="noise")
