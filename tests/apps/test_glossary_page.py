"""The glossary's page, and words that explain themselves on the others."""

from __future__ import annotations

from collections import Counter

import pytest

from apps.conftest import PAGES, given
from cnnviz.teaching.glossary import GLOSSARY


def test_the_page_explains_every_word(visit):
    at = visit("glossary")
    assert not at.exception
    assert [header.value for header in at.header] == list(GLOSSARY)
    words = " ".join(markdown.value for markdown in at.markdown)
    assert all(each.meaning in words for each in GLOSSARY.values())


@pytest.mark.parametrize("page", PAGES)
def test_a_word_is_explained_where_it_is_mentioned_first(visit, page):
    at = visit(page)
    links = Counter(
        slug.split(")")[0] for markdown in at.markdown for slug in markdown.value.split("](glossary#")[1:]
    )
    assert set(links.values()) <= {1}
    about = {each.slug for each in GLOSSARY.values() if each.lesson == page}
    assert not about & links.keys()
    (data,) = given(at, "cnnviz.terms")
    assert links.keys() <= data["terms"].keys()
