"""A Keras 2 model config in the words of Keras 3, so that `keras_config` reads both.

What differs: a model's class and its layers' list, how a call says what it reads, the names of a few classes
and options. The format is that of tf_keras/src/engine/functional.py (`get_network_config`) and sequential.py.
Nothing is checked beyond what is rewritten; what is not as Keras 2 writes it is left for `keras_config`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cnnviz.layers import ENTRIES
from cnnviz.network.keras2_operations import KINDS as OPERATIONS
from cnnviz.network.keras2_operations import as_operation
from cnnviz.network.keras_config import LONGEST_NAME
from cnnviz.numbers import brief

KINDS = {
    "Model": "Functional",
    "ThresholdedReLU": "ReLU",
    # They change sizes while training only.
    "RandomHeight": "Identity",
    "RandomWidth": "Identity",
}
"""Classes that Keras 3 calls something else, or that are a case of another."""

OPTIONS = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "ThresholdedReLU": {"theta": "threshold"},
}
"""Options that Keras 3 calls something else, by Keras 2's class."""

KEPT = {"name", "trainable", "dtype", "data_format"}
"""What all layers say of themselves."""

ACTIVATIONS = {"softmax_v2": "softmax", "log_softmax_v2": "log_softmax"}
"""TensorFlow's own names of activations, which Keras 2 wrote where it was given the function."""


def as_keras3(data: Any) -> Any:
    """What Keras 3 would have written for a model or layer that Keras 2 described.

    >>> as_keras3({"class_name": "LeakyReLU", "config": {"name": "leaky", "alpha": 0.1}})["config"]
    {'name': 'leaky', 'negative_slope': 0.1}

    Raises ValueError for what the two compute differently under one name.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("class_name"), str):
        return data
    module, kind = _place(data)
    config = data.get("config")
    if kind == "Sequential" and isinstance(config, list):
        # Before 2.2.3 it was the list of layers alone.
        config = {"name": "sequential", "layers": config}
    if isinstance(config, Mapping):
        config = _config(config, kind)
    return {**data, "module": module, "class_name": _kind(kind), "config": config}


def with_modules(data: Any) -> Any:
    """What Keras 3 describes in HDF5, with the modules of its own classes, which it leaves out there.

    >>> with_modules({"class_name": "Dense", "config": {}})["module"]
    'keras.layers'
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("class_name"), str):
        return data
    module, kind = _place(data)
    config = data.get("config")
    if isinstance(config, Mapping):
        config = dict(config)
        if isinstance(config.get("layers"), list):
            config["layers"] = [with_modules(layer) for layer in config["layers"]]
        elif "inbound_nodes" in data and not {"trainable", "batch_shape"} & config.keys():
            # Every layer has one of them; an operation such as x + y has the name of a layer alone.
            module = "keras.ops"
        for name in ("layer", "activation"):
            if name in config:
                config[name] = with_modules(config[name])
    return {**data, "module": module, "class_name": kind, "config": config}


def _kind(name: str) -> str:
    """The class in Keras 3; TensorFlow numbered some, and one had a variant for several devices."""
    for ending in ("V1", "V2"):
        name = name.removesuffix(ending)
    return KINDS.get(name, name.removeprefix("Sync"))


def _place(data: Mapping) -> tuple[Any, str]:
    """Module and class; Keras's own classes had no module, and those of tf_keras are Keras's."""
    module, kind = data.get("module"), data["class_name"]
    registered = data.get("registered_name")
    for name in (kind, registered):
        if isinstance(name, str) and ">" in name:
            package, _, kind = name.partition(">")
            return package, kind
    if module is None:
        return "keras.layers", kind
    return ("keras.layers" if str(module).split(".")[0] == "tf_keras" else module), kind


def _config(config: Mapping, kind: str) -> dict[str, Any]:
    names = {"batch_input_shape": "batch_shape", **OPTIONS.get(kind, {})}
    config = {names.get(name, name): value for name, value in config.items()}
    config = _known_to_keras3(config, kind)
    if isinstance(config.get("layers"), list):
        config["layers"] = [as_keras3(layer) for layer in config["layers"]]
        names = without_slashes(map(_name_of, config["layers"]))
        if kind == "Sequential":
            # It could be said of the first layer alone, or of that of a model that comes first.
            config.setdefault("build_input_shape", _input_shape(config["layers"]))
        else:
            _rewrite_calls(config, names)
        for layer in config["layers"]:
            _rename(layer, names)
    elif isinstance(config.get("layer"), Mapping):
        config["layer"] = as_keras3(config["layer"])
    activation = config.get("activation")
    if activation == "hard_sigmoid":
        raise ValueError(
            f"layer {config.get('name')!r}: hard_sigmoid was another function in Keras 2 (0.2 * x + 0.5), "
            "which is not computed"
        )
    if isinstance(activation, str):
        config["activation"] = ACTIVATIONS.get(activation, activation)
    elif isinstance(activation, Mapping):
        config["activation"] = as_keras3(activation)
    return config


def _known_to_keras3(config: dict[str, Any], kind: str) -> dict[str, Any]:
    """The config without options that Keras 3 refuses, as the groups of a depthwise convolution.

    Where all that it says is read, that is what is read; what works in training alone has one of them.
    """
    entry = ENTRIES.get(_kind(kind))
    if entry is None or "layer" in config:
        return config
    if not entry.computes and _kind(kind) == kind:
        return {name: value for name, value in config.items() if name != "rng_type"}
    read = KEPT | entry.option_names | {"batch_shape"}
    return {name: value for name, value in config.items() if name in read}


def _input_shape(layers: list[Any]) -> Any:
    config = _config_of(layers[0]) if layers else {}
    return config.get("batch_shape") or config.get("build_input_shape")


# The calls of a graph ---------------------------------------------------------------------------


def _rewrite_calls(config: dict[str, Any], names: Mapping[Any, str]) -> None:
    layers = [layer for layer in config["layers"] if isinstance(layer, dict)]
    kinds = {layer.get("name"): layer["class_name"] for layer in layers if "class_name" in layer}
    # A model is its own first call, so that in the graph around it calls count from 1.
    models = {name for name, kind in kinds.items() if kind in ("Sequential", "Functional")}
    for layer in layers:
        nodes = layer.get("inbound_nodes")
        if isinstance(nodes, list):
            layer["inbound_nodes"] = [_call(node, names, models) for node in nodes]
    config["layers"] = [as_operation(layer) if _is_operation(layer) else layer for layer in config["layers"]]
    # For the outputs, and only there, Keras 3 counts a Functional model's calls so too.
    chains = {name for name, kind in kinds.items() if kind == "Sequential"}
    for end, counted in (("input_layers", ()), ("output_layers", chains)):
        if end in config:
            config[end] = _ends(config[end], names, counted)


def _is_operation(layer: Any) -> bool:
    return (
        isinstance(layer, dict)
        and layer.get("class_name") in OPERATIONS
        and isinstance(layer.get("config"), Mapping)
        and isinstance(layer.get("inbound_nodes"), list)
        and all(isinstance(node, Mapping) and "args" in node for node in layer["inbound_nodes"])
    )


def _call(node: Any, names: Mapping[Any, str], models: Collection[Any]) -> Any:
    """One call: [[name, call, output, {other arguments}], ...] becomes the arguments themselves."""
    if not isinstance(node, list | Mapping) or (isinstance(node, Mapping) and "args" in node):
        return node
    others: dict[str, Any] = {}

    def argument(value: Any) -> Any:
        if _is_tensor(value, names):
            if len(value) == 4 and isinstance(value[3], Mapping):
                others.update(value[3])
            if value[0] == "_CONSTANT_VALUE":
                return value[2]
            history = [names[value[0]], value[1] - (value[0] in models), value[2]]
            return {"class_name": "__keras_tensor__", "config": {"shape": [], "keras_history": history}}
        if isinstance(value, list):
            return [argument(each) for each in value]
        if isinstance(value, Mapping):
            return {key: argument(each) for key, each in value.items()}
        return value

    read = argument(node)
    # One tensor came in a list of one, unless it was an operation's.
    first = read[0] if isinstance(read, list) and len(read) == 1 else read
    return {"args": [first], "kwargs": {name: argument(each) for name, each in others.items()}}


def _is_tensor(value: Any, names: Collection[Any]) -> bool:
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        return False
    return value[0] == "_CONSTANT_VALUE" or (value[0] in names and list(map(type, value[1:3])) == [int, int])


def _ends(value: Any, names: Mapping[Any, str], counted: Collection[Any]) -> Any:
    """A model's inputs or outputs; calls of `counted` models count from 1."""
    if _is_tensor(value, names) and value[0] in names:
        return [names[value[0]], value[1] - (value[0] in counted), value[2]]
    if isinstance(value, list):
        return [_ends(each, names, counted) for each in value]
    if isinstance(value, Mapping):
        return {key: _ends(each, names, counted) for key, each in value.items()}
    return value


# Names ------------------------------------------------------------------------------------------


def without_slashes(names: Iterable[Any]) -> dict[Any, str]:
    """Each name as it is here, where a slash stands between a model and its layers.

    >>> without_slashes(["conv1/bn", "conv1_bn", "scores"])
    {'conv1/bn': 'conv1_bn_', 'conv1_bn': 'conv1_bn', 'scores': 'scores'}
    """
    names = list(names)
    for name in names:
        if name is not None and not isinstance(name, str):
            raise ValueError(f"a layer's name must be text, got {brief(name)}")
    taken = {name for name in names if "/" not in str(name)}
    changed: dict[Any, str] = {}
    for name in names:
        if name in changed:
            continue
        new = name
        if name not in taken:
            new = str(name).replace("/", "_")
            while new in taken and len(new) <= LONGEST_NAME:  # What is longer is refused.
                new += "_"
            taken.add(new)
        changed[name] = new
    return changed


def _name_of(layer: Any) -> Any:
    return layer.get("name") or _config_of(layer).get("name") if isinstance(layer, Mapping) else None


def _config_of(layer: Any) -> Mapping:
    config = layer.get("config") if isinstance(layer, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def _rename(layer: Any, names: Mapping[Any, str]) -> None:
    if isinstance(layer, dict) and isinstance(layer.get("config"), Mapping):
        new = names[_name_of(layer)]
        layer["config"] = {**layer["config"], "name": new}
        if "name" in layer:
            layer["name"] = new
