"""Runs of the NumPy engine: repeatable, resumed to the bit, also within an epoch; own networks."""

import re
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network, load_model
from cnnviz.commands import main
from cnnviz.training import Augmentation, LossNotFinite, Recipe, RunFiles, train
from cnnviz.training.numpy_training import architecture, loss_of
from harness.training_runs import FILES, VALIDATION, X, Y, assert_same_bits, left_in, run_on_few

KERAS = pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
TINY = Recipe(
    epochs=3,
    batch_size=64,
    weight_decay=1e-3,
    dropout=0.1,
    augmentation=Augmentation(alpha=20.0),
    average=0.9,
)


def run(folder, recipe=TINY, **options):
    return run_on_few("numpy", folder, recipe, **{"seed": 3, **options})


def assert_ends_alike(folder, other):
    assert_same_bits(folder, other)
    models = [RunFiles(each, "mnist_maxpool").model.read_bytes() for each in (folder, other)]
    assert models[0] == models[1]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run(folder)
    return folder


def test_a_run_leaves_model_history_and_every_epochs_weights(finished):
    assert sorted(path.name for path in finished.iterdir()) == FILES
    history = left_in(finished)[0]
    assert history["engine"] == "numpy"
    assert [row["learning_rate"] for row in history["epochs"]] == [TINY.rate(i) for i in range(3)]
    net = cnnviz.load_model(finished / "mnist_maxpool.keras")
    right = (net.predict(VALIDATION[0]).argmax(axis=1) == VALIDATION[1]).mean()
    assert history["epochs"][-1]["val_accuracy"] == pytest.approx(right)
    assert np.load(finished / "mnist_maxpool.epochs.npz")["conv2d/kernel"].shape == (4, 3, 3, 1, 16)


@pytest.mark.parametrize(("epoch", "step"), [(1, 1), (1, 3), (2, 2)])
def test_an_interrupted_run_ends_in_the_same_bits(finished, tmp_path, epoch, step):
    def interrupt(*at):
        if at[0] == epoch and at[2] == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt)
    for changed in ({"seed": 4}, {"recipe": replace(TINY, dropout=0.2)}):
        with pytest.raises(ValueError, match=r"cannot resume: .* is of a run with (seed=3|recipe=)"):
            run(tmp_path, resume=True, **changed)
    steps = []
    run(tmp_path, resume=True, progress=lambda *at: steps.append((at[0], at[2])))
    assert steps[0] == (epoch, step + 1) if step < 4 else (epoch + 1, 0)
    assert_ends_alike(tmp_path, finished)


def test_a_run_that_is_interrupted_again_goes_on_from_there(finished, tmp_path):
    def interrupted_at(step):
        def interrupt(*at):
            if at[:3:2] == (1, step):
                raise KeyboardInterrupt

        return interrupt

    for step in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, progress=interrupted_at(step), resume=step > 1)
    steps = []
    run(tmp_path, resume=True, progress=lambda *at: steps.append(at[:3:2]))
    assert steps[0] == (1, 4)
    assert_ends_alike(tmp_path, finished)


def test_an_interruption_in_the_first_epoch_leaves_nothing_to_resume(tmp_path):
    def interrupt(*at):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="nothing to resume: there is no"):
        run(tmp_path, resume=True)


def test_random_weights_come_from_the_seed():
    first, again, other = (architecture("mnist_14k", 0.2, seed) for seed in (1, 1, 2))
    kernel = first["conv2d_3"].weights["kernel"]
    assert (kernel == again["conv2d_3"].weights["kernel"]).all()
    assert (kernel != other["conv2d_3"].weights["kernel"]).any()
    assert (first["batch_normalization"].weights["moving_variance"] == 1).all()
    assert first["dropout_3"].config["rate"] == 0.2
    with pytest.raises(
        ValueError, match=r"model must be one of \['mnist_14k', 'mnist_maxpool'\], got 'lenet'"
    ):
        architecture("lenet", 0.0, 0)


def own(units, activation):
    layers = [
        Layer.from_config("image", "InputLayer", {"batch_shape": (None, 28, 28, 1)}),
        Layer.from_config("flat", "Flatten", {}, inputs=("image",)),
        Layer.from_config("dense", "Dense", {"units": units, "activation": activation}, inputs=("flat",)),
    ]
    return Network(layers, seed=0, name="own")


@pytest.mark.parametrize(
    ("units", "activation", "loss"),
    [
        (10, "softmax", "SparseCategoricalCrossentropy(from_logits=False)"),
        (10, None, "SparseCategoricalCrossentropy(from_logits=True)"),
        (1, "sigmoid", "BinaryCrossentropy(from_logits=False, label_smoothing=0.0)"),
        (1, None, "BinaryCrossentropy(from_logits=True, label_smoothing=0.0)"),
    ],
)
def test_a_network_of_ones_own_goes_on_from_its_weights(tmp_path, units, activation, loss):
    net = own(units, activation)
    assert repr(loss_of(net)) == loss
    labels = Y if units == 10 else Y % 2
    history = train(net, Recipe(epochs=4, learning_rate=0.002), tmp_path, X, labels)
    losses = [row["loss"] for row in history["epochs"]]
    assert losses == sorted(losses, reverse=True)
    assert RunFiles(tmp_path, "own").model.exists()
    with pytest.raises(ValueError, match="the engine tensorflow trains mnist_14k and mnist_maxpool only"):
        train(net, Recipe(epochs=1), tmp_path, X, labels, engine="tensorflow")
    with pytest.raises(ValueError, match="engine must be one of numpy, tensorflow, got 'jax'"):
        train(load_model("mnist_14k"), Recipe(), tmp_path, X, labels, engine="jax")


@pytest.mark.parametrize("engine", ["numpy", pytest.param("tensorflow", marks=KERAS)])
def test_a_network_whose_answers_are_no_numbers_is_not_saved(tmp_path, engine):
    """Where the one and last step of a run makes it so, no loss would be found to say it."""
    recipe = replace(TINY, epochs=1, batch_size=200, learning_rate=1e30, augmentation=None, average=None)
    with np.errstate(all="ignore"), pytest.raises(LossNotFinite, match=r"a smaller learning rate"):
        run_on_few(engine, tmp_path, recipe, seed=3)
    assert not RunFiles(tmp_path, "mnist_maxpool").model.exists()


def test_the_command_says_which_weights_are_kept(tmp_path, capsys, monkeypatch):
    data = str(tmp_path / "own.npz")
    np.savez(data, x_train=X[:64], y_train=Y[:64])
    monkeypatch.setattr(Recipe, "rate", lambda self, epoch: 1e-3 if epoch == 0 else 1e30)
    command = ["train", "mnist_maxpool", "--data", data, "--epochs", "2", "--out", str(tmp_path / "out")]
    with np.errstate(all="ignore"):
        assert main(command) == 2
    said = capsys.readouterr().err
    assert re.search(
        r"the loss is \S+ after step 2 .*mnist_maxpool.keras holds the weights after epoch 1\n", said
    )
    net = cnnviz.load_model(tmp_path / "out" / "mnist_maxpool.keras")
    assert np.isfinite(net.predict(X[:64])).all()
