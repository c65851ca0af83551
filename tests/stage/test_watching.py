"""A trainer that is watched: what its panel is sent while it trains, and what the page asks for then."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest

import cnnviz
from cnnviz.stage import watching
from cnnviz.stage.parts import MAGIC
from cnnviz.stage.recorded_runs import RecordedRuns
from cnnviz.training import Adam, Trainer
from cnnviz.training.watched_training import small_network


@pytest.fixture(scope="module")
def digits():
    return cnnviz.load_mnist()


@pytest.fixture
def trainer():
    return Trainer(small_network(0), Adam(0.01), seed=0)


def header_of(data):
    assert data.startswith(MAGIC)
    length = int.from_bytes(data[8:12], "little")
    return json.loads(data[16 : 16 + length]), data[16 + length :]


def array_of(data, place):
    offset, count, kind, *_ = place
    return np.frombuffer(header_of(data)[1], {"f4": "<f4", "i2": "<i2"}[kind], count, offset)


class Widget:
    """What a front end would be sent."""

    comm = True

    def __init__(self):
        self.parts = []

    def __setattr__(self, name, value):
        if name == "part":
            self.parts.append(value)
        else:
            super().__setattr__(name, value)


def test_it_shows_steps_while_it_trains_and_the_last_one_at_the_end(trainer, digits, monkeypatch):
    monkeypatch.setattr(watching, "EVERY", 0.0)
    monkeypatch.setattr(watching, "LOOKED_AT", np.inf)
    (images, labels), (test_images, test_labels) = digits
    watched = cnnviz.watch(trainer, test_images[0], title="test digit 0", label=7)
    watched._widget = widget = Widget()
    validation = test_images[:50], test_labels[:50]
    watched.fit(images[:96], labels[:96], 2, 32, validation, progress=False)
    headers = [header_of(part)[0] for part in widget.parts]
    assert [header["step"] for header in headers] == [1, 2, 3, 4, 5, 6, 6]
    last = headers[-1]
    assert (last["said"], last["offers"], last["moves"]) == ("Step 6.", {}, False)
    rows = array_of(widget.parts[-1], last["training"]).reshape(-1, 3)
    assert rows[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    held = array_of(widget.parts[-1], last["heldOut"]).reshape(-1, 3)
    expected = [(3 * row["epoch"], row["val_loss"], row["val_accuracy"]) for row in trainer.history]
    assert np.allclose(held, np.float32(expected))
    kernel = array_of(widget.parts[-1], last["weights"]["array"])
    assert np.array_equal(kernel, trainer.network["conv2d"].weights["kernel"][:, :, 0].ravel())
    # The digit's maps, its answer and its field are those of the network as it is now.
    run = trainer.network.run(test_images[0])
    maps = array_of(widget.parts[-1], last["digit"]["maps"]["array"])
    assert np.array_equal(maps, run["conv2d_1"].ravel())
    assert f"test digit 0: {run.output[0].argmax()} with" in last["digit"]["words"]
    field = cnnviz.effective_receptive_field(trainer.network, "conv2d_1", test_images[:1])
    assert np.array_equal(array_of(widget.parts[-1], last["field"]["array"]), np.float32(field.map).ravel())


def test_pictures_take_a_tenth_of_the_time_at_most(trainer, digits, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: now[0])
    (images, labels), _ = digits
    watched = cnnviz.watch(trainer)
    shown = []

    def show():
        shown.append(watched._picture["step"])
        now[0] += 1.0

    monkeypatch.setattr(watched, "_show", show)
    for _ in range(25):
        watched(trainer.step(images[:16], labels[:16]))
        now[0] += 1.0
    # One second of looking, then ten of training.
    assert shown == [1, 11, 21]
    # The last step is shown whole, though it was passed over.
    watched.update()
    assert shown == [1, 11, 21, 25]
    assert len(watched._picture["gradients"]) == 3
    assert [each.step for each in watched.curves.training] == list(range(1, 26))


def test_the_slider_leads_back_to_steps_whose_weights_were_kept(trainer, digits):
    (images, labels), (test_images, _) = digits
    watched = cnnviz.watch(trainer, test_images[0])
    weights = {}

    def on_step(step):
        watched(step)
        weights[step.number] = step.network["conv2d"].weights["kernel"][:, :, 0].ravel()

    trainer.fit(images[:64], labels[:64], 2, 16, on_step=on_step, progress=False)
    watched._widget = widget = Widget()
    for number in (3, 8):
        watched._obey({"do": "show", "step": number})
        header, _ = header_of(widget.parts[-1])
        assert header["step"] == number
        assert np.array_equal(array_of(widget.parts[-1], header["weights"]["array"]), weights[number])
    assert header_of(widget.parts[0])[0]["said"] == "Looking back at step 3 of 8."
    watched._obey({"do": "weights", "name": "conv2d_1/kernel"})
    watched._obey({"do": "channel", "channel": 2})
    weights_shown = header_of(widget.parts[-1])[0]["weights"]
    assert (weights_shown["name"], weights_shown["channel"], weights_shown["inputs"]) == (
        "conv2d_1/kernel",
        2,
        4,
    )
    watched._obey({"do": "field", "layer": "conv2d"})
    assert header_of(widget.parts[-1])[0]["field"]["layer"] == "conv2d"
    count = len(widget.parts)
    for nonsense in (
        None,
        "show",
        {"do": "show", "step": "3"},
        {"do": "channel", "channel": 1.5},
        {"do": "x"},
    ):
        watched._obey(nonsense)
    assert len(widget.parts) == count


def test_any_network_is_watched_with_what_it_has(digits):
    """No maps, no accuracy: what there is not is left out."""
    layers = [
        cnnviz.Layer.from_config("x", "InputLayer", {"batch_shape": (None, 3)}),
        cnnviz.Layer.from_config("y", "Dense", {"units": 1}, inputs=("x",)),
    ]
    trainer = Trainer(cnnviz.Network(layers, seed=0), "sgd", "mean_squared_error", metrics=())
    watched = cnnviz.watch(trainer, np.zeros(3))
    watched(trainer.step(np.ones((2, 3), np.float32), np.zeros((2, 1), np.float32)))
    header, _ = header_of(bytes(watched))
    assert (header["batch"], header["digit"], header["field"]) == (None, None, None)
    assert header["weights"]["names"] == ["y/kernel", "y/bias"]
    assert np.isfinite(watched.curves.training[0].loss)
    assert np.isnan(watched.curves.training[0].accuracy)


@pytest.mark.skipif(find_spec("anywidget") is None, reason="anywidget is not installed")
def test_its_widget_is_sent_what_the_panel_draws(trainer, digits):
    watched = cnnviz.watch(trainer, digits[1][0][0])
    assert watched.widget.part == bytes(watched)
    assert watched.widget is watched.widget
    watched.show_step(0)
    assert header_of(watched.widget.part)[0]["step"] == 0


@pytest.mark.skipif(find_spec("anywidget") is not None, reason="anywidget is installed")
def test_without_anywidget_it_says_how_to_get_it(trainer):
    with pytest.raises(ImportError, match=r"pip install 'cnnviz\[notebook\]'"):
        _ = cnnviz.watch(trainer).widget


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_image_that_no_page_could_be_told_of_is_refused(trainer, number):
    for run in (trainer, "mnist_maxpool.short"):
        with pytest.raises(ValueError, match="image must hold finite numbers"):
            cnnviz.watch(run, np.full((28, 28), number))


def test_recorded_runs_are_watched_by_their_names():
    runs = cnnviz.watch("mnist_maxpool.short")
    assert isinstance(runs, RecordedRuns)
    assert "test digit 0, a 7" in runs._repr_html_()
    with pytest.raises(ValueError, match=r"there is no record of a run 'mnist_maxpool\.long'"):
        cnnviz.watch(["mnist_maxpool.long"])
