"""Dropout's picture draws what is dropped, crossed, on one scale."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cnnviz import figures
from cnnviz.concepts.dropout import drop_in_steps


def test_maps_steps_and_mean_are_drawn_on_one_scale():
    found = drop_in_steps(np.random.default_rng(0).normal(size=(5, 6)), 0.5, 20, shown=3)
    picture = figures.dropout_steps(found.values, found.kept, found.dropped, found.mean)
    drawn = picture["maps"]
    expected = [found.values, *found.dropped, found.mean]
    for image, values in zip(drawn, expected, strict=True):
        assert_array_equal(image.get_array(), values)
    assert len({(image.norm.vmin, image.norm.vmax) for image in drawn}) == 1
    for crosses, kept in zip(picture["crosses"], found.kept, strict=True):
        # Two strokes of two points each for every cell that is dropped.
        assert len(crosses.get_path().vertices) == 4 * np.count_nonzero(~kept)


def test_a_vector_is_drawn_in_rows():
    found = drop_in_steps(np.arange(1.0, 91.0), 0.5, 4, shown=1)
    picture = figures.dropout_steps(found.values, found.kept, found.dropped, found.mean)
    drawn = picture["maps"][0].get_array()
    assert drawn.shape == (3, 40)
    assert_array_equal(np.asarray(drawn).ravel()[:90], found.values)
    assert np.isnan(np.asarray(drawn).ravel()[90:]).all()
    assert len(picture["crosses"][0].get_path().vertices) == 4 * np.count_nonzero(~found.kept)


def test_masks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="and the others like it, got"):
        figures.dropout_steps(np.ones((2, 2)), np.ones((1, 2, 3), bool), np.ones((1, 2, 2)), np.ones((2, 2)))
