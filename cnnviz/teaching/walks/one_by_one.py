"""1x1: all maps at one place become other maps, nothing moves; a matrix, applied at each place."""

from __future__ import annotations

from typing import Any

_MIXES = (
    "traceable() and pointwise() != '' and stride(pointwise()) == 1 and rows(pointwise()) == "
    "rows(source(pointwise())) and columns(pointwise()) == columns(source(pointwise())) and "
    "channels_read(pointwise()) > 1 and channels_read(pointwise()) == channels(source(pointwise()))"
)

ONE_BY_ONE: dict[str, Any] = {
    "name": "one-by-one",
    "title": "1 × 1",
    "needs": _MIXES,
    "names": {
        "mixing": "pointwise()",
        "before": "source(mixing)",
        "spot": "largest(mixing)",
        "main": "factor(spot, 1)",
    },
    "steps": [
        {
            "title": "One place, through all maps",
            "say": [
                "A 1 × 1 kernel looks at a single place, but through all {channels_read(mixing): count} "
                "maps: the numbers that stand there, each times its weight, and the bias add up to "
                "{value(spot)}.",
                "Click another number of {mixing}: it is always one place, and always all maps. Find out "
                "what such a mixture is good for.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "Which map has the most say",
            "say": [
                [
                    "product(spot, 1) != 0",
                    "Here it is map {channel(main): count}: {value(main)} times its weight, {weight(spot, "
                    "1)}, adds {product(spot, 1): signed}.",
                ],
                [
                    "product(spot, 1) == 0",
                    "On this image all of its products are 0 here: only the bias is left, {bias(spot): "
                    "signed}.",
                ],
                "So it is not true that a 1 × 1 kernel multiplies a picture by a number: it adds up "
                "{channels_read(mixing): count} maps, each with a weight of its own.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "{channels_read(mixing): count} maps become {channels(mixing): count}",
            "say": [
                "{mixing} has {channels(mixing): count} such {channels(mixing): kernel|kernels}. Together "
                "they are one matrix of {channels_read(mixing): count} × {channels(mixing): count} "
                "weights, applied at each of the {rows(mixing) * columns(mixing): count} places by itself: "
                "a dense layer, at every place.",
            ],
            "state": {"zoom": "layer", "layer": "{mixing}", "path": "{spot}"},
            "question": {
                "ask": "All numbers at one place of the maps that go in change. How many numbers that "
                "come out, before the activation, can change?",
                "choices": [
                    [
                        "{channels(mixing): count}",
                        "1 == 1",
                        "Right: one in each map that comes out, at that very place.",
                    ],
                    [
                        "{9 * channels(mixing): count}",
                        "1 == 0",
                        "So many a 3 × 3 kernel could change: it reads the neighbours as well.",
                    ],
                    [
                        "{rows(mixing) * columns(mixing) * channels(mixing): count}",
                        "1 == 0",
                        "All other places read other numbers, which stay.",
                    ],
                ],
            },
        },
        {
            "title": "Nothing moves",
            "say": [
                "{rows(before): count} × {columns(before): count} stay {rows(mixing): count} × "
                "{columns(mixing): count}, and each number sees {field_rows(mixing): count} × "
                "{field_columns(mixing): count} pixels of the image, just like the numbers that it reads.",
                [
                    "channels(mixing) != channels_read(mixing)",
                    "Height and width stay; what changes is the depth, from {channels_read(mixing): count} "
                    "maps to {channels(mixing): count}.",
                ],
                [
                    "channels(mixing) == channels_read(mixing)",
                    "Height and width stay; here even the depth does, {channels(mixing): count} maps.",
                ],
            ],
            "state": {"path": "{spot}"},
        },
        {
            "title": "Take one mixture away",
            "if": "rectifies(reader(mixing)) and kind(last()) == 'softmax' and channels(last()) == "
            "cells(last())",
            "say": [
                "Now map {channel(spot): count} of {mixing} is switched off, behind its ReLU: of "
                "{channels(mixing): count} mixtures one is gone.",
                [
                    "same_after(gone)",
                    "It still says {predicted(1)}: {probability_after(gone): probability}, before "
                    "{probability(1): probability}. Undo it, and drag a weight of the mixture.",
                ],
                [
                    "not same_after(gone)",
                    "It says {predicted_after(gone)} with {probability_after(gone): probability}; before "
                    "it was {predicted(1)} with {probability(1): probability}. Undo it, and drag a weight "
                    "of the mixture.",
                ],
            ],
            "names": {"gone": "off(reader(mixing), channel(spot))"},
            "state": {"zoom": "layer", "layer": "{mixing}", "path": "{spot}", "changes": "{gone}"},
        },
        {
            "title": "What it is for",
            "say": [
                [
                    "channels(mixing) < channels_read(mixing)",
                    "What follows has {channels(mixing): count} maps to read and not "
                    "{channels_read(mixing): count}, so its kernels are less deep: fewer weights, fewer "
                    "products.",
                ],
                [
                    "channels(mixing) >= channels_read(mixing)",
                    "It makes {channels(mixing): count} mixtures of {channels_read(mixing): count} maps: "
                    "the next layer reads what was put together, not each by itself.",
                ],
                "{mixing} itself has {parameters(mixing): count} weights and biases. With an activation "
                "behind it, it can do more than mix.",
            ],
            "state": {},
        },
    ],
}
