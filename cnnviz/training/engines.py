"""What a run asks of the engine that trains its network: NumPy's and Keras's are such ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from cnnviz.network import Network
from cnnviz.training.checkpoints import Row
from cnnviz.training.recipes import Recipe

Progress = Callable[[int, int, int, int, Mapping[str, float]], None]
"""Called as progress(epoch, epochs, step, steps, logs): epochs done, and steps of the next, 0 at an end."""


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What an engine is to train, on what, and how: the arguments of `runs.train`."""

    model: str | Network
    recipe: Recipe
    images: np.ndarray
    labels: np.ndarray
    validation: tuple[np.ndarray, np.ndarray] | None = None
    seed: int = 0
    progress: Progress | None = None

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return self.recipe.steps(len(self.images))


class Engine(Protocol):
    """What trains a network in a run; it is made of a `TrainingTask`."""

    def weights(self) -> dict[str, np.ndarray]:
        """Those that the run keeps: after the last epoch, averaged if the recipe says so."""

    def versions(self) -> dict[str, str]:
        """Of what computes."""

    def train(self, after_epoch: Callable[[Row], None]) -> None:
        """Train the epochs that are left; each one's row is handed to `after_epoch`."""

    def save(self, path: str) -> None:
        """Write the network, with the weights that are kept, as a .keras file."""

    def save_checkpoint(self, path: Path) -> None:
        """Write what a resumed run needs beside the other files."""

    def keep_place(self, path: Path, epochs: int) -> None:
        """Write the same in the middle of an epoch, if it can, and has so many whole epochs behind it."""

    def load_checkpoint(self, path: Path) -> int:
        """Go back to a checkpoint; how many whole epochs it has behind it. ValueError if it is none."""
