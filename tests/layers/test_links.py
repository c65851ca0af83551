"""Resampling as a link: against the matrix of which unit reads which cell, and with borders ignored."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from cnnviz.layers.links import ANY, FIRST, LAST, Resample, backward, forward, one_hot
from cnnviz.receptive_fields.closed_form import Hull
from cnnviz.receptive_fields.extents import UnitGrid

TABLE = np.array([[0, -1], [0, 1], [4, 3], [-2, 5]])
"""Of an axis of five cells: one is read twice, one never, and the last unit reads nothing."""


def table(axis: int) -> Resample:
    return Resample(axis, 5, TABLE, Fraction(0), Fraction(1), between=True)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_table_says_which_cells_are_read(axis):
    link = table(axis)
    reads = np.array([[cell in row for cell in range(5)] for row in TABLE.tolist()])
    shape = (5, 2) if axis == 0 else (2, 5)
    assert link.after(shape)[axis] == 4
    for cell in range(5):
        place = (cell, 0) if axis == 0 else (0, cell)
        fed = np.moveaxis(forward([link], one_hot(shape, place), ANY), axis, 0)
        np.testing.assert_array_equal(fed, reads[:, cell, None] & [True, False])
    for unit in range(4):
        place = (unit, 1) if axis == 0 else (1, unit)
        seen = np.moveaxis(backward([link], one_hot(link.after(shape), place)), axis, 0)
        np.testing.assert_array_equal(seen, reads[unit, :, None] & [False, True])


def test_an_axis_along_which_nothing_changes_stays_compact():
    values = np.array([[7]])
    np.testing.assert_array_equal(forward([table(0)], values, LAST), [[7], [7], [7], [LAST.nothing]])
    full = Resample(0, 5, TABLE[:3], Fraction(0), Fraction(1), between=True)
    assert forward([full], values, FIRST).shape == (1, 1)
    np.testing.assert_array_equal(
        backward([table(0)], np.array([[True]]))[:, 0], [True, True, False, True, True]
    )


@pytest.mark.parametrize("between", [True, False])
@pytest.mark.parametrize(("before", "ratio"), [(1, Fraction(3, 5)), (2, Fraction(7, 4)), (3, Fraction(2, 3))])
def test_borders_ignored_it_repeats_itself(before, ratio, between):
    """Behind a resizing by a third, a half or none, unit by unit against what each reads."""
    first = ratio / 2 - Fraction(1, 2)
    link = Resample(0, 0, TABLE, first, ratio, between)
    earlier = Resample(0, 0, TABLE, Fraction(1, 2 * before) - Fraction(1, 2), Fraction(1, before), True)
    hull = Hull(0, 1, ((0, 0),), Fraction(0)).resample(earlier).resample(link)
    assert hull.stride == ratio / before
    for u in range(-30, 30):
        at = first + u * ratio
        read = {floor(at), ceil(at)} if between else {floor(at + Fraction(1, 2))}
        ends = [earlier.without_borders(v) for v in read]
        assert hull.at(u) == (min(end[0] for end in ends), max(end[1] for end in ends))
    grid = UnitGrid.of_origin((9, 9, 2)).after(link, (9, 9, 2))
    assert grid is not None
    assert grid.shape == (4, 9, 2)
