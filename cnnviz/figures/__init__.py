"""Pictures of what happens in a convolutional network: one function a figure.

Each takes arrays, draws on `ax` (or a figure of its own), shows nothing, and returns a `Picture` with what
it drew and a text alternative. matplotlib is loaded when it draws; pyplot is left alone.
"""

from cnnviz.colours import THEMES, Scale, palette
from cnnviz.figures.ablation import channels_off
from cnnviz.figures.activations import activation_curve
from cnnviz.figures.bar_charts import bars, magnitudes, probabilities
from cnnviz.figures.batch_normalization import channel_spreads, distance_by_batch
from cnnviz.figures.canvas import NARROW, WIDE
from cnnviz.figures.convolution import convolution_step, correlation_and_convolution
from cnnviz.figures.digit_preparation import preparation_steps
from cnnviz.figures.downsampling import max_and_average, moved_and_pooled
from cnnviz.figures.dropout import dropout_steps
from cnnviz.figures.epochs import epoch_batches, flipped_digits, kernels_over_epochs, training_curves
from cnnviz.figures.exciting import exciting_digits
from cnnviz.figures.field_check import field_trials
from cnnviz.figures.frequency import frequency_map
from cnnviz.figures.kernels import kernel_gallery, kernel_portraits, kernel_response, kernel_tiles
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
from cnnviz.figures.mistakes import case_in_words, hard_cases
from cnnviz.figures.mixing import pixel_mixing
from cnnviz.figures.partial_sums import sum_of_parts
from cnnviz.figures.picture import Picture
from cnnviz.figures.receipts import plot
from cnnviz.figures.receptive_fields import effective_field, receptive_growth
from cnnviz.figures.receptive_paths import (
    Rung,
    Seen,
    left_out,
    path_to,
    receptive_ladder,
    receptive_path,
    rungs_to,
)
from cnnviz.figures.reduction import before_and_after, error_curve
from cnnviz.figures.scores_to_loss import class_columns, cross_entropy_curve, pixel_gradient
from cnnviz.figures.separable import outer_product
from cnnviz.figures.stacks import stacked_fields
from cnnviz.figures.translation import moved_maps, shift_map
from cnnviz.figures.weight_sharing import weight_matrix
from cnnviz.figures.windows_as_rows import patch_matrix
from cnnviz.ops.annotations import check_public
from cnnviz.receipts import Receipt

# A receipt is drawn with figures, which lie above it.
Receipt.plot = plot

check_public(
    globals(),
    width=(lambda width: 100 <= width <= 10_000, "from 100 to 10,000 pixels"),
    ax=(lambda ax: hasattr(ax, "inset_axes"), "axes of matplotlib"),
)
