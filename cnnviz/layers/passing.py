"""Layers that pass their input on: the network's inputs, and what works in training only."""

from __future__ import annotations

from cnnviz.layers import options as read
from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import ENTRIES, Arrays, Entry, Layer
from cnnviz.layers.operands import Operands, Position, no_products, one_number


class PassingEntry(Entry):
    """Dropout, noise and augmentation at inference: the output is the input.

    Also RandomCrop's, whatever its size, in Keras 3.15; its documentation says that it cuts out the middle.
    """

    moves_values_only = True

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        return one_number(inputs[0], position)


class DropoutEntry(PassingEntry):
    options = {"rate": (read.optional(read.share), None)}


class InputEntry(PassingEntry):
    """An input of the network, which is given."""

    options = {"batch_shape": (read.batch_shape, None)}
    least_inputs = most_inputs = 0

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        return no_products(inputs[0], inputs[0][position], "given")

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        return [BrowserStage({"type": "input", "label": "input"})]


ENTRIES.update(
    {
        "InputLayer": InputEntry(),
        **dict.fromkeys(
            (
                *("Identity", "GaussianNoise", "ActivityRegularization", "MaxNumBoundingBoxes"),
                *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomCrop"),
                *("RandomShear", "RandomPerspective", "RandomElasticTransform", "RandomErasing"),
                *("RandomContrast", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter"),
                *("RandomGrayscale", "RandomHue", "RandomInvert", "RandomPosterization", "RandomSaturation"),
                *("RandomSharpness", "RandomGaussianBlur", "Solarization"),
                *("AugMix", "CutMix", "MixUp", "RandAugment"),
            ),
            PassingEntry(),
        ),
        **dict.fromkeys(
            (
                *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
                *("AlphaDropout", "GaussianDropout"),
            ),
            DropoutEntry(),
        ),
    }
)
