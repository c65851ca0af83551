"""Dropout and noise in training: what is drawn, what comes of it, and what comes back through it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnviz.layers import ENTRIES
from cnnviz.layers.draws import Draws, generator, kept
from cnnviz.layers.dropout import SELU_ALPHA, SELU_SCALE, NoiseEntry
from cnnviz.network import Network
from cnnviz.network.run import training_pass
from harness.gradient_ops import check_finite_differences
from harness.networks import attention, conv, image, layer, normal

NOISES = {kind: entry for kind, entry in ENTRIES.items() if isinstance(entry, NoiseEntry)}
SHAPE = {3: (5, 4), 4: (6, 5, 4), 5: (3, 4, 5, 2)}


def network(kind, dtype=np.float32, **config):
    """A layer behind a weight, so that there is a network to train."""
    shape = SHAPE[NOISES[kind].rank or 4]
    scale = layer("scale", "LayerScale", "image", weights={"gamma": normal(shape[-1])})
    name = "stddev" if "stddev" in NOISES[kind].options else "rate"
    noise = layer("noise", kind, "scale", **({name: 0.25} | config))
    return Network([image(*shape), scale, noise]).astype(dtype)


def drawn(net, count=3, seed=0, masks=None):
    x = normal(count, *net.input_shape).astype(net.dtype)
    return training_pass(net, x, Draws(seed, 0, masks))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.93, 1.0])
def test_as_many_numbers_are_kept_as_the_rate_says(rate):
    """The count is binomial: six standard deviations are left out in two of a billion draws."""
    count = 200_000
    found = kept(np.random.default_rng(1), (count,), rate).sum()
    assert abs(found - count * (1 - rate)) <= 6 * math.sqrt(count * rate * (1 - rate)) + 1e-4
    assert kept(np.random.default_rng(1), (3, 5, 7), rate).shape == (3, 5, 7)


def test_neighbours_are_kept_independently_of_each_other():
    """Pairs of neighbours, of rows and of images agree as often as chance has it."""
    mask = kept(np.random.default_rng(2), (300, 30, 30), 0.5)
    for pairs in (mask[:, :, 1:] == mask[:, :, :-1], mask[:, 1:] == mask[:, :-1], mask[1:] == mask[:-1]):
        assert abs(pairs.mean() - 0.5) < 6 * 0.5 / math.sqrt(pairs.size)


def test_draws_differ_by_seed_step_and_name_and_are_the_same_again():
    def numbers(*key):
        return generator(*key).random(4).tolist()

    keys = [(0, 0, "a"), (1, 0, "a"), (0, 1, "a"), (0, 0, "b")]
    assert len({tuple(numbers(*key)) for key in keys}) == 4
    assert numbers(0, 0, "a") == numbers(0, 0, "a")


@pytest.mark.parametrize("kind", NOISES)
def test_mean_and_variance_are_kept_as_their_papers_say(kind):
    """Over 20,000 images: the mean of what comes out is what went in, within six standard errors."""
    shape = SHAPE[NOISES[kind].rank or 4]
    net = network(kind)
    x = np.broadcast_to(normal(*shape).astype(np.float32), (20_000 // math.prod(shape) * 8, *shape))
    run = training_pass(net, x, Draws(3))
    out, read = run["noise"].astype(np.float64), run["scale"][0].astype(np.float64)
    if kind == "AlphaDropout":
        # Of a network in self-normalisation: what is 0 on average, with variance 1, stays so.
        wide = np.random.default_rng(0).normal(size=(2000, *shape)).astype(np.float32)
        wide = training_pass(net.with_weights({"scale/gamma": np.ones(shape[-1])}), wide, Draws(3))["noise"]
        assert abs(wide.mean()) < 6 / math.sqrt(wide.size)
        assert abs(wide.var() - 1) < 6 * 3 / math.sqrt(wide.size)
        return
    error = out.std(axis=0) / math.sqrt(len(out)) + 1e-6
    assert (np.abs(out.mean(axis=0) - read) <= 6 * error).all()


@pytest.mark.parametrize("kind", NOISES)
def test_what_is_dropped_is_dropped_and_the_rest_is_scaled(kind):
    net = network(kind)
    run = drawn(net)
    read, out = run["scale"], run["noise"]
    if "stddev" in NOISES[kind].options or kind == "GaussianDropout":
        assert (out != read).mean() > 0.99
        return
    if kind == "AlphaDropout":
        low = -SELU_ALPHA * SELU_SCALE
        a = ((1 - 0.25) * (1 + 0.25 * low**2)) ** -0.5
        dropped = np.isclose(out, a * low - a * low * 0.25, atol=1e-6)
        np.testing.assert_allclose(out[~dropped], (a * read - a * low * 0.25)[~dropped], atol=1e-6)
    else:
        dropped = out == 0
        np.testing.assert_array_equal(out[~dropped], (read * np.float32(4 / 3))[~dropped])
    assert 0.05 < dropped.mean() < 0.6
    axes = tuple(range(1, read.ndim - 1))
    if kind.startswith("Spatial"):
        assert (dropped.all(axis=axes) | ~dropped.any(axis=axes)).all()
    elif kind == "Dropout":
        assert not (dropped.all(axis=axes) | ~dropped.any(axis=axes)).all()


@pytest.mark.parametrize("kind", NOISES)
def test_gradients_are_slopes_of_what_was_drawn(kind):
    net = network(kind, np.float64)
    run = drawn(net)
    weights = normal(*run["noise"].shape, seed=9)
    (gradient,) = run.gradient("noise", weights=weights).wrt_weights.values()
    x = np.asarray(run.input)

    def forward(gamma):
        return training_pass(net.with_weights({"scale/gamma": gamma}), x, Draws(0))["noise"]

    check_finite_differences(forward, [net["scale"].weights["gamma"]], 0, gradient, weights)


@pytest.mark.parametrize("kind", [*NOISES, "BatchNormalization"])
def test_one_number_of_a_training_run_is_taken_apart_with_what_was_drawn_for_its_image(kind):
    if kind == "BatchNormalization":
        ones = {name: 1 + 0.1 * np.arange(4) for name in ENTRIES[kind].weights}
        net = Network(
            [
                image(6, 5, 4),
                conv("conv", "image", 4, 4),
                layer("noise", kind, "conv", weights=ones),
            ]
        )
    else:
        net = network(kind)
    run = drawn(net)
    for index in (0, 2):
        place = tuple(size // 2 for size in run["noise"].shape[1:])
        assert taken_apart(run, "noise", index, place) == pytest.approx(
            float(run["noise"][(index, *place)]), rel=8 * 2**-23, abs=8 * 2**-23
        )


def taken_apart(run, name, index, place):
    """The sum of a number's products and its bias."""
    one = layer_of_image(run, name, index)
    operands = one.entry.operands(one, [x[index] for x in run.inputs(name)], place)
    return float((operands.factor * operands.weight).sum() + operands.bias)


def layer_of_image(run, name, index):
    """A layer as it computed one image alone."""
    return run.network[name].entry.of_images(run.network[name], slice(index, index + 1))


def test_masks_can_be_handed_in_with_axes_of_length_1():
    net = network("Dropout")
    channels = np.array([True, False, True, True])
    run = drawn(net, masks={"noise": channels})
    assert not run["noise"][..., 1].any()
    assert run["noise"][..., [0, 2, 3]].all()
    with pytest.raises(ValueError, match=r"what noise is to draw must have shape \(3, 6, 5, 4\), got \(7,\)"):
        drawn(net, masks={"noise": np.ones(7)})


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
        ("GroupQueryAttention", {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2}),
        ("Attention", {"score_mode": "concat", "use_scale": True}),
        ("AdditiveAttention", {}),
    ],
)
def test_shares_of_attention_are_dropped_in_training_alone(kind, config):
    """Slopes of what was drawn; with all shares kept, or none, what that comes to."""
    read = layer("read", "LayerScale", "image", weights={"gamma": normal(6)})
    last = attention("last", kind, "image", "read", shape=(5, 6), dropout=0.4, **config)
    net = Network([image(5, 6), read, last]).astype(np.float64)
    x = normal(3, 5, 6)
    runs = [training_pass(net, x, Draws(0, 0, masks)) for masks in (None, {"last": True}, {"last": False})]
    assert not np.allclose(runs[0]["last"], net.run(x)["last"])
    if kind in ("Attention", "AdditiveAttention"):
        np.testing.assert_allclose(runs[1]["last"], net.run(x)["last"] / 0.6, rtol=1e-12)
        assert not runs[2]["last"].any()
    weights = normal(*runs[0]["last"].shape, seed=4)
    for key, gradient in runs[0].gradient("last", weights=weights).wrt_weights.items():

        def forward(array, key=key):
            return training_pass(net.with_weights({key: array}), x, Draws(0))["last"]

        name, weight = key.split("/")
        check_finite_differences(forward, [net[name].weights[weight]], 0, gradient, weights)
    alone = layer_of_image(runs[0], "last", 1)
    one = alone.before_activation(*(each[1:2] for each in runs[0].inputs("last")))
    np.testing.assert_allclose(one[0], runs[0]["last"][1], rtol=0, atol=1e-14)
