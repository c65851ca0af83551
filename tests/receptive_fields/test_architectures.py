"""The named architectures see what those of keras.applications see, at an even and an odd size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import cnnviz
from cnnviz.receptive_fields.architectures import resnet50, vgg16
from harness.authority import keras


def slim(layer: Any) -> Any:
    """The same layer with one filter, which sees the same and can be saved in a moment."""
    config = layer.get_config()
    if "filters" in config:
        config["filters"] = 1
    return type(layer).from_config(config)


def in_resnet(name: str) -> str:
    return {"conv1": "conv1_conv", "pool1": "pool1_pool"}.get(name, f"{name}_out")


def in_vgg(name: str) -> str:
    return re.sub(r"pool(\d)", r"block\1_pool", re.sub(r"conv(\d)_(\d)", r"block\1_conv\2", name))


@pytest.mark.parametrize("side", [224, 321])
@pytest.mark.parametrize(
    ("application", "architecture", "name_in_keras"),
    [("ResNet50", resnet50, in_resnet), ("VGG16", vgg16, in_vgg)],
)
def test_fields_are_those_of_keras_applications(
    application: str, architecture: Any, name_in_keras: Any, side: int, tmp_path: Path
) -> None:
    model = getattr(keras.applications, application)(
        weights=None, include_top=False, input_shape=(side, side, 3)
    )
    keras.models.clone_model(model, clone_function=slim).save(tmp_path / "model.keras")
    theirs = cnnviz.receptive_field(cnnviz.load_model(tmp_path / "model.keras"))
    ours = cnnviz.receptive_field(architecture(), side)
    # A convolution inside a block of ours has a number for a name.
    named = {name: field for name, field in ours.items() if name_in_keras(name) in theirs}
    assert len(named) == 18
    for name, field in named.items():
        same = theirs[name_in_keras(name)]
        assert (field.size, field.stride, field.padding) == (same.size, same.stride, same.padding), name
        assert field.shape[:2] == same.shape[:2], name
