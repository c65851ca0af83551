"""Activation functions: ReLU on a map, what it is for, where it is silent, what comes back through it."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import PIXELS, READS_PIXELS

ACTIVATION_FUNCTIONS: dict[str, Any] = {
    "name": "activation-functions",
    "title": "Activation functions",
    "needs": f"{READS_PIXELS} and rectifies(reader(stage('conv', 1)))",
    "names": {
        **PIXELS,
        "relu": "reader(conv)",
        "low": "smallest(conv)",
        "after": "cell(relu, row(low), column(low), channel(low))",
    },
    "steps": [
        {
            "title": "What is negative becomes 0",
            "say": [
                "An activation function changes each number by itself. This one is ReLU: what is positive "
                "stays, everything else becomes 0; the smallest number of {conv}, {value(low)}, "
                "{'becomes' if value(low) != value(after) else 'stays'} {value(after)}.",
                "Find out how much of a network that silences, and why it needs it all the same.",
            ],
            "state": {"zoom": "cell", "path": "{after}"},
        },
        {
            "title": "Over all maps",
            "say": [
                "Of {cells(conv): count} numbers {negative(conv): count} {negative(conv): was|were} "
                "negative; {nonzero(relu): count} {nonzero(relu): is|are} left that {nonzero(relu): "
                "is|are} not 0.",
                [
                    "silent(relu) > 0",
                    "In {silent(relu): count} of {channels(relu): count} {channels(relu): map|maps} "
                    "nothing is left on this image.",
                ],
            ],
            "state": {"zoom": "layer", "layer": "{relu}", "path": "{after}"},
        },
        {
            "title": "Why not leave it out?",
            "say": [
                "A sum of sums is a sum: two convolutions in a row, with nothing between them, do what one "
                "convolution with a larger kernel can do. However many layers it had, the network could "
                "only add up pixels.",
                "The bend at 0 is what makes a further layer worth having.",
            ],
            "state": {},
            "question": {
                "ask": "Which of these between two layers would leave them no more than one layer can do?",
                "choices": [
                    [
                        "Doubling each number",
                        "1 == 1",
                        "Right: that is a weight of 2, which the next kernel could have taken in.",
                    ],
                    [
                        "Taking each number’s size without its sign",
                        "1 == 0",
                        "It bends at 0: no sum can do that.",
                    ],
                    ["A ReLU", "1 == 0", "It bends at 0: no sum can do that."],
                ],
            },
        },
        {
            "title": "What comes back through it",
            "say": [
                "While a network learns, each number is told how the loss would change with it. Through a "
                "ReLU that comes back whole where the number was positive, and not at all where it was not.",
                "So a kernel whose numbers are negative on every image learns nothing more: it is dead.",
            ],
            "state": {"zoom": "layer", "layer": "{relu}", "path": "{after}"},
        },
    ],
}
