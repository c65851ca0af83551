"""What a user opens: estimated before it is computed, computed in a child, and gone when it is closed."""

from __future__ import annotations

import gc
import os
import pickle
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz import Layer, Network
from cnnviz.commands import main
from cnnviz.images.class_names import class_names
from cnnviz.network import Gradient, child_process
from cnnviz.network import run as run_module
from cnnviz.network.class_scores import labels_by_output
from cnnviz.network.examples import Examples
from cnnviz.network.image_loading import load_images
from cnnviz.network.opened_network import MEMORY_LIMIT, WORK_LIMIT, OpenedNetwork
from cnnviz.stage.component import run_shown
from cnnviz.stage.intervention import intervene
from harness.generated_networks import image
from harness.opened_models import any_size, colour, opened_file

COLOURS = {"blue": (30, 40, 200), "green": (30, 180, 40), "red": (200, 30, 30), "white": (250, 250, 250)}


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return opened_file(colour, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def opened(file):
    with OpenedNetwork(file) as found:
        yield found


def test_its_runs_and_predictions_are_the_network_s_own(opened, file):
    net, x = cnnviz.load_model(file), np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    run, own = opened.run(x), net.run(x)
    assert list(run) == list(own)
    for name in own:
        np.testing.assert_array_equal(run[name], own[name])
        np.testing.assert_array_equal(run.pre_activation(name), own.pre_activation(name))
    np.testing.assert_array_equal(opened.network.predict(x, 1), net.predict(x, 1))
    assert run.network is opened.network
    changed = {"first/kernel": 2 * net["first"].weights["kernel"]}
    np.testing.assert_array_equal(
        opened.network.with_weights(changed).run(x).output, net.with_weights(changed).run(x).output
    )


def test_its_passes_are_computed_in_another_process(opened):
    opened.run(np.zeros((16, 16, 3), np.float32))
    assert opened.pid not in (None, os.getpid())
    assert pickle.loads(pickle.dumps(opened.network)).child is None


def test_gradients_and_edited_runs_are_computed_in_the_other_process_too(file, monkeypatch):
    net, x = cnnviz.load_model(file), np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    changes = [
        {"kind": "values", "stage": "image", "at": [0, 5], "values": [0.25, 0.75]},
        {"kind": "weights", "array": "second/bias", "at": [0], "values": [0.5]},
    ]
    silenced = [{"kind": "channel", "stage": "second relu", "channel": 1}]
    with OpenedNetwork(file) as opened:

        def nothing(*_, **__):
            raise AssertionError("computed in this process")

        expected = intervene(net, x[0], changes)[0]
        gradients = [
            net.run(x).gradient("scores", 2),
            expected.gradient("scores", 1, pre_activation=True),
        ]
        wanted = [
            (each.wrt_input, each["pool"], each.pre_activation("second"), each.wrt_weights)
            for each in gradients
        ]
        expected_without = intervene(net, x[0], silenced)[0].output
        monkeypatch.setattr(run_module, "forward", nothing)
        monkeypatch.setattr(Gradient, "_gathered", nothing)
        run = opened.run(x)
        base = opened.run(x[0])
        edited = intervene(opened.network, x[0], changes, base)[0]
        for name in expected:
            np.testing.assert_array_equal(edited[name], expected[name])
            np.testing.assert_array_equal(edited.pre_activation(name), expected.pre_activation(name))
        without = intervene(opened.network, x[0], silenced, base)[0]
        np.testing.assert_array_equal(without.output, expected_without)
        assert without["first"] is base["first"]
        for found, (to_input, to_pool, before, weights) in zip(
            [run.gradient("scores", 2), edited.gradient("scores", 1, pre_activation=True)],
            wanted,
            strict=True,
        ):
            np.testing.assert_array_equal(found.wrt_input, to_input)
            np.testing.assert_array_equal(found["pool"], to_pool)
            np.testing.assert_array_equal(found.pre_activation("second"), before)
            for name, array in found.of_weights(weights).items():
                np.testing.assert_array_equal(array, weights[name])
        opened.seconds = 1e-6
        with pytest.raises(ValueError, match="one pass back took longer"):
            run.gradient("scores", 0).wrt_input  # noqa: B018


def test_what_a_gradient_or_an_edited_run_would_take_is_bounded_as_any_pass(file):
    with OpenedNetwork(file) as opened:
        run = opened.run(0)
        opened.network.work_limit = 1000
        with pytest.raises(ValueError, match="the gradients of one image of colour would take as long"):
            run.gradient("scores", 0)
        with pytest.raises(ValueError, match="computing one image of colour would take as long"):
            intervene(opened.network, run["image"][0], [])


def test_a_pass_that_takes_too_long_is_stopped_and_the_next_one_runs(file):
    with OpenedNetwork(file) as opened:
        first, opened.seconds = opened.pid, 1e-6
        with pytest.raises(ValueError, match=r"colour.keras was stopped: .* longer than 1e-06 seconds"):
            opened.run(0)
        assert not _alive(first)
        opened.seconds = 60
        assert opened.run(0).output.shape == (1, 4)
        last = opened.pid
    assert not _alive(last)
    with pytest.raises(ValueError, match="was closed"):
        opened.run(0)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_would_take_too_much_is_refused_before_it_is_computed(tmp_path):
    layers = [image(8, 8, 1)]
    for number in range(3):
        layers.append(
            Layer.from_config(f"up{number}", "UpSampling2D", {"size": 64}, inputs=(layers[-1].name,))
        )
    path = tmp_path / "large.keras"
    Network(layers).save(path)
    begun = time.monotonic()
    with pytest.raises(ValueError, match=r"would take .* GB, most of it layer 'up2'.* the limit is 2\.0 GB"):
        OpenedNetwork(path)
    assert time.monotonic() - begun < 60


def test_a_limit_of_work_holds(file):
    with pytest.raises(ValueError, match="multiply-adds"):
        OpenedNetwork(file, work_limit=100)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "an empty file"), (b"\x89PNG", "this is a picture"), (b"PK\x03\x04", "cut off or damaged")],
)
def test_a_wrong_file_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "mine.keras"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as raised:
        OpenedNetwork(path)
    assert len(str(raised.value).splitlines()) == 1


def test_a_labelled_folder_is_evaluated(opened, tmp_path):
    for name, rgb in COLOURS.items():
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("RGB", (20, 20), rgb).save(tmp_path / name / f"{number}.png")
    images = load_images(tmp_path, opened.network)
    source = images.source
    examples = Examples({opened.network.inputs[0]: images}, source.names, source.labels, source.classes)
    opened.show(examples, {"scores": list(COLOURS)})
    try:
        (found,) = opened.evaluate().values()
        net = cnnviz.load_model(opened.path)
        called = net.predict(np.stack([np.asarray(one) for one in images])).argmax(axis=1)
        expected = np.zeros((4, 4), int)
        np.add.at(expected, (source.labels, called), 1)
        np.testing.assert_array_equal(found.confusion, expected)
        assert opened.label(2) == (1, "green")
        assert opened.answer(opened.run(2))[0][0] == list(COLOURS)[called[2]]
    finally:
        opened.show(opened.made)
    assert opened.evaluate() == {}


def test_classes_whose_names_differ_only_in_what_does_not_print_are_two(opened, tmp_path):
    """They are written alike, and whatever is said of the one was taken for the other."""
    folders = ["a\x01", "a\x02", "b", "c"]
    for name, rgb in zip(folders, COLOURS.values(), strict=True):
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 20), rgb).save(tmp_path / name / "0.png")
    images = load_images(tmp_path, opened.network)
    source = images.source
    examples = Examples({opened.network.inputs[0]: images}, source.names, source.labels, source.classes)
    opened.show(examples, {"scores": source.classes})
    try:
        assert [opened.label(place) for place in range(4)] == [(0, "a?"), (1, "a?"), (2, "b"), (3, "c")]
        run = opened.run(0)
        assert [opened.is_right(run, k) for k in range(4)] == [k == run.output.argmax() for k in range(4)]
        # A list of classes has their names as they are written.
        written = {"scores": class_names(tmp_path)}
        for chosen, expected in ((["c"], [3]), (["a\x02", "b"], None), (folders, [0, 1, 2, 3])):
            some = Examples({}, chosen, np.arange(len(chosen)), chosen)
            found = labels_by_output(opened.network, some, written).get("scores")
            assert found is expected or found.tolist() == expected
    finally:
        opened.show(opened.made)


def test_a_picture_that_cannot_be_read_is_skipped_once(opened, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    Image.new("RGB", (20, 20)).save(tmp_path / "good.png")
    images = load_images([str(tmp_path / name) for name in ("bad.png", "good.png")], opened.network)
    examples = Examples({"image": images}, images.source.names)
    for _ in range(2):
        assert [places for places, _ in examples.batches()] == [[1]]
    assert [name for name, _ in examples.skipped] == [examples.names[0]]


def test_the_limits_hold_for_every_image_however_it_is_run(tmp_path):
    large = np.zeros((300, 300, 3), np.float32)
    with OpenedNetwork(opened_file(any_size, tmp_path), memory_limit=2e6) as opened:
        for net in (opened.network, opened.network.with_weights({})):
            with pytest.raises(ValueError, match="activations of one image of any_size would take"):
                net.run(large)
            with pytest.raises(ValueError, match="any_size keeps of one image at one time would take"):
                net.predict(large)
            assert net.run(large, memory_limit=1e8).output.shape == (1, 3)


def test_an_answer_that_was_not_read_to_its_end_is_not_the_next_one_s(file, monkeypatch):
    with OpenedNetwork(file) as opened:
        x, y = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
        expected = opened.run(y).output
        with monkeypatch.context() as patch:
            patch.setattr(child_process._Patient, "readinto", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                opened.run(x)
        np.testing.assert_array_equal(opened.run(y).output, expected)


def _interrupted(*_):
    raise KeyboardInterrupt


def test_a_child_that_is_closed_while_it_starts_ends(file, monkeypatch):
    child = child_process.ComputingProcess(file, 1e9)
    start, started = child._started, []

    def slow():
        started.append(start())
        closing = threading.Thread(target=child.close)
        closing.start()
        while not child.closed:
            time.sleep(0.001)
        return started[0]

    monkeypatch.setattr(child, "_started", slow)
    with pytest.raises(ValueError, match=r"colour\.keras was closed"):
        child.ask("load")
    assert not _alive(started[0].pid)


def test_answers_leave_no_file_open(opened):
    gc.collect()
    gc.disable()
    try:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            opened.run(0)
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()


def test_a_run_that_is_shown_asks_its_own_network(file, opened):
    with OpenedNetwork(file) as other:
        run_shown(other.network, np.zeros((16, 16, 3), np.float32))
    run = run_shown(opened.network, np.zeros((16, 16, 3), np.float32))
    assert run.network is opened.network


def test_the_command_s_help_says_the_limits(capsys):
    main(["explore", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"(default: {MEMORY_LIMIT / 1e9:g})" in said
    assert f"(default: {WORK_LIMIT / 1e9:g})" in said
