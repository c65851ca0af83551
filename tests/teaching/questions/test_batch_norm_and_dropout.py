"""Questions about batch norm and dropout: answers by plain NumPy, and by many masks."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz.concepts.batch_normalization import normalizations
from cnnviz.concepts.dropout import keep_mask
from cnnviz.teaching.questions.batch_norm_and_dropout import louder_input, without_scaling

IMAGES = cnnviz.load_mnist()[1][0]
NET = cnnviz.load_model("mnist_14k")


def number(text: str) -> float:
    return float(text.split()[0].replace("−", "-"))


@pytest.mark.parametrize("name", normalizations(NET))
@pytest.mark.parametrize("channel", [0, 5, 9])
def test_a_louder_channel_comes_out_as_it_was(name, channel):
    batch = NET.run(IMAGES[8:13]).inputs(name)[0]
    layer = NET[name]
    asked = louder_input(layer, batch, row=2, col=1, channel=channel)
    numbers = 10 * batch[..., channel].astype(np.float64)
    spread = np.sqrt(numbers.var() + layer.config["epsilon"])
    gamma, beta = (float(layer.weights[weight][channel]) for weight in ("gamma", "beta"))
    expected = gamma * (numbers[0, 2, 1] - numbers.mean()) / spread + beta
    assert number(asked.answer.text) == pytest.approx(expected, rel=6e-3, abs=1e-5)
    texts = [choice.text for choice in asked.choices]
    assert len(set(texts)) == len(texts) > 1
    assert sum(choice.right for choice in asked.choices) == 1


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.25, 0.5, 0.8])
def test_what_scaling_is_for(rate):
    asked = without_scaling("dropout", rate)
    came_through = keep_mask((200_000,), rate).mean()
    assert number(asked.answer.text) == pytest.approx(came_through, abs=5 * np.sqrt(0.25 / 200_000) + 0.005)
    assert sum(choice.right for choice in asked.choices) == 1
    assert all(choice.misconception for choice in asked.choices if not choice.right)


def test_what_has_no_answer_is_refused():
    with pytest.raises(ValueError, match="rate must be above 0 and below 1, got 0"):
        without_scaling("dropout", 0)
    with pytest.raises(ValueError, match="layer must be a batch normalisation, conv2d is a Conv2D"):
        louder_input(NET["conv2d"], np.ones((1, 2, 2, 1)), row=0, col=0, channel=0)
