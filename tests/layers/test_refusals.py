"""Every class of keras.layers is computed or refused with a reason, so that a new one is noticed."""

from __future__ import annotations

import inspect

import pytest
from keras.src.api_export import get_name_from_symbol

from cnnviz import Layer
from cnnviz.layers import ENTRIES
from cnnviz.layers.refusals import REFUSED, refusal
from harness.keras_models import L

LAYERS = [each for _, each in inspect.getmembers(L, inspect.isclass) if issubclass(each, L.Layer)]
PUBLIC = {get_name_from_symbol(each).rpartition(".")[2] for each in LAYERS}
"""The layers that Keras offers, each under the one name that it writes into a file."""


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
