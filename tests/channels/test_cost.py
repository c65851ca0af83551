"""What layers cost: counted on the engine's own sums, and on published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import channels, ops


def test_conv_cost_counts_what_the_engine_does():
    x, kernel = np.ones((1, 10, 9, 6)), np.ones((3, 2, 3, 4))
    y = ops.conv2d(x, kernel, np.zeros(4), groups=2)
    # With ones everywhere each output is the number of products in its sum.
    cost = channels.conv_cost(6, 4, (3, 2), y.shape[1:3], groups=2)
    assert cost == channels.Cost(kernel.size + 4, int(y.sum()))


def test_dense_cost_counts_what_the_engine_does():
    y = ops.dense(np.ones((1, 20)), np.ones((20, 7)), np.zeros(7))
    assert channels.dense_cost(20, 7) == channels.Cost(147, int(y.sum()))


def test_the_bottleneck_of_resnet():
    found = channels.bottleneck(256, 64, 14, bias=False)
    assert found.direct.parameters == 9 * 256 * 256
    assert [step.parameters for step in found.steps] == [256 * 64, 9 * 64 * 64, 64 * 256]
    assert found.other.multiply_adds == 14 * 14 * 69632
    assert found.saving == pytest.approx((589824 / 69632,) * 2)


def test_three_3x3_layers_against_one_7x7():
    # VGG paper, section 2.3: 3(3^2 C^2) = 27 C^2 against 7^2 C^2 = 49 C^2, 81 % more.
    found = channels.stack_of_3x3(3, 64, bias=False)
    assert found.other.parameters == 27 * 64**2
    assert found.direct.parameters == 49 * 64**2
    assert found.saving[0] - 1 == pytest.approx(0.81, abs=0.005)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: channels.conv_cost(6, 4, groups=4), "groups must divide the channels 6 and 4, got groups=4"),
        (lambda: channels.stack_of_3x3(0, 4), "depth must be at least 1 and at most 1000, got 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
