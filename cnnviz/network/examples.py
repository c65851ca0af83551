"""Examples: what a network is run on, with what is known of it: names, labels, classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cnnviz.images.image_files import ImageError
from cnnviz.images.loading import LoadedImage
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.numbers import counted


def takes_digits(net: LayerGraph) -> bool:
    """Whether a network can read grey 28 x 28 digits: its one input has that size, or any."""
    if len(net.inputs) != 1:
        return False
    shape = net.input_shape
    return len(shape) in (2, 3) and set(shape[:2]) <= {28, None} and shape[2:] in ((), (1,))


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def are_digits(names: Sequence[str]) -> bool:
    """Whether ten classes are called by the digits, in order: in figures, in words, as digit or number.

    >>> are_digits([f"digit_{k}" for k in range(10)]), are_digits(["T-shirt", "Trouser", *"23456789"])
    (True, False)
    """
    if len(names) != len(_DIGITS):
        return False
    for digit, (word, name) in enumerate(zip(_DIGITS, names, strict=True)):
        parts = set(re.findall("[a-z]+|[0-9]+", name.lower())) - {"digit", "number"}
        if not parts or not parts <= {str(digit), word}:
            return False
    return True


class Examples:
    """What a network is run on: as many images, or arrays, for each of its inputs.

    Parameters
    ----------
    columns
        For each input of the network a sequence of what it reads, without a batch axis.
    names
        What each example is called.
    labels, classes
        (N,) the classes that the examples really are, and the names of these classes; None if not known.
    said
        What is done to the pixels, in words; "" if there is nothing to say.
    """

    def __init__(
        self,
        columns: Mapping[str, Sequence[Any] | np.ndarray],
        names: Sequence[str],
        labels: np.ndarray | None = None,
        classes: Sequence[str] | None = None,
        said: str = "",
    ) -> None:
        self.columns, self.names, self.labels, self.classes, self.said = columns, names, labels, classes, said
        self.skipped: list[tuple[str, str]] = []
        """Examples that could not be read, and why; `batches` adds to them."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def none_is_read(self) -> str:
        """What is said where every example was skipped: why the first was, and how many others there are."""
        (name, why), *others = self.skipped or [("no example", "there is none")]
        more = f"; {counted(len(others), 'other')} cannot be read either" if others else ""
        return f"{name}: {why}{more}"

    def __getitem__(self, chosen: slice) -> Any:
        """Some examples as `Network.predict` takes them."""
        places = range(*chosen.indices(len(self)))
        if all(isinstance(column, np.ndarray) for column in self.columns.values()):
            given = {name: column[chosen] for name, column in self.columns.items()}
            return given if len(given) > 1 else next(iter(given.values()))
        return self._stacked([[column[i] for column in self.columns.values()] for i in places])

    def evenly(self, number: int) -> Examples:
        """At most so many of the examples, evenly spread."""
        step = max(1, len(self) / number)
        return self.of([int(i * step) for i in range(min(number, len(self)))])

    def of(self, places: Sequence[int]) -> Examples:
        """Only some of the examples."""
        return Examples(
            {name: _Chosen(column, places) for name, column in self.columns.items()},
            [self.names[i] for i in places],
            None if self.labels is None else self.labels[list(places)],
            self.classes,
            self.said,
        )

    def readable(self, progress: Callable[[int, int], None]) -> Examples:
        """The examples without those that cannot be read, which `skipped` names: each is read once.

        ValueError if none can be.
        """
        places: list[int] = []
        for (place,), _ in self.batches(1):
            places.append(place)
            progress(place + 1, len(self))
        if not places:
            raise ValueError(self.none_is_read)
        found = self.of(places)
        found.skipped = self.skipped
        return found

    def batches(self, size: int = 32) -> Iterator[tuple[list[int], Any]]:
        """The examples, some at a time: their numbers, and what `Network.predict` takes.

        One that cannot be read is left out and added to `skipped`. Where the network takes any size, a
        batch ends where the next image has another one.
        """
        places: list[int] = []
        rows: list[list[np.ndarray]] = []
        for i, name in enumerate(self.names):
            try:
                row = [column[i] for column in self.columns.values()]
            except ImageError as error:
                if (name, str(error)) not in self.skipped:
                    self.skipped.append((name, str(error)))
                continue
            if rows and (len(rows) == size or [x.shape for x in row] != [x.shape for x in rows[0]]):
                yield places, self._stacked(rows)
                places, rows = [], []
            places.append(i)
            rows.append(row)
        if rows:
            yield places, self._stacked(rows)

    def _stacked(self, rows: Sequence[Sequence[np.ndarray]]) -> Any:
        arrays = [_stacked(column) for column in zip(*rows, strict=True)]
        return dict(zip(self.columns, arrays, strict=True)) if len(arrays) > 1 else arrays[0]


def _stacked(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images as one array, which still says in which scale their pixels are."""
    array = np.stack([np.asarray(image) for image in images])
    modes = {getattr(image, "mode", "") for image in images}
    if len(modes) > 1 or modes == {""}:
        return array
    loaded = array.view(LoadedImage)
    loaded.mode = modes.pop()
    return loaded


class _Chosen(Sequence[Any]):
    """Some entries of a sequence, which are looked up when they are asked for."""

    def __init__(self, all_of_them: Sequence[Any] | np.ndarray, places: Sequence[int]) -> None:
        self.all_of_them, self.places = all_of_them, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: Any) -> Any:
        return self.all_of_them[self.places[i]]
