"""Receptive fields against published tables, hand-worked literals and plain definitions."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnviz
from cnnviz import Layer, Network
from cnnviz.ops.padding import transposed_window, window
from cnnviz.receptive_fields import (
    Branches,
    Conv,
    Crop,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalPool,
    Identity,
    MisalignedError,
    Permute,
    Pool,
    Reshape,
    SeparableConv,
    TransposedConv,
    Upsample,
    ZeroPad,
    receptive_field,
)
from cnnviz.receptive_fields.graph import Graph


def last(layers: list[Any], input_shape: Any = None) -> cnnviz.receptive_fields.ReceptiveField:
    return receptive_field(layers, input_shape)[-1]


def line(field: Any, axis: int = 0) -> tuple[Any, Any, Any]:
    return field.size[axis], field.stride[axis], field.padding[axis]


# Published values -----------------------------------------------------------------------------------

ALEXNET = [
    Conv(11, 4, name="conv1"),
    Pool(3, 2, name="pool1"),
    Conv(5, padding="same", name="conv2"),
    Pool(3, 2, name="pool2"),
    *(Conv(3, padding="same", name=f"conv{i}") for i in (3, 4, 5)),
    Pool(3, 2, name="pool5"),
]
VGG16 = [
    layer
    for block, convolutions in enumerate((2, 2, 3, 3, 3), 1)
    for layer in (
        *(Conv(3, padding="same", name=f"conv{block}_{i}") for i in range(1, convolutions + 1)),
        Pool(2, name=f"pool{block}"),
    )
]
# Source: the table of the library that goes with Araujo, Norris and Sim (google-research/receptive_field).
TABLE = [
    (ALEXNET, "conv1", (11, 4, 0)),
    (ALEXNET, "pool1", (19, 8, 0)),
    (ALEXNET, "conv2", (51, 8, 16)),
    (ALEXNET, "pool5", (195, 32, 64)),
    (VGG16, "conv1_1", (3, 1, 1)),
    (VGG16, "pool1", (6, 2, 2)),
    (VGG16, "pool2", (16, 4, 6)),
    (VGG16, "pool3", (44, 8, 18)),
    (VGG16, "conv4_1", (60, 8, 26)),
    (VGG16, "pool4", (100, 16, 42)),
    (VGG16, "pool5", (212, 32, 90)),
]


@pytest.mark.parametrize(("layers", "name", "expected"), TABLE)
@pytest.mark.parametrize("input_shape", [None, 224, (321, 321, 3)])
def test_published_table(layers: list[Any], name: str, expected: Any, input_shape: Any) -> None:
    field = receptive_field(layers, input_shape)[name]
    assert line(field, 0) == line(field, 1) == expected
    assert field.aligned


def test_mnist_14k_grows_to_the_whole_image() -> None:
    net = cnnviz.load_model("mnist_14k")
    table = cnnviz.receptive_field(net)
    grown = [field.size for field in table.values() if field.kind in ("Conv2D", "MaxPooling2D")]
    assert grown == [(n, n) for n in (3, 5, 5, 6, 10, 14, 18, 22, 28)]
    assert list(table) == [layer.name for layer in net]
    for layer in net:
        assert table[layer.name].shape == layer.output_shape
        assert table[layer.name].kind == layer.kind
    assert table[net.outputs[0]].box() == ((0, 27), (0, 27))
    assert table["conv2d_3"].box(row=4, col=5) == ((8, 17), (10, 19))


# One layer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "cells"),
    [
        (Conv(3), [(0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5)]),
        (Conv(3, dilation_rate=2), [(0, 2, 4), (1, 3, 5)]),
        # 'same': the odd cell of padding goes to the bottom; with stride 2 the size decides.
        (Conv(2, padding="same"), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5,)]),
        (Conv(3, 2, "same"), [(0, 1, 2), (2, 3, 4), (4, 5)]),
        (Conv(4, 2, "same"), [(0, 1, 2), (1, 2, 3, 4), (3, 4, 5)]),
        (Conv(2, 2, ((1, 1), (1, 1))), [(0,), (1, 2), (3, 4), (5,)]),
        (Conv(2, dilation_rate=4, padding="same"), [(2,), (3,), (0, 4), (1, 5), (2,), (3,)]),
        (Conv(1, 4), [(0,), (4,)]),
        (DepthwiseConv(3, 3, depth_multiplier=2), [(0, 1, 2), (3, 4, 5)]),
        (SeparableConv(2, 3), [(0, 1), (3, 4)]),
        (Pool(2), [(0, 1), (2, 3), (4, 5)]),
        (Pool(3, 2), [(0, 1, 2), (2, 3, 4)]),
        (Pool(3, 1, "same"), [(0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5)]),
        (ZeroPad(((2, 1), (0, 0))), [(), (), (0,), (1,), (2,), (3,), (4,), (5,), ()]),
        (Crop(((2, 1), (0, 0))), [(2,), (3,), (4,)]),
        (Identity(), [(0,), (1,), (2,), (3,), (4,), (5,)]),
        (GlobalPool(keepdims=True), [(0, 1, 2, 3, 4, 5)]),
    ],
    ids=str,
)
def test_cells_of_one_layer(layer: Any, cells: list[tuple[int, ...]]) -> None:
    field = last([layer], (6, 6))
    assert [field.cells(0, u) for u in range(field.shape[0] or 0)] == cells


@pytest.mark.parametrize(
    ("layer", "cells"),
    [
        # Stride 2: even units lie on two cells, odd units on one.
        (TransposedConv(3, 2), [(0,), (0,), (0, 1), (1,), (1, 2), (2,), (2,)]),
        (TransposedConv(3, 2, "same"), [(0,), (0,), (0, 1), (1,), (1, 2), (2,)]),
        (TransposedConv(2, 2), [(0,), (0,), (1,), (1,), (2,), (2,)]),
        (TransposedConv(1, 2), [(0,), (), (1,), (), (2,), ()]),
        (TransposedConv(2, 1, dilation_rate=2), [(0,), (1,), (0, 2), (1,), (2,)]),
        (TransposedConv(3, 2, output_padding=1), [(0,), (0,), (0, 1), (1,), (1, 2), (2,), (2,), ()]),
        (TransposedConv(3, 2, ((1, 2), (1, 2))), [(0,), (0, 1), (1,), (1, 2)]),
        (Upsample(2), [(0,), (0,), (1,), (1,), (2,), (2,)]),
        (Upsample(2, "bilinear"), [(0,), (0, 1), (0, 1), (1, 2), (1, 2), (2,)]),
    ],
    ids=str,
)
def test_phases_of_transposed_layers(layer: Any, cells: list[tuple[int, ...]]) -> None:
    field = last([layer], (3, 3))
    assert [field.cells(1, u) for u in range(field.shape[1] or 0)] == cells


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (TransposedConv(3, 2), (2, Fraction(1, 2), 1)),
        (TransposedConv(4, 2, "same"), (2, Fraction(1, 2), Fraction(3, 4))),
        (TransposedConv(2, 2), (1, Fraction(1, 2), Fraction(1, 4))),
        (TransposedConv(1, 3), (1, Fraction(1, 3), 0)),
        (TransposedConv(3, 1), (3, 1, 2)),
        (Upsample(3), (1, Fraction(1, 3), Fraction(1, 3))),
        (Upsample(2, "bilinear"), (2, Fraction(1, 2), Fraction(3, 4))),
    ],
    ids=str,
)
def test_fractional_strides(layer: Any, expected: Any) -> None:
    """Units 2i and 2i + 1 of an upsampling lie on cell i: centred on i - 1/4 and i + 1/4 as pixels are."""
    assert line(last([layer])) == expected


def test_strides_are_whole_numbers_where_they_can_be() -> None:
    field = last([Conv(3, 2), Upsample(2)])
    assert field.stride == (1, 1)
    assert all(type(number) is int for number in (*field.stride, *field.size))
    assert type(last([Upsample(2)]).stride[0]) is Fraction


def test_rectangles() -> None:
    layers = [Conv((3, 5), (1, 2)), Conv((1, 2), dilation_rate=(1, 3)), Pool((2, 1), (3, 2))]
    field = last(layers, (20, 40))
    assert (field.size, field.stride, field.padding) == ((4, 11), (3, 4), (0, 0))
    assert field.box(1, 2) == ((3, 6), (8, 18))
    assert field.cells(1, 2) == (8, 9, 10, 11, 12, 14, 15, 16, 17, 18)
    assert field.label == "4 x 11"


def test_offsets_depend_on_the_input_size() -> None:
    layers = [Conv(3, 2, "same"), Conv(3, 2, "same")]
    assert line(last(layers, 224)) == (7, 4, 0)
    assert line(last(layers, 321)) == (7, 4, 3)
    assert line(last(layers, (224, 321)), 0) == (7, 4, 0)
    assert line(last(layers, (224, 321)), 1) == (7, 4, 3)
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 224, 224, 3)})
    pool = Layer.from_config(
        "pool", "MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, inputs=("image",)
    )
    net = Network([image, pool])
    assert line(receptive_field(net)["pool"]) == (3, 2, 0)
    assert line(receptive_field(net, (321, 321))["pool"]) == (3, 2, 1)
    assert line(receptive_field(net, (321, 321, 3))["pool"]) == (3, 2, 1)


# Chains against the definition ----------------------------------------------------------------------


def _chains(*kinds: str, longest: int) -> st.SearchStrategy[list[tuple[str, Any]]]:
    sizes, sides = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)), st.integers(0, 2)
    return st.lists(st.tuples(st.sampled_from(kinds), sizes, st.tuples(sides, sides)), max_size=longest)


def _specs(chain: Any) -> list[Any]:
    """Along the rows what the chain says; along the columns nothing."""
    build = {"slide": Conv, "spread": TransposedConv}
    return [
        build[kind]((k, 1), (s, 1), (sides, (0, 0)), dilation_rate=(d, 1)) for kind, (k, s, d), sides in chain
    ]


@given(_chains("slide", longest=4))
def test_araujo_recurrences(chain: Any) -> None:
    """r += (k - 1) j, p += before * j, j *= s, from the input up."""
    size, stride, padding = 1, 1, 0
    for _, (k, s, d), (before, _) in chain:
        size, padding = size + (k - 1) * d * stride, padding + before * stride
        stride *= s
    field = last(_specs(chain), (400, 1))
    assert line(field) == (size, stride, padding)
    assert field.aligned
    units = field.shape[0] or 0
    for u in {0, units // 2, units - 1}:
        first = -padding + u * stride
        assert field.interval(0, u, clip=False) == (first, first + size - 1)
        assert field.center(u, 0) == (first + (size - 1) / 2, 0)


@given(_chains("slide", "spread", longest=3))
def test_largest_interval_of_interior_units(chain: Any) -> None:
    """Every unit's cells on an endless line, one by one: their hull, its largest size, its mean place."""
    field = last(_specs(chain), (200, 1))
    windows, length = [], 200
    for kind, (k, s, d), sides in chain:
        plan = window if kind == "slide" else transposed_window
        rest = () if kind == "slide" else (None,)
        rows = plan((length, 1), (k, 1), (s, 1), (sides, (0, 0)), (d, 1), *rest).rows  # type: ignore[arg-type]
        windows.append((kind, rows))
        length = rows.out if kind == "slide" else rows.size

    def cells(u: int) -> set[int]:
        seen = {u}
        for kind, rows in reversed(windows):
            taps = [t * rows.dilation - rows.before for t in range(rows.kernel)]
            if kind == "slide":
                seen = {i * rows.stride + tap for i in seen for tap in taps}
            else:
                seen = {
                    (i - tap) // rows.stride for i in seen for tap in taps if (i - tap) % rows.stride == 0
                }
        return seen

    hulls = {u: (min(seen), max(seen)) for u in range(81) if (seen := cells(u))}
    for u in range(min(length, 81)):
        assert field.interval(0, u, clip=False) == hulls.get(u, (0, -1))
    if not hulls:
        assert field.size[0] == 0
        return
    assert field.size[0] == max(b - a + 1 for a, b in hulls.values())
    period = int(np.prod([rows.stride for kind, rows in windows if kind == "spread"]))
    stride = field.stride[0]
    middles = [Fraction(sum(hulls[u]), 2) - u * stride for u in range(period) if u in hulls]
    assert field.padding[0] == Fraction(field.size[0] - 1, 2) - sum(middles) / len(middles)


# Branches -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("merge", Branches.MERGES)
def test_branches_are_united(merge: str) -> None:
    same = {"padding": "same"}
    field = last([Branches([Conv(3, **same), Conv(3, dilation_rate=2, **same)], [], merge=merge)], (9, 9))
    assert line(field) == (7, 1, 3)
    assert field.aligned
    assert field.center(4, 2) == (4.0, 2.0)


def test_a_union_of_products_is_not_a_product() -> None:
    field = last([Branches([Conv((3, 1), padding="same")], [Conv((1, 3), padding="same")])], (5, 5))
    assert field.box(2, 2) == ((1, 3), (1, 3))
    assert field.mask(2, 2)[1:4, 1:4].astype(int).tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]


def test_boxes_of_many_units_are_read_from_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    field = receptive_field(cnnviz.load_model("mnist_14k"))["conv2d_6"]
    units = [(row, col) for row in range(4) for col in range(4)]
    marked = [[(cells.min(), cells.max()) for cells in field.mask(*unit).nonzero()] for unit in units]
    monkeypatch.setattr(Graph, "feeding", None)  # What walks back from a single unit.
    assert [list(field.box(*unit)) for unit in units] == marked


def test_paths_with_other_centres_are_misaligned() -> None:
    table = receptive_field([Branches([Conv(2, padding="same")], []), Conv(3)], (8, 8))
    field = table["add"]
    assert line(field) == (2, 1, 0)
    assert not field.aligned
    with pytest.raises(MisalignedError, match="'add' have no common centre on 'input'"):
        field.center(1, 1)
    assert not table["conv_1"].aligned
    assert table["conv"].center(0, 0) == (0.5, 0.5)


def test_paths_with_other_strides_are_misaligned() -> None:
    field = last([Branches([Conv(2, 2)], [Conv(5)])], (8, 8))
    # Unit u sees 2u and 2u + 1, and u to u + 4; units 0 to 3 are all there are.
    assert [field.interval(0, u) for u in range(4)] == [(0, 4), (1, 5), (2, 6), (3, 7)]
    assert (field.size, field.stride, field.padding, field.aligned) == (
        (5, 5),
        (None, None),
        (None, None),
        False,
    )
    assert "misaligned" in str(receptive_field([Branches([Conv(2, 2)], [Conv(5)])], (8, 8)))


def test_one_axis_may_be_misaligned_alone() -> None:
    field = last([Branches([Conv((1, 2), padding="same")], [])], (8, 8))
    assert (field.stride, field.aligned) == ((1, 1), False)


def test_a_path_that_sees_only_padding_counts_for_nothing() -> None:
    blind = [ZeroPad(((0, 0), (0, 9))), Crop(((0, 0), (9, 0))), Conv((3, 1), padding="same")]
    field = last([Branches(blind, [])], (9, 9))
    assert field.box(4, 4) == ((4, 4), (4, 4))
    assert field.cells(0, 4) == (4,)


def test_a_path_that_reads_only_gaps_counts_for_nothing() -> None:
    # The odd units of this transposed convolution see nothing, and only they are read.
    gaps = [TransposedConv(1, 2), Conv(1, 2, ((1, 0), (1, 0)))]
    assert (last(gaps, (3, 3)).size, last(gaps, (3, 3)).box(1, 1)) == ((0, 0), ((0, -1), (0, -1)))
    field = last([Branches(gaps, [Conv(1, padding=((1, 0), (1, 0)))])], (3, 3))
    assert line(field) == (1, 1, 1)
    assert field.aligned


@pytest.mark.parametrize("pooled", [[GlobalPool()], [GlobalPool(keepdims=True), Conv(1, filters=2)]])
def test_squeeze_and_excitation_sees_everything(pooled: list[Any]) -> None:
    field = last([Branches(pooled, [], merge="multiply")], (6, 5, 2))
    assert field.size == (6, 5)
    assert field.box(2, 2) == ((0, 5), (0, 4))
    assert (field.stride, field.aligned) == ((None, None), False)


# Rows and columns that move -------------------------------------------------------------------------


def test_permutation_swaps_the_axes() -> None:
    table = receptive_field([Conv((3, 5), (1, 2)), Permute((2, 1, 3)), Conv((2, 1))], (10, 20))
    assert table["conv"].axes == (0, 1)
    field = table["permute"]
    assert (field.size, field.stride, field.axes) == ((5, 3), (2, 1), (1, 0))
    assert field.box(2, 6) == ((6, 8), (4, 8))
    assert field.center(2, 6) == (7.0, 6.0)
    assert field.interval(0, 2) == (4, 8)
    assert field.cells(1, 6) == (6, 7, 8)
    assert table["conv_1"].size == (7, 3)
    assert table["conv_1"].box(0, 6) == ((6, 8), (0, 6))


def test_a_map_and_its_transpose() -> None:
    field = last([Branches([], [Permute((2, 1, 3))])], (5, 5))
    assert field.mask(1, 3).nonzero()[0].tolist() == [1, 3]
    assert field.box(1, 3) == ((1, 3), (1, 3))
    # Unit (0, 4) sees cells (0, 4) and (4, 0).
    assert (field.size, field.stride, field.aligned) == ((5, 5), (None, None), False)


def test_a_permuted_map_made_flat() -> None:
    table = receptive_field([Conv((3, 5), (1, 2), filters=1), Permute((2, 1, 3)), Flatten()], (10, 20))
    field = table["flatten"]
    # Unit 22 is row 2, column 6 of 8 x 8 units.
    assert (field.size, field.stride) == ((3, 5), (1, 2))
    assert field.box(unit=22) == table["permute"].box(2, 6) == ((6, 8), (4, 8))
    assert field.center(unit=22) == table["permute"].center(2, 6) == (7.0, 6.0)


def test_flatten_maps_units_one_to_one() -> None:
    table = receptive_field([Conv(3, filters=2), Flatten(), Identity()], (5, 6))
    field = table["identity"]
    assert (field.shape, field.size, field.stride) == ((24,), (3, 3), (1, 1))
    # Unit 13 is row 1, column 2, channel 1.
    assert field.box(unit=13) == field.box(13) == table["conv"].box(1, 2) == ((1, 3), (2, 4))
    assert field.center(unit=13) == (2.0, 3.0)
    assert field.cells(1, 13) == (2, 3, 4)
    assert field.intervals(0)[[0, 13, 23]].tolist() == [[0, 2], [1, 3], [2, 4]]
    assert field.box() == ((0, 4), (0, 5))


def test_flatten_keeps_a_concatenations_channels_apart() -> None:
    layers = [Branches([], [Conv(3, padding="same", filters=1)], merge="concatenate"), Flatten()]
    field = last(layers, (4, 4, 1))
    assert field.box(unit=10) == ((1, 1), (1, 1))
    assert field.box(unit=11) == ((0, 2), (0, 2))


def test_reshape_keeps_what_it_can() -> None:
    back = last([Conv(3, filters=2), Flatten(), Reshape((3, 4, 2))], (5, 6))
    assert line(back) == (3, 1, 0)
    assert back.box(1, 2) == ((1, 3), (2, 4))
    # 2 x 3 cells as 3 x 2: unit (1, 0) is cell (0, 2), unit (1, 1) is cell (1, 0).
    other = last([Reshape((3, 2, 1))], (2, 3, 1))
    assert [other.box(1, col) for col in (0, 1)] == [((0, 0), (2, 2)), ((1, 1), (0, 0))]
    assert (other.size, other.stride, other.aligned) == ((1, 1), (None, None), False)


@pytest.mark.parametrize("path", [[Conv(3, filters=4)], [Dense(4)]])
def test_units_made_of_one_position_see_the_same(path: list[Any]) -> None:
    square = [*path, Reshape((2, 2, 1))]
    for layers in (square, [Branches(square, [*square, Conv(1, filters=1)])]):
        field = last(layers, (3, 3))
        assert line(field) == (3, 0, 0)
        assert field.center() == (1.0, 1.0)
        assert field.box(1, 0) == ((0, 2), (0, 2))


def test_repeated_units_see_the_same() -> None:
    field = last([GlobalPool(keepdims=True), Upsample(2)], (4, 6))
    assert (field.shape[:2], field.stride, field.center()) == ((2, 2), (0, 0), (1.5, 2.5))


def test_maps_side_by_side() -> None:
    """Rows of a map, then rows of its 3x3 convolution: a layer that only a file can hold."""
    layers = [
        Layer.from_config("image", "InputLayer", {"batch_shape": (None, 5, 5, 1)}),
        Layer.from_config("pool", "MaxPooling2D", {"pool_size": (3, 1), "strides": 1}, inputs=("image",)),
        Layer.from_config("both", "Concatenate", {"axis": 1}, inputs=("image", "pool")),
    ]
    field = receptive_field(Network(layers))["both"]
    assert field.intervals(0).tolist() == [[0, 0], [1, 1], [2, 2], [3, 3], [4, 4], [0, 2], [1, 3], [2, 4]]
    assert (field.size, field.stride, field.aligned) == ((3, 1), (None, None), False)


def test_dense_and_global_pools_see_everything() -> None:
    table = receptive_field([Conv(3, filters=4), GlobalPool(), Dense(3), Reshape((1, 1, 3))], (6, 8))
    for name in ("global_pool", "dense", "reshape"):
        field = table[name]
        assert (field.size, field.stride, field.padding) == ((6, 8), (0, 0), (0, 0))
        assert field.box() == ((0, 5), (0, 7))
        assert field.center() == (2.5, 3.5)
    assert table["dense"].box(unit=2) == ((0, 5), (0, 7))
    assert last([Conv(3), Dense()], (6, 8)).box() == ((0, 5), (0, 7))
    assert last([TransposedConv(1, 2), GlobalPool()], (3, 3)).size == (3, 3)
    # Everything that feeds it: a stride leaves the last row out.
    assert last([Conv(1, 2), Dense()], (6, 8)).box() == ((0, 4), (0, 6))


def test_groups_without_numbers_of_channels() -> None:
    assert last([Conv(3, groups=2), Conv(3, groups=2, filters=4)], (9, 9)).size == (5, 5)


def test_units_that_cannot_be_counted() -> None:
    table = receptive_field([Conv(3), Flatten(), Dense()], (5, 6))
    assert table["flatten"].box() == table["dense"].box() == ((0, 4), (0, 5))
    assert table["dense"].shape == (None,)
    for ask in (
        lambda field: field.box(unit=3),
        lambda field: field.interval(0, 3),
        lambda field: field.intervals(0),
        lambda field: field.cells(0, 3),
        lambda field: field.projective_box(0, 0),
        lambda field: field.projective_mask(0, 0),
    ):
        with pytest.raises(ValueError, match=r"units of 'flatten' are not known: give .* filters or units"):
            ask(table["flatten"])
    assert table.projection("input", 0, 0) == {"conv": ((0, 0), (0, 0))}


# Borders --------------------------------------------------------------------------------------------


def test_clipping_is_exact_at_every_layer() -> None:
    # Row 0 of the second map reads rows -1 to 1 of the cropped one, whose row -1 is zero, not a pixel.
    field = last([Crop(3), Conv(3, padding="same")], (12, 12))
    assert field.box(0, 5) == ((3, 4), (7, 8))
    assert field.box(0, 5, clip=False) == ((2, 4), (7, 9))


def test_units_that_see_only_padding() -> None:
    field = last([ZeroPad(4), Conv(3)], (5, 5))
    assert field.box(0, 4) == ((0, -1), (0, -1))
    assert field.box(0, 4, False) == ((-4, -2), (0, 2))
    assert field.interval(0, 0) == (0, -1)
    assert field.cells(0, 0) == ()
    assert not field.mask(0, 4).any()


# Sizes that are not known ---------------------------------------------------------------------------


def test_unknown_size_leaves_what_does_not_depend_on_it() -> None:
    table = receptive_field([Conv(3, padding="same"), Conv(3, 2, "same"), Pool(2, 2, "same"), Conv(5)])
    assert [line(field) for field in table.values()] == [
        (1, 1, 0),
        (3, 1, 1),
        (5, 2, None),
        (7, 4, None),
        (23, 4, None),
    ]
    field = table["conv"]
    assert field.shape == (None, None, None)
    assert field.box(0, 7) == ((0, 1), (6, 8))
    assert field.cells(0, 7) == (6, 7, 8)
    assert table["pool"].aligned


@pytest.mark.parametrize(
    "ask",
    [
        lambda field: field.box(2, 2),
        lambda field: field.center(2, 2),
        lambda field: field.mask(2, 2),
        lambda field: field.intervals(0),
        lambda field: field.projective_box(2, 2),
        lambda field: field.box(10**6, 0),
    ],
)
def test_unknown_size_is_named_where_it_matters(ask: Any) -> None:
    with pytest.raises(ValueError, match=r"size.* not known.*input_shape"):
        ask(last([Conv(3, 2, "same")]))


def test_unknown_size_of_what_sees_everything() -> None:
    field = last([Conv(3), GlobalPool()])
    assert field.size == (None, None)
    assert last([Conv(3), GlobalPool()], (None, 9)).size == (None, 9)


def test_unknown_size_of_a_u_net_is_one_that_it_takes() -> None:
    down = [Pool(2), Conv(3, padding="same"), TransposedConv(2, 2)]
    field = last([Conv(3, padding="same"), Branches(down, [], merge="concatenate")])
    # Units 2i and 2i + 1 see rows 2i - 3 to 2i + 4: centred on 2i + 1/2, as they are together.
    assert line(field) == (8, 1, Fraction(7, 2))
    assert field.center(6, 7) == (6.0, 7.0)


def test_unknown_sizes_of_a_network() -> None:
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, None, None, 3)})
    pool = Layer.from_config(
        "pool", "AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, inputs=("image",)
    )
    field = receptive_field(Network([image, pool]))["pool"]
    assert (field.shape, line(field)) == ((None, None, 3), (3, 2, None))
    assert line(receptive_field(Network([image, pool]), 64)["pool"]) == (3, 2, 0)


# Between layers, and the other way round ------------------------------------------------------------


def test_between_two_layers() -> None:
    table = cnnviz.receptive_field(cnnviz.load_model("mnist_14k"))
    field = table.between("conv2d_3", "conv2d")
    assert line(field) == (8, 2, 0)
    assert field.box(4, 5) == ((8, 15), (10, 17))
    assert (field.origin, field.origin_shape) == ("conv2d", (26, 26, 16))
    step = table.between("max_pooling2d", "dropout_2")
    assert (step.size, step.stride) == ((2, 2), (2, 2))
    wrt = cnnviz.receptive_field(cnnviz.load_model("mnist_14k"), wrt="conv2d")
    assert wrt["conv2d_3"].size == (8, 8)
    assert next(iter(wrt)) == "conv2d"


def test_cone_is_every_layer_on_the_way() -> None:
    layers = [
        Conv(3, filters=1),
        Branches([Conv(5, padding="same", name="wide", filters=1)], [], merge="add"),
        Pool(2),
        Flatten(),
        Dense(2),
    ]
    table = receptive_field(layers, (10, 10, 1))
    assert table.cone("pool", 1, 0) == {
        "input": ((0, 7), (0, 5)),
        "conv": ((0, 5), (0, 3)),
        "wide": ((2, 3), (0, 1)),
        "add": ((2, 3), (0, 1)),
    }
    assert table.cone("dense", unit=1)["flatten"] == ((0, 15),)
    for name, box in table.cone("pool", 1, 0).items():
        assert table.between("pool", name).box(1, 0) == box


def test_projection_is_every_layer_behind() -> None:
    table = receptive_field([Conv(3, filters=1), Pool(2), Flatten(), Dense(2)], (10, 10))
    assert table.projection("input", 0, 5) == {
        "conv": ((0, 0), (3, 5)),
        "pool": ((0, 0), (1, 2)),
        "flatten": ((1, 2),),
        "dense": ((0, 1),),
    }
    assert table.projection("pool", 3, 3) == {"flatten": ((15, 15),), "dense": ((0, 1),)}
    assert table.projection("flatten", unit=3) == {"dense": ((0, 1),)}
    assert table["pool"].projective_box(9, 9) == ((3, 3), (3, 3))
    assert table["conv"].projective_mask(0, 5).sum() == 3


def test_projection_and_field_say_the_same() -> None:
    layers = [
        Conv(3, 2, "same", dilation_rate=1),
        Branches([Conv(2, padding="same")], []),
        TransposedConv(3, 2),
    ]
    field = last(layers, (7, 6))
    height, width = field.shape[:2]
    seen = np.array([[field.mask(r, c) for c in range(width or 0)] for r in range(height or 0)])
    for row, col in np.ndindex(7, 6):
        np.testing.assert_array_equal(field.projective_mask(row, col), seen[:, :, row, col])


@pytest.mark.parametrize("length", [23, None])
def test_a_field_on_a_sequence_is_that_on_a_map_of_one_column(length: int | None) -> None:
    """Sizes, strides, offsets, boxes: all but the columns, of which a sequence has none."""

    def net(*shape: int | None) -> Network:
        layers = [
            Layer.from_config("image", "InputLayer", {"batch_shape": (None, *shape)}),
            Layer.from_config("column", "Reshape", {"target_shape": (-1, 1, 2)}, inputs=("image",)),
        ]
        for i, options in enumerate([{"strides": 2}, {"padding": "same", "dilation_rate": (3, 1)}]):
            config = {"filters": 2, "kernel_size": (3, 1), "use_bias": False, **options}
            kernel = {"kernel": np.ones((3, 1, 2, 2), np.float32)}
            before = (layers[-1].name,)
            layers.append(Layer.from_config(f"conv_{i}", "Conv2D", config, weights=kernel, inputs=before))
        layers.append(Layer.from_config("row", "Reshape", {"target_shape": (-1, 2)}, inputs=("conv_1",)))
        layers.append(Layer.from_config("softmax", "Softmax", {}, inputs=("row",)))
        return Network(layers)

    on_sequence, on_map = receptive_field(net(length, 2)), receptive_field(net(length, 1, 2))
    for name in ("conv_0", "conv_1", "row", "softmax"):
        ours, theirs = on_sequence[name], on_map[name]
        assert (ours.size, ours.stride, ours.padding) == tuple(
            values[:1] for values in (theirs.size, theirs.stride, theirs.padding)
        )
        assert ours.aligned
        place = {"row": 1, "col": 0} if name.startswith("conv") else {"unit": (1,)}
        assert ours.center(**place) == theirs.center(**place)[:1]
        if length is not None:
            for clip in (True, False):
                assert ours.box(**place, clip=clip) == theirs.box(**place, clip=clip)[:1]
    assert line(on_sequence["conv_1"]) == (15, 2, 6)
    assert "misaligned" not in str(on_sequence)


def test_the_rows_of_a_map_may_become_a_sequence() -> None:
    """Then every unit sees whole rows; without padding the closed form is exact."""
    layers = [
        Conv(2, filters=3),
        Reshape((7, 12), name="rows"),
        Reshape((7, 1, 12)),
        Conv((3, 1), filters=4, name="conv_1d"),
        Pool((2, 1), 1, name="pool_1d"),
        Reshape((4, 4), name="sequence"),
    ]
    fields = receptive_field(layers, (8, 5, 2))
    for name, size in (("conv_1d", (4, 5)), ("pool_1d", (5, 5)), ("sequence", (5, 5))):
        field = fields[name]
        assert (field.size, field.stride, field.padding, field.aligned) == (size, (1, 0), (0, 0), True)
        for row in range(field.shape[0] or 0):
            place = {"unit": (row, 0) if len(field.shape) == 3 else (row,)}
            assert field.box(**place) == field.box(**place, clip=False) == ((row, row + size[0] - 1), (0, 4))
            assert field.center(**place) == (row + (size[0] - 1) / 2, 2)
    for end in (GlobalPool(), Dense(3)):
        whole = last([*layers[:-1], end], (8, 5, 2))
        assert (whole.size, whole.stride, whole.padding) == ((8, 5), (0, 0), (0, 0))


def test_a_field_on_a_vector() -> None:
    table = receptive_field([Flatten(), Dense(3)], (2, 3, 1))
    field = table.between("dense", "flatten")
    assert (field.size, field.stride) == ((6,), (None,))
    assert field.box(unit=1) == ((0, 5),)
    assert field.cells(0, 1) == (0, 1, 2, 3, 4, 5)
    assert field.mask(unit=1).shape == (6,)
    assert table.between("flatten", "flatten").box(unit=4) == ((4, 4),)
    assert str(receptive_field([Dense(3)], (10,))).splitlines()[-1] == "dense  Dense  3       10    –       –"


# The table ------------------------------------------------------------------------------------------


def test_table_is_a_mapping_in_order() -> None:
    table = receptive_field([Conv(3), Conv(3, name="mine"), Conv(3)], 12)
    assert list(table) == ["input", "conv", "mine", "conv_1"]
    assert table[0].name == "input"
    assert table[-1] is table["conv_1"]
    assert "mine" in table
    assert "other" not in table
    assert len(table) == 4
    assert table["mine"].inputs == ("conv",)
    assert repr(table["mine"]) == "<ReceptiveField of mine: size 5, stride 1, padding 0>"


def test_table_as_text_html_and_data() -> None:
    table = receptive_field([Conv((3, 5), name="<a>"), Upsample((2, 1)), GlobalPool()], (6, 8, 1))
    assert str(table).splitlines() == [
        "layer        kind        output     size   stride   padding",
        "input        Input       6 x 8 x 1  1      1        0",
        "<a>          Conv        4 x 4 x ?  3 x 5  1        0",
        "upsample     Upsample    8 x 4 x ?  3 x 5  1/2 x 1  1/4 x 0",
        "global_pool  GlobalPool  ?          6 x 8  0        0",
    ]
    html = table._repr_html_()
    assert "<td>&lt;a&gt;</td><td>Conv</td>" in html
    assert html.count("<tr>") == 5
    rows = json.loads(json.dumps(table.rows()))
    assert rows[2] == {
        "name": "upsample",
        "kind": "Upsample",
        "output_shape": [8, 4, None],
        "size": [3, 5],
        "stride": ["1/2", 1],
        "padding": ["1/4", 0],
        "aligned": True,
    }


def test_the_first_of_several_inputs_is_looked_at() -> None:
    images = [Layer.from_config(name, "InputLayer", {"batch_shape": (None, 8, 8, 1)}) for name in "ab"]
    pool = Layer.from_config(
        "pool", "MaxPooling2D", {"pool_size": 3, "strides": 1, "padding": "same"}, inputs=("b",)
    )
    net = Network([*images, pool, Layer("sum", "Add", inputs=("a", "pool"))])
    assert receptive_field(net)["sum"].size == (1, 1)
    assert receptive_field(net, wrt="b")["sum"].size == (3, 3)
    assert receptive_field(net, {"a": (5, 5), "b": (5, 5)}, wrt="b")["sum"].shape == (5, 5, 1)
    with pytest.raises(KeyError, match="pool is not fed by a"):
        receptive_field(net)["pool"]
    with pytest.raises(ValueError, match="input_shape must be a mapping by name"):
        receptive_field(net, (5, 5))
    with pytest.raises(ValueError, match=r"input_shape names \['c'\]"):
        receptive_field(net, {"c": (5, 5)})


def test_two_hundred_layers_take_no_time_to_speak_of() -> None:
    """All paths of 60 joined blocks are 2**60: a table that walked them would not come back."""
    block = [Branches([Conv(1), Conv(3, padding="same"), Conv(1)], []), Identity()]
    field = last([Conv(7, 2, "same"), *(60 * block)], (224, 224))
    assert field.size == (7 + 60 * 4, 7 + 60 * 4)
    assert field.cells(0, 56)[0] == 0


# Errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda t: t["conv"].box(26, 0), IndexError, r"row 26 is outside 0 \.\. 25 of 'conv'"),
        (lambda t: t["conv"].box(0, -1), IndexError, r"column -1 is outside 0 \.\. 25"),
        (lambda t: t["conv"].box(3), ValueError, r"'conv' .* has a row and a col, got \(3, None\)"),
        (lambda t: t["flatten"].box(3, 4), ValueError, "has one index, unit"),
        (lambda t: t["flatten"].box(unit=1352), IndexError, r"unit 1352 is outside 0 \.\. 1351"),
        (lambda t: t["conv"].box(1.5, 0), TypeError, "row must be an int, got 1.5"),
        (lambda t: t["conv"].cells(2, 0), ValueError, "axis must be 0 or 1, got 2"),
        (lambda t: t["flatten"].center(), ValueError, "center needs one unit of 'flatten'"),
        (lambda t: t["cnov"], KeyError, "did you mean conv"),
        (lambda t: t.wrt("cnov"), KeyError, "did you mean conv"),
        (lambda t: t.between("conv", "flatten"), KeyError, "conv is not fed by flatten"),
    ],
)
def test_questions_that_do_not_fit(ask: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ask(receptive_field([Conv(3, filters=2), Flatten()], (28, 28)))


@pytest.mark.parametrize(
    ("layers", "input_shape", "error", "message"),
    [
        ([Conv(3), Conv(9)], (10, 10), ValueError, r"layer 'conv_1' \(Conv\): kernel of height 9"),
        ([Crop(5)], (10, 10), ValueError, "cropping must leave at least one cell"),
        ([Branches([Pool(2)], [])], (10, 10), ValueError, "layer 'add'.*shapes that broadcast"),
        ([Branches([Pool(2)], [], merge="concatenate")], (9, 9), ValueError, "agree in all but axis -1"),
        ([Reshape((3, 3, 1))], (2, 5, 1), ValueError, "must hold the 10 cells"),
        ([Reshape((3, 3, 1))], (3, 3), ValueError, "needs the number of channels"),
        ([Permute((1, 2))], (3, 3), ValueError, "dims must be 1 to 3"),
        ([Conv(3, groups=2, filters=4)], (8, 8, 3), ValueError, "groups=2 must divide the 3 input channels"),
        ([Flatten(), Conv(3)], (8, 8), ValueError, "its input must be a map"),
        ([Conv(3, name="a"), Pool(2, name="a")], (8, 8), ValueError, "names must be unique, got 'a' twice"),
        ([3], (8, 8), TypeError, r"net must be a LayerGraph or a sequence, each place a Spec, got \[3\]"),
        (Conv(3), (8, 8), TypeError, "net must be a LayerGraph or a sequence, each place a Spec, got Conv"),
        ([Conv(3)], (8, 0), ValueError, r"input_shape must be \(height, width\)"),
        ([Conv(3)], "8", ValueError, r"input_shape must be \(height, width\)"),
    ],
)
def test_networks_that_do_not_fit(
    layers: Any, input_shape: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        receptive_field(layers, input_shape)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Conv(0), "kernel_size must be at least 1.*, got 0"),
        (lambda: Conv(3, padding="full"), "padding must be 'valid', 'same' or"),
        (lambda: Upsample(2, "cubic"), "interpolation must be 'nearest' or 'bilinear', got 'cubic'"),
        (lambda: Branches([Conv(3)], merge="sum"), "merge must be one of add, .*, got 'sum'"),
        (lambda: Branches(), "needs at least one path"),
    ],
)
def test_specs_that_do_not_fit(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_a_networks_input_shape_must_fit_its_channels() -> None:
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match=r"must fit the network's input \(28, 28, 1\), got \(28, 28, 3\)"):
        receptive_field(net, (28, 28, 3))
    assert receptive_field(net, (32, 40))["flatten"].shape == (3 * 7 * 10,)


def test_units_that_see_padding_only_widen_no_column_of_others() -> None:
    """Behind a padding that a reshape folds into the columns of what is seen."""
    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 1, 2, 1)})
    padded = Layer.from_config("pad", "ZeroPadding2D", {"padding": ((0, 1), (0, 1))}, inputs=("image",))
    folded = Layer.from_config("fold", "Reshape", {"target_shape": (3, 2, 1)}, inputs=("pad",))
    field = receptive_field(Network([image, padded, folded]))["fold"]
    assert field.intervals(0).tolist() == [[0, 0], [0, -1], [0, -1]]
    assert field.intervals(1).tolist() == [[0, 0], [1, 1]]


def test_what_is_read_directly_is_of_one_axis_and_one_layer_below():
    fields = receptive_field([Conv((3, 1), (2, 1)), Pool(2)], (9, 4))
    assert fields.reads("conv", 0) == {"input": [(0, 1, 2), (2, 3, 4), (4, 5, 6), (6, 7, 8)]}
    assert fields.reads("conv", 1) == {"input": [(0,), (1,), (2,), (3,)]}
    assert fields.reads("pool", 1) == {"conv": [(0, 1), (2, 3)]}
    with pytest.raises(
        ValueError, match=r"axis must be one of pool's, \(2, 2, 1\), but not its channels, got 2"
    ):
        fields.reads("pool", 2)
