"""Questions: one right choice, no two alike, an order that gives nothing away."""

from __future__ import annotations

import pytest

from cnnviz.teaching.questions import Choice, question

RIGHT = Choice("12", "24 / 2")
WRONG = [
    Choice("24", "that is the input", "pooling keeps the size"),
    Choice("12", "equal to the right one by chance", "coincidence"),
    Choice("11", "the floor is taken of something else", "one less"),
    Choice("24", "the same number again", "another road to 24"),
    Choice("1,200", "a large one", "hundredfold"),
]


def test_choices_are_told_apart_and_ordered_by_number():
    asked = question("How wide?", RIGHT, WRONG)
    assert [choice.text for choice in asked.choices] == ["11", "12", "24", "1,200"]
    assert asked.answer == RIGHT
    assert asked.check("c").misconception == "pooling keeps the size"


def test_the_order_of_words_does_not_depend_on_which_is_right():
    yes, no = Choice("yes", "it is"), Choice("no", "it is not", "denial")
    first = question("?", yes, [no])
    second = question("?", Choice("no", "it is not"), [Choice("yes", "it is", "assent")])
    assert [choice.text for choice in first.choices] == [choice.text for choice in second.choices]


def test_no_more_than_the_most_are_offered_and_the_right_one_always():
    asked = question("How wide?", RIGHT, WRONG, most=2)
    assert [choice.text for choice in asked.choices] == ["12", "24"]


def test_what_is_no_question_is_refused():
    with pytest.raises(ValueError, match="right must be a choice without misconception, got 'one less'"):
        question("?", WRONG[2], [])
    with pytest.raises(ValueError, match="'12' has none"):
        question("?", Choice("13", "a thirteenth"), [RIGHT])
    with pytest.raises(ValueError, match="other than the right one, '12'"):
        question("?", RIGHT, [WRONG[1]])
    with pytest.raises(ValueError, match="letter must be one of a, b, c, d, got 'e'"):
        question("?", RIGHT, WRONG).check("e")
