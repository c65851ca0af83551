"""OpenedNetwork: a network of the user's own, with pictures, classes, and a process that computes it.

What it takes is estimated from the sizes before anything is computed, and refused above a limit; the file
is read first by the child (`child_process`), whose limits hold where an estimate is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.images.loading import LoadedImage, load_as
from cnnviz.network.child_process import SECONDS, ComputingProcess
from cnnviz.network.class_scores import as_scores, classes_of, classified, labels_by_output, outputs_of
from cnnviz.network.confusion import Classification
from cnnviz.network.evaluation import are_probabilities
from cnnviz.network.examples import Examples, are_digits, takes_digits
from cnnviz.network.expected_pixels import expected_pixels
from cnnviz.network.image_loading import load_image
from cnnviz.network.inputs import images_of
from cnnviz.network.keras_file import load_model
from cnnviz.network.limits import MEMORY, WORK
from cnnviz.network.memory import check_kept
from cnnviz.network.mistakes import likeliest
from cnnviz.network.network_in_child import NetworkInChild
from cnnviz.network.run import Run
from cnnviz.numbers import number, probability
from cnnviz.resources import one_line

MEMORY_LIMIT = 2 * 10**9
"""Bytes that all activations of one image may take: ResNet152 at 224 takes 0.3 GB."""
WORK_LIMIT = 2 * 10**11
"""Multiply-adds of one image: ten times VGG19's, some ten seconds on two cores."""
LARGEST_FILE = 200 * 10**6
"""Bytes of a file that is uploaded."""

SIDE = 64
"""Of a made picture, where a network takes any size."""

INPUT_SHARE = 8
"""What an image takes while it is read and scaled, of what it takes in the end; that much must fit."""


class OpenedNetwork:
    """A network from a file, what it is shown, and its runs, until it is closed.

    Parameters
    ----------
    path
        A .keras or .h5 file, which is read and never executed.
    preprocess
        How pictures that are opened later are brought to the scale that the network wants, as for
        `cnnviz.load_image`.
    memory_limit, work_limit
        What one image may take: bytes of all its activations, 2 GB unless given, and multiply-adds,
        2 * 10**11 unless given.
    seconds
        What reading the file, or one forward pass, may take before it is stopped.

    Raises
    ------
    ValueError, OSError
        in one sentence: for a file that is no model, or is not there; a network above a limit.

    Examples
    --------
    >>> from cnnviz.resources import asset
    >>> with OpenedNetwork(asset("mnist_14k.keras")) as opened:
    ...     opened.name, opened.run(0).output.shape
    ('mnist_14k', (1, 10))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        preprocess: str = "auto",
        *,
        memory_limit: float | None = None,
        work_limit: float | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self.path = Path(path)
        self.preprocess = preprocess
        self.memory_limit = MEMORY_LIMIT if memory_limit is None else MEMORY.of(memory_limit)
        self.work_limit = WORK_LIMIT if work_limit is None else WORK.of(work_limit)
        size = self.path.stat().st_size if self.path.is_file() else 0
        # The weights as they are stored, as they are read, and folded; activations on both sides of the pipe.
        self._child = ComputingProcess(path, 2 * self.memory_limit + 4 * size, seconds)
        try:
            if not size:
                load_model(path)  # It says what is wrong.
            self._child.ask("load")
            self.network = NetworkInChild.of(
                load_model(path), self._child, self.memory_limit, self.work_limit
            )
            self.name = self.network.name
            self.are_digits: bool | None = None
            """Whether its classes are digits, as the user says; None if nobody has said."""
            _check_inputs(self.network, self.memory_limit)
            self.made = _made_examples(self.network)
            """What it is shown before anybody has opened a picture."""
            self.show(self.made)
        except BaseException:
            self.close()
            raise

    def show(self, examples: Examples, classes: Mapping[str, Sequence[str]] | None = None) -> None:
        """Take examples to look at, and the names of the classes of some outputs.

        Raises
        ------
        ValueError
            if the first of them would take more than the limits.
        """
        first = next(iter(examples.batches(1)), None)
        if first is None:
            raise ValueError(f"no example of {self.name} can be read: {examples.none_is_read}")
        self.check(first[1])
        self.examples = examples
        self.labels = labels_by_output(self.network, examples, classes or {})
        # A folder's name may be no text: a page that is given half a character fails.
        self.classes = {output: [*map(one_line, names)] for output, names in (classes or {}).items()}

    def check(self, image: Any) -> None:
        """ValueError if an image does not fit, or would take more than the limits."""
        images = images_of(self.network, image)
        check_kept(self.network, images, self.memory_limit, self.work_limit)

    @property
    def class_counts(self) -> dict[str, int]:
        """How many classes each output tells apart that gives scores of classes."""
        return classes_of(self.network)

    @property
    def may_be_digits(self) -> bool:
        """Whether it tells ten classes of grey images of 28 x 28 apart, and nobody has named them."""
        return takes_digits(self.network) and self._counts_to_ten and not self.classes

    @property
    def reads_digits(self) -> bool:
        """Whether its ten classes are MNIST's: as the user says, or they are called, or as nobody knows."""
        if self.may_be_digits:
            return self.are_digits is not False
        return (
            takes_digits(self.network) and self._counts_to_ten and all(map(are_digits, self.classes.values()))
        )

    @property
    def assumes_digits(self) -> bool:
        """Whether its classes are taken for digits, and nothing says that they are."""
        return self.may_be_digits and self.shows_digits and self.are_digits is None

    @property
    def shows_digits(self) -> bool:
        """Whether it is shown MNIST's digits: nobody has opened pictures, and its classes are no others."""
        denied = self._counts_to_ten and not self.reads_digits
        return takes_digits(self.network) and self.examples is self.made and not denied

    @property
    def _counts_to_ten(self) -> bool:
        return list(self.class_counts.values()) == [10]

    def sample(self, count: int) -> Examples:
        """At most so many of the pictures that were opened, evenly spread; else so many made ones."""
        if self.examples is not self.made:
            return self.examples.evenly(count)
        return _made_examples(self.network, count)

    @property
    def takes_pictures(self) -> bool:
        """Whether it has one input, and that reads pictures."""
        (first, *more) = self.network.inputs
        return not more and _is_picture(self.network[first].output_shape)

    @property
    def preprocessing(self) -> str:
        """What is done to the pixels of a picture that is opened, and why."""
        if self.preprocess != "auto":
            return f"preprocess={self.preprocess!r}, as asked"
        return str(expected_pixels(self.network, self.network.inputs[0]))

    def picture(self, source: Any) -> LoadedImage:
        """A picture, from a file or an array, as the network wants it; ImageError if it is none."""
        return load_image(source, self.network, self.preprocess)

    def example(self, place: int) -> Any:
        """One example as `run` takes it; ImageError if its file is no picture."""
        return self.examples[place : place + 1]

    def picture_of(self, place: int) -> Any:
        """One example without a batch axis: what its input gets, of several a mapping by their names."""
        one = {name: column[place] for name, column in self.examples.columns.items()}
        return one if len(one) > 1 else next(iter(one.values()))

    def run(self, image: Any) -> Run:
        """Every activation of one image, computed by the child.

        Parameters
        ----------
        image
            An example's place, or an image as `Network.run` takes it.

        Raises
        ------
        ValueError
            in one sentence, for an image above the limits, and for a pass that was stopped.
        """
        return self.network.run(self.example(image) if isinstance(image, int) else image)

    def answer(self, run: Run, top: int = 3) -> list[tuple[str, float, bool]]:
        """The likeliest classes: the name of each, its score, and whether that is a probability.

        They are those of the first output that has labels, or else classes; [] where none has.
        """
        scores = self._scores(run)
        if scores is None:
            return []
        shares = bool(are_probabilities(scores))
        return [(self.class_name(k), value, shares) for k, value in likeliest(scores[0], top)]

    @property
    def _answering(self) -> str | None:
        """The first output that has labels, or else classes."""
        return next(iter([*self.labels, *self.class_counts]), None)

    def _scores(self, run: Run) -> np.ndarray | None:
        output = self._answering
        if output is None:
            return None
        return as_scores(self.network, output, outputs_of(self.network, run.output)[output])

    def said_of(self, run: Run) -> str:
        """What the network says of the first image, in words: "cat with 97 %", or the shape of its output."""
        likeliest_first = self.answer(run, 1)
        if not likeliest_first:
            shapes = [" × ".join(map(str, self.network[name].output_shape)) for name in self.network.outputs]
            return f"{' and '.join(shapes)} numbers".replace("None", "any")
        ((name, value, is_probability),) = likeliest_first
        return (
            f"{name} with {probability(value)}"
            if is_probability
            else f"{name} with the score {number(value, 4)}"
        )

    def class_name(self, number: int) -> str:
        """What `answer` calls a class."""
        names = self.classes.get(self._answering or "", ())
        return names[number] if number < len(names) else str(number)

    def is_right(self, run: Run, label: int) -> bool:
        """Whether the likeliest class of the first image is its label; two classes may have one name."""
        scores = self._scores(run)
        return scores is not None and likeliest(scores[0], 1)[0][0] == label

    def label(self, place: int) -> tuple[int, str] | None:
        """The class that an example really is, for the first output that has labels: number and name."""
        for labels in self.labels.values():
            number = int(labels[place])
            return number, self.class_name(number)
        return None

    def evaluate(
        self, progress: Callable[[int, int], None] = lambda done, of_all: None
    ) -> dict[str, Classification]:
        """What the network calls the labelled examples, by its outputs; {} if there are no labels."""
        if not self.labels:
            return {}
        return classified(self.network, self.examples, self.labels, progress)

    def close(self) -> None:
        """End the child."""
        self._child.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._child.closed

    @property
    def pid(self) -> int | None:
        """The child's process, while there is one."""
        return self._child.pid

    @property
    def seconds(self) -> float:
        """What an answer of the child may take."""
        return self._child.seconds

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._child.seconds = seconds

    def __enter__(self) -> OpenedNetwork:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()


def _is_picture(shape: Sequence[int | None]) -> bool:
    return len(shape) == 3 and shape[2] in (1, 3, 4)


def _check_inputs(net: NetworkInChild, limit: float) -> None:
    """ValueError where the images alone, which are made here and not by the child, would take too much."""
    sizes = {
        name: prod(size or SIDE for size in net[name].output_shape) * net.dtype.itemsize
        for name in net.inputs
    }
    total, largest = sum(sizes.values()), max(sizes, key=sizes.__getitem__)
    if total > limit / INPUT_SHARE:
        shape = " x ".join(str(size or "any") for size in net[largest].output_shape)
        raise ValueError(
            f"one image of {net.name} takes {total / 1e9:,.1f} GB, most of it for the input {largest} with "
            f"{shape} numbers; the limit is an eighth of that of all activations, "
            f"{limit / INPUT_SHARE / 1e9:,.2f} GB: memory_limit=BYTES (a command's --memory-limit GB) raises "
            "it"
        )


def _made_examples(net: NetworkInChild, count: int = 1) -> Examples:
    """Examples to look at before anybody has opened a picture: drawn ones, or random numbers."""
    columns: dict[str, list[Any]] = {}
    names = []
    for place, name in enumerate(net.inputs):
        shape = net[name].output_shape
        seeds = [place + len(net.inputs) * number for number in range(count)]
        if _is_picture(shape):
            columns[name] = [_made_picture(net, name, seed) for seed in seeds]
            names.append("a made picture")
        else:
            known = [size or SIDE for size in shape]
            columns[name] = [np.random.default_rng(seed).random(known, net.dtype.type) for seed in seeds]
            names.append("random numbers")
    return Examples(columns, [" and ".join(dict.fromkeys(names))] * count)


def _made_picture(net: NetworkInChild, name: str, seed: int) -> LoadedImage:
    """A disc and a bar on paper that darkens to one side; with another seed they lie elsewhere."""
    shape = net[name].output_shape
    height, width = (size or SIDE for size in shape[:2])
    moves = np.random.default_rng(seed).uniform(-0.2, 0.2, 4) if seed else np.zeros(4)
    down, right, low, far = moves
    # Numbers of a row and of a column, as those of all pixels would take eight times the picture's room.
    row, col = (np.arange(height) + 0.5)[:, None], np.arange(width) + 0.5
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 255 - 60 * col / width, 240 - 40 * row / height, 225
    row, col = row / height, col / width
    image[(row - 0.4 - down) ** 2 + (col - 0.35 - right) ** 2 < 0.06] = (214, 84, 40)
    image[(abs(row - 0.72 - low) < 0.09) & (abs(col - 0.6 - far) < 0.3)] = (36, 92, 170)
    mode = expected_pixels(net, name).mode
    return load_as(image, (height, width, *shape[2:]), "unit" if mode == "digit" else mode)
