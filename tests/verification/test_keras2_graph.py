"""verify on files of Keras 2, which Keras 3 mostly cannot load."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest

import cnnviz
from cnnviz.verification.comparison import verify
from harness.keras2_models import (
    operations,
    partly_frozen,
    saved,
    shared_and_nested,
    slashes,
)


# Of its own archives, Keras 2 cannot load those with a model that is shared with a model beside it.
@pytest.mark.parametrize(
    ("build", "name"),
    [
        (shared_and_nested, "whole_hdf5.keras"),
        (slashes, "model.h5"),
        (operations, "model.keras"),
        (partly_frozen, "model.keras"),
    ],
)
def test_every_layer_is_compared_with_keras2(build, name, tmp_path):
    net = cnnviz.load_model(saved(build()[0], tmp_path, name))
    x = np.random.default_rng(0).normal(size=(2, *net.input_shape)).astype(np.float32)
    result = verify(net, x)
    assert result, str(result)
    assert [row.name for row in result.layers] == [layer.name for layer in net]
    assert max(row.alone for row in result.layers) > 0
    wrong = next(layer for layer in net if "kernel" in layer.weights)
    changed = {f"{wrong.name}/kernel": wrong.weights["kernel"] * 1.001}
    assert not verify(net.with_weights(changed), x)


def test_without_keras2_it_is_said_what_to_install(tmp_path, monkeypatch):
    path = saved(shared_and_nested()[0], tmp_path, "model.keras")

    def none_of_that(name, *arguments):
        if name == "tf_keras":
            raise ModuleNotFoundError(name=name)
        return real(name, *arguments)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", none_of_that)
    with pytest.raises(ValueError, match="if Keras 2 wrote it, pip install tf-keras"):
        verify(path, np.zeros((1, 6, 6, 3), np.float32))


def test_what_neither_loads_is_said(tmp_path):
    """Keras 2.13 laid weights out as no later version reads them."""
    path = Path(__file__).parents[1] / "network" / "keras_2_13.keras"
    with pytest.raises(ValueError, match=r"Keras cannot load .*keras_2_13.keras: ") as error:
        verify(path, np.zeros((1, 6, 6, 2), np.float32))
    assert len(str(error.value)) < 500
