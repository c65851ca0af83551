"""Turns: one at a time, given up by what takes long, never kept by what fails; and short collections."""

from __future__ import annotations

import gc
import importlib.util
import threading

import pytest

from cnnviz.resources import app


@pytest.fixture
def turns():
    """The app's module, which lies beside its script, anew."""
    spec = importlib.util.spec_from_file_location("turns", app().parent / "turns.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    gc.callbacks.remove(module.collector._watch)


def another(turns, entered: threading.Event) -> threading.Thread:
    def wait():
        with turns.taken():
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_another_session_waits_for_its_turn(turns):
    entered = threading.Event()
    with turns.taken():
        thread = another(turns, entered)
        assert not entered.wait(0.05)
    thread.join(10)
    assert entered.is_set()


def test_what_takes_long_steps_aside_and_has_the_turn_again(turns):
    first, second = threading.Event(), threading.Event()
    with turns.taken():
        thread = another(turns, first)
        with turns.aside():
            assert first.wait(10)
        thread.join(10)
        thread = another(turns, second)
        assert not second.wait(0.05)
    thread.join(10)
    assert second.is_set()


def test_a_page_that_fails_leaves_the_turn(turns):
    with pytest.raises(ZeroDivisionError), turns.taken(), turns.aside():
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), turns.taken():
        raise ZeroDivisionError
    with turns.taken():
        pass


def test_who_has_no_turn_can_step_aside(turns):
    with turns.aside(), turns.taken():
        pass


def test_who_has_the_turn_goes_on_and_has_it_still(turns):
    entered = threading.Event()
    with turns.taken():
        with turns.taken():
            pass
        thread = another(turns, entered)
        assert not entered.wait(0.05)
    thread.join(10)
    assert entered.is_set()


def test_what_lives_is_set_aside_once_collections_are_slow(turns):
    try:
        gc.unfreeze()
        turns.collector.slow = False
        with turns.taken():
            pass
        assert gc.get_freeze_count() == 0
        turns.collector.slow = True
        with turns.taken():
            pass
        assert gc.get_freeze_count() > 0
        assert not turns.collector.slow
        turns.SLOW = 0.0
        gc.collect()
        assert turns.collector.slow
    finally:
        gc.unfreeze()
