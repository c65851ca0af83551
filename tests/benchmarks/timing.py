"""What the benchmarks of the page's arithmetic share: the network that Node gets, and how a run is timed."""

from __future__ import annotations

import base64

import cnnviz
from cnnviz.stage.scene import build_scene

QUANTILES = """const quantiles = (run) => {
    const times = [];
    for (let i = 0; i < 200; i++) {
      const began = performance.now();
      run(i);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    return [times[0], times[100], times[190]];
  };"""
"""JavaScript: the least, the median and the 95th percentile of 200 runs, in milliseconds."""


def scene_text() -> str:
    """mnist_14k on the first test digit, as Node gets it."""
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    return base64.b64encode(bytes(build_scene(run, 0))).decode()


def say(times: dict[str, tuple[float, float, float]]) -> None:
    for what, (least, median, most) in times.items():
        print(f"{what:30} {least:6.2f} ms at least, {median:6.2f} at the median, {most:6.2f} for 95 in 100")
