"""Figures of kernels, of moved maps and of shared weights hold the numbers that they are about."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import cnnviz
from cnnviz import figures, kernels, ops
from cnnviz.concepts.translation import compare_shift
from cnnviz.concepts.weight_sharing import convolution_matrix

RNG = np.random.default_rng(9)
DIGIT = cnnviz.load_mnist()[1][0][1]


def test_the_gain_is_drawn_and_its_peak_ringed():
    kernel = kernels.gabor(9, 30, 4.0)
    found = kernels.frequency_response(kernel)
    picture = figures.frequency_map(kernel)
    assert np.array_equal(picture["gain"].get_array(), found.magnitude)
    left, right, bottom, top = picture["gain"].get_extent()
    for ring, sign in zip(picture["peak"], (1, -1), strict=True):
        x, y = ring.center
        # The middle of the image is frequency 0, its rim half a cycle.
        across, down = (x - left) / (right - left) - 0.5, (y - top) / (bottom - top) - 0.5
        angle = np.radians(found.peak.angle)
        assert across == pytest.approx(sign * found.peak.frequency * np.cos(angle), abs=1e-6)
        assert down == pytest.approx(sign * found.peak.frequency * np.sin(angle), abs=1e-6)


def test_where_all_gains_are_the_same_none_is_ringed():
    picture = figures.frequency_map(kernels.identity(3))
    assert picture["peak"] == []
    assert picture.alt == "The gain is 1.00 at all frequencies."
    assert len(figures.frequency_map(kernels.box(3))["peak"]) == 1


def test_a_product_and_what_it_leaves_out_are_the_kernel():
    for kernel in (kernels.sobel("y", 5), kernels.laplacian_of_gaussian(7)):
        picture = figures.outer_product(kernel)
        product = np.asarray(picture["product"].get_array())
        column, row = (np.asarray(picture[name].get_array()) for name in ("column", "row"))
        np.testing.assert_allclose(column @ row, product, atol=1e-12)
        rest = 0 if picture["rest"] is None else np.asarray(picture["rest"].get_array())
        np.testing.assert_allclose(product + rest, kernel, atol=1e-12)
    assert figures.outer_product(kernels.box(3))["rest"] is None


def test_a_gallery_needs_as_many_responses_as_kernels():
    with pytest.raises(ValueError, match=r"must be equally many, got \(2, 1, 2\)"):
        figures.kernel_gallery([np.eye(3)] * 2, [np.eye(5)], ["a", "b"])
    with pytest.raises(ValueError, match="responses must be"):
        figures.kernel_gallery([np.eye(3)], [np.ones(5)], ["a"])


@pytest.mark.parametrize("layer", ["conv2d_1", "max_pooling2d", "conv2d_7"])
def test_moved_maps_are_those_of_the_comparison(layer):
    maps = compare_shift(cnnviz.load_model("mnist_14k"), DIGIT, 3, -2)[layer]
    picture = figures.moved_maps(maps, 5)
    assert np.array_equal(picture["before"].get_array(), maps.before[:, :, 5])
    assert np.array_equal(picture["after"].get_array(), maps.after[:, :, 5])
    for name, array in (("moved", maps.expected), ("difference", maps.difference)):
        drawn = np.ma.filled(np.ma.asarray(picture[name].get_array(), float), np.nan)
        assert np.array_equal(np.isnan(drawn), ~maps.kept)
        assert np.array_equal(drawn[maps.kept], array[:, :, 5][maps.kept])
    with pytest.raises(ValueError, match="channel must be from 0 to"):
        figures.moved_maps(maps, 99)


def test_a_move_is_outlined_where_it_is():
    values = RNG.random((7, 7))
    picture = figures.shift_map(values, -3, 2, width=300)
    assert np.array_equal(picture["values"].get_array(), values)
    left, right, _, top = picture["values"].get_extent()
    unit = (right - left) / 7
    box = picture["cell"].get_bbox()
    assert (box.x0 + box.x1) / 2 == pytest.approx(left + 5.5 * unit)
    assert (box.y0 + box.y1) / 2 == pytest.approx(top + 0.5 * unit)
    for bad in ((np.ones((4, 4)), 0, 0), (np.ones((3, 5)), 0, 0), (values, 4, 0)):
        with pytest.raises(ValueError, match="must be"):
            figures.shift_map(*bad)


def test_the_dense_layer_is_drawn_line_by_line():
    x, kernel = RNG.random((6, 5)), RNG.standard_normal((3, 2))
    found = convolution_matrix(kernel, (6, 5))
    picture = figures.weight_matrix(x, kernel, output=7)
    lines = np.ma.filled(np.ma.asarray(picture["matrix"].get_array(), float), np.nan)
    assert np.array_equal(np.isnan(lines), (found.taps < 0).T)
    assert np.array_equal(np.nan_to_num(lines), found.matrix.T)
    np.testing.assert_allclose(
        picture["output"].get_array(), ops.conv2d(x, kernel[:, :, None, None]), atol=1e-12
    )
    with pytest.raises(ValueError, match="output must be one of the 4 x 4 outputs, got 16"):
        figures.weight_matrix(x, kernel, output=16)


@pytest.mark.parametrize("width", [328.0, 704.0, 960.0])
def test_each_number_of_the_output_is_a_tile_and_nothing_lies_on_anything_else(width):
    picture = figures.weight_matrix(RNG.random((6, 5)), RNG.standard_normal((3, 2)), width=width)
    boxes = {name: picture[name].get_extent() for name in ("input", "kernel", "output", "matrix")}
    left, right, bottom, top = boxes["output"]
    wide, tall = picture.figure.get_size_inches() * 72
    tiles = picture["tiles"]
    assert len(tiles) == 4 * 4
    first, last = tiles[0], tiles[-1]
    assert first[:2] == pytest.approx((left / wide, top / tall))
    assert (last[0] + last[2], last[1] + last[3]) == pytest.approx((right / wide, bottom / tall))
    for one, other in combinations(boxes.values(), 2):
        apart = one[1] < other[0] or other[1] < one[0] or one[2] < other[3] or other[2] < one[3]
        assert apart, boxes
    assert all(0 <= box[0] < box[1] <= wide and 0 <= box[3] < box[2] <= tall for box in boxes.values())


@pytest.mark.parametrize("depth", [1, 3, 6])
@pytest.mark.parametrize("width", [328.0, 960.0])
def test_stacks_are_drawn_with_their_paths(depth, width):
    picture = figures.stacked_fields(depth, width=width)
    paths = kernels.stack_paths(depth)
    np.testing.assert_allclose(picture["stack"].get_array(), paths / paths.sum())
    assert np.ptp(picture["single"].get_array()) == 0
    assert np.sum(picture["single"].get_array()) == pytest.approx(1)
    assert len(picture["cells"]) == depth
    with pytest.raises(ValueError, match="depth must be at least 1"):
        figures.stacked_fields(0)


def test_portraits_need_a_patch_for_each_kernel():
    weights = RNG.standard_normal((3, 3, 1, 2))
    patches = kernels.exciting_patches(weights, DIGIT[None])
    picture = figures.kernel_portraits(weights[:, :, 0], patches)
    for k, patch in enumerate(patches):
        assert np.array_equal(picture["patches"][k].get_array(), patch.patch[:, :, 0])
    with pytest.raises(ValueError, match=r"kernels must be \(kh, kw, 1\)"):
        figures.kernel_portraits(weights[:, :, 0], patches[:1])


def test_a_photograph_is_drawn_from_black_to_white():
    image = RNG.random((9, 9))
    for theme in ("light", "dark"):
        picture = figures.kernel_response(image, np.eye(3), np.ones((7, 7)), photograph=True, theme=theme)
        colours = picture["image"].get_cmap()
        assert sum(colours(0.0)[:3]) < 0.6 < 2.7 < sum(colours(1.0)[:3])


@pytest.mark.parametrize("photograph", [True, False])
def test_what_a_mean_makes_is_drawn_as_the_picture_it_is(photograph):
    """The response of identity has the colours of the image, cell by cell; that of a difference has not."""
    image = np.random.default_rng(3).random((9, 9))
    for name, same in (("identity", True), ("box", True), ("sobel x", False), ("sharpen", False)):
        kernel = kernels.named(name, 3).kernel
        response = ops.conv2d(image, kernel[:, :, None, None])
        picture = figures.kernel_response(image, kernel, response, photograph=photograph)
        before, after = picture["image"], picture["response"]
        assert (before.norm.vmin == after.norm.vmin and before.cmap.name == after.cmap.name) == same
        gallery = figures.kernel_gallery([kernel], [response], [name], photograph=photograph)
        assert (gallery["responses"][0].cmap.name == before.cmap.name) == same
