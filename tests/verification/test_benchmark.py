"""The benchmark measures what it says: the two sides compute the same, and the table holds the rows."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.verification import benchmark
from cnnviz.verification.benchmark import Row, lines, table
from cnnviz.verification.tensorflow_process import TensorFlowProcess


def test_both_sides_of_every_line_compute_the_same():
    for name, ours, theirs, _, _ in lines(threads=1):
        assert theirs is not None
        result = np.asarray(ours())
        # As far as F(4x4) goes in float32: 25 is the norm of its transforms, 2e-7 a few roundings.
        scale = np.abs(result).max()
        np.testing.assert_allclose(np.asarray(theirs()), result, rtol=0, atol=2e-5 * scale, err_msg=name)


def test_both_sides_of_an_application_compute_the_same(monkeypatch):
    monkeypatch.setattr(benchmark, "APPLICATIONS", ("MobileNetV2",))
    ((name, ours, theirs, _, _),) = benchmark.application_lines(threads=1)
    assert name == "MobileNetV2, 1 image of 224x224"
    np.testing.assert_allclose(np.asarray(theirs()), ours(), rtol=1e-4)


def test_the_least_of_many_calls_counts(monkeypatch):
    monkeypatch.setattr(benchmark, "SECONDS", 0.0)
    calls = []
    ours, theirs = benchmark._least(lambda: calls.append("a"), lambda: calls.append("b"))
    assert ours > 0
    assert theirs > 0
    assert calls == ["a", "b"] * (benchmark.REPETITIONS + 1)
    assert benchmark._least(lambda: None, None)[1] is None


def test_the_table_has_a_line_for_each_row():
    text = table([Row("work", 1.0, 2.0), Row("other", 3.0)]).splitlines()
    assert len(text) == 3
    assert text[1].split() == ["work", "1.000", "ms", "2.000", "ms", "0.50", "-", "-"]
    assert text[2].split() == ["other", "3.000", "ms", "-", "-", "-", "-"]


def test_a_bar_below_the_floor_is_a_tenth_above_it():
    row = Row("work", 3.0, 2.0, product=2.6, aim=1.2)
    assert row.floor == 1.3
    assert row.bar == pytest.approx(1.43)
    assert Row("work", 3.0, 2.0, product=2.2, aim=1.2).bar == 1.2
    assert table([row]).splitlines()[1].split()[-4:] == ["1.50", "1.30", "1.43", "above"]


@pytest.mark.parametrize("product", [(3000, 48, 16), (48, 3000, 16), (10, 7, 5)])
def test_the_floor_is_what_one_product_takes(product, monkeypatch):
    monkeypatch.setattr(benchmark, "SECONDS", 0.0)
    assert 0 < benchmark._least_of_product(product) < 1000


def test_a_training_step_is_kerass():
    """Of the same weights and digits; the losses differ by what dropout draws."""
    for name, ours, theirs, bar, _ in benchmark.training_lines(threads=1):
        assert bar is not None
        loss = ours().loss
        assert abs(float(theirs()[0]) - loss) < 0.2 * loss, name


def test_rows_come_from_a_process_of_their_own(monkeypatch):
    started = {}

    class Process:
        def __init__(self, *arguments, environment):
            started.update(environment)

        def run(self, take):
            take(b'[1, {"work": "w", "cnnviz": 1.5, "tensorflow": null}]\n')

    monkeypatch.setattr(benchmark, "TensorFlowProcess", Process)
    seen = []
    assert benchmark.measure(2, lambda *state: seen.append(state)) == [Row("w", 1.5, None)]
    assert started["OPENBLAS_NUM_THREADS"] == "2"
    assert seen == [(1, 1)]


def test_a_process_that_fails_is_an_error_that_says_why(monkeypatch):
    class Process(TensorFlowProcess):
        def __init__(self, *arguments, environment):
            super().__init__("-c", "raise SystemExit('out of memory')")

    monkeypatch.setattr(benchmark, "TensorFlowProcess", Process)
    with pytest.raises(ChildProcessError, match=r"the benchmark's process failed: out of memory"):
        benchmark.measure(1)
