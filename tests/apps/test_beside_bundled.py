"""A network of the user's own beside a bundled one: what both say of the test digits."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import cnnviz
from apps.conftest import drawn, htmls, pictures, said, widget
from cnnviz.network.evaluation import evaluate
from cnnviz.network.open_networks import OPEN
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.numbers import number, percent
from cnnviz.resources import app
from cnnviz.training.watched_training import RunSettings, WatchedTraining


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What the Training page's "use it on all pages" opens, after thirty steps."""
    watched = WatchedTraining(RunSettings("small", images=2_000, batch_size=64, learning_rate=0.01))
    watched.run(until=30)
    path = tmp_path_factory.mktemp("trained") / "small_step_30.keras"
    watched.trainer.save(path)
    OPEN.give(OpenedNetwork(path))
    yield watched.trainer.network
    OPEN.close_all()


@pytest.fixture(scope="module")
def at(trained):
    found = AppTest.from_file(str(app()), default_timeout=120).run()
    found.query_params["closer"] = "beside"
    found.query_params["model"] = "own"
    found.switch_page(str(Path("pages") / "overview.py"))
    return found.run()


def test_both_accuracies_have_their_error_and_digits_and_kernels_stand_side_by_side(at, trained):
    assert not at.exception
    assert not at.error
    test = cnnviz.load_mnist()[1]
    # It opens beside the bundled network that is built like it.
    bundled = cnnviz.load_model("mnist_maxpool")
    for net in (trained, bundled):
        share = evaluate(net, *test).accuracy
        error = 100 * np.sqrt(share * (1 - share) / 10_000)
        assert f"{percent(share)} ± {error:.2f}" in htmls(at)
    one, other = (net.predict(test[0]).argmax(axis=1) for net in (trained, bundled))
    text = " ".join(said(at))
    only_one, only_other = ((a == test[1]) & (b != test[1]) for a, b in ((one, other), (other, one)))
    assert f"they say different things of {(one != other).sum():,}: " in text
    assert f"{only_one.sum():,} only small" in text.replace("\\", "")
    assert f"{only_other.sum():,} only mnist" in text.replace("\\", "")
    first = int(np.flatnonzero(only_one)[0])
    assert f"{first:,}, a" in drawn(at, "flipped-digits")["alt"]
    galleries = [each for each in pictures(at) if each["name"] == "cnnviz-kernel-tiles"]
    assert len(galleries) == 2
    # One scale for both: the largest weight of all is at its end, in either legend.
    kernels = [net["conv2d"].weights["kernel"] for net in (trained, bundled)]
    end = number(max(float(np.abs(kernel).max()) for kernel in kernels))
    assert all(end in re.sub("<[^>]*>", " ", each["svg"]) for each in galleries)


def test_another_bundled_network_can_be_chosen(at):
    widget(at.segmented_control, "other").set_value("mnist_14k").run()
    assert not at.exception
    assert "right, mnist_14k" in htmls(at)


def test_a_network_that_would_take_hours_is_not_asked_for_all_test_digits(at, monkeypatch):
    monkeypatch.setattr(sys.modules["sample"], "DIGITS_WORK", 10**6)
    at.run()
    assert not at.exception
    (error,) = at.error
    assert re.fullmatch(
        r"The test digits were not read: 10,000 of them would take [\d.]+ billion multiply-adds; "
        r"the limit is 0\.0 billion\.",
        error.value.replace("\\", ""),
    )
    assert "Next mistake" not in [button.label for button in at.button]
    monkeypatch.undo()
    at.run()
    assert not at.error
    assert "Next mistake" in [button.label for button in at.button]
