"""The one place that imports TensorFlow and Keras, when a function first needs them."""

from __future__ import annotations

import os
from typing import Any


def tensorflow() -> Any:
    """The tensorflow module; ModuleNotFoundError with the line to type where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise ModuleNotFoundError(
            "TensorFlow is not installed; training and live verification need it: "
            "pip install 'cnnviz[tensorflow]'",
            name="tensorflow",
        ) from None
    return tensorflow


def keras() -> Any:
    """The keras module, on TensorFlow."""
    tensorflow()
    import keras

    return keras
