"""Rows of a table: which are read, and what of them TensorFlow's gradient is."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import Network
from harness.authority import keras, tf
from harness.keras_models import L, save
from harness.networks import image, layer, normal


def positions() -> keras.Model:
    """A sequence with an embedding of its positions, which are an input."""
    x, places = keras.Input((4, 3), name="x"), keras.Input((4,), name="places", dtype="int32")
    known = L.Embedding(6, 3, name="position")(places)
    return keras.Model([x, places], L.Dense(2, name="scores")(L.Add(name="sum")([x, known])), name="places")


def test_rows_and_their_gradient_are_keras_s(tmp_path):
    model = positions()
    net = cnnviz.load_model(save(model, tmp_path))
    x, places = normal(2, 4, 3).astype(np.float32), np.array([[0, 1, 2, 5], [5, 5, 3, 0]])
    run = net.run({"x": x, "places": places})
    table = net["position"].weights["embeddings"]
    np.testing.assert_array_equal(run["position"], table[places])
    with tf.GradientTape() as tape:
        y = model([x, places])
    (theirs,) = tape.gradient(y, [model.get_layer("position").embeddings])
    gradient = run.gradient("scores", weights=np.ones(y.shape))
    np.testing.assert_allclose(run.output, y, atol=1e-6)
    np.testing.assert_allclose(gradient["position/embeddings"], tf.convert_to_tensor(theirs), atol=1e-6)
    assert not gradient["places"].any()
    assert cnnviz.receptive_field(net, wrt="places")["position"].size == (1,)


@pytest.mark.parametrize("row", [-1, 6, np.nan])
def test_a_row_that_is_not_there_is_named(row):
    weights = {"embeddings": np.ones((6, 2))}
    net = Network(
        [image(3), layer("table", "Embedding", "image", weights=weights, input_dim=6, output_dim=2)]
    )
    with pytest.raises(ValueError, match=f"an Embedding of 6 rows has the rows 0 to 5, got {row}"):
        net.run(np.array([[0, 1, row]], np.float32))


def test_a_mask_is_refused():
    with pytest.raises(ValueError, match="mask_zero=True is not supported: what it masks changes"):
        layer("table", "Embedding", "image", input_dim=6, output_dim=2, mask_zero=True)
