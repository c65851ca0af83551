"""Images are moved as Keras and SciPy move them, and elastic displacements are Simard's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cnnviz.images.mnist import load_mnist
from cnnviz.training import Augmentation, Recipe, affine_matrices
from cnnviz.training.augmentation import affine, displacements, smoothing
from cnnviz.training.keras_training import _epoch
from harness.authority import keras

DIGITS = load_mnist()[0][0][:40]
EPS = float(np.finfo(np.float32).eps)
REACH = 60.0
"""No coordinate, and no sum on the way to one, is larger on these digits."""
# A coordinate is a sum of five terms; a pixel changes by at most twice what the coordinates are off by, since
# neighbours differ by 1 at most, in two directions. Then come four products and their sum.
BOUND = 2 * 5 * REACH * EPS + 8 * EPS


def test_affine_maps_are_those_of_keras():
    matrices = affine_matrices(np.random.default_rng(0).uniform(-1, 1, (40, 6)), Augmentation())
    images = DIGITS[..., np.newaxis].astype(np.float32) / 255
    theirs = keras.ops.image.affine_transform(images, matrices, fill_mode="constant").numpy()
    np.testing.assert_allclose(affine(DIGITS[..., np.newaxis], matrices), theirs, rtol=0, atol=2 * BOUND)


def test_displaced_pixels_are_those_of_scipy():
    augmentation = Augmentation(alpha=60.0, sigma=4.0)
    drawn = augmentation.draw(np.random.default_rng(0), 40)
    moved = displacements(drawn[:, 6], (28, 28), 60.0, 4.0)
    assert np.abs(moved).max() > 4
    a = affine_matrices(drawn[:, :6], augmentation).astype(np.float64)[:, :6, np.newaxis, np.newaxis]
    down, across = np.mgrid[:28, :28]
    x = a[:, 0] * across + a[:, 1] * down + a[:, 2] + moved[:, 0]
    y = a[:, 3] * across + a[:, 4] * down + a[:, 5] + moved[:, 1]
    for image, ours, at in zip(DIGITS, augmentation(DIGITS, drawn), np.stack([y, x], axis=1), strict=True):
        exact = ndimage.map_coordinates(image / 255.0, at, order=1, mode="grid-constant")
        np.testing.assert_allclose(ours, exact, rtol=0, atol=BOUND)


def test_displacements_are_uniform_numbers_smoothed_by_a_gaussian():
    numbers = np.random.Generator(np.random.Philox(key=7)).random((2, 20, 28), np.float32)
    exact = 24 * ndimage.gaussian_filter(
        2 * numbers.astype(np.float64) - 1, 6.0, axes=(1, 2), mode="constant", truncate=8
    )
    ours = displacements([7], (20, 28), 24.0, 6.0)[0]
    # Two sums of 28 and 20 products whose weights add up to at most 1.
    np.testing.assert_allclose(ours, exact, rtol=0, atol=24 * (28 + 20 + 4) * EPS / 2)


@pytest.mark.parametrize("sigma", [4.0, 6.0])
def test_displacements_spread_as_alpha_and_sigma_say(sigma):
    """A uniform number's variance is 1/3; a sum's is that of its terms times the squares of the weights."""
    count = 2000
    moved = displacements(range(count), (28, 28), 30.0, sigma)[:, :, 14, 14]
    expected = 30 * np.sqrt(1 / 3) * (smoothing(28, sigma)[14] ** 2).sum()
    # Of a nearly normal sample a standard deviation is off by 1/sqrt(2 n); four of these.
    assert moved.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * 2 * count))
    assert np.abs(moved.mean(axis=0)).max() < 4 * expected / np.sqrt(count)


def test_an_image_is_distorted_by_its_own_seed_whoever_is_beside_it():
    augmentation = Augmentation(alpha=24.0)
    drawn = augmentation.draw(np.random.default_rng(3), 40)
    together = augmentation(DIGITS, drawn)
    np.testing.assert_array_equal(augmentation(DIGITS[17:19], drawn[17:19]), together[17:19])
    assert (augmentation(DIGITS[17:18], drawn[18:19]) != together[17]).any()


def test_without_alpha_what_is_drawn_stays_what_it_was():
    drawn = Augmentation().draw(np.random.default_rng(5), 9)
    np.testing.assert_array_equal(drawn, np.random.default_rng(5).uniform(-1, 1, (9, 6)))


def test_keras_is_fed_what_numpy_distorts():
    recipe = Recipe(batch_size=16, augmentation=Augmentation(alpha=24.0))
    images, labels = DIGITS[..., np.newaxis], np.arange(40, dtype=np.uint8)
    random = np.random.default_rng([2, 1])
    order = random.permutation(40)
    expected = recipe.augmentation(images[order], recipe.augmentation.draw(random, 40))
    batches = _epoch(images, labels, recipe, 2, 1)
    assert int(batches.cardinality()) == recipe.steps(40) == 3
    fed = [(x.numpy(), y.numpy()) for x, y in batches]
    assert [len(x) for x, _ in fed] == [16, 16, 8]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in fed]), expected)
    np.testing.assert_array_equal(np.concatenate([y for _, y in fed]), order)
