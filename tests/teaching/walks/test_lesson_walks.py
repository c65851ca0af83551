"""What the walks of the lessons claim of an image, worked out by the engine from changed images and runs."""

import numpy as np
import pytest

import cnnviz
from cnnviz.stage.guided_walk import WALKS, told
from cnnviz.stage.intervention import intervene
from cnnviz.stage.stage_scope import StageScope

cnnviz.view  # The package's door brings the walks.  # noqa: B018
MODELS = "mnist_14k", "mnist_maxpool"
DIGITS = 0, 18, 247, 1232, 4224, 9009


@pytest.fixture(scope="module", params=MODELS)
def run(request):
    digits = cnnviz.load_mnist()[1][0][list(DIGITS)]
    return cnnviz.load_model(request.param).run(np.concatenate([digits, np.zeros_like(digits[:1])]))


def steps_of(name, run):
    """For each image: the step by its title's beginning, and the numbers on the stage."""
    for index in range(len(run.output)):
        yield index, {step.title: step for step in told(WALKS[name], run, index)}, StageScope(run, index)


def after(run, index, step):
    """The numbers on the stage once the step's changes are made."""
    changed, _ = intervene(run.network, run["input"][index], step.state["changes"])
    return StageScope(changed)


def cell_of(scope, step):
    return scope["cell"](*step.state["path"][0])


def test_a_patch_without_ink_gives_the_bias(run):
    for index, steps, scope in steps_of("convolution", run):
        step = steps["What is left without ink"]
        cell = cell_of(scope, step)
        assert after(run, index, step)["value"](cell) == np.float32(scope["bias"](cell))


def test_a_map_moves_along_with_the_digit(run):
    moved = 0
    for index, steps, scope in steps_of("why-convolution", run):
        step = steps["The image moves, the maps move along"]
        (name, row, column, channel), (change,) = step.state["path"][0], step.state["changes"]
        before = scope["value"](scope["cell"](name, row, column - change["cols"], channel))
        assert after(run, index, step)["value"](cell_of(scope, step)) == pytest.approx(before, rel=1e-5)
        moved += 1
    assert moved == len(run.output)


def test_what_lies_outside_the_field_does_not_count(run):
    seen = 0
    for index, steps, scope in steps_of("receptive-field", run):
        step = steps.get("Outside: it does not care")
        if step is not None:
            cell = cell_of(scope, step)
            assert after(run, index, step)["value"](cell) == pytest.approx(scope["value"](cell), rel=1e-5)
            seen += 1
    assert seen == len(DIGITS), "blank paper has no pixel to wipe"


def test_what_lies_inside_the_field_counts(run):
    for index, steps, scope in steps_of("receptive-field", run):
        step = steps.get("Inside: it follows")
        assert (step is not None) == scope["ends_on_ink"](scope["largest"]("conv2d_1"))
        if step is not None:
            cell = cell_of(scope, step)
            assert after(run, index, step)["value"](cell) != scope["value"](cell)


def test_the_field_that_a_cell_has_is_the_one_that_is_named(run):
    field = cnnviz.receptive_field(run.network)["conv2d_1"]
    assert field.padding == (0, 0)
    (top, bottom), (left, right) = field.box(0, 0)
    _, steps, _ = next(steps_of("receptive-field", run))
    said = steps["Outside: it does not care"].say[0]
    assert f"sees rows {top} to {bottom} and columns {left} to {right}" in said


@pytest.mark.parametrize(
    ("walk", "title"),
    [
        ("try-it", "Moved aside"),
        ("why-convolution", "Does the answer stay?"),
        ("feature-maps", "Strong is not important"),
        ("kernels", "A well-known one in its place"),
        ("kernels", "Is a kernel important?"),
    ],
)
def test_what_is_said_of_a_changed_answer_is_so(run, walk, title):
    for index, steps, _ in steps_of(walk, run):
        if title not in steps:
            continue
        step = steps[title]
        scope = after(run, index, step)
        before, now = run.output[index].argmax(), int(scope["predicted"](1))
        text = " ".join(step.say)
        kept = any(f"{word} {before}" in text for word in ("stays", "still says", "is still"))
        assert kept == (before == now), text
        other = any(f"{word} {now}" in text for word in ("says", "becomes", "answer is"))
        assert kept or other, text


def test_the_loss_is_minus_the_logarithm_of_the_share(run):
    for index, steps, _ in steps_of("scores-to-loss", run):
        share = run.output[index].astype(np.float64)
        first, second = np.argsort(-share)[:2]
        text = " ".join(steps["The loss"].say)
        for number, loss in ((first, -np.log(share[first])), (second, -np.log(share[second]))):
            said = text.split(f"If {number} ")[1]
            written = next(
                word for word in said.split() if "." in word and word[0].isdigit() and "%" not in word
            )
            if "with" in said.split(",")[1]:
                written = said.split("it would be ")[1].split()[0]
            value = float(written.rstrip(".").replace("−", "-").replace(",", ""))
            assert value == pytest.approx(loss, rel=6e-2, abs=1e-7)


def test_blank_paper_is_answered_as_the_network_answers_it(run):
    blank = run.network.predict(np.zeros((28, 28), np.uint8))[0]
    for _, steps, _ in steps_of("try-it", run):
        assert f"is blank, and the network says {blank.argmax()} with" in steps["Nothing at all"].say[0]


def test_a_mixture_of_maps_moves_nothing():
    net = cnnviz.load_model("mnist_14k")
    table = cnnviz.receptive_field(net)
    before = net["conv2d_2"].inputs[0]
    assert table["conv2d_2"].size == table[before].size
    assert net["conv2d_2"].output_shape[:2] == net[before].output_shape[:2]
    assert net["conv2d_2"].params == 16 * 10 + 10
