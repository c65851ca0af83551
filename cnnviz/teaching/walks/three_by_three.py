"""3x3: small kernels in a row see as much as a large one, with fewer weights; what they cannot do."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import PIXELS, READS_PIXELS

_FIRST, _SECOND = "stage('conv', 1)", "stage('conv', 2)"
_CHAINED = (
    f"{_SECOND} != '' and window_rows({_FIRST}) == 3 and window_columns({_FIRST}) == 3 and "
    f"window_rows({_SECOND}) == 3 and window_columns({_SECOND}) == 3 and stride({_FIRST}) == 1 and "
    f"field_rows({_SECOND}) == 5 and field_columns({_SECOND}) == 5 and channels_read({_SECOND}) == "
    f"channels(source({_SECOND})) and rows({_SECOND}) > 1"
)

THREE_BY_THREE: dict[str, Any] = {
    "name": "three-by-three",
    "title": "3 × 3",
    "needs": f"{READS_PIXELS} and {_CHAINED}",
    "names": {
        **PIXELS,
        "second": _SECOND,
        "spot": "largest(second)",
        # Another stack, in thought: so many layers, what they see, and the weights of both.
        "deep": "3",
        "wide": "1 + 2 * deep",
        "few": "9 * deep",
        "many": "wide * wide",
    },
    "steps": [
        {
            "title": "Two small ones see as much as a large one",
            "say": [
                "This number of {second} reads 3 × 3 cells, and each of those was made from 3 × 3 pixels: "
                "together that is 5 × 5 pixels, marked on the image.",
                "So two 3 × 3 kernels in a row see as far as one of 5 × 5. Find out what that saves, and "
                "what it costs.",
            ],
            "state": {"path": "{spot}"},
        },
        {
            "title": "The number itself",
            "say": [
                "It reads its 3 × 3 cells in all {channels_read(second): count} maps: {products(second): "
                "count} products and the bias, {bias(spot): signed}, add up to {value(spot)}.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "Fewer weights",
            "say": [
                "From one map to one map, two 3 × 3 kernels have 2 · 9 = {2 * 9: count} weights, one of "
                "5 × 5 has {5 * 5: count}. {deep: count} kernels of 3 × 3 have {few: count} and see "
                "{wide: count} × {wide: count} pixels, for which one kernel needs {many: count}.",
                "With C maps before, between and behind them, all these numbers are C · C times as large.",
            ],
            "state": {"zoom": "layer", "layer": "{second}", "path": "{spot}"},
            "question": {
                "ask": "How many pixels does a number see behind four 3 × 3 convolutions in a row, with "
                "stride 1?",
                "choices": [
                    ["9 × 9", "1 == 1", "Right: 3, and 2 more with each further layer: 3 + 3 · 2 = 9."],
                    [
                        "12 × 12",
                        "1 == 0",
                        "The windows overlap: each further layer adds 2, one at each side.",
                    ],
                    ["81 × 81", "1 == 0", "Sizes add up, they are not multiplied, while the stride is 1."],
                ],
            },
        },
        {
            "title": "What a stack cannot do",
            "say": [
                "{many: count} weights can be any {many: count} numbers. Without an activation between them, "
                "{deep: count} kernels of 3 × 3 would be one of {wide: count} × {wide: count}, but only one "
                "that {few: count} weights can make.",
                "With activations between them they can do what no single kernel can: a sum cannot say "
                "“this, but only if that”.",
            ],
            "state": {"zoom": "layer", "layer": "{second}", "path": "{spot}"},
        },
        {
            "title": "What it costs",
            "say": [
                "Each further layer has maps of its own to be kept while the network learns: {conv} gives "
                "{cells(conv): count} numbers, {second} {cells(second): count}.",
                "Fewer weights, more memory: that is the trade.",
            ],
            "state": {},
        },
    ],
}
