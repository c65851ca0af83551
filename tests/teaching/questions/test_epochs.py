"""Questions about training: over many states one choice is right, and it is the run's own number."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.teaching.questions import epochs
from cnnviz.training.epoch_predictions import EpochPredictions, read_predictions

MODELS = ("mnist_14k", "mnist_maxpool")


def number(text: str) -> int:
    return int(text.split()[0].replace(",", ""))


@pytest.mark.parametrize("images", [1, 2, 127, 128, 129, 55_000, 60_000])
@pytest.mark.parametrize("batch_size", [1, 2, 128, 1000, 60_000])
@pytest.mark.parametrize("count", [1, 7, 128])
def test_weights_change_once_a_batch(images, batch_size, count):
    asked = epochs.weight_changes(images, batch_size, count)
    assert number(asked.answer.text) == sum(len(range(0, images, batch_size)) for _ in range(count))
    numbers = [number(choice.text) for choice in asked.choices]
    assert len(set(numbers)) == len(numbers) > 1
    assert sum(choice.right for choice in asked.choices) == 1


def predictions(rows) -> EpochPredictions:
    rows = np.array(rows, np.uint8)
    return EpochPredictions("net", np.zeros(rows.shape[1], np.uint8), rows, {}, {}, 0)


@pytest.mark.parametrize("model", MODELS)
def test_what_is_forgotten_is_counted_digit_by_digit(model):
    found = read_predictions(model)
    for epoch in range(found.epochs):
        asked = epochs.forgotten(found, epoch)
        lost = sum(
            then == label != now
            for then, now, label in zip(
                found.predictions[epoch].tolist(),
                found.predictions[-1].tolist(),
                found.labels.tolist(),
                strict=True,
            )
        )
        assert number(asked.answer.text) == lost
        assert sum(choice.right for choice in asked.choices) == 1
        if lost:
            assert 0 in [number(choice.text) for choice in asked.choices if not choice.right]


def test_nothing_forgotten_and_nothing_learned():
    asked = epochs.forgotten(predictions([[0, 0], [0, 0]]), 0)
    assert asked.answer.text == "0 digits"
    assert [choice.text for choice in asked.choices if not choice.right] == ["1 digit"]
    asked = epochs.forgotten(predictions([[0, 1, 1], [1, 0, 0]]), 0)
    assert asked.answer.text == "1 digit"
    assert "2 became right and 1 became wrong: 2 − 2 + 1 = 1" in asked.answer.why


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: epochs.weight_changes(0, 1, 1), "must be at least 1, got 0, 1 and 1"),
        (lambda: epochs.forgotten(predictions([[0], [0]]), 1), "epoch must be from 0 to 0, got 1"),
    ],
)
def test_states_that_there_are_not_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
