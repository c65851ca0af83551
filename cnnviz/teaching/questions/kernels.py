"""Questions about kernels: what one answers on a plain area, and what two in a row amount to."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.numbers import counted, general
from cnnviz.ops.convolution import conv2d
from cnnviz.teaching.questions.question import Choice, Question, question, square


def on_a_plain_area(kernel: Any, brightness: float = 0.6) -> Question:
    """What a kernel answers where all pixels are the same.

    Parameters
    ----------
    kernel
        (height, width).
    brightness
        Of the area.

    Examples
    --------
    >>> print(on_a_plain_area([[-1.0, 0.0, 1.0]] * 3).answer.text)
    0
    """
    kernel = np.asarray(kernel, np.float64)
    area = np.full(kernel.shape, brightness)
    value = float(conv2d(area, kernel[:, :, None, None])[0, 0])
    # What is left of weights that cancel is rounding.
    value = 0.0 if abs(value) < 1e-12 * np.abs(kernel).sum() else value
    total = general(value / brightness, 4)
    middle = float(kernel[kernel.shape[0] // 2, kernel.shape[1] // 2])
    has_middle = kernel.shape[0] % 2 and kernel.shape[1] % 2
    return question(
        f"On a plain area all pixels have the brightness {brightness:g}. What does this kernel answer there?",
        Choice(general(value, 4), f"The weights sum to {total}, and {total} times {brightness:g} is this."),
        [
            Choice(
                general(brightness, 4),
                f"That holds for kernels whose weights sum to 1; these sum to {total}.",
                "a kernel leaves a plain area as it is",
            ),
            Choice(
                "0",
                f"That holds for kernels whose weights cancel; these sum to {total}.",
                "kernels answer to edges only",
            ),
            *(
                [
                    Choice(
                        general(middle * brightness, 4),
                        "All pixels under the kernel count, not the one in the middle alone.",
                        "only the middle weight counts",
                    )
                ]
                if has_middle
                else []
            ),
            Choice(
                general(float(np.abs(kernel).sum()) * brightness, 4),
                "Negative weights take away; their signs are part of the sum.",
                "weights count by their size",
            ),
            Choice(
                general(float(kernel.sum()), 4),
                "The sum of the weights is still to be multiplied with the brightness.",
                "the answer is the sum of the weights",
            ),
        ],
    )


def twice_in_a_row(size: int) -> Question:
    """The size of the one kernel that does what a kernel does in two passes.

    Parameters
    ----------
    size
        Of the kernel, (size, size).

    Examples
    --------
    >>> print(twice_in_a_row(3).answer.text)
    5 × 5
    """
    # The one kernel is what an impulse becomes in two passes; its size is how far that reaches.
    ones = np.ones((size, size, 1, 1))
    field = np.zeros((4 * size + 1, 4 * size + 1))
    field[2 * size, 2 * size] = 1
    left = conv2d(conv2d(field, ones, padding="same"), ones, padding="same") != 0
    side = int(left.any(axis=0).sum())

    return question(
        f"A kernel of {square(size)} is applied to the image, and then once more to the response. One single "
        "kernel can do both at once, whatever the weights are. How large must it be for that?",
        Choice(
            square(side),
            f"The second pass reads {size} responses across, the first of them {counted(size, 'cell')}, each "
            f"further one 1 more: {size} + {size} − 1. Where weights at the rim are 0, less is enough."
            if size > 1
            else "Each response is made of one pixel, and so is the second: two factors are one.",
        ),
        [
            Choice(
                square(size),
                "The second pass reads responses that have themselves read around them.",
                "the same kernel twice sees no farther",
            ),
            Choice(
                square(2 * size),
                "Windows of neighbouring responses overlap: each further response adds one column, not a "
                "kernel.",
                "sizes of kernels add up",
            ),
            Choice(
                square(size * size),
                "The windows of neighbouring responses overlap in all but one column.",
                "sizes of kernels multiply",
            ),
        ],
    )
