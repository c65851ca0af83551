"""Animations of convolution and pooling, window by window, as GIFs and for the explorer.

Functions are named like the operations of `cnnviz.ops` and take their arguments; every number shown is
what that operation computes. Whole networks are left to the live view.
"""

from cnnviz.animate.animation import Animation
from cnnviz.animate.operations import avg_pool2d, conv2d, conv2d_transpose, depthwise_conv2d, max_pool2d
from cnnviz.animate.walk import Step, Walk
from cnnviz.ops.annotations import check_public

check_public(globals())
