"""Every option of every operation, given what it cannot mean: an error that names it, the value and the rule.

What hypothesis draws is in `ops/test_arguments.py`; here each kind of wrong value comes once to each option,
with the ones that are easily let through: NaN, a word for a truth, an int beyond 64 bits, a huge list.
"""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any

import numpy as np
import pytest

from cnnviz import ops
from cnnviz.numbers import brief
from harness.nonsense import may_be_valid
from harness.specimens import SPECIMENS, Specimen

WRONG: list[Any] = [
    None,
    True,
    "x",
    "",
    b"valid",
    -1,
    0.5,
    math.nan,
    np.float32("nan"),
    math.inf,
    -math.inf,
    2**31,
    2**63,
    -(2**63),
    10**5000,
    1j,
    [],
    {},
    [1, None],
    [[1, 2], [3]],
    [1] * 10**5,
    (1, 2, 3),
    "x" * 10**5,
    np.array([1.5, 2.5]),
    np.array(["a"]),
    np.zeros((2, 2, 2)),
    object(),
    len,
]
FINITE = {"negative_slope", "alpha", "epsilon", "b"}
"""Numbers that are factors or are added: infinity makes NaN of a 0."""


def wrong(kind: str, name: str) -> list[Any]:
    """The values that an option of this kind refuses in every call."""
    infinite = [value for value in WRONG if isinstance(value, float) and math.isinf(value)]
    refused = [value for value in WRONG if not may_be_valid(value, kind)]
    return refused + (infinite if name in FINITE else [])


OPTIONS = [(specimen, name, kind) for specimen in SPECIMENS for name, (_, kind) in specimen.options.items()]


def check(call: Any, name: str, value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
    said = str(caught.value)
    assert name in said
    assert brief(value) in said
    assert len(said) < 400
    assert "\n" not in said or "\n" in brief(value)


@pytest.mark.parametrize(("specimen", "name", "kind"), OPTIONS, ids=str)
def test_an_option_refuses_what_it_cannot_mean(specimen: Specimen, name: str, kind: str) -> None:
    values = wrong(kind, name)
    assert values
    for value in values:
        check(lambda value=value: specimen.call(specimen.arrays(), **{name: value}), name, value)


FLAGS = [
    (name, option)
    for name in ops.__all__
    if callable(getattr(ops, name)) and not inspect.isclass(getattr(ops, name))
    for option in {"keepdims", "approximate"} & set(inspect.signature(getattr(ops, name)).parameters)
]


@pytest.mark.parametrize(("name", "option"), FLAGS)
def test_a_truth_is_true_or_false(name: str, option: str) -> None:
    arrays: list[Any] = [np.ones((2, 3, 3, 2))]
    if name == "global_max_pool2d_grad":
        arrays.append(np.ones((2, 2)))
    elif name == "global_avg_pool2d_grad":
        arrays = [np.ones((2, 2)), (2, 3, 3, 2)]
    elif name == "gelu_grad":
        arrays *= 2
    op = getattr(ops, name)
    assert op(*arrays, **{option: np.False_}).shape == op(*arrays).shape
    for value in WRONG:
        if value is not True:
            check(lambda value=value: op(*arrays, **{option: value}), option, value)


def test_every_truth_is_tried() -> None:
    assert len(FLAGS) == 6
