"""What the page computes beside what Python does: how far they may lie apart, and where they do."""

from __future__ import annotations

import base64
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from cnnviz import Layer, Run
from cnnviz.layers.estimated import EstimatedEntry
from cnnviz.layers.gating import GatedEntry
from cnnviz.layers.rounding import allowance
from cnnviz.layers.running_error import Estimate
from cnnviz.layers.sequences import SequenceEntry
from cnnviz.stage.stages import Stage


def bound_of(stage: Stage, run: Run) -> np.ndarray:
    """How far two float32 evaluations of a stage may lie apart, cell by cell, in its drawn shape."""
    layer, inputs = stage.layer, run.inputs(stage.layer.name)
    if stage.op["type"] == "input":
        return np.zeros(stage.shape)
    if isinstance(layer.entry, GatedEntry) and stage.part in ("kept", "gate"):
        return np.zeros(stage.shape)
    if isinstance(layer.entry, GatedEntry) and stage.part == "opening":
        inputs = (layer.entry.halves(layer, inputs[0])[1],)
        layer = Layer.from_config(layer.name, "Activation", {"activation": "sigmoid"})
    if stage.part in ("threshold", "above") and layer.activation is not None:
        alone = Layer.from_config(layer.name, "Activation", {"activation": layer.activation})
        axis = layer.activation.axis
        with np.errstate(all="ignore"):
            # Of z less the threshold; that of the threshold is a part of it for each z.
            bound = allowance(alone, run.pre_activation(layer.name))
        return (bound if stage.part == "above" else bound.min(axis, keepdims=True))[0].reshape(stage.shape)
    if stage.part == "output" and layer.activation is not None and not layer.is_activation:
        layer = Layer.from_config(layer.name, "Activation", {"activation": layer.activation})
        inputs = (run.pre_activation(stage.layer.name),)
    elif stage.part == "depthwise":
        if isinstance(layer.entry, SequenceEntry):
            # Its bound is that of the maps of one column that it works on.
            layer, inputs = layer.entry.as_map(layer), [x[:, :, np.newaxis] for x in inputs]
        kernel = {"kernel": layer.weights["depthwise_kernel"]}
        layer = replace(
            layer, kind="DepthwiseConv2D", weights=kernel, config={**layer.config, "activation": None}
        )
    elif isinstance(layer.entry, EstimatedEntry) and stage.part != "output":
        return _bound_of_step(stage, run)
    elif stage.part == "before":
        layer = replace(layer, config={**layer.config, "activation": None})
    with np.errstate(all="ignore"):
        return np.asarray(allowance(layer, *inputs), float)[0].reshape(stage.shape)


_ESTIMATES: WeakKeyDictionary[Run, tuple[Layer, dict[str, Estimate]]] = WeakKeyDictionary()
"""All steps of the layer of a run that was asked for last: they are asked for one by one."""


def _bound_of_step(stage: Stage, run: Run) -> np.ndarray:
    """Of a step within a layer, by the running error of all steps up to it."""
    layer = stage.layer
    with np.errstate(all="ignore"):
        if run not in _ESTIMATES or _ESTIMATES[run][0] is not layer:
            _ESTIMATES[run] = layer, layer.entry.steps(layer, run.inputs(layer.name), Estimate.exact)
        estimate = _ESTIMATES[run][1][stage.part]
        # Of both evaluations, which may each set to 0 what is below the normal numbers.
        return 2 * estimate.roundoff * (estimate.error / (1 - estimate.roundoff) + TINY).reshape(stage.shape)


TINY = float(np.finfo(np.float32).tiny) / 2.0**-24


def decoded(text: str, stage: Stage) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(stage.shape)


def apart(found: np.ndarray, expected: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Where two arrays differ by more than a bound."""
    with np.errstate(all="ignore"):
        near = np.abs(found.astype(float) - expected) <= bound
    return ~(near | (found == expected) | (np.isnan(found) & np.isnan(expected)))
