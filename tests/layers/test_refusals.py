"""Every class of keras.layers is computed or refused with a reason, so that a new one is noticed."""

from __future__ import annotations

import inspect

import pytest

from cnnviz import Layer
from cnnviz.layers import ENTRIES
from cnnviz.layers.refusals import REFUSED, refusal
from harness.keras_models import L

PUBLIC = {each.__name__ for _, each in inspect.getmembers(L, inspect.isclass) if issubclass(each, L.Layer)}
"""The layers that Keras offers, each under its own name only."""


def test_every_class_of_keras_is_computed_or_refused():
    assert len(PUBLIC) > 100
    assert PUBLIC - ENTRIES.keys() == REFUSED.keys()


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_says_why_and_what_to_do(kind):
    with pytest.raises(ValueError, match=f"does not compute {kind} \\({REFUSED[kind]}\\); for the network"):
        Layer.from_config("odd", kind, {})


def test_what_is_no_layer_of_keras_is_refused_too():
    assert "Convolve (it is none of the classes" in refusal("Convolve")
    assert len(refusal("Convolve")) < 200
