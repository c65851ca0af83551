"""Questions about stacks: one right choice each, and it is what counting comes to."""

from __future__ import annotations

import pytest

from cnnviz import channels, kernels
from cnnviz.teaching.questions.three_by_three import how_far_a_stack_sees, saving_with_more_channels


@pytest.mark.parametrize("size", [2, 3, 5, 7])
@pytest.mark.parametrize("depth", range(1, 7))
def test_a_stack_sees_as_far_as_paths_lead(depth, size):
    asked = how_far_a_stack_sees(depth, size)
    side = len(kernels.stack_paths(depth, size))
    assert asked.answer.text == f"{side} × {side}"
    assert [choice.right for choice in asked.choices].count(True) == 1


@pytest.mark.parametrize("width", [1, 10, 16, 32])
@pytest.mark.parametrize("depth", range(1, 7))
def test_the_saving_does_not_depend_on_the_channels(depth, width):
    asked = saving_with_more_channels(depth, width)
    saving = channels.stack_of_3x3(depth, 2 * width, bias=False).saving[0]
    assert asked.answer.text == f"{saving:.2f} times"
    assert [choice.right for choice in asked.choices].count(True) == 1
    assert len(asked.choices) == 4


def test_stacks_of_nothing_are_refused():
    with pytest.raises(ValueError, match="depth must be at least 1"):
        how_far_a_stack_sees(0)
    with pytest.raises(ValueError, match="depth must be at least 1"):
        saving_with_more_channels(0, 16)
