"""The NumPy engine: arrays in, arrays out; it knows nothing of layers and networks.

Arrays are NHWC and kernels HWIO, keyword names are Keras's, results are TensorFlow's to within
float32 rounding. Each operation's docstring says how far it can be off.
"""

from cnnviz.ops.activations import (
    celu,
    elu,
    exponential,
    gelu,
    hard_sigmoid,
    hard_silu,
    leaky_relu,
    linear,
    log_softmax,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)
from cnnviz.ops.affine import batch_norm, batch_norm_affine, dense
from cnnviz.ops.convolution import conv2d, conv2d_transpose, depthwise_conv2d, separable_conv2d
from cnnviz.ops.merging import add, average, concatenate, maximum, minimum, multiply, subtract
from cnnviz.ops.planning import Plan, plan
from cnnviz.ops.pooling import avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d
from cnnviz.ops.shaping import (
    crop2d,
    flatten,
    normalize,
    permute,
    rescale,
    reshape,
    upsample2d,
    zero_pad2d,
)

__all__ = [
    "Plan",
    "add",
    "average",
    "avg_pool2d",
    "batch_norm",
    "batch_norm_affine",
    "celu",
    "concatenate",
    "conv2d",
    "conv2d_transpose",
    "crop2d",
    "dense",
    "depthwise_conv2d",
    "elu",
    "exponential",
    "flatten",
    "gelu",
    "global_avg_pool2d",
    "global_max_pool2d",
    "hard_sigmoid",
    "hard_silu",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool2d",
    "maximum",
    "minimum",
    "mish",
    "multiply",
    "normalize",
    "permute",
    "plan",
    "prelu",
    "relu",
    "relu6",
    "rescale",
    "reshape",
    "selu",
    "separable_conv2d",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "subtract",
    "tanh",
    "upsample2d",
    "zero_pad2d",
]
