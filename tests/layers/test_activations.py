"""How derivatives are written out, against those that are computed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from cnnviz.layers.activations import FUNCTIONS, Activation

FUNCTIONS_OF_PYTHON = {name: getattr(np, name) for name in ("exp", "sqrt", "tanh", "cosh", "log", "pi")}
ARGUMENTS = {
    "elu": {"alpha": 0.7},
    "celu": {"alpha": 0.7},
    "squareplus": {"b": 2},
    "gelu": {"approximate": True},
}


@pytest.mark.parametrize("name", [name for name, each in FUNCTIONS.items() if not each.mixes])
def test_a_derivative_as_it_is_written(name: str) -> None:
    """Straight pieces have a number for a derivative; all others a formula, which holds at its joints too."""
    if not FUNCTIONS[name].slope:
        z = np.linspace(-8, 8, 1601) + 1e-3
        given = {"prelu": {"alpha": np.float64(0.3)}, "threshold": {"threshold": 0.5, "default_value": 2.0}}
        slopes = Activation(name, given.get(name, {})).gradient(z, np.ones_like(z))
        assert len(np.unique(slopes.round(12))) <= 3
        return
    for arguments in ({}, ARGUMENTS.get(name, {})):
        activation = Activation(name, arguments)
        for z in (-4.0, -3.0, -1.0, -0.3, 0.0, 0.2, 1.0, 2.5, 3.0, 5.0):
            formula, condition = activation.written_slope(z)
            names = {"__builtins__": {}, **FUNCTIONS_OF_PYTHON, "erfc": special.erfc, "abs": abs, "z": z}
            expected = activation.gradient(np.array([z]), np.ones(1))[0]
            assert eval(formula, names) == pytest.approx(expected, rel=1e-12, abs=1e-15), (z, formula)
            assert not condition or eval(condition, names)
