"""See inside a convolutional network, and check every number in it.

Public names are loaded on first use: `import cnnviz` brings in neither NumPy nor TensorFlow,
Streamlit or matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnviz import animate, ops
    from cnnviz.digit_text import digit_from_text
    from cnnviz.keras_file import ModelFileError, load_model
    from cnnviz.liveview import view
    from cnnviz.mnist import load_mnist
    from cnnviz.network import Layer, Network, Run
    from cnnviz.receipts import Receipt, explain
    from cnnviz.receptive_fields import effective_receptive_field, receptive_field
    from cnnviz.verification import verify

_MODULE_OF = {
    "Layer": "network",
    "ModelFileError": "keras_file",
    "Network": "network",
    "Receipt": "receipts",
    "Run": "network",
    "digit_from_text": "digit_text",
    "effective_receptive_field": "receptive_fields",
    "explain": "receipts",
    "load_mnist": "mnist",
    "load_model": "keras_file",
    "receptive_field": "receptive_fields",
    "verify": "verification",
    "view": "liveview",
}
_MODULES = ("animate", "channels", "figures", "kernels", "ops")

__all__ = [
    "Layer",
    "ModelFileError",
    "Network",
    "Receipt",
    "Run",
    "animate",
    "channels",
    "digit_from_text",
    "effective_receptive_field",
    "explain",
    "figures",
    "kernels",
    "load_mnist",
    "load_model",
    "ops",
    "receptive_field",
    "verify",
    "view",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"cnnviz.{name}")
    if name in _MODULE_OF:
        value = getattr(import_module(f"cnnviz.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value
    if name == "__version__":
        from importlib.metadata import version

        return version("cnnviz")
    raise AttributeError(f"module 'cnnviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
