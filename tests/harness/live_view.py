"""What the browser's numbers are tested on: runs of many networks, and drawings on a pad."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import cnnviz
from harness.networks import merges, normal, run_of


def network_run(name: str) -> Any:
    """A run of the small network, of one with every way of merging, or of one of the tests' by its name."""
    if name == "mnist":
        return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][3])
    if name == "merges":
        net = merges()
        return net.run(normal(*net.input_shape).astype(np.float32))
    return run_of(name)


def strokes(seed: int) -> np.ndarray:
    """A drawing on a pad, as a canvas draws it: smooth strokes, grey at their edges."""
    rng = np.random.default_rng(seed)
    size, over = 168, 4
    image = Image.new("L", (size * over, size * over))
    pen = ImageDraw.Draw(image)
    width = int(rng.integers(5, 32)) * over
    points = rng.uniform(0.1, 0.9, (int(rng.integers(2, 6)), 2)) * size * over
    for first, second in pairwise(points):
        pen.line([*first, *second], fill=255, width=width)
    for x, y in points:
        pen.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))
