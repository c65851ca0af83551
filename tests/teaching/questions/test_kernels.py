"""Questions about kernels: one right choice each, and it is what another road comes to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cnnviz import kernels
from cnnviz.teaching.questions.kernels import on_a_plain_area, twice_in_a_row


def value(text: str) -> float:
    return float(text.split()[0].replace("−", "-").replace(",", ""))


@pytest.mark.parametrize("name", kernels.NAMES)
@pytest.mark.parametrize("brightness", [0.6, 0.25])
def test_the_answer_on_a_plain_area_is_scipys(name, brightness):
    kernel = kernels.named(name).kernel
    asked = on_a_plain_area(kernel, brightness)
    plain = ndimage.correlate(np.full((15, 15), brightness), kernel)[7, 7]
    assert [choice.right for choice in asked.choices].count(True) == 1
    assert value(asked.answer.text) == pytest.approx(plain, rel=1e-3, abs=1e-9)
    assert all(choice.misconception and choice.why for choice in asked.choices if not choice.right)


@pytest.mark.parametrize("kernel", [np.zeros((3, 3)), [[0.0, 0.0], [0.0, 1e-5]], [[-1.0]]])
def test_edited_kernels_can_be_asked_about(kernel):
    asked = on_a_plain_area(kernel)
    assert value(asked.answer.text) == pytest.approx(0.6 * np.sum(kernel), rel=1e-3)


@pytest.mark.parametrize("size", kernels.SIZES)
def test_a_kernel_twice_is_as_large_as_its_convolution_with_itself(size):
    asked = twice_in_a_row(size)
    expected = np.convolve(np.ones(size), np.ones(size)).size
    assert asked.answer.text == f"{expected} × {expected}"
    assert [choice.right for choice in asked.choices].count(True) == 1
