"""What holds of every entry, and what an entry that says little says honestly."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Layer, Network, explain, receptive_field
from cnnviz.layers import ENTRIES, Entry
from cnnviz.layers.browser import OPERATIONS, Drawn
from cnnviz.layers.rounding import allowance


class MysteryEntry(Entry):
    """Rows in the other order, doubled: an entry that says how it computes and how it rounds, no more."""

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return 2 * inputs[0][:, ::-1]

    def roundings(self, layer: Layer, inputs: object) -> int:
        return 1


@pytest.fixture
def mystery(monkeypatch) -> Network:
    monkeypatch.setitem(ENTRIES, "Mystery", MysteryEntry())
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4, 3, 2)})
    return Network([image, Layer.from_config("odd", "Mystery", {}, inputs=("image",))])


X = np.arange(24, dtype=np.float32).reshape(1, 4, 3, 2)


def test_a_receipt_without_operands_says_that_it_is_not_taken_apart(mystery):
    receipt = explain(mystery.run(X), "odd", row=0, col=1, channel=1)
    assert receipt.value == receipt.total == 2 * X[0, 3, 1, 1]
    assert len(receipt.terms) == 0
    assert not receipt.terms.taken_apart
    assert "reads image, and is not taken apart" in str(receipt)
    assert "not taken apart" in receipt.to_latex()
    assert "is not taken apart" in receipt._repr_html_()
    assert receipt.plot().alt
    assert [str(node.cell) for node in receipt.trace().walk()] == ["odd, row 0, column 1, channel 1"]
    namespace: dict[str, object] = {}
    for library in ("cnnviz", "keras"):
        exec(receipt.to_code(library).replace("print(", "print(*[], "), namespace)
    assert namespace["y"] == receipt.value


def test_a_receptive_field_without_links_is_everything(mystery):
    field = receptive_field(mystery)["odd"]
    assert field.box(2, 0) == ((0, 3), (0, 2))
    assert field.shape == (4, 3, 2)


def test_a_stage_without_an_operation_is_given(mystery):
    layer = mystery["odd"]
    (stage,) = layer.entry.browser(layer, Drawn(((4, 3, 2),), (4, 3, 2), ((4, 3, 2),)))
    assert stage.op == {"type": "given", "label": "Mystery"}
    assert not stage.exact


def test_it_predicts_and_is_bounded(mystery):
    np.testing.assert_array_equal(mystery.predict(X), 2 * X[:, ::-1])
    assert 0 < allowance(mystery["odd"], X).max() < 1e-5


@pytest.mark.parametrize("kind", sorted(ENTRIES))
def test_an_entry_says_what_the_rooms_above_need(kind):
    """Only receipts, receptive fields and the browser have defaults."""
    entry = ENTRIES[kind]
    overridden = {
        name for name in vars(Entry) if getattr(type(entry), name, None) is not getattr(Entry, name)
    }
    if entry.computes and not (entry.moves_values_only or entry.selects):
        assert {"input_gradients", "roundings", "gradient_roundings"} <= overridden
    if entry.weights:
        assert "weight_shapes" in overridden
    assert entry.statistics <= set(entry.weights)
    assert set(entry.op_weights) <= set(entry.weights)
    assert set(entry.op_options) <= set(entry.options)
    assert not (entry.computes and entry.activates)


def test_every_operation_of_the_browser_is_known():
    assert {"given", "input", "conv"} < OPERATIONS
