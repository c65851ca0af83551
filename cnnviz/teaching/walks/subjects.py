"""What the guided walks of the lessons need of a network, as expressions, and names that several use."""

from __future__ import annotations

READS_PIXELS = (
    "traceable() and stage('input', 1) != '' and stage('conv', 1) != '' and source(stage('conv', 1)) == "
    "stage('input', 1) and rows(stage('input', 1)) > 1 and columns(stage('input', 1)) > 1"
)
"""An image, first read by a convolution, and a way back to its pixels from each number."""

IN_GREY = "channels(stage('input', 1)) == 1"
"""Each pixel is one number, which is ink or paper."""

READS_AN_IMAGE = f"{READS_PIXELS} and {IN_GREY}"
"""The same of an image of one channel."""

CLASSIFIES = (
    "kind(last()) == 'softmax' and kind(source(last())) == 'conv' and channels(last()) == cells(last()) "
    "and cells(last()) > 1"
)
"""One score and one probability for each class."""

SLIDES = (
    "stride(conv) == 1 and rows(conv) == rows(pixels) - window_rows(conv) + 1 and columns(conv) == "
    "columns(pixels) - window_columns(conv) + 1"
)
"""The first convolution takes every place within the image, one after the other, and none beyond it."""

PIXELS = {"pixels": "stage('input', 1)", "conv": "stage('conv', 1)"}
