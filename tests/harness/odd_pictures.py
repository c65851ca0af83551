"""Pictures and pads that nobody means as a digit: blocks, stripes, dots and gradients, many at the edge."""

from __future__ import annotations

import numpy as np


def columns_and_dots() -> np.ndarray:
    """Ten black columns at the left, and specks that each weigh too little beside them."""
    image = np.ones((100, 100))
    image[:, :10] = 0
    for row in range(5, 95, 10):
        for column in range(20, 95, 16):
            image[row : row + 2, column : column + 2] = 0
    return image


def odd_picture(seed: int) -> np.ndarray:
    """Grey (H, W) or colour (H, W, 3), 0..1, of 1 to 220 pixels a side."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, rng.choice([6, 40, 220]), 2)
    image = np.full((rows, columns), rng.random())
    if rng.random() < 0.4:
        turn, low, high = rng.uniform(0, 2 * np.pi), *rng.random(2)
        ramp = np.cos(turn) * np.arange(rows)[:, None] + np.sin(turn) * np.arange(columns)
        image = low + (high - low) * (ramp - ramp.min()) / max(np.ptp(ramp), 1)
    for _ in range(rng.integers(0, 4)):
        rng.choice([_blocks, _stripes, _dots, _bar])(image, rng)
    if rng.random() < 0.3:
        image = np.clip(image + rng.normal(0, rng.choice([0.01, 0.1, 0.5]), image.shape), 0, 1)
    return image if rng.random() < 0.7 else np.clip(image[..., None] * rng.random(3) * 1.5, 0, 1)


def odd_pad(seed: int, drawing: np.ndarray) -> np.ndarray:
    """Ink (H, W) of 0..255 on a square pad, in some over a drawing; in some it is faint."""
    rng = np.random.default_rng(seed)
    side = int(rng.choice([20, 60, 100]))
    ink = drawing / 255 if rng.random() < 0.3 else np.zeros((side, side))
    for _ in range(rng.integers(1, 5)):
        rng.choice([_blocks, _stripes, _dots, _bar])(ink, rng)
    return np.rint(255 * ink * rng.choice([1, 1, rng.uniform(0, 0.3)])).astype(np.uint8)


def _tone(rng: np.random.Generator) -> float:
    return float(rng.choice([0, 1, 1, rng.random()]))


def _blocks(image: np.ndarray, rng: np.random.Generator) -> None:
    longest = max(image.shape) // int(rng.choice([2, 8, 30])) + 2
    for _ in range(rng.integers(1, 20)):
        (top, left), (tall, wide) = rng.integers(0, image.shape), rng.integers(1, longest, 2)
        image[top : top + tall, left : left + wide] = _tone(rng)


def _stripes(image: np.ndarray, rng: np.random.Generator) -> None:
    step = rng.integers(2, 30)
    lines = np.arange(rng.integers(step), image.shape[0], step)
    for k in range(rng.integers(1, step)):
        image[lines[lines + k < image.shape[0]] + k] = rng.random()
    if rng.random() < 0.5:
        image[:, rng.integers(image.shape[1]) :] = _tone(rng)


def _dots(image: np.ndarray, rng: np.random.Generator) -> None:
    size, tone = rng.integers(1, 4), _tone(rng)
    down, across = rng.integers(size + 1, 25, 2)
    for row in range(rng.integers(down), image.shape[0], down):
        for column in range(rng.integers(across), image.shape[1], across):
            image[row : row + size, column : column + size] = tone


def _bar(image: np.ndarray, rng: np.random.Generator) -> None:
    """A bar along one edge."""
    width, turns = rng.integers(1, max(image.shape) // 8 + 2), rng.integers(4)
    np.rot90(image, turns)[:, :width] = _tone(rng)
