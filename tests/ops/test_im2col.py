"""The matrix times the kernel is the convolution, and every layout gives the sums of the definition."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnviz import ops
from cnnviz.ops import im2col as module
from cnnviz.ops.direct import direct
from cnnviz.ops.im2col import im2col, im2col_steps, repeated
from cnnviz.ops.layouts import Runs, Strips, WholeWindows, choose_layout
from cnnviz.ops.padding import Window, window
from harness.cases import Case, convolutions, small_blocks
from harness.rounding import conv2d_bound


@given(case=convolutions(), seed=st.integers(0, 2**32 - 1))
def test_the_matrix_times_the_kernel_is_the_convolution(case: Case, seed: int) -> None:
    """Both sum the same products in some order, so each is within the bound of the exact sum."""
    options = {name: value for name, value in case.options.items() if name != "groups"}
    assume(case.options.get("groups", 1) == 1)
    rng = np.random.default_rng(seed)
    x, kernel = (rng.normal(size=shape).astype(np.float32) for shape in case.shapes[:2])
    y = ops.conv2d(x, kernel, **options)
    matrix = ops.im2col_matrix(x, kernel.shape[:2], **options)
    assert matrix.shape == (y[..., 0].size, kernel[..., 0].size)
    bound = conv2d_bound(x, kernel, **options).limit()
    difference = (matrix @ kernel.reshape(matrix.shape[1], -1)).reshape(y.shape) - y
    assert np.all(np.abs(difference) <= 2 * bound)


@pytest.mark.parametrize(("strides", "dilation"), [((1, 1), (1, 1)), ((2, 1), (1, 2))])
def test_the_rows_are_the_windows_one_after_the_other(strides: Any, dilation: Any) -> None:
    x = np.arange(1.0, 2 * 5 * 6 * 3 + 1).reshape(2, 5, 6, 3)
    padding = ((1, 0), (2, 1))
    cells = np.pad(x, ((0, 0), *padding, (0, 0)))
    found = ops.im2col_matrix(x, (2, 3), strides=strides, padding=padding, dilation_rate=dilation)
    (sh, sw), (dh, dw) = strides, dilation
    out = (6 - dh - 1) // sh + 1, (9 - 2 * dw - 1) // sw + 1
    expected = [
        [cells[n, i * sh + u * dh, j * sw + v * dw, c] for u, v, c in product(range(2), range(3), range(3))]
        for n, i, j in product(range(2), range(out[0]), range(out[1]))
    ]
    np.testing.assert_array_equal(found, expected)


def test_the_matrix_of_one_image_is_that_of_a_batch_of_one() -> None:
    x = np.arange(20.0).reshape(1, 4, 5, 1)
    for same in (x[0], x[0, ..., 0]):
        np.testing.assert_array_equal(ops.im2col_matrix(same, 3), ops.im2col_matrix(x, (3, 3)))
    for shape in ((), (5,), (1, 2, 5, 5, 4)):
        with pytest.raises(ValueError, match=re.escape(f"got x.shape={shape}")):
            ops.im2col_matrix(np.zeros(shape), 1)
    with pytest.raises(ValueError, match="kernel of height 5 covers 5 cells"):
        ops.im2col_matrix(x, 5)


def geometry_of(case: Case) -> Window:
    x, kernel, _ = case.shapes
    options = case.options
    return window(x[1:3], kernel[:2], options["strides"], options["padding"], options["dilation_rate"])  # type: ignore[index]


def can(layout: Any, geometry: Window) -> bool:
    """Whether a layout can do it, be it quick or not."""
    rows = geometry.rows
    if layout is Strips:
        return rows.dilation == 1 and rows.stride <= rows.kernel
    return layout is WholeWindows or rows.stride == 1


@pytest.mark.parametrize("layout", [WholeWindows, Runs, Strips])
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
        ((8, 56, 56, 64), (3, 3, 64, 64), {"strides": (2, 2)}, WholeWindows),
        ((4, 112, 112, 3), (3, 3, 3, 32), {"strides": (4, 4)}, WholeWindows),
        ((4, 112, 112, 3), (1, 3, 3, 32), {}, WholeWindows),
        ((256, 4, 4, 16), (4, 4, 16, 10), {"padding": "valid"}, WholeWindows),
    ],
)
def test_the_layout_by_shape(x: Any, kernel: Any, options: dict[str, Any], expected: Any) -> None:
    chosen = {"strides": (1, 1), "padding": "same", "dilation": (1, 1), **options}
    assert type(choose_layout(kernel, window(x[1:3], kernel[:2], **chosen))) is expected


@pytest.mark.parametrize("layout", [WholeWindows, Runs, Strips])
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
