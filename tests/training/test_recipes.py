"""Recipes are what they say they are, and augmentation moves pixels as far as they allow."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

import cnnviz
from cnnviz.resources import asset
from cnnviz.training import RECIPES, Augmentation, Recipe, affine_matrices
from harness.authority import keras


def test_learning_rates_follow_their_schedule():
    notes = RECIPES["mnist_14k"]["notes"]
    assert (notes.epochs, notes.batch_size, notes.weight_decay) == (20, 128, None)
    assert [notes.rate(epoch) for epoch in range(20)] == [0.003 / (1 + 0.319 * e) for e in range(20)]
    cosine = Recipe(epochs=10, learning_rate=0.2, schedule="cosine")
    assert [cosine.rate(epoch) for epoch in (0, 5)] == pytest.approx([0.2, 0.1])
    assert 0 < cosine.rate(9) < 0.01
    with pytest.raises(ValueError, match="schedule must be 'inverse' or 'cosine', got 'step'"):
        Recipe(schedule="step").rate(0)


def test_the_bundled_models_were_trained_by_their_recipes():
    for name in RECIPES:
        history = json.loads(asset(f"{name}.history.json").read_text())
        assert Recipe.of(history["recipe"]) == next(iter(RECIPES[name].values()))
        assert len(history["epochs"]) == history["recipe"]["epochs"]
        assert (history["images"], history["validation_images"]) == (60_000, 0)
        with np.load(asset(f"{name}.epochs.npz"), allow_pickle=False) as archive:
            assert {len(archive[key]) for key in archive.files} == {len(history["epochs"]) + 1}
            kernel = archive["conv2d/kernel"][-1]
        np.testing.assert_array_equal(kernel, cnnviz.load_model(name)["conv2d"].weights["kernel"])


def test_a_history_tells_its_recipe_and_may_be_older_than_an_option():
    for recipe in RECIPES["mnist_14k"].values():
        assert Recipe.of(json.loads(json.dumps(asdict(recipe)))) == recipe
    assert Recipe.of({"augmentation": {"shift": 1.0}}) == Recipe(augmentation=Augmentation(shift=1.0))
    for record in ({"colour": "red"}, {"augmentation": {"noise": 1}}, {"augmentation": 3}):
        with pytest.raises(ValueError, match="is not the record of a recipe: "):
            Recipe.of(record)


def test_a_training_set_is_the_first_images_and_its_labels_can_be_shuffled():
    images, labels = np.arange(90).reshape(30, 3), np.arange(30)
    few, of_few = Recipe(images=20).training_set(images, labels, 0)
    np.testing.assert_array_equal(few, images[:20])
    np.testing.assert_array_equal(of_few, labels[:20])
    shuffled = [Recipe(images=20, shuffled_labels=True).training_set(images, labels, seed) for seed in (0, 1)]
    for same, mixed in shuffled:
        np.testing.assert_array_equal(same, few)
        assert sorted(mixed) == list(range(20))
        assert (mixed != of_few).any()
    assert (shuffled[0][1] != shuffled[1][1]).any()
    with pytest.raises(ValueError, match="the recipe takes 31 images, but there are only 30"):
        Recipe(images=31).training_set(images, labels, 0)


def matrix(*numbers, **limits):
    none = {"rotation": 0.0, "zoom": 0.0, "shear": 0.0, "shift": 0.0}
    return affine_matrices(np.array([numbers], float), Augmentation(**{**none, **limits}))[0]


def place(coefficients, x, y):
    a = coefficients.astype(float)
    return a[0] * x + a[1] * y + a[2], a[3] * x + a[4] * y + a[5]


def test_no_numbers_and_no_limits_change_nothing():
    identity = [1, 0, 0, 0, 1, 0, 0, 0]
    assert affine_matrices(np.zeros((1, 6)), Augmentation())[0] == pytest.approx(identity, abs=1e-6)
    assert matrix(1, -1, 0.5, 1, -1, 1) == pytest.approx(identity, abs=1e-6)


def test_a_shift_moves_every_pixel_alike():
    assert matrix(0, 0, 0, 0, 1, -0.5, shift=2.0) == pytest.approx([1, 0, 2, 0, 1, -1, 0, 0], abs=1e-6)


@pytest.mark.parametrize("limits", [{"rotation": 30.0}, {"zoom": 0.2}, {"shear": 0.3}])
def test_everything_else_leaves_the_centre_where_it_is(limits):
    assert place(matrix(1, 0.5, -1, 1, 0, 0, **limits), 13.5, 13.5) == pytest.approx((13.5, 13.5), abs=1e-5)


def test_a_rotation_turns_by_its_angle_and_keeps_lengths():
    x, y = place(matrix(1, 0, 0, 0, 0, 0, rotation=30.0), 13.5 + 10, 13.5)
    assert math.degrees(math.atan2(y - 13.5, x - 13.5)) == pytest.approx(30, abs=1e-3)
    assert math.hypot(x - 13.5, y - 13.5) == pytest.approx(10, abs=1e-4)


def test_zoom_and_shear_are_those_of_the_limits():
    assert matrix(0, 1, -1, 0, 0, 0, zoom=0.2)[[0, 4]] == pytest.approx([1.2, 0.8])
    assert matrix(0, 0, 0, 1, 0, 0, shear=0.3)[[0, 1, 3, 4]] == pytest.approx([1, 0.3, 0, 1])


def test_keras_moves_a_pixel_as_the_matrix_says():
    image = np.zeros((1, 28, 28, 1), np.float32)
    image[0, 10, 15] = 1
    moved = keras.ops.image.affine_transform(image, matrix(0, 0, 0, 0, 1, -1, shift=3.0)[None]).numpy()
    assert np.argwhere(moved[0, ..., 0] == 1).tolist() == [[13, 12]]
