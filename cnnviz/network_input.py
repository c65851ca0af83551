"""What predict and run accept: images with or without batch and channel axes, integers or floats.

Which form an array has follows from the network's input shape alone; drawing, cropping and resizing
are left to `mnist`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnviz.layer import Layer
from cnnviz.layer_options import Shape


def batched(x: Any, layer: Layer) -> np.ndarray:
    """x as (N, ...) for an input, whichever axes were left out."""
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"x must be an array of numbers: {error}") from None
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8:
        raise TypeError(f"x must hold real numbers, got dtype {x.dtype}")
    shape = layer.output_shape
    # (accepted shape, where the missing axes go); the first that fits decides.
    forms: list[tuple[Shape, tuple[int, ...]]] = [((None, *shape), ()), (shape, (0,))]
    if len(shape) == 3 and shape[-1] == 1:
        forms += [((None, *shape[:-1]), (-1,)), (shape[:-1], (0, -1))]
    for form, missing in forms:
        if _fits(x.shape, form):
            return np.expand_dims(x, missing)
    batched, single = [form for form, _ in forms][::2], [form for form, _ in forms][1::2]
    accepted = [_text(("N", *form[1:])) for form in batched] + [_text(form) for form in single]
    raise ValueError(f"x for {layer.name!r} must be {' or '.join(accepted)}, got x.shape={x.shape}")


def _text(shape: Sequence[Any]) -> str:
    entries = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(entries)}{',' * (len(entries) == 1)})"


def _fits(actual: Sequence[int], wanted: Shape) -> bool:
    return len(actual) == len(wanted) and all(
        w is None or a == w for a, w in zip(actual, wanted, strict=True)
    )


def floats(x: np.ndarray, dtype: np.dtype, name: str, pixels: bool) -> np.ndarray:
    """A copy of x in a network's dtype; with `pixels`, integers 0..255 become 0..1."""
    y = np.array(x, dtype, order="C")
    if pixels and x.dtype.kind in "iu":
        if x.size and not 0 <= x.min() <= x.max() <= 255:
            raise ValueError(
                f"integers for {name!r} must be pixels, 0 to 255, got {x.min()} to {x.max()}; "
                "other numbers must come as floats"
            )
        y /= dtype.type(255)
    return y
