"""From pixel to answer, and back: what a network makes of one digit, why, what would change its mind."""

from __future__ import annotations

from typing import Any

from cnnviz.teaching.walks.subjects import CLASSIFIES, PIXELS, READS_AN_IMAGE

_POOLING: dict[str, Any] = {
    "title": "Pooling",
    "say": [
        "Pooling keeps the largest of {window_rows(pool): count} × {window_columns(pool): count} numbers "
        "and drops the others: here {value(spot)} stays.",
        "So {rows(source(pool)): count} × {columns(source(pool)): count} become {rows(pool): count} × "
        "{columns(pool): count}; the number of maps stays {channels(pool): count}.",
    ],
    "names": {"spot": "largest(pool)"},
    "state": {"zoom": "cell", "path": "{spot}"},
}

FROM_PIXEL_TO_ANSWER: dict[str, Any] = {
    "name": "from-pixel-to-answer",
    "title": "From pixel to answer, and back",
    "needs": f"{READS_AN_IMAGE} and {CLASSIFIES} and stage('conv', 2) != ''",
    "names": {
        **PIXELS,
        "spot": "largest(conv)",
        "relu": "reader(conv)",
        "second": "stage('conv', 2)",
        "mixing": "pointwise()",
        "pool": "stage('pool', 1)",
        "scores": "source(last())",
        "winner": "scored(1)",
    },
    "steps": [
        {
            "title": "A digit is numbers",
            "say": [
                "To the network this image is {rows(pixels): count} rows of {columns(pixels): count} "
                "numbers, {cells(pixels): count} in all: 0 is blank paper, 1 is full ink.",
                "{nonzero(pixels): count} of them {nonzero(pixels): is|are} not 0; the largest is "
                "{value(bright)}, in row {row(bright): count}, column {column(bright): count}, counted "
                "from 0.",
                "Follow them, layer by layer, to the answer, {predicted(1)}, and then from the answer back "
                "to the pixels that made it.",
            ],
            "names": {"bright": "largest(pixels)"},
            "state": {"zoom": "layer", "layer": "{pixels}"},
        },
        {
            "title": "A kernel looks at it",
            "say": [
                "A kernel is a small table of weights, here {window_rows(conv): count} × "
                "{window_columns(conv): count} of them. It lies on a patch of the image: each weight is "
                "multiplied by the number below it, and the products add up to one new number.",
                "Then it moves on: it has {rows(conv): count} × {columns(conv): count} places to stand, "
                "and so makes a map of {rows(conv) * columns(conv): count} numbers.",
            ],
            "state": {
                "zoom": "layer",
                "layer": "{conv}",
                "path": "{spot}",
                "play": "{conv}~{channel(spot): whole}~{row(spot) * columns(conv): whole}",
            },
        },
        {
            "title": "One sum, written out",
            "say": [
                "This is the largest number that came out: row {row(spot): count}, column {column(spot): "
                "count}, kernel {channel(spot): count}.",
                [
                    "product(spot, 1) != 0",
                    "Rounded to three digits, its products add up to {sum(spot): signed}; the largest is "
                    "{value(factor(spot, 1))} × {weight(spot, 1)} = {product(spot, 1)}. With the "
                    "bias, {bias(spot): signed}, that makes {value(spot)}.",
                ],
                [
                    "product(spot, 1) == 0",
                    "Each of its products is 0, so that only the bias is left: {value(spot)}.",
                ],
            ],
            "state": {"zoom": "cell", "path": "{spot}"},
            "question": {
                "ask": "The paper under the kernel is wiped blank. What number comes out?",
                "choices": [
                    [
                        "0",
                        "bias(spot) == 0",
                        "{'Right, for this bias is 0.' if bias(spot) == 0 else 'All products become 0, but "
                        "the bias is still added.'}",
                    ],
                    ["{bias(spot)}", "1 == 1", "Right: all products become 0, and the bias is left."],
                    [
                        "{value(spot)}, as before",
                        "value(spot) == bias(spot)",
                        "{'Right, since there is no ink under it now.' if value(spot) == bias(spot) else "
                        "'The products were made with the ink, and become 0.'}",
                    ],
                ],
            },
        },
        {
            "title": "Many kernels, many maps",
            "say": [
                "Each kernel has weights of its own, passes over the whole image and makes one map: here "
                "{channels(conv): count} {channels(conv): kernel makes|kernels make} {channels(conv): "
                "count} {channels(conv): map|maps}.",
                "That takes {parameters(conv): count} weights and biases, however large the image is. On "
                "this image the strongest answer is in map {liveliest(conv): count}.",
            ],
            "state": {"zoom": "layer", "layer": "{conv}"},
        },
        {
            "title": "ReLU: what is negative becomes 0",
            "if": "rectifies(relu)",
            "say": [
                "A ReLU leaves positive numbers as they are and makes every negative one 0.",
                "Here {negative(conv): count} of {cells(conv): count} numbers {negative(conv): was|were} "
                "negative, and {nonzero(relu): count} {nonzero(relu): is|are} left that {nonzero(relu): "
                "is|are} not 0.",
            ],
            "state": {"zoom": "layer", "layer": "{relu}"},
            "question": {
                "ask": "What becomes of {value(low)}, the number at row {row(low): count}, column "
                "{column(low): count} of map {channel(low): count}?",
                "choices": [
                    [
                        "0",
                        "value(low) <= 0",
                        "{'Right.' if value(low) <= 0 else 'It is positive, so it stays.'}",
                    ],
                    [
                        "It stays {value(low)}",
                        "value(low) >= 0",
                        "{'Right.' if value(low) >= 0 else 'It is negative, so it becomes 0.'}",
                    ],
                ],
            },
            "names": {"low": "smallest(conv)"},
        },
        {
            "title": "The norm: a scale and a shift",
            "if": "stage('affine', 1) != ''",
            "say": [
                "Then each map is multiplied by one number, and another is added: the same two for all its "
                "cells. So the next layer gets numbers of a size that it is used to.",
                "Here, rounded to three digits, {value(before)} × {scale(largest(norm))} "
                "{'+' if shift(largest(norm)) >= 0 else '−'} {abs(shift(largest(norm)))} = "
                "{value(largest(norm))}.",
            ],
            "names": {
                "norm": "stage('affine', 1)",
                "before": "cell(source(norm), row(largest(norm)), column(largest(norm)), "
                "channel(largest(norm)))",
            },
            "state": {"zoom": "cell", "path": "{largest(norm)}"},
        },
        {**_POOLING, "if": "takes_largest(pool) and order(pool) < order(second)"},
        {
            "title": "Depth: the second layer reads all maps",
            "if": "rows(second) > 1 and channels_read(second) == channels(source(second)) and "
            "channels_read(second) > 1",
            "say": [
                "The next kernel does not look at one map: it reads the same patch in all "
                "{channels_read(second): count} maps at once.",
                "{window_rows(second): count} × {window_columns(second): count} places in each of "
                "{channels_read(second): count} maps are {products(second): count} products, and all of "
                "them make one number: {value(largest(second))}.",
            ],
            "state": {"zoom": "cell", "path": "{largest(second)}"},
        },
        {
            "title": "1 × 1: maps are mixed, nothing moves",
            "if": "mixing != '' and stride(mixing) == 1 and rows(mixing) == rows(source(mixing)) "
            "and columns(mixing) == columns(source(mixing)) and channels_read(mixing) == "
            "channels(source(mixing)) and channels_read(mixing) > 1",
            "say": [
                "This kernel is 1 × 1: it looks at one place only, but through all {channels_read(mixing): "
                "count} maps. Each of its numbers is a mix of the {channels_read(mixing): count} that "
                "stand there.",
                "So {channels_read(mixing): count} maps become {channels(mixing): count} and nothing "
                "moves: they are still {rows(mixing): count} × {columns(mixing): count}, and each number "
                "still sees {field_rows(mixing): count} × {field_columns(mixing): count} pixels.",
            ],
            "state": {"zoom": "cell", "path": "{largest(mixing)}"},
            "question": {
                "ask": "How many weights and biases does this layer have?",
                "choices": [
                    [
                        "{channels(mixing): count}",
                        "parameters(mixing) == channels(mixing)",
                        "That is one for each map that comes out. Each of them needs a weight for every "
                        "map that goes in.",
                    ],
                    [
                        "{parameters(mixing): count}",
                        "1 == 1",
                        "Right: {channels_read(mixing): count} weights for each of {channels(mixing): "
                        "count} maps{', and a bias for each' if parameters(mixing) != products(mixing) * "
                        "channels(mixing) else ''}.",
                    ],
                    [
                        "{9 * products(mixing) * channels(mixing): count}",
                        "parameters(mixing) == 9 * products(mixing) * channels(mixing)",
                        "So many weights a 3 × 3 kernel would need: nine places in place of one.",
                    ],
                ],
            },
        },
        {**_POOLING, "if": "takes_largest(pool) and order(pool) > order(second)"},
        {
            "title": "Each layer sees more",
            "say": [
                "A number of the first layer sees {field_rows(conv): count} × {field_columns(conv): count} "
                "pixels; a later one that reads several of those sees more. From layer to layer the sides "
                "grow: {fields()}.",
                [
                    "whole",
                    "The scores at the end see {field_rows(scores): count} × {field_columns(scores): "
                    "count}: the whole image.",
                ],
                [
                    "not whole",
                    "The scores at the end see {field_rows(scores): count} × {field_columns(scores): "
                    "count} of the {rows(pixels): count} × {columns(pixels): count} pixels.",
                ],
            ],
            "names": {
                "whole": "field_rows(scores) >= rows(pixels) and field_columns(scores) >= columns(pixels)"
            },
            "state": {"path": "{winner}"},
        },
        {
            "title": "One score for each class",
            "say": [
                "In the end one number is left for each class: {cells(scores): count} scores, each a sum "
                "of {products(scores): count} products like the very first one.",
                "The highest is {score(1)}, for {predicted(1)}. Next comes {predicted(2)} with {score(2)}.",
            ],
            "state": {"zoom": "cell", "path": "{winner}"},
        },
        {
            "title": "Softmax: scores become shares",
            "say": [
                "Softmax takes e to the power of each score and divides by the sum of them all, so that "
                "the shares add up to 1.",
                "{predicted(1)} gets {probability(1): probability}, {predicted(2)} gets {probability(2): "
                "probability}. A lead of {score(1) - score(2)} in the scores is a factor of {exp(score(1) "
                "- score(2))} here.",
            ],
            "state": {"path": "{answer(1)}"},
            "question": {
                "ask": "If every score were 1 higher, what would happen to the shares?",
                "choices": [
                    [
                        "Nothing",
                        "1 == 1",
                        "Right: every power grows by the same factor, e, and so does their sum.",
                    ],
                    ["All would grow", "1 == 0", "They cannot: they always add up to 1."],
                    [
                        "{predicted(1)} would get more",
                        "1 == 0",
                        "Its power grows by a factor of e, but so do all others and the sum.",
                    ],
                ],
            },
        },
        {
            "title": "Why {predicted(1)}? Back to the pixels",
            "say": [
                "Blank paper would give {predicted(1)} a score of {on_blank(winner)}; this image gives it "
                "{score(1)}. The way back goes, layer by layer, to the number through which ink did most "
                "of that.",
                [
                    "ends_on_ink(winner)",
                    "After {path_length(winner): count} {path_length(winner): step|steps} it ends on ink: "
                    "the pixel in row {row(end): count}, column {column(end): count}, which is "
                    "{value(end)}.",
                ],
                [
                    "not ends_on_ink(winner)",
                    "But here ink makes no difference to a number on the way, so that it ends before it "
                    "comes to a pixel.",
                ],
            ],
            "names": {"end": "path_end(winner)"},
            "state": {"path": "{path(winner)}"},
        },
        {
            "title": "Is that so? Take it away",
            "if": "ends_on_ink(winner)",
            "say": [
                "Now that pixel is wiped blank, with all that are up to 2 rows or columns away, and the "
                "network is computed anew.",
                [
                    "same_after(wiped(end, 2))",
                    "It still says {predicted(1)}, with {probability_after(wiped(end, 2)): probability}; "
                    "before, it said so with {probability(1): probability}.",
                ],
                [
                    "not same_after(wiped(end, 2))",
                    "Now it says {predicted_after(wiped(end, 2))}, with {probability_after(wiped(end, 2)): "
                    "probability}; before, it said {predicted(1)}, with {probability(1): probability}.",
                ],
            ],
            "names": {"end": "path_end(winner)"},
            "state": {"changes": "{wiped(end, 2)}"},
        },
        {
            "title": "What would change its mind?",
            "say": [
                "A search tries squares of 1 to {most_side(): count} pixels a side, inked or wiped blank, "
                "and runs each through the whole network: of each size the {most_places(): count} whose "
                "pixels promise most, by their gradient.",
                [
                    "flip() != ''",
                    "After {tried(): count} {tried(): try|tries} this was the smallest that does it: "
                    "{flip_side(): count} × {flip_side(): count} {flip_side(): pixel|pixels} from row "
                    "{flip_row(): count}, column {flip_column(): count}, {'inked' if flip_inks() else 'wiped "
                    "blank'}. Now it says "
                    "{predicted_after(flip())}, with {probability_after(flip()): probability}; before, it "
                    "said {predicted(1)}, with {probability(1): probability}.",
                ],
                [
                    "flip() == ''",
                    "{tried(): count} {tried(): square was|squares were} tried, and none changes its mind: "
                    "it stays with {predicted(1)}. That is as far as this search goes.",
                ],
            ],
            "searches": True,
            "state": {"changes": "{flip()}"},
        },
        {
            "title": "Now you",
            "say": [
                "{cells(pixels): count} pixels, {parameters(): count} learned numbers, and the answer "
                "{predicted(1)}: nothing else went in, and every number has its receipt.",
                "Paint on the image, turn a weight, switch a map off: all that follows is computed as you "
                "do it.",
            ],
            "state": {},
        },
    ],
}
