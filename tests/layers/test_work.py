"""How much work layers say they are: against counts by hand, and of every class on generated networks."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from cnnviz import Layer, Network
from cnnviz.layers.work import PASS_COST, Effort
from cnnviz.network.limits import WORK_LIMIT
from cnnviz.network.memory import one_image
from harness.generated_networks import KINDS, pairs_of

VGG19 = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))


def net_of(
    shape: tuple[int, ...], *layers: tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]
) -> Network:
    """A chain whose weights are zeros that take no memory; attention reads its input twice."""
    made = [Layer.from_config("image", "InputLayer", {"batch_shape": (None, *shape)})]
    for number, (kind, config, weights) in enumerate(layers):
        arrays = {name: np.broadcast_to(np.float32(0), size) for name, size in weights.items()}
        reads = (made[-1].name,) * (2 if "Attention" in kind or kind == "Dot" else 1)
        made.append(Layer.from_config(f"layer_{number}", kind, config, weights=arrays, inputs=reads))
    return Network(made)


def effort(net: Network, backward: bool = False) -> Effort:
    """Of the last layer."""
    one = one_image(net, {"image": np.zeros((1, *net.input_shape))})
    return (one.gradient_efforts if backward else one.efforts)[net.outputs[0]]


def test_a_heavy_network_stays_far_below_the_limit() -> None:
    """VGG19 on 224 x 224, with the multiply-adds that its paper's table gives: 19.6 billion."""
    layers: list[Any] = []
    depth = 3
    for count, filters in VGG19:
        for _ in range(count):
            config = {"filters": filters, "kernel_size": 3, "padding": "same", "use_bias": False}
            layers.append(("Conv2D", config, {"kernel": (3, 3, depth, filters)}))
            depth = filters
        layers.append(("MaxPooling2D", {}, {}))
    layers.append(("Flatten", {}, {}))
    for read, units in ((25088, 4096), (4096, 4096), (4096, 1000)):
        layers.append(("Dense", {"units": units, "use_bias": False}, {"kernel": (read, units)}))
    net = net_of((224, 224, 3), *layers)
    assert sum(layer.multiply_adds or 0 for layer in net) == 19_632_062_464
    one = one_image(net, {"image": np.zeros((1, 224, 224, 3))})
    assert 19_632_062_464 < sum(each.work for each in one.efforts.values()) < WORK_LIMIT / 50
    assert sum(each.work for each in one.gradient_efforts.values()) < WORK_LIMIT / 20


def test_a_window_counts_the_cells_that_it_reads() -> None:
    def work(size: int, backward: bool = False, kind: str = "MaxPooling2D") -> int:
        config = {"pool_size": size, "strides": 1, "padding": "same"}
        return effort(net_of((100, 100, 8), (kind, config, {})), backward).work

    for kind in ("MaxPooling2D", "AveragePooling2D"):
        # Along one axis after the other.
        assert work(40, kind=kind) == pytest.approx(2 * work(20, kind=kind))
        assert work(40, True, kind) == pytest.approx(2 * work(20, True, kind))
        # What lies beside the map is not read.
        assert work(2**16, kind=kind) == work(400, kind=kind) < 10 * work(40, kind=kind)


def test_where_each_cell_of_a_window_is_the_largest_is_held() -> None:
    """A byte for each tap of a row, and for each row: of 20 x 20 numbers, 4 bytes each, with 5 + 5 taps."""
    config = {"pool_size": 5, "strides": 1, "padding": "same"}
    held = effort(net_of((20, 20, 1), ("MaxPooling2D", config, {})), True).numbers
    assert held * 4 >= (5 + 5) * 20 * 20


def test_scores_are_counted_and_held() -> None:
    for kind, config, more in (
        ("Attention", {}, {}),
        ("AdditiveAttention", {"use_scale": False}, {}),
        ("Dot", {"axes": 2}, {}),
        (
            "MultiHeadAttention",
            {"num_heads": 2, "key_dim": 3, "use_bias": False},
            {f"{name}_kernel": (5, 2, 3) for name in ("query", "key", "value")}
            | {"output_kernel": (2, 3, 5)},
        ),
    ):
        once, twice = (effort(net_of((n, 5), (kind, config, more))) for n in (1000, 2000))
        assert once.work > 1000 * 1000 * 5
        assert 3.5 < twice.work / once.work < 4.01
        if kind != "Dot":
            assert once.numbers > (5 if kind[:2] == "Ad" else 1) * 1000 * 1000
            assert 3.5 < twice.numbers / once.numbers < 4.01


def test_a_sequence_is_a_map_of_one_column_and_each_step_an_image() -> None:
    row = effort(net_of((50, 3), ("MaxPooling1D", {"pool_size": 5}, {})))
    assert row == effort(net_of((50, 1, 3), ("MaxPooling2D", {"pool_size": (5, 1)}, {})))
    held = {"module": "keras.layers", "class_name": "MaxPooling2D", "config": {"pool_size": 2}}
    each = effort(net_of((8, 8, 3), ("MaxPooling2D", {"pool_size": 2}, {})))
    assert effort(net_of((7, 8, 8, 3), ("TimeDistributed", {"layer": held}, {}))) == each.times(7)


def test_a_filter_against_aliases_reads_as_many_cells_as_it_has() -> None:
    config = {"height": 4, "width": 4, "interpolation": "lanczos3", "antialias": True}
    net = net_of((64, 48, 2), ("Resizing", config, {}))
    samples = net["layer_0"].entry.samples(net["layer_0"], (64, 48, 2))  # type: ignore[attr-defined]
    rows, cols = (each.most for each in samples)
    least = PASS_COST * 2 * (cols * 64 * 4 + rows * 4 * 4)
    assert least <= effort(net).work < 1.3 * least + 10**7


def test_every_class_says_what_it_takes() -> None:
    seen: set[str] = set()
    for kind in KINDS if settings().max_examples > 200 else KINDS[::6]:
        net, _ = pairs_of(kind)
        one = one_image(net, {name: np.zeros((1, *net[name].output_shape)) for name in net.inputs})
        for layer in net:
            for found in (one.efforts[layer.name], one.gradient_efforts[layer.name]):
                assert type(found.work) is type(found.numbers) is int
                assert found.work >= max(layer.multiply_adds or 0, prod(layer.output_shape))  # type: ignore[arg-type]
                assert found.numbers >= 0
            seen.add(layer.kind)
    assert len(seen) >= len(KINDS) / 2
