"""Hypothesis profiles, and the accuracy report at the end of a run.

`pytest --hypothesis-profile=thorough` draws thousands of cases for each property;
`--accuracy-json=FILE` writes the table that the terminal shows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from harness.accuracy import Accuracy

collect_ignore = ["benchmarks"]
"""Programs, which import one another as such."""

CI = bool(os.environ.get("CI"))
for profile, examples in (("default", 100), ("thorough", 2000)):
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        database=None if CI else settings().database,
        # The same cases every time, so that a run says what the change did; searching is for elsewhere.
        derandomize=CI and profile == "default",
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
settings.load_profile("default")

ACCURACY = pytest.StashKey[Accuracy]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accuracy-json", metavar="FILE", type=Path, help="write the accuracy table to FILE as JSON"
    )
    parser.addoption(
        "--record-engine",
        action="store_true",
        help="compare the page's engine with Python's on all generated networks, and keep what is found",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ACCURACY] = Accuracy()


@pytest.fixture(scope="session")
def accuracy(pytestconfig: pytest.Config) -> Iterator[Accuracy]:
    """Where a test hands in each case's rounding error, ours and TensorFlow's."""
    return pytestconfig.stash[ACCURACY]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under pytest-xdist each worker sends its table to the main process."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["accuracy"] = session.config.stash[ACCURACY].as_json()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:  # type: ignore[no-untyped-def]
    node.config.stash[ACCURACY].merge(getattr(node, "workeroutput", {}).get("accuracy", {}))


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:  # type: ignore[no-untyped-def]
    table = config.stash[ACCURACY]
    if not table.rows:
        return
    terminalreporter.section("accuracy")
    for line in table.lines():
        terminalreporter.write_line(line)
    if path := config.getoption("--accuracy-json"):
        path.write_text(json.dumps(table.as_json(), indent=2) + "\n")
