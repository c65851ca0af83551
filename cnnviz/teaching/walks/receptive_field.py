"""The receptive field: what a number can see, how it grows, and that it sees nothing else."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import CLASSIFIES, IN_GREY, PIXELS, READS_PIXELS, SLIDES

RECEPTIVE_FIELD: dict[str, Any] = {
    "name": "receptive-field",
    "title": "Receptive field",
    "needs": f"{READS_PIXELS} and {CLASSIFIES} and stage('conv', 2) != '' and rows(stage('conv', 2)) > 1",
    "names": {
        **PIXELS,
        "second": "stage('conv', 2)",
        "spot": "largest(conv)",
        "deep": "largest(second)",
        "scores": "source(last())",
        "corner": "cell(second, 0, 0, 0)",
        "bright": "largest(pixels)",
    },
    "steps": [
        {
            "title": "What can one number see?",
            "say": [
                "This number of {conv} was made from {field_rows(conv): count} × {field_columns(conv): "
                "count} pixels, marked on the image, and from no others: that is its receptive field.",
                "Point at any number of any map, and its field is marked.",
                "Find out how it grows from layer to layer, and whether a number really sees nothing else.",
            ],
            "state": {"path": "{spot}"},
        },
        {
            "title": "A layer later it is larger",
            "say": [
                "This number of {second} reads {window_rows(second): count} × {window_columns(second): "
                "count} cells, each of which sees a field of its own. These fields overlap: together they "
                "are {field_rows(second): count} × {field_columns(second): count} pixels.",
            ],
            "state": {"path": "{deep}"},
        },
        {
            "title": "Outside: it does not care",
            "if": f"{SLIDES} and {IN_GREY} and value(bright) > 0 and (row(bright) >= field_rows(second) or "
            f"column(bright) >= field_columns(second))",
            "say": [
                "The number at the top left of {second} sees rows 0 to {field_rows(second) - 1: count} and "
                "columns 0 to {field_columns(second) - 1: count}.",
                "The pixel with the most ink, in row {row(bright): count}, column {column(bright): count}, "
                "lies outside. It is now wiped blank, and this number is still {value_after(corner, "
                "wiped(bright, 0))}: paint anywhere outside its field, and it stays.",
            ],
            "state": {"path": "{corner}", "changes": "{wiped(bright, 0)}"},
        },
        {
            "title": "Inside: it follows",
            "if": f"{IN_GREY} and ends_on_ink(deep)",
            "say": [
                "Follow the largest number of {second} down to the pixels, and you end within its field: at "
                "row {row(end): count}, column {column(end): count}.",
                "That pixel is now wiped blank, and the number is {value_after(deep, wiped(end, 0))}; it was "
                "{value(deep)}.",
            ],
            "names": {"end": "path_end(deep)"},
            "state": {"path": "{deep}", "changes": "{wiped(end, 0)}"},
        },
        {
            "title": "How it grows",
            "say": [
                "From layer to layer the sides grow: {fields()}. A kernel of k cells adds k − 1 steps, and "
                "a step is the distance in pixels between two neighbouring cells, which a stride of 2 "
                "doubles.",
                "A 1 × 1 kernel adds nothing.",
            ],
            "state": {"path": "{scored(1)}"},
            "question": {
                "ask": "Cells of a layer see 6 pixels and are 2 pixels apart. How many does a 3 × 3 "
                "kernel on it see?",
                "choices": [
                    ["10", "1 == 1", "Right: 6 + (3 − 1) · 2 = 10."],
                    ["8", "1 == 0", "That takes its cells for pixels: they are 2 pixels apart."],
                    ["18", "1 == 0", "The three fields overlap, so they are not simply added up."],
                ],
            },
        },
        {
            "title": "At the end",
            "say": [
                [
                    "field_rows(scores) >= rows(pixels) and field_columns(scores) >= columns(pixels)",
                    "The scores see {field_rows(scores): count} × {field_columns(scores): count} pixels: "
                    "the whole image. Otherwise the network would have to answer without having seen all of "
                    "it.",
                ],
                [
                    "field_rows(scores) < rows(pixels) or field_columns(scores) < columns(pixels)",
                    "The scores see {field_rows(scores): count} × {field_columns(scores): count} of the "
                    "{rows(pixels): count} × {columns(pixels): count} pixels.",
                ],
                "What it can see is not what it makes use of: pixels in the middle have many ways to a "
                "number, those at the edge few.",
            ],
            "state": {"path": "{path(scored(1))}"},
        },
    ],
}
