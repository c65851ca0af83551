"""What a network gets wrong, against predicting everything and looking."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.layers.layer import Layer
from cnnviz.network import Network
from cnnviz.network.mistakes import Mistake, least_sure, likeliest, mistakes, next_mistake


@pytest.fixture(scope="module")
def mirror():
    """A network whose output is its input: three pixels, three classes."""
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 1, 3, 1)})
    return Network([image, Layer("flat", "Flatten", inputs=("image",))])


def images(*classes):
    return np.eye(3, dtype=np.float32)[list(classes)][:, None, :, None]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_they_are_those_whose_likeliest_class_is_not_the_label(mirror, batch_size):
    done = []
    found = mistakes(
        mirror,
        images(0, 1, 2, 0, 1),
        np.array([0, 2, 2, 1, 1]),
        batch_size=batch_size,
        progress=lambda so_far, of: done.append((so_far, of)),
    )
    assert [(mistake.index, mistake.label, mistake.predicted) for mistake in found] == [(1, 2, 1), (3, 1, 0)]
    assert all(mistake.sure for mistake in found)
    assert done[-1] == (5, 5)


def test_what_is_known_is_not_predicted_again_but_checked(mirror, monkeypatch):
    seen = []
    original = Network.predict
    monkeypatch.setattr(Network, "predict", lambda self, x: seen.append(len(x)) or original(self, x))
    known = np.array([0, 1, 0, 2])
    found = mistakes(mirror, images(0, 1, 2, 2), np.array([0, 0, 2, 2]), predicted=known)
    assert seen == [2]
    assert [mistake.index for mistake in found] == [1], "the third is right, whatever was known"


def test_on_the_real_network():
    net = cnnviz.load_model("mnist_14k")
    _, (x, labels) = cnnviz.load_mnist()
    shares = net.predict(x[:1200])
    wrong = np.flatnonzero(shares.argmax(axis=1) != labels[:1200])
    found = mistakes(net, x[:1200], labels[:1200], top=3)
    assert [mistake.index for mistake in found] == wrong.tolist()
    assert wrong.size
    for mistake in found:
        row = np.sort(shares[mistake.index])[::-1]
        assert [share for _, share in mistake.ranked] == pytest.approx(row[:3].tolist(), rel=1e-5)
        assert mistake.sure == (row[0] >= 0.9)


def test_the_least_sure_one():
    found = [Mistake(k, 0, ((1, share),)) for k, share in ((3, 0.9), (4, 0.4), (9, 0.6))]
    assert least_sure(found) is found[1]
    assert least_sure([]) is None


def test_the_next_one_and_then_the_first_again(mirror):
    found = mistakes(mirror, images(0, 1, 2, 0, 1), np.array([0, 2, 2, 1, 1]))
    assert [next_mistake(found, after) for after in range(5)] == [1, 3, 3, 1, 1]
    assert next_mistake([], 0) is None


def test_of_equal_probabilities_the_first_class_comes_first():
    assert likeliest([0.1, 0.4, 0.4, 0.1], 3) == ((1, 0.4), (2, 0.4), (0, 0.1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": [0]}, r"labels must be \(2,\), one for each image, got shape \(1,\)"),
        ({"labels": [0, 1], "predicted": [1]}, r"predicted must be \(2,\), one for each image, got shape"),
    ],
)
def test_bad_arguments_are_named(mirror, given, message):
    with pytest.raises(ValueError, match=message):
        mistakes(mirror, images(0, 1), **given)
