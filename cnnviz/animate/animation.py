"""Animation: a walk with a look, which draws itself frame by frame and saves itself as a GIF."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.animate.walk import Walk
from cnnviz.animate.words import arithmetic
from cnnviz.numbers import counted
from cnnviz.resources import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

    from cnnviz.animate.painter import Painter
    from cnnviz.animate.panels import Panels

LAST = 2000
"""Milliseconds that the last frame is shown at least."""


class Animation:
    """What a function of `cnnviz.animate` returns; a notebook shows it as it is.

    Parameters
    ----------
    walk
        What happens, step by step.
    theme
        "light" or "dark".
    fps
        Steps a second, above 0 and at most 50.
    scale
        Dots a pixel, 1 to 3.
    pixels
        Draw x, between 0 and 1, as an image: ink on paper.

    Raises
    ------
    ValueError
        For an unknown theme, a speed or scale out of range, or cells too small to be seen.

    Examples
    --------
    >>> from cnnviz import animate
    >>> animation = animate.avg_pool2d([[1, 2, 5, 6], [3, 4, 7, 8]], theme="dark")
    >>> len(animation), animation.words(1), animation.gif()[:6]
    (2, '(5 + 6 + 7 + 8) / 4 = 6.5', b'GIF89a')
    """

    def __init__(
        self, walk: Walk, *, theme: str = "light", fps: float = 4.0, scale: float = 2.0, pixels: bool = False
    ) -> None:
        from cnnviz.animate.panels import Panels
        from cnnviz.colours import theme as theme_named

        if not 0 < fps <= 50:
            raise ValueError(f"fps must be above 0 and at most 50, got {fps!r}")
        if not 1 <= scale <= 3:
            raise ValueError(f"scale must be from 1 to 3, got {scale!r}")
        self.walk, self.fps, self.scale = walk, float(fps), float(scale)
        self.panels: Panels = Panels(walk, theme_named(theme), pixels)

    def __len__(self) -> int:
        """How many steps there are, each a frame."""
        return len(self.walk.steps)

    def __repr__(self) -> str:
        shapes = " to ".join(" × ".join(map(str, a.shape)) for a in (self.walk.x, self.walk.output))
        return f"<Animation: {self.walk.operation}, {shapes}, {counted(len(self), 'step')}>"

    def words(self, step: int) -> str:
        """A step's arithmetic in a line."""
        parts, result = arithmetic(self.walk, self.walk.steps[step])
        return " ".join([*parts, result]).strip()

    def frames(self) -> Iterator[Image]:
        """The frames as RGB images of Pillow, one after the other."""
        return self._painter.frames()

    @cached_property
    def _painter(self) -> Painter:
        from cnnviz.animate.painter import Painter

        return Painter(self.panels, self.scale)

    @cached_property
    def _content(self) -> bytes:
        from cnnviz.animate.gif import encode

        painter = self._painter
        pause = max(20, round(100 / self.fps) * 10)
        durations = [pause] * (len(self) - 1) + [max(pause, LAST)]
        return encode(painter.frames(), durations, painter.samples())

    def gif(self) -> bytes:
        """The animation as a GIF file that loops; made once."""
        return self._content

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the GIF to a file, in one step; ValueError for a name that does not end in .gif."""
        path = Path(path)
        if path.suffix.lower() != ".gif":
            raise ValueError(f"path must end in .gif, got {str(path)!r}")
        content = self.gif()
        write_atomically(path, lambda temporary: Path(temporary).write_bytes(content))
        return path

    def _repr_html_(self) -> str:
        source = f"data:image/gif;base64,{b64encode(self.gif()).decode()}"
        return f'<img src="{source}" style="max-width: 100%" alt="{escape(repr(self))}">'

    def scene(self) -> dict[str, Any]:
        """All that a browser needs to show it, in lists, numbers and strings."""
        from cnnviz.animate.browser_scene import scene_of

        return scene_of(self.panels)
