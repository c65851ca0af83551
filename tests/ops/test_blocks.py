"""Blocks cover the output, and their inputs are the padded input's cells."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz.ops.blocks import BlockInput, Blocks, evenly, reads
from cnnviz.ops.padding import window
from harness.cases import Case, convolutions


@given(st.integers(0, 5), st.integers(0, 9), st.integers(0, 9), st.integers(1, 100))
def test_blocks_cover_every_cell_once(count: int, rows: int, cols: int, most: int) -> None:
    covered = np.zeros((count, rows, cols), int)
    for block in Blocks(count, rows, cols, most):
        covered[block] += 1
        assert covered[block].shape == block.shape
        assert np.prod(block.shape) <= most
    assert np.all(covered == 1)


@given(st.integers(0, 5), st.integers(0, 9), st.integers(0, 9), st.integers(1, 100), st.slices(30))
def test_blocks_are_a_sequence(count: int, rows: int, cols: int, most: int, some: slice) -> None:
    blocks = Blocks(count, rows, cols, most)
    listed = list(blocks)
    assert len(blocks) == len(listed)
    assert [blocks[place] for place in range(len(blocks))] == listed
    assert list(blocks[some]) == listed[some]
    for place in (len(listed), -len(listed) - 1):
        with pytest.raises(IndexError):
            blocks[place]
    sizes = [np.prod(block.shape) for block in listed]
    assert not sizes or sizes[0] == max(sizes)


@given(st.integers(1, 100), st.integers(1, 100))
def test_even_pieces_are_within_a_cell_of_each_other_but_for_the_last(total: int, most: int) -> None:
    pieces = [piece.stop - piece.start for piece in evenly(total, most)]
    assert sum(pieces) == total
    assert max(pieces) <= most
    assert set(pieces[:-1]) <= {max(pieces)}


@given(case=convolutions(), most=st.integers(1, 60))
def test_a_blocks_input_is_cut_from_the_padded_input(case: Case, most: int) -> None:
    """Also in a buffer that was used before, with its border elsewhere."""
    x = case.arrays()[0]
    geometry = window(
        x.shape[1:3],
        case.shapes[1][:2],  # type: ignore[index]
        case.options["strides"],
        case.options["padding"],
        case.options["dilation_rate"],
    )
    padded = np.pad(x, ((0, 0), *geometry.padding, (0, 0)))
    parts = Blocks(len(x), *geometry.out, most)
    read = BlockInput(x, geometry, parts[0]) if parts else None
    for block in parts:
        assert read is not None
        spans = [reads(axis, out) for axis, out in zip(geometry, block[1:], strict=True)]
        (top, bottom), (left, right) = (
            (start + axis.before, stop + axis.before)
            for axis, (start, stop) in zip(geometry, spans, strict=True)
        )
        np.testing.assert_array_equal(read(block), padded[block.images, top:bottom, left:right])


def test_shapes_are_counted_as_if_each_block_were_asked() -> None:
    for count, rows, cols, cells in itertools.product((0, 1, 3), (0, 1, 7), (1, 10), (1, 4, 25, 1000)):
        blocks = Blocks(count, rows, cols, cells)
        assert blocks.shapes() == Counter(block.shape for block in blocks)
    assert Blocks(1, 2**40, 2**40, 1).shapes() == {(1, 1, 1): 2**80}
