"""The files of a training run: how they are called, and what a run writes and reads again."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.resources import asset, write_arrays, write_atomically


@dataclass(frozen=True)
class RunFiles:
    """The files of one run, all called `<name>.<ending>`; they need not be there.

    Parameters
    ----------
    folder
        Where they lie; None is among the bundled files.
    name
        What they begin with.
    """

    folder: str | os.PathLike[str] | None
    name: str

    @property
    def model(self) -> Path:
        return self._path("keras")

    @property
    def history(self) -> Path:
        return self._path("history.json")

    @property
    def epochs(self) -> Path:
        """The weights after every epoch."""
        return self._path("epochs.npz")

    @property
    def predictions(self) -> Path:
        """What the network says of every test image after every epoch."""
        return self._path("predictions.npz")

    @property
    def checkpoint(self) -> Path:
        """The whole state of an unfinished run: raw weights, optimizer, dropout's generators."""
        return self._path("checkpoint.keras")

    def _path(self, ending: str) -> Path:
        file = f"{self.name}.{ending}"
        return asset(file) if self.folder is None else Path(self.folder) / file

    def save_result(self, network: Any, history: dict, snapshots: list[dict[str, np.ndarray]]) -> None:
        """Keep the network, the history, and the weights after every epoch so far."""
        write_atomically(self.model, network.save)
        write_arrays(
            self.epochs, {key: np.stack([weights[key] for weights in snapshots]) for key in snapshots[0]}
        )
        text = json.dumps(history, indent=1) + "\n"
        write_atomically(self.history, lambda path: Path(path).write_text(text))

    def save_checkpoint(self, network: Any) -> None:
        write_atomically(self.checkpoint, network.save)

    def load(self, described: dict, epochs: int) -> tuple[dict, list[dict[str, np.ndarray]]]:
        """History and snapshots up to the checkpoint's epoch, if they are of the run described."""
        history = json.loads(self.history.read_text())
        for key, value in described.items():
            if history.get(key) != value:
                raise ValueError(
                    f"cannot resume: {self.history} is of a run with {key}={history.get(key)!r}, "
                    f"this one has {key}={value!r}"
                )
        history["epochs"] = history["epochs"][:epochs]
        with np.load(self.epochs, allow_pickle=False) as archive:
            stacked = {key: archive[key] for key in archive.files}
        return history, [{key: value[i] for key, value in stacked.items()} for i in range(epochs + 1)]
