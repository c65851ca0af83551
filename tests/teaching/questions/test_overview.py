"""Questions about the network as a whole, against counting by other roads."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import figures
from cnnviz.teaching.questions.overview import numbers_for_one_digit, products_of_the_score

IMAGES = cnnviz.load_mnist()[1][0]


@pytest.fixture(params=["mnist_14k", "mnist_maxpool"])
def net(request):
    return cnnviz.load_model(request.param)


def test_as_many_products_as_the_last_kernel_has_weights_for_one_class(net):
    for image in IMAGES[:4]:
        run = net.run(image)
        question = products_of_the_score(run)
        kernel = [layer for layer in net.layers if "kernel" in layer.weights][-1].weights["kernel"]
        # All axes but the last: what one class has for itself.
        assert question.answer.text == f"{int(np.prod(kernel.shape[:-1])):,}"
        assert sum(choice.right for choice in question.choices) == 1
        assert f"class {run.output[0].argmax()}" in question.prompt
        assert len(question.choices) == 4


def test_the_cells_are_those_of_every_layer_that_computes(net):
    run = net.run(IMAGES[3])
    question = numbers_for_one_digit(net, figures.layers_of(run))
    # Dropout passes its input on and flatten lays it out anew; neither computes a number.
    idle = {"InputLayer", "Dropout", "Flatten", "Reshape"}
    counted = sum(np.prod(layer.output_shape) for layer in net.layers if layer.kind not in idle)
    assert question.answer.text == f"{counted:,}"
    assert sum(choice.right for choice in question.choices) == 1
    assert f"{net.count_params()[0]:,}" in {choice.text for choice in question.choices}
