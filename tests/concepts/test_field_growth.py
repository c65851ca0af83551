"""The examples of growing fields: their sentences hold, and direct reads compose to what units see."""

from __future__ import annotations

import pytest

from cnnviz.concepts.field_growth import EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_read_directly_composes_to_what_is_seen(name):
    fields = EXAMPLES[name].fields()
    for layer in list(fields)[1:]:
        for unit in range(fields[layer].shape[1]):
            reached = {layer: {unit}}
            for later in reversed(list(fields)):
                for below, cells in fields.reads(later, 1).items() if later in reached else ():
                    reached.setdefault(below, set()).update(*(cells[u] for u in reached[later]))
            assert tuple(sorted(reached["input"])) == fields[layer].cells(1, unit)


@pytest.mark.parametrize("name", [name for name, each in EXAMPLES.items() if each.about == "meeting"])
def test_where_ways_meet_the_one_that_sees_most_decides(name):
    fields = EXAMPLES[name].fields()
    last = fields[-1]
    middle = last.shape[1] // 2
    ways = [fields[below].cells(1, middle) for below in last.inputs]
    assert len(ways) > 1
    assert set(last.cells(1, middle)) == set(max(ways, key=len)) == set().union(*ways)


def test_dilation_leaves_holes_unless_it_doubles():
    holes = EXAMPLES["two"].fields()[-1].cells(1, 4)
    assert holes == (4, 6, 8, 10, 12, 14, 16)
    assert "reads 7 of them: between these are holes" in EXAMPLES["two"].words()
    whole = EXAMPLES["doubling"].fields()[-1].cells(1, 3)
    assert whole == tuple(range(3, 18))
    assert "sees 15 columns and reads each of them" in EXAMPLES["doubling"].words()
