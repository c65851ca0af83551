"""Why convolution: few weights, near pixels, the same everywhere; the map moves with the digit."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import CLASSIFIES, PIXELS, READS_PIXELS, SLIDES

WHY_CONVOLUTION: dict[str, Any] = {
    "name": "why-convolution",
    "title": "Why convolution",
    "needs": f"{READS_PIXELS} and {CLASSIFIES}",
    "names": {
        **PIXELS,
        "spot": "largest(conv)",
        "scores": "source(last())",
        "by": "2 if column(spot) + 2 < columns(conv) else -2",
        "move": "shifted(0, by)",
    },
    "steps": [
        {
            "title": "The image moves, the maps move along",
            "if": f"{SLIDES} and column(spot) + by >= 0",
            "say": [
                "The image now lies {abs(by): count} pixels further to the {'right' if by > 0 else "
                "'left'}, and so does all that the kernels found: {value(spot)} stood in column "
                "{column(spot): count}, now {value_after(moved, move)} stands in column {column(moved): "
                "count}.",
                "Drag it yourself with Move, and watch the maps. Find out why so few weights can do that, "
                "and how far it reaches.",
            ],
            "names": {"moved": "cell(conv, row(spot), column(spot) + by, channel(spot))"},
            "state": {"path": "{moved}", "changes": "{move}"},
            "question": {
                "ask": "How many weights had to change, so that the kernel answers the same in the "
                "new place?",
                "choices": [
                    [
                        "None",
                        "1 == 1",
                        "Right: it has the same weights at every place, so it finds it anywhere.",
                    ],
                    [
                        "{products(conv): count}, those of the kernel",
                        "1 == 0",
                        "They stay as they are: the kernel stands at every place anyway.",
                    ],
                    ["All", "1 == 0", "No number of the network was touched, only the image."],
                ],
            },
        },
        {
            "title": "Every pixel to every number?",
            "say": [
                "If each of the {cells(conv): count} numbers of {conv} had a weight for each of the "
                "{cells(pixels): count} {'pixels' if channels(pixels) == 1 else 'numbers of the image'}, "
                "that would be {cells(pixels) * cells(conv): count} weights.",
                "The convolution has {parameters(conv): count} weights and biases.",
            ],
            "state": {"zoom": "layer", "layer": "{conv}"},
        },
        {
            "title": "First saving: look near",
            "say": [
                "Each number reads {window_rows(conv): count} × {window_columns(conv): count} neighbouring "
                "pixels and no others: what makes a stroke or a corner lies close together.",
                "That alone leaves {products(conv): count} of {cells(pixels): count} weights for each "
                "number.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "Second saving: the same everywhere",
            "say": [
                "All {rows(conv) * columns(conv): count} places of a map share these weights. So the layer "
                "has {products(conv): count} for each of its {channels(conv): count} {channels(conv): "
                "map|maps}, however large the image is.",
            ],
            "state": {"zoom": "layer", "layer": "{conv}", "path": "{spot}"},
        },
        {
            "title": "Does the answer stay?",
            "say": [
                [
                    "same_after(move)",
                    "With the image {abs(by): count} pixels further to the {'right' if by > 0 else 'left'} "
                    "the network still says {predicted(1)}: {probability_after(move): probability}, before "
                    "{probability(1): probability}.",
                ],
                [
                    "not same_after(move)",
                    "With the image {abs(by): count} pixels further to the {'right' if by > 0 else 'left'} "
                    "the network says {predicted_after(move)} with {probability_after(move): probability}; "
                    "before it was {predicted(1)} with {probability(1): probability}.",
                ],
                [
                    "rows(source(scores)) * columns(source(scores)) > 1 and products(scores) == "
                    "cells(source(scores))",
                    "The maps move along, but the last layer has a weight of its own for each place: nothing "
                    "makes sure that the answer stays.",
                ],
            ],
            "state": {"changes": "{move}"},
        },
    ],
}
