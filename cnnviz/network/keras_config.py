"""A Keras 3 model config as models and their layers: Sequential and Functional, shared and nested.

Works on the parsed JSON alone and trusts none of it: what is not as Keras writes it, is custom code or is not
computed by cnnviz is a ValueError that names the layer. Weights are left to `keras_file`, the order of the
calls to `unfolding`. The format is that of keras/src/models/functional.py and sequential.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import is_keras
from cnnviz.layers.layer import normalize_config
from cnnviz.layers.options import count, numbers
from cnnviz.layers.refusals import refusal
from cnnviz.layers.tensor_operations import PREFIX, OperationEntry, function_name
from cnnviz.numbers import brief

MOST_CALLS = 10_000
"""Of layers in a network: nested models that call nested models can unfold without end."""
MOST_NESTED = 50
"""Of models within one another."""
MOST_TENSORS = 500
"""Of inputs of a model, of its outputs, and of what one call reads: much is asked of each pair of them."""
LONGEST_NAME = 255
"""Letters of a layer's name; that of a layer in a nested model holds those of the models too."""

Ref = tuple[str, int, int]
"""A tensor: (member of a model, which of its calls, which of its outputs)."""


@dataclass(eq=False)
class FileLayer:
    """One layer of a file, however often it is called."""

    name: str
    kind: str
    config: dict[str, Any]
    trainable: bool
    group: str
    """Where its weights lie in the HDF5 file."""
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    owner: str = ""
    """Its first call in the network."""
    precision: str = "float32"
    """The dtype in which Keras computes it."""
    lora_rank: int = 0
    """Of the factors that it trains in place of its kernel."""
    raw_config: Mapping[str, Any] = field(default_factory=dict)
    """Its config as the file has it."""

    @property
    def is_input(self) -> bool:
        return self.kind == "InputLayer"

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Its weights in the order in which Keras saves them."""
        return ENTRIES[self.kind].weight_names(self.config)

    def trains(self, weight: str) -> bool:
        """Whether training would change this weight."""
        return self.trainable and weight not in ENTRIES[self.kind].statistics


@dataclass(eq=False)
class Model:
    """One model of a file: its members by name, and their calls with what each call reads."""

    name: str
    members: dict[str, FileLayer | Model] = field(default_factory=dict)
    calls: list[tuple[str, list[Ref]]] = field(default_factory=list)
    inputs: list[Ref] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    functional: bool = False

    def entries(self) -> Iterator[FileLayer]:
        """All layers of the model and of the models in it."""
        seen: set[int] = set()
        waiting = list(reversed(self.members.values()))
        # A model that is a member in several places is walked once.
        while waiting:
            member = waiting.pop()
            if id(member) in seen:
                continue
            seen.add(id(member))
            if isinstance(member, Model):
                waiting += reversed(member.members.values())
            else:
                yield member


def read_model(data: Any, container: str = "layers") -> Model:
    """The model that a config describes; `container` is the group that holds a model's layers.

    Raises ValueError or TypeError for anything else.
    """
    data = _checked(data, Mapping, "config.json")
    kind = _kind(data, "the model")
    if kind not in ("Sequential", "Functional"):
        raise ValueError(f"config.json must describe a model, it describes a layer ({kind})")
    config = _get(data, "config", Mapping, "the model")
    frozen = config.get("trainable", True) is False
    return _Reader(frozen, container).model(data, kind, "the model", "", "")


class _Reader:
    """Reads one file's configs, and remembers the objects that they say are shared."""

    def __init__(self, frozen: bool, container: str) -> None:
        self.frozen = frozen
        self.container = container
        self.shared: dict[int, FileLayer | Model] = {}
        self.members = 0

    def member(
        self, data: Mapping, prefix: str, group: Callable[[str], str]
    ) -> tuple[str, FileLayer | Model]:
        """A layer or model and its name. `group` says where the weights of its class lie."""
        config = _get(data, "config", Mapping, f"a layer of {prefix or 'the model'}")
        name = data.get("name") or config.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or "/" in name:
            raise ValueError(
                f"a layer's name must be text without '/', at most {LONGEST_NAME} letters, got {brief(name)}"
            )
        self.members += 1
        if self.members > MOST_CALLS:
            raise ValueError(f"the model has more than {MOST_CALLS:,} layers")
        where = f"layer {prefix + name!r}"
        kind = _kind(data, where, name)
        path = "" if _is_operation(data) else group(kind)
        shared = data.get("shared_object_id")
        if isinstance(shared, int) and shared in self.shared:
            return name, self._counted(self.shared[shared], kind, group)
        if kind in ("Sequential", "Functional"):
            member: FileLayer | Model = self.model(
                data, kind, f"model {prefix + name!r}", f"{prefix}{name}/", path
            )
        else:
            # Of other layers, Keras 2 says it where they come first.
            raw = {
                key: value for key, value in config.items() if key != "batch_shape" or kind == "InputLayer"
            }
            try:
                if _is_operation(data):
                    config = {**config, **_constants(data, kind, where)}
                _check_number_format(config)
                config = {**config, **_call_options(data, kind, where)}
                trainable = config.get("trainable", True) is not False and not self.frozen
                member = FileLayer(
                    name,
                    kind,
                    normalize_config(kind, {key: _plain(value) for key, value in config.items()}),
                    trainable,
                    path,
                    precision=_precision_of_operation(data)
                    if _is_operation(data)
                    else precision_of(config.get("dtype")),
                    lora_rank=count(config["lora_rank"], "lora_rank") if config.get("lora_rank") else 0,
                    raw_config=raw,
                )
            except (ValueError, TypeError) as error:
                raise ValueError(f"{where} ({kind}): {error}") from error
        if isinstance(shared, int):
            self.shared[shared] = member
        return name, self._counted(member, kind, group)

    def _counted(
        self, member: FileLayer | Model, kind: str, group: Callable[[str], str]
    ) -> FileLayer | Model:
        """The member. Keras 2.13 lists a layer with weights twice, and counts two of its class."""
        layers = member.entries() if isinstance(member, Model) else [member]
        if self.container != "layers" and any(layer.weight_names for layer in layers):
            group(kind)
        return member

    def model(self, data: Mapping, kind: str, where: str, prefix: str, path: str) -> Model:
        """A Sequential or Functional model; `path` is the HDF5 group that holds its layers."""
        if prefix.count("/") > MOST_NESTED:
            raise ValueError(
                f"its models are nested too deeply; at most {MOST_NESTED} in one another are read"
            )
        config = _get(data, "config", Mapping, where)
        layers = [_checked(d, Mapping, f"a layer of {where}") for d in _get(config, "layers", list, where)]
        model = Model(str(config.get("name") or "model"))
        if not layers:
            raise ValueError(f"{where} has no layers")
        read = self._sequential if kind == "Sequential" else self._functional
        read(model, data, layers, where, prefix, f"{path}/{self.container}".lstrip("/"))
        return model

    def _sequential(
        self, model: Model, data: Mapping, layers: list[Mapping], where: str, prefix: str, path: str
    ) -> None:
        if layers[0].get("class_name") != "InputLayer":
            built = data.get("build_config")
            shape = built.get("input_shape") if isinstance(built, Mapping) else None
            shape = data["config"].get("build_input_shape") or shape
            if shape is None:
                raise ValueError(f"{where} was saved before it was built: its input shape is not known")
            implied = {"name": f"{model.name}_input", "batch_shape": shape}
            layers = [{"module": "keras.layers", "class_name": "InputLayer", "config": implied}, *layers]
        group = weight_groups(path)
        for data_of_layer in layers:
            # A Sequential model's InputLayer has no group among its layers.
            name, member = self.member(data_of_layer, prefix, group if model.members else lambda kind: "")
            _add(model, name, member, where)
            reads = [(model.calls[-1][0], 0, 0)] if model.calls else []
            model.calls.append((name, reads))
        model.inputs = [(model.calls[0][0], 0, 0)]
        model.outputs = [(model.calls[-1][0], 0, 0)]

    def _functional(
        self, model: Model, data: Mapping, layers: list[Mapping], where: str, prefix: str, path: str
    ) -> None:
        model.functional = True
        group = weight_groups(path)
        for data_of_layer in layers:
            name, member = self.member(data_of_layer, prefix, group)
            _add(model, name, member, where)
            nodes = _get(data_of_layer, "inbound_nodes", list, f"layer {prefix + name!r}")
            if isinstance(member, FileLayer) and member.is_input:
                nodes = [{"args": [], "kwargs": {}}]
            for node in nodes:
                where_called = f"layer {prefix + name!r}"
                if isinstance(member, FileLayer) and _is_operation(data_of_layer):
                    reads, _ = _operation_call(node, member.kind, where_called)
                else:
                    kind = member.kind if isinstance(member, FileLayer) else ""
                    reads = _reads(node, where_called, kind)
                _check_count(reads, f"a call of {where_called} reads")
                model.calls.append((name, reads))
        model.inputs = _refs(data["config"].get("input_layers"), f"input_layers of {where}")
        _check_count(model.inputs, f"{where} has as inputs")
        for ref in model.inputs:
            if ref[1:] != (0, 0):
                raise ValueError(f"input_layers of {where} must be [layer, 0, 0], got {brief(list(ref))}")
        outputs = _refs(data["config"].get("output_layers"), f"output_layers of {where}")
        _check_count(outputs, f"{where} has as outputs")
        for name, call, tensor in outputs:
            # Keras counts the calls of a nested Functional model from 1 here, and only here.
            source = model.members.get(name)
            offset = 1 if isinstance(source, Model) and source.functional else 0
            model.outputs.append((name, call - offset, tensor))


def _check_count(tensors: list[Ref], what: str) -> None:
    if len(tensors) > MOST_TENSORS:
        raise ValueError(f"{what} {len(tensors):,} tensors; at most {MOST_TENSORS} are read")


def _add(model: Model, name: str, member: FileLayer | Model, where: str) -> None:
    if name in model.members:
        raise ValueError(f"{where} has two layers called {name!r}")
    model.members[name] = member


def _kind(data: Mapping, where: str, name: str = "") -> str:
    """The class of a layer or model, checked to be Keras's own and one that cnnviz computes."""
    kind, module = data.get("class_name"), data.get("module")
    if not isinstance(kind, str):
        raise ValueError(f"{where} has no class_name")
    if kind == "Lambda":
        raise ValueError(
            f"{where} is a Lambda, Python code in the file, which is never run: "
            "put layers or functions of keras.ops in its place"
        )
    if not is_keras(module):
        origin = f"from module {brief(module)}" if module else "of its author's own"
        raise ValueError(
            f"{where} is a {kind} {origin}: custom code is never loaded; "
            "put Keras's own layers or functions of keras.ops in its place"
        )
    if _is_operation(data):
        if PREFIX + kind not in ENTRIES:
            raise ValueError(
                f"{where} is the operation keras.ops.{function_name(kind)}, which cnnviz does not compute; "
                "save the model up to there, or with layers and operations in its place that are in "
                "cnnviz.layers.ENTRIES"
            )
        return PREFIX + kind
    if kind not in ENTRIES and kind not in ("Sequential", "Functional"):
        raise ValueError(f"{where}: {refusal(kind, name)}")
    return kind


def _is_operation(data: Mapping) -> bool:
    module = str(data.get("module"))
    return module.startswith(("keras.src.ops", "keras.ops"))


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it in the names of its layers."""
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", name).lower()


def weight_groups(path: str) -> Callable[[str], str]:
    """Keras's names for a model's layers in the weights file: the class in snake case, counted.

    >>> group = weight_groups("layers")
    >>> group("Conv2D"), group("ReLU"), group("Conv2D")
    ('layers/conv2d', 'layers/re_lu', 'layers/conv2d_1')
    """
    counts: dict[str, int] = {}

    def group(kind: str) -> str:
        name = snake_case(ENTRIES[kind].file_name or kind) if kind in ENTRIES else snake_case(kind)
        counts[name] = counts.get(name, -1) + 1
        return f"{path}/{name}_{counts[name]}" if counts[name] else f"{path}/{name}"

    return group


def _check_number_format(config: Mapping) -> None:
    policy = config.get("dtype")
    name = policy.get("class_name") if isinstance(policy, Mapping) else policy
    if "Quantized" in str(name) or config.get("quantization_config") is not None:
        raise ValueError("quantised weights are not supported: save the model before it is quantised")


def precision_of(policy: Any) -> str:
    """The dtype in which a layer computes: under the policy mixed_float16, float16 with float32 weights."""
    if isinstance(policy, Mapping):
        named = policy.get("config")
        policy = named.get("name") if isinstance(named, Mapping) else None
    return policy.removeprefix("mixed_") if isinstance(policy, str) else "float32"


def _precision_of_operation(data: Mapping) -> str:
    """An operation has no policy: it computes in the dtype of what it reads."""
    dtypes = [tensor.get("dtype") for tensor in _tensor_configs(data.get("inbound_nodes"))]
    found = dtypes[0] if dtypes and all(dtype == dtypes[0] for dtype in dtypes) else None
    return found if isinstance(found, str) else "float32"


def _tensor_configs(value: Any) -> Iterator[Mapping]:
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        yield value["config"] if isinstance(value.get("config"), Mapping) else {}
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _tensor_configs(each)


def _plain(value: Any) -> Any:
    """A config with the arrays that Keras writes as objects turned into lists."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        inner = value.get("config")
        if value.get("class_name") in ("__numpy__", "__tensor__") and isinstance(inner, Mapping):
            return inner.get("value")
        return {key: _plain(item) for key, item in value.items()}
    return value


def _operation_call(node: Any, kind: str, where: str) -> tuple[list[Ref], dict[str, Any]]:
    """What one call of an operation reads, and its other arguments by name."""
    node = _checked(node, Mapping, f"a call of {where}")
    args = _get(node, "args", list, f"a call of {where}")
    kwargs = dict(_get(node, "kwargs", Mapping, f"a call of {where}"))
    entry = ENTRIES[kind]
    assert isinstance(entry, OperationEntry)
    given = {**dict(zip(entry.parameters, args, strict=False)), **kwargs}
    if len(args) > len(entry.parameters) or not given.keys() <= {*entry.parameters}:
        raise ValueError(f"{where} must be called with {', '.join(entry.parameters)}, got {brief(node)}")
    reads: list[Ref] = []
    constants = {}
    for name in entry.parameters:
        if _holds_a_tensor(given.get(name)):
            reads += [ref for ref, _ in _tensors(given[name], where)]
        else:
            constants[name] = _constant(given.get(name))
    return reads, {name: value for name, value in constants.items() if value is not None}


def _constants(data: Mapping, kind: str, where: str) -> dict[str, Any]:
    """The constants of an operation's call; ValueError where it has several calls with different ones."""
    nodes = _get(data, "inbound_nodes", list, where)
    calls = [_operation_call(node, kind, where)[1] for node in nodes]
    if any(repr(call) != repr(calls[0]) for call in calls):
        raise ValueError(
            f"{where} is called several times with different constants; make an operation for each call"
        )
    return calls[0] if calls else {}


def _constant(value: Any) -> Any:
    """A constant of a call; an array of float64 is one, any other a list."""
    config = value.get("config") if isinstance(value, Mapping) else None
    if isinstance(config, Mapping) and config.get("dtype") == "float64" and "value" in config:
        return numbers(config["value"], "a constant")
    return _plain(value)


def _holds_a_tensor(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_holds_a_tensor, value))
    return isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__"


def _call_options(data: Mapping, kind: str, where: str) -> dict[str, Any]:
    """The options that a layer's calls are given, of those that change what it computes."""
    nodes = data.get("inbound_nodes")
    calls = (
        [node.get("kwargs") for node in nodes if isinstance(node, Mapping)] if isinstance(nodes, list) else []
    )
    options = {}
    for name, (_, default) in ENTRIES[kind].call_options.items():
        values = [_given(call.get(name), default) for call in calls if isinstance(call, Mapping)]
        if any(value != values[0] for value in values):
            raise ValueError(f"its calls have different {name}; make a layer for each")
        options[name] = values[0] if values else default
    return options


def _given(value: Any, default: Any) -> Any:
    return default if value is None else value


def _reads(node: Any, where: str, kind: str) -> list[Ref]:
    """What one call of a layer reads."""
    node = _checked(node, Mapping, f"a call of {where}")
    args = _get(node, "args", list, f"a call of {where}")
    kwargs = dict(_get(node, "kwargs", Mapping, f"a call of {where}"))
    names = ENTRIES[kind].call_arguments if kind else ("inputs",)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    tensors = [_tensors(value, where) for name in names if (value := given.pop(name, None)) is not None]
    # The other arguments that a call may have, `training` and `mask`, change nothing at inference.
    free = ("training", *(ENTRIES[kind].call_options if kind else ()))
    for name, value in [*given.items(), *(("training", value) for value in args[len(names) :])]:
        if name not in free and (_holds_something(value) if "mask" in name else value is not False):
            raise ValueError(f"{where} is called with {name}={brief(value)}, which is not supported")
    return [ref for argument in tensors for ref, _ in argument]


def _tensors(value: Any, where: str) -> list[tuple[Ref, list]]:
    """The (tensor, shape) pairs in a call's argument, in Keras's order."""
    if isinstance(value, list):
        return [tensor for item in value for tensor in _tensors(item, where)]
    if isinstance(value, Mapping) and "class_name" not in value:
        return [tensor for key in sorted(value) for tensor in _tensors(value[key], where)]
    if not isinstance(value, Mapping) or value.get("class_name") != "__keras_tensor__":
        raise ValueError(f"{where} is called with {brief(value)}, which is not a tensor of the model")
    config = _get(value, "config", Mapping, f"a tensor that {where} reads")
    shape = _get(config, "shape", list, f"a tensor that {where} reads")
    return [(_ref(config.get("keras_history"), f"a tensor that {where} reads"), shape)]


def _holds_something(value: Any) -> bool:
    if isinstance(value, list | Mapping):
        return any(map(_holds_something, value.values() if isinstance(value, Mapping) else value))
    return value is not None


def _refs(value: Any, where: str) -> list[Ref]:
    """The tensors of input_layers or output_layers: one, a list, or a mapping in order of its keys."""
    if isinstance(value, Mapping):
        return [ref for key in sorted(value) for ref in _refs(value[key], where)]
    if isinstance(value, list) and value and not isinstance(value[0], str):
        return [ref for item in value for ref in _refs(item, where)]
    return [_ref(value, where)]


def _ref(value: Any, where: str) -> Ref:
    if (
        not isinstance(value, list)
        or [type(entry) for entry in value] != [str, int, int]
        or min(value[1:]) < 0
    ):
        raise ValueError(f"{where} must be [layer, call, output], counted from 0, got {brief(value)}")
    return value[0], value[1], value[2]


def _get(data: Mapping, key: str, kind: type, where: str) -> Any:
    return _checked(data.get(key), kind, f"{key} of {where}")


def _checked(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        wanted = "a list" if kind is list else "an object"
        raise ValueError(f"{what} must be {wanted}, got {brief(value)}")
    return value
