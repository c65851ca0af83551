"""Schedules: every one of Keras's, over many steps."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from cnnviz.training import schedules
from cnnviz.training.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from harness.authority import keras

SCHEDULES = [
    ExponentialDecay(0.05, 10, 0.9),
    ExponentialDecay(0.05, 10, 0.9, staircase=True),
    InverseTimeDecay(0.01, 7, 0.5),
    InverseTimeDecay(0.01, 7, 0.5, staircase=True),
    PiecewiseConstantDecay([5, 20, 50], [0.1, 0.2, 0.05, 0.0]),
    PiecewiseConstantDecay([5], [0.1, 0.2]),
    PolynomialDecay(0.1, 30),
    PolynomialDecay(0.1, 30, 0.02, power=0.5, cycle=True),
    CosineDecay(0.1, 40),
    CosineDecay(0.0, 40, alpha=0.1, warmup_target=0.2, warmup_steps=15),
    CosineDecayRestarts(0.1, 10),
    CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.5, alpha=0.01),
    CosineDecayRestarts(0.1, 9, t_mul=1.5, m_mul=0.9),
]


def theirs(schedule, kind):
    """Keras's, whose floats are of one dtype: of Python's floats it makes float32."""

    def cast(value):
        if isinstance(value, list):
            return [cast(each) for each in value]
        return np.asarray(value, kind) if isinstance(value, float) else value

    config = {name: cast(value) for name, value in asdict(schedule).items()}
    return getattr(keras.optimizers.schedules, type(schedule).__name__)(**config)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_rates_are_keras_s(schedule):
    """In float64 to a few roundings; Keras's float32 goes through ten of them and a cosine."""
    double, single = theirs(schedule, np.float64), theirs(schedule, np.float32)
    largest = max(schedule(step) for step in range(120))
    for step in range(120):
        rate = schedule(step)
        assert rate == pytest.approx(float(double(step)), rel=0, abs=8 * 2**-52 * largest), step
        if step % 7 == 0:
            assert rate == pytest.approx(float(single(step)), rel=0, abs=32 * 2**-24 * largest), step


def test_every_schedule_of_keras_is_there_and_tested():
    known = {name for name in dir(keras.optimizers.schedules) if name[0].isupper()}
    tested = {type(schedule).__name__ for schedule in SCHEDULES}
    assert tested == known - {"LearningRateSchedule"}
    assert all(hasattr(schedules, name) for name in tested)


def test_odd_arguments_are_refused():
    with pytest.raises(ValueError, match="values must be one more than the 2 boundaries, got 2"):
        PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"t_mul must be 1 or more, got 0\.5"):
        CosineDecayRestarts(0.1, 10, t_mul=0.5)
