"""A network as the config.json that Keras writes, and where its weights lie: the way back of `keras_config`.

A network that was read from a file keeps how its models are nested and which call reads which; one that was
built in Python is one Functional model. Options come from the layers, as they are now. The format is that of
keras/src/models/functional.py and sequential.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cnnviz.layers import Layer
from cnnviz.layers.tensor_operations import OperationEntry
from cnnviz.network.keras2_config import without_slashes
from cnnviz.network.keras_config import FileLayer, Model, Ref, precision_of, weight_groups
from cnnviz.network.layer_graph import LayerGraph

Call = tuple[str, int]
"""A member of a model, and which of its calls."""
Config = dict[str, Any]


def structure_of(network: LayerGraph) -> Model:
    """The models of a network: those of its file, or one of all layers.

    One too where a layer is in two models: Keras numbers its calls in both together, and cannot restore it.
    """
    kept = network.structure
    shared = kept is not None and any(count > 1 for count in _memberships(kept).values())
    return _one_model(network) if kept is None or shared else kept


def _memberships(model: Model) -> Counter[int]:
    """In how many models each member is, by its id."""
    found = [model]
    counts: Counter[int] = Counter()
    for each in found:
        for member in each.members.values():
            counts[id(member)] += 1
            if isinstance(member, Model) and counts[id(member)] == 1:
                found.append(member)
    return counts


def _one_model(network: LayerGraph) -> Model:
    names = without_slashes(dict.fromkeys(map(_operation_of, network)))
    model = Model(network.name, functional=True)
    made: dict[str, Ref] = {}
    reads: dict[Call, tuple[str, ...]] = {}
    counts: Counter[str] = Counter()
    for layer in network:
        name = names[_operation_of(layer)]
        kept = FileLayer(name, layer.kind, {}, layer.trainable, "", owner=layer.owner)
        model.members.setdefault(name, kept)
        # Parts of one result are layers here, and one call in Keras.
        is_part = _splits(layer) and reads.get((name, 0)) == layer.inputs
        call = (name, 0) if is_part else (name, counts[name])
        if not is_part:
            counts[name] += 1
            reads[call] = layer.inputs
            model.calls.append((name, [made[feed] for feed in layer.inputs]))
        made[layer.name] = (*call, layer.config["output"] if _splits(layer) else 0)
    model.inputs = [made[name] for name in network.inputs]
    model.outputs = [made[network.resolve(name)] for name in network.outputs]
    return model


def _splits(layer: Layer) -> bool:
    return isinstance(layer.entry, OperationEntry) and layer.entry.splits


def _operation_of(layer: Layer) -> str:
    """What Keras has as one layer: "split" for "split[2]"."""
    return layer.owner.removesuffix(f"[{layer.config['output']}]") if _splits(layer) else layer.owner


# The order of Keras -------------------------------------------------------------------------------


def calls_in_use(model: Model) -> dict[Call, list[Ref]]:
    """What each call reads that an output needs, and each input, in the order in which they are written."""
    reads = _reads(model)
    needed = {ref[:2] for ref in model.inputs}
    waiting = [ref[:2] for ref in model.outputs]
    while waiting:
        call = waiting.pop()
        if call not in needed:
            needed.add(call)
            waiting += [ref[:2] for ref in reads[call]]
    return {call: refs for call, refs in reads.items() if call in needed}


def _reads(model: Model) -> dict[Call, list[Ref]]:
    counts: Counter[str] = Counter()
    reads = {}
    for name, refs in model.calls:
        reads[name, counts[name]] = refs
        counts[name] += 1
    return reads


def members_in_order(model: Model) -> list[str]:
    """The members as Keras lists them: by their depth, then as a walk back from the outputs meets them.

    In this order Keras numbers the groups of weights of one class. Source: `map_graph` in
    keras/src/ops/function.py.
    """
    if not model.functional:
        return list(model.members)
    reads = calls_in_use(model)
    met: dict[str, int] = {}
    finished: list[Call] = []
    seen: set[Call] = set()
    for output in model.outputs:
        waiting = [(output[:2], False)]
        while waiting:
            call, done = waiting.pop()
            if done:
                finished.append(call)
            elif call not in seen:
                seen.add(call)
                met.setdefault(call[0], len(met))
                waiting.append((call, True))
                waiting += [(ref[:2], False) for ref in reversed(reads[call])]
    depths: dict[Call, int] = {}
    deepest: dict[str, int] = {}
    for call in reversed(finished):
        depth = max(depths.get(call, 0), deepest.get(call[0], 0))
        depths[call] = deepest[call[0]] = depth
        for ref in reads[call]:
            depths[ref[:2]] = max(depth + 1, depths.get(ref[:2], 0))
    for name, _, _ in model.inputs:
        deepest.setdefault(name, 0)
    return sorted(deepest, key=lambda name: (-deepest[name], met.get(name, -1)))


# The description ----------------------------------------------------------------------------------


class Description:
    """What `config.json` says of a network, and its layers by where their weights lie.

    Raises ValueError, naming the layer, for what Keras has no way to write.
    """

    def __init__(self, network: LayerGraph) -> None:
        self.network = network
        self._has_weights = any(each.weights for each in network)
        self.places: dict[str, str] = {}
        """The group of each layer with weights, by its name, in the order in which Keras trains them."""
        model = structure_of(network)
        self.config = self._model(model, "")

    def _model(self, model: Model, path: str) -> Config:
        group = weight_groups(f"{path}/layers".lstrip("/"))
        calls = calls_in_use(model)
        numbers = _renumbered(calls)
        reads_of: dict[str, list[list[Ref]]] = {}
        for (called, _), reads in calls.items():
            reads_of.setdefault(called, []).append(reads)
        layers = []
        for name in members_in_order(model):
            member = model.members[name]
            is_chain_input = not model.functional and isinstance(member, FileLayer) and member.is_input
            # A Sequential model's InputLayer has no group among its layers.
            data = self._member(name, member, (lambda kind: "") if is_chain_input else group)
            if model.functional:
                nodes = [self._node(member, reads, numbers, model) for reads in reads_of.get(name, [])]
                data |= {"name": name, "inbound_nodes": [node for node in nodes if node is not None]}
            layers.append(data)
        config: Config = {"name": model.name, "layers": layers}
        if not model.functional:
            first = layers[0]["config"]
            config["build_input_shape"] = first["batch_shape"]
            return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}
        config["input_layers"] = _single([[name, numbers[name, call], 0] for name, call, _ in model.inputs])
        # Keras counts the calls of a nested Functional model from 1 here, and only here.
        config["output_layers"] = _single(
            [
                [name, numbers[name, call] + _is_functional(model.members[name]), output]
                for name, call, output in model.outputs
            ]
        )
        return {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": config,
            "registered_name": "Functional",
        }

    def _member(self, name: str, member: FileLayer | Model, group: Callable[[str], str]) -> Config:
        if isinstance(member, Model):
            return self._model(member, group("Functional" if member.functional else "Sequential"))
        layer = self._layer_of(member)
        path = "" if isinstance(layer.entry, OperationEntry) else group(layer.kind)
        if layer.weights:
            self.places[layer.owner] = path
        return self._layer(name, layer)

    def _layer(self, name: str, layer: Layer) -> Config:
        entry = layer.entry
        config: Config = {**layer.raw_config, "name": name}
        if not isinstance(entry, OperationEntry):
            config["dtype"] = self._policy(layer)
            # Some classes without weights do not take it.
            if "trainable" in config or (layer.weights and not layer.trainable):
                config["trainable"] = layer.trainable
        try:
            config = entry.serialized(layer.config, config)
        except ValueError as error:
            raise ValueError(f"layer {layer.name!r} ({layer.kind}): {error}") from error
        return {
            "module": entry.module,
            "class_name": entry.class_name(layer),
            "config": config,
            "registered_name": None,
        }

    def _policy(self, layer: Layer) -> Any:
        """The dtype policy in which Keras is to compute a layer."""
        halves = ("float16", "bfloat16")
        if layer.precision not in ("float32", "float64", *halves):
            # An input of whole numbers.
            return layer.precision
        if self.network.dtype == np.float64:
            return "float64"
        if layer.precision in halves:
            return layer.raw_config.get("dtype", f"mixed_{layer.precision}")
        # Where there are no weights, only the file says in what it is computed.
        return "float32" if self._has_weights else layer.precision

    def _node(
        self, member: FileLayer | Model, reads: list[Ref], numbers: Mapping[Call, int], model: Model
    ) -> Config | None:
        """One call, as Keras writes it: the arguments, and what each tensor is the output of."""
        if not reads:
            return None
        if isinstance(member, Model):
            return {"args": [_single([self._tensor(ref, numbers, model) for ref in reads])], "kwargs": {}}
        layer = self._layer_of(member)
        # An operation has no policy: it computes in the dtype of what it reads.
        reads_in = self._dtype(layer) if isinstance(layer.entry, OperationEntry) else ""
        tensors = [self._tensor(ref, numbers, model, reads_in) for ref in reads]
        args, kwargs = layer.entry.serialized_call(layer.config, tensors)
        return {"args": args, "kwargs": kwargs}

    def _tensor(self, ref: Ref, numbers: Mapping[Call, int], model: Model, dtype: str = "") -> Config:
        name, call, output = ref
        member = model.members[name]
        while isinstance(member, Model):
            member = member.members[member.outputs[output][0]]
        layer = self._layer_of(member)
        config = {
            "shape": [None, *layer.output_shape],
            "dtype": dtype or self._dtype(layer),
            "keras_history": [name, numbers[name, call], output],
        }
        return {"class_name": "__keras_tensor__", "config": config}

    def _layer_of(self, member: FileLayer) -> Layer:
        """The first call of a member; a nested model's input is no layer of the network."""
        if member.owner:
            return self.network[member.owner]
        shape = member.config["batch_shape"][1:]
        return Layer(
            *(member.name, member.kind, member.config),
            precision=member.precision,
            raw_config=member.raw_config,
            output_shape=shape,
        )

    def _dtype(self, layer: Layer) -> str:
        """The dtype in which Keras is to compute a layer."""
        if isinstance(layer.entry, OperationEntry):
            return "float64" if self.network.dtype == np.float64 else layer.precision
        return precision_of(self._policy(layer))


def _renumbered(calls: Mapping[Call, Any]) -> dict[Call, int]:
    counts: Counter[str] = Counter()
    numbers = {}
    for call in calls:
        numbers[call] = counts[call[0]]
        counts[call[0]] += 1
    return numbers


def _is_functional(member: FileLayer | Model) -> bool:
    return isinstance(member, Model) and member.functional


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
