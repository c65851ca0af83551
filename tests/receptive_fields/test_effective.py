"""The effective receptive field against closed forms, finite differences and hand-made maps."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network
from cnnviz.receptive_fields import EffectiveReceptiveField, effective_receptive_field
from cnnviz.receptive_fields.effective import change_of_spread
from cnnviz.training.history import read_history


@pytest.fixture(scope="module")
def net() -> Network:
    return cnnviz.load_model("mnist_14k")


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return cnnviz.load_mnist()[1][0]


def stack(depth: int, side: int | None, padding: str = "valid", channels: int = 1) -> Network:
    """3x3 layers of equal weights, without activations."""
    layers = [Layer.from_config("image", "InputLayer", {"batch_shape": (None, side, side, channels)})]
    for k in range(depth):
        kernel = np.full((3, 3, channels if k == 0 else 1, 1), 1 / 9)
        config = {"filters": 1, "kernel_size": 3, "use_bias": False, "padding": padding}
        weights = {"kernel": kernel}
        layers.append(
            Layer.from_config(f"conv_{k}", "Conv2D", config, weights=weights, inputs=(layers[-1].name,))
        )
    return Network(layers)


def made(array: np.ndarray, box: tuple[tuple[int, int], tuple[int, int]]) -> EffectiveReceptiveField:
    return EffectiveReceptiveField("conv", ((0, 0),), None, np.asarray(array, float), box, 1)


@pytest.mark.parametrize(("depth", "size", "sigma"), [(1, 3, 0.816), (10, 21, 2.582), (40, 81, 5.164)])
def test_equal_weights_spread_as_a_sum_of_uniform_steps(depth: int, size: int, sigma: float) -> None:
    side = 2 * size + 1
    image = np.random.default_rng(0).normal(size=(1, side, side, 1))
    found = effective_receptive_field(stack(depth, side), f"conv_{depth - 1}", image)
    # A uniform step over 3 cells has the variance (3**2 - 1)/12; steps of independent layers add up.
    assert found.sigma == pytest.approx((np.sqrt(depth * (9 - 1) / 12),) * 2, rel=1e-9)
    assert found.sigma[0] == pytest.approx(sigma, abs=5e-4)
    assert [last - first + 1 for first, last in found.box] == [size, size]
    assert found.map.sum() == pytest.approx(1)


def test_the_map_is_the_mean_magnitude_of_finite_differences(net: Network) -> None:
    exact = net.astype(np.float64)
    # Noise: in a digit's flat parts, pooled cells tie, and there is no derivative to compare with.
    images = np.random.default_rng(1).random((3, 28, 28))
    found = effective_receptive_field(exact, "conv2d_4", images, row=3, col=4)
    assert found.map.dtype == np.float64
    step = 1e-6
    for row, col in [(14, 16), (12, 15), (10, 12), (18, 20), (0, 0)]:
        ends = []
        for sign in (1, -1):
            moved = images.copy()
            moved[:, row, col] += sign * step
            ends.append(exact.run(moved)["conv2d_4"][:, 3, 4].sum(axis=-1))
        wanted = np.abs((ends[0] - ends[1]) / (2 * step)).mean()
        # The network is piecewise linear, so that only rounding is left: 1e-16 times values of order 1.
        assert found.map[row, col] == pytest.approx(wanted, abs=1e-8)
    assert found.map[14, 16] > 0


def test_batches_do_not_matter(net: Network, digits: np.ndarray) -> None:
    whole = effective_receptive_field(net, "conv2d_3", digits[:7])
    parts = effective_receptive_field(net, "conv2d_3", digits[:7], batch_size=3)
    singles = [effective_receptive_field(net, "conv2d_3", digit).map for digit in digits[:7]]
    np.testing.assert_allclose(parts.map, whole.map, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(np.mean(singles, axis=0), whole.map, rtol=1e-5, atol=1e-9)
    assert whole.images == parts.images == 7


def test_magnitudes_of_colours_are_summed() -> None:
    grey = effective_receptive_field(stack(2, 9), "conv_1", np.zeros((1, 9, 9)))
    colour = effective_receptive_field(stack(2, 9, channels=3), "conv_1", np.zeros((1, 9, 9, 3)))
    np.testing.assert_allclose(colour.map, 3 * grey.map)


@pytest.mark.parametrize(
    ("layer", "units"),
    [
        ("conv2d_7", ((0, 0),)),
        ("conv2d_6", ((1, 1), (1, 2), (2, 1), (2, 2))),
        ("flatten", ()),
    ],
)
def test_the_central_units_are_the_default(
    net: Network, digits: np.ndarray, layer: str, units: tuple[tuple[int, int], ...]
) -> None:
    found = effective_receptive_field(net, layer, digits[:2])
    assert found.units == units
    (top, bottom), (left, right) = found.box
    outside = found.map.copy()
    outside[top : bottom + 1, left : right + 1] = 0
    assert not outside.any()
    assert found.map[top].any()
    assert found.map[:, right].any()
    fields = cnnviz.receptive_field(net)
    boxes = [fields[layer].box(*unit) for unit in units] or [fields[layer].box()]
    assert found.box[0] == (min(box[0][0] for box in boxes), max(box[0][1] for box in boxes))


def test_one_of_an_axis_is_enough(net: Network, digits: np.ndarray) -> None:
    assert effective_receptive_field(net, "conv2d_6", digits[0], row=3).units == ((3, 1), (3, 2))


def test_a_class_counts_like_its_logit_times_the_softmax(net: Network, digits: np.ndarray) -> None:
    image, label = digits[8:9], 5
    found = effective_receptive_field(net, "softmax", image, channel=label)
    run = net.run(image)
    seeds = run.gradient("softmax", unit=(label,)).wrt_input
    np.testing.assert_allclose(found.map, np.abs(seeds).sum(axis=(0, -1)), rtol=1e-6)


def test_the_padding_is_no_part_of_the_box() -> None:
    found = effective_receptive_field(stack(3, 9, "same"), "conv_2", np.ones((9, 9)), row=0, col=4)
    assert found.box == ((0, 3), (1, 7))
    assert found.share(1.0) == 1.0


def test_shares_count_the_heaviest_pixels() -> None:
    found = made([[0, 5, 0], [0, 3, 1], [0, 1, 0]], ((0, 2), (1, 2)))
    assert found.share(0.5) == 1 / 6
    assert found.share(0.8) == 2 / 6
    assert found.share(0.81) == 3 / 6
    assert found.share(1.0) == 4 / 6
    assert found.share(0.0) == 0
    assert found.shares == {0.5: 1 / 6, 0.9: 3 / 6, 0.95: 4 / 6}


def test_equal_masses_round_to_the_pixel() -> None:
    assert made(np.full((10, 10), 0.1), ((0, 9), (0, 9))).share(0.9) == 0.9


def test_sigma_is_about_the_centroid_of_each_axis() -> None:
    array = np.zeros((9, 9))
    array[6, [1, 5]] = 1, 3
    assert made(array, ((0, 8), (0, 8))).sigma == pytest.approx((0, np.sqrt(3)))


def test_spans_are_the_shortest_runs() -> None:
    array = np.outer([0, 1, 6, 2, 1], [1, 0, 0, 8, 1])
    found = made(array, ((0, 4), (0, 4)))
    assert found.span(0.8) == ((2, 3), (3, 3))
    assert found.span(0.9) == ((1, 3), (3, 4))
    assert found.span(1.0) == ((1, 4), (0, 4))


def test_a_unit_that_answers_to_nothing() -> None:
    dark = made(np.zeros((3, 3)), ((0, 2), (0, 2)))
    assert np.isnan(dark.share(0.9))
    assert np.isnan(dark.sigma).all()
    assert dark.span(0.9) == ((0, -1), (0, -1))
    assert not dark.density.any()


def test_densities_sum_to_one(net: Network, digits: np.ndarray) -> None:
    assert effective_receptive_field(net, "conv2d_5", digits[:4]).density.sum() == pytest.approx(1)


def test_an_input_of_any_size() -> None:
    found = effective_receptive_field(stack(2, None), "conv_1", np.ones((2, 11, 7)))
    assert found.box == ((3, 7), (1, 5))


def test_training_changes_where_it_looks(net: Network, digits: np.ndarray) -> None:
    history = read_history("mnist_14k")
    assert history is not None
    fresh = net.with_weights(history.weights_after(0))
    before, after = (effective_receptive_field(n, "conv2d_6", digits[:20]) for n in (fresh, net))
    assert before.box == after.box
    assert before.sigma != after.sigma


@pytest.mark.parametrize(
    ("layer", "arguments", "error", "words"),
    [
        ("conv2d_9", {}, KeyError, "no layer 'conv2d_9'"),
        ("conv2d_3", {"row": 10}, IndexError, "row must be from 0 to 9 in conv2d_3, got 10"),
        ("conv2d_3", {"col": -1}, IndexError, "col must be from 0 to 9 in conv2d_3, got -1"),
        ("conv2d_3", {"channel": 16}, IndexError, "channel must be from 0 to 15 in conv2d_3, got 16"),
        ("conv2d_3", {"row": 1.5}, TypeError, "row must be an int of at most 64 bits or None, got 1.5"),
        ("flatten", {"row": 0}, ValueError, "flatten is a vector of 10"),
        ("flatten", {"channel": 10}, IndexError, "channel must be from 0 to 9 in flatten"),
        ("softmax", {}, ValueError, "channel must be given for softmax"),
        ("conv2d_3", {"batch_size": 0}, ValueError, "batch_size must be a positive int or None, got 0"),
    ],
)
def test_what_there_is_not_is_named(
    net: Network,
    digits: np.ndarray,
    layer: str,
    arguments: dict[str, int],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        effective_receptive_field(net, layer, digits[:1], **arguments)


def test_no_images_and_wrong_fractions_are_refused(net: Network, digits: np.ndarray) -> None:
    with pytest.raises(ValueError, match="images must hold at least one, got shape"):
        effective_receptive_field(net, "conv2d_3", digits[:0])
    with pytest.raises(ValueError, match="fraction must be from 0 to 1, got 50"):
        made(np.ones((2, 2)), ((0, 1), (0, 1))).share(50)


def test_a_change_of_spread_has_the_error_of_leaving_images_out(net, digits):
    """Against sigmas of fields that were computed without one image each."""
    history = read_history("mnist_14k")
    start = net.with_weights(history.weights_after(0))
    images = digits[:6]

    def wider(chosen):
        before, after = (effective_receptive_field(each, "conv2d_3", chosen) for each in (start, net))
        return np.sqrt(np.prod(after.sigma) / np.prod(before.sigma)) - 1

    left_out = np.array([wider(np.delete(images, k, axis=0)) for k in range(6)])
    error = np.sqrt(5 / 6 * np.square(left_out - left_out.mean()).sum())
    fields = [effective_receptive_field(each, "conv2d_3", images) for each in (start, net)]
    assert change_of_spread(*fields) == pytest.approx((wider(images), error), rel=1e-4)


def test_a_change_of_spread_is_of_the_same_images(net, digits):
    one, two = (effective_receptive_field(net, "conv2d_3", digits[:count]) for count in (2, 3))
    with pytest.raises(ValueError, match="the same units and images"):
        change_of_spread(one, two)
    alone = effective_receptive_field(net, "conv2d_3", digits[:1])
    with pytest.raises(ValueError, match="2 images or more"):
        change_of_spread(alone, alone)


def test_a_run_spares_another_one_and_says_the_same(net, digits):
    run = net.run(digits[:5])
    for row in (1, 3):
        one = effective_receptive_field(net, "conv2d_3", digits[:5], row=row, col=2)
        other = effective_receptive_field(net, "conv2d_3", run, row=row, col=2)
        np.testing.assert_array_equal(one.map, other.map)
        assert (one.box, one.images) == (other.box, other.images)
    with pytest.raises(ValueError, match="a run of mnist_14k, got a run of mnist_maxpool"):
        effective_receptive_field(net, "conv2d_3", cnnviz.load_model("mnist_maxpool").run(digits[:2]))
