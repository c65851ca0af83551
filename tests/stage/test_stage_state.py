"""The state of the stage: what a link carries comes back, in Python and in the page alike."""

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from cnnviz.stage.stage_state import empty_state, link_of, state_of_link
from harness.node import ask_node

NAMES = some.text(
    some.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8
) | some.sampled_from(["conv2d", "conv2d relu", "a~b!c%7e", "nested/conv", "%", "+ &=#?", "ß漢"])
WHOLE = some.integers(0, 10_000)
NUMBERS = some.floats(width=32, allow_nan=False, allow_infinity=False).map(
    lambda value: 0 if value == 0 else float(np.float32(value))
)
CELLS = some.tuples(NAMES, WHOLE, WHOLE, WHOLE).map(list)


def pairs(key, kind):
    listed = some.lists(some.tuples(WHOLE, NUMBERS), min_size=1, max_size=4)
    return some.tuples(NAMES, listed).map(
        lambda drawn: {
            "kind": kind,
            key: drawn[0],
            "at": [at for at, _ in drawn[1]],
            "values": [value for _, value in drawn[1]],
        }
    )


CHANGES = some.one_of(
    pairs("stage", "values"),
    pairs("array", "weights"),
    some.tuples(NAMES, WHOLE).map(lambda drawn: {"kind": "channel", "stage": drawn[0], "channel": drawn[1]}),
    some.tuples(some.integers(-28, 28), some.integers(-28, 28)).map(
        lambda by: {"kind": "shift", "rows": by[0], "cols": by[1]}
    ),
)
PIXELS = some.text("abcXYZ019-_", min_size=1, max_size=40)
STATES = some.fixed_dictionaries(
    {"version": some.just(1)},
    optional={
        "model": NAMES,
        "item": NAMES,
        "range": some.sampled_from(["map", "network"]),
        "zoom": some.sampled_from(["layer", "cell"]),
        "layer": NAMES,
        "path": some.lists(CELLS, min_size=1, max_size=3),
        "changes": some.lists(CHANGES, min_size=1, max_size=3),
        "image": some.tuples(NAMES, PIXELS).map(lambda drawn: {"title": drawn[0], "pixels": drawn[1]}),
        "open": some.lists(NAMES, min_size=1, max_size=3),
        "order": some.just("laid out"),
        "channels": some.sampled_from(["by activity", "by number"]),
        "first": some.integers(1, 2**20),
        "play": some.tuples(NAMES, WHOLE, WHOLE).map(list),
        "walk": some.tuples(NAMES, WHOLE).map(list),
    },
)

IN_PAGE = """({ stage_state: { linkOf, stateOfLink, emptyState } }, { states, links }) => ({
  written: states.map((state) => linkOf({ ...emptyState(), ...state })),
  read: links.map(stateOfLink),
  empty: emptyState(),
})"""


def same(a, b):
    """Equal, numbers as float32."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float | int) and isinstance(b, float | int):
        with np.errstate(over="ignore"):
            return np.float32(a) == np.float32(b)
    return a == b


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate], deadline=None)
@given(some.lists(STATES, min_size=4, max_size=4))
def test_a_link_carries_a_state_whoever_writes_and_reads_it(states):
    links = [link_of(state) for state in states]
    page = ask_node(IN_PAGE, {"states": states, "links": links}, "stage_state")
    assert page["empty"] == empty_state()
    for state, link, written, read in zip(states, links, page["written"], page["read"], strict=True):
        assert same(state_of_link(link), state), link
        assert same(read, state), link
        assert same(state_of_link(written), state), written


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate], deadline=None)
@given(
    some.lists(
        some.lists(
            some.tuples(
                some.sampled_from(sorted(empty_state())),
                some.text("a1~!%7e.-+kvaluesshft", max_size=20) | some.text(max_size=6),
            ),
            max_size=4,
        ),
        min_size=6,
        max_size=6,
    )
)
def test_any_text_means_the_same_in_both_places(garbage):
    links = ["&".join(f"{key}={text}" for key, text in entries) for entries in garbage]
    links = [link.encode("utf-8", "replace").decode() for link in links]
    page = ask_node(IN_PAGE, {"states": [], "links": links}, "stage_state")
    for link, read in zip(links, page["read"], strict=True):
        assert same(state_of_link(link), read), link


def test_links_of_before_say_their_path_as_a_trail():
    link = "item=7&range=map&trail=conv2d~3~4~0%21conv2d_1~1~2~3"
    path = [["conv2d", 3, 4, 0], ["conv2d_1", 1, 2, 3]]
    assert state_of_link(link) == {"item": "7", "range": "map", "path": path}
    assert state_of_link("made=up&=&") == {}
