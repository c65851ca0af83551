"""NumPy's training beside Keras's: a few cases live, what must not pass, and the record of all of them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import settings

from cnnviz.layers import ENTRIES, Entry
from cnnviz.training import SGD, Adam
from cnnviz.training.losses import SparseCategoricalCrossentropy
from cnnviz.verification.training_cases import TrainingCase, cases, of_classes, trained_classes
from cnnviz.verification.training_verification import (
    STEPS,
    TrainingCheck,
    TrainingVerification,
    read_training_record,
    verify_training,
    write_training_record,
)
from harness.authority import keras

THOROUGH = settings.get_current_profile_name() == "thorough"


@pytest.fixture
def in_process():
    """`check` in this process, which computes in float32 again when it is over."""
    from cnnviz.verification import training_answers

    yield training_answers.check
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


# The list of classes and the record ---------------------------------------------------------------


def test_the_record_is_of_the_classes_that_there_are():
    """A class with weights, or with something else in training, must be trained beside Keras once."""
    record = read_training_record()
    assert record.passed
    assert record.classes == set(trained_classes()), "run cnnviz verify --training --record"
    assert {check.name for check in record.checks} == {case.name for case in cases()}
    assert record.pairs == 1
    for check in record.checks:
        assert set(check.shares) == set(STEPS)


def test_classes_with_weights_are_trained_classes():
    for kind, entry in ENTRIES.items():
        if entry.weights:
            assert kind in trained_classes(), kind
    assert {"Dropout", "GaussianNoise", "TimeDistributed", "SpectralNormalization"} <= set(trained_classes())
    assert "RandomFlip" not in trained_classes()


def test_a_new_class_is_a_case_and_says_what_it_lacks(monkeypatch):
    class NewEntry(Entry):
        weights = ("kernel",)

    monkeypatch.setitem(ENTRIES, "ConvLSTM2D", NewEntry())
    case = next(case for case in of_classes() if case.name == "ConvLSTM2D")
    assert read_training_record().classes != set(trained_classes())
    monkeypatch.setattr("cnnviz.verification.training_cases.NEEDED", {})
    with pytest.raises(ValueError, match="no way was found to make a ConvLSTM2D: say in NEEDED and STYLES"):
        case.build(keras)


def test_names_of_cases_are_unique():
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)


def test_every_class_is_behind_every_other_one():
    record = read_training_record()
    pairs = {(check.classes[0], kind) for check in record.checks for kind in check.classes[1:]}
    kinds = trained_classes()
    missing = {(first, second) for first in kinds for second in kinds} - pairs
    assert missing == set()


# Live ---------------------------------------------------------------------------------------------


def small(optimizer, **changes):
    """A convolution whose bias does nothing, since a batch normalisation takes the mean away."""

    def build(keras):
        layers = keras.layers
        image = keras.Input((4, 4, 2), name="image")
        x = layers.BatchNormalization(name="norm")(layers.Conv2D(3, 2, name="conv")(image))
        x = layers.Dropout(0.3, name="drop")(layers.ReLU()(x))
        return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))

    return TrainingCase("small", "class", build, optimizer, SparseCategoricalCrossentropy(), **changes)


def test_a_bias_before_a_batch_normalisation_is_named_and_left_to_keras(in_process):
    """Adam divides its gradient, which is rounding alone, by its length: it walks by chance on both sides."""
    check = in_process(small(Adam(0.01)), steps=(1, 12))
    assert check.passed, check
    assert check.silent == ("conv/bias",)
    assert set(check.shares) == set(check.single) == {1, 12}
    # In float32 the differences are those of float32, and no more than grow in a few steps.
    assert 1e-9 < check.single[12] < 1e-3


@dataclass(frozen=True)
class Wrong(SGD):
    """Forgets a millionth of each step."""

    def _step(self, w, g, slots, rate, iteration, note):
        return super()._step(w, g, slots, rate * (1 - 1e-6), iteration, note)


Wrong.__name__ = "SGD"


def test_a_millionth_of_a_step_is_found(in_process):
    check = in_process(small(Wrong(0.1)), steps=(1,))
    assert not check.passed
    assert check.shares[1] > 10


def test_a_gradient_that_is_wrong_is_found(in_process, monkeypatch):
    """That of a kernel, by a thousandth."""
    entry = type(ENTRIES["Conv2D"])
    right = entry.weight_gradient
    monkeypatch.setattr(entry, "weight_gradient", lambda *arguments: right(*arguments) * 1.001)
    check = in_process(small(SGD(0.1)), steps=(1,))
    assert not check.passed
    assert check.worst == "conv/kernel"


def test_what_fails_to_be_trained_is_a_row_that_failed(in_process):
    def build(keras):
        raise ValueError("no such model")

    check = in_process(replace(small(SGD()), build=build), steps=(1,))
    assert not check.passed
    assert check.error == "ValueError: no such model"


def test_a_process_of_its_own_trains_what_is_named():
    seen = []
    result = verify_training(["Dense and behind it", "Dropout"], pairs=12, progress=seen.append)
    assert result.passed, str(result)
    assert [check.name for check in seen] == ["Dropout", "Dense and behind it"]
    assert result.classes == {"Dropout"}
    assert result.number_of_pairs >= 2
    with pytest.raises(ValueError, match="nothing that is trained is called Nothing"):
        verify_training(["Nothing"])


@pytest.mark.skipif(not THOROUGH, reason="takes most of an hour")
def test_everything_and_every_pair():
    result = verify_training()
    assert result.passed, str(result)


# What is printed and kept -------------------------------------------------------------------------


def example(share=0.5, **changes):
    check = TrainingCheck(
        "conv", "class", ("Conv2D",), "Adam", {1: 0.0, 10: share, 100: 0.25}, "conv/kernel", {1: 1e-7}
    )
    return TrainingVerification((replace(check, **changes),), 1, {"keras": "3"}, "a processor", "2026-01-01")


def test_it_passes_within_its_bounds_only():
    assert example()
    assert not example(1.01)
    assert not example(math.inf)
    assert not example(math.nan)
    assert not example(error="it failed")
    assert not replace(example(), checks=())


def test_the_table_says_what_failed_and_what_is_silent():
    said = str(example(2.0, silent=("conv/bias",)))
    assert "FAILED: 1 of 1" in said
    assert "conv: the gradient of conv/bias is 0 but for rounding" in said
    assert "2.00" in said
    assert "a processor" in said
    assert str(example()).endswith("PASSED")
    assert "conv: it failed" in str(example(error="it failed"))


def test_a_record_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "record.json"
    for result in (example(), example(math.inf, silent=("a/b",))):
        write_training_record(result, path)
        json.loads(path.read_text(), parse_constant=pytest.fail)
        assert read_training_record(path) == result
    assert np.isinf(read_training_record(path).checks[0].shares[10])
