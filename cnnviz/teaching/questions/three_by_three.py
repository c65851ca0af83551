"""Questions about stacks of small kernels: how far they see, and when they save."""

from __future__ import annotations

from cnnviz.channels import conv_cost
from cnnviz.receptive_fields import Conv, receptive_field
from cnnviz.teaching.questions.question import Choice, Question, question, square


def how_far_a_stack_sees(depth: int, size: int = 5) -> Question:
    """What a unit on top of a stack of square kernels with stride 1 sees.

    Parameters
    ----------
    depth
        Layers in the stack, at least 1.
    size
        Of their kernels, at least 2.

    Examples
    --------
    >>> how_far_a_stack_sees(3, 5).answer.text
    '13 × 13'
    """
    if depth < 1 or size < 2:
        raise ValueError(f"depth must be at least 1 and size at least 2, got {depth!r}, {size!r}")
    field = receptive_field([Conv(size) for _ in range(depth)])
    seen = list(field.values())[-1].size[0]

    stack = "A convolution has" if depth == 1 else f"{depth} convolutions, one on the other, have"
    return question(
        f"{stack} {square(size)} kernels and stride 1. How many cells of the image does a unit on top see?",
        Choice(
            square(seen or 0),
            f"The first layer sees {size}, each further one adds {size} − 1 = {size - 1} along each axis.",
        ),
        [
            Choice(
                square(depth * size),
                "Neighbouring windows overlap, so a further layer adds one less than its kernel's size.",
                "sizes of kernels add up",
            ),
            Choice(
                square(size),
                "It reads so many cells of the layer below, and each of those has seen more.",
                "a unit sees as much as its kernel is large",
            ),
            Choice(
                square(2 * depth + 1),
                "That is a stack of 3 × 3 kernels: those add 2 a layer.",
                "a layer adds two, whatever its kernel",
            ),
            Choice(
                square(size**depth),
                "Windows would have to lie side by side for that; with stride 1 they overlap.",
                "sizes of kernels multiply",
            ),
            Choice(
                square(1),
                "It reads a window of the layer below, not the one cell at its own place.",
                "a unit sees the pixel at its place",
            ),
        ],
    )


def saving_with_more_channels(depth: int, channels: int, times: int = 2) -> Question:
    """What more channels in all layers do to the weights that a stack of 3x3 kernels saves.

    Parameters
    ----------
    depth
        Layers in the stack, at least 1.
    channels
        In and out of every layer.
    times
        How many times as many they become.

    Examples
    --------
    >>> saving_with_more_channels(3, 16).answer.text
    '1.81 times'
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth!r}")
    side = 2 * depth + 1

    def saving(count: int) -> float:
        one = conv_cost(count, count, side, bias=False).parameters
        return one / (depth * conv_cost(count, count, 3, bias=False).parameters)

    now, then = saving(channels), saving(times * channels)

    words = "{:.2f} times".format
    stack = f"{depth} stacked 3 × 3 layers" if depth > 1 else "one 3 × 3 layer"
    return question(
        f"With {channels} channels everywhere, and biases aside, one {side} × {side} layer has {words(now)} "
        f"the weights of {stack}. With {times * channels} channels everywhere, how many times as many?",
        Choice(
            words(then),
            f"Both grow with the square of the channels, by {times * times}, so their ratio stays: "
            f"{side}² over {depth} · 3².",
        ),
        [
            Choice(
                words(now * times),
                "The one kernel grows, and the stack grows just as much.",
                "only the large kernel pays for channels",
            ),
            Choice(
                words(now * times**2),
                "The one kernel has that many times the weights, and so has each layer of the stack.",
                "only the large kernel pays for channels in and out",
            ),
            Choice(
                words(now / times),
                "A stack has more layers, but each of them is as much smaller as before.",
                "a stack pays for channels in every layer, the large kernel once",
            ),
        ],
    )
