"""How fast the page differentiates and traces mnist_14k in Node: gradients, ways to the pixels, influence.

Run it from the sources: PYTHONPATH=tests python tests/benchmarks/tracing.py. No test asserts a time.
"""

from __future__ import annotations

import base64

import cnnviz
from cnnviz.stage.scene import build_scene
from harness.node import ask_node

PROGRAM = """({ backward, base64, contributions, receipt, scene, tracing }, text) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const values = read.forward(read.valuesOf(0)[0]);
  const blank = tracing.blankPaper(read);
  const last = read.stages.length - 1;
  const logit = (channel) => ({ stage: last - 1, row: 0, col: 0, channel });
  const cellOf = (i) => scene.cellAt(read.stages[6], (i * 1237) % values[6].length);
  const gradient = new backward.Gradient(read, values, logit(7));
  const quantiles = (run) => {
    const times = [];
    for (let i = 0; i < 200; i++) {
      const began = performance.now();
      run(i);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    return [times[0], times[100], times[190]];
  };
  return {
    "blank paper": quantiles(() => tracing.blankPaper(read)),
    "gradient of a logit": quantiles((i) => new backward.Gradient(read, values, logit(i % 10))),
    "way to the pixels": quantiles((i) => tracing.toPixels(read, values, logit(i % 10), blank)),
    "the same without blank paper": quantiles((i) => tracing.toPixels(read, values, logit(i % 10))),
    "pixels that decided": quantiles((i) => tracing.decidingPixels(read, values, logit(i % 10), blank)),
    "influence of a cell": quantiles((i) =>
      backward.influence(read, values, cellOf(i), logit(7), gradient)),
    "what a cell feeds": quantiles((i) => tracing.feeds(read, values, cellOf(i))),
    "contributions to a cell": quantiles((i) =>
      contributions.contributionsOf(receipt.receiptOf(read, values, logit(i % 10)))),
  };
}"""


def main() -> None:
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    text = base64.b64encode(bytes(build_scene(run, 0))).decode()
    modules = ("backward", "base64", "contributions", "receipt", "scene", "tracing")
    for what, (least, median, most) in ask_node(PROGRAM, text, *modules).items():
        print(f"{what:30} {least:6.2f} ms at least, {median:6.2f} at the median, {most:6.2f} for 95 in 100")


if __name__ == "__main__":
    main()
