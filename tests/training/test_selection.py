"""Recipes are compared by the mean over seeds, of complete runs of theirs alone."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from cnnviz.training import RECIPES
from cnnviz.training.selection import read_selections, standard_error

BEST = RECIPES["mnist_14k"]["best"]


def write(folder, name, accuracy, seed, recipe=BEST, epochs=None, validation=5_000):
    row = {"val_accuracy": 0.5, "val_loss": 1.0}
    record = {
        "images": 55_000,
        "validation_images": validation,
        "seed": seed,
        "recipe": asdict(recipe),
        "epochs": [row] * ((epochs or recipe.epochs) - 1) + [{"val_accuracy": accuracy, "val_loss": 0.02}],
    }
    (folder / f"mnist_14k.{name}.selection.history.json").write_text(json.dumps(record))


def test_runs_are_sorted_by_recipe_and_seed(tmp_path):
    for seed, accuracy in ((2, 0.996), (0, 0.994), (1, 0.995)):
        write(tmp_path, f"any{3 - seed}", accuracy, seed)
    write(tmp_path, "other", 0.99, 0, RECIPES["mnist_14k"]["elastic"])
    write(tmp_path, "unfinished", 0.9, 3, epochs=39)
    write(tmp_path, "final", 0.9, 4, validation=0)
    write(tmp_path, "of one's own", 0.9, 5, replace(BEST, dropout=0.5))
    best, elastic = read_selections("mnist_14k", tmp_path)
    assert (best.name, best.seeds, best.accuracies.tolist()) == ("best", [0, 1, 2], [0.994, 0.995, 0.996])
    assert best.spread == pytest.approx(0.001)
    assert (elastic.name, elastic.losses.tolist()) == ("elastic", [0.02])
    assert math.isnan(elastic.spread)


def test_where_nothing_was_chosen_there_is_nothing(tmp_path):
    assert read_selections("mnist_14k", tmp_path) == []
    assert read_selections("lenet", tmp_path) == []


@pytest.mark.parametrize("model", RECIPES)
def test_no_recipe_was_better_on_validation_over_three_seeds_than_the_bundled_one(model):
    first, *others = read_selections(model)
    assert first.name == next(iter(RECIPES[model]))
    for other in others:
        if min(len(first.runs), len(other.runs)) >= 3:
            assert first.accuracies.mean() >= other.accuracies.mean()


def test_the_standard_error_is_what_equal_networks_differ_by():
    draws = np.random.default_rng(0).binomial(10_000, 0.995, (4_000, 2)) / 10_000
    measured = (draws[:, 0] - draws[:, 1]).std()
    assert measured == pytest.approx(standard_error(0.995, 10_000), rel=4 / math.sqrt(2 * 4_000))
