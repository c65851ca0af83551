"""The next image a network gets wrong, against predicting them all."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.layer import Layer
from cnnviz.mistakes import next_mistake
from cnnviz.network import Network


@pytest.fixture(scope="module")
def mirror():
    """A network whose output is its input: three pixels, three classes."""
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 1, 3, 1)})
    return Network([image, Layer("flat", "Flatten", inputs=("image",))])


def images(*classes):
    return np.eye(3, dtype=np.float32)[list(classes)][:, None, :, None]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_it_goes_on_behind_the_given_image_and_then_at_the_start(mirror, batch_size):
    x, labels = images(0, 1, 2, 0, 1), np.array([0, 2, 2, 1, 1])
    found = [next_mistake(mirror, x, labels, after, batch_size=batch_size) for after in range(5)]
    assert found == [1, 3, 3, 1, 1]


def test_the_image_itself_comes_last(mirror):
    assert next_mistake(mirror, images(0, 1), np.array([0, 2]), 1) == 1


def test_none_if_all_is_right(mirror):
    assert next_mistake(mirror, images(0, 1), np.array([0, 1]), 0) is None


def test_on_the_real_network():
    net = cnnviz.load_model("mnist_14k")
    _, (x, labels) = cnnviz.load_mnist()
    wrong = np.flatnonzero(net.predict(x[:600]).argmax(axis=1) != labels[:600])
    assert next_mistake(net, x[:600], labels[:600], int(wrong[0])) == (
        wrong[1] if len(wrong) > 1 else wrong[0]
    )


@pytest.mark.parametrize(
    ("labels", "after", "message"),
    [
        ([0], 0, r"labels must be \(2,\), one for each image, got shape \(1,\)"),
        ([0, 1], 2, "after must be an index from 0 to 1, got 2"),
        ([0, 1], -1, "after must be an index from 0 to 1, got -1"),
    ],
)
def test_bad_arguments_are_named(mirror, labels, after, message):
    with pytest.raises(ValueError, match=message):
        next_mistake(mirror, images(0, 1), labels, after)
