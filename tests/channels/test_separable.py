"""A convolution in two steps: equal to the engine's separable convolution, and the nearest there is."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import channels, load_model, ops


def test_two_steps_are_one_convolution():
    rng = np.random.default_rng(0)
    found = channels.nearest_separable(rng.normal(size=(3, 2, 4, 5)))
    x = rng.normal(size=(2, 7, 8, 4))
    steps = ops.conv2d(ops.depthwise_conv2d(x, found.depthwise, strides=2), found.pointwise)
    np.testing.assert_allclose(
        steps, ops.separable_conv2d(x, found.depthwise, found.pointwise, strides=2), atol=1e-12
    )
    np.testing.assert_allclose(steps, ops.conv2d(x, found.made, strides=2), atol=1e-12)


def test_it_is_the_nearest():
    """By another road: the power left in each slice's smaller singular values, and no neighbour is nearer."""
    kernel = load_model("mnist_14k")["conv2d_1"].weights["kernel"].astype(float)
    found = channels.nearest_separable(kernel)
    missed = 0.0
    for channel in range(kernel.shape[2]):
        matrix = kernel[:, :, channel].reshape(9, -1)
        missed += np.linalg.eigvalsh(matrix @ matrix.T)[:-1].sum()
    assert found.share_left == pytest.approx(missed / np.square(kernel).sum(), rel=1e-9)
    rng = np.random.default_rng(1)
    for _ in range(20):
        depthwise = found.depthwise + 0.01 * rng.normal(size=found.depthwise.shape)
        pointwise = found.pointwise + 0.01 * rng.normal(size=found.pointwise.shape)
        other = channels.SeparatedKernel(kernel, depthwise, pointwise)
        assert other.share_left > found.share_left


def test_its_cost_is_counted_from_the_engines_arrays():
    cost = channels.separable_cost(4, 5, (3, 2), (6, 7))
    found = channels.nearest_separable(np.ones((3, 2, 4, 5)))
    assert cost.direct.parameters == found.kernel.size
    assert [step.parameters for step in cost.steps] == [found.depthwise.size, found.pointwise.size]
    assert [step.multiply_adds for step in cost.steps] == [42 * step.parameters for step in cost.steps]


@pytest.mark.parametrize("kernel", [np.ones((3, 3)), np.ones((0, 3, 1, 1)), np.full((1, 1, 1, 1), np.inf)])
def test_what_is_no_kernel_is_refused(kernel):
    with pytest.raises(ValueError, match="kernel must be"):
        channels.nearest_separable(kernel)
    assert channels.nearest_separable(np.zeros((3, 3, 2, 2))).share_left == 0
