"""The files of a training run: how they are called, and what a run writes and reads again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.ops.annotations import check_fields
from cnnviz.resources import (
    arrays_writer,
    asset,
    read_arrays,
    remove_leftovers,
    stated_arrays,
    text_writer,
    write_arrays,
    write_together,
)

HISTORY_LIMIT = 16 * 10**6
"""Bytes of a history that are read: some fifty thousand epochs."""

KEPT = "epochs"
"""The array that says of which epochs the weights are kept, where that is not each of them."""

Arrays = dict[str, np.ndarray]


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

    def __post_init__(self) -> None:
        check_fields(self)

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
        """The state that an unfinished run goes on from, as its engine keeps it."""
        return self._path("checkpoint.npz")

    def _path(self, ending: str) -> Path:
        file = f"{self.name}.{ending}"
        return asset(file) if self.folder is None else Path(self.folder) / file

    def prepare(self) -> None:
        """Make the folder, and delete what a run that was killed while it wrote left beside its files.

        Raises
        ------
        OSError
            if the folder cannot be made.
        ValueError
            if something stands in a file's place that is none: a run would wait for a pipe for ever.
        """
        try:
            self.model.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise type(error)(f"cannot make the folder {self.model.parent}: {error.strerror}") from None
        for path in (self.model, self.history, self.epochs, self.checkpoint):
            if path.exists() and not path.is_file():
                raise ValueError(f"{path} is in the way: a run writes a file there, and it is none")
            remove_leftovers(path)

    def save_result(self, network: Any, history: dict, snapshots: list[Arrays]) -> None:
        """Keep the network (which has a `save`), the history, and the weights after every epoch so far.

        The history is replaced last: until then the one before it counts, whose epochs have the same
        weights. That of another run, which an overwriting one replaces, goes before the first file changes.
        """
        stacked = {key: np.stack([weights[key] for weights in snapshots]) for key in snapshots[0]}
        text = json.dumps(history, indent=1) + "\n"
        write_together(
            {
                self.epochs: arrays_writer(stacked),
                self.model: network.save,
                self.history: text_writer(text),
            },
            before=self._forget if len(history["epochs"]) == 1 else None,
        )

    def _forget(self) -> None:
        self.checkpoint.unlink(missing_ok=True)
        self.history.unlink(missing_ok=True)

    def thin(self, epochs: Iterable[int]) -> None:
        """Of a run that has ended keep the weights after these epochs alone, and the first and the last ones.

        Raises
        ------
        ValueError
            if an epoch is not among those whose weights there are.
        """
        stacked = read_arrays(self.epochs)
        there = stacked.pop(KEPT, np.arange(len(next(iter(stacked.values()))))).tolist()
        kept = sorted({there[0], *epochs, there[-1]})
        for epoch in kept:
            if epoch not in there:
                raise ValueError(f"there are no weights after epoch {epoch} in {self.epochs}")
        places = [there.index(epoch) for epoch in kept]
        chosen = {name: versions[places] for name, versions in stacked.items()}
        write_arrays(self.epochs, {KEPT: np.array(kept), **chosen})

    def record(self) -> dict[str, Any]:
        """What the history's file says; ValueError if it is not the history of a run."""
        try:
            if self.history.stat().st_size > HISTORY_LIMIT:
                raise ValueError(f"it has more than {HISTORY_LIMIT:,} bytes")
            record = json.loads(self.history.read_text(encoding="utf-8"))
            if not isinstance(record, dict):
                raise ValueError(f"it is a {type(record).__name__} instead of an object")
            rows = record.get("epochs")
            if not isinstance(rows, list) or not all(map(_is_row, rows)):
                raise ValueError("its epochs must be a list of numbers by name")
            return record
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"{self.history} is no training history: {reason}") from error

    def check(self, described: dict) -> dict:
        """The history, if it is of the run described; else ValueError."""
        history = self.record()
        # Before there were two engines, Keras trained.
        history.setdefault("engine", "tensorflow")
        for key, value in described.items():
            if history.get(key) != value:
                raise ValueError(
                    f"cannot resume: {self.history} is of a run with {key}={history.get(key)!r}, "
                    f"this one has {key}={value!r}"
                )
        return history

    def load(self, described: dict, epochs: int, weights: Arrays) -> tuple[dict, list[Arrays]]:
        """History and snapshots up to the checkpoint's epoch, if they are of the run described.

        Parameters
        ----------
        described
            What the history must say of the run.
        epochs
            How many the checkpoint has behind it.
        weights
            The network's, by the names and in the shapes that the snapshots must have.
        """
        history = self.check(described)
        if not 1 <= epochs <= len(history["epochs"]):
            raise ValueError(
                f"cannot resume: {self.checkpoint} is after epoch {epochs}, "
                f"but {self.history} has {len(history['epochs'])}"
            )
        history["epochs"] = history["epochs"][:epochs]
        with resuming(self.epochs):
            stated = stated_arrays(self.epochs)
            for name, array in weights.items():
                found = stated.get(name)
                if (
                    found is None
                    or found.shape[:1] < (epochs + 1,)
                    or (found.shape[1:], found.dtype) != (array.shape, array.dtype)
                ):
                    raise ValueError(f"it must hold {epochs + 1} versions of {name} {array.shape}")
            stacked = read_arrays(self.epochs, weights)
        return history, [{key: value[i] for key, value in stacked.items()} for i in range(epochs + 1)]


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and all(type(value) in (int, float) for value in row.values())


@contextmanager
def resuming(path: Path) -> Iterator[None]:
    """Say which file is the reason why a run cannot be resumed."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"cannot resume: there is no {path}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"cannot resume: {path} is not what a run leaves: {reason}") from None
