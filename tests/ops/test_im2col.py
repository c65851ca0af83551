"""Every layout gives the sums of the definition, and the one that is quickest is taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnviz.ops import im2col as module
from cnnviz.ops.direct import direct
from cnnviz.ops.geometry import Window, window
from cnnviz.ops.im2col import Columns, Runs, Strips, choose_layout, im2col, im2col_steps, repeated
from harness.cases import Case, convolutions, small_blocks


def geometry_of(case: Case) -> Window:
    x, kernel, _ = case.shapes
    options = case.options
    return window(x[1:3], kernel[:2], options["strides"], options["padding"], options["dilation_rate"])  # type: ignore[index]


def can(layout: Any, geometry: Window) -> bool:
    """Whether a layout can do it, be it quick or not."""
    rows = geometry.rows
    if layout is Strips:
        return rows.dilation == 1 and rows.stride <= rows.kernel
    return layout is Columns or rows.stride == 1


@pytest.mark.parametrize("layout", [Columns, Runs, Strips])
@pytest.mark.parametrize("small", [True, False])
def test_every_layout_gives_the_sums_of_the_definition(
    layout: Any, small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "choose_layout", lambda shape, geometry, groups=1: layout(shape, geometry))

    @given(case=convolutions(), seed=st.integers(0, 2**32 - 1))
    def check(case: Case, seed: int) -> None:
        geometry = geometry_of(case)
        assume(case.options.get("groups", 1) == 1 and can(layout, geometry))
        rng = np.random.default_rng(seed)
        # Sums of small integers are exact in any order.
        x, kernel = (rng.integers(-9, 10, shape).astype(np.float32) for shape in case.shapes[:2])
        bias = rng.integers(-9, 10, kernel.shape[3]).astype(np.float32)
        expected = direct(x, kernel, bias, geometry)
        if small:
            with small_blocks():
                found = im2col(x, kernel, bias, geometry)
        else:
            found = im2col(x, kernel, bias, geometry)
        np.testing.assert_array_equal(found, expected)

    check()


@pytest.mark.parametrize(
    ("x", "kernel", "options", "expected"),
    [
        ((4, 112, 112, 3), (3, 3, 3, 32), {}, Strips),
        ((1, 224, 224, 3), (7, 7, 3, 64), {"strides": (2, 2)}, Strips),
        ((256, 28, 28, 1), (3, 3, 1, 16), {"padding": "valid"}, Strips),
        ((256, 26, 26, 16), (3, 3, 16, 16), {"padding": "valid"}, Strips),
        ((256, 12, 12, 16), (3, 3, 16, 16), {"padding": "valid"}, Runs),
        ((8, 56, 56, 64), (3, 3, 64, 64), {}, Runs),
        ((8, 56, 56, 64), (3, 3, 64, 64), {"dilation": (2, 2)}, Runs),
        ((8, 56, 56, 64), (3, 3, 64, 64), {"strides": (2, 2)}, Columns),
        ((4, 112, 112, 3), (3, 3, 3, 32), {"strides": (4, 4)}, Columns),
        ((4, 112, 112, 3), (1, 3, 3, 32), {}, Columns),
        ((256, 4, 4, 16), (4, 4, 16, 10), {"padding": "valid"}, Columns),
    ],
)
def test_the_layout_by_shape(x: Any, kernel: Any, options: dict[str, Any], expected: Any) -> None:
    chosen = {"strides": (1, 1), "padding": "same", "dilation": (1, 1), **options}
    assert type(choose_layout(kernel, window(x[1:3], kernel[:2], **chosen))) is expected


@pytest.mark.parametrize("layout", [Columns, Runs, Strips])
def test_steps_can_be_made_again_when_the_input_has_changed(
    layout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "choose_layout", lambda shape, geometry, groups=1: layout(shape, geometry))
    geometry = window((12, 13), (3, 3), (1, 1), "valid")
    rng = np.random.default_rng(5)
    x, kernel, bias = np.zeros((3, 12, 13, 2)), rng.normal(size=(3, 3, 2, 4)), rng.normal(size=4)
    y = np.empty((3, 10, 11, 4))
    with small_blocks(4096):
        parts = module.im2col_blocks(3, kernel.shape, geometry, 1, 8)
        steps = list(im2col_steps(x, kernel, repeated(bias), geometry, 1, y, parts[0], parts))
    assert len(parts) > 1
    for _ in range(2):
        x[...] = rng.normal(size=x.shape)
        for step in steps:
            step()
        np.testing.assert_allclose(y, direct(x, kernel, bias, geometry), rtol=0, atol=1e-13)
