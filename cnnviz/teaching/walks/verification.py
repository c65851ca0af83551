"""Verification: a number adds up, was computed twice, and who else got the same."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import PIXELS, READS_PIXELS

VERIFICATION: dict[str, Any] = {
    "name": "verification",
    "title": "Verification",
    "needs": READS_PIXELS,
    "names": {**PIXELS, "spot": "largest(conv)"},
    "steps": [
        {
            "title": "Every number has a receipt",
            "say": [
                "Here, rounded to three digits, {products(conv): count} {products(conv): product "
                "adds|products add} up to {sum(spot): signed}, and the bias is {bias(spot): signed}: "
                "{value(spot)}.",
                "At the foot of the receipt stands what rounding leaves between this sum and the number "
                "that was computed. Find out why it need not be 0, and who else computed it.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
        },
        {
            "title": "Why not exactly the same?",
            "say": [
                "Numbers have 24 binary digits here, and each sum is rounded to them. So the result depends "
                "a little on the order in which a layer adds up.",
                "How far two orders can be apart is known beforehand, from the number of terms and their "
                "sizes: that is the bound which every comparison is held to.",
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
            "question": {
                "ask": "Two programs add the same 1,000 numbers in different orders and differ in the last "
                "digit. Which is wrong?",
                "choices": [
                    [
                        "Neither, if both are within the bound",
                        "1 == 1",
                        "Right: both had to round, each in its own way.",
                    ],
                    ["The slower one", "1 == 0", "Speed says nothing about rounding."],
                    ["Both", "1 == 0", "Each may be as near as rounding allows."],
                ],
            },
        },
        {
            "title": "Computed more than once",
            "say": [
                "NumPy computed the numbers that were saved; this page computes them anew for every "
                "change. A test holds the two together, layer by layer, and another holds NumPy to "
                "TensorFlow.",
            ],
            "state": {},
        },
    ],
}
