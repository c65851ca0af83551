"""How fast the page's engine computes mnist_14k in Node: all of it, and what follows a change.

Run it from the sources: PYTHONPATH=tests python tests/benchmarks/engine.py. No test asserts a time.
"""

from __future__ import annotations

import base64

import cnnviz
from cnnviz.stage.scene import build_scene
from harness.node import ask_node

PROGRAM = """({ base64, scene, engine }, text) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const image = read.valuesOf(0)[0];
  const quantiles = (run) => {
    const times = [];
    for (let i = 0; i < 200; i++) {
      const began = performance.now();
      run(i);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    return [times[100], times[190]];
  };
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
}"""


def main() -> None:
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    text = base64.b64encode(bytes(build_scene(run, 0))).decode()
    for what, (median, most) in ask_node(PROGRAM, text, "base64", "scene", "engine").items():
        print(f"{what:30} {median:6.2f} ms at the median, {most:6.2f} ms at the 95th percentile")


if __name__ == "__main__":
    main()
