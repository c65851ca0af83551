"""Guided walks, one module each: data for `cnnviz.stage.guided_walk`, which says what a walk is."""

from cnnviz.stage.guided_walk import WALKS
from cnnviz.teaching.walks.activation_functions import ACTIVATION_FUNCTIONS
from cnnviz.teaching.walks.batch_norm_and_dropout import BATCH_NORM_AND_DROPOUT
from cnnviz.teaching.walks.convolution import CONVOLUTION
from cnnviz.teaching.walks.feature_maps import FEATURE_MAPS
from cnnviz.teaching.walks.from_pixel_to_answer import FROM_PIXEL_TO_ANSWER
from cnnviz.teaching.walks.kernels import KERNELS
from cnnviz.teaching.walks.one_by_one import ONE_BY_ONE
from cnnviz.teaching.walks.pooling import POOLING
from cnnviz.teaching.walks.receptive_field import RECEPTIVE_FIELD
from cnnviz.teaching.walks.scores_to_loss import SCORES_TO_LOSS
from cnnviz.teaching.walks.three_by_three import THREE_BY_THREE
from cnnviz.teaching.walks.try_it import TRY_IT
from cnnviz.teaching.walks.verification import VERIFICATION
from cnnviz.teaching.walks.why_convolution import WHY_CONVOLUTION

for _walk in (
    FROM_PIXEL_TO_ANSWER,
    TRY_IT,
    FEATURE_MAPS,
    RECEPTIVE_FIELD,
    CONVOLUTION,
    KERNELS,
    THREE_BY_THREE,
    ONE_BY_ONE,
    POOLING,
    ACTIVATION_FUNCTIONS,
    BATCH_NORM_AND_DROPOUT,
    WHY_CONVOLUTION,
    SCORES_TO_LOSS,
    VERIFICATION,
):
    WALKS[_walk["name"]] = _walk
