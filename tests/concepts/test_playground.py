"""The playground's patches, kernels and sizes, against the engine and TensorFlow's rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnviz
from cnnviz import kernels, ops
from cnnviz.concepts import playground
from cnnviz.ops.padding import Axis, window

DIGIT = cnnviz.load_mnist()[1][0][3]


def test_a_patch_is_a_piece_of_the_image():
    found = playground.patch(DIGIT, 5, 9, 7)
    np.testing.assert_array_equal(found * 255, DIGIT[5:12, 9:16])
    assert found.dtype == np.float32
    values = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_array_equal(playground.patch(values, 0, 0, 4), values)


@pytest.mark.parametrize("where", [(-1, 0, 3), (0, 26, 3), (0, 0, 0), (0, 0, 29)])
def test_a_patch_lies_within_the_image(where):
    with pytest.raises(ValueError, match=r"must lie within the image \(H, W\), got shape \(28, 28\)"):
        playground.patch(DIGIT, *where)


@pytest.mark.parametrize("size", [1, 3, 8, 28])
def test_the_liveliest_patch_can_be_cut_out(size):
    assert playground.patch(DIGIT, *playground.liveliest(DIGIT, size), size).shape == (size, size)
    assert playground.liveliest(np.zeros((28, 28)), size) == (0, 0)


@pytest.mark.parametrize("rows", range(1, 6))
@pytest.mark.parametrize("cols", range(1, 6))
def test_starters_have_the_asked_shape(rows, cols):
    found = playground.starters(rows, cols)
    assert {kernel.shape for kernel in found.values()} == {(rows, cols)}
    assert all(np.isfinite(kernel).all() for kernel in found.values())
    if rows == cols == 3:
        np.testing.assert_allclose(found["sobel x"], kernels.named("sobel x").kernel)


def test_a_turned_kernel_is_a_true_convolution():
    from scipy.signal import convolve2d

    x, kernel = playground.patch(DIGIT, 6, 8, 9), np.arange(6, dtype=np.float32).reshape(2, 3)
    turned = ops.conv2d(x, playground.flipped(kernel)[:, :, None, None])
    # Six products of order 5, in float32.
    np.testing.assert_allclose(turned, convolve2d(x, kernel, mode="valid"), atol=7 * 15 * 2**-24)


SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))
SMALL = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADDINGS = st.one_of(
    st.sampled_from(["valid", "same"]),
    st.tuples(
        st.tuples(st.integers(0, 2), st.integers(0, 3)), st.tuples(st.integers(0, 3), st.integers(0, 2))
    ),
)


@settings(deadline=None)
@given(SIZES, SMALL, SMALL, PADDINGS, SMALL)
def test_the_formula_and_the_way_back_are_the_engines(size, kernel, strides, padding, dilation):
    x, w = np.random.default_rng(0).normal(size=size), np.random.default_rng(1).normal(size=(*kernel, 1, 1))
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    try:
        y = ops.conv2d(x, w, **options)
    except ValueError:
        with pytest.raises(ValueError, match="covers"):
            window(size, kernel, strides, padding, dilation)
        return
    geometry = window(size, kernel, strides, padding, dilation)
    for axis, out, back in zip(geometry, y.shape, size, strict=True):
        assert playground.size_formula(axis).endswith(f"⌋ + 1 = {out}")
        over = playground.unread(axis)
        assert 0 <= over < axis.stride
        assert axis.padded == over + axis.extent + (out - 1) * axis.stride
        assert f" = {back}" in playground.transposed_formula(axis, max(over - axis.after, 0))
    undone = playground.backwards(geometry)
    back = ops.conv2d_transpose(y, w, strides=strides, dilation_rate=dilation, **undone)
    # The transpose of a convolution is its gradient with respect to the input.
    expected = ops.conv2d_input_grad(y[None, ..., None], w, (1, *size, 1), **options)[0, ..., 0]
    np.testing.assert_allclose(back, expected, atol=1e-12)


def test_the_transposed_formula_is_arithmetic():
    for axis, extra in ((Axis(8, 3, 2), 1), (Axis(7, 3, 2, 1, 1, 1), 0), (Axis(9, 2, 1, 3, 2, 0), 0)):
        over = playground.unread(axis)
        assert max(over - axis.after, 0) == extra
        left, right = playground.transposed_formula(axis, extra).split(" = ")
        assert eval(left.replace("·", "*").replace("−", "-")) == int(right) == axis.size


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4), st.integers(1, 3))
def test_same_padding_is_tensorflows_rule(size, kernel, stride, dilation):
    (found,) = playground.same_padding([size], kernel, stride, dilation)
    extent = (kernel - 1) * dilation + 1
    # TensorFlow, tf.nn, "Notes on padding": by the remainder, not by the count of windows.
    total = max(extent - stride, 0) if size % stride == 0 else max(extent - size % stride, 0)
    assert (found.before, found.after) == (total // 2, total - total // 2)
    assert found.out == -(-size // stride)
    assert found.uneven == bool(total % 2)


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
@pytest.mark.parametrize("kind", playground.KINDS)
def test_a_channel_example_is_cut_out_of_the_network(model, kind):
    net = cnnviz.load_model(model)
    run = net.run(DIGIT)
    for layer in net.layers:
        if layer.kind != "Conv2D" or layer.weights["kernel"].shape[2] < 4:
            continue
        found = playground.channel_example(run, layer, kind)
        maps = run.inputs(layer.name)[0][0][:, :, found.channels]
        windows = np.lib.stride_tricks.sliding_window_view(maps, found.x.shape)
        assert (windows == found.x).all(axis=(-3, -2, -1)).any()
        weights = layer.weights["kernel"][:, :, found.channels]
        if kind == "plain":
            np.testing.assert_array_equal(found.kernel, weights[..., list(found.filters)])
        elif kind == "depthwise":
            np.testing.assert_array_equal(found.kernel[..., 0], weights[..., 0])
        else:
            np.testing.assert_array_equal(found.kernel[..., 1], weights[:, :, 2:, 1])
    with pytest.raises(ValueError, match="kind must be one of plain, grouped, depthwise"):
        playground.channel_example(run, layer, "spatial")
    with pytest.raises(ValueError, match="layer must read 4 channels"):
        playground.channel_example(run, net["conv2d"], kind)


def test_the_cost_by_kind_starts_with_the_layers_own():
    layer = cnnviz.load_model("mnist_14k")["conv2d_1"]
    found = dict(playground.cost_by_kind(layer))
    assert found["1 group"].parameters == layer.weights["kernel"].size
    assert found["4 groups"].parameters * 4 == layer.weights["kernel"].size
    assert found["depthwise"].parameters == 3 * 3 * 16


@pytest.mark.parametrize("rows", range(1, 6))
@pytest.mark.parametrize("cols", range(1, 6))
def test_a_resized_kernel_keeps_its_middle(rows, cols):
    kernel = np.arange(1.0, 1 + rows * cols).reshape(rows, cols)
    for new in [(1, 1), (2, 3), (5, 5), (4, 1), (rows, cols)]:
        found = playground.resized(kernel, *new)
        assert found.shape == new
        assert found[(new[0] - 1) // 2, (new[1] - 1) // 2] == kernel[(rows - 1) // 2, (cols - 1) // 2]
        kept = set(found.ravel()) - {0}
        assert kept <= set(kernel.ravel())
        if new[0] >= rows + 1 and new[1] >= cols + 1:
            assert len(kept) == kernel.size
    assert np.array_equal(playground.resized(kernel, rows, cols), kernel)


def test_a_starter_is_known_by_its_numbers():
    for size in [(1, 1), (2, 3), (3, 3), (5, 5)]:
        for name, kernel in playground.starters(*size).items():
            assert np.array_equal(playground.starters(*size)[playground.name_of(kernel)], kernel), name
        assert playground.name_of(np.full(size, 0.123)) == playground.CUSTOM
