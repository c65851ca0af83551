"""Methods of a convolution against float64: each within its bound, and one that is wrong is noticed."""

from __future__ import annotations

import numpy as np

from cnnviz.verification import convolution_rounding
from cnnviz.verification.convolution_rounding import METHODS, compare_methods


def test_each_method_keeps_to_its_bound():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 14, 13, 5)).astype(np.float32)
    kernel, bias = rng.standard_normal((3, 3, 5, 4)).astype(np.float32), np.float32([1, -2, 0, 5])
    found = compare_methods(x, kernel, bias, padding="same")
    assert [each.method for each in found] == list(METHODS)
    assert all(each.within and 0 < each.difference <= each.limit for each in found)
    assert [each.method for each in compare_methods(x, kernel, bias, strides=2)] == list(METHODS)[:3]


def test_a_wrong_method_is_noticed(monkeypatch):
    x, kernel = np.ones((6, 6), np.float32), np.full((3, 3, 1, 1), 0.1, np.float32)
    right = convolution_rounding.conv2d
    monkeypatch.setattr(
        convolution_rounding,
        "conv2d",
        lambda *arguments, method="auto", **options: (
            right(*arguments, method=method, **options) * (1.00001 if method == "im2col" else 1)
        ),
    )
    assert [each.method for each in compare_methods(x, kernel) if not each.within] == ["im2col"]
