"""A training that is watched: its steps looked at again to the bit, thinned states, the networks it is of."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from cnnviz import load_model
from cnnviz.training import Adam, Trainer
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.numpy_training import loss_of
from cnnviz.training.trainer import LossNotFinite
from cnnviz.training.watched_training import (
    RunSettings,
    Snapshots,
    WatchedTraining,
    gradient_sizes,
    network_of,
    silent_channels,
    without_batch_norm,
)

SMALL = RunSettings("small", images=100, batch_size=32, learning_rate=0.01)


def same(weights, others):
    return weights.keys() == others.keys() and all(
        np.array_equal(weights[key], others[key]) for key in weights
    )


@pytest.mark.parametrize("room", [None, 60_000])
def test_every_step_can_be_looked_at_again_to_the_bit(room):
    settings = (
        SMALL
        if room is None
        else RunSettings("small", images=100, batch_size=32, optimizer="sgd", shuffled_labels=True)
    )
    watched = WatchedTraining(settings, **({} if room is None else {"room": room}))
    weights, losses = {0: weights_of(network_of(settings))}, {}

    def keep(step):
        weights[step.number], losses[step.number] = weights_of(step.network), step.loss

    watched.run(keep, until=7)  # in the second of four batches an epoch
    looked_at = {step: weights_of(watched.state_at(step).network) for step in (3, 7)}
    watched.run(keep, until=13)
    if room is not None:
        assert watched.snapshots.every > 1
        assert watched.snapshots.bytes <= room
    assert sorted(weights) == list(range(14))
    for step in range(14):
        assert same(weights_of(watched.state_at(step).network), weights[step])
        assert step == 0 or watched.step_at(step).loss == losses[step]
    assert all(same(looked_at[step], weights[step]) for step in looked_at)


def test_what_was_looked_at_again_is_forgotten_when_the_run_goes_on():
    watched, kept = WatchedTraining(SMALL), []

    def look(step):
        kept.append(watched._again)
        watched.step_at(1)

    watched.run(look, until=3)
    assert kept == [None] * 3


def test_all_steps_before_a_loss_that_is_no_number_stay_made(tmp_path):
    net = network_of(SMALL)
    weights = {"conv2d/kernel": net["conv2d"].weights["kernel"] * np.float32(1e17)}
    net.with_weights(weights).save(tmp_path / "own.keras")
    for optimizer, rate in (("sgd", 1.0), ("adam", 100.0)):
        settings = RunSettings(
            str(tmp_path / "own.keras"), 64, batch_size=32, learning_rate=rate, optimizer=optimizer
        )
        watched, made = WatchedTraining(settings), []
        with pytest.raises(LossNotFinite):
            watched.run(made.append)
        assert watched.steps == made[-1].number > 0
        assert watched.step_at(watched.steps).loss == made[-1].loss
        assert same(weights_of(watched.state_at(watched.steps).network), weights_of(made[-1].network))


def test_it_is_the_trainers_own_run():
    watched = WatchedTraining(SMALL)
    watched.run(until=6)
    alone = Trainer(network_of(SMALL), Adam(0.01), loss_of(network_of(SMALL)), seed=0)
    steps = []

    def sixth(step):
        steps.append(step)
        if step.number == 6:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        alone.fit(
            watched.images,
            watched.labels,
            epochs=2,
            batch_size=32,
            on_step=sixth,
            progress=False,
        )
    assert same(weights_of(watched.trainer.network), weights_of(alone.network))
    assert gradient_sizes(steps[-1], watched.layers)[-1:] == pytest.approx(
        [np.sqrt(sum(np.square(steps[-1].gradients[f"dense/{name}"]).sum() for name in ("kernel", "bias")))]
    )


def test_states_are_kept_further_apart_the_more_there_are():
    watched = WatchedTraining(SMALL)
    one = Snapshots()
    one.add(watched.trainer.state)
    watched.snapshots = Snapshots(room=5 * one.bytes)
    watched.snapshots.add(watched.trainer.state)
    watched.run(until=9)
    assert sorted(watched.snapshots.states) == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="step must be from 0 to 9, got 10"):
        watched.state_at(10)


def test_states_take_no_more_room_than_is_counted():
    watched = WatchedTraining(RunSettings("small", images=16, batch_size=1, optimizer="sgd"))
    watched.run(until=1)
    before = watched.snapshots.bytes
    tracemalloc.start()
    try:
        watched.run(until=61)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert watched.snapshots.every == 1
    assert taken < watched.snapshots.bytes - before


def test_the_held_out_images_are_test_images_and_looked_at_seldom():
    watched = WatchedTraining(SMALL)
    found = watched.look_at_held_out()
    assert watched.look_at_held_out() is None
    assert watched.look_at_held_out(at_once=True) == found
    run = watched.trainer.evaluate(watched.held_out_images, watched.held_out_labels)
    assert found.accuracy == pytest.approx(run["accuracy"])
    assert found.loss == pytest.approx(run["loss"], rel=1e-5)


def test_without_batch_norm_a_network_computes_what_its_other_layers_do():
    net = load_model("mnist_14k")
    bare = without_batch_norm(net)
    assert not [layer for layer in bare if layer.kind == "BatchNormalization"]
    x = np.linspace(0, 1, 28 * 28, dtype=np.float32).reshape(1, 28, 28, 1)
    run = bare.run(x)
    # The first one is the same convolution, and its layer behind now reads it as it is.
    assert np.array_equal(run["conv2d"], net.run(x)["conv2d"])
    assert np.array_equal(run.inputs("conv2d_1")[0], run["conv2d"])


def test_a_channel_is_silent_that_is_zero_everywhere():
    net = network_of(SMALL)
    bias = np.array([-1e3, 0, 1, -1e3], np.float32)
    run = net.with_weights({"conv2d/bias": bias}).run(np.ones((3, 28, 28)))
    silent, channels = silent_channels(run)["conv2d"]
    assert (silent, channels) == (int((run["conv2d"].max(axis=(0, 1, 2)) == 0).sum()), 4)
    assert silent >= 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"network": "resnet"}, "network must be one of small, mnist_14k, mnist_maxpool"),
        ({"images": 60_001}, "images must be from 16 to 60,000"),
        ({"batch_size": 0}, "batch_size must be from 1 to 512"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd, adam, adamw"),
        ({"seed": -1}, "seed must be from 0"),
    ],
)
def test_settings_outside_of_what_there_is_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        RunSettings(**settings)


def test_a_file_that_is_not_for_digits_is_refused(tmp_path):
    net = network_of(SMALL)
    net.save(tmp_path / "own.keras")
    assert same(weights_of(network_of(RunSettings(str(tmp_path / "own.keras")))), weights_of(net))
    from cnnviz import Layer, Network

    image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 8, 8, 3)})
    dense = Layer.from_config("dense", "Dense", {"units": 10}, inputs=("flat",))
    other = Network([image, Layer("flat", "Flatten", inputs=("image",)), dense], seed=0)
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"must take pictures of \(28, 28, 1\)"):
        network_of(RunSettings(str(tmp_path / "other.keras")))
