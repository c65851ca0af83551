"""How long learning takes: when a run counts as there, and what the table says of it."""

import pytest

from cnnviz.images.mnist import load_mnist
from cnnviz.verification import training_time
from cnnviz.verification.training_time import LearningTime, learn, learning_table, recipe_for


@pytest.fixture
def few_digits(monkeypatch):
    (x, y), (x_test, y_test) = load_mnist()
    few = (x[:1280], y[:1280]), (x_test[:200], y_test[:200])
    monkeypatch.setattr(training_time, "load_mnist", lambda: few)


def test_a_run_ends_with_the_epoch_that_reaches_the_goal(few_digits):
    found = learn("mnist_maxpool", "numpy", 0.5, seed=0)
    assert found.accuracy >= 0.5
    assert 1 <= found.epochs < training_time.MOST_EPOCHS
    assert found.seconds > 0


def test_a_goal_that_is_not_reached_has_no_time(few_digits, monkeypatch):
    monkeypatch.setattr(training_time, "MOST_EPOCHS", 1)
    assert recipe_for("mnist_maxpool").epochs == 1
    found = learn("mnist_maxpool", "numpy", 1.0, seed=0)
    assert (found.seconds, found.epochs) == (None, 1)


def test_the_table_says_what_was_reached_and_by_whom():
    measured = [
        LearningTime("mnist_14k", "numpy", 0.99, 30.0, 2, 0.9911),
        LearningTime("mnist_14k", "tensorflow", 0.99, 60.0, 2, 0.9907),
        LearningTime("mnist_maxpool", "numpy", 0.98, None, 10, 0.97),
    ]
    first, second = learning_table(measured).splitlines()[1:]
    assert first.split("  ")[-1].strip() == "0.50"
    assert "30.0 s (epoch 2: 99.11%)" in first
    assert "not reached (epoch 10: 97.00%)" in second
    assert second.split()[-2:] == ["-", "-"]
