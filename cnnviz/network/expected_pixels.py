"""expected_pixels: the scale in which a network wants its pixels, and how that can be known.

No file says it, but the network may: it scales pixels itself, or it is one of `keras.applications`, whose
scales are documented. Else there may be evidence in its weights (`pixel_evidence`), which is no proof and is
said to be a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from weakref import WeakKeyDictionary

from cnnviz.images.preprocessing import COLOUR_MODES
from cnnviz.layers.layer import Layer
from cnnviz.network.layer_graph import LayerGraph
from cnnviz.network.pixel_evidence import by_scores, by_statistics
from cnnviz.resources import bundled_name


class Expected(NamedTuple):
    """The scale that a network wants: a mode of `images.preprocessing`, why, and whether that is sure."""

    mode: str
    because: str
    sure: bool

    def __str__(self) -> str:
        return f"preprocess={self.mode!r}, {self.because}"


class Application(NamedTuple):
    """Architectures of `keras.applications` with one way of preprocessing.

    `name` is a pattern of their models' names; `layers` are names that lie in each of them, by which they
    are known where the model has another name.
    """

    title: str
    name: str
    layers: tuple[str, ...]
    mode: str


APPLICATIONS = (
    Application("ConvNeXt", r"convnext_(tiny|small|base|large|xlarge)", (), "torch"),
    Application("DenseNet", r"densenet(121|169|201)", ("conv1_conv", "conv2_block1_concat"), "torch"),
    Application("EfficientNetV2", r"efficientnetv2-\w+", (), "tf"),
    Application("InceptionResNetV2", r"inception_resnet_v2", ("mixed_5b", "conv_7b"), "tf"),
    Application("InceptionV3", r"inception_v3", ("mixed0", "mixed10"), "tf"),
    Application("MobileNet", r"mobilenet_\d\.\d+_\w+", ("conv1", "conv_dw_1", "conv_pw_1"), "tf"),
    Application("MobileNetV2", r"mobilenetv2_\d\.\d+_\w+", ("Conv1", "expanded_conv_project"), "tf"),
    Application("MobileNetV3", r"MobileNetV3(Small|Large)", ("conv", "expanded_conv_project"), "tf"),
    Application("NASNet", r"nasnet(_mobile|_large)?", ("stem_conv1", "stem_bn1"), "tf"),
    Application("ResNetV2", r"resnet(50|101|152)v2", ("conv1_conv", "conv2_block1_preact_bn"), "tf"),
    Application("ResNet", r"resnet(50|101|152)", ("conv1_conv", "conv1_bn", "conv2_block1_0_conv"), "caffe"),
    Application("Xception", r"xception", ("block1_conv1_bn", "block2_sepconv1"), "tf"),
    Application("VGG", r"vgg(16|19)", ("block1_conv1", "block1_pool", "block5_conv3"), "caffe"),
)
"""As they are without preprocessing of their own: EfficientNet always has it, and ConvNeXt, EfficientNetV2
and MobileNetV3 have it unless they are made with include_preprocessing=False.

Source: the pages of keras.io/api/applications; a test compares each with its `preprocess_input`.
"""


_NOTHING = (
    "unit",
    "for want of anything in the network that says what it was trained on: if its answers make no sense, "
    "say which preprocess it wants",
)
_GUESSES: WeakKeyDictionary[LayerGraph, dict[str, tuple[str, str]]] = WeakKeyDictionary()
"""What was found in a network's weights, which takes about a second, for each input."""


def expected_pixels(net: LayerGraph, input: str | None = None) -> Expected:
    """The scale in which a network wants the pixels of an input.

    Parameters
    ----------
    net
        A network that takes pictures.
    input
        The input's name, of a network that has several.

    Returns
    -------
    Expected
        `.mode`, a key of `cnnviz.images.preprocessing.MODES`; `.because`, the reason in words; `.sure`,
        False where it is a guess from weights, or where nothing speaks for any mode.

    Raises
    ------
    ValueError
        if there are several inputs and none is named, or none of that name.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> print(expected_pixels(load_model("mnist_14k")))
    preprocess='digit', because mnist_14k comes with cnnviz and reads digits as MNIST has them
    """
    name = input_of(net, input)
    if (bundled := bundled_name(net.source)) is not None:
        because = f"because {bundled} comes with cnnviz and reads digits as MNIST has them"
        return Expected("digit", because, sure=True)
    known = by_layers(net, name) or by_name(net, name)
    if known is not None:
        return known
    guesses = _GUESSES.setdefault(net, {})
    if name not in guesses:
        guesses[name] = by_statistics(net, name) or by_scores(net, name) or _NOTHING
    return Expected(*guesses[name], sure=False)


def input_of(net: LayerGraph, name: str | None) -> str:
    """The name of the input that is meant; ValueError where that is not clear."""
    if name is None and len(net.inputs) == 1:
        return net.inputs[0]
    if name not in net.inputs:
        raise ValueError(f"input must be one of {net.name}'s inputs, {', '.join(net.inputs)}, got {name!r}")
    return name


def by_layers(net: LayerGraph, name: str) -> Expected | None:
    """What the layers in front say: "none" where one of them scales pixels; None if they say nothing."""
    for layer in _first_layers(net, name):
        if layer.entry.scales_pixels(layer):
            because = f"because its layer {layer.name} ({layer.kind}) scales the pixels itself"
            return Expected("none", because, sure=True)
    return None


def by_name(net: LayerGraph, name: str) -> Expected | None:
    """What the documentation of the architecture says; None if it is none of `keras.applications`.

    The architecture may be a model within the network; then it has to be what reads the pixels.
    """
    firsts = list(_first_layers(net, name))
    in_colour = net[name].output_shape[-1:] == (3,)
    fitting = [known for known in APPLICATIONS if in_colour or known.mode not in COLOUR_MODES]
    within = [model for layer in firsts for model in layer.name.split("/")[:-1]]
    for model in [net.name, *within]:
        for known in fitting:
            if re.fullmatch(known.name, model):
                because = f"because the model called {model} is {known.title}, which Keras trains so"
                return Expected(known.mode, because, sure=True)
    folder = firsts[0].name.rpartition("/")[0] if firsts else ""
    for known in fitting:
        names = [f"{folder}/{layer}" if folder else layer for layer in known.layers]
        if names and all(layer in net for layer in names):
            because = f"because its layers are called like those of {known.title}, which Keras trains so"
            return Expected(known.mode, because, sure=True)
    return None


def _first_layers(net: LayerGraph, name: str) -> Iterator[Layer]:
    """The layers that read an input's pixels as they are: directly, or moved, cut out or resized."""
    reached = {name}
    for layer in net:
        if not reached.isdisjoint(layer.inputs):
            if layer.entry.keeps_scale or layer.passes_on:
                reached.add(layer.name)
            else:
                yield layer
