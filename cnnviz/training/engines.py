"""What a run asks of the engine that trains its network: NumPy's and Keras's are such ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from cnnviz.training.checkpoints import Row

Progress = Callable[[int, int, int, int, Mapping[str, float]], None]
"""Called as progress(epoch, epochs, step, steps, logs): epochs done, and steps of the next, 0 at an end."""


class Engine(Protocol):
    """What trains a network in a run."""

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

    def load_checkpoint(self, path: Path) -> int:
        """Go back to a checkpoint; how many whole epochs it has behind it. ValueError if it is none."""
