"""What no sentence may hold, whatever its numbers are: "1 cells", "all 1 channels", "100.00%", "nan %"."""

from __future__ import annotations

import re

_NOUNS = (
    "batches biases cells channels classes columns connections decimals digits directions epochs filters "
    "groups images inputs kernels layers logits maps mistakes multiplications neighbours numbers outputs "
    "parameters paths pixels places positions products responses rows steps sums taps units values weights "
    "windows"
)

_SLIPS = re.compile(
    rf"""(?<![\w.,/^])(?<![×·+/=–−^-]\ )(?<!stride\ )(?<!by\ )1\ (?:(?!has|in)[a-z-]+\ )??
      (?:{"|".join(_NOUNS.split())})\b(?!\ ?[×·])
    | \b(?:all|any)\ [01]\ [a-z]+
    | \ball\ 2\ [a-z]+
    | \b(?:nan|inf)\b
    | \d%
    | \ba\ (?:8|11|18)\b""",
    re.VERBOSE,
)


def slips(text: str) -> list[str]:
    """The places of a text in which a number and its noun do not agree, or a figure is none.

    >>> slips("1 cells of 1 × 1 cells, 1 cell, 1 step has 2 cells"), slips("a 8, an 8")
    (['1 cells'], ['a 8'])
    >>> slips("all 1 channels, nan %, 100.00%")
    ['all 1 channels', 'nan', '0%']
    """
    return [found[0] for found in _SLIPS.finditer(text)]
