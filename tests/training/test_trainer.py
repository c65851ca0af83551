"""Trainer: steps and fits, resumed to the bit, and what it says where it cannot go on."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from cnnviz import Layer, Network, load_mnist, load_model
from cnnviz.training import SGD, Adam, AdamW, Augmentation, LossNotFinite, Trainer
from cnnviz.training.checkpoints import weights_of


@pytest.fixture(scope="module")
def digits():
    (images, labels), _ = load_mnist()
    return images[:96], labels[:96]


def small(seed=0, dtype=np.float32):
    """An image of 6x6, a convolution with batch norm and dropout, three classes."""
    rng = np.random.default_rng(seed)

    def numbers(*shape):
        return rng.normal(size=shape).astype(dtype) / 2

    ones, zeros = np.ones(4, dtype), np.zeros(4, dtype)
    return Network(
        [
            Layer.from_config("image", "InputLayer", {"batch_shape": (None, 6, 6, 1)}),
            Layer.from_config(
                "conv",
                "Conv2D",
                {"filters": 4, "kernel_size": 3, "activation": "relu"},
                weights={"kernel": numbers(3, 3, 1, 4), "bias": zeros},
                inputs=("image",),
            ),
            Layer.from_config(
                "norm",
                "BatchNormalization",
                {},
                weights={"gamma": ones, "beta": zeros, "moving_mean": zeros, "moving_variance": ones},
                inputs=("conv",),
            ),
            Layer.from_config("drop", "Dropout", {"rate": 0.25}, inputs=("norm",)),
            Layer.from_config("flat", "Flatten", {}, inputs=("drop",)),
            Layer.from_config(
                "dense",
                "Dense",
                {"units": 3, "activation": "softmax"},
                weights={"kernel": numbers(64, 3), "bias": np.zeros(3, dtype)},
                inputs=("flat",),
            ),
        ]
    )


def data(count=40, seed=1):
    rng = np.random.default_rng(seed)
    return rng.random((count, 6, 6, 1)), rng.integers(0, 3, count)


def loss_of(net, images, labels):
    """The mean loss as in training without dropout: batch statistics in float64."""
    trainer = Trainer(net, SGD(0.0))
    return trainer.step(images, labels, masks={"drop": True}).loss


def test_a_steps_gradients_are_the_slopes_of_its_loss():
    """Central differences in float64, through the batch's statistics; one weight of each array."""
    net, (images, labels) = small(dtype=np.float64), data()
    step = Trainer(net, SGD(0.0)).step(images, labels, masks={"drop": True})
    for key, gradient in step.gradients.items():
        name, weight = key.split("/")
        place = tuple(np.unravel_index(np.argmax(np.abs(gradient)), gradient.shape))
        sides = []
        for sign in (1, -1):
            moved = net[name].weights[weight].copy()
            moved[place] += sign * 1e-5
            sides.append(loss_of(net.with_weights({key: moved}), images, labels))
        assert gradient[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-6, abs=1e-9), key


def test_a_step_moves_weights_and_statistics(digits):
    net = load_model("mnist_14k")
    trainer = Trainer(net, Adam(1e-3), seed=3)
    step = trainer.step(*digits)
    assert trainer.network is step.network is not net
    assert set(step.updates) == set(step.gradients) == set(trainer.trained)
    assert sum(array.size for array in step.updates.values()) == net.count_params()[1]
    for key, update in step.updates.items():
        name, weight = key.split("/")
        np.testing.assert_array_equal(
            trainer.network[name].weights[weight], net[name].weights[weight] + update, strict=True
        )
    read = step.run["conv2d"].astype(np.float64)
    np.testing.assert_allclose(
        trainer.network["batch_normalization"].weights["moving_mean"],
        0.99 * net["batch_normalization"].weights["moving_mean"] + 0.01 * read.mean((0, 1, 2)),
        rtol=1e-5,
    )


def test_a_steps_arrays_stay_as_they_are_while_the_next_ones_are_made(digits):
    """The trainer's memory is used again by its next steps, but not what somebody still looks at."""
    images, labels = digits
    trainer = Trainer(load_model("mnist_maxpool"))
    first = trainer.step(images, labels)
    before = {name: array.copy() for name, array in first.run.items()}
    gradients = {name: array.copy() for name, array in first.gradients.items()}
    kept = first.gradient["conv2d"].copy()
    for _ in range(3):
        trainer.step(images[::-1], labels[::-1])
    for name, array in before.items():
        np.testing.assert_array_equal(first.run[name], array)
    for name, array in gradients.items():
        np.testing.assert_array_equal(first.gradients[name], array)
    np.testing.assert_array_equal(first.gradient["conv2d"], kept)


def test_dropout_draws_by_seed_and_step_and_takes_masks():
    net, (images, labels) = small(), data()
    first, again, other = (Trainer(net, seed=seed).step(images, labels) for seed in (1, 1, 2))
    assert np.array_equal(first.run["drop"], again.run["drop"])
    assert not np.array_equal(first.run["drop"], other.run["drop"])
    kept = np.random.default_rng(0).random((40, 4, 4, 4)) < 0.5
    step = Trainer(net).step(images, labels, masks={"drop": kept})
    np.testing.assert_array_equal(step.run["drop"], np.where(kept, step.run["norm"] * np.float32(4 / 3), 0))
    with pytest.raises(ValueError, match=r"what drop is to draw must have shape \(40, 4, 4, 4\), got \(3,\)"):
        Trainer(net).step(images, labels, masks={"drop": np.ones(3)})


def test_fit_learns_and_says_how_far():
    images, labels = data(120)
    labels = (images[:, :2].mean((1, 2, 3)) > images[:, 4:].mean((1, 2, 3))).astype(int)
    trainer = Trainer(small(), Adam(0.01))
    history = trainer.fit(images, labels, 12, 16, (images, labels))
    assert [row["epoch"] for row in history] == list(range(1, 13))
    assert history[-1]["val_loss"] < 0.7 * history[0]["val_loss"]
    assert trainer.evaluate(images, labels)["loss"] == history[-1]["val_loss"]
    assert trainer.steps == 12 * 8
    stopped = Trainer(small(), Adam(0.01))
    assert len(stopped.fit(images, labels, 12, 16, stop=lambda row: row["epoch"] == 2)) == 2


def test_evaluating_takes_the_loss_that_a_step_takes():
    """Also where a softmax at the end is read by another layer, or passed on as it is; image after image."""
    flat = [
        Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4)}),
        Layer.from_config("shares", "Dense", {"units": 3, "activation": "softmax"}, inputs=("image",)),
        Layer.from_config("same", "Identity", {}, inputs=("shares",)),
        Layer.from_config("one", "Dense", {"units": 1, "activation": "sigmoid"}, inputs=("shares",)),
    ]
    net = Network(flat, outputs=["same", "one"], seed=1).astype(np.float64)
    # So sure that a share of one class is below what a logarithm is taken of.
    net = net.with_weights({"shares/kernel": 40 * net["shares"].weights["kernel"]})
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(70, 4)), [rng.integers(0, 3, 70), rng.integers(0, 2, 70)]
    trainer = Trainer(net, SGD(0.0), ["sparse_categorical_crossentropy", "binary_crossentropy"])
    found, step = trainer.evaluate(x, labels), trainer.step(x, labels)
    assert found == pytest.approx({"loss": step.loss, **step.metrics}, rel=1e-12)
    assert trainer.evaluate(x, labels, batch_size=9) == pytest.approx(found, rel=1e-12)
    assert step.loss > -np.log(1e-7) / 2
    with pytest.raises(ValueError, match="there must be images, and a label for each: got 70 and 69"):
        trainer.evaluate(x, [each[:69] for each in labels])


def test_a_resumed_run_ends_in_the_same_bits(digits, tmp_path):
    """Interrupted in the middle of an epoch, once with averages and augmentation."""
    images, labels = digits
    net, optimizer = load_model("mnist_maxpool"), Adam(1e-3, use_ema=True)
    whole = Trainer(net, optimizer, seed=5)
    whole.fit(images, labels, 3, 32, augment=Augmentation())

    def interrupt(step):
        if step.number == 5:
            raise KeyboardInterrupt

    path = tmp_path / "run.npz"
    cut = Trainer(net, optimizer, seed=5)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(images, labels, 3, 32, augment=Augmentation(), on_step=interrupt, checkpoint=path)
    resumed = Trainer(net, optimizer, seed=5)
    resumed.load_checkpoint(path)
    assert resumed.steps == 5
    history = resumed.fit(images, labels, batch_size=32, augment=Augmentation(), resume=True)
    without_time = [{**row, "seconds": 0} for row in history]
    assert without_time == [{**row, "seconds": 0} for row in whole.history]
    for layer in whole.network:
        for name, array in layer.weights.items():
            assert array.tobytes() == resumed.network[layer.name].weights[name].tobytes(), (layer.name, name)


def test_checkpoints_of_other_trainers_and_damaged_ones_are_refused(tmp_path):
    path = tmp_path / "run.npz"
    trainer = Trainer(small())
    trainer.save_checkpoint(path)
    with pytest.raises(ValueError, match=r"is of a trainer with seed=0, this one has seed=1"):
        Trainer(small(), seed=1).load_checkpoint(path)
    with pytest.raises(ValueError, match=r"is of a trainer with optimizer=Adam"):
        Trainer(small(), Adam(0.1)).load_checkpoint(path)
    with pytest.raises(ValueError, match=r"it must hold weight:conv2d/kernel"):
        Trainer(load_model("mnist_maxpool")).load_checkpoint(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"run\.npz is no checkpoint of this training"):
        trainer.load_checkpoint(path)
    with pytest.raises(ValueError, match=r"there is no checkpoint"):
        trainer.load_checkpoint(tmp_path / "none.npz")


@pytest.mark.parametrize("within", ["_wrong", "_evaluated", "_metrics"])
@pytest.mark.parametrize("step", [2, 5, 6])
def test_an_interruption_within_a_step_keeps_the_state_before_it(tmp_path, monkeypatch, within, step):
    """Else the step would be made once more when the run goes on, from what it has made already."""
    images, labels = data(48)
    whole = Trainer(small(), Adam(1e-2))
    whole.fit(images, labels, 2, 16)
    path, trainer = tmp_path / "run.npz", Trainer(small(), Adam(1e-2))
    method = getattr(Trainer, within)

    def interrupted(self, *arguments):
        # The batch that is on, from 1, of three an epoch.
        if 3 * self.state.epoch + self.state.batches + 1 == step:
            raise KeyboardInterrupt
        return method(self, *arguments)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(Trainer, within, interrupted)
        trainer.fit(images, labels, 2, 16, checkpoint=path)
    trainer = Trainer(small(), Adam(1e-2))
    trainer.load_checkpoint(path)
    assert trainer.steps == 3 * trainer.state.epoch + trainer.state.batches
    trainer.fit(images, labels, 2, 16, resume=True)
    for key, array in weights_of(whole.network).items():
        np.testing.assert_array_equal(weights_of(trainer.network)[key], array, err_msg=key)


def test_a_loss_that_is_nan_is_said_with_its_step():
    images, labels = data()
    trainer = Trainer(small(), SGD(1e30))
    with np.errstate(all="ignore"), pytest.raises(LossNotFinite, match=r"the loss is (nan|inf) at step 2 "):
        trainer.fit(images, labels, 3, 16)


@pytest.mark.parametrize(
    ("steps", "words"),
    [(1, r"the loss is (nan|inf) after step 1 \(epoch 1, batch 1\);"), (2, r"the loss is \S+ at step 2 ")],
)
def test_a_network_whose_answers_are_no_numbers_is_not_kept(tmp_path, steps, words):
    images, labels = data(16 * steps)
    trainer = Trainer(small(), SGD(1e30))
    start = trainer.network
    with np.errstate(all="ignore"), pytest.raises(LossNotFinite, match=words):
        trainer.fit(images, labels, 3, 16, checkpoint=tmp_path / "run.npz")
    assert trainer.steps == 0
    for key, array in weights_of(start).items():
        np.testing.assert_array_equal(weights_of(trainer.network)[key], array, err_msg=key)
    kept = Trainer(small(), SGD(1e30))
    kept.load_checkpoint(tmp_path / "run.npz")
    assert kept.steps == 0


def test_a_weight_that_is_no_number_is_said_with_its_step(monkeypatch):
    images, labels = data(32)
    trainer = Trainer(small(), SGD(1e-3))
    trainer.fit(images, labels, 1, 16)
    start = trainer.network
    monkeypatch.setattr(SGD, "update", lambda self, weight, *_: (weight + np.inf, {}))
    said = r"conv/kernel is no longer finite after step 3 \(epoch 2, batch 1\)"
    with np.errstate(all="ignore"), pytest.raises(LossNotFinite, match=said):
        trainer.fit(images, labels, 1, 16)
    assert trainer.network is start


def test_frozen_layers_stay_as_they_are():
    net, (images, labels) = small(), data()
    frozen = net.with_layers(replace(layer, trainable=layer.name == "dense") for layer in net)
    trainer = Trainer(frozen)
    assert trainer.trained == ("dense/kernel", "dense/bias")
    trainer.step(images, labels)
    assert all(
        trainer.network["norm"].weights[name] is array
        or (trainer.network["norm"].weights[name] == array).all()
        for name, array in net["norm"].weights.items()
    )


def dense(name, feeder, *shape, **config):
    kernel = np.random.default_rng(len(name)).normal(size=shape)
    config = {"units": shape[-1], "use_bias": False, **config}
    return Layer.from_config(name, "Dense", config, weights={"kernel": kernel}, inputs=(feeder,))


def vectors(*layers):
    return Network([Layer.from_config("image", "InputLayer", {"batch_shape": (None, 4)}), *layers])


def test_penalties_are_in_the_loss_and_in_the_gradients_and_frozen_layers_have_none():
    """Of a linear network with all labels at its outputs: what is left are the penalties, by hand."""
    l1, l2 = ({"class_name": name, "config": {name.lower(): 0.5}} for name in ("L1", "L2"))
    free = dense("free", "image", 4, 3, kernel_regularizer=l2, activity_regularizer=l1)
    frozen = replace(dense("frozen", "free", 3, 2, kernel_regularizer=l2), trainable=False)
    net = vectors(free, frozen)
    x = np.random.default_rng(0).normal(size=(5, 4))
    run = net.run(x)
    trainer = Trainer(net, SGD(0.1), "mse", metrics=())
    step = trainer.step(x, run["frozen"])
    kernel = free.weights["kernel"]
    expected = 0.5 * np.square(kernel).sum() + 0.5 * np.abs(run["free"]).sum() / 5
    assert step.loss == pytest.approx(expected, rel=1e-14)
    slopes = kernel + x.T @ np.sign(run["free"]) * 0.5 / 5
    np.testing.assert_allclose(step.gradients["free/kernel"], slopes, rtol=1e-13)
    # The penalty of a weight is no part of what came back through the layers.
    np.testing.assert_allclose(step.gradient["free/kernel"], slopes - kernel, rtol=1e-12)
    assert Trainer(net, SGD(), "mse", metrics=()).evaluate(x, run["frozen"], 2)["loss"] == pytest.approx(
        expected, rel=1e-14
    )


def test_a_penalty_of_the_output_goes_through_a_softmax_that_the_loss_sees_through():
    """Slopes of the whole loss, by central differences."""
    penalty = {"class_name": "L2", "config": {"l2": 0.25}}
    net = vectors(dense("dense", "image", 4, 3, activation="softmax", activity_regularizer=penalty))
    x, labels = np.random.default_rng(0).normal(size=(5, 4)), np.array([0, 1, 2, 0, 1])

    def loss(kernel):
        return Trainer(net.with_weights({"dense/kernel": kernel}), SGD(0.0)).step(x, labels)

    kernel = net["dense"].weights["kernel"]
    for place in np.ndindex(kernel.shape):
        move = np.zeros_like(kernel)
        move[place] = 1e-5
        slope = (loss(kernel + move).loss - loss(kernel - move).loss) / 2e-5
        assert loss(kernel).gradients["dense/kernel"][place] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_weights_are_put_back_where_their_constraint_wants_them():
    """After the step, and after the average was taken."""
    bound = {"class_name": "MaxNorm", "config": {"max_value": 0.5, "axis": 0}}
    net = vectors(dense("dense", "image", 4, 3, kernel_constraint=bound))
    step = Trainer(net, SGD(0.1, use_ema=True), "mse").step(np.ones((2, 4)), np.zeros((2, 3)))
    kernel = step.after["dense/kernel"]
    assert np.linalg.norm(kernel, axis=0).max() == pytest.approx(0.5)
    free = step.before["dense/kernel"] - 0.1 * step.gradients["dense/kernel"]
    np.testing.assert_allclose(step.slots["dense/kernel"]["average"], free, rtol=1e-12)


def test_weights_that_no_gradient_reaches_stay_as_they_are():
    """As in Keras, weight decay leaves them alone; a gradient that happens to be 0 is another thing."""
    stop = Layer.from_config("stop", "ops.StopGradient", {}, inputs=("behind",))
    net = vectors(
        dense("behind", "image", 4, 3),
        stop,
        dense("before", "stop", 3, 2, activation="relu"),
    )
    zero = net.with_weights({"before/kernel": -np.abs(net["before"].weights["kernel"])})
    positive = zero.with_weights({"behind/kernel": np.abs(net["behind"].weights["kernel"])})
    trainer = Trainer(positive, AdamW(0.1), "mse")
    step = trainer.step(np.ones((2, 4)), np.zeros((2, 2)))
    assert set(step.gradients) == {"before/kernel"}
    assert not step.gradients["before/kernel"].any()
    assert step.updates["before/kernel"].all()
    assert step.gradient.reaches("before/kernel")
    assert not step.gradient.reaches("behind/kernel")
    kept = trainer.network["behind"].weights["kernel"]
    np.testing.assert_array_equal(kept, positive["behind"].weights["kernel"])
    assert trainer.step(np.ones((2, 4)), np.zeros((2, 2))).number == 2


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_loss_sees_through_what_passes_an_output_on(activation):
    """Behind an Identity as without one, so that no probability is too small for its logarithm."""
    last = dense("dense", "image", 4, 3, activation=activation)
    behind = Layer.from_config("same", "Identity", {}, inputs=("dense",))
    x, labels = 1e4 * np.ones((2, 4)), np.array([0, 1])
    steps = [Trainer(vectors(*layers), SGD()).step(x, labels) for layers in ((last,), (last, behind))]
    assert steps[0].loss == steps[1].loss > 1e3
    np.testing.assert_array_equal(steps[0].gradients["dense/kernel"], steps[1].gradients["dense/kernel"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Trainer(small(), "adagrad"), "optimizer must be one of sgd, adam, adamw"),
        (lambda: Trainer(small(), loss="hinge"), "loss must be one of sparse_categorical_crossentropy"),
        (lambda: Trainer(small(), metrics=["f1"]), "metrics must be accuracy or among"),
        (lambda: Trainer(small(), seed=-1), "seed must be 0 or more, got -1"),
        (lambda: Trainer(small()).fit(*data(0)), "there must be images"),
        (lambda: Trainer(small()).fit(*data(), batch_size=0), "batch_size must be 1 or more, got 0"),
        (lambda: Trainer(small()).step(data()[0], data(3)[1]), "labels must have shape"),
        (lambda: Trainer(small()).step(data()[0], data()[1] + 2), "from 0 to 2, got 2 to 4"),
    ],
)
def test_what_cannot_be_is_said(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_random_changes_of_pictures_within_the_network_are_refused():
    layers = list(small())
    flip = Layer.from_config("flip", "RandomFlip", {}, inputs=("image",))
    net = Network([layers[0], flip, replace(layers[1], inputs=("flip",)), *layers[2:]])
    with pytest.raises(ValueError, match=r"layer 'flip' \(RandomFlip\) changes its input at random"):
        Trainer(net).step(*data())
