"""Batch norm and dropout in a trained network: a scale and a shift for each map, and nothing dropped."""

from __future__ import annotations

from typing import Any

BATCH_NORM_AND_DROPOUT: dict[str, Any] = {
    "name": "batch-norm-and-dropout",
    "title": "Batch norm and dropout",
    "needs": "traceable() and stage('affine', 1) != '' and rows(stage('affine', 1)) > 1",
    "names": {
        "norm": "stage('affine', 1)",
        "spot": "largest(norm)",
        "before": "cell(source(norm), row(spot), column(spot), channel(spot))",
    },
    "steps": [
        {
            "title": "A scale and a shift",
            "say": [
                "In a trained network batch norm no longer looks at a batch: each number of a map is "
                "multiplied by one number, and another is added. Here, rounded to three digits, "
                "{value(before)} is multiplied by {scale(spot)}, and {shift(spot): signed} is added: "
                "{value(spot)}.",
                "Find out where these two come from, and what becomes of dropout.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "The same for a whole map",
            "say": [
                "All {rows(norm) * columns(norm): count} cells of a map share the two; each of the "
                "{channels(norm): count} {channels(norm): map|maps} has its own.",
                [
                    "parameters(norm) == 4 * channels(norm)",
                    "They come from four numbers a map: a mean and a variance, measured while the network "
                    "learned, and a scale and a shift that it learned.",
                ],
                [
                    "parameters(norm) != 4 * channels(norm)",
                    "They come from what was measured and learned during training.",
                ],
            ],
            "state": {"zoom": "layer", "layer": "{norm}", "path": "{spot}"},
            "question": {
                "ask": "Two images are shown, one after the other. Does the second get other scales "
                "because of the first?",
                "choices": [
                    [
                        "No",
                        "1 == 1",
                        "Right: a trained network uses what was measured in training, whatever it is shown.",
                    ],
                    ["Yes", "1 == 0", "Only while it learns: then the batch itself is measured."],
                ],
            },
        },
        {
            "title": "What it is for",
            "say": [
                "While the network learns, batch norm first brings each map to mean 0 and variance 1 over "
                "the batch. However the layers before it change, what follows gets numbers of a size that "
                "it is used to.",
                "So larger learning rates work, and the random start matters less.",
            ],
            "state": {},
        },
        {
            "title": "And dropout?",
            "say": [
                "While the network learns, dropout sets a share of the numbers to 0, in each batch different "
                "ones, so that no layer can rely on a single one.",
                "Afterwards nothing is dropped: what you see here is the whole network.",
            ],
            "state": {},
        },
    ],
}
