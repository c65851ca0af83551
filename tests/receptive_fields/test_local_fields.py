"""Behind a squeeze-and-excitation a unit has two fields: its convolutions' own, and the whole image."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import cnnviz
from cnnviz import Network
from cnnviz.stage.scene import build_scene
from harness.networks import conv, image, layer, normal
from harness.node import ask_node


def excited() -> tuple[Network, Network]:
    """With a squeeze-and-excitation between two convolutions, and without."""
    first = [image(12, 10, 3), conv("a", "image", 3, 4, padding="same")]
    gate = [
        layer("squeeze", "GlobalAveragePooling2D", "a", keepdims=True),
        conv("excite", "squeeze", 4, 4, size=1, activation="sigmoid"),
        layer("scaled", "Multiply", "a", "excite"),
    ]
    last = [conv("b", "scaled", 4, 4), layer("pool", "GlobalAveragePooling2D", "b")]
    plain = [conv("b", "a", 4, 4), layer("pool", "GlobalAveragePooling2D", "b")]
    return Network([*first, *gate, *last]), Network([*first, *plain])


def test_the_local_field_is_that_of_the_network_without_the_gate():
    fields, plain = map(cnnviz.receptive_field, excited())
    local = fields["b"].local
    assert local.size == plain["b"].size == (5, 5)
    for row, col in [(0, 0), (4, 5), (9, 7)]:
        assert local.box(row, col) == plain["b"].box(row, col)
        # All of the image reaches the unit through the gate.
        assert fields["b"].box(row, col) == ((0, 11), (0, 9))
    assert fields["scaled"].local.size == (3, 3)
    # Where all paths are alike there is one field only.
    assert [fields[name].local for name in ("a", "squeeze", "excite", "pool")] == [None] * 4
    assert all(field.local is None for field in plain.values())


def test_a_gate_really_lets_through_what_is_beyond_the_local_field():
    """One pixel beyond it changes the unit a little, by the gate alone."""
    net, plain = excited()
    x = normal(1, 12, 10, 3).astype(np.float32)
    beyond = x.copy()
    beyond[0, 11, 9] += 50
    assert net.run(x)["b"][0, 0, 0, 0] != net.run(beyond)["b"][0, 0, 0, 0]
    assert plain.run(x)["b"][0, 0, 0, 0] == plain.run(beyond)["b"][0, 0, 0, 0]


@pytest.mark.parametrize("name", ["mnist_14k", "mnist_maxpool"])
def test_a_network_without_such_gates_has_one_field(name):
    assert all(field.local is None for field in cnnviz.receptive_field(cnnviz.load_model(name)).values())


def test_the_page_says_both():
    net, _ = excited()
    program = """({ base64, outlines, scene }, text) => {
      const read = scene.sceneOf(base64.fromBase64(text));
      const numbered = (name) => read.stages.find((each) => each.name === name).index;
      const at = (name) => ({ stage: numbered(name), row: 4, col: 5, channel: 0 });
      return ["a", "scaled", "b"].map((name) => outlines.seenWords(read, at(name)));
    }"""
    text = base64.b64encode(bytes(build_scene(net.run(normal(1, 12, 10, 3)), 0))).decode()
    assert ask_node(program, text, "base64", "outlines", "scene") == [
        "sees 3×3 pixels, rows 3–5, columns 4–6",
        "sees 3×3 pixels, rows 3–5, columns 4–6, and through global pooling the whole image",
        "sees 5×5 pixels, rows 3–7, columns 4–8, and through global pooling the whole image",
    ]
