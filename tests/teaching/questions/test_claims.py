"""What the questions claim, over thousands of states: each reason holds in the state in which it is given.

A reason is found by the mistake that it answers; what it says of the state is computed here by another road.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from cnnviz import Network, load_mnist, load_model, ops
from cnnviz.concepts.activation_exchange import FUNCTIONS, function_named
from cnnviz.concepts.batch_normalization import normalizations
from cnnviz.concepts.partial_sums import has_partial_sums
from cnnviz.network.mistakes import SURE, Mistake
from cnnviz.receptive_fields import Conv, receptive_field
from cnnviz.teaching.questions import (
    activation_functions,
    batch_norm_and_dropout,
    convolution,
    epochs,
    feature_maps,
    kernels,
    one_by_one,
    pooling,
    scores_to_loss,
    three_by_three,
    try_it,
    why_convolution,
)
from cnnviz.teaching.questions import (
    receptive_field as fields,
)
from cnnviz.training.epoch_predictions import EpochPredictions
from harness.networks import conv, image
from harness.questions import one_is_right, whys

MODELS = ("mnist_14k", "mnist_maxpool")
IMAGES = load_mnist()[1][0]


def numbers(text: str) -> list[float]:
    """All numbers in a text."""
    plain = text.replace("−", "-").replace(",", "")
    return [float(n) for n in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", plain)]


def places(size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> list[int]:
    """Where a window begins, tried cell by cell."""
    reach = (kernel - 1) * dilation + 1
    return [at for at in range(-before, size + after, stride) if at + reach <= size + after]


def test_sizes():
    paddings = ["valid", "same", (0, 0), (1, 1), (2, 0), (3, 3)]
    for size, kernel, stride, dilation, padding in itertools.product(
        range(1, 12), range(1, 6), range(1, 5), range(1, 4), paddings
    ):
        reach = (kernel - 1) * dilation + 1
        if padding == "same":
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            ends = total // 2, total - total // 2
        else:
            ends = (0, 0) if padding == "valid" else padding
        if size + sum(ends) < reach:
            continue
        asked = convolution.output_size(size, kernel, stride=stride, padding=padding, dilation=dilation)
        one_is_right(asked)
        count = len(places(size, kernel, stride, dilation, *ends))
        said = whys(asked)
        assert asked.answer.text == str(count)
        if why := said.get("taking the output to be as large as the input"):
            assert ("fewer" if count < size else "more") in why
        if why := said.get("forgetting the padding"):
            assert numbers(why) == [sum(ends)]
        if why := said.get("the count of steps, not of places"):
            assert numbers(why) == [count - 1]
        if why := said.get("forgetting the dilation"):
            assert numbers(why) == [kernel, dilation, reach]
        if why := said.get("forgetting the stride"):
            assert numbers(why) == [stride]
            assert stride > 1
        if padding == "same":
            asked = convolution.same_sides(size, kernel, stride, dilation)
            one_is_right(asked)
            assert numbers(asked.answer.text) == list(ends)
            for mistake in ("half a kernel on each side, always", "one cell on each side, always"):
                if why := whys(asked).get(mistake):
                    assert f"{total} cell" in why or (total == 0 and "no cell" in why)


def test_pooled_sizes():
    for rows, cols, kernel, stride, padding in itertools.product(
        range(1, 10), (3, 8), range(1, 5), range(1, 5), ["valid", "same", ((1, 1), (1, 1))]
    ):
        try:
            out = ops.max_pool2d(np.zeros((rows, cols)), kernel, strides=stride, padding=padding).shape
        except ValueError:
            continue
        asked = pooling.output_size((rows, cols), kernel, strides=stride, padding=padding)
        one_is_right(asked)
        assert numbers(asked.answer.text) == list(out)
        assert f"= {out[0]} row" in asked.answer.why
        assert "as many columns" in asked.answer.why or f"= {out[1]} column" in asked.answer.why
        if why := whys(asked).get("the size kept"):
            assert ("fewer" if np.prod(out) < rows * cols else "more") in why
        if (why := whys(asked).get("dividing by the window")) and "apart" in why:
            assert numbers(why) == [stride]
            assert stride != kernel


def test_windows():
    rng = np.random.default_rng(0)
    for trial in range(500):
        x = rng.integers(-9, 9, (4, 5)).astype(float) if trial % 2 else rng.normal(size=(4, 5))
        kernel, stride = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        setting = {"strides": stride, "padding": ("valid", "same")[trial // 2 % 2]}
        cell = pooling.telling_window(x, kernel, **setting)
        if cell is None or kernel == 1:
            continue
        for ask in (pooling.winner, pooling.average):
            asked = ask(x, *cell, kernel, **setting)
            one_is_right(asked)
            values = numbers(asked.prompt.partition("holds")[2].partition("and")[0])
            if why := whys(asked).get("taking the median"):
                assert ("half-way" in why) == (len(values) % 2 == 0)
            if why := whys(asked).get("dividing by the padding too"):
                assert "padding" in asked.prompt
            if why := whys(asked).get("adding up only"):
                assert numbers(why) == [len(values)]


@pytest.mark.parametrize("model", MODELS)
def test_partial_sums_and_silent_channels(model):
    rng = np.random.default_rng(1)
    for digit in range(6):
        run = load_model(model).run(IMAGES[digit])
        for layer in run.network.layers:
            if not has_partial_sums(layer):
                continue
            rows, cols, channels = layer.output_shape
            for channel in rng.integers(channels, size=8).tolist():
                row, col = int(rng.integers(rows)), int(rng.integers(cols))
                asked = feature_maps.value_from_partial_sums(run, layer.name, channel, row, col)
                one_is_right(asked)
        for name in [layer.name for layer in run.network.layers if len(layer.output_shape) == 3]:
            for channel in range(run[name].shape[-1]):
                try:
                    asked = feature_maps.maps_that_change(run, name, channel)
                except ValueError:
                    break
                one_is_right(asked)
                silent = not run[name][0, ..., channel].any()
                assert all(
                    ("On this image nothing changes" in whys(asked).get(mistake, "")) == silent
                    for mistake in ("", "a single channel does not matter")
                    if mistake in whys(asked)
                )


def test_shifted_logits_and_halved_probabilities():
    rng = np.random.default_rng(2)
    for scale in (0.0, 0.1, 1, 10, 100):
        for _ in range(120):
            logits = rng.normal(0, scale, 10) if scale else np.zeros(10)
            target = int(rng.integers(10))
            asked = scores_to_loss.shifted_logits(logits, target, float(rng.choice([5, -3, 0.5])))
            one_is_right(asked)
            # Adding to all changes nothing, so the loss before is the loss after, digit for digit.
            assert f"The loss for {target} is {asked.answer.text}. Now" in asked.prompt
            chance = float(np.exp(logits - logits.max())[target] / np.exp(logits - logits.max()).sum())
            asked = scores_to_loss.halved_probability(max(chance, 1e-300))
            one_is_right(asked)
            assert asked.answer.text == "0.693 more"


def test_receptive_fields():
    for size, step, kernel in itertools.product(range(1, 9), range(1, 5), range(2, 6)):
        field = receptive_field([Conv(size, strides=step)], (size + 9 * step,) * 2)["conv"]
        asked = fields.one_more_layer(field, kernel)
        one_is_right(asked)
        seen = {at * step + k for at in range(kernel) for k in range(size)}
        assert numbers(asked.answer.text) == [max(seen) - min(seen) + 1]
        if why := whys(asked).get("multiplying sizes as if fields did not overlap"):
            assert ("overlap" in why) == (step < size)
        asked = fields.shared_pixels(field)
        one_is_right(asked)
        assert numbers(asked.answer.text) == [len(set(range(size)) & set(range(step, step + size)))]
        if why := whys(asked).get("taking what is new for what is shared"):
            new = len(set(range(step, step + size)) - set(range(size)))
            assert (new == step) == ("the next one sees" in why)


@pytest.mark.parametrize("name", normalizations(load_model("mnist_14k")))
def test_a_louder_channel(name):
    net = load_model("mnist_14k")
    layer = net[name]
    rng = np.random.default_rng(3)
    batch = net.run(IMAGES[:8]).inputs(name)[0].copy()
    batch[..., 1] = 0.25
    epsilon = layer.config["epsilon"]
    for channel in range(batch.shape[-1]):
        for _ in range(10):
            row, col = (int(rng.integers(side)) for side in batch.shape[1:3])
            asked = batch_norm_and_dropout.louder_input(layer, batch, row=row, col=col, channel=channel)
            one_is_right(asked)
            variance = float(batch[..., channel].var(dtype=float))
            if not variance:
                assert "the same number everywhere" in asked.answer.why
                continue
            (times,) = re.findall(r"lies ([\d.e+]+) times", asked.answer.why)
            expected = 10 * np.sqrt((variance + epsilon) / (100 * variance + epsilon))
            assert float(times) == pytest.approx(expected, rel=0.02)
            assert ("hardly matters" in asked.answer.why) == (float(times) < 1.05)


def test_a_function_twice():
    rng = np.random.default_rng(4)
    for name in FUNCTIONS:
        for sample in range(60):
            values = rng.normal((-1, 0, 1, 4)[sample % 4], (0.1, 1, 3)[sample % 3], 60).astype(np.float32)
            values = values if sample % 5 else np.abs(values)
            function = function_named(name)
            asked = activation_functions.applied_twice("conv", function, values)
            one_is_right(asked)
            once, wide = function(values), function(np.linspace(-6, 6, 999))
            assert numbers(asked.answer.text)[0] == (function(once) != once).sum()
            if "is of no use" in asked.answer.why:
                np.testing.assert_array_equal(function(wide), wide)


def test_kernels():
    rng = np.random.default_rng(5)
    for trial in range(800):
        shape = tuple(rng.integers(1, 6, 2))
        kernel = rng.integers(-2, 3, shape) if trial % 2 else rng.normal(size=shape)
        asked = kernels.on_a_plain_area(kernel)
        one_is_right(asked)
        assert numbers(asked.answer.text)[0] == pytest.approx(0.6 * kernel.sum(), rel=1e-3, abs=1e-9)
        if "only the middle weight counts" in whys(asked):
            assert shape[0] % 2
            assert shape[1] % 2
    for size in range(1, 12):
        one_is_right(kernels.twice_in_a_row(size))


def test_training():
    for images, size, count in itertools.product([1, 2, 3, 7, 64, 65], [1, 2, 3, 64, 65, 100], [1, 2, 3]):
        asked = epochs.weight_changes(images, size, count)
        one_is_right(asked)
        if why := whys(asked).get("leaving out the last, smaller batch"):
            rest = len(range(0, images, size)) and images % size
            assert ("The last image" in why) == (rest == 1)
    rng = np.random.default_rng(6)
    for trial in range(600):
        rows = (rng.random((3, 6)) < (0.2, 0.5, 0.9)[trial % 3]).astype(np.uint8)
        found = EpochPredictions("net", np.zeros(6, np.uint8), rows, {}, {}, 0)
        asked = epochs.forgotten(found, trial % 2)
        one_is_right(asked)
        then, now = rows[trial % 2] == 0, rows[-1] == 0
        lost, gained = (then & ~now).sum(), (~then & now).sum()
        assert numbers(asked.answer.text) == [lost]
        for mistake in ("", "seeing only the difference of two counts", "miscounting"):
            if why := whys(asked).get(mistake):
                assert f"{gained} became right and {lost} became wrong" in why
        if why := whys(asked).get("taking every mistake at the end for something forgotten"):
            assert numbers(why) == [(~then & ~now).sum(), (~now).sum()]


def test_mistakes_and_how_sure_they_were():
    rng = np.random.default_rng(7)
    for trial in range(500):
        found = [
            Mistake(k, 1, ((2, rng.choice([0.5, 0.95])), (int(rng.integers(0, 2)), 0.04)))
            for k in range(1 + trial % 5)
        ]
        asked = try_it.how_sure_it_was(found, 100)
        one_is_right(asked)
        sure = sum(one.ranked[0][1] >= SURE for one in found)
        assert numbers(asked.answer.text) == [sure]
        if why := whys(asked).get("that a network is sure of whatever it says"):
            second = sum(one.ranked[1][0] == one.label for one in found)
            assert numbers(why) == [len(found) - sure, second, len(found)]


def test_moves_and_weights():
    for size, stride, pixels in itertools.product((1, 2, 3), (1, 2, 3, 4), range(1, 7)):
        net = Network([image(20, 20, 1), conv("conv", "image", 1, 2, size, strides=stride)])
        side = net["conv"].output_shape[0]
        if pixels / stride >= side:
            continue
        asked = why_convolution.how_far_a_map_moves(net, "conv", pixels)
        one_is_right(asked)
        assert numbers(asked.answer.text)[0] == pytest.approx(pixels / stride, rel=1e-5)
        for mistake in ("maps have the image's pixels", "every layer halves its maps"):
            if why := whys(asked).get(mistake):
                assert f"{stride} pixel" in why
    rng = np.random.default_rng(8)
    for _ in range(100):
        groups, each, out, kernel = (int(n) for n in rng.integers(1, 4, 4))
        layers = [
            image(6, 7, groups * each),
            conv("conv", "image", each, groups * out, kernel, groups=groups),
        ]
        layer = Network(layers)["conv"]
        asked = convolution.parameters(layer)
        one_is_right(asked)
        assert asked.answer.text == f"{sum(w.size for w in layer.weights.values()):,}"
        assert f"on {groups * each} input channel" in asked.prompt


def test_one_by_one_and_stacks():
    rng = np.random.default_rng(9)
    for trial in range(300):
        channels, filters = (int(n) for n in rng.integers(1, 5, 2))
        rows, cols = (int(n) for n in rng.integers(1, 5, 2))
        net = Network([image(rows, cols, channels), conv("mix", "image", channels, filters, 1)])
        layer = net["mix"]
        if trial % 3 == 0:
            layer = net.with_weights({"mix/kernel": np.zeros((1, 1, channels, filters), np.float32)})["mix"]
        x = rng.normal(size=(rows, cols, channels))
        if trial % 3:
            one_is_right(one_by_one.numbers_that_change(layer, x, rows - 1, 0))
        one_is_right(one_by_one.weights_on_larger_maps(layer))
        one_is_right(one_by_one.shape_that_comes_out(1 + rows, channels, filters))
        one_is_right(one_by_one.weights_for_planes(rows, cols, channels))
    for depth, size in itertools.product(range(1, 7), range(2, 8)):
        one_is_right(three_by_three.how_far_a_stack_sees(depth, size))
        if depth > 1:
            one_is_right(three_by_three.saving_with_more_channels(depth, size))
