"""1x1 convolutions: what they mix, how many of their outputs a network can do without, what they cost.

A 1x1 convolution is a dense layer applied at every position by itself. Reductions are measured on the
activations given, without retraining; costs count weights and the products that are summed.
"""

from cnnviz.channels.cost import Comparison, Cost, bottleneck, conv_cost, dense_cost, stack_of_3x3
from cnnviz.channels.mixing import (
    DenseCheck,
    compare_with_dense,
    compare_without_mixing,
    layers_between,
    mix,
    mixing_layers,
    mixing_matrix,
)
from cnnviz.channels.mixtures import NearestMixture, how_much_two_differ, nearest_mixture
from cnnviz.channels.reduction import Moments, Reduction, mixing_error, moments, reduce_mixing
from cnnviz.channels.separable import SeparatedKernel, nearest_separable, separable_cost
from cnnviz.channels.trial import ReductionTrial, with_reduction
from cnnviz.ops.annotations import check_public

check_public(globals())
