"""Memory is given out again when nothing refers to it any more, and never before."""

from __future__ import annotations

import numpy as np

from cnnviz import ops
from cnnviz.ops.recycling import LEAST_BYTES, Recycling, empty

SIZE = LEAST_BYTES // 4


def place(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_what_is_looked_at_is_not_given_out_again() -> None:
    with Recycling().used():
        first = empty((SIZE,), np.float32)
        part, start = first[5:9].reshape(2, 2), place(first)
        del first
        second = empty((SIZE,), np.float32)
        assert place(second) != start
        del part
        assert place(empty((SIZE,), np.float32)) == start
        assert not np.shares_memory(second, empty((SIZE,), np.float32))


def test_another_dtype_of_the_same_size_takes_it_and_another_size_does_not() -> None:
    with Recycling().used():
        first = empty((2, SIZE), np.float32)
        start = place(first)
        del first
        assert place(empty((SIZE,), np.float64)) == start
        wide = empty((3, SIZE), np.float32)
        assert (wide.shape, wide.dtype, place(wide) != start) == ((3, SIZE), np.float32, True)
        assert empty((0, SIZE), np.float32).shape == (0, SIZE)


def test_outside_of_it_memory_is_new() -> None:
    memory = Recycling()
    with memory.used():
        kept = empty((SIZE,), np.float32)
    start = place(kept)
    other = empty((SIZE,), np.float32)
    assert not np.shares_memory(kept, other)
    del kept
    with memory.used():
        assert place(empty((SIZE,), np.float32)) == start


def test_results_that_are_still_needed_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 20, 20, 16)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 16, 16)).astype(np.float32)
    expected = [ops.relu(ops.conv2d(x * factor, kernel)) for factor in (1, 2, 3)]
    with Recycling().used():
        results = [ops.relu(ops.conv2d(x * factor, kernel)) for factor in (1, 2, 3)]
    np.testing.assert_array_equal(results, expected)
