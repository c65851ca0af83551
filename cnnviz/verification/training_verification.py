"""NumPy's training against Keras's: `verify_training` trains both side by side in a process of its own.

What is trained is in `training_cases`, how in `training_answers`. In float64 every weight and statistic and
the loss must agree; in float32, where rounding grows from step to step, how far it grows is written down.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import Any

from cnnviz.resources import asset, processor, tensorflow, text_writer, write_atomically
from cnnviz.verification.tensorflow_process import TensorFlowProcess
from cnnviz.verification.training_cases import cases

TRAINING_RECORD = "training_verification.json"
STEPS = (1, 10, 100)
"""After which the weights are compared."""
BOUND = 1e-9
"""How far both may be apart in float64, times the tensor's largest weight + learning rate * steps."""


@dataclass(frozen=True)
class TrainingCheck:
    """One model that was trained on both sides.

    Parameters
    ----------
    name, about, classes
        As of its `TrainingCase`.
    optimizer
        The class of its optimizer.
    shares
        By the number of steps, the largest difference as a share of its bound: above 1 it fails.
    worst
        The weight that is furthest off, "layer/weight", or "loss".
    single
        The same in float32, where it was measured, in units of the bound without its 1e-9: a growth.
    silent
        Weights whose exact gradient is 0. Their value is the rounding of their gradient, on both sides.
    error
        Why there is nothing to compare; "" where there is.
    """

    name: str
    about: str
    classes: tuple[str, ...] = ()
    optimizer: str = ""
    shares: Mapping[int, float] = field(default_factory=dict)
    worst: str = ""
    single: Mapping[int, float] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    error: str = ""

    @property
    def passed(self) -> bool:
        return not self.error and bool(self.shares) and all(share <= 1 for share in self.shares.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain data; a difference that is no number is null."""
        data = {**asdict(self), "passed": self.passed}
        for name in ("shares", "single"):
            data[name] = {
                str(steps): value if value < float("inf") else None for steps, value in data[name].items()
            }
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainingCheck:
        """The inverse of `to_dict`."""
        known = {each.name: data[each.name] for each in fields(cls)}
        for name in ("shares", "single"):
            known[name] = {
                int(steps): float("inf") if value is None else value for steps, value in known[name].items()
            }
        return cls(**{**known, "classes": tuple(known["classes"]), "silent": tuple(known["silent"])})


@dataclass(frozen=True)
class TrainingVerification:
    """What `verify_training` found. True in a condition if all passed; printing it shows the table.

    `pairs` says which pairs of classes were trained: one in so many.
    """

    checks: tuple[TrainingCheck, ...]
    pairs: int
    versions: Mapping[str, str]
    processor: str
    date: str

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    def __bool__(self) -> bool:
        return self.passed

    @property
    def classes(self) -> set[str]:
        """The classes that were trained by themselves."""
        return {kind for check in self.checks if check.about == "class" for kind in check.classes}

    @property
    def number_of_pairs(self) -> int:
        return sum(len(check.classes) - 1 for check in self.checks if check.about == "pairs")

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, as in the JSON."""
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "checks": [check.to_dict() for check in self.checks],
            "passed": self.passed,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainingVerification:
        """The inverse of `to_dict`."""
        checks = tuple(TrainingCheck.from_dict(each) for each in data["checks"])
        return cls(**{each.name: data[each.name] for each in fields(cls)} | {"checks": checks})

    @property
    def summary(self) -> str:
        """A table with a row for each kind of case: how many there are, and the furthest of them."""
        kinds = dict.fromkeys(check.about for check in self.checks)
        rows = []
        for kind in kinds:
            checks = [check for check in self.checks if check.about == kind]
            cells = _distances(_furthest(each.shares for each in checks), _share)
            single = _distances(_furthest(each.single for each in checks), _growth)
            rows.append((kind, str(len(checks)), *cells, *single))
        return _table(("kind", "models", *HEADS), rows)

    def __str__(self) -> str:
        rows, notes = [], []
        for check in self.checks:
            cells = *_distances(check.shares, _share), *_distances(check.single, _growth)
            failed = "" if check.passed else "FAILED"
            rows.append((shorten(check.name, LONGEST, placeholder="..."), *cells, check.worst, failed))
            if check.error:
                notes.append(f"{check.name}: {check.error}")
            if check.silent:
                notes.append(f"{check.name}: the gradient of {', '.join(check.silent)} is 0 but for rounding")
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        few = f", one in {self.pairs}" if self.pairs > 1 else ""
        failures = sum(not check.passed for check in self.checks)
        return "\n".join(
            [
                f"NumPy's training beside Keras's: {versions}, {self.processor}",
                "In float64 shares of the bound, 1e-9 x (largest weight + learning rate x steps);",
                "in float32 the largest differences in units of (largest weight + learning rate x steps).",
                _table(("", *HEADS, "furthest", ""), rows),
                *notes,
                self.summary,
                f"{len(self.checks)} models, {len(self.classes)} classes, {self.number_of_pairs} pairs{few}",
                f"FAILED: {failures} of {len(self.checks)}" if failures else "PASSED",
            ]
        )


LONGEST = 60
"""Letters of a name in the table."""
HEADS = (*(f"{n} step{'s' * (n > 1)}" for n in STEPS), *(f"float32, {n}" for n in STEPS))


def _furthest(each: Iterable[Mapping[int, float]]) -> dict[int, float]:
    """The largest number after each number of steps."""
    furthest: dict[int, float] = {}
    for numbers in each:
        for steps, number in numbers.items():
            furthest[steps] = max(furthest.get(steps, 0.0), number)
    return furthest


def _distances(numbers: Mapping[int, float], written: Callable[[float], str]) -> list[str]:
    return [written(numbers[steps]) if steps in numbers else "" for steps in STEPS]


def _share(share: float) -> str:
    return f"{share:.1e}" if share < 0.01 else f"{share:.2f}"


def _growth(distance: float) -> str:
    return f"{distance:.1e}"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    )


def verify_training(
    words: Sequence[str] = (),
    *,
    pairs: int = 1,
    progress: Callable[[TrainingCheck], None] | None = None,
    timeout: float | None = None,
) -> TrainingVerification:
    """Train small models with every class that is trained, and the bundled architectures, here and in Keras.

    Both sides begin with the same weights, see the same batches and drop the same numbers, for 100 steps.

    Parameters
    ----------
    words
        Only what has one of these names: a class, a bundled model, or a kind of case: "class", "pairs",
        "network", "optimizer", "loss", "structure".
    pairs
        Of the pairs of classes one in so many.
    progress
        Called with each `TrainingCheck`.
    timeout
        Seconds that it may take.

    Returns
    -------
    TrainingVerification
        `.passed`, `.checks`; print it for the table.

    Raises
    ------
    ModuleNotFoundError
        where TensorFlow is not installed.
    OSError
        if the process cannot start or fails, with the reason.
    ValueError
        for words that nothing is called by.
    """
    if not any(case.is_called(words) for case in cases(pairs)):
        raise ValueError(f"nothing that is trained is called {' or '.join(words)}: name a class of Keras")
    if find_spec("tensorflow") is None:
        tensorflow()  # It says what to type.
    checks: list[TrainingCheck] = []
    about: dict[str, Any] = {}

    def take(line: bytes) -> None:
        said = json.loads(line)
        if "versions" in said:
            about.update(said)
            return
        checks.append(TrainingCheck.from_dict(said))
        if progress is not None:
            progress(checks[-1])

    module = "cnnviz.verification.training_answers"
    TensorFlowProcess("-m", module, str(pairs), *words, timeout=timeout).run(take)
    return TrainingVerification(
        checks=tuple(checks),
        pairs=pairs,
        versions={**about["versions"], "python": platform.python_version()},
        processor=processor(),
        date=datetime.now(UTC).date().isoformat(),
    )


def read_training_record(path: str | os.PathLike[str] | None = None) -> TrainingVerification:
    """The recorded verification of training, for where TensorFlow is not installed.

    >>> read_training_record().passed
    True
    """
    text = Path(asset(TRAINING_RECORD) if path is None else path).read_text()
    return TrainingVerification.from_dict(json.loads(text))


def write_training_record(result: TrainingVerification, path: str | os.PathLike[str] | None = None) -> None:
    """Replace the record by this result, in one step."""
    text = json.dumps(result.to_dict(), indent=1, allow_nan=False)
    target = Path(asset(TRAINING_RECORD) if path is None else path)
    write_atomically(target, text_writer(text + "\n"))
