"""The settings of a run as widgets and in the address."""

from __future__ import annotations

import chrome
import opened
import state
import streamlit as st
from plain import plain
from training_card import NAMES, chosen, start_of

from cnnviz.stage.training_panel import OPTIMIZER_NAMES, settings_in_words
from cnnviz.training.watched_training import (
    LARGEST_BATCH,
    MOST_IMAGES,
    NETWORKS,
    RunSettings,
)

RATES = (0.0001, 0.0003, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 0.5, 1.0, 2.0, 10.0)
IMAGES = (100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, MOST_IMAGES)


def chosen_settings(on: RunSettings | None) -> tuple[RunSettings, str]:
    """What the reader has chosen, and the step of the walk that is open, "" for none.

    Where the address is silent the settings are those of the session's run, or else the step's.
    """
    if on is not None and state.comes_back("images") and not state.asks("trial", *NAMES):
        for name, value in zip(NAMES, vars(on).values(), strict=True):
            known = name != "network" or value in NETWORKS
            state.settle(name, value if known else opened.OWN)
    trial = chosen()
    with chrome.controls("training"):
        with st.popover("Settings"):
            settings = _widgets(start_of(trial))
        st.markdown(plain(f"{settings_in_words(settings)}."), width="stretch")
    return settings, trial


def _network(default: str) -> str:
    """A name, or the path of the network that the reader has open, where it can learn digits."""
    own = opened.here()
    choices = {name: name for name in NETWORKS}
    if own is not None and (own.network.input_shape, own.network.output_shape) == ((28, 28, 1), (10,)):
        choices[opened.OWN] = f"{own.name}, the open one"
    name = state.option("network", choices, default, st.selectbox, "Network")
    return str(own.path) if own is not None and name == opened.OWN else name


def _widgets(start: RunSettings) -> RunSettings:
    """The settings, with those at the start as the widgets' defaults."""
    network = _network(start.network)
    images = state.option(
        "images", IMAGES, start.images, st.selectbox, "Training images", format_func=lambda n: f"{n:,}"
    )
    batch = state.integer("batch", 1, LARGEST_BATCH, start.batch_size, "Images a batch")
    rate = state.option("rate", RATES, start.learning_rate, st.selectbox, "Learning rate", format_func=str)
    optimizer = state.option("optimizer", OPTIMIZER_NAMES, start.optimizer, st.selectbox, "Optimiser")
    seed = state.integer("seed", 0, 9999, start.seed, "Seed")
    norm = state.toggle("norm", start.batch_norm, "Batch norm, where the network has it")
    shuffled = state.toggle("shuffled", start.shuffled_labels, "Shuffle the labels")
    return RunSettings(network, images, min(batch, images), rate, optimizer, seed, norm, shuffled)
