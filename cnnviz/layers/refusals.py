"""The classes of keras.layers that cnnviz does not compute, each with the reason, and what can be done then.

What it computes is what has an entry in ENTRIES; a test holds that every class of keras.layers is in either.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_KINDS = {
    "it works on volumes, with three axes beside the channels": (
        *("AdaptiveAveragePooling3D", "AdaptiveMaxPooling3D", "AveragePooling3D", "MaxPooling3D"),
        *("Conv3D", "Conv3DTranspose", "Cropping3D", "GlobalAveragePooling3D", "GlobalMaxPooling3D"),
        *("UpSampling3D", "ZeroPadding3D"),
    ),
    "it is recurrent": (
        *("Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "GRUCell", "LSTM", "LSTMCell"),
        *("RNN", "SimpleRNN", "SimpleRNNCell", "StackedRNNCells"),
    ),
    "it prepares text or categories": (
        *("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing"),
        *("IntegerLookup", "StringLookup", "TextVectorization"),
    ),
    "it makes a spectrum of a sound": ("MelSpectrogram", "STFTSpectrogram"),
    "it works with the histogram of each image": (
        *("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization"),
    ),
    "it looks rows up in a table, and back": ("ReversibleEmbedding",),
    "what it masks changes what later layers compute": ("Masking",),
    "it is a list of layers without a graph": ("Pipeline",),
    "it runs code that is not Keras's": (
        *("FlaxLayer", "JaxLayer", "Lambda", "Layer", "TFSMLayer", "TorchModuleWrapper", "Wrapper"),
    ),
}

REFUSED: Mapping[str, str] = MappingProxyType(
    {kind: reason for reason, kinds in _KINDS.items() for kind in kinds}
)
"""Why a class of keras.layers is not computed."""


def refusal(kind: str, name: str = "") -> str:
    """A sentence that says why a class is not computed, and what to do; `name` is the layer's.

    >>> refusal("LSTM", "memory").partition(";")[0]
    'cnnviz does not compute LSTM (it is recurrent)'
    """
    why = REFUSED.get(kind, "it is none of the classes of Keras that it knows")
    return (
        f"cnnviz does not compute {kind} ({why}); for the network in front of it, save "
        f'keras.Model(model.inputs, model.get_layer("{name or "..."}").input)'
    )
