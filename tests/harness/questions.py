"""What every question must be."""

from __future__ import annotations

from cnnviz.teaching.questions import Question
from harness.wording import slips


def one_is_right(question: Question) -> None:
    """One choice is right, all differ, each says why, and numbers agree with their nouns."""
    assert sum(choice.right for choice in question.choices) == 1
    texts = [choice.text for choice in question.choices]
    assert 2 <= len(texts) == len(set(texts)) <= 4
    assert all(choice.why.endswith(".") for choice in question.choices)
    for text in (question.prompt, *texts, *(choice.why for choice in question.choices)):
        assert not slips(text), text


def whys(question: Question) -> dict[str, str]:
    """The reasons by their mistakes; the right answer's is at ""."""
    return {choice.misconception: choice.why for choice in question.choices}
