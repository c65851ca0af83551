"""Questions about the loss: over many scores the right answer is that of the plain formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnviz.teaching.questions.scores_to_loss import halved_probability, shifted_logits


def number(text: str) -> float:
    return float(text.split()[0].replace("−", "-"))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shift", [5.0, -3.0])
def test_a_shift_of_all_scores_changes_nothing(seed, shift):
    rng = np.random.default_rng(seed)
    logits, target = rng.normal(0, 6, 10), int(rng.integers(10))
    asked = shifted_logits(logits, target, shift)
    p = math.exp(logits[target]) / math.fsum(math.exp(z) for z in logits)
    assert number(asked.answer.text) == pytest.approx(-math.log(p), rel=6e-3, abs=1e-12)
    assert sum(choice.right for choice in asked.choices) == 1
    assert len(asked.choices) > 2


@pytest.mark.parametrize("probability", [1.0, 0.999999, 0.9, 0.5, 0.1, 1e-9])
def test_half_the_probability_costs_log_2(probability):
    asked = halved_probability(probability)
    assert number(asked.answer.text) == pytest.approx(math.log(2), abs=5e-4)
    assert sum(choice.right for choice in asked.choices) == 1
    assert len({choice.text for choice in asked.choices}) == len(asked.choices) == 4


def test_no_probability_has_no_half():
    with pytest.raises(ValueError, match="probability must be above 0 and at most 1, got 0"):
        halved_probability(0)
