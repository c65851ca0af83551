"""Convolution: a kernel on a patch, its sum, place after place, and what size comes out."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import IN_GREY, PIXELS, READS_PIXELS, SLIDES

CONVOLUTION: dict[str, Any] = {
    "name": "convolution",
    "title": "Convolution",
    "needs": READS_PIXELS,
    "names": {**PIXELS, "spot": "largest(conv)"},
    "steps": [
        {
            "title": "Multiply, add up, move on",
            "say": [
                "A convolution lays a small table of weights, its kernel, on a patch of the image, "
                "multiplies each weight by the number below it and adds the products up. Then it moves on "
                "and does so again: one number for each place, which together are a map.",
                "Point at a number to see its patch, and find out what is in it and why so few weights are "
                "enough.",
            ],
            "state": {"zoom": "layer", "layer": "{conv}", "path": "{spot}"},
        },
        {
            "title": "One number, written out",
            "say": [
                "{window_rows(conv): count} × {window_columns(conv): count} weights{'' if channels(pixels) "
                "== 1 else ' for each channel of the image'} lie on as many {'pixels' if channels(pixels) "
                "== 1 else 'numbers'}. Rounded to three digits, their products add up to {sum(spot): "
                "signed}, the bias is {bias(spot): signed}, and together they are {value(spot)}.",
                [
                    "product(spot, 1) != 0",
                    "The largest product is {value(factor(spot, 1))} × {weight(spot, 1)} = {product(spot, "
                    "1)}.",
                ],
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
            "question": {
                "ask": "All pixels under the kernel are doubled. What comes out?",
                "choices": [
                    [
                        "Twice the sum, and the bias once",
                        "1 == 1",
                        "Right: every product doubles, and the bias is added as before: {2 * sum(spot) + "
                        "bias(spot)}.",
                    ],
                    [
                        "Twice the number",
                        "bias(spot) == 0",
                        "{'Right, for the bias is 0 here.' if bias(spot) == 0 else 'That would double the "
                        "bias as well, but it is added once, whatever the pixels are.'}",
                    ],
                    [
                        "Four times the sum, and the bias once",
                        "sum(spot) == 0",
                        "{'Right, for the sum is 0 here.' if sum(spot) == 0 else 'Only the pixels are "
                        "doubled, so each product grows by a factor of 2.'}",
                    ],
                ],
            },
        },
        {
            "title": "What is left without ink",
            "if": f"{SLIDES} and {IN_GREY}",
            "say": [
                "Now the paper under the kernel is wiped blank. Every product is 0, and the number is "
                "{value_after(spot, wiped(middle, reach))}: the bias alone.",
                "So what a map holds where nothing is drawn is its bias.",
            ],
            "names": {
                "reach": "max(window_rows(conv), window_columns(conv))",
                "middle": "cell(pixels, row(spot), column(spot), 0)",
            },
            "state": {"zoom": "cell", "path": "{spot}", "changes": "{wiped(middle, reach)}"},
        },
        {
            "title": "The same weights everywhere",
            "say": [
                "The kernel stands at {rows(conv) * columns(conv): count} places, each time with the same "
                "{products(conv): count} {products(conv): weight|weights} and the same bias.",
                "Drag a weight of the kernel, and the whole map follows: so few numbers are enough.",
            ],
            "state": {"zoom": "layer", "layer": "{conv}", "path": "{spot}"},
        },
        {
            "title": "What size comes out",
            "if": SLIDES,
            "say": [
                "The kernel must lie on the image with all its weights, so along {rows(pixels): count} rows "
                "it has {rows(pixels): count} − {window_rows(conv): count} + 1 = {rows(conv): count} places: "
                "the map has {rows(conv): count} × {columns(conv): count} numbers.",
                "Padding would give it more places, a stride or a dilation fewer.",
            ],
            "state": {"zoom": "layer", "layer": "{conv}", "path": "{spot}"},
            "question": {
                "ask": "How many rows has the map of a 7 × 7 kernel on an image of 28 rows, without "
                "padding, stride 1?",
                "choices": [
                    ["22", "1 == 1", "Right: 28 − 7 + 1 = 22."],
                    ["21", "1 == 0", "28 − 7 counts one place too few: the first place counts as well."],
                    [
                        "28",
                        "1 == 0",
                        "That many it has with padding “same”, which lets the kernel stand out over the "
                        "edge.",
                    ],
                ],
            },
        },
    ],
}
