"""Two classifiers on the same images: the difference of their accuracies has the error of a paired sample."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import load_mnist, load_model
from cnnviz.network.paired_answers import PairedAnswers, answers_of


def test_the_error_is_that_of_the_mean_of_differences():
    rng = np.random.default_rng(0)
    labels, one, other = rng.integers(0, 4, (3, 500))
    answers = PairedAnswers(labels, one, other)
    each = (one == labels).astype(float) - (other == labels)
    # The standard error of a mean, by its definition.
    assert answers.difference == pytest.approx(each.mean())
    assert answers.error == pytest.approx(each.std() / np.sqrt(500))
    assert answers.difference == pytest.approx(answers.accuracies[0] - answers.accuracies[1])
    assert len(answers.apart) == (one != other).sum()
    assert set(answers.only_one) | set(answers.only_other) <= set(answers.apart)


def test_two_that_say_the_same_differ_in_nothing():
    same = PairedAnswers(np.array([1, 2]), np.array([1, 1]), np.array([1, 1]))
    assert (same.difference, same.error, len(same.apart)) == (0, 0, 0)


@pytest.mark.parametrize("count", [0, 2])
def test_answers_must_be_of_the_same_images(count):
    with pytest.raises(ValueError, match="must be \\(N,\\) each and not empty"):
        PairedAnswers(np.zeros(count, int), np.zeros(count, int), np.zeros(count and 1, int))


def test_answers_are_the_largest_scores_whatever_the_batches():
    net, images = load_model("mnist_maxpool"), load_mnist()[1][0][:7]
    seen = []
    found = answers_of(net, images, batch_size=3, progress=lambda done, of: seen.append((done, of)))
    assert np.array_equal(found, net.predict(images).argmax(axis=1))
    assert seen == [(3, 7), (6, 7), (7, 7)]
