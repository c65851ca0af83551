"""The glossary: each word once, and explained where it is mentioned first."""

from __future__ import annotations

import re

import pytest

from cnnviz.teaching.glossary import GLOSSARY, linked
from cnnviz.teaching.lessons import LESSONS


def test_words_are_in_order_and_lead_to_words_that_there_are():
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.lower)
    forms = [form.lower() for each in GLOSSARY.values() for form in (each.term, *each.forms)]
    assert len(set(forms)) == len(forms)
    assert len({each.slug for each in GLOSSARY.values()}) == len(GLOSSARY)
    for each in GLOSSARY.values():
        assert set(each.also) <= GLOSSARY.keys() - {each.term}
        assert not each.lesson or each.lesson in LESSONS
        assert each.meaning.endswith((".", ".)", "max(x, 0)."))
        assert 1 <= len(re.findall(r"[.:] |\.\)?$", each.meaning)) <= 4
    assert {"logit", "norm", "channel", "receptive field"} <= GLOSSARY.keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "The receptive field of units",
            "The [receptive field](glossary#receptive-field) of [units](glossary#unit)",
        ),
        ("channel, then channels", "[channel](glossary#channel), then channels"),
        ("`weights` and $bias$ and [bias](x)", "`weights` and $bias$ and [bias](x)"),
        ("Batch norm is no norm", "[Batch norm](glossary#batch-normalisation) is no [norm](glossary#norm)"),
        ("pre-activation", "[pre-activation](glossary#pre-activation)"),
        ("unity, kernel_size, overweight, stride-2", "unity, kernel_size, overweight, stride-2"),
        ("pooling", "pooling"),
    ],
)
def test_the_first_mention_leads_to_the_glossary(text, found):
    assert linked(text, "pooling", set()) == found


def test_what_was_explained_is_not_again():
    explained: set[str] = set()
    assert linked("A logit.", "", explained) == "A [logit](glossary#logit)."
    assert linked("Two logits.", "", explained) == "Two logits."
    assert explained == {"logit"}
