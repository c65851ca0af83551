"""From scores to loss: softmax makes shares of scores, the loss is what the right answer lacks."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import CLASSIFIES, IN_GREY, PIXELS, READS_PIXELS

SCORES_TO_LOSS: dict[str, Any] = {
    "name": "scores-to-loss",
    "title": "From scores to loss",
    "needs": f"{READS_PIXELS} and {CLASSIFIES}",
    "names": {**PIXELS, "scores": "source(last())", "lead": "score(1) - score(2)"},
    "steps": [
        {
            "title": "Scores",
            "say": [
                "The last layer gives each class a score: any number, positive or negative. The highest is "
                "{score(1)}, for {predicted(1)}; next comes {predicted(2)} with {score(2)}.",
                "Paint on the image and watch them, and find out how a share and a loss are made of them.",
            ],
            "state": {"zoom": "layer", "layer": "{scores}", "path": "{scored(1)}"},
        },
        {
            "title": "Softmax makes shares of them",
            "say": [
                "Softmax takes e to the power of each score and divides by the sum of all these powers. So "
                "all are positive and add up to 1: {predicted(1)} gets {probability(1): probability}.",
            ],
            "state": {"zoom": "cell", "path": "{answer(1)}"},
        },
        {
            "title": "Only differences count",
            "say": [
                "{predicted(1)} leads {predicted(2)} by {lead}, and that is a factor of {exp(lead)} "
                "between their shares.",
                "A score by itself says nothing: if all were 5 higher, every share would be the same.",
            ],
            "state": {"path": "{answer(1)}"},
            "question": {
                "ask": "Two scores are equal, and all others are far lower. What are the two shares?",
                "choices": [
                    [
                        "A half each, nearly",
                        "1 == 1",
                        "Right: equal powers, and next to nothing left for the others.",
                    ],
                    ["1 each", "1 == 0", "The shares add up to 1."],
                    ["It depends on how high they are", "1 == 0", "Only the differences count."],
                ],
            },
        },
        {
            "title": "The loss",
            "say": [
                "The loss is −log of the share that the right answer gets: 0 for a share of 1, and the "
                "larger the smaller the share is.",
                "If {predicted(1)} is right, it is {max(0, 0 - log(probability(1)))} here.",
                [
                    "probability(2) > 0",
                    "If {predicted(2)} were right, with {probability(2): probability}, it would be {0 - "
                    "log(probability(2))}.",
                ],
            ],
            "state": {"path": "{answer(1)}"},
        },
        {
            "title": "A share is not knowledge",
            "if": IN_GREY,
            "say": [
                "Now the paper is blank, and still the shares add up to 1: it says "
                "{predicted_after(blank)} with {probability_after(blank): probability}.",
                "It must choose one of {cells(last()): count} classes. What it cannot say is “none of "
                "these”.",
            ],
            "names": {"blank": "shifted(rows(pixels), 0)"},
            "state": {"changes": "{blank}"},
        },
    ],
}
