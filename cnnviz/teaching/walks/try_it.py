"""Try it: an image that is moved, wiped, painted on, and what the network then says."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import CLASSIFIES, PIXELS, READS_AN_IMAGE

TRY_IT: dict[str, Any] = {
    "name": "try-it",
    "title": "Try it",
    "needs": f"{READS_AN_IMAGE} and {CLASSIFIES}",
    "names": {**PIXELS, "far": "floor(columns(pixels) / 4)", "move": "shifted(0, far)"},
    "steps": [
        {
            "title": "Yours to change",
            "say": [
                "The network says {predicted(1)} with {probability(1): probability}; next comes "
                "{predicted(2)} with {probability(2): probability}. How much of the image must change "
                "before it changes its mind?",
                "Paint on it, or press Draw and make one of your own: everything is computed while you do.",
            ],
            "state": {},
        },
        {
            "title": "Moved aside",
            "say": [
                "The image now lies {far: count} pixels further to the right; what leaves the paper is lost.",
                [
                    "same_after(move)",
                    "The network still says {predicted(1)}, with {probability_after(move): probability}.",
                ],
                [
                    "not same_after(move)",
                    "Now the network says {predicted_after(move)} with {probability_after(move): "
                    "probability}.",
                ],
            ],
            "state": {"changes": "{move}"},
        },
        {
            "title": "Nothing at all",
            "say": [
                "Now the paper is blank, and the network says {predicted_after(blank)} with "
                "{probability_after(blank): probability}.",
                "It has {cells(last()): count} answers and must give one, however little there is to see.",
            ],
            "names": {"blank": "shifted(rows(pixels), 0)"},
            "state": {"changes": "{blank}"},
            "question": {
                "ask": "What do the {cells(last()): count} shares add up to, now that nothing is drawn?",
                "choices": [
                    ["1", "1 == 1", "Right: softmax divides by their sum, whatever the scores are."],
                    ["0", "1 == 0", "Softmax divides by their sum, so that they add up to 1 on every image."],
                    ["Less than before", "1 == 0", "They added up to 1 before, and they do now."],
                ],
            },
        },
        {
            "title": "As little as it takes",
            "say": [
                [
                    "flip() != '' and flip_side() > 1",
                    "A square of {flip_side(): count} × {flip_side(): count}, {'inked' if flip_inks() else "
                    "'wiped blank'}, is enough: now the network says {predicted_after(flip())} with "
                    "{probability_after(flip()): probability}. A search found it in {tried(): count} "
                    "{tried(): try|tries}: can you do it with fewer pixels?",
                ],
                [
                    "flip() != '' and flip_side() == 1",
                    "A single pixel, {'inked' if flip_inks() else 'wiped blank'}, is enough: now the network "
                    "says {predicted_after(flip())} with {probability_after(flip()): probability}. A search "
                    "found it in {tried(): count} {tried(): try|tries}: can you find another?",
                ],
                [
                    "flip() == ''",
                    "A search tried {tried(): count} {tried(): square|squares} of ink or blank paper, and "
                    "none changed its mind. Can you do it with the brush?",
                ],
            ],
            "searches": True,
            "state": {"changes": "{flip()}"},
        },
    ],
}
