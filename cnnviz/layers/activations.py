"""Activation functions as layers carry them: an op's name with its arguments, read from a config.

Follows Keras 3's names and its ways of writing an activation down: a name, a function, a layer.
Functions of the user's own are refused: nothing from a file is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers import options as read
from cnnviz.layers.options import Options

ACTIVATIONS = MappingProxyType(
    {
        **{name: name for name in ("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu")},
        **{name: name for name in ("silu", "hard_silu", "mish", "sigmoid", "hard_sigmoid", "tanh")},
        **{name: name for name in ("softplus", "softsign", "exponential", "softmax", "log_softmax")},
        "swish": "silu",
        "hard_swish": "hard_silu",
    }
)
"""The activations that Keras knows by name, each with the op that computes it."""


@dataclass(frozen=True)
class Activation:
    """An activation function: the name of an op and the arguments it is called with.

    >>> Activation("relu", {"max_value": 6.0})(np.array([-1.0, 3.0, 9.0]))
    array([0., 3., 6.])
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return getattr(ops, self.name)(x, **self.arguments)

    def gradient(self, x: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """From the gradient with respect to the result to that with respect to x."""
        return getattr(ops, f"{self.name}_grad")(x, grad, **self.arguments)

    def __str__(self) -> str:
        shown = (f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.arguments.items())
        return f"{self.name}({', '.join(shown)})" if self.arguments else self.name


LAYERS: Mapping[str, tuple[str, Options]] = MappingProxyType(
    {
        "ReLU": (
            "relu",
            {
                "max_value": (read.optional(read.number), None),
                "negative_slope": (read.number, 0.0),
                "threshold": (read.number, 0.0),
            },
        ),
        "LeakyReLU": ("leaky_relu", {"negative_slope": (read.number, 0.3)}),
        "ELU": ("elu", {"alpha": (read.number, 1.0)}),
        "Softmax": ("softmax", {"axis": (read.axis, -1)}),
    }
)
"""Keras's activation layers without weights: the op of each, and its options."""


def parse_activation(value: Any, name: str = "activation") -> Activation | None:
    """An activation as Keras writes it: None, a name, or a serialised function or layer.

    >>> str(parse_activation("swish")), parse_activation("linear")
    ('silu', None)
    """
    if value is None or isinstance(value, Activation):
        return value
    if isinstance(value, Mapping):
        function, config = value.get("class_name"), value.get("config")
        module = value.get("module")
        if module not in (None, "builtins") and not is_keras(module):
            raise ValueError(
                f"{name} is custom code ({module!r}), which is never run; it must be a Keras name"
            )
        if function == "function":
            return parse_activation(config, name)
        if function == "Activation" and isinstance(config, Mapping):
            return parse_activation(config.get("activation"), name)
        if function == "PReLU":
            raise ValueError(f"{name} is a PReLU, which has weights of its own; make it a layer of its own")
        if not isinstance(function, str) or function not in LAYERS or not isinstance(config, Mapping):
            raise ValueError(f"{name} must be one of {', '.join(ACTIVATIONS)}, got {function!r}")
        op, options = LAYERS[function]
        return Activation(op, read.all_of(options, config))
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise ValueError(f"{name} must be one of {', '.join(ACTIVATIONS)}, got {value!r}")
    return None if value == "linear" else Activation(ACTIVATIONS[value])


def is_keras(module: Any) -> bool:
    """Whether a serialised object says that it is Keras's own."""
    return isinstance(module, str) and module.split(".")[0] == "keras"
