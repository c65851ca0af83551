"""How receipts print numbers: columns whose decimal points line up, and single numbers.

Exact zeros print as 0, so that what adds nothing is seen at a glance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Format = Callable[[Any], str]

MOST_DIGITS = 9
"""So many tell a float32 from its neighbours."""


def short(value: Any, digits: int = 4) -> str:
    """One number with a few significant digits, without trailing zeros; only 1 itself prints as 1.

    >>> short(0.83120298), short(-2.0), short(6e-8), short(123456.0), short(0.99998736)
    ('0.8312', '-2', '6e-08', '123456', '0.99999')
    """
    number = float(value)
    if not math.isfinite(number):
        return str(number)
    if number == int(number) and abs(number) < 1e7:
        return str(int(number))
    words = f"{number:.{digits}g}"
    while words.lstrip("-") == "1" and digits < MOST_DIGITS:
        digits += 1
        words = f"{number:.{digits}g}"
    return words if "e" in words or "." in words or abs(number) < 1 else f"{number:.0f}"


def exact(value: Any) -> str:
    """A number with as many digits as it takes to get the same bits back.

    >>> exact(np.float32(0.1)), exact(np.float64(0.1) + 0.2)
    ('0.1', '0.30000000000000004')
    """
    return str(np.asarray(value)[()])


def column(values: Any, *, signed: bool = False, digits: int = 5) -> Format:
    """A format for all these numbers: as many decimals as give the largest so many digits.

    >>> write = column([0.5, -0.25, 0.0])
    >>> [write(v) for v in (0.5, -0.25, 0.0)]
    ['0.5000', '-0.2500', '0']
    >>> column([1234.5], signed=True)(1234.5)
    '+1234.5'
    """
    numbers = np.asarray(values, np.float64)
    finite = np.abs(numbers[np.isfinite(numbers)])
    largest = float(finite.max(initial=0.0))
    sign = "+" if signed else ""
    if largest == 0 or (np.all(finite == np.round(finite)) and largest < 1e5):
        form = f"{sign}.0f"
    elif not 1e-3 <= largest < 1e6:
        form = f"{sign}.{max(digits - 3, 1)}e"
    else:
        form = f"{sign}.{max(digits - 1 - math.floor(math.log10(largest)) - (largest < 1), 0)}f"

    def write(value: Any) -> str:
        number = float(value)
        return "0" if number == 0 else str(number) if not math.isfinite(number) else f"{number:{form}}"

    return write


def one_line(words: str) -> str:
    """A text without line breaks and other marks that do not print: layer names come from files.

    >>> one_line("conv\\nimport os")
    'conv?import os'
    """
    return "".join(c if c.isprintable() else "?" for c in words)
