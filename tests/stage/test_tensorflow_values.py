"""TensorFlow's numbers come from a process of its own, or not at all."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer
from cnnviz.stage import tensorflow_values
from cnnviz.stage.tensorflow_values import Comparisons, ask_tensorflow


@pytest.fixture(scope="module")
def run():
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][:1])


def test_it_answers_for_every_layer_and_every_fused_activation(run):
    found = ask_tensorflow(run.network.source, run["input"])
    net = run.network
    for layer in net:
        np.testing.assert_allclose(found[f"output {layer.name}"], run[layer.name], rtol=0, atol=1e-4)
        if layer.activation is not None and not layer.is_activation:
            before = found[f"before {layer.name}"]
            assert before.min() < 0
            np.testing.assert_allclose(before, run.pre_activation(layer.name), rtol=0, atol=1e-4)


def test_layers_of_any_names_have_their_own_numbers(tmp_path):
    """They were kept under names beside which others stood: np.savez's file, and "x before" of x."""
    names = ("file", "cell", "cell before", "allow_pickle", "cell.npy")
    layers = [Layer.from_config("image", "InputLayer", {"batch_shape": (None, 3)})]
    for name in names:
        config = {"units": 3, "activation": "relu"}
        layers.append(Layer.from_config(name, "Dense", config, inputs=(layers[-1].name,)))
    cnnviz.Network(layers, seed=0).save(tmp_path / "names.keras")
    net = cnnviz.load_model(tmp_path / "names.keras")
    run = net.run(np.ones(3))
    found = ask_tensorflow(net.source, run["image"])
    for name in names:
        np.testing.assert_allclose(found[f"output {name}"], run[name], rtol=0, atol=1e-5)
        np.testing.assert_allclose(found[f"before {name}"], run.pre_activation(name), rtol=0, atol=1e-5)


def test_the_server_asks_once_and_imports_nothing(run, monkeypatch):
    asked = []

    def answer(path, images):
        asked.append(images)
        return {"output softmax": np.zeros((1, 10), np.float32)}

    monkeypatch.setattr(tensorflow_values, "ask_tensorflow", answer)
    comparisons = Comparisons()
    for _ in range(200):
        found = comparisons.ask(run)
        if found != "running":
            break
        time.sleep(0.01)
    assert not isinstance(found, str)
    comparisons.ask(run)
    assert len(asked) == 1
    code = "import sys, cnnviz.stage.component; print({'tensorflow', 'streamlit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_where_it_cannot_answer_it_says_why(run, monkeypatch, tmp_path):
    monkeypatch.setattr(tensorflow_values, "available", lambda: False)
    assert Comparisons().ask(run) == "TensorFlow is not installed here"
    monkeypatch.undo()
    net = cnnviz.Network(run.network.layers)
    assert Comparisons().ask(net.run(np.zeros((28, 28)))) == "this network is not that of a .keras file"
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"PK")
    with pytest.raises(RuntimeError, match="Keras cannot load"):
        ask_tensorflow(broken, run["input"])


def test_a_failed_question_says_why_and_the_next_is_answered(run, monkeypatch):
    other = run.network.run(np.zeros((28, 28)))

    def answer(path, images):
        if not images.any():
            raise OSError("No space left on device")
        return {}

    monkeypatch.setattr(tensorflow_values, "ask_tensorflow", answer)
    comparisons = Comparisons()
    comparisons.ask(other)
    for _ in range(200):
        if comparisons.ask(run) != "running":
            break
        time.sleep(0.01)
    assert comparisons.ask(other) == "TensorFlow could not answer: No space left on device"
    assert comparisons.ask(run) == {}
