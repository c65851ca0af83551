"""The NumPy engine: arrays in, arrays out; it knows nothing of layers and networks.

Arrays are NHWC and kernels HWIO, keyword names are Keras's, results are TensorFlow's to within
float32 rounding. Each operation's docstring says how far it can be off. Its gradients stand beside it.
"""

from cnnviz.ops.activations import (
    exponential,
    exponential_grad,
    gelu,
    gelu_grad,
    hard_sigmoid,
    hard_sigmoid_grad,
    hard_silu,
    hard_silu_grad,
    linear,
    linear_grad,
    log_softmax,
    log_softmax_grad,
    mish,
    mish_grad,
    sigmoid,
    sigmoid_grad,
    silu,
    silu_grad,
    softmax,
    softmax_grad,
    softplus,
    softplus_grad,
    softsign,
    softsign_grad,
    tanh,
    tanh_grad,
)
from cnnviz.ops.affine import dense, dense_bias_grad, dense_input_grad, dense_kernel_grad
from cnnviz.ops.convolution import conv2d, conv2d_bias_grad, conv2d_input_grad, conv2d_kernel_grad
from cnnviz.ops.cross_entropy import softmax_cross_entropy, softmax_cross_entropy_grad
from cnnviz.ops.depthwise import (
    depthwise_conv2d,
    depthwise_conv2d_input_grad,
    depthwise_conv2d_kernel_grad,
    separable_conv2d,
    separable_conv2d_depthwise_kernel_grad,
    separable_conv2d_input_grad,
    separable_conv2d_pointwise_kernel_grad,
)
from cnnviz.ops.im2col import im2col_matrix
from cnnviz.ops.merging import (
    add,
    add_grad,
    average,
    average_grad,
    concatenate,
    concatenate_grad,
    maximum,
    maximum_grad,
    minimum,
    minimum_grad,
    multiply,
    multiply_grad,
    subtract,
    subtract_grad,
)
from cnnviz.ops.normalization import (
    batch_norm,
    batch_norm_affine,
    batch_norm_beta_grad,
    batch_norm_gamma_grad,
    batch_norm_input_grad,
    batch_norm_mean_grad,
    batch_norm_training,
    batch_norm_training_gamma_grad,
    batch_norm_training_grad,
    batch_norm_training_input_grad,
    batch_norm_variance_grad,
    batch_statistics,
    normalize,
    normalize_grad,
    normalize_mean_grad,
    normalize_variance_grad,
)
from cnnviz.ops.planning import Plan, plan
from cnnviz.ops.pooling import (
    avg_pool2d,
    avg_pool2d_grad,
    global_avg_pool2d,
    global_avg_pool2d_grad,
    global_max_pool2d,
    global_max_pool2d_grad,
    max_pool2d,
    max_pool2d_grad,
)
from cnnviz.ops.rectifiers import (
    celu,
    celu_grad,
    elu,
    elu_grad,
    leaky_relu,
    leaky_relu_grad,
    prelu,
    prelu_alpha_grad,
    prelu_grad,
    relu,
    relu6,
    relu6_grad,
    relu_grad,
    selu,
    selu_grad,
)
from cnnviz.ops.shaping import (
    crop2d,
    crop2d_grad,
    flatten,
    flatten_grad,
    permute,
    permute_grad,
    rescale,
    rescale_grad,
    reshape,
    reshape_grad,
    upsample2d,
    upsample2d_grad,
    zero_pad2d,
    zero_pad2d_grad,
)
from cnnviz.ops.shrinking import (
    hard_shrink,
    hard_shrink_grad,
    hard_tanh,
    hard_tanh_grad,
    log_sigmoid,
    log_sigmoid_grad,
    soft_shrink,
    soft_shrink_grad,
    sparse_plus,
    sparse_plus_grad,
    sparse_sigmoid,
    sparse_sigmoid_grad,
    sparsemax,
    sparsemax_grad,
    squareplus,
    squareplus_grad,
    tanh_shrink,
    tanh_shrink_grad,
    threshold,
    threshold_grad,
)
from cnnviz.ops.transposed import conv2d_transpose, conv2d_transpose_input_grad, conv2d_transpose_kernel_grad

__all__ = sorted(name for name, value in globals().items() if callable(value) and not name.startswith("_"))
