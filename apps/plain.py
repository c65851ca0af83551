"""Words from outside as Markdown that shows them as they are: no link, picture, colour, icon or formula.

Names of layers and networks come from files, other words from the address and from messages that quote both.
What a page itself says in Markdown lets them in through `plain`.
"""

from __future__ import annotations

import re

from cnnviz.resources import one_line

_MARKS = re.compile(r"[\\`*\[\]<>~$&]|(?<![^\W_])_|_(?![^\W_])|^[-+=#](?!\d)")
"""What Markdown reads as a mark; an underscore between two letters is none."""

_FOUND_LATER = re.compile(
    r":(?=\S)|@(?=\S)|www(?=\.)|^\d+(?=[.)](?:\s|$))|(?<!\S)[-<>~](?=(->?|[>=])(?!\S))", re.IGNORECASE
)
"""What becomes an icon, an emoji, a link, a list or an arrow where no backslash helps."""

_JOINER = "\N{WORD JOINER}"
"""Takes no room, and parts what stands on its two sides."""


def plain(words: object) -> str:
    """Markdown of one paragraph that reads as these words do.

    >>> print(plain("conv2d_3"), plain("![](//host/b.png)"), plain("*a* _b_"))
    conv2d_3 !\\[\\](//host/b.png) \\*a\\* \\_b\\_
    """
    text = one_line(re.sub("[ \t\r\n]+", " ", str(words)).strip())
    return _MARKS.sub(r"\\\g<0>", _FOUND_LATER.sub(rf"\g<0>{_JOINER}", text))
