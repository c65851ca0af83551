"""Pooling: the largest of each window stays, maps get smaller, what follows sees further."""

from __future__ import annotations

from typing import Any

POOLING: dict[str, Any] = {
    "name": "pooling",
    "title": "Pooling",
    "needs": "traceable() and stage('pool', 1) != '' and takes_largest(stage('pool', 1)) and "
    "rows(stage('pool', 1)) > 1",
    "names": {"pool": "stage('pool', 1)", "before": "source(pool)", "spot": "largest(pool)"},
    "steps": [
        {
            "title": "The largest stays",
            "say": [
                "Of {window_rows(pool): count} × {window_columns(pool): count} numbers the largest stays, "
                "here {value(spot)}; the others are dropped. Click any other number of {pool} for its "
                "window.",
                "Find out what is lost by that, and what the layers behind it gain.",
            ],
            "state": {"zoom": "layer", "path": "{spot}"},
            "question": {
                "ask": "One of the numbers that were dropped becomes a little larger. What comes out?",
                "choices": [
                    [
                        "The same, while it stays below the largest",
                        "1 == 1",
                        "Right: only the largest counts.",
                    ],
                    ["A little more", "1 == 0", "That is what an average would do."],
                    ["The sum of both", "1 == 0", "Nothing is added up here."],
                ],
            },
        },
        {
            "title": "Maps get smaller",
            "say": [
                "Each map is pooled by itself: its {rows(before): count} × {columns(before): count} numbers "
                "become {rows(pool): count} × {columns(pool): count}, and of {channels(pool): count} "
                "{channels(pool): map|maps} there {channels(pool): is|are} still {channels(pool): count}.",
                "Nothing is multiplied and nothing is learned: {pool} has {parameters(pool): count} weights.",
            ],
            "state": {"zoom": "layer", "layer": "{pool}", "path": "{spot}"},
        },
        {
            "title": "Where it was is forgotten",
            "say": [
                "The largest number may stand anywhere in its window: what comes out is the same. So a "
                "stroke that moves within a window changes little.",
                "A classifier can do without that; a network that must say where something is cannot.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "What follows sees further",
            "say": [
                "A number of {pool} sees {field_rows(pool): count} × {field_columns(pool): count} pixels, "
                "one of {before} {field_rows(before): count} × {field_columns(before): count}.",
                [
                    "stride(pool) > 1",
                    "And two neighbours of {pool} are {stride(pool): count} times as far apart on the "
                    "image as two of {before}: every kernel that follows reaches {stride(pool): count} "
                    "times as far.",
                ],
            ],
            "state": {"path": "{spot}"},
        },
    ],
}
