"""Guided walks, one module each: data for `cnnviz.stage.guided_walk`, which says what a walk is."""

from cnnviz.stage.guided_walk import WALKS
from cnnviz.teaching.walks.from_pixel_to_answer import FROM_PIXEL_TO_ANSWER

WALKS[FROM_PIXEL_TO_ANSWER["name"]] = FROM_PIXEL_TO_ANSWER
