"""A blank sheet: what is left of every map is made of biases."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Network, load_model
from cnnviz.concepts.blank_sheet import blank_run
from harness.networks import conv, image


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_the_first_maps_of_a_blank_sheet_are_the_biases(model):
    net = load_model(model)
    maps = blank_run(net).pre_activation("conv2d")[0]
    np.testing.assert_array_equal(maps, np.broadcast_to(net["conv2d"].weights["bias"], maps.shape))


def test_a_sheet_of_no_known_size_is_refused():
    net = Network([image(None, None, 1), conv("conv", "image", 1, 2)])
    with pytest.raises(ValueError, match="net must have an input of known size"):
        blank_run(net)
