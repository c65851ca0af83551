"""Questions about verification: the counts are those of networks with rounded weights, one is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import cnnviz
from cnnviz.teaching.questions import verification as questions
from cnnviz.verification.comparison import read_record


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_rounding_is_done_and_its_victims_counted(model, decimals):
    net, images = cnnviz.load_model(model), cnnviz.load_mnist()[1][0][:60]
    asked = questions.rounded_weights(net, images, decimals)
    rounded = net.with_weights(
        {
            f"{layer.name}/kernel": np.round(layer.weights["kernel"], decimals)
            for layer in net.layers
            if "kernel" in layer.weights
        }
    )
    changed = sum(
        int(net.predict(image[None]).argmax() != rounded.predict(image[None]).argmax()) for image in images
    )
    assert asked.answer.text == f"{changed} of 60"
    assert (changed > 10) == (decimals == 0)
    assert sum(choice.right for choice in asked.choices) == 1
    texts = [choice.text for choice in asked.choices]
    assert len(set(texts)) == len(texts) >= 3
    assert {"60 of 60", "54 of 60"} <= set(texts)


def test_there_must_be_something_to_predict():
    with pytest.raises(ValueError, match="images must hold at least one"):
        questions.rounded_weights(cnnviz.load_model("mnist_maxpool"), np.zeros((0, 28, 28), np.uint8))


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_the_third_evaluation_says_who_is_nearer(model):
    for layer in read_record()[model].layers:
        if not (layer.numpy_error and layer.tensorflow_error):
            with pytest.raises(ValueError, match="both engines round"):
                questions.who_is_right(layer)
            continue
        asked = questions.who_is_right(layer)
        said = asked.answer.text
        assert len(asked.choices) == 4
        if layer.numpy_error < layer.tensorflow_error:
            assert "NumPy is nearer" in said
        elif layer.numpy_error > layer.tensorflow_error:
            assert "TensorFlow is nearer" in said
        else:
            assert "equally far from" in said


def test_equal_errors_are_said_to_be_equal():
    layer = replace(read_record()["mnist_14k"].layers[1], numpy_error=1e-7, tensorflow_error=1e-7)
    assert "both are equally far from the exact value" in questions.who_is_right(layer).answer.text
