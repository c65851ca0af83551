"""How numbers are written: for the eye, with a proper minus sign, and for receipts, as programs read them.

A count is written by Python's `f"{count:,}"`, and by `counted` where a noun follows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np

Format = Callable[[Any], str]

MOST_DIGITS = 9
"""Enough to tell every float32 from its neighbours."""

# For the eye ------------------------------------------------------------------------------------


def minus(text: object) -> str:
    """A number as Python writes it, with a proper minus sign.

    >>> minus(-3), minus(f"{-1234:+,}")
    ('−3', '−1,234')
    """
    return str(text).replace("-", "−")


def brief(value: object, most: int = 80) -> str:
    """A value in a message: as Python writes it, its middle left out where that is long.

    >>> brief("valid"), brief(list(range(1000)), 20)
    ("'valid'", '[0, 1, 2,...98, 999]')
    """
    try:
        text = repr(_ends_of(value, most))
    except Exception as error:  # An int of 5,000 digits has none; other classes' repr can do anything.
        text = f"<{type(value).__name__}: {type(error).__name__}>"
    return shortened(text, most)


class _LeftOut:
    """Stands for what is left out of a list."""

    def __repr__(self) -> str:
        return "..."


def _ends_of(value: Any, most: int) -> Any:
    """A value with the ends of its lists alone: lists may hold one list again and again."""
    if type(value) not in (list, tuple, dict, set, frozenset):
        return value
    if most < 1:
        return _LeftOut()
    if isinstance(value, dict):
        return {key: _ends_of(each, most // 6) for key, each in islice(value.items(), 2 * most)}
    items = list(islice(value, 2 * most + 1))
    if len(items) < len(value) and isinstance(value, list | tuple):
        items = [*value[:most], _LeftOut(), *value[-most:]]
    return type(value)(_ends_of(each, most // 6) for each in items)


def shortened(text: str, most: int) -> str:
    """A text of at most so many letters, its middle left out."""
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[: half + 1]}...{text[-half:]}"


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, and a proper minus sign.

    >>> number(-0.12345), number(1234.5), number(0.0), number(2e-7)
    ('−0.123', '1,234', '0', '2.00e−07')
    """
    value = float(value)
    if value == 0 or not math.isfinite(value):
        text = "0" if value == 0 else str(value)
    elif abs(value) >= 10 ** (digits - 1):
        text = f"{value:,.0f}"
    elif abs(value) < 1e-3:
        text = f"{value:.{digits - 1}e}"
    else:
        text = f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    return minus(text)


def signed_number(value: float, digits: int = 3) -> str:
    """`number` with its sign always written: the second cue beside the colour.

    >>> signed_number(0.5), signed_number(-0.5), signed_number(0.0)
    ('+0.500', '−0.500', '0')
    """
    text = number(value, digits)
    return f"+{text}" if value > 0 else text


def percent(share: float, digits: int = 2) -> str:
    """A share as a percentage, with so many decimals, that never rounds to nothing or to certainty.

    >>> percent(0.5), percent(0.9999999), percent(1e-7)
    ('50.00 %', '> 99.99 %', '< 0.01 %')
    >>> percent(0.593, 1), percent(0.004, 0), percent(-0.02, 0), percent(float("inf"))
    ('59.3 %', '< 1 %', '−2 %', '∞ %')
    """
    if share == math.inf:
        return "∞ %"
    step = 10.0**-digits
    if 0 < share <= step / 200:
        return f"< {step:.{digits}f} %"
    if 1 - step / 200 <= share < 1:
        return f"> {100 - step:.{digits}f} %"
    return minus(f"{100 * float(share):.{digits}f} %")


def points(difference: float) -> str:
    """A difference of two shares in percentage points, with its sign.

    >>> points(-0.0123), points(0.5)
    ('−1.23', '+50.00')
    """
    return minus(f"{100 * float(difference):+.2f}")


def probability(share: float) -> str:
    """A softmax's output as a percentage: one that float32 has rounded to 0 or 1 is not certain either.

    >>> probability(1.0), probability(0.25)
    ('> 99.99 %', '25.00 %')
    """
    return percent(min(max(float(share), 1e-300), 1 - 1e-9))


def general(value: float, digits: int = 3) -> str:
    """A number with at most so many significant digits, without trailing zeros.

    >>> general(0.5), general(-1234.5678, 6), general(-0.0)
    ('0.5', '−1234.57', '0')
    """
    return minus(f"{value + 0.0:.{digits}g}")


def cell_number(value: float, limit: float, digits: int = 3, *, signed: bool = False) -> str:
    """A number in a cell beside others: all with the decimals that the largest, `limit`, asks for.

    >>> cell_number(0.0058, 0.4, signed=True), cell_number(4.249, 7.0, 2)
    ('+0.006', '4.2')
    >>> cell_number(0.0001, 0.4, signed=True), cell_number(-3927.4, 4000.0)
    ('0.000', '−3,927')
    """
    power = math.floor(math.log10(limit))
    decimals = max(0, digits - 1 - power)
    if decimals < 2 and limit < 2.5 * 10**power:
        decimals += 1
    text = f"{abs(float(value)):,.{min(decimals, 6)}f}"
    # What is written as zero has no sign.
    sign = "" if not text.strip("0.") else "−" if value < 0 else "+" if signed else ""
    return sign + text


def trimmed(value: float) -> str:
    """`number` without zeros that say nothing; those of a rounded number say something.

    >>> trimmed(2.0), trimmed(-0.5), trimmed(1 / 3), trimmed(0.9999), trimmed(12345.6)
    ('2', '−0.5', '0.333', '1.000', '12,346')
    """
    return _trim(number(value), value)


def trimmed_cell_number(value: float, limit: float) -> str:
    """A number in a cell beside others of which the largest is `limit`: at most the decimals it asks for.

    >>> write = trimmed_cell_number
    >>> write(-0.0041, 1.2), write(-2.0, 7.1), write(10.53, 52.0), write(0.0041, 0.03)
    ('0.00', '−2', '10.5', '0.004')
    """
    power = math.floor(math.log10(limit))
    decimals = max(0, 2 - power) if power >= 0 else min(1 - power, 6)
    # "z": what is written as zero has no sign.
    return _trim(minus(f"{value:z.{decimals}f}"), value)


def _trim(text: str, value: float) -> str:
    """A number's text without its last zeros, if it is exact."""
    if "e" not in text and "." in text and float(text.replace("−", "-").replace(",", "")) == value:
        text = text.rstrip("0").rstrip(".")
    return text


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A count with its noun, of which `nouns` is the plural, if it is not made by an s.

    >>> counted(1, "digit"), counted(1200, "digit"), counted(0, "bias", "biases")
    ('1 digit', '1,200 digits', '0 biases')
    """
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def with_article(name: object) -> str:
    """A digit or a class with "a" or "an" before it.

    >>> with_article(7), with_article(8), with_article("dog"), with_article("apple")
    ('a 7', 'an 8', 'a dog', 'an apple')
    """
    text = str(name)
    spoken = text[:1].lower() in ("a", "e", "i", "o", "u", "8") or text in ("11", "18")
    return f"{'an' if spoken else 'a'} {text}"


def all_of(count: int, noun: str, nouns: str = "") -> str:
    """All there are of something: "the only layer", "both layers", "all 3 layers".

    >>> all_of(1, "layer"), all_of(2, "layer"), all_of(16, "channel")
    ('the only layer', 'both layers', 'all 16 channels')
    """
    if count == 1:
        return f"the only {noun}"
    return f"both {nouns or f'{noun}s'}" if count == 2 else f"all {counted(count, noun, nouns)}"


def times(factor: float) -> str:
    """How many times as much, with enough digits for what is below 1 too.

    >>> times(8.47), times(0.0612), times(676.0)
    ('8.47 times', '0.0612 times', '676 times')
    """
    return f"{number(factor)} times"


# As programs read them --------------------------------------------------------------------------


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
