"""How fast the page's engine computes mnist_14k in Node: all of it, and what follows a change.

Run it from the sources: PYTHONPATH=tests python tests/benchmarks/engine.py. No test asserts a time.
"""

from __future__ import annotations

from benchmarks.timing import QUANTILES, say, scene_text
from harness.node import ask_node

PROGRAM = """({ base64, scene, engine }, text) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const image = read.valuesOf(0)[0];
  QUANTILES
  const here = new engine.Engine(read);
  const change = (kind, more) => here.compute(image, [{ kind, ...more }]);
  return {
    "the whole network": quantiles(() => read.forward(image)),
    "a changed pixel": quantiles((i) =>
      change("values", { stage: "input", at: [(i * 37) % 784], values: [(i % 7) / 7] })),
    "a moved digit": quantiles((i) => change("shift", { rows: i % 3, cols: i % 5 })),
    "a weight of the first layer": quantiles((i) =>
      change("weights", { array: "conv2d/kernel", at: [i % 144], values: [i / 7] })),
    "a channel switched off": quantiles((i) =>
      change("channel", { stage: "conv2d_1 relu", channel: i % 16 })),
  };
}""".replace("QUANTILES", QUANTILES)


def main() -> None:
    say(ask_node(PROGRAM, scene_text(), "base64", "scene", "engine"))


if __name__ == "__main__":
    main()
