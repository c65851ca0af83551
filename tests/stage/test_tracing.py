"""What the page says contributes to a number is Python's receipt, ranked; and its ways down end on ink.

The ways are tried on digits of both bundled models, with the page's own forward pass: each ends on a pixel
that is inked, and what all pixels carry adds up to how far the score is from that of blank paper.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import cnnviz
from cnnviz import Network
from cnnviz.stage.scene import build_scene
from harness.generated_networks import KINDS, pairs_of
from harness.networks import normal
from harness.node import ask_node

THOROUGH = settings.get_current_profile_name() == "thorough"
DIGITS = 1000 if THOROUGH else 60
U = 2.0**-24

CONTRIBUTIONS = """({ base64, contributions, receipt, scene }, asked) => asked.map(({ text, cells }) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const values = read.valuesOf(0);
  const number = (x) => (x === null ? null : String(x));
  return cells.map(([stage, row, col, channel]) => {
    const receipts = receipt.receiptOf(read, values, { stage, row, col, channel });
    const of = (ranking) => ranking && {
      kind: ranking.kind, adds: ranking.adds, count: ranking.shown.length, rest: number(ranking.rest),
      total: number(contributions.totalOf(ranking)), magnitude: number(ranking.magnitude),
      products: [...ranking.shown, ...ranking.folded].map(({ product }) => number(product)),
      shares: [...ranking.shown, ...ranking.folded].map(({ share }) => number(share)),
    };
    return {
      type: receipts.type, total: number(receipts.total ?? receipts.value),
      terms: of(contributions.contributionsOf(receipts)),
      channels: of(contributions.channelsOf(receipts)),
      positions: of(contributions.positionsOf(receipts)),
    };
  });
})"""


def encoded(net: Network, x: Any) -> str:
    return base64.b64encode(bytes(build_scene(net.run(x), 0))).decode()


def numbers(texts: list[str]) -> np.ndarray:
    return np.array([float(text) for text in texts])


def check_ranking(found: dict[str, Any], answer: dict[str, Any]) -> None:
    """What holds of every ranking: its order, its shares, how few it shows, and what it adds up to."""
    total = float(answer["total"])
    products, shares = numbers(found["products"]), numbers(found["shares"])
    if not np.isfinite(products).all():
        return
    if found["kind"] != "winner":
        assert (np.diff(np.abs(products)) <= 0).all()
    if found["adds"] and np.isfinite(total):
        assert float(found["total"]) == total
        folded = products[found["count"] :].sum()
        # How the receipt rounds: each term goes through as many additions as there are terms at most.
        terms = answer["terms"]
        rounding = (len(terms["products"]) + 2) * U * float(terms["magnitude"])
        assert abs(float(found["rest"]) - folded) <= rounding + 2 * U * abs(total) + 2.0**-126
    if found["kind"] in ("sum", "competes") and float(found["magnitude"]):
        held = np.cumsum(shares)
        np.testing.assert_allclose(held[-1], 1)
        assert found["count"] == min(8, int((held[:-1] < 0.5).sum()) + 1)


def test_what_is_shown_and_folded_adds_up_to_every_receipt():
    asked = []
    for kind in KINDS if THOROUGH else KINDS[2::8]:
        net, _ = pairs_of(kind)
        run = net.run(normal(1, *net.input_shape).astype(np.float32))
        scene = build_scene(run, 0)
        rng = np.random.default_rng(1)
        stages = scene.plan.taken.stages
        cells = [(i, *(int(rng.integers(n)) for n in stage.shape)) for i, stage in enumerate(stages)]
        asked.append({"text": base64.b64encode(bytes(scene)).decode(), "cells": cells})
    kinds = set()
    modules = ("base64", "contributions", "receipt", "scene")
    for answers in ask_node(CONTRIBUTIONS, asked, *modules):
        for answer in answers:
            kinds.add(answer["terms"]["kind"])
            for ranking in (answer["terms"], answer["channels"], answer["positions"]):
                if ranking is not None:
                    check_ranking(ranking, answer)
    assert kinds >= {"sum", "winner", "passes", "competes", "product", "nothing", "unknown"}


def test_contributions_are_the_products_of_python_s_receipt():
    """Of convolutions of mnist_14k: the largest products first, and by channel the largest partial sums."""
    net = cnnviz.load_model("mnist_14k")
    x = cnnviz.load_mnist()[1][0][0]
    run = net.run(x)
    stages = build_scene(run, 0).plan.taken.stages
    rng = np.random.default_rng(2)
    convs = [i for i, stage in enumerate(stages) if stage.op["type"] == "conv"]
    cells = [(i, *(int(rng.integers(n)) for n in stages[i].shape)) for i in rng.choice(convs, 60).tolist()]
    asked = [{"text": encoded(net, x), "cells": cells}]
    (answers,) = ask_node(CONTRIBUTIONS, asked, "base64", "contributions", "receipt", "scene")
    for (stage, row, col, channel), answer in zip(cells, answers, strict=True):
        terms = cnnviz.explain(run, stages[stage].layer.name, row=row, col=col, channel=channel).terms
        products = (terms.factor * terms.weight).ravel()
        order = np.argsort(-np.abs(products), kind="stable")
        np.testing.assert_array_equal(numbers(answer["terms"]["products"]), products[order])
        partial = np.asarray(terms.partial)
        order = np.argsort(-np.abs(partial), kind="stable")
        np.testing.assert_array_equal(numbers(answer["channels"]["products"]), partial[order])
        check_ranking(answer["positions"], answer)


WAYS = """({ backward, base64, scene, tracing }, { text, digits }) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const pixels = base64.fromBase64(digits);
  const blank = tracing.blankPaper(read);
  const size = blank[0].length;
  return Array.from({ length: pixels.length / size }, (_, i) => {
    const image = Float32Array.from(pixels.subarray(i * size, (i + 1) * size), (x) => x / 255);
    const values = read.forward(image);
    const probabilities = values[read.stages.length - 1];
    const best = probabilities.indexOf(probabilities.reduce((a, b) => Math.max(a, b)));
    const target = { stage: read.stages.length - 1, row: 0, col: 0, channel: best };
    const { steps, end, at } = tracing.toPixels(read, values, target, blank);
    const decided = tracing.decidingPixels(read, values, target, blank);
    const carried = decided.carried.get(0);
    // Secants split the difference of each stage exactly, but for how its numbers are rounded to float32:
    // once in a convolution, twice in an affine stage. This is what that can do to the score.
    const secants = new backward.Gradient(read, values, decided.of, blank);
    let error = carried.reduce((a, b) => a + 2 * Math.abs(b), 0);
    for (const { index, op } of read.stages.slice(1, -1)) {
      const shift = op.type === "affine" ? read.data(op.b) : [0];
      if (op.type === "conv" || op.type === "affine") secants.wrt(index).forEach((m, n) => {
        const numbers = [values[index][n], blank[index][n], shift[n % shift.length]];
        error += 2 * Math.abs(m) * numbers.reduce((all, x) => all + Math.abs(x), 0);
      });
    }
    return {
      end, ink: image[at.row * 28 + at.col], steps: steps.length, stages: read.stages.length,
      sum: decided.sum, carried: carried.reduce((a, b) => a + b, 0), error: error * 2 ** -24,
      onPaper: carried.filter((x, n) => x !== 0 && image[n] === 0).length,
      raises: steps[1].brings, best: image[decided.shown[0].row * 28 + decided.shown[0].col],
    };
  });
}"""


@pytest.mark.parametrize("name", ["mnist_14k", "mnist_maxpool"])
def test_ways_to_the_pixels_end_on_ink_and_what_pixels_carry_adds_up(name):
    net = cnnviz.load_model(name)
    images = cnnviz.load_mnist()[1][0][:DIGITS]
    digits = base64.b64encode(images.tobytes()).decode()
    given = {"text": encoded(net, images[0]), "digits": digits}
    answers = ask_node(WAYS, given, "backward", "base64", "scene", "tracing")
    assert len(answers) == DIGITS
    for answer in answers:
        assert answer["end"] == "pixel"
        assert answer["ink"] > 0
        assert answer["best"] > 0
        assert answer["steps"] == answer["stages"] - 1
        assert answer["onPaper"] == 0
        assert abs(answer["sum"] - answer["carried"]) <= answer["error"]
        assert answer["raises"] > 0


def test_a_digit_without_ink_has_no_way_to_the_pixels():
    net = cnnviz.load_model("mnist_14k")
    blank = np.zeros((28, 28), np.uint8)
    program = """({ base64, scene, tracing }, text) => {
      const read = scene.sceneOf(base64.fromBase64(text));
      const values = read.forward(new Float32Array(784));
      const target = { stage: read.stages.length - 1, row: 0, col: 0, channel: 3 };
      const { steps, end, at } = tracing.toPixels(read, values, target);
      return [steps.length, end, at.stage, tracing.decidingPixels(read, values, target).shown.length];
    }"""
    found = ask_node(program, encoded(net, blank), "base64", "scene", "tracing")
    assert found == [1, "same on blank paper", 23, 0]
