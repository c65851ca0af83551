"""Accuracy and loss: against Keras, and for what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.images.mnist import load_mnist
from cnnviz.network.evaluation import evaluate
from harness.authority import keras

X, Y = (part[:300] for part in load_mnist()[1])


def test_it_agrees_with_keras():
    net = cnnviz.load_model("mnist_14k")
    model = keras.models.load_model(net.source, compile=False)
    theirs = model(X[..., None].astype("float32") / 255, training=False)
    loss = keras.losses.sparse_categorical_crossentropy(Y, theirs).numpy().astype(float).mean()
    done = []
    result = evaluate(net, X, Y, batch_size=128, progress=lambda *counts: done.append(counts))
    assert done == [(128, 300), (256, 300), (300, 300)]
    assert (result.images, result.correct) == (300, int((theirs.numpy().argmax(1) == Y).sum()))
    assert result.accuracy == result.correct / 300
    # Keras clips probabilities at 1e-7, and both round in float32.
    assert result.loss == pytest.approx(loss, abs=1e-5)


def test_a_wrong_label_counts_as_such():
    net = cnnviz.load_model("mnist_14k")
    assert evaluate(net, X[:10], (Y[:10] + 1) % 10).correct == 0


def test_what_is_no_classifier_is_refused():
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match="is not probabilities: it should end in a softmax"):
        evaluate(net.with_activation({"softmax": None}), X[:2], Y[:2])
    image = cnnviz.Layer.from_config("image", "InputLayer", {"batch_shape": (None, 28, 28, 1)})
    pool = cnnviz.Layer.from_config("pool", "MaxPooling2D", {}, inputs=("image",))
    with pytest.raises(ValueError, match=r"not a classifier of images: its output is \(14, 14, 1\)"):
        evaluate(cnnviz.Network([image, pool]), X[:2], Y[:2])
    with pytest.raises(ValueError, match="got 2 and 3"):
        evaluate(net, X[:2], Y[:3])
    with pytest.raises(ValueError, match="labels from 0 to 9, got 12"):
        evaluate(net, X[:2], np.array([1, 12]))
