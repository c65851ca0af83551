"""Interventions are the engine's runs with numbers exchanged; what does not fit is refused in words."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from cnnviz import Network
from cnnviz.stage.intervention import InterventionError, intervene, with_changed_weights
from cnnviz.stage.scene import build_scene
from harness.networks import image, layer, normal
from harness.node import ask_node


def test_no_change_is_the_plain_run(net, digit):
    run, stages = intervene(net, digit, [])
    np.testing.assert_array_equal(run.output, net.run(digit).output)
    assert not stages


def test_a_weight_is_that_of_with_weights(net, digit):
    kernel = np.array(net["conv2d_3"].weights["kernel"])
    kernel.flat[[100, 7]] = 2.5, -1
    change = {"kind": "weights", "array": "conv2d_3/kernel", "at": [100, 7], "values": [2.5, -1]}
    run, _ = intervene(net, digit, [change])
    expected = net.with_weights({"conv2d_3/kernel": kernel}).run(digit)
    np.testing.assert_array_equal(run.output, expected.output)
    assert not np.array_equal(run["conv2d_3"], net.run(digit)["conv2d_3"])


def test_changed_weights_alone_are_a_network(net, digit):
    weights = [
        {"kind": "weights", "array": "conv2d_3/kernel", "at": [100, 7], "values": [2.5, -1]},
        {"kind": "weights", "array": "conv2d_3/kernel", "at": [7], "values": [3]},
    ]
    silenced = {"kind": "channel", "stage": "conv2d_1 relu", "channel": 2}
    changed = with_changed_weights(net, [*weights, silenced])
    np.testing.assert_array_equal(changed.run(digit).output, intervene(net, digit, weights)[0].output)
    assert with_changed_weights(net, [silenced]) is net
    with pytest.raises(InterventionError, match="no weights called 'elsewhere/kernel'"):
        with_changed_weights(net, [{**weights[0], "array": "elsewhere/kernel"}])


def test_channels_are_silenced_and_all_behind_them_follows(net, digit):
    changes = [{"kind": "channel", "stage": "conv2d_1 relu", "channel": k} for k in (2, 5)]
    run, stages = intervene(net, digit, changes)
    before = net.run(digit)
    assert stages == {"conv2d_1 relu"}
    assert not run["conv2d_1"][..., [2, 5]].any()
    np.testing.assert_array_equal(run["conv2d_1"][..., 3], before["conv2d_1"][..., 3])
    np.testing.assert_array_equal(run["batch_normalization"], before["batch_normalization"])
    assert not np.array_equal(run["conv2d_2"], before["conv2d_2"])


def test_what_comes_before_an_activation_is_set_in_front_of_it(net, digit):
    changes = [{"kind": "values", "stage": "conv2d", "at": [0, 16, 17], "values": [-3, 5, 1]}]
    run, stages = intervene(net, digit, changes)
    assert stages == {"conv2d"}
    np.testing.assert_array_equal(run.pre_activation("conv2d")[0, 0, [0, 1, 1], [0, 0, 1]], [-3, 5, 1])
    np.testing.assert_array_equal(run["conv2d"][0, 0, [0, 1, 1], [0, 0, 1]], [0, 5, 1])


def test_a_pixel_changes_nothing_outside_its_reach(net, digit):
    change = {"kind": "values", "stage": "input", "at": [3 * 28 + 4], "values": [1.0]}
    run, _ = intervene(net, digit, [change])
    changed = run["conv2d"] != net.run(digit)["conv2d"]
    rows, cols = np.where(changed.any(axis=(0, 3)))
    assert run["input"][0, 3, 4, 0] == 1
    assert rows.min() >= 1
    assert rows.max() <= 3
    assert cols.min() >= 2
    assert cols.max() <= 4


@pytest.mark.parametrize(("rows", "cols"), [(2, -3), (0, 5), (-28, 0), (100, 1)])
def test_a_shift_moves_the_image_before_a_pixel_is_set(net, digit, rows, cols):
    pixel = {"kind": "values", "stage": "input", "at": [40], "values": [0.5]}
    run, _ = intervene(net, digit, [pixel, {"kind": "shift", "rows": rows, "cols": cols}])
    expected = np.zeros((28, 28), np.float32)
    for row in range(28):
        for col in range(28):
            if 0 <= row - rows < 28 and 0 <= col - cols < 28:
                expected[row, col] = np.float32(digit[row - rows, col - cols]) / 255
    expected[1, 12] = 0.5
    np.testing.assert_allclose(run["input"][0, :, :, 0], expected, rtol=0, atol=1e-7)


def test_a_later_change_is_made_on_the_earlier_one(net, digit):
    set_one = {"kind": "values", "stage": "max_pooling2d", "at": [3], "values": [9]}
    silent = {"kind": "channel", "stage": "max_pooling2d", "channel": 3}
    assert intervene(net, digit, [set_one, silent])[0]["max_pooling2d"][0, 0, 0, 3] == 0
    assert intervene(net, digit, [silent, set_one])[0]["max_pooling2d"][0, 0, 0, 3] == 9


NONSENSE = [
    ({}, "kind must be .values., .weights., .channel. or .shift., got"),
    ("x", "kind must be"),
    ({"kind": ["values"]}, "kind must be"),
    ({"kind": "channel", "stage": "nowhere", "channel": 0}, "no stage called .nowhere."),
    ({"kind": "channel", "stage": ["conv2d"], "channel": 0}, "no stage called"),
    ({"kind": "channel", "stage": "conv2d", "channel": 16}, "channel must be .* from 0 to 15, got 16"),
    ({"kind": "channel", "stage": "conv2d", "channel": True}, "channel must be a whole number"),
    ({"kind": "values", "stage": "conv2d", "at": [26 * 26 * 16], "values": [1]}, "at must be a whole number"),
    ({"kind": "values", "stage": "conv2d", "at": [-1], "values": [1]}, "from 0 to 10815, got -1"),
    ({"kind": "values", "stage": "conv2d", "at": [0], "values": []}, "lists of one length"),
    ({"kind": "values", "stage": "conv2d", "at": [], "values": []}, "at least one number"),
    ({"kind": "values", "stage": "conv2d", "at": 0, "values": 1}, "must be lists"),
    ({"kind": "values", "stage": "conv2d", "at": [0], "values": [None]}, "finite numbers .*, got"),
    ({"kind": "values", "stage": "conv2d", "at": [0], "values": ["1"]}, "finite numbers .*, got .1."),
    ({"kind": "weights", "array": "conv2d/nothing", "at": [0], "values": [1]}, "no weights called .conv2d/n"),
    ({"kind": "weights", "array": "max_pooling2d/from", "at": [0], "values": [1]}, "no weights called"),
    ({"kind": "weights", "array": "conv2d/kernel", "at": [144], "values": [1]}, "from 0 to 143, got 144"),
    ({"kind": "weights", "array": "conv2d/kernel", "at": [0.5], "values": [1]}, "at must be a whole number"),
    ({"kind": "weights", "array": "conv2d/kernel", "at": [0], "values": [1e39]}, "finite"),
    ({"kind": "shift", "rows": 1.5, "cols": 0}, "rows must be a whole number, got 1.5"),
    ({"kind": "shift", "rows": 1}, "cols must be a whole number, got"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), NONSENSE)
def test_nonsense_is_refused(net, digit, change, message):
    with pytest.raises(InterventionError, match=message):
        intervene(net, digit, [change])


def test_numbers_that_json_does_not_have_are_refused(net, digit):
    for value in (float("nan"), float("inf"), 10**400):
        change = {"kind": "values", "stage": "input", "at": [0], "values": [value]}
        with pytest.raises(InterventionError, match="finite"):
            intervene(net, digit, [change])


def test_too_many_changes_are_refused(net, digit):
    with pytest.raises(InterventionError, match="at most 200"):
        intervene(net, digit, [{}] * 201)


def test_the_page_refuses_the_same_in_the_same_words(net, digit):
    program = """({ base64, scene, changes }, { text, asked }) => {
      const read = scene.sceneOf(base64.fromBase64(text));
      return asked.map((change) => {
        try {
          changes.readChanges(read, [change]);
        } catch (error) {
          return error.message;
        }
        return "";
      });
    }"""
    text = base64.b64encode(bytes(build_scene(net.run(digit), 0))).decode()
    asked = [change for change, _ in NONSENSE]
    answers = ask_node(program, {"text": text, "asked": asked}, "base64", "scene", "changes")
    for (change, message), answer in zip(NONSENSE, answers, strict=True):
        with pytest.raises(InterventionError, match=message) as refused:
            intervene(net, digit, [change])
        # What was asked for is written as the language writes it.
        assert (
            answer.split(", got ")[0].split(" called ")[0].replace('"', "'")
            == (str(refused.value).split(", got ")[0].split(" called ")[0])
        )


def test_a_step_within_a_layer_is_not_set_in_python():
    kernels = {"depthwise_kernel": normal(3, 3, 2, 1), "pointwise_kernel": normal(1, 1, 2, 3)}
    net = Network(
        [
            image(5, 5, 2),
            layer(
                "both", "SeparableConv2D", "image", weights=kernels, filters=3, kernel_size=3, use_bias=False
            ),
        ]
    )
    change = {"kind": "channel", "stage": "both depthwise", "channel": 0}
    with pytest.raises(InterventionError, match="is a step within its layer"):
        intervene(net, np.ones((5, 5, 2)), [change])
