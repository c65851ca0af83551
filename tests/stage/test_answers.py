"""What is answered to a page's questions about a large network, against the run; and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cnnviz.stage.answers import MOST_NUMBERS, KeptRuns, answer_numbers, run_for
from cnnviz.stage.component import answer
from cnnviz.stage.intervention import intervene
from cnnviz.stage.live_view import LiveView, view
from cnnviz.stage.packing import packed
from cnnviz.stage.parts import Part
from cnnviz.stage.plan import SENT_WHOLE, SMALL, plan_for, sent_bytes, shapes_of
from cnnviz.stage.scene import build_scene
from cnnviz.stage.stages import values_of
from harness.opened_models import any_size

CHANGES = [{"kind": "channel", "stage": "conv2d_3 relu", "channel": 3}]


@pytest.fixture(scope="module")
def run(net, digit):
    return net.run(digit)


@pytest.fixture
def scene(run):
    return build_scene(run, 0, far=True, key="0")


def read(part: Part, place) -> np.ndarray:
    offset, length, dtype = place[:3]
    return np.frombuffer(part.body, f"<{dtype}", length, offset)


def asked(scene, **question):
    part = Part()
    return answer_numbers(scene, {"count": 7, "of": {}, **question}, part), part


def test_numbers_of_a_stage_and_of_an_array_are_the_runs_and_the_networks(net, run, scene):
    stages = scene.plan.taken.stages
    shape = stages[4].shape
    places = [[5, shape[2], shape[0] * shape[1]], [0, 1, 3]]
    said, part = asked(scene, numbers=[[4, places], ["conv2d_3/kernel", [[7, 16, 90]]]])
    assert said["count"] == 7
    (what, back, place), (name, _, kernel) = said["numbers"]
    assert (what, back, name) == (4, places, "conv2d_3/kernel")
    values = values_of(stages[4], run, 0)
    expected = np.concatenate([values[..., 5].ravel(), values.ravel()[:3]])
    np.testing.assert_array_equal(read(part, place), expected)
    np.testing.assert_array_equal(read(part, kernel), net["conv2d_3"].weights["kernel"][..., 7].ravel()[:90])


def test_what_a_change_comes_to_is_the_changed_run(net, digit, scene):
    said, part = asked(scene, of={"changes": CHANGES}, all=True, numbers=[[12, [[0, 1, 50]]]])
    changed, _ = intervene(net, digit, CHANGES)
    stages = scene.plan.taken.stages
    np.testing.assert_array_equal(
        read(part, said["numbers"][0][2]), values_of(stages[12], changed, 0).ravel()[:50]
    )
    last = len(stages) - 1
    np.testing.assert_array_equal(read(part, said["all"]["tensors"][str(last)]), changed.output[0])
    differ = [
        s
        for s, stage in enumerate(stages)
        if not np.array_equal(values_of(stage, changed, 0), values_of(stage, net.run(digit), 0))
    ]
    assert said["all"]["changed"] == differ
    assert min(differ) == next(s for s, stage in enumerate(stages) if stage.name == "conv2d_3 relu")


def test_of_a_change_only_what_lies_behind_it_is_computed(net, digit, scene):
    runs = KeptRuns()
    changed, base = run_for(scene, {"changes": CHANGES}, None, runs)
    assert changed["conv2d_2"] is base["conv2d_2"]
    assert changed["conv2d_4"] is not base["conv2d_4"]
    assert run_for(scene, {"changes": CHANGES}, None, runs)[0] is changed
    for name in net.run(digit):
        np.testing.assert_array_equal(changed[name], intervene(net, digit, CHANGES)[0][name])


def test_changed_weights_are_computed_from_their_layer_on(net, digit, run):
    change = {"kind": "weights", "array": "conv2d_3/bias", "at": [2], "values": [0.5]}
    changed, _ = intervene(net, digit, [change], run)
    fresh, _ = intervene(net, digit, [change])
    assert changed["conv2d_2"] is run["conv2d_2"]
    for name in run:
        np.testing.assert_array_equal(changed[name], fresh[name])


def test_a_run_of_another_image_takes_nothing_over_but_what_is_equal(net, digit, run):
    other, _ = intervene(net, np.zeros((28, 28)), [], run)
    np.testing.assert_array_equal(other.output, net.run(np.zeros((28, 28))).output)


@pytest.mark.parametrize(
    "question",
    [
        3,
        None,
        {"of": 3},
        {"of": {}, "numbers": 3},
        {"of": {}, "numbers": [[99, [[0, 1, 1]]]]},
        {"of": {}, "numbers": [[True, [[0, 1, 1]]]]},
        {"of": {}, "numbers": [["no/kernel", [[0, 1, 1]]]]},
        {"of": {}, "numbers": [[1, []]]},
        {"of": {}, "numbers": [[1, [[0, 0, 1]]]]},
        {"of": {}, "numbers": [[1, [[-1, 1, 1]]]]},
        {"of": {}, "numbers": [[1, [[0, 1, 10**9]]]]},
        {"of": {}, "numbers": [[1, [[0, 1, 1.5]]]]},
        {"of": {}, "numbers": [[0, [[0, 1, 784]]] * (MOST_NUMBERS // 784 + 1)]},
        {"of": {"item": "nobody's"}},
        {"of": {"changes": [{"kind": "channel", "stage": "conv2d", "channel": 99}]}, "all": True},
        {"of": {"image": {"title": "x", "pixels": "AA"}}, "all": True},
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(scene, question):
    said = answer_numbers(scene, question, part := Part())
    assert said["error"]
    assert not said["numbers"]
    assert not part.body


def test_runs_are_kept_as_long_as_there_is_room(net, digit):
    runs = KeptRuns(most=1)
    first = runs.of("a", lambda: net.run(digit))
    assert runs.of("a", lambda: pytest.fail("it is kept")) is first
    runs.of("b", lambda: net.run(digit))
    assert runs.of("a", lambda: net.run(digit)) is not first
    assert runs.held() == sum(
        {id(x): x.nbytes for name in first for x in (first[name], first.pre_activation(name))}.values()
    )


def test_who_looks_at_a_run_that_is_kept_does_not_wait_for_another(net, digit):
    runs = KeptRuns()
    kept = runs.of("a", lambda: net.run(digit))

    def compute():
        with ThreadPoolExecutor() as others:
            assert others.submit(runs.of, "a", lambda: pytest.fail("it is kept")).result(timeout=30) is kept
        return net.run(digit)

    assert runs.of("b", compute) is runs.of("b", lambda: pytest.fail("it is kept"))


def test_a_far_scene_has_the_extents_of_all_channels_and_no_large_array(net, run, scene):
    header = scene.plan.part.header
    assert header["far"]
    for name, place in header["arrays"].items():
        assert (place[0] is None) == (scene.plan.taken.arrays[name].size > SMALL)
    extents = read(scene.numbers, scene.items[0]["extents"]).reshape(-1, 3)
    stages = scene.plan.taken.stages
    expected = [
        (min(values[..., k].min(), 0), *[np.abs(values[..., k]).max()] * 2)
        for values in (values_of(stage, run, 0) for stage in stages)
        for k in range(values.shape[-1])
    ]
    np.testing.assert_array_equal(extents, np.array(expected, np.float32))


def test_extents_leave_out_what_is_no_finite_number():
    from cnnviz.stage.scene import _extents

    values = np.array([[[1, -np.inf]], [[np.nan, 2]], [[-3, np.nan]]], np.float32)
    np.testing.assert_array_equal(_extents(values), [[-3, 3, np.inf], [-np.inf, 2, np.inf]])


def test_a_small_network_is_sent_whole(net, digit):
    plan = plan_for(net, digit)
    assert sent_bytes(plan.taken) < SENT_WHOLE
    assert not plan.far
    assert all(place[0] is not None for place in plan.part.header["arrays"].values())


def test_the_shapes_of_any_size_are_those_of_its_run():
    net, image = any_size(), np.zeros((9, 20, 3), np.float32)
    assert shapes_of(net, image) == {name: value.shape[1:] for name, value in net.run(image).items()}


def test_the_explorer_answers_a_question_once_the_page_has_the_numbers(net, digit):
    plain = answer(net, digit, {}, item="0")
    question = {"count": 3, "of": {}, "numbers": [[2, [[0, 1, 4]]]]}
    state = {"have": plain.key, "numbers": {"key": plain.key, "question": question}}
    scene = answer(net, digit, state, item="0")
    said = scene.host["numbers"]
    assert scene.numbers.header["base"] == plain.key
    assert said["count"] == 3
    np.testing.assert_array_equal(
        read(scene.numbers, said["numbers"][0][2]),
        values_of(plain.plan.taken.stages[2], net.run(digit), 0).ravel()[:4],
    )
    other = answer(net, digit, {**state, "numbers": {"key": "another", "question": question}}, item="0")
    assert "numbers" not in other.host


def test_the_notebooks_view_answers_the_same(net, digit):
    w = view(net, digit)
    said, part = w.answer({"key": "any", "question": {"count": 1, "of": {}, "numbers": [[0, [[0, 1, 784]]]]}})
    np.testing.assert_array_equal(read(part, said["numbers"][0][2]), w.image.ravel())
    assert "error" in w.answer(None)[0]


# Files -------------------------------------------------------------------------------------------


def test_a_file_holds_the_layers_that_were_chosen_and_what_they_read(run, scene):
    of = packed(scene, lambda key: run, ["conv2d_3"])
    stages = of.plan.taken.stages
    own = {s for s, stage in enumerate(stages) if stage.layer.name == "conv2d_3"}
    wanted = own | {read for s in own for read in stages[s].reads}
    sent = {int(s) for s in of.items[0]["tensors"]}
    assert wanted <= sent
    large = {s for s, stage in enumerate(stages) if np.prod(stage.shape) > 4096}
    assert sent & large == wanted & large
    (s,) = sorted(own & large)[:1] or [sorted(own)[0]]
    np.testing.assert_array_equal(
        read(of.numbers, of.items[0]["tensors"][str(s)]), values_of(stages[s], run, 0).ravel()
    )
    assert "Left out are those of" in of.host["left_out"]


def test_a_file_holds_as_much_as_fits_from_both_ends(run, scene):
    sizes = [
        len(bytes(packed(scene, lambda key: run, limit=limit))) for limit in (0, 900_000, 1_000_000, 10**8)
    ]
    assert sizes == sorted(sizes)
    assert len(bytes(scene)) <= sizes[0]
    everything = packed(scene, lambda key: run, limit=10**8)
    assert everything.host["left_out"] == ""
    assert len(everything.items[0]["tensors"]) == len(scene.plan.taken.stages)


def test_the_last_layers_are_chosen_by_their_number(run, scene):
    of = packed(scene, lambda key: run, last=1)
    assert "Left out are those of conv2d" in of.host["left_out"]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"layers": ["nobody"]}, "layers must be names of layers"),
        ({"last": 0}, "last must be a number of layers"),
        ({"layers": [], "last": 1}, "give one of them"),
    ],
)
def test_what_cannot_be_chosen_is_said(run, scene, chosen, words):
    with pytest.raises(ValueError, match=words):
        packed(scene, lambda key: run, **chosen)


def test_a_saved_view_says_what_was_left_out(run, scene, tmp_path):
    whole = LiveView(scene, run).save(tmp_path / "whole.html", limit=10**8)
    part = LiveView(scene, run).save(tmp_path / "part.html", last=2)
    assert part.stat().st_size < whole.stat().st_size
