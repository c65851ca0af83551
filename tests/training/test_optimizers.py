"""Optimizers: every setting against Keras's arithmetic in float64, and what they say of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cnnviz.training import SGD, Adam, AdamW
from cnnviz.training.optimizers import AVERAGE
from harness.authority import keras

# Rates that float32 holds exactly: Keras keeps them in it.
SETTINGS = [
    *(SGD(0.125), SGD(0.125, momentum=0.9), SGD(0.125, momentum=0.9, nesterov=True)),
    *(Adam(0.125), Adam(0.125, beta_1=0.0, beta_2=0.5, epsilon=0.1), Adam(0.125, amsgrad=True)),
    *(AdamW(0.125), AdamW(0.125, weight_decay=0.0)),
]
CLIPPED = [{}, {"clipnorm": 0.7}, {"clipvalue": 0.2}, {"global_clipnorm": 0.9}, {"weight_decay": 0.05}]
AVERAGED = [{}, {"use_ema": True}, {"use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 2}]
SHAPES = {"a": (3, 2), "b": (4,), "c": ()}


def gradients(seed=0, steps=5):
    random = np.random.default_rng(seed)
    return [{key: random.normal(size=shape) for key, shape in SHAPES.items()} for _ in range(steps)]


def ours(optimizer, weights, steps):
    slots = {key: optimizer.empty_slots(weight) for key, weight in weights.items()}
    for number, step in enumerate(steps):
        clipped = optimizer.clipped(step)
        for key, g in clipped.items():
            weights[key], slots[key] = optimizer.update(weights[key], g, slots[key], number)
    return weights, slots


def theirs(optimizer, weights, steps):
    same = getattr(keras.optimizers, type(optimizer).__name__)(**optimizer.config())
    variables = [keras.Variable(array, dtype="float64") for array in weights.values()]
    for step in steps:
        same.apply([keras.ops.convert_to_tensor(g) for g in step.values()], variables)
    averages = {}
    if optimizer.use_ema:
        averages = dict(zip(weights, map(np.asarray, same._model_variables_moving_average), strict=True))
    return dict(zip(weights, map(np.asarray, variables), strict=True)), averages


@pytest.mark.parametrize("optimizer", SETTINGS, ids=repr)
@pytest.mark.parametrize("clipped", CLIPPED, ids=repr)
def test_five_steps_are_keras_s(optimizer, clipped):
    """Five steps of at most twenty operations, each within a rounding of float64."""
    for averaged in AVERAGED:
        if "weight_decay" in clipped and isinstance(optimizer, AdamW):
            continue
        chosen = replace_settings(optimizer, clipped | averaged)
        steps = gradients()
        weights, slots = ours(chosen, dict(gradients(1, 1)[0]), steps)
        expected, averages = theirs(chosen, dict(gradients(1, 1)[0]), steps)
        for key, array in expected.items():
            np.testing.assert_allclose(weights[key], array, rtol=0, atol=100 * 2**-52, err_msg=key)
        for key, array in averages.items():
            np.testing.assert_allclose(slots[key][AVERAGE], array, rtol=0, atol=100 * 2**-52, err_msg=key)


def replace_settings(optimizer, settings):
    return type(optimizer)(**(optimizer.config() | settings))


@pytest.mark.parametrize("settings", CLIPPED[1:4], ids=repr)
@pytest.mark.parametrize("value", [0.0, np.inf, np.nan, 1e200])
def test_odd_gradients_are_clipped_as_in_keras(settings, value):
    """All zeros, infinite ones, NaN, and such as are too large to be squared."""
    step = {key: np.full(shape, value) for key, shape in SHAPES.items()}
    step["b"] = np.ones(4)
    same = keras.optimizers.SGD(**settings)
    with np.errstate(all="ignore"):
        found = SGD(**settings).clipped(step)
        expected = same._clip_gradients([keras.ops.convert_to_tensor(g) for g in step.values()])
    for key, array in zip(step, expected, strict=True):
        np.testing.assert_allclose(found[key], np.asarray(array), rtol=1e-14, err_msg=key)


@pytest.mark.parametrize("optimizer", [*SETTINGS, SGD(0.125, use_ema=True, weight_decay=0.1)], ids=repr)
def test_what_is_said_of_a_step_is_what_was_computed(optimizer):
    """Each equation, computed from the numbers that it names, gives its result."""
    said = []
    weight, g = np.float32(0.7), np.float32(-0.3)
    slots = {name: np.float32(0.2) for name in optimizer.names_of_slots}
    after, _ = optimizer.update(weight, g, slots, 3, said.append)
    for equation in said:
        formula = equation.formula.replace("g**2", "g**np.float32(2)")
        names = {name: np.float64(value) for name, value in equation.values.items()}
        found = eval(formula, {"sqrt": np.sqrt, "max": max, "np": np}, names)
        assert found == pytest.approx(float(equation.result), rel=1e-5)
    assert any(equation.result == after for equation in said)


def test_slots_and_repr_follow_the_settings():
    weight = np.ones(2, np.float32)
    assert set(SGD(0.125).empty_slots(weight)) == set()
    assert set(SGD(0.125, momentum=0.5, use_ema=True).empty_slots(weight)) == {"momentum", AVERAGE}
    assert set(Adam(amsgrad=True).empty_slots(weight)) == {"momentum", "velocity", "velocity_hat"}
    assert replace(Adam(0.125), epsilon=0.5).epsilon == 0.5
    for kind in (SGD, Adam, AdamW):
        expected = getattr(keras.optimizers, kind.__name__)().get_config()
        for name, value in kind().config().items():
            if name in expected and name != "weight_decay":
                assert value == pytest.approx(expected[name]), (kind, name)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (SGD, {"learning_rate": -1}, "learning_rate must be a finite number, 0 or more, got -1"),
        (SGD, {"momentum": 1.5}, "momentum must be from 0 to 1, got 1.5"),
        (Adam, {"beta_1": 1.0}, "beta_1 must be from 0 to below 1, got 1.0"),
        (Adam, {"beta_2": np.nan}, "beta_2 must be a finite number"),
        (Adam, {"epsilon": "small"}, "epsilon must be a number"),
        (AdamW, {"weight_decay": -0.1}, "weight_decay must be a finite number"),
        (Adam, {"clipnorm": 1.0, "clipvalue": 1.0}, "only one of clipnorm, clipvalue, global_clipnorm"),
        (SGD, {"use_ema": True, "ema_momentum": 2}, "ema_momentum must be from 0 to 1, got 2"),
        (
            SGD,
            {"ema_overwrite_frequency": 0},
            "ema_overwrite_frequency must be a positive int or None, got 0",
        ),
    ],
)
def test_settings_out_of_range_are_named(kind, settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        kind(**settings)
