"""What every question must be."""

from __future__ import annotations

from cnnviz.teaching.questions import Question


def one_is_right(question: Question) -> None:
    """One choice is right, all differ, and each says why."""
    assert sum(choice.right for choice in question.choices) == 1
    texts = [choice.text for choice in question.choices]
    assert 2 <= len(texts) == len(set(texts)) <= 4
    assert all(choice.why.endswith(".") for choice in question.choices)
