"""The backward pass: whole networks against tf.GradientTape and finite differences, seeds, errors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cnnviz
from cnnviz import Network, Run, ops
from cnnviz.layers import ENTRIES
from cnnviz.layers.draws import Draws
from cnnviz.network.run import training_pass
from harness.authority import keras, tf
from harness.keras_models import ONLY_FLOAT32, STACKS, policy, save, sequential
from harness.networks import conv, image, layer, merges, normal
from harness.random_networks import random_model

# TensorFlow -------------------------------------------------------------------------------------

# A gradient of these networks is a sum of at most a few thousand products over ten layers that cancel at
# most a hundredfold: 1e5 * u of its largest number.
TOLERANCE = {"float64": 1e5 * 2.0**-53, "float32": 1e5 * 2.0**-24}


def assert_close(ours: np.ndarray, theirs: Any, dtype: str, what: str) -> None:
    expected = np.asarray(theirs)
    assert ours.dtype == dtype, what
    assert ours.shape == expected.shape, what
    scale = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=TOLERANCE[dtype] * scale, err_msg=what)


def tape_gradients(
    model: Any, tensors: dict[str, Any], x: np.ndarray, seeds: dict[str, np.ndarray]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """With respect to every tensor by name and every weight by path, of the seeds' weighted sum."""
    probe = keras.Model(model.inputs, tensors)
    variables = [weight.value for weight in model.weights if weight.name != "count"]
    given_ = tf.constant(x)
    with warnings.catch_warnings(), tf.GradientTape() as tape:
        warnings.simplefilter("ignore")
        tape.watch([given_, *variables])
        found = probe(given_, training=False)
        sources = [found[name] if name != "image" else given_ for name in tensors]
        targets = [found[name] for name in seeds]
    grads = tape.gradient(
        targets,
        [*sources, *variables],
        output_gradients=[tf.constant(seed) for seed in seeds.values()],
        unconnected_gradients="zero",
    )
    by_path = dict(
        zip((w.path for w in model.weights if w.name != "count"), grads[len(tensors) :], strict=True)
    )
    # A layer that does nothing returns the tensor it read, whose gradient is that of all its readers.
    first = {id(source): name for name, source in reversed([*zip(tensors, sources, strict=True)])}
    by_name = dict(zip(tensors, grads, strict=False))
    return {name: by_name[name] for name in first.values()}, by_path


def check_model(model: Any, tensors: dict[str, Any], folder: Path, dtype: str, seed: int) -> bool:
    """Save, load, and compare all gradients of the output and of another tensor, weighted at random.

    False if there are ties, which rounding may break otherwise in TensorFlow.
    """
    net = cnnviz.load_model(save(model, folder)).astype(dtype)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, *(6 if n is None else n for n in model.inputs[0].shape[1:]))).astype(dtype)
    run = net.run(x)
    if not no_ties(run):
        return False
    names = list(tensors)
    chosen = {names[-1], names[int(rng.integers(len(names)))]}
    seeds = {name: rng.normal(size=run[name].shape).astype(dtype) for name in chosen}
    check_together(run, seeds)
    theirs, weights = tape_gradients(model, {"image": model.inputs[0], **tensors}, x, seeds)
    gradient = run.gradient(seeds)
    for name, expected in theirs.items():
        assert_close(gradient[net.inputs[0] if name == "image" else name], expected, dtype, name)
    assert_close(gradient.wrt_input, theirs["image"], dtype, "input")
    ours = gradient.wrt_weights
    for path, expected in weights.items():
        # Keras puts a Sequential model's own name in front.
        key = path if path in gradient else path.partition("/")[2]
        if key not in gradient:
            # A wrapper's weights are those of the layer that it holds.
            key = f"{key.partition('/')[0]}/{key.rpartition('/')[2]}"
        # Keras gives a LayerScale's weight no name.
        key = re.sub(r"/variable(_\d+)?$", "/gamma", key)
        if net[key.rpartition("/")[0]].kind != "Normalization":
            assert_close(ours.pop(key), expected, dtype, key)
    assert all(net[key.rpartition("/")[0]].kind == "Normalization" for key in ours)
    value = sum((seeds[name].astype(np.float64) * run[name]).reshape(2, -1).sum(1) for name in seeds)
    np.testing.assert_allclose(gradient.value, value, rtol=1e-4)
    return True


def check_together(run: Run, seeds: dict[str, np.ndarray]) -> None:
    """The gradients of all weights, and of some, in one pass are those that are asked for one by one."""
    one_by_one = run.gradient(seeds).wrt_weights
    for names in (list(one_by_one), list(one_by_one)[1::2]):
        together = run.gradient(seeds)
        found = together.of_weights(names)
        assert list(found) == names
        for name, array in found.items():
            np.testing.assert_array_equal(array, one_by_one[name], err_msg=name)
            assert array is together[name]
            assert not array.flags.writeable


def no_ties(run: Run) -> bool:
    """Whether what is the largest, or the smallest, anywhere stays it if all changes a little."""
    rng = np.random.default_rng(0)
    for each in run.network:
        if each.kind.startswith(("Max", "Min", "GlobalMax")):
            xs, grad = run.inputs(each.name), np.ones_like(run[each.name])
            near = tuple(x + (1e-9 * rng.normal(size=x.shape)).astype(x.dtype) for x in xs)
            one, other = (each.entry.input_gradients(each, arrays, grad) for arrays in (xs, near))
            if any((a != b).any() for a, b in zip(one, other, strict=True)):
                return False
    return True


@pytest.mark.parametrize("name", STACKS)
def test_every_kind_of_layer_is_keras(name: str, tmp_path: Path) -> None:
    with policy("float64"):
        model = sequential(STACKS[name])
        assert check_model(model, {k.name: k.output for k in model.layers}, tmp_path, "float64", 0)


@pytest.mark.parametrize("name", ONLY_FLOAT32)
def test_every_kind_of_layer_is_keras_in_float32(name: str, tmp_path: Path) -> None:
    model = sequential(ONLY_FLOAT32[name])
    assert check_model(model, {k.name: k.output for k in model.layers}, tmp_path, "float32", 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("random")


@settings(max_examples=max(20, settings().max_examples // 10))
@given(seed=st.integers(0, 2**20))
def test_random_graphs_are_keras(folder: Path, seed: int) -> None:
    with policy("float64"):
        model, tensors = random_model(seed)
        assume(check_model(model, tensors, folder, "float64", seed))
    keras.utils.clear_session(free_memory=False)


def test_mnist_14k_is_as_close_as_tensorflow() -> None:
    """Both in float32, against ours in float64: no gradient is much further off than TensorFlow's."""
    net = cnnviz.load_model("mnist_14k")
    (_, _), (images, labels) = cnnviz.load_mnist()
    x, labels = images[:16].astype(np.float32) / 255, labels[:16].astype(int)
    model = keras.models.load_model(Path(__file__).parents[2] / "assets/mnist_14k.keras", compile=False)
    seed = np.eye(10, dtype=np.float32)[labels]
    tensors = {k.name: k.output for k in model.layers}
    theirs, their_weights = tape_gradients(
        model, {"image": model.inputs[0], **tensors}, x[..., np.newaxis], {net.outputs[0]: seed}
    )
    exact = net.astype(np.float64).run(x.astype(np.float64)).gradient(net.outputs[0], unit=labels)
    ours = net.run(x).gradient(net.outputs[0], unit=labels)
    theirs.pop("image")
    for name, other in {**theirs, **their_weights}.items():
        scale = np.abs(exact[name]).max()
        error, allowed = np.abs(ours[name] - exact[name]).max(), np.abs(other - exact[name]).max()
        assert ours[name].dtype == np.float32
        assert error <= 4 * allowed + 100 * 2.0**-24 * scale, name


# Finite differences -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist_14k", "mnist_maxpool"])
def test_bundled_models_against_finite_differences(name: str) -> None:
    """In float64, without TensorFlow.

    The direction's step is short enough that no ReLU and no maximum changes sides, which is asserted:
    between the two ends the network is then smooth, and the central difference's error is that of the
    step's square, which the difference to twice the step bounds, plus rounding.
    """
    net = cnnviz.load_model(name).astype(np.float64)
    (_, _), (images, _) = cnnviz.load_mnist()
    rng = np.random.default_rng(0)
    # Noise, lest the background be all ties.
    x = images[:3] / 255 + rng.uniform(0, 0.1, (3, 28, 28))
    run = net.run(x)
    last = net.outputs[0]
    weights = rng.normal(size=run[last].shape)
    gradient = run.gradient(last, weights=weights, pre_activation=True)
    keys = ["input", *(key for key in gradient.wrt_weights if key.rpartition("/")[2] != "count")]
    for key in keys:
        found = gradient.wrt_input if key == "input" else gradient[key]
        direction = rng.uniform(-1, 1, found.shape)
        step = 2.0**-26
        runs = {k: moved(net, x, key, k * step * direction) for k in (-2, -1, 1, 2)}
        assert all(same_sides(net, run, other) for other in runs.values()), key
        losses = {k: float((weights * other.pre_activation(last)).sum()) for k, other in runs.items()}
        near = (losses[1] - losses[-1]) / (2 * step)
        far = (losses[2] - losses[-2]) / (4 * step)
        # A thousand roundings on numbers of the size of the logits and of what they are sums of.
        size = np.abs(weights).sum() * max(1, np.abs(run.pre_activation(last)).max())
        noise = 1000 * 2.0**-53 * size / step
        expected = float((found * direction).sum())
        assert abs(expected - near) <= abs(far - near) + noise, (key, expected, near, far, noise)


def moved(net: Network, x: np.ndarray, key: str, change: np.ndarray) -> Run:
    if key == "input":
        return net.run(x[..., np.newaxis] + change)
    owner, _, weight = key.rpartition("/")
    return net.with_weights({key: net[owner].weights[weight] + change}).run(x)


def same_sides(net: Network, one: Run, other: Run) -> bool:
    """Whether every ReLU and every max pool of two runs chose alike."""
    for each in net:
        if each.activation is not None and each.activation.name == "relu":
            z, w = one.pre_activation(each.name), other.pre_activation(each.name)
            if ((z > 0) != (w > 0)).any():
                return False
        if each.kind == "MaxPooling2D":
            grad = np.ones_like(one[each.name])
            a, b = (each.entry.input_gradients(each, run.inputs(each.name), grad)[0] for run in (one, other))
            if (a != b).any():
                return False
    return True


# What is asked for ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run() -> Run:
    net = Network(
        [
            image(5, 5, 2),
            conv("first", "image", 2, 3, activation="tanh"),
            layer(
                "norm",
                "BatchNormalization",
                "first",
                weights={
                    "gamma": [1, 2, 3],
                    "beta": [0, 1, 2],
                    "moving_mean": [0, 1, 0],
                    "moving_variance": [1, 2, 1],
                },
            ),
            layer("flat", "Flatten", "norm"),
            layer(
                "scores",
                "Dense",
                "flat",
                units=4,
                activation="softmax",
                weights={
                    "kernel": normal(27, 4),
                    "bias": normal(4),
                },
            ),
            layer("aside", "ReLU", "first"),
        ],
        outputs=["scores"],
    ).astype(np.float64)
    return net.run(normal(3, 5, 5, 2))


def same(ours: np.ndarray, expected: Any) -> None:
    """Equal but for rounding, in float64."""
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_a_unit_is_a_weighted_sum_of_one(run: Run) -> None:
    weights = np.zeros((3, 3, 3))
    weights[0, 2, 1] = 1
    by_unit, by_weights = run.gradient("first", unit=(0, 2, 1)), run.gradient("first", weights=weights)
    np.testing.assert_array_equal(by_unit.wrt_input, by_weights.wrt_input)
    np.testing.assert_array_equal(by_unit.value, run["first"][:, 0, 2, 1])
    batched = run.gradient("first", weights=np.broadcast_to(weights, (3, 3, 3, 3)))
    np.testing.assert_array_equal(by_unit.wrt_input, batched.wrt_input)
    mapped = run.gradient({"first": weights})
    np.testing.assert_array_equal(by_unit.wrt_input, mapped.wrt_input)


def test_units_count_from_the_end_too_and_slices_are_sums(run: Run) -> None:
    last = run.gradient("first", unit=(-1, -1, -1)).wrt_input
    np.testing.assert_array_equal(last, run.gradient("first", unit=(2, 2, 2)).wrt_input)
    channel = run.gradient("first", unit=(..., 1))
    same(channel.value, run["first"][..., 1].sum(axis=(1, 2)))
    slices = run.gradient("first", unit=(slice(None), slice(0, 3), 1))
    np.testing.assert_array_equal(channel.wrt_input, slices.wrt_input)
    assert run.gradient("scores", unit=...).wrt_input.max() < 1e-12  # probabilities add up to 1


def test_each_image_may_have_its_own_unit(run: Run) -> None:
    chosen = run["scores"].argmax(axis=-1)
    gradient = run.gradient("scores", unit=chosen)
    np.testing.assert_array_equal(gradient.value, run["scores"].max(axis=-1))
    for place, unit in enumerate(chosen):
        alone = run.gradient("scores", unit=int(unit)).wrt_input[place]
        same(gradient.wrt_input[place], alone)
    places = [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
    np.testing.assert_array_equal(
        run.gradient("first", unit=places).value, [run["first"][i, i, i, i] for i in range(3)]
    )


def test_images_do_not_see_each_other_and_weights_sum_over_them(run: Run) -> None:
    net = run.network
    together = run.gradient("scores", unit=2)
    alone = [net.run(run.input[i : i + 1]).gradient("scores", unit=2) for i in range(3)]
    for name in ("flat", "first", "image"):
        same(together[name], np.concatenate([g[name] for g in alone]))
    for key, value in together.wrt_weights.items():
        same(value, sum(g[key] for g in alone))


def test_pre_activations_are_what_a_layer_without_its_activation_returns(run: Run) -> None:
    bare = run.network.with_activation({"scores": None, "first": None}).run(run.input)
    logit = run.gradient("scores", unit=1, pre_activation=True)
    straight = run.network.with_activation({"scores": None}).run(run.input).gradient("scores", unit=1)
    np.testing.assert_array_equal(logit.value, straight.value)
    for name in ("image", "first", "scores/kernel"):
        np.testing.assert_array_equal(logit[name], straight[name])
    first = run.gradient("first", unit=(1, 1, 1), pre_activation=True)
    np.testing.assert_array_equal(first.wrt_input, bare.gradient("first", unit=(1, 1, 1)).wrt_input)


def test_with_respect_to_a_pre_activation_is_what_the_bias_sums_up(run: Run) -> None:
    gradient = run.gradient("scores", unit=0)
    same(gradient.pre_activation("first").sum(axis=(0, 1, 2)), gradient["first/bias"])
    same(gradient.pre_activation("first"), gradient["first"] * (1 - run["first"] ** 2))
    np.testing.assert_array_equal(gradient.pre_activation("norm"), gradient["norm"])
    own = run.gradient("first", unit=(0, 0, 0), pre_activation=True).pre_activation("first")
    assert own.sum() == 3


def test_a_unit_depends_on_itself_and_not_on_what_comes_later(run: Run) -> None:
    gradient = run.gradient("first", unit=(0, 0, 0))
    assert gradient["first"].sum() == 3
    for name in ("norm", "scores", "aside", "scores/kernel", "norm/gamma"):
        assert not gradient[name].any()
    assert gradient["scores"].shape == (3, 4)
    assert not gradient.pre_activation("scores").any()


def test_several_layers_add_up(run: Run) -> None:
    seeds = {"scores": normal(3, 4), "aside": normal(3, 3, 3), "first": normal(3, 3, 3, 3)}
    together = run.gradient(seeds)
    parts = [run.gradient(name, weights=seed) for name, seed in seeds.items()]
    same(together.wrt_input, sum(p.wrt_input for p in parts))
    same(together.value, sum(p.value for p in parts))


def test_it_is_a_mapping_of_read_only_arrays(run: Run) -> None:
    gradient = run.gradient("scores", unit=0)
    assert list(gradient) == list(run)
    assert len(gradient) == len(run)
    assert "first" in gradient
    assert "first/bias" in gradient
    assert "first/gamma" not in gradient
    assert "second" not in gradient
    assert 1 not in gradient
    assert set(gradient.wrt_weights) == {
        f"{each.name}/{weight}" for each in run.network for weight in each.weights
    }
    for array in (*gradient.values(), *gradient.wrt_weights.values(), gradient.pre_activation("first")):
        assert not array.flags.writeable
    assert gradient["first"] is gradient["first"]
    assert gradient["first/kernel"] is gradient["first/kernel"]
    assert repr(gradient) == "<Gradient of units of scores in network>"
    logits = run.gradient("scores", unit=0, pre_activation=True)
    assert repr(logits) == "<Gradient of units of the pre-activation of scores in network>"


def test_several_inputs_and_shared_layers() -> None:
    dense = {"kernel": normal(4, 4), "bias": normal(4)}
    net = Network(
        [
            image(4, name="a"),
            image(4, name="b"),
            layer("dense", "Dense", "a", units=4, activation="tanh", weights=dense),
            layer("dense:1", "Dense", "b", units=4, activation="tanh", weights=dense),
            layer("both", "Multiply", "dense", "dense:1"),
        ]
    )
    shared = net["dense"].weights
    net = Network(
        [
            *(each for each in net.layers if each.name != "dense:1" and each.name != "both"),
            cnnviz.Layer("dense:1", "Dense", net["dense"].config, shared, ("b",), owner="dense"),
            net["both"],
        ]
    ).astype(np.float64)
    run = net.run([normal(2, 4), normal(2, 4, seed=1)])
    gradient = run.gradient("both", unit=...)
    assert [g.shape for g in gradient.wrt_input] == [(2, 4), (2, 4)]
    left, right = (run.pre_activation(name) for name in ("dense", "dense:1"))
    back = [
        ops.tanh_grad(left, run["dense:1"]),
        ops.tanh_grad(right, run["dense"]),
    ]
    expected = sum(ops.dense_kernel_grad(x, g) for x, g in zip(run.input, back, strict=True))
    same(gradient["dense/kernel"], expected)
    assert gradient["dense:1/kernel"] is gradient["dense/kernel"]
    assert set(gradient.wrt_weights) == {"dense/kernel", "dense/bias"}


def test_merges_of_any_rank_give_back_in_their_inputs_shapes() -> None:
    net = merges().astype(np.float64)
    run = net.run(normal(2, 4, 3, 2))
    for each in net:
        gradient = run.gradient(each.name, unit=...)
        for name in ("left", "right", "vector", "column", "image"):
            assert gradient[name].shape == run[name].shape


def test_a_network_of_a_thousand_layers() -> None:
    """No recursion: Python would stop it."""
    layers = [layer(f"relu_{i}", "ReLU", "image" if i == 0 else f"relu_{i - 1}") for i in range(1500)]
    run = Network([image(3), *layers]).run([[1.0, -1.0, 2.0]])
    assert run.gradient("relu_1499", unit=...).wrt_input.tolist() == [[1, 0, 1]]


def test_only_what_lies_between_is_worked_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def recorded(kind: str, gradient: Any) -> Any:
        return lambda *arguments: (asked.append(kind), gradient(*arguments))[1]

    for kind in {each.kind for each in run.network}:
        for name in ("input_gradients", "weight_gradient"):
            monkeypatch.setattr(ENTRIES[kind], name, recorded(kind, getattr(ENTRIES[kind], name)))
    gradient = run.gradient("scores", unit=0)
    assert gradient["flat"].any()
    assert asked == ["Dense"]
    assert gradient["norm/gamma"].any()
    assert asked == ["Dense", "Flatten", "BatchNormalization"]
    assert gradient.wrt_input.any()
    assert asked[3:] == ["BatchNormalization", "Conv2D"]


# Edited runs ------------------------------------------------------------------------------------


def test_gradients_stop_at_an_edit(run: Run) -> None:
    edited = run.network.run(run.input, edits={"norm": lambda y: 0 * y + 1})
    gradient = edited.gradient("scores", unit=0)
    assert gradient["norm"].any()
    message = "the output of norm was edited in this run: how it depends on what came before it is not known"
    for name in ("first", "image", "norm/gamma"):
        with pytest.raises(ValueError, match=re.escape(message)):
            gradient[name]
    # Behind the edit all is as it was.
    np.testing.assert_array_equal(
        edited.gradient("first", unit=(0, 0, 0)).wrt_input, run.gradient("first", unit=(0, 0, 0)).wrt_input
    )


# A ReLU behind the pooling that reads it --------------------------------------------------------


@pytest.fixture
def pooled() -> Network:
    """Two ReLUs, each before a max pooling, whose windows overlap in the second."""
    return Network(
        [
            image(10, 10, 1),
            conv("first", "image", 1, 3, activation="relu"),
            layer("pool", "MaxPooling2D", "first"),
            conv("second", "pool", 3, 2, size=1, activation="relu"),
            layer("overlapping", "MaxPooling2D", "second", pool_size=3, strides=1, padding="same"),
            layer("flat", "Flatten", "overlapping"),
            layer("scores", "Dense", "flat", units=2, weights={"kernel": normal(32, 2), "bias": [1, 2]}),
        ]
    )


@pytest.mark.parametrize("special", [0.0, np.nan, np.inf])
def test_a_relu_may_come_behind_the_pooling_that_alone_reads_it(pooled: Network, special: float) -> None:
    """The run of a training step, and gradients in one pass, are to the bit what they are layer by layer."""
    x = np.round(normal(4, 10, 10, 1))  # with equal numbers, and negative windows
    x[0, 4, 5] = special
    run, trained = pooled.run(x), training_pass(pooled, x, Draws())
    assert list(trained) == list(run)
    for name in reversed(list(run)):
        np.testing.assert_array_equal(trained[name], run[name], err_msg=name)
        np.testing.assert_array_equal(trained.pre_activation(name), run.pre_activation(name), err_msg=name)
        assert not trained[name].flags.writeable
    rng = np.random.default_rng(3)
    for names in (["scores"], ["scores", "first"], ["scores", "pool", "second"]):
        check_together(trained, {name: rng.normal(size=run[name].shape) for name in names})


def test_an_edited_relu_stays_where_it_is(pooled: Network) -> None:
    edited = pooled.run(normal(2, 10, 10, 1), edits={"first": lambda y: y + 1})
    with pytest.raises(ValueError, match="the output of first was edited"):
        edited.gradient("scores", unit=0).of_weights(["first/kernel"])


# Errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda run: run.gradient("frist", unit=0), KeyError, "did you mean first"),
        (lambda run: run.gradient({"frist": np.ones(3)}), KeyError, "did you mean first"),
        (lambda run: run.gradient("scores", unit=0)["frist"], KeyError, "did you mean first"),
        (
            lambda run: run.gradient("scores", unit=0)["first/gamma"],
            KeyError,
            "first has no weight 'gamma', it has ['bias', 'kernel']",
        ),
        (lambda run: run.gradient("scores", unit=0)["second/bias"], KeyError, "no layer 'second/bias'"),
        (lambda run: run.gradient("scores", unit=0).pre_activation("x"), KeyError, "no layer 'x'"),
        (
            lambda run: run.gradient("scores", unit=4),
            ValueError,
            "unit must be one of scores's, (4,), got 4",
        ),
        (
            lambda run: run.gradient("first", unit=(0, -4, 0)),
            ValueError,
            "unit must be one of first's, (3, 3, 3), got (0, -4, 0)",
        ),
        (
            lambda run: run.gradient("first", unit=(0, 1)),
            ValueError,
            "unit must have an index for each axis of first's units, (3, 3, 3), got (0, 1)",
        ),
        (lambda run: run.gradient("first", unit=(0, 1.0, 2)), TypeError, "unit must be an int, got 1.0"),
        (lambda run: run.gradient("scores", unit=True), TypeError, "unit must be an int, got True"),
        (lambda run: run.gradient("scores", unit="1"), TypeError, "unit must be an int, got '1'"),
        (
            lambda run: run.gradient("scores", unit=[0, 1]),
            ValueError,
            "unit must be a tuple, or an array (3, 1) with an index for each image, got [0, 1]",
        ),
        (
            lambda run: run.gradient("scores", unit=[0, 1, 4]),
            ValueError,
            "unit must be one of scores's, (4,), got (4,)",
        ),
        (
            lambda run: run.gradient("scores", unit=[0.0, 1.0, 2.0]),
            TypeError,
            "unit must be integers, got dtype float64",
        ),
        (
            lambda run: run.gradient("scores", weights=np.ones(5)),
            ValueError,
            "weights of scores must have shape (3, 4), or (4,) for every image, got (5,)",
        ),
        (
            lambda run: run.gradient("scores", weights="ones"),
            TypeError,
            "weights of scores must be real numbers",
        ),
        (
            lambda run: run.gradient("scores"),
            ValueError,
            "say which of the (4,) units of scores by unit= or weights=, one of the two",
        ),
        (
            lambda run: run.gradient("scores", unit=0, weights=np.ones(4)),
            ValueError,
            "one of the two",
        ),
        (lambda run: run.gradient({"scores": np.ones(4)}, unit=0), ValueError, "takes no unit"),
        (lambda run: run.gradient({}), ValueError, "of must name at least one layer, got none"),
    ],
)
def test_mistakes_are_named(
    run: Run, call: Callable[[Run], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call(run)


def test_the_only_unit_need_not_be_named() -> None:
    net = Network(
        [image(2), layer("sum", "Dense", "image", units=1, weights={"kernel": [[2], [3]], "bias": [0]})]
    )
    assert net.run([[1.0, 1.0]]).gradient("sum").wrt_input.tolist() == [[2, 3]]
