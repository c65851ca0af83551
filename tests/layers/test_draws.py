"""What is drawn is one sequence of bits, however many threads share the drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnviz.layers.draws import generator, kept
from cnnviz.ops import parallel
from cnnviz.ops.cellwise import BAND

SHAPES = [(), (0, 3), (7,), (3, 5, 2), (BAND,), (2, BAND + 3), (5, BAND - 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 3])
def test_kept_reads_the_generators_bits_in_order(
    shape: tuple[int, ...], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "threads", lambda: count)
    random, other = generator(1, 2, "dropout"), generator(1, 2, "dropout")
    found = kept(random, shape, 0.25)
    size = math.prod(shape)
    bits = other.bit_generator.random_raw(-(-size // 2)).view(np.uint32)[:size]
    np.testing.assert_array_equal(found, (bits >= 2**30).reshape(shape))
    # What is drawn next goes on from there.
    assert random.random() == other.random()


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.5, 0.97, 1.0])
def test_as_many_are_kept_as_are_meant_to(rate: float) -> None:
    """Within five standard deviations of a binomial distribution."""
    count = 400_000
    found = kept(np.random.default_rng(3), (count,), rate).sum()
    assert abs(found - count * (1 - rate)) <= 5 * math.sqrt(count * rate * (1 - rate)) + 1
