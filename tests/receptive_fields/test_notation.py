"""Architectures against published tables, stacks in words, and the recurrence layer by layer."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnviz
from cnnviz.receptive_fields import (
    Branches,
    Conv,
    Dense,
    Flatten,
    Pool,
    ReceptiveFields,
    TransposedConv,
    Upsample,
    receptive_field,
)
from cnnviz.receptive_fields.architectures import ARCHITECTURES, dilated_stack, resnet50, vgg16
from cnnviz.receptive_fields.notation import StackLayer, parse_stack, stack_specs, write_stack
from cnnviz.receptive_fields.recurrence import recurrence

# Architectures: google-research/receptive_field's table for VGG-16 and ResNet v1 50 (its size and stride;
# the padding of that ResNet is another), Yu and Koltun's table 1 for the context module.


@pytest.mark.parametrize(
    ("layer", "size", "stride", "padding"),
    [
        ("conv1_1", 3, 1, 1),
        ("pool1", 6, 2, 2),
        ("pool2", 16, 4, 6),
        ("pool3", 44, 8, 18),
        ("conv4_1", 60, 8, 26),
        ("pool4", 100, 16, 42),
        ("pool5", 212, 32, 90),
    ],
)
def test_vgg16(layer: str, size: int, stride: int, padding: int) -> None:
    field = receptive_field(vgg16(), 224)[layer]
    assert (field.size, field.stride, field.padding) == ((size,) * 2, (stride,) * 2, (padding,) * 2)


def test_resnet50() -> None:
    fields = receptive_field(resnet50(), 224)
    ends = [fields[f"conv{stage}_block{k}"] for stage, k in ((2, 3), (3, 4), (4, 6), (5, 3))]
    assert [field.size[0] for field in ends] == [35, 99, 291, 483]
    assert [field.stride[0] for field in ends] == [4, 8, 16, 32]
    assert [field.shape[0] for field in ends] == [56, 28, 14, 7]
    assert all(field.aligned for field in ends)
    # 3 of conv1, 2 of pool1, and of each 3x3 convolution its stride.
    assert fields["conv5_block3"].padding == (3 + 2 + 3 * 4 + 4 * 8 + 6 * 16 + 3 * 32,) * 2


def test_the_dilated_stack() -> None:
    fields = receptive_field(dilated_stack(), 64)
    assert [field.size[0] for field in fields.values()][1:] == [3, 5, 9, 17, 33, 65, 67, 67]
    assert {field.stride for field in fields.values()} == {(1, 1)}


# Words ------------------------------------------------------------------------------------------

sizes = st.integers(1, 99)
layers = st.one_of(
    st.builds(StackLayer, st.just("conv"), sizes, sizes, sizes, st.sampled_from(["valid", "same", "0", "7"])),
    st.builds(StackLayer, st.just("transposed"), sizes, st.integers(1, 2), sizes, st.just("same")),
    st.builds(StackLayer, st.just("pool"), sizes, sizes, st.just(1), st.sampled_from(["valid", "same"])),
    st.builds(StackLayer, st.just("bottleneck"), sizes, sizes, sizes, st.just("same")),
)


@given(st.lists(layers, min_size=1, max_size=4))
def test_words_say_all_there_is_to_say(stack: list[StackLayer]) -> None:
    text = ".".join(map(str, stack))
    assert parse_stack(text) == stack
    assert write_stack(stack) == write_stack([layer.spec() for layer in stack]) == text


def test_architectures_keep_their_names() -> None:
    assert stack_specs(write_stack(vgg16()))[-1].name == "pool5"
    assert [spec.name for spec in stack_specs("conv3.bottleneck3s2")] == ["conv 1", "bottleneck 2"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures_in_words_see_what_they_see(name: str) -> None:
    specs = ARCHITECTURES[name]()
    again = [layer.spec() for layer in parse_stack(write_stack(specs))]
    for size in (224, 321):
        last, same = (receptive_field(made, size)[-1] for made in (specs, again))
        assert (last.size, last.stride, last.padding, last.shape) == (
            same.size,
            same.stride,
            same.padding,
            same.shape,
        )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a layer is written like"),
        ("conv", "a layer is written like"),
        ("conv3.<b>", "a layer is written like conv3, pool2 or conv3s2d2same, got '<b>'"),
        ("dense3", "kind must be one of conv, pool, transposed, bottleneck, got 'dense'"),
        ("conv0", "kernel must be an int from 1 to 99, got 0"),
        ("conv3s100", "stride must be an int from 1 to 99, got 100"),
        ("pool2d2", "a pool has no dilation, got 2"),
        ("pool2p2", "a pool's padding must be smaller than its window of 2, got 2"),
        ("bottleneck3p1", "a bottleneck's padding is 'same', got '1'"),
        (".".join(["conv3"] * 101), "at most 100 layers"),
        (".".join(["transposed2s8"] * 3), "at most 64 times, got 3 and 512"),
    ],
)
def test_what_is_no_stack_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_stack(text)


@pytest.mark.parametrize(
    "spec",
    [
        Conv((3, 5)),
        Conv(3, padding=((0, 1), (0, 1))),
        Flatten(),
        Upsample(2),
        Branches([Conv(3)], []),
        Branches([Conv(1), Conv(3), Conv(1)], []),
    ],
)
def test_specs_without_a_word_are_refused(spec: object) -> None:
    with pytest.raises(ValueError, match="there is no word for"):
        write_stack([spec])  # type: ignore[list-item]


# The recurrence ---------------------------------------------------------------------------------


def check(fields: ReceptiveFields) -> None:
    for step in recurrence(fields):
        for axis in (0, 1):
            k, s, p = (pair[axis] for pair in (step.local.size, step.local.stride, step.local.padding))
            j = step.before.stride[axis]
            assert step.after.size[axis] == step.before.size[axis] + (k - 1) * j
            assert step.after.stride[axis] == s * j
            assert step.after.padding[axis] == step.before.padding[axis] + p * j


def test_the_recurrence_of_the_bundled_network() -> None:
    fields = cnnviz.receptive_field(cnnviz.load_model("mnist_14k"))
    steps = recurrence(fields)
    assert [step.after.size[0] for step in steps] == [3, 5, 5, 6, 10, 14, 18, 22, 28]
    assert [step.local.size[0] for step in steps] == [3, 3, 1, 2, 3, 3, 3, 3, 4]
    assert [step.before.stride[0] for step in steps] == [1, 1, 1, 1, 2, 2, 2, 2, 2]
    assert steps[0].layer == "conv2d"
    check(fields)


@pytest.mark.parametrize("size", [224, 321])
@pytest.mark.parametrize("make", [vgg16, dilated_stack])
def test_the_recurrence_holds(make: type, size: int) -> None:
    check(receptive_field(make(), size))


def test_the_recurrence_of_dilation_rectangles_and_pools() -> None:
    specs = [Conv((3, 5), (2, 1), "same", (2, 3)), Pool((2, 3)), Conv(2, padding=((1, 0), (0, 1)))]
    check(receptive_field([*specs, Flatten(), Dense()], (40, 61)))


def test_joins_and_vectors_have_no_step() -> None:
    fields = receptive_field([Conv(3), Branches([Conv(3, padding="same")], []), Flatten()], 9)
    assert [step.layer for step in recurrence(fields)] == ["conv", "conv_1"]


def test_a_transposed_convolution_steps_by_a_fraction() -> None:
    (step,) = recurrence(receptive_field([TransposedConv(4, 2, "same")], 8))
    assert step.local.size == (2, 2)
    assert step.after.stride == (Fraction(1, 2),) * 2
