"""Named kernels against literals from their sources and SciPy's own filters."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from cnnviz import kernels, ops

LITERALS = {
    # Gonzalez and Woods, "Digital Image Processing", 4th ed., figures 3.31, 3.45, 10.14 and 10.15.
    "box": np.ones((3, 3)) / 9,
    "gaussian": np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16,
    "laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "sobel x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "sobel y": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "prewitt x": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "prewitt y": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "scharr x": [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]],
    "scharr y": [[-3, -10, -3], [0, 0, 0], [3, 10, 3]],
    "roberts x": [[1, 0], [0, -1]],
    "roberts y": [[0, 1], [-1, 0]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "motion blur 0°": np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]]) / 3,
    "motion blur 45°": np.eye(3) / 3,
    "motion blur 135°": np.fliplr(np.eye(3)) / 3,
}


@pytest.mark.parametrize("name", LITERALS)
def test_a_named_kernel_is_the_one_in_the_books(name):
    assert_allclose(kernels.named(name).kernel, LITERALS[name], atol=1e-15)


def test_the_5x5_unsharp_mask_is_the_usual_one_over_256():
    row = np.array([1, 4, 6, 4, 1])
    expected = -np.outer(row, row)
    expected[2, 2] = 476
    assert_allclose(kernels.unsharp(5) * 256, expected)


def test_larger_sobels_are_opencvs():
    # cv2.getDerivKernels(1, 0, 5) returns these two.
    assert_array_equal(kernels.sobel("x", 5), np.outer([1, 4, 6, 4, 1], [-1, -2, 0, 2, 1]))


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(5).random((24, 20))


def respond(image, kernel):
    """The engine's convolution where the kernel lies inside the image."""
    return ops.conv2d(image, kernel[:, :, None, None])


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("sobel x", lambda a: ndimage.sobel(a, axis=1)),
        ("sobel y", lambda a: ndimage.sobel(a, axis=0)),
        ("prewitt x", lambda a: ndimage.prewitt(a, axis=1)),
        ("prewitt y", lambda a: ndimage.prewitt(a, axis=0)),
        ("laplacian", ndimage.laplace),
        ("box", lambda a: ndimage.uniform_filter(a, 3)),
    ],
)
def test_responses_are_those_of_scipys_filters(image, name, reference):
    assert_allclose(respond(image, kernels.named(name).kernel), reference(image)[1:-1, 1:-1], atol=1e-13)


def test_gaussians_are_scipys_truncated_ones(image):
    expected = ndimage.gaussian_filter(image, 1.3, radius=3)[3:-3, 3:-3]
    assert_allclose(respond(image, kernels.gaussian(7, 1.3)), expected, atol=1e-13)


def test_laplacian_of_gaussian_is_scipys_less_its_sum(image):
    impulse = np.zeros((21, 21))
    impulse[10, 10] = 1
    expected = ndimage.gaussian_laplace(impulse, 1.4, radius=5)[5:-5, 5:-5]
    found = kernels.laplacian_of_gaussian(11, 1.4)
    assert_allclose(found, expected - expected.mean(), atol=1e-12)
    assert found[5, 5] < 0 < found[5, 9]


@pytest.mark.parametrize("name", kernels.NAMES)
def test_every_kernel_comes_in_every_size_it_names(name):
    for size in kernels.sizes(name):
        entry = kernels.named(name, size)
        assert entry.kernel.shape == (size, size)
        assert entry.kernel.dtype == np.float64
        assert not entry.kernel.flags.writeable
        assert entry.does
        assert entry.source


SUM_ONE = ("identity", "box", "gaussian", "sharpen", "unsharp", "emboss", "motion blur")
SUM_ZERO = ("outline", "laplacian", "sobel", "scharr", "prewitt", "roberts")


@pytest.mark.parametrize("name", kernels.NAMES)
def test_brightness_is_kept_or_ignored(name):
    for size in kernels.sizes(name):
        total = kernels.named(name, size).kernel.sum()
        if name.startswith(SUM_ONE):
            assert total == pytest.approx(1)
        elif name.startswith(SUM_ZERO):
            assert total == pytest.approx(0, abs=1e-9)


def test_a_gabor_answers_most_to_its_own_angle():
    steps = np.arange(32.0)
    angles = [0, 45, 90, 135]
    for angle in angles:
        rad = np.radians(angle)
        along = steps * np.cos(rad) + steps[:, None] * np.sin(rad)
        stripes = np.cos(2 * np.pi * along / 6)
        strengths = [np.abs(respond(stripes, kernels.gabor(9, a, 6.0))).max() for a in angles]
        assert angles[int(np.argmax(strengths))] == angle


@pytest.mark.parametrize("phase", [0, 90])
def test_a_gabors_phase_makes_it_even_or_odd(phase):
    kernel = kernels.gabor(7, 30, phase=phase)
    assert_allclose(kernel[::-1, ::-1], kernel if phase == 0 else -kernel, atol=1e-12)


def test_separable_kernels_are_the_product_of_their_factors(image):
    column, row = kernels.named("gaussian", 7).factors
    assert_allclose(np.outer(column, row), kernels.gaussian(7), atol=1e-15)
    by_steps = respond(respond(image, column[:, None]), row[None])
    assert_allclose(by_steps, respond(image, kernels.gaussian(7)), atol=1e-13)


def test_which_kernels_are_separable():
    separable = {k.name for k in kernels.gallery(3) if k.factors is not None}
    assert {"box", "gaussian", "identity", "sobel x", "scharr y", "prewitt x", "motion blur 0°"} <= separable
    assert not {"laplacian", "sharpen", "outline", "emboss", "motion blur 45°"} & separable


def test_every_named_kernel_is_nearest_to_itself():
    for size in (2, 3, 5):
        for entry in kernels.gallery(size):
            match = kernels.nearest_named(-2.5 * entry.kernel)
            assert match.similarity == pytest.approx(1)
            # Some names mean the same kernel, up to a factor, in small sizes.
            assert_allclose(abs((match.kernel * entry.kernel).sum()), _norms(match.kernel, entry.kernel))


def test_nearest_names_the_kernel_under_noise_and_its_direction():
    noise = 0.2 * np.random.default_rng(1).standard_normal((3, 3))
    match = kernels.nearest_named(-(kernels.sobel("y") + noise))
    assert (match.name, match.inverted) == ("sobel y", True)
    assert 0.95 < match.similarity < 1
    expected = abs(((kernels.sobel("y") + noise) * kernels.sobel("y")).sum())
    expected /= _norms(kernels.sobel("y") + noise, kernels.sobel("y"))
    assert match.similarity == pytest.approx(expected)


def test_turning_a_kernel_by_eighths():
    assert_array_equal(kernels.rotate(kernels.sobel("x"), 2), kernels.sobel("y"))
    assert_array_equal(kernels.rotate(kernels.sobel("x"), 1), [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]])


def _norms(a, b):
    return np.linalg.norm(a) * np.linalg.norm(b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.named("sobel"), "name must be one of identity, box, .* got 'sobel'"),
        (lambda: kernels.named("sharpen", 5), "sharpen comes in sizes 3, got 5"),
        (lambda: kernels.identity(4), "size must be odd and at least 1 for identity, got 4"),
        (lambda: kernels.sobel("z"), "axis must be 'x' or 'y', got 'z'"),
        (lambda: kernels.sobel("x", 1), "size must be odd and at least 3 for sobel, got 1"),
        (lambda: kernels.laplacian(6), "neighbours must be 4 or 8, got 6"),
        (lambda: kernels.gabor(5, 0, -1.0), "wavelength must be positive, from 1e-100 to 1e100, got -1.0"),
        (lambda: kernels.gaussian(5, float("nan")), "sigma must be positive, from 1e-100 to 1e100, got nan"),
        (lambda: kernels.nearest_named(np.zeros((3, 3))), "kernel must not be all zero"),
        (lambda: kernels.nearest_named(np.ones((3, 5))), r"no kernel is named in the size \(3, 5\)"),
        (lambda: kernels.nearest_named([1.0]), r"kernel must be \(height, width\), got shape \(1,\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_source_is_named_for_the_sizes_that_it_defined():
    """What the papers printed: the 3x3 operators, and the 5x5 generating kernel with a = 3/8."""
    a = 3 / 8
    generating = np.array([1 / 4 - a / 2, 1 / 4, a, 1 / 4, 1 / 4 - a / 2])
    for size in (1, 2, 3, 4, 5, 6, 7):
        row = kernels.named("gaussian", size).kernel.sum(axis=0)
        same = len(row) == 5 and np.allclose(row, generating)
        assert ("Burt" in kernels.named("gaussian", size).source) == same
    eight = np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]])
    for size in (3, 5, 7):
        outline = kernels.named("outline", size)
        assert ("Laplacian" in outline.source) == np.array_equal(outline.kernel, -eight)
    for name in ("prewitt x", "prewitt y", "sobel x", "sobel y"):
        for size in kernels.sizes(name):
            assert bool(re.search(r"19\d\d", kernels.named(name, size).source)) == (size == 3)
