"""Batch norm's pictures draw the means and distances that they are given."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cnnviz import figures

MEANS = np.array([3.0, -1.0, 0.5])
DEVIATIONS = np.array([2.0, 1.0, 0.1])


def test_points_are_means_and_rings_are_the_layers():
    picture = figures.channel_spreads(
        (MEANS, DEVIATIONS),
        (MEANS / 10, DEVIATIONS),
        moving=(MEANS + 1, DEVIATIONS),
        wanted=(MEANS, -DEVIATIONS),
    )
    assert_array_equal(picture["before"].get_ydata(), MEANS)
    assert_array_equal(picture["after"].get_ydata(), MEANS / 10)
    assert_array_equal(picture["moving"].get_ydata(), MEANS + 1)
    assert_array_equal(picture["wanted"].get_ydata(), MEANS)
    assert "before, means 3.0, −1.0, 0.50, deviations 2.0, 1.0, 0.10" in picture.alt.lower()
    alone = figures.channel_spreads((MEANS, DEVIATIONS), (MEANS, DEVIATIONS))
    assert alone["moving"] is None


def test_the_chosen_batch_is_marked():
    picture = figures.distance_by_batch([1, 4, 16], [0.5, 0.25, 0.125], 4)
    assert_array_equal(picture["curve"].get_ydata(), [0.5, 0.25, 0.125])
    assert picture["point"].get_xydata().tolist() == [[4, 0.25]]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="means and deviations must all be"):
        figures.channel_spreads((MEANS, DEVIATIONS[:2]), (MEANS, DEVIATIONS))
    with pytest.raises(ValueError, match="sizes and distances must be 1-D and hold 3"):
        figures.distance_by_batch([1, 2], [0.0, 0.0], 3)


@pytest.mark.parametrize(("chosen", "above"), [(1, True), (4, False), (16, True), (64, True)])
def test_the_number_stands_beside_the_curve_and_not_on_it(chosen, above):
    picture = figures.distance_by_batch([1, 4, 16, 64], [0.5, 0.2, 0.3, 0.4], chosen)
    (written,) = [text for text in picture.ax.texts if text.get_fontweight() == "bold"]
    assert (written.xyann[1] > 0) == above
