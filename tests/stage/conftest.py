"""The network and the digit that the stage is tried with."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz


@pytest.fixture(scope="module")
def net() -> cnnviz.Network:
    return cnnviz.load_model("mnist_14k")


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    return cnnviz.load_mnist()[1][0][0]
