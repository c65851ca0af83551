"""Kernels: what one looks for, where it finds it and its opposite, and a well-known one in its place."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import CLASSIFIES, IN_GREY, PIXELS, READS_PIXELS

KERNELS: dict[str, Any] = {
    "name": "kernels",
    "title": "Kernels",
    "needs": f"{READS_PIXELS} and {CLASSIFIES}",
    "names": {
        **PIXELS,
        "spot": "largest(conv)",
        "low": "smallest(conv)",
        "relu": "reader(conv)",
        "swap": "swapped(conv, channel(spot), 'sobel x')",
    },
    "steps": [
        {
            "title": "What a kernel looks for",
            "say": [
                "A kernel’s weights say which pixels count, and whether for or against: the sum is large "
                "where {'ink lies on positive weights and blank paper' if channels(pixels) == 1 else 'large "
                "numbers lie on positive weights and small ones'} on negative ones.",
                "{conv} has {channels(conv): count} {channels(conv): kernel|kernels}; their weights were "
                "learned. Find out where one fits best, and what becomes of the answer without it.",
            ],
            "state": {"zoom": "layer", "layer": "{conv}", "path": "{spot}"},
        },
        {
            "title": "Where it fits best",
            "say": [
                "The largest number of all, {value(spot)}, is in map {channel(spot): count}: of all "
                "patches and all kernels, these two together give the most.",
                "Drag a weight of the kernel, and watch the number.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "And where the opposite stands",
            "say": [
                "The smallest number, {value(low)}, is in map {channel(low): count}.",
                [
                    f"sum(low) < 0 and {IN_GREY}",
                    "Its products add up to {sum(low): signed}: here ink lies on negative weights.",
                ],
                [
                    f"sum(low) < 0 and not {IN_GREY}",
                    "Its products add up to {sum(low): signed}: those below 0 outweigh the others.",
                ],
            ],
            "state": {"zoom": "cell", "path": "{low}"},
        },
        {
            "title": "A well-known one in its place",
            "if": "swap != ''",
            "say": [
                "Now Sobel’s kernel for x stands in place of kernel {channel(spot): count}. It subtracts the "
                "left from the right, so it answers where ink begins or ends from left to right: at this "
                "place it gives, with the bias, {value_after(spot, swap)}.",
                [
                    "same_after(swap)",
                    "The other layers have never seen such a map, and yet the answer stays {predicted(1)}: "
                    "{probability_after(swap): probability}, before {probability(1): probability}.",
                ],
                [
                    "not same_after(swap)",
                    "The other layers have never seen such a map: now the answer is "
                    "{predicted_after(swap)} with {probability_after(swap): probability}, before it was "
                    "{predicted(1)} with {probability(1): probability}.",
                ],
            ],
            "state": {"zoom": "layer", "layer": "{conv}", "path": "{spot}", "changes": "{swap}"},
            "question": {
                "ask": "A kernel’s weights add up to 0. What does it give where the paper is evenly "
                "grey, but for the bias?",
                "choices": [
                    [
                        "0",
                        "1 == 1",
                        "Right: each weight is multiplied by the same grey, and the weights add up to 0.",
                    ],
                    ["The grey", "1 == 0", "That is what weights that add up to 1 would give: a mean."],
                    [
                        "It depends on where",
                        "1 == 0",
                        "The patch is the same everywhere, and so are the weights.",
                    ],
                ],
            },
        },
        {
            "title": "Is a kernel important?",
            "if": "rectifies(relu)",
            "say": [
                "Now map {channel(spot): count}, with the largest number, is switched off.",
                [
                    "same_after(gone)",
                    "The answer stays {predicted(1)}: {probability_after(gone): probability}, before "
                    "{probability(1): probability}. A large number alone does not make a map important.",
                ],
                [
                    "not same_after(gone)",
                    "Without it the answer is {predicted_after(gone)} with {probability_after(gone): "
                    "probability}; before it was {predicted(1)} with {probability(1): probability}.",
                ],
            ],
            "names": {"gone": "off(relu, channel(spot))"},
            "state": {"changes": "{gone}"},
        },
    ],
}
