"""The confusion matrix, the loss and the worst mistakes: against counting by hand and Keras."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.network.confusion import Tally, classify
from harness.authority import keras

RNG = np.random.default_rng(5)
SCORES = RNG.dirichlet(np.ones(4), 50).astype(np.float32)
LABELS = RNG.integers(0, 4, 50)


def test_it_counts_as_by_hand_and_weighs_as_keras():
    found = classify(SCORES, LABELS)
    called = SCORES.argmax(axis=1)
    for true in range(4):
        for other in range(4):
            assert found.confusion[true, other] == np.sum((true == LABELS) & (called == other))
    assert (found.images, found.correct) == (50, (called == LABELS).sum())
    loss = keras.losses.sparse_categorical_crossentropy(LABELS, SCORES).numpy().astype(float).mean()
    # Keras divides by the sum again, in float32.
    assert found.loss == pytest.approx(loss, rel=1e-5)


def test_batches_add_up_to_the_whole():
    tally, whole = Tally(), classify(SCORES, LABELS)
    for first in range(0, 50, 7):
        part = slice(first, first + 7)
        tally.add(SCORES[part], LABELS[part])
    found = tally.result
    np.testing.assert_array_equal(found.confusion, whole.confusion)
    assert found.worst == whole.worst
    assert found.loss == pytest.approx(whole.loss, rel=1e-12)


def test_the_worst_mistake_is_the_one_furthest_from_right():
    found = classify(SCORES, LABELS)
    lead = SCORES.max(axis=1) - SCORES[np.arange(50), LABELS]
    assert [one.index for one in found.worst] == np.argsort(-lead, kind="stable")[:10].tolist()
    assert all(one.ranked[0][0] == SCORES[one.index].argmax() for one in found.worst)
    pairs = found.most_confused(99)
    assert [count for *_, count in pairs] == sorted((count for *_, count in pairs), reverse=True)
    assert sum(count for *_, count in pairs) == 50 - found.correct


def test_scores_that_are_no_probabilities_have_no_loss():
    found = classify(np.log(SCORES), LABELS)
    assert found.loss is None
    np.testing.assert_array_equal(found.confusion, classify(SCORES, LABELS).confusion)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="labels must be from 0 to 3, got 4"):
        classify(SCORES[:2], [0, 4])
    with pytest.raises(ValueError, match=r"\(N, classes\) with N labels"):
        classify(SCORES[:2], [0])
    with pytest.raises(ValueError, match="no image was classified"):
        _ = Tally().result
