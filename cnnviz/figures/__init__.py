"""Pictures of what happens in a convolutional network: one function a figure.

Each takes arrays, draws on `ax` (or a figure of its own), shows nothing, and returns a `Picture` with what
it drew and a text alternative. matplotlib is loaded when it draws; pyplot is left alone.
"""

from cnnviz.colours import THEMES as THEMES
from cnnviz.colours import Scale as Scale
from cnnviz.colours import palette as palette
from cnnviz.figures.ablation import channels_off as channels_off
from cnnviz.figures.activations import activation_curve as activation_curve
from cnnviz.figures.bar_charts import bars as bars
from cnnviz.figures.bar_charts import magnitudes as magnitudes
from cnnviz.figures.bar_charts import probabilities as probabilities
from cnnviz.figures.batch_normalization import channel_spreads as channel_spreads
from cnnviz.figures.batch_normalization import distance_by_batch as distance_by_batch
from cnnviz.figures.canvas import NARROW as NARROW
from cnnviz.figures.canvas import WIDE as WIDE
from cnnviz.figures.convolution import convolution_step as convolution_step
from cnnviz.figures.convolution import correlation_and_convolution as correlation_and_convolution
from cnnviz.figures.digit_preparation import preparation_steps as preparation_steps
from cnnviz.figures.downsampling import max_and_average as max_and_average
from cnnviz.figures.downsampling import moved_and_pooled as moved_and_pooled
from cnnviz.figures.dropout import dropout_steps as dropout_steps
from cnnviz.figures.epochs import epoch_batches as epoch_batches
from cnnviz.figures.epochs import flipped_digits as flipped_digits
from cnnviz.figures.epochs import kernels_over_epochs as kernels_over_epochs
from cnnviz.figures.epochs import training_curves as training_curves
from cnnviz.figures.exciting import exciting_digits as exciting_digits
from cnnviz.figures.field_check import field_trials as field_trials
from cnnviz.figures.frequency import frequency_map as frequency_map
from cnnviz.figures.kernels import kernel_gallery as kernel_gallery
from cnnviz.figures.kernels import kernel_portraits as kernel_portraits
from cnnviz.figures.kernels import kernel_response as kernel_response
from cnnviz.figures.kernels import kernel_tiles as kernel_tiles
from cnnviz.figures.maps import LayerMaps as LayerMaps
from cnnviz.figures.maps import feature_maps as feature_maps
from cnnviz.figures.maps import image_of as image_of
from cnnviz.figures.maps import layers_of as layers_of
from cnnviz.figures.maps import network_maps as network_maps
from cnnviz.figures.maps import single_map as single_map
from cnnviz.figures.maps import strongest as strongest
from cnnviz.figures.maps import strongest_channel as strongest_channel
from cnnviz.figures.mistakes import case_in_words as case_in_words
from cnnviz.figures.mistakes import hard_cases as hard_cases
from cnnviz.figures.mixing import pixel_mixing as pixel_mixing
from cnnviz.figures.partial_sums import sum_of_parts as sum_of_parts
from cnnviz.figures.picture import Picture as Picture
from cnnviz.figures.receipts import plot
from cnnviz.figures.receptive_fields import Rung as Rung
from cnnviz.figures.receptive_fields import Seen as Seen
from cnnviz.figures.receptive_fields import effective_field as effective_field
from cnnviz.figures.receptive_fields import left_out as left_out
from cnnviz.figures.receptive_fields import path_to as path_to
from cnnviz.figures.receptive_fields import receptive_growth as receptive_growth
from cnnviz.figures.receptive_fields import receptive_ladder as receptive_ladder
from cnnviz.figures.receptive_fields import receptive_path as receptive_path
from cnnviz.figures.receptive_fields import rungs_to as rungs_to
from cnnviz.figures.reduction import before_and_after as before_and_after
from cnnviz.figures.reduction import error_curve as error_curve
from cnnviz.figures.scores_to_loss import class_columns as class_columns
from cnnviz.figures.scores_to_loss import cross_entropy_curve as cross_entropy_curve
from cnnviz.figures.scores_to_loss import pixel_gradient as pixel_gradient
from cnnviz.figures.separable import outer_product as outer_product
from cnnviz.figures.stacks import stacked_fields as stacked_fields
from cnnviz.figures.translation import moved_maps as moved_maps
from cnnviz.figures.translation import shift_map as shift_map
from cnnviz.figures.weight_sharing import weight_matrix as weight_matrix
from cnnviz.receipts import Receipt

# A receipt is drawn with figures, which lie above it.
Receipt.plot = plot
