"""The README's code runs as written, and its commands are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnnviz import load_model
from cnnviz.commands import main
from cnnviz.commands.cli import COMMANDS
from cnnviz.numbers import percent
from cnnviz.resources import BUNDLED, asset
from cnnviz.teaching.exercises import EXERCISES
from cnnviz.training import RECIPES, Recipe
from cnnviz.training.epoch_predictions import read_predictions
from cnnviz.training.history import read_history
from cnnviz.training.selection import read_selections, standard_error
from cnnviz.verification.comparison import read_record
from cnnviz.verification.training_verification import read_training_record

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def run_code(capsys, tmp_path, monkeypatch):
    """Runs a piece of code in an empty folder, and returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(code):
        assert len([line for line in code.splitlines() if line]) <= 12
        exec(compile(code, "README.md", "exec"), {})
        return capsys.readouterr().out

    return run


def test_there_is_code_to_run():
    assert len(PYTHON) == 2


def test_the_code_runs_as_written(run_code):
    assert "[7 2 1 0 4] [7 2 1 0 4]" in run_code(PYTHON[0])


def test_the_code_of_training_runs_as_written(run_code):
    said = run_code(PYTHON[1])
    assert float(re.search(r"'accuracy': ([\d.]+)", said)[1]) > 0.8
    assert load_model("mine.keras").count_params() == load_model("mnist_maxpool").count_params()


def test_the_commands_exist():
    named = set(re.findall(r"(?:`|bin/)cnnviz ([a-z]+)\b", TEXT))
    assert named
    assert named <= {command.name for command in COMMANDS}


def test_the_classes_that_are_read_are_listed(capsys):
    assert main(["supported"]) == 0
    assert f"```text\n{capsys.readouterr().out}```" in TEXT, "paste what `cnnviz supported` prints"


@pytest.mark.parametrize("model", BUNDLED)
def test_how_good_a_network_is_follows_from_its_weights(model):
    found, net = read_predictions(model), load_model(model)
    counted = f"| `{model}` | {net.count_params()[0]:,} |"
    test = f" {percent(found.accuracies['test'][-1])} | {found.losses['test'][-1]:.4f} |"
    assert counted + test in TEXT
    checked = read_record()[model]
    assert (
        f"| `{model}` | {len(checked.layers)} | {checked.images:,} | {checked.predict_difference:.1e} "
        f"| {checked.identical:,} of {checked.images:,} |".replace("e-0", "e-")
    ) in TEXT


def test_how_training_was_verified_is_what_is_recorded():
    record = read_training_record()
    assert f"```text\n{record.summary}\n```" in TEXT, "paste the table by kind of `cnnviz verify --training`"
    words = " ".join(TEXT.split())
    assert f"all {len(record.classes)} classes" in words
    assert f"all {record.number_of_pairs:,} pairs" in words
    assert record.processor in words
    assert f"Keras {record.versions['keras']} (TensorFlow {record.versions['tensorflow']})" in words


def test_the_runs_that_chose_a_recipe_are_listed(capsys):
    assert main(["train", "mnist_14k", "--selections"]) == 0
    printed = capsys.readouterr().out
    assert f"```text\n{printed}```" in TEXT, "paste what `cnnviz train mnist_14k --selections` prints"
    (plain,) = read_selections("mnist_maxpool")
    said = re.search(r"`(\w+)`, which reached ([\d.]+ %) on\s+validation", TEXT).groups()
    assert said == (plain.name, percent(plain.accuracies[0]))
    best = read_selections("mnist_14k")[0]
    test = standard_error(read_predictions("mnist_14k").accuracies["test"][-1], 10_000)
    validation = standard_error(best.accuracies.mean(), best.runs[0].validation_images)
    said = re.search(r"difference of ([\d.]+) points on test, and of ([\d.]+) on\s+validation", TEXT).groups()
    assert said == (f"{100 * test:.2f}", f"{100 * validation:.2f}")


def test_runs_that_are_missing_are_named():
    there = {(one.name, seed) for one in read_selections("mnist_14k") for seed in one.seeds}
    missing = {name: [seed for seed in range(3) if (name, seed) not in there] for name in ("best", "elastic")}
    words = [
        f"`{name}` with seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        for name, seeds in missing.items()
        if seeds
    ]
    said = re.search(r"Still to come: ([^.]+)\.", TEXT)
    assert (" ".join(said[1].split()) if said else "") == " and ".join(words)


def test_the_small_runs_are_made_by_the_lines_that_are_given():
    made = re.findall(r"^run (\w+) --recipe (\w+)(?: --seed (\d))?(?: --keep ([\d,]+))?$", TEXT, re.MULTILINE)
    recorded = asset("").glob("mnist_maxpool.*.epochs.npz")
    assert {name for name, *_ in made} == {path.name.split(".")[1] for path in recorded}
    for name, recipe, seed, keep in made:
        run = read_history(f"mnist_maxpool.{name}")
        assert Recipe.of(run.recipe) == RECIPES["mnist_maxpool"][recipe]
        assert run.seed == int(seed or 0)
        assert run.kept == (tuple(sorted({0, *map(int, keep.split(",")), run.epochs})) if keep else None)


def test_the_lessons_with_exercises_are_listed():
    said = re.search(r"There are exercises for ([\w, \n]+)\.", TEXT)[1]
    assert re.findall(r"\w+", said.replace(" and ", ", ")) == list(EXERCISES)


def test_files_that_it_shows_or_names_are_there():
    named = set(re.findall(r"\]\(([^)#:]+)\)|`(assets/[\w.]+)`", TEXT))
    for link, code in named:
        assert (README.parent / (link or code)).exists(), link or code


def test_nothing_is_left_to_fill_in():
    assert "TODO" not in TEXT
