"""The table of layer gradients: every kind that is computed has them, and for every weight."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.layers import ENTRIES, Entry
from harness.gradient_ops import check_finite_differences
from harness.networks import run_of


def test_every_kind_has_gradients_of_its_weights() -> None:
    for kind, entry in ENTRIES.items():
        one_for_all = type(entry).weight_gradient is not Entry.weight_gradient
        for weight in entry.weights:
            assert one_for_all or callable(getattr(entry, f"{weight}_gradient")), (kind, weight)
        own = type(entry).input_gradients is not Entry.input_gradients
        assert own or not entry.op, f"{kind} computes something and says no gradient"


@pytest.mark.parametrize("name", ["scales", "batch normalisation"])
def test_statistics_have_gradients_too(name: str) -> None:
    """Which TensorFlow does not take where it turns them into constants. Linear in x: any step will do."""
    run = run_of(name)
    net = run.network.astype(np.float64)
    run = net.run(np.asarray(run.input, np.float64))
    weights = np.random.default_rng(0).normal(size=np.shape(run.output))
    found = run.gradient(net.outputs[0], weights=weights).wrt_weights
    statistics = {key: value for key, value in found.items() if net[key.rpartition("/")[0]].kind != "Dense"}
    assert statistics
    for key, gradient in statistics.items():
        layer, _, weight = key.rpartition("/")
        old = net[layer].weights[weight]
        if weight == "count":
            assert gradient.shape == ()
            assert gradient == 0
            continue
        assert gradient.any(), key
        check_finite_differences(
            lambda moved, key=key: net.with_weights({key: moved}).run(run.input).output,
            [old],
            0,
            gradient,
            weights,
        )
