"""Channels in another order: every later number is the same, up to rounding; other ways are refused."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.channels.ablation import rank_agreement
from cnnviz.concepts.channel_order import can_be_reordered, reordered

IMAGES = cnnviz.load_mnist()[1][0][[0, 18, 247]]


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        ("mnist_14k", "conv2d"),
        ("mnist_14k", "conv2d_2"),
        ("mnist_14k", "conv2d_6"),
        ("mnist_maxpool", "conv2d_1"),
    ],
)
def test_the_answer_stays_and_the_maps_change_places(model, layer):
    net = cnnviz.load_model(model)
    order = np.random.default_rng(3).permutation(net[layer].output_shape[-1])
    before, after = net.run(IMAGES), reordered(net, layer, order).run(IMAGES)
    np.testing.assert_array_equal(after[layer], before[layer][..., order])
    # Sums of the same terms in another order: a few units in the last place of numbers below 100, softened.
    np.testing.assert_allclose(after.output, before.output, atol=1e-4)
    assert net.count_params() == after.network.count_params()
    # The wrong order of slices is another network.
    (reader,) = [one.name for one in net if f"{one.name}" != layer and "kernel" in one.weights][
        [one.name for one in net if "kernel" in one.weights].index(layer) :
    ][:1]
    broken = after.network.with_weights({f"{reader}/kernel": net[reader].weights["kernel"]})
    assert np.abs(broken.predict(IMAGES) - before.output).max() > 1e-2


def test_only_a_straight_way_is_taken():
    net = cnnviz.load_model("mnist_14k")
    assert can_be_reordered(net) == ["conv2d", *(f"conv2d_{k}" for k in range(1, 7))]
    for layer in ("conv2d_7", "max_pooling2d", "batch_normalization"):
        with pytest.raises(ValueError, match="layer must be a convolution"):
            reordered(net, layer, range(10))


@pytest.mark.parametrize("order", [range(15), [0] * 16, [*range(15), 16], np.arange(16.0), []])
def test_what_is_no_order_is_refused(order):
    with pytest.raises(ValueError, match="order must have each number"):
        reordered(cnnviz.load_model("mnist_14k"), "conv2d", order)


def test_agreement_of_rankings_is_that_of_their_places():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 6, 12), rng.integers(0, 6, 12)

    def places(values):
        return [sum(v < w for v in values) + sum(v == w for v in values) / 2 for w in values]

    assert rank_agreement(one, other) == pytest.approx(np.corrcoef(places(one), places(other))[0, 1])
    assert rank_agreement([1, 1, 1], [1, 2, 3]) == 0
    with pytest.raises(ValueError, match="one and other"):
        rank_agreement([1, 2], [1, 2, 3])
