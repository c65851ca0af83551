"""Long answers: however many ask at once, one works it out; who leaves takes nothing from who stays."""

from __future__ import annotations

import importlib.util
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cnnviz.resources import app

PATIENCE = 20
"""Seconds until a test that hangs gives up."""


@pytest.fixture
def long():
    """The app's module, which lies beside its script, in a hurry to say how far it is."""
    spec = importlib.util.spec_from_file_location("long_answers", app().parent / "long_answers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FIRST = module.AGAIN = 0.005
    return module


class Work:
    """A computation that goes on until it may end, and counts how often it was begun."""

    def __init__(self, answer: object = 42, error: Exception | None = None) -> None:
        self.answer, self.error = answer, error
        self.begun, self.given_up = 0, threading.Event()
        self.may_end = threading.Event()

    def __call__(self, progress):
        self.begun += 1
        done = 0
        try:
            while not self.may_end.wait(0.002):
                done = min(done + 1, 99)
                progress(done, 100)
        except BaseException:
            self.given_up.set()
            raise
        if self.error is not None:
            raise self.error
        return self.answer


def all_waiting(answers, key, count: int) -> None:
    """Until so many wait for a work."""
    patience = threading.Event()
    for _ in range(PATIENCE * 200):
        if key in answers._works and answers._works[key].waiting == count:
            return
        patience.wait(0.005)
    raise TimeoutError


def test_five_who_ask_at_once_have_it_worked_out_once(long):
    answers, work = long.LongAnswers(), Work()
    with ThreadPoolExecutor(5) as pool:
        asking = [pool.submit(answers.work_out, "key", work) for _ in range(5)]
        all_waiting(answers, "key", 5)
        assert "key" not in answers
        work.may_end.set()
        for one in asking:
            one.result(PATIENCE)
    assert work.begun == 1
    assert answers["key"] == 42
    answers.work_out("key", work)
    assert work.begun == 1


def test_each_is_told_how_far_it_is(long):
    answers, work, shares = long.LongAnswers(), Work(), []

    def say(share: float) -> None:
        shares.append(share)
        if share > 0.1:
            work.may_end.set()

    answers.work_out("key", work, say)
    assert shares == sorted(shares)
    assert 0.1 < shares[-1] <= 1


def test_an_error_reaches_all_and_is_not_kept(long):
    answers, work = long.LongAnswers(), Work(error=ZeroDivisionError("no"))
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(answers.work_out, "key", work) for _ in range(3)]
        all_waiting(answers, "key", 3)
        work.may_end.set()
        assert all(isinstance(one.exception(PATIENCE), ZeroDivisionError) for one in asking)
    assert work.begun == 1
    work.error = None
    answers.work_out("key", work)
    assert answers["key"] == 42


class Left(BaseException):
    """What Streamlit raises where a visitor has left."""


def leave(share: float) -> None:
    raise Left


def test_the_first_may_leave_and_the_second_has_the_answer(long):
    answers, work = long.LongAnswers(), Work()
    go = threading.Event()

    def leave_later(share: float) -> None:
        if go.is_set():
            raise Left

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(answers.work_out, "key", work, leave_later)
        all_waiting(answers, "key", 1)
        second = pool.submit(answers.work_out, "key", work)
        all_waiting(answers, "key", 2)
        go.set()
        assert isinstance(first.exception(PATIENCE), Left)
        work.may_end.set()
        second.result(PATIENCE)
    assert work.begun == 1
    assert answers["key"] == 42


def test_where_nobody_waits_the_work_ends_and_can_be_asked_for_anew(long):
    answers, work = long.LongAnswers(), Work()
    with pytest.raises(Left):
        answers.work_out("key", work, leave)
    assert work.given_up.wait(PATIENCE)
    assert "key" not in answers
    work.may_end.set()
    answers.work_out("key", work)
    assert work.begun == 2
    assert answers["key"] == 42
