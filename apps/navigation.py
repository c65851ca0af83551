"""The explorer's pages, in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

PAGES = {
    "The network": {
        "overview": "Overview",
        "try_it": "Try it",
        "feature_maps": "Feature maps",
        "receptive_field": "Receptive field",
    },
    "Its parts": {
        "convolution": "Convolution",
        "kernels": "Kernels",
        "three_by_three": "3×3",
        "one_by_one": "1×1",
        "pooling": "Pooling",
        "activation_functions": "Activation functions",
        "batch_norm_and_dropout": "Batch norm and dropout",
    },
    "How it came about": {
        "why_convolution": "Why convolution",
        "scores_to_loss": "From scores to loss",
        "epochs": "Epochs",
        "verification": "Verification",
    },
}
"""Titles by file, under the parts' headings; the first is the one that opens."""


def parts() -> dict[str, list[Any]]:
    """The pages as st.navigation takes them."""
    folder = Path(__file__).resolve().parent / "pages"
    return {
        part: [
            st.Page(folder / f"{file}.py", title=title, default=file == "overview")
            for file, title in pages.items()
        ]
        for part, pages in PAGES.items()
    }
