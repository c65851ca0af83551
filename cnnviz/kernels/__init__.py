"""A gallery of named convolution kernels: what they do to waves, what they cost, which trained ones match."""

from cnnviz.kernels.collection import NAMES, NamedKernel, gallery, named, sizes
from cnnviz.kernels.definitions import (
    SIZES,
    binomial,
    box,
    emboss,
    gabor,
    gaussian,
    gaussian_weights,
    identity,
    laplacian,
    laplacian_of_gaussian,
    motion_blur,
    outline,
    prewitt,
    roberts,
    rotate,
    scharr,
    separate,
    sharpen,
    sobel,
    unsharp,
)
from cnnviz.kernels.frequency import FrequencyResponse, Peak, frequency_response
from cnnviz.kernels.matching import Match, chance_similarity, nearest_named
from cnnviz.kernels.nearest_stack import NearestStack, composed, large_kernels, nearest_stack
from cnnviz.kernels.photographs import LUMA, SMALL_SIDE, colour_photograph, grey, photograph
from cnnviz.kernels.responses import ExcitingPatch, exciting_patches
from cnnviz.kernels.separable import Separation, separation
from cnnviz.kernels.stacks import stack_paths
from cnnviz.kernels.trained import ORDERS, TrainedKernel, layers_with_kernels, sort_trained, trained_kernels
from cnnviz.ops.annotations import check_public

check_public(globals())
