"""One weight's step: its sums are the gradient, which a nudge confirms, and the step takes it off."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.receipts.one_weight import first_step, largest_gradient, nudged_loss, weight_step
from cnnviz.training.history import read_history

(IMAGES, LABELS), _ = cnnviz.load_mnist()
BATCH = IMAGES[:4], LABELS[:4]


@pytest.fixture(scope="module")
def untrained():
    return cnnviz.load_model("mnist_14k").with_weights(read_history("mnist_14k").weights_after(0))


@pytest.mark.parametrize("weight", ["conv2d/kernel", "conv2d_3/kernel"])
def test_products_and_images_add_up_to_the_gradient(untrained, weight):
    step = first_step(untrained, *BATCH, 0.1)
    at = largest_gradient(step, weight)
    found = weight_step(step, weight, at)
    gradient = float(step.gradients[weight][at])
    assert abs(gradient) == np.abs(step.gradients[weight]).max()
    # Sums of float32 products, each off by at most half a unit in the last place for each addition.
    error = found.products.size * np.finfo(np.float32).eps * float(np.abs(found.products).sum())
    assert abs(float(found.products.sum(dtype=np.float64)) - gradient) <= error
    assert abs(float(found.by_image.sum(dtype=np.float64)) - gradient) <= error
    assert found.labels == LABELS[:4].tolist()
    assert found.before == untrained[weight.split("/")[0]].weights["kernel"][at]
    assert found.after == step.network[weight.split("/")[0]].weights["kernel"][at]
    assert found.after == pytest.approx(found.before - 0.1 * gradient, rel=1e-6)


def test_the_gradient_is_the_slope_that_a_nudge_finds(untrained):
    step = first_step(untrained, *BATCH)
    at = largest_gradient(step, "conv2d_7/kernel")
    # The last layer's weights meet no bend but the softmax's: a central difference is off by some h squared.
    ends = [nudged_loss(untrained, *BATCH, "conv2d_7/kernel", at, by) for by in (-0.01, 0.01)]
    gradient = float(step.gradients["conv2d_7/kernel"][at])
    assert (ends[1] - ends[0]) / 0.02 == pytest.approx(gradient, rel=1e-3)
