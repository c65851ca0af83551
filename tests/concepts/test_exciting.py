"""The images that excite channels most: against sorting all of them, and the record of the bundled models."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnnviz import load_mnist, load_model
from cnnviz.commands import main
from cnnviz.concepts.exciting import Excited, most_exciting, read_exciting, write_exciting
from cnnviz.resources import asset


@pytest.fixture(scope="module")
def digits():
    return load_mnist()[1][0]


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_batch_by_batch_it_finds_what_sorting_everything_finds(model, digits):
    net = load_model(model)
    calls = []
    found = most_exciting(net, digits[:40], top=7, batch_size=9, progress=lambda *done: calls.append(done))
    assert calls[-1] == (40, 40)
    run = net.run(digits[:40])
    for name in run:
        if run[name].ndim != 4 or not net[name].inputs:
            assert name not in found.values
            continue
        best = run[name].max(axis=(1, 2))
        order = np.argsort(-best, axis=0, kind="stable")[:7]
        assert_allclose(found.values[name].T, np.take_along_axis(best, order, axis=0), rtol=1e-5, atol=1e-5)
        for channel, (values, places) in enumerate(zip(found.values[name], found.places[name], strict=True)):
            assert len(set(places[:, 0])) == 7
            assert (np.diff(values) <= 0).all()
            cells = run[name][(*places.T.astype(int), channel)]
            assert_allclose(cells, values, rtol=1e-5, atol=1e-5)


def test_of_equals_the_first_is_kept():
    found = most_exciting(load_model("mnist_14k"), np.zeros((6, 28, 28), "uint8"), top=2, batch_size=4)
    assert [one.image for one in found.of("conv2d", 0)] == [0, 1]
    assert found.of("conv2d", 0)[0] == Excited(0, 0, 0, float(found.values["conv2d"][0, 0]))


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_the_record_is_of_the_bundled_model_and_test_images(model, digits):
    net, found = load_model(model), read_exciting(model)
    assert found is not None, "`cnnviz exciting --record` makes it anew"
    assert found.images == len(digits) == 10_000
    some = sorted({one.image for name in found.values for one in found.of(name, 0)[:2]})
    run = net.run(digits[some])
    for name in found.values:
        first, second = found.of(name, 0)[:2]
        assert first.value >= second.value
        best = run[name][..., 0].max(axis=(1, 2))
        assert_allclose(best.max(), first.value, rtol=1e-5)
        assert_allclose(run[name][some.index(first.image), first.row, first.col, 0], first.value, rtol=1e-5)


def test_what_was_kept_comes_back_and_only_for_that_file(tmp_path, digits):
    net = load_model("mnist_maxpool")
    found = most_exciting(net, digits[:10], top=3)
    path = write_exciting(found, net.source, tmp_path / "kept.npz")
    again = read_exciting("mnist_maxpool", net.source, path)
    assert again.images == 10
    for name in found.values:
        assert_array_equal(again.values[name], found.values[name])
        assert_array_equal(again.places[name], found.places[name])
    assert read_exciting("mnist_maxpool", asset("mnist_14k.keras"), path) is None
    assert read_exciting("mnist_maxpool", tmp_path / "none.keras", path) is None
    assert read_exciting("mnist_maxpool", net.source, tmp_path / "none.npz") is None
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"kept\.npz is not a record of exciting images"):
        read_exciting("mnist_maxpool", net.source, path)


def test_bad_arguments_are_named():
    net = load_model("mnist_maxpool")
    with pytest.raises(ValueError, match="images must be 1 to 65,536, got 0"):
        most_exciting(net, np.zeros((0, 28, 28)))
    with pytest.raises(ValueError, match="top and batch_size must be positive, got 0 and 250"):
        most_exciting(net, np.zeros((1, 28, 28)), top=0)


def test_the_command_prints_digits_with_their_labels(capsys):
    assert main(["exciting", "conv2d_3", "7", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    labels = load_mnist()[1][1]
    expected = read_exciting("mnist_14k").of("conv2d_3", 7)
    assert [row["digit"] for row in told["digits"]] == [one.image for one in expected]
    assert [row["label"] for row in told["digits"]] == [labels[one.image] for one in expected]
    assert main(["exciting", "conv2d_3", "7"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == str(expected[0].image)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["exciting"], "give a LAYER and a CHANNEL, or --record without them"),
        (["exciting", "conv2d"], "give a LAYER and a CHANNEL"),
        (["exciting", "conv2d", "1", "--record"], "give a LAYER and a CHANNEL"),
        (["exciting", "softmax", "1"], "LAYER must be one of conv2d, "),
        (["exciting", "conv2d", "16"], "CHANNEL must be from 0 to 15, got 16"),
    ],
)
def test_the_command_refuses_what_does_not_fit(capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
