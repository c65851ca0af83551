"""The accuracy rule, checked case by case, and the table of the worst cases.

Every element of a float32 result lies within c*u*sum|x||w| of the exact one. TensorFlow in float64
stands for the exact result; its own rounding, 2**29 times smaller, is allowed for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.rounding import Bound, unit_roundoff


@dataclass
class Row:
    """One operation's worst errors: in units of u*sum|x||w|, and as shares of the bound c."""

    cases: int = 0
    ours: float = 0.0
    tensorflow: float = 0.0
    ours_of_bound: float = 0.0
    tensorflow_of_bound: float = 0.0

    def merge(self, other: Row) -> None:
        self.cases += other.cases
        for field in ("ours", "tensorflow", "ours_of_bound", "tensorflow_of_bound"):
            setattr(self, field, max(getattr(self, field), getattr(other, field)))


class Accuracy:
    """The rows of a test session, by operation."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def check(
        self,
        op: str,
        result: np.ndarray,
        exact: np.ndarray,
        bound: Bound,
        authority: np.ndarray | None = None,
        slack: Any = 0.0,
        authority_too: bool = True,
    ) -> None:
        """Assert the rule for a float32 result and take down its error and the authority's.

        `slack` is an absolute error that is allowed on top, for results that may underflow. The
        authority is held to the rule as well: where it breaks it, it is no authority; where it is
        known to round otherwise than by our formula, `authority_too` is false.
        """
        assert result.dtype == np.float32
        assert result.shape == exact.shape
        error = np.abs(result - exact)
        limit = bound.limit(np.float32)
        allowed = limit + bound.limit(np.float64) + slack
        assert np.all(error <= allowed), _worst(op, error, allowed)
        row = Row(1, _units(error - slack, bound), 0.0, _largest(error - slack, limit), 0.0)
        if authority is not None:
            assert authority.dtype == np.float32
            assert authority.shape == exact.shape
            other = np.abs(authority - exact)
            if authority_too:
                assert np.all(other <= allowed), f"TensorFlow's own {_worst(op, other, allowed)}"
            row.tensorflow = _units(other - slack, bound)
            row.tensorflow_of_bound = _largest(other - slack, limit)
        self.rows.setdefault(op, Row()).merge(row)

    def merge(self, table: dict[str, dict[str, Any]]) -> None:
        for op, row in table.items():
            self.rows.setdefault(op, Row()).merge(Row(**row))

    def as_json(self) -> dict[str, dict[str, Any]]:
        return {op: asdict(row) for op, row in sorted(self.rows.items())}

    def lines(self) -> list[str]:
        """The table, ready to print."""
        lines = [
            "worst error of float32 against float64, in units of u*sum|x||w| and as a share of the bound c",
            f"{'':22}{'':>8}{'error / u*sum|x||w|':>26}{'error / bound':>26}",
            f"{'operation':22}{'cases':>8}{'cnnviz':>14}{'TensorFlow':>12}{'cnnviz':>14}{'TensorFlow':>12}",
        ]
        for op, row in sorted(self.rows.items()):
            lines.append(
                f"{op:22}{row.cases:8}{row.ours:14.2f}{row.tensorflow:12.2f}"
                f"{row.ours_of_bound:14.3f}{row.tensorflow_of_bound:12.3f}"
            )
        return lines


def check_float64(op: str, result: np.ndarray, exact: np.ndarray, bound: Bound, slack: Any = 0.0) -> None:
    """Assert that our float64 result and TensorFlow's lie within the sum of their bounds."""
    assert result.dtype == np.float64
    assert result.shape == exact.shape
    error, allowed = np.abs(result - exact), 2 * bound.limit(np.float64) + slack
    assert np.all(error <= allowed), _worst(op, error, allowed)


def _units(error: np.ndarray, bound: Bound) -> float:
    return _largest(error, unit_roundoff(np.float32) * np.asarray(bound.magnitude))


def _largest(error: np.ndarray, scale: np.ndarray) -> float:
    """The largest error / scale, where scale is not 0 (there the error is 0 too)."""
    ratio = np.divide(error, scale, out=np.zeros(np.shape(error)), where=np.asarray(scale) > 0)
    return max(float(ratio.max(initial=0.0)), 0.0)


def _worst(op: str, error: np.ndarray, allowed: np.ndarray) -> str:
    place = np.unravel_index(np.argmax(error - allowed), np.shape(error))
    limit = np.broadcast_to(allowed, np.shape(error))[place]
    return f"{op}: error {error[place]:.3e} at {tuple(map(int, place))}, allowed {limit:.3e}"
