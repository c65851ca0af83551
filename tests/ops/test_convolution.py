"""The convolutions against literals, TensorFlow and their error bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from cnnviz import ops
from harness import authority
from harness.accuracy import Accuracy
from harness.cases import (
    Case,
    compare,
    convolutions,
    depthwise_convolutions,
    separable_convolutions,
    transposed_convolutions,
)


@given(case=convolutions())
def test_conv2d_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "conv2d", case)


@given(case=depthwise_convolutions())
def test_depthwise_conv2d_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "depthwise_conv2d", case)


@given(case=separable_convolutions())
def test_separable_conv2d_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "separable_conv2d", case)


@given(case=transposed_convolutions())
def test_conv2d_transpose_is_tensorflows(accuracy: Accuracy, case: Case) -> None:
    compare(accuracy, "conv2d_transpose", case)
