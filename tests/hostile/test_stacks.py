"""Stacks for the Receptive field page, as an address or its number fields can ask for them.

Each is answered within a second and 100 MB, or refused with a sentence that says the limit: the input's
size, the layers and the units' number decide how much work there is, not units x units.
"""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import settings

from cnnviz.receptive_fields import Branches, Conv, Pool, TransposedConv, ZeroPad, receptive_field
from cnnviz.receptive_fields.field import pair_text
from cnnviz.receptive_fields.notation import parse_stack, stack_specs
from cnnviz.receptive_fields.specs import Spec
from harness.limited import MEGABYTE, limited_calls

SECONDS, MEMORY = 1.0, 100 * MEGABYTE
KNOWN = [
    ("transposed99s64d99p99", 224),
    ("transposed2s2", 600),
    ("transposed2s64", 600),
    ("transposed2s8", 1024),
    (".".join(["transposed99s64"] + ["conv1"] * 99), 1024),
    (".".join(["transposed99s2"] * 6 + ["conv3same"] * 94), 1024),
    (".".join(["pool99s1p98"] * 100), 1024),
    (".".join(["transposed99d99"] * 94 + ["transposed2s2"] * 6), 1024),
    (".".join(["transposed1s64"] + ["transposed99d99"] * 99), 1),
    (".".join(["conv1s99same"] * 100), 1024),
    (".".join(["bottleneck99s99d99"] * 100), 1024),
    (".".join(["conv1p99"] * 100), 1024),
    # Shortcuts that see other cells than what they join, with and without cells that nothing is seen of.
    (".".join(["bottleneck2d9"] * 100), 1024),
    (".".join(f"bottleneck2d{k}" for k in range(1, 100)), 1024),
    (".".join(["transposed1s64"] + [f"bottleneck2d{k}" for k in range(1, 100)]), 1024),
    (".".join(["transposed1s2"] * 6 + [f"bottleneck2d{k}" for k in range(1, 95)]), 1024),
    (".".join(["conv1p99"] + [f"bottleneck2d{k}" for k in range(1, 100)]), 1024),
]


def drawn(count: int) -> list[tuple[str, int]]:
    """Stacks of one kind or of many, with numbers from the ends of what a word may say."""
    chance = random.Random(7)
    numbers = [1, 1, 2, 2, 3, 5, 7, 64, 98, 99]

    def word() -> str:
        kind = chance.choice(["conv", "conv", "pool", "transposed", "bottleneck"])
        kernel, stride, dilation = (chance.choice(numbers) for _ in range(3))
        text = f"{kind}{kernel}s{chance.choice([1, 1, 2, stride])}"
        if kind != "pool":
            text += f"d{chance.choice([1, 1, dilation])}"
        side = chance.choice([0, 1, kernel - 1 if kind == "pool" else 99])
        padding = chance.choice(["", "same", f"p{min(side, 99)}"])
        return text + ("" if kind == "bottleneck" else padding)

    stacks = []
    while len(stacks) < count:
        few = [word() for _ in range(chance.choice([1, 1, 2, 3, 100]))]
        words = [few[i % len(few)] for i in range(chance.choice([1, 3, 10, 100]))]
        try:
            parse_stack(".".join(words))
        except ValueError:
            continue
        stacks.append((".".join(words), chance.choice([1, 7, 28, 224, 600, 1024])))
    return stacks


def builder(case: tuple[str, int] | None) -> str:
    """What the page's builder asks of a stack, for the last layer and the first."""
    text, size = case or ("transposed3s2.bottleneck3", 8)
    fields = receptive_field(stack_specs(text), size)
    for field in fields.values():
        assert field.label
        assert all(map(pair_text, (field.shape[:2], field.stride, field.padding)))
        assert field.aligned in (True, False)
    for place in (1, len(fields) - 1):
        (first, last), _ = fields[place].box(0, 0, clip=False)
        top, bottom = fields[place].interval(0, 0)
        assert bottom < top or (first <= top and bottom <= last)
    return "answered"


def test_every_stack_is_answered_or_refused_within_a_second_and_100_megabytes() -> None:
    thorough = settings().max_examples > 200
    cases = [*KNOWN, *drawn(3000 if thorough else 150)]
    answered = 0
    for case, end in zip(cases, limited_calls(builder, cases, memory=MEMORY, seconds=SECONDS), strict=True):
        assert end.error in ("", "ValueError"), f"{case}: {end.error} {end.message}\n{end.trace}"
        assert end.worked <= SECONDS, f"{case} took {end.worked:.1f} s"
        assert end.peak <= MEMORY, f"{case} took {end.peak / MEGABYTE:.0f} MB"
        if end.error:
            assert len(end.message) < 400, end.message
            assert re.search(r"layer '|worked out up to [\d,]+|strides", end.message), end.message
        answered += end.value == "answered"
    assert answered > len(cases) / 2


def test_branches_in_branches_are_counted_when_they_are_made() -> None:
    """Those of thirty that hold the one before twice would be a thousand million layers."""
    doubled: list[Spec] = [Conv(1)]
    for _ in range(12):
        doubled = [Branches(doubled, doubled)]
    with pytest.raises(ValueError, match="at most 10,000 layers and 100 Branches in one another, got 16,3"):
        Branches(doubled, doubled)
    nested: list[Spec] = [Conv(1)]
    for _ in range(100):
        nested = [Branches(nested, [])]
    with pytest.raises(ValueError, match="100 Branches in one another, got 101 and 101"):
        Branches(nested, [])
    assert len(receptive_field(nested, (9, 9))) == 102


def test_ten_thousand_layers_are_named_in_their_order() -> None:
    fields = receptive_field([Conv(1), Conv(1, name="conv_2")] + [Conv(1)] * 10_000, (9, 9))
    assert list(fields)[1:6] == ["conv", "conv_2", "conv_1", "conv_3", "conv_4"]


@pytest.mark.parametrize(
    "layers",
    [
        # Units that see nothing, along both axes: gaps of a transposed convolution, and borders of zeros.
        [TransposedConv(1, 3), Branches([Conv(2, dilation_rate=2, padding="same")], [])],
        [ZeroPad(2), Branches([Conv((2, 1), padding="same")], [Conv((1, 3), padding="same")])],
        [TransposedConv((2, 1), (3, 2)), *[Branches([Conv(2, dilation_rate=d, padding="same")], []) for d in
         (1, 2, 3, 4)], Pool((1, 2), 1)],
        # And units that all see something.
        [Conv((2, 3), dilation_rate=2, padding="same"), Branches([Conv(3, padding="same")], []), Pool(2)],
    ],
)  # fmt: skip
def test_boxes_and_masks_are_what_marks_of_every_cell_say(layers: list) -> None:
    """Against the forward tables, which know of no products: every unit's box in full arrays."""
    fields = receptive_field(layers, (5, 4))
    last = fields[len(fields) - 1]
    height, width = last.shape[:2]
    ends = [np.broadcast_to(end, (height, width, 1)) for pair in last.ends() for end in pair]
    for row in range(height):
        for col in range(width):
            top, bottom, left, right = (int(end[row, col, 0]) for end in ends)
            box = ((top, bottom), (left, right)) if top <= bottom else ((0, -1), (0, -1))
            assert last.box(row, col) == box
            rows, cols = np.nonzero(last.mask(row, col))
            assert (rows.size == 0) == (box[0] == (0, -1))
            if rows.size:
                assert (rows.min(), rows.max(), cols.min(), cols.max()) == (top, bottom, left, right)
