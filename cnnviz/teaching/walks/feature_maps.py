"""Feature maps: a kernel's answers at all places, what is in a number, what strong does not mean."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import CLASSIFIES, IN_GREY, PIXELS, READS_PIXELS

FEATURE_MAPS: dict[str, Any] = {
    "name": "feature-maps",
    "title": "Feature maps",
    "needs": f"{READS_PIXELS} and {CLASSIFIES} and stage('conv', 2) != '' and "
    f"rectifies(reader(stage('conv', 1)))",
    "names": {
        **PIXELS,
        "relu": "reader(conv)",
        "spot": "largest(relu)",
        "second": "stage('conv', 2)",
    },
    "steps": [
        {
            "title": "One kernel, asked everywhere",
            "say": [
                "A feature map holds one kernel’s answer at every place: {channels(conv): count} "
                "{channels(conv): kernel|kernels} of {conv} {channels(conv): makes|make} {channels(conv): "
                "count} {channels(conv): map|maps} of {rows(relu): count} × {columns(relu): count} numbers.",
                "Point at a map for its numbers; click it for its kernel.",
                "Find out what is in such a number, and whether the strongest map matters most.",
            ],
            "state": {"zoom": "layer", "layer": "{relu}", "path": "{spot}"},
        },
        {
            "title": "What is in a number",
            "say": [
                "The largest number, {value(spot)}, is in map {channel(spot): count}. Before the ReLU it was "
                "a sum of products and a bias, {bias(cell(conv, row(spot), column(spot), channel(spot))): "
                "signed}, which does not depend on the image.",
                [
                    f"on_blank(spot) != 0 and {IN_GREY}",
                    "So it is not ink alone: on blank paper the same cell is {on_blank(spot)}.",
                ],
                [f"on_blank(spot) == 0 and {IN_GREY}", "On blank paper the same cell is 0."],
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "Later maps read maps",
            "if": "channels_read(second) > 1",
            "say": [
                "A kernel of {second} reads all {channels_read(second): count} maps before it, each with a "
                "slice of its own. One slice alone means nothing: only the sum of them all becomes a "
                "number.",
            ],
            "state": {"zoom": "cell", "path": "{largest(second)}"},
        },
        {
            "title": "Strong is not important",
            "say": [
                "Map {channel(spot): count}, with the largest number, is now switched off.",
                [
                    "same_after(gone)",
                    "The answer stays {predicted(1)}: {probability_after(gone): probability}, before "
                    "{probability(1): probability}.",
                ],
                [
                    "not same_after(gone)",
                    "The answer becomes {predicted_after(gone)} with {probability_after(gone): "
                    "probability}; before it was {predicted(1)} with {probability(1): probability}.",
                ],
            ],
            "names": {"gone": "off(relu, channel(spot))"},
            "state": {"changes": "{gone}"},
            "question": {
                "ask": "How does one find out which map matters most for this answer?",
                "choices": [
                    [
                        "Switch each off by itself and compare",
                        "1 == 1",
                        "Right: what counts is what becomes of the answer without it.",
                    ],
                    [
                        "Take the map with the largest number",
                        "1 == 0",
                        "The next layer may give it small weights.",
                    ],
                    [
                        "Take the first",
                        "1 == 0",
                        "Their order means nothing: it comes from the random start.",
                    ],
                ],
            },
        },
        {
            "title": "Their order means nothing",
            "say": [
                "If two kernels changed places, and the slices that read their maps too, every later "
                "number would be the same sum in another order. A second training gives other kernels in "
                "another order.",
                "So “map 3” is a name, not a rank.",
            ],
            "state": {"zoom": "layer", "layer": "{relu}", "path": "{spot}"},
        },
    ],
}
