"""See inside a convolutional network, and check every number in it.

Public names are loaded on first use: `import cnnviz` brings in neither NumPy nor TensorFlow,
Streamlit or matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnviz import animate, channels, figures, kernels, ops
    from cnnviz.images.digit_text import digit_from_text
    from cnnviz.images.mnist import load_mnist
    from cnnviz.layers.layer import Layer
    from cnnviz.network import Network, Run
    from cnnviz.network.image_loading import load_image
    from cnnviz.network.keras_file import ModelFileError, load_model
    from cnnviz.receipts import Receipt, explain
    from cnnviz.receptive_fields import effective_receptive_field, receptive_field
    from cnnviz.stage import view
    from cnnviz.stage.watching import watch
    from cnnviz.verification.comparison import verify

_MODULE_OF = {
    "Layer": "layers.layer",
    "ModelFileError": "network.keras_file",
    "Network": "network",
    "Receipt": "receipts",
    "Run": "network",
    "digit_from_text": "images.digit_text",
    "effective_receptive_field": "receptive_fields",
    "explain": "receipts",
    "load_image": "network.image_loading",
    "load_mnist": "images.mnist",
    "load_model": "network.keras_file",
    "receptive_field": "receptive_fields",
    "verify": "verification.comparison",
    "view": "stage",
    "watch": "stage.watching",
}
_ROOMS = ("animate", "channels", "figures", "kernels", "ops")

__all__ = sorted([*_MODULE_OF, *_ROOMS])


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"cnnviz.{name}")
    if name in _MODULE_OF:
        value = getattr(import_module(f"cnnviz.{_MODULE_OF[name]}"), name)
        if isinstance(value, FunctionType):
            value = import_module("cnnviz.ops.annotations").checked(value)
        if _MODULE_OF[name] == "receipts":
            import_module("cnnviz.figures")  # It gives receipts their plot.
        if _MODULE_OF[name] == "stage":
            import_module("cnnviz.teaching.walks")  # It gives the stage its guided walks.
        globals()[name] = value
        return value
    if name == "__version__":
        from importlib.metadata import version

        return version("cnnviz")
    raise AttributeError(f"module 'cnnviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
