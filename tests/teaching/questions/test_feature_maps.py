"""Questions about feature maps: one answer is right, and the run or a changed network says the same."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Layer, Network, load_mnist, load_model
from cnnviz.channels.ablation import next_reader
from cnnviz.concepts.partial_sums import has_partial_sums, partial_sums
from cnnviz.numbers import signed_number
from cnnviz.teaching.questions import feature_maps as questions
from harness.questions import one_is_right


@pytest.fixture(scope="module", params=["mnist_14k", "mnist_maxpool"])
def run(request):
    return load_model(request.param).run(load_mnist()[1][0][:1])


def cells(run):
    """A layer, channel and cell at a time: the strongest cells, and some that are silent or negative."""
    rng = np.random.default_rng(0)
    for layer in run.network.layers:
        if has_partial_sums(layer):
            rows, cols, channels = layer.output_shape
            for channel in {0, channels - 1}:
                strongest = np.unravel_index(run[layer.name][0, ..., channel].argmax(), (rows, cols))
                yield layer.name, channel, *map(int, strongest)
                yield layer.name, channel, int(rng.integers(rows)), int(rng.integers(cols))


def test_the_value_is_what_the_map_holds(run):
    for layer, channel, row, col in cells(run):
        found = questions.value_from_partial_sums(run, layer, channel, row, col)
        taken = partial_sums(run, layer, channel)
        total = float(taken.parts[row, col].sum(dtype=float)) + taken.bias
        again = run.network[layer].after_activation(np.array(total, np.float32))
        assert found.answer.text == signed_number(run[layer][0, row, col, channel])
        assert run[layer][0, row, col, channel] == pytest.approx(float(again), rel=1e-4, abs=1e-4)
        one_is_right(found)


def test_a_wrong_choice_is_the_number_that_its_mistake_gives(run):
    for layer, channel, row, col in cells(run):
        found = questions.value_from_partial_sums(run, layer, channel, row, col)
        taken = partial_sums(run, layer, channel)
        parts = taken.parts[row, col].astype(float)
        for choice in found.choices:
            expected = {
                "leaving out the bias": parts.sum(),
                "the strongest input channel decides": parts[np.abs(parts).argmax()] + taken.bias,
                "a convolution averages its input channels": parts.mean() + taken.bias,
                "leaving out the activation": taken.value[row, col],
                "the activation takes the magnitude": abs(taken.value[row, col]),
                "the activation is applied to each partial sum": run.network[layer]
                .after_activation(np.append(parts, taken.bias))
                .sum(),
            }.get(choice.misconception)
            assert expected is None or choice.text == signed_number(float(expected))


def test_of_a_single_partial_sum_and_a_small_bias_there_are_choices_enough():
    run = load_model("mnist_maxpool").run(load_mnist()[1][0][:1])
    found = partial_sums(run, "conv2d", 13)
    row, col = map(int, np.unravel_index(found.value.argmin(), found.value.shape))
    choices = questions.value_from_partial_sums(run, "conv2d", 13, row, col).choices
    assert "the activation takes the magnitude" in [choice.misconception for choice in choices]
    assert len(choices) >= 3


def test_the_maps_that_can_change_do_change_on_some_input(run):
    net = run.network
    rng = np.random.default_rng(4)
    for layer in net.layers:
        reader = next_reader(net, layer.name)
        if reader is None or not layer.inputs or len(layer.output_shape) != 3:
            continue
        channel = layer.output_shape[-1] - 1

        def fill(maps):
            return rng.random(maps.shape) + 0.5

        def silence(maps, channel=channel):
            maps[..., channel] = 0
            return maps

        state = rng.bit_generator.state
        whole = net.run(run.input, edits={layer.name: fill}).pre_activation(reader.name)
        rng.bit_generator.state = state
        off = net.run(run.input, edits={layer.name: lambda maps: silence(fill(maps))})
        differs = (whole != off.pre_activation(reader.name)).reshape(-1, whole.shape[-1]).any(axis=0)
        found = questions.maps_that_change(run, layer.name, channel)
        assert int(found.answer.text) == differs.sum()
        assert len(found.choices) >= 3


def test_with_groups_only_the_groups_maps_change():
    rng = np.random.default_rng(0)
    weights = {"kernel": rng.standard_normal((3, 3, 2, 6)).astype("float32")}
    config = {"filters": 6, "kernel_size": 3, "groups": 2, "use_bias": False}
    net = Network(
        [
            Layer.from_config("image", "InputLayer", {"batch_shape": (None, 8, 8, 4)}),
            Layer.from_config("relu", "ReLU", {}, inputs=("image",)),
            Layer.from_config("conv", "Conv2D", config, weights=weights, inputs=("relu",)),
        ]
    )
    run = net.run(rng.random((1, 8, 8, 4)))
    for channel in range(4):
        asked = questions.maps_that_change(run, "relu", channel)
        assert asked.answer.text == "3"
        one_is_right(asked)
        assert any("3 of the 6 outputs read" in choice.why for choice in asked.choices)
    found = questions.value_from_partial_sums(run, "conv", 5, 2, 2)
    assert found.answer.text == signed_number(run["conv"][0, 2, 2, 5])


def test_what_cannot_be_asked_is_refused():
    net = load_model("mnist_14k")
    run = net.run(np.zeros((28, 28)))
    with pytest.raises(ValueError, match="layer must be one of Conv2D"):
        questions.value_from_partial_sums(run, "max_pooling2d", 0, 0, 0)
    with pytest.raises(ValueError, match="layer must have a Conv2D or Dense layer behind it"):
        questions.maps_that_change(run, "conv2d_7", 0)
