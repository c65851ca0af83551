"""Interventions are the engine's runs with numbers exchanged; what does not fit is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.stage.intervention import InterventionError, intervene


def test_no_edit_is_the_plain_run(net, digit):
    run, layers = intervene(net, digit, [])
    np.testing.assert_array_equal(run.output, net.run(digit).output)
    assert not layers


def test_a_weight_is_that_of_with_weights(net, digit):
    kernel = np.array(net["conv2d_3"].weights["kernel"])
    kernel.flat[100] = 2.5
    run, _ = intervene(
        net, digit, [{"kind": "weight", "name": "conv2d_3/kernel", "index": 100, "value": 2.5}]
    )
    expected = net.with_weights({"conv2d_3/kernel": kernel}).run(digit)
    np.testing.assert_array_equal(run.output, expected.output)
    assert not np.array_equal(run["conv2d_3"], net.run(digit)["conv2d_3"])


def test_channels_are_silenced_and_all_behind_them_follows(net, digit):
    edits = [{"kind": "channel", "layer": "conv2d_1", "channel": k} for k in (2, 5)]
    run, layers = intervene(net, digit, edits)
    before = net.run(digit)
    assert layers == {"conv2d_1"}
    assert not run["conv2d_1"][..., [2, 5]].any()
    np.testing.assert_array_equal(run["conv2d_1"][..., 3], before["conv2d_1"][..., 3])
    np.testing.assert_array_equal(run["batch_normalization"], before["batch_normalization"])
    assert not np.array_equal(run["conv2d_2"], before["conv2d_2"])


def test_a_pixel_changes_nothing_outside_its_reach(net, digit):
    run, _ = intervene(net, digit, [{"kind": "pixel", "row": 3, "col": 4, "channel": 0, "value": 1.0}])
    changed = run["conv2d"] != net.run(digit)["conv2d"]
    rows, cols = np.where(changed.any(axis=(0, 3)))
    assert run["input"][0, 3, 4, 0] == 1
    assert rows.min() >= 1
    assert rows.max() <= 3
    assert cols.min() >= 2
    assert cols.max() <= 4


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({}, "kind must be 'channel', 'weight' or 'pixel', got None"),
        ("x", "kind must be"),
        ({"kind": "channel", "layer": "nowhere", "channel": 0}, "no layer 'nowhere'"),
        ({"kind": "channel", "layer": ["conv2d"], "channel": 0}, "no layer"),
        ({"kind": "channel", "layer": "conv2d", "channel": 16}, "whole number below 16, got 16"),
        ({"kind": "channel", "layer": "conv2d", "channel": True}, "got True"),
        ({"kind": "weight", "name": "conv2d/nothing", "index": 0, "value": 1}, "no weight"),
        ({"kind": "weight", "name": "conv2d/kernel", "index": 144, "value": 1}, "below 144"),
        ({"kind": "weight", "name": "conv2d/kernel", "index": 0, "value": float("nan")}, "finite"),
        ({"kind": "weight", "name": "conv2d/kernel", "index": 0, "value": 1e39}, "finite"),
        ({"kind": "weight", "name": "conv2d/kernel", "index": 0, "value": 10**400}, "finite"),
        ({"kind": "pixel", "row": 28, "col": 0, "channel": 0, "value": 1}, "row must be"),
        ({"kind": "pixel", "row": 0, "col": 0, "channel": 0, "value": "1"}, "finite number .*, got '1'"),
    ],
)
def test_nonsense_is_refused(net, digit, edit, message):
    with pytest.raises(InterventionError, match=message):
        intervene(net, digit, [edit])


def test_too_many_edits_are_refused(net, digit):
    with pytest.raises(InterventionError, match="at most 200"):
        intervene(net, digit, [{}] * 201)
