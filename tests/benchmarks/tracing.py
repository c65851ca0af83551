"""How fast the page differentiates and traces mnist_14k in Node: gradients, ways to the pixels, influence.

Run it from the sources: PYTHONPATH=tests python tests/benchmarks/tracing.py. No test asserts a time.
"""

from __future__ import annotations

from benchmarks.timing import QUANTILES, say, scene_text
from harness.node import ask_node

PROGRAM = """({ backward, base64, contributions, receipt, scene, tracing }, text) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const values = read.forward(read.valuesOf(0)[0]);
  const blank = tracing.blankPaper(read);
  const last = read.stages.length - 1;
  const logit = (channel) => ({ stage: last - 1, row: 0, col: 0, channel });
  const cellOf = (i) => scene.cellAt(read.stages[6], (i * 1237) % values[6].length);
  const gradient = new backward.Gradient(read, values, logit(7));
  QUANTILES
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
}""".replace("QUANTILES", QUANTILES)


def main() -> None:
    say(ask_node(PROGRAM, scene_text(), "backward", "base64", "contributions", "receipt", "scene", "tracing"))


if __name__ == "__main__":
    main()
