"""NetworkInChild: a network whose passes, forward and back, are computed by a child process.

What the child could compute takes no more here either: the limits hold for every pass, wherever it runs.
"""

from __future__ import annotations

import itertools
import pickle
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.network.child_process import ComputingProcess, arrays_of
from cnnviz.network.forward import Edits
from cnnviz.network.inputs import check_batch_size, images_of, prepared
from cnnviz.network.layer_graph import single
from cnnviz.network.memory import check_at_once, one_image
from cnnviz.network.network import BATCH_BYTES, Network
from cnnviz.network.run import Gradient, Passed, Run

_NUMBERS = itertools.count(1)
"""Of runs and gradients, by which a child knows the last ones again; never those of another child."""


class NetworkInChild(Network):
    """A network whose runs, gradients and predictions are computed by its `child`, within its limits.

    Those derived from it, with other weights, too. Those of a network whose layers are others, and edits
    that are no plain data, are computed here.
    """

    child: ComputingProcess | None = None

    @classmethod
    def of(
        cls,
        net: Network,
        child: ComputingProcess,
        memory_limit: float | None = None,
        work_limit: float | None = None,
    ) -> NetworkInChild:
        """A network that was read here too, computed by the child that has read its file."""
        found = cls.__new__(cls)
        vars(found).update(net.__getstate__())
        found.child = child
        found.memory_limit, found.work_limit = memory_limit, work_limit
        found.answers = OrderedDict()
        found._read = net
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "answers": OrderedDict()}

    answers: OrderedDict[Any, Any]
    """What was asked of it and is kept as long as it is there, for those who ask."""
    _read: Network

    def passed_elsewhere(
        self, inputs: Mapping[str, np.ndarray], edits: Edits, inner: Edits, base: Run | None
    ) -> Passed | None:
        changed = self._changed()
        if self.child is None or changed is None or not _can_be_sent(edits, inner):
            return None
        number, begins_with = next(_NUMBERS), 0 if base is None else base.number
        question = (number, changed, dict(inputs), dict(edits), dict(inner), begins_with)
        shapes, kinds = self._shapes(inputs), ("output", "before")
        found = self.child.ask(
            "run",
            *question,
            wanted={f"{kind} {name}": shape for name, shape in shapes.items() for kind in kinds},
            known={} if base is None else arrays_of(base),
        )
        outputs, before = ({name: found[f"{kind} {name}"] for name in shapes} for kind in kinds)
        return Passed(outputs, before, number)

    def _shapes(self, inputs: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
        """Of what each layer gives, before its activation and behind it."""
        count = len(inputs[self.inputs[0]])
        return {name: (count, *shape) for name, shape in one_image(self, inputs).shapes.items()}

    def gradient_elsewhere(
        self, run: Run, seeds: Mapping[str, np.ndarray], pre_activations: Collection[str]
    ) -> Gradient | None:
        changed = self._changed()
        if self.child is None or changed is None:
            return None
        return _GradientInChild(run, seeds, pre_activations, self.child, changed)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        *,
        memory_limit: float | None = None,
        work_limit: float | None = None,
        method: str = "auto",
    ) -> Any:
        changed = self._changed()
        images = images_of(self, x)
        count = len(images[self.inputs[0]])
        if changed is None or self.child is None or not count:
            return super().predict(
                x, batch_size, memory_limit=memory_limit, work_limit=work_limit, method=method
            )
        check_batch_size(batch_size)
        one = one_image(self, images)
        batch_size = batch_size or max(1, min(256, BATCH_BYTES // max(1, *one.sizes.values())))
        check_at_once(self, one, count, batch_size, memory_limit, work_limit)
        parts = []
        for first in range(0, count, batch_size):
            batch = {name: array[first : first + batch_size] for name, array in images.items()}
            inputs = prepared(self, batch)
            shapes = self._shapes(inputs)
            wanted = {name: shapes[self.resolve(name)] for name in self.outputs}
            found = self.child.ask("predict", changed, inputs, batch_size, method, wanted=wanted)
            parts.append([found[name] for name in self.outputs])
        return single(tuple(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _changed(self) -> dict[str, Layer] | None:
        """The layers that are others than those read; None where the graph is another one, or its dtype."""
        if [*self._layers] != [*self._read._layers] or self.dtype != self._read.dtype:
            return None
        return {layer.name: layer for layer in self if not _alike(layer, self._read[layer.name])}


def _alike(layer: Layer, other: Layer) -> bool:
    if layer is other:
        return True
    same = layer.weights.keys() == other.weights.keys() and all(
        array is other.weights[name] for name, array in layer.weights.items()
    )
    return same and layer.config is other.config and layer.inputs == other.inputs


def _can_be_sent(*edits: Edits) -> bool:
    try:
        pickle.dumps(edits, protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


class _GradientInChild(Gradient):
    """A gradient whose parts are computed by the child when they are first asked for."""

    def __init__(
        self,
        run: Run,
        seeds: Mapping[str, np.ndarray],
        pre_activations: Collection[str],
        child: ComputingProcess,
        changed: Mapping[str, Layer],
    ) -> None:
        super().__init__(run, seeds, pre_activations)
        self._child, self._changed, self._number = child, dict(changed), next(_NUMBERS)

    def of_weights(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        wanted = [(name, *self.parse(name)) for name in names]
        missing = {
            f"{layer.owner}/{weight}": layer.weights[weight].shape
            for _, layer, weight in wanted
            if (layer.owner, weight) not in self._weights
        }
        if missing:
            for name, array in self._ask("weights", missing).items():
                owner, _, weight = name.rpartition("/")
                self._weights[owner, weight] = self._filled(array, array)
        return {name: self._weights[layer.owner, weight] for name, layer, weight in wanted}

    def _output(self, name: str) -> np.ndarray | None:
        if name not in self._outputs:
            self._outputs[name] = self._ask("output", {name: self.run[name].shape})[name]
        return self._outputs[name]

    def _pre_activation(self, layer: Layer) -> np.ndarray | None:
        if layer.name not in self._pre_activations:
            shape = self.run.pre_activation(layer.name).shape
            self._pre_activations[layer.name] = self._ask("before", {layer.name: shape})[layer.name]
        return self._pre_activations[layer.name]

    def _weight(self, layer: Layer, weight: str) -> np.ndarray:
        name = f"{layer.name}/{weight}"
        return self.of_weights([name])[name]

    def _ask(self, kind: str, wanted: Mapping[str, tuple[int, ...]]) -> Mapping[str, np.ndarray]:
        run = self.run
        inputs = {name: run[name] for name in run.network.inputs}
        # Where the run was edited, the numbers that it had there.
        fixed = (
            {name: run[name] for name in run.edited},
            {name: run.pre_activation(name) for name in run.edited},
        )
        about = (self._changed, inputs, fixed, self.seeds, tuple(self.of_pre_activations))
        question = (self._number, run.number, *about, (kind, tuple(sorted(wanted))))
        return self._child.ask("gradient", *question, wanted=wanted)
