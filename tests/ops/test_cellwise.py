"""Bands and rows cover every number once, and what a mask keeps is kept whatever it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz.ops import cellwise
from cnnviz.ops.cellwise import Rows, cells_in_row, in_bands, kept_where


@given(st.integers(1, 5000), st.integers(1, 3000))
def test_rows_are_of_whole_cells_and_cover_them(cells: int, channels: int) -> None:
    beside = cells_in_row(cells, channels)
    assert cells % beside == 0
    assert beside == 1 or beside * channels <= cellwise.ROW
    rows = Rows((cells, channels))
    covered = [place for band in rows.bands for place in range(band.start, band.stop)]
    assert covered == list(range(cells // beside))


@pytest.mark.parametrize("shape", [(), (0,), (3,), (40, 5), (2, 3, 4)])
def test_every_number_is_in_one_band(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cellwise, "BAND", 7)
    x, y = np.ones(shape), np.zeros(shape)
    in_bands(lambda part, out: np.add(out, part, out=out), x, y)
    np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_passes_is_kept_bit_by_bit(dtype: type) -> None:
    numbers = np.array([1, -0.0, np.nan, np.inf, -np.inf, 5e-324, -3], dtype)
    for passes in (numbers == numbers, numbers > 0, numbers < 0, ~(numbers > 0)):
        out = np.full(numbers.shape, 7, dtype)
        kept_where(passes, numbers, out)
        np.testing.assert_array_equal(out.view(np.uint8), np.where(passes, numbers, dtype(0)).view(np.uint8))
