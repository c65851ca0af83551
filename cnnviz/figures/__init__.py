"""Pictures of what happens in a convolutional network: one function a figure, in matplotlib.

Each takes arrays, draws on `ax` (or a figure of its own), shows nothing, and returns a `Picture`
with what it drew and a text alternative. pyplot is left alone; the first figure loads matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnviz.receipts import Receipt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnnviz.colours import THEMES, Scale, Theme, palette
    from cnnviz.figures.ablation import channels_off
    from cnnviz.figures.activations import activation_curve
    from cnnviz.figures.bar_charts import bars, magnitudes, probabilities
    from cnnviz.figures.canvas import NARROW, WIDE
    from cnnviz.figures.channels import before_and_after, error_curve, pixel_mixing
    from cnnviz.figures.convolution import (
        convolution_step,
        correlation_and_convolution,
        padding_modes,
    )
    from cnnviz.figures.digits import case_in_words, hard_cases, preparation_steps
    from cnnviz.figures.downsampling import max_and_average, moved_and_pooled
    from cnnviz.figures.dropout import dropout_steps
    from cnnviz.figures.epochs import epoch_batches, flipped_digits, kernels_over_epochs, training_curves
    from cnnviz.figures.exciting import exciting_digits
    from cnnviz.figures.field_check import field_trials
    from cnnviz.figures.frequency import frequency_map
    from cnnviz.figures.kernels import kernel_gallery, kernel_response, kernel_tiles
    from cnnviz.figures.maps import (
        LayerMaps,
        feature_maps,
        image_of,
        layers_of,
        network_maps,
        single_map,
        strongest,
        strongest_channel,
    )
    from cnnviz.figures.normalization import channel_spreads, distance_by_batch
    from cnnviz.figures.partial_sums import sum_of_parts
    from cnnviz.figures.picture import Picture
    from cnnviz.figures.receptive_fields import (
        Rung,
        Seen,
        effective_field,
        left_out,
        path_to,
        receptive_growth,
        receptive_ladder,
        receptive_path,
        rungs_to,
    )
    from cnnviz.figures.scores import class_columns, cross_entropy_curve, pixel_gradient
    from cnnviz.figures.separable import outer_product
    from cnnviz.figures.small_kernels import kernel_portraits, stacked_fields
    from cnnviz.figures.translation import moved_maps, shift_map
    from cnnviz.figures.weight_sharing import weight_matrix

_NAMES_OF = {
    "ablation": ("channels_off",),
    "activations": ("activation_curve",),
    "bar_charts": (
        "bars",
        "magnitudes",
        "probabilities",
    ),
    "canvas": (
        "NARROW",
        "WIDE",
        "Picture",
    ),
    "channels": (
        "before_and_after",
        "error_curve",
        "pixel_mixing",
    ),
    "convolution": (
        "convolution_step",
        "correlation_and_convolution",
        "padding_modes",
    ),
    "digits": (
        "case_in_words",
        "hard_cases",
        "preparation_steps",
    ),
    "dropout": ("dropout_steps",),
    "epochs": (
        "epoch_batches",
        "flipped_digits",
        "kernels_over_epochs",
        "training_curves",
    ),
    "exciting": ("exciting_digits",),
    "field_check": ("field_trials",),
    "frequency": ("frequency_map",),
    "kernels": (
        "kernel_gallery",
        "kernel_response",
        "kernel_tiles",
    ),
    "maps": (
        "LayerMaps",
        "feature_maps",
        "image_of",
        "layers_of",
        "network_maps",
        "single_map",
        "strongest",
        "strongest_channel",
    ),
    "normalization": (
        "channel_spreads",
        "distance_by_batch",
    ),
    "partial_sums": ("sum_of_parts",),
    "downsampling": (
        "max_and_average",
        "moved_and_pooled",
    ),
    "receptive_fields": (
        "Rung",
        "Seen",
        "effective_field",
        "left_out",
        "path_to",
        "receptive_growth",
        "receptive_ladder",
        "receptive_path",
        "rungs_to",
    ),
    "scores": (
        "class_columns",
        "cross_entropy_curve",
        "pixel_gradient",
    ),
    "separable": ("outer_product",),
    "small_kernels": (
        "kernel_portraits",
        "stacked_fields",
    ),
    "translation": (
        "moved_maps",
        "shift_map",
    ),
    "weight_sharing": ("weight_matrix",),
}
_MODULE_OF = {
    name: f"figures.{module}" for module, names in _NAMES_OF.items() for name in names
} | dict.fromkeys(("THEMES", "Scale", "palette"), "colours")

__all__ = [
    "NARROW",
    "THEMES",
    "WIDE",
    "LayerMaps",
    "Picture",
    "Rung",
    "Scale",
    "Seen",
    "activation_curve",
    "bars",
    "before_and_after",
    "case_in_words",
    "channel_spreads",
    "channels_off",
    "class_columns",
    "convolution_step",
    "correlation_and_convolution",
    "cross_entropy_curve",
    "distance_by_batch",
    "dropout_steps",
    "effective_field",
    "epoch_batches",
    "error_curve",
    "exciting_digits",
    "feature_maps",
    "field_trials",
    "flipped_digits",
    "frequency_map",
    "hard_cases",
    "image_of",
    "kernel_gallery",
    "kernel_portraits",
    "kernel_response",
    "kernel_tiles",
    "kernels_over_epochs",
    "layers_of",
    "left_out",
    "magnitudes",
    "max_and_average",
    "moved_and_pooled",
    "moved_maps",
    "network_maps",
    "outer_product",
    "padding_modes",
    "palette",
    "path_to",
    "pixel_gradient",
    "pixel_mixing",
    "preparation_steps",
    "probabilities",
    "receptive_growth",
    "receptive_ladder",
    "receptive_path",
    "rungs_to",
    "shift_map",
    "single_map",
    "stacked_fields",
    "strongest",
    "strongest_channel",
    "sum_of_parts",
    "training_curves",
    "weight_matrix",
]


def _plot(
    receipt: Receipt, ax: Axes | None = None, *, width: float | None = None, theme: str | Theme = "light"
) -> Picture:
    """The arithmetic as a picture: patch, kernel and products by channel, and how they add up.

    Parameters
    ----------
    ax
        Axes to draw on; None makes a figure.
    width
        In pixels; None is a page's width.
    theme
        "light" or "dark".

    Returns
    -------
    cnnviz.figures.Picture
        Its artists are "patches", "kernels" and "products" (lists of images, one for each channel
        that is drawn), "bars" (what each part adds) and "shares" (of a softmax).
    """
    from cnnviz.figures.receipts import draw

    return draw(receipt, ax, width, theme)


# A receipt is drawn with figures, which lie above it.
Receipt.plot = _plot


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'cnnviz.figures' has no attribute {name!r}")
    value = getattr(import_module(f"cnnviz.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
