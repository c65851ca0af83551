"""Questions about receptive fields: how one grows by a layer, and what two neighbours share.

Answers come from the table's own arithmetic, along columns; weights play no part.
"""

from __future__ import annotations

from cnnviz.numbers import counted, minus
from cnnviz.receptive_fields import Conv, ReceptiveField, receptive_field
from cnnviz.teaching.questions.question import Question, choice_by, question


def one_more_layer(field: ReceptiveField, kernel: int = 5) -> Question:
    """How many pixels wide the field gets if a convolution is put on a layer.

    Parameters
    ----------
    field
        Of the layer, whose size and step along columns must be whole numbers.
    kernel
        The size of the new convolution's kernel; its stride is 1, and it pads nothing.

    Raises
    ------
    ValueError
        if the layer has no such size or step, or the kernel is smaller than 2.

    Examples
    --------
    >>> import cnnviz
    >>> field = cnnviz.receptive_field(cnnviz.load_model("mnist_14k"))["conv2d_3"]
    >>> one_more_layer(field).answer.text  # 10 + (5 - 1) * 2
    '18 pixels'
    """
    size, step = _columns(field)
    if kernel < 2:
        raise ValueError(f"kernel must be at least 2 to make a field grow, got {kernel}")
    # To the layers above, a layer with this field and step is no different from a single convolution.
    grown = receptive_field([Conv(size, strides=step), Conv(kernel)])["conv_1"].size[1]

    pixels = choice_by("{:,} pixels".format)
    return question(
        f"A unit of {field.name} sees {counted(size, 'pixel')} across, and its neighbour's field begins "
        f"{counted(step, 'pixel')} further on. A {kernel} × {kernel} convolution with stride 1 is put on "
        "it. How wide is the field of the new layer's units?",
        pixels(
            int(grown or 0),
            f"It sees {kernel} neighbours: the first sees {size}, each of the other {kernel - 1} adds a step "
            f"of {step}: {size} + {kernel - 1} · {step} = {grown}.",
        ),
        [
            pixels(
                size + kernel - 1,
                f"That takes the cells of {field.name} for pixels. They are {counted(step, 'pixel')} apart.",
                "forgetting the step between cells",
            ),
            pixels(
                kernel,
                f"{kernel} is how many cells of {field.name} it reads. They see {grown} pixels together.",
                "taking the kernel's size for the receptive field",
            ),
            pixels(
                size + kernel * step,
                f"The first of the {kernel} cells is in the {size} already; only {kernel - 1} are new.",
                "adding the whole kernel in place of one less",
            ),
            pixels(
                size * kernel,
                "The fields of neighbours overlap, so their widths do not add up."
                if step < size
                else "The fields of neighbours stand apart, and what lies between them is inside the field "
                "too.",
                "multiplying sizes as if fields did not overlap",
            ),
        ],
    )


def shared_pixels(field: ReceptiveField) -> Question:
    """How many columns of pixels two neighbouring units of a layer both see.

    Parameters
    ----------
    field
        Of a layer with two columns or more.

    Raises
    ------
    ValueError
        if the layer has one column only, or its size or step is no whole number.

    Examples
    --------
    >>> import cnnviz
    >>> fields = cnnviz.receptive_field(cnnviz.load_model("mnist_14k"))
    >>> shared_pixels(fields["conv2d_5"]).answer.text
    '16 columns'
    """
    size, step = _columns(field)
    if len(field.shape) != 3 or (field.shape[1] or 0) < 2:
        raise ValueError(f"{field.name} has no two neighbours in a row: its shape is {field.shape}")
    (first, last), (next_first, _) = (field.interval(1, u, clip=False) for u in (0, 1))
    both = max(last - next_first + 1, 0)

    columns = choice_by(lambda count: counted(count, "column"))
    return question(
        f"Two units of {field.name} are neighbours in a row. Each sees {counted(size, 'column')} of pixels. "
        "How many of these columns do both see, borders aside?",
        columns(
            both,
            f"One sees columns {minus(first)} to {minus(last)}; the next begins {step} further, at "
            f"{minus(next_first)}. {size} − {step} leaves {size - step}."
            if both
            else f"A step of {step} is no less than the {size} that each sees, so nothing is shared.",
        ),
        [
            columns(
                0,
                f"Fields do not lie side by side like tiles: the next one begins {step} further, not {size}.",
                "fields are tiles",
            ),
            columns(
                max(size - 1, 0),
                f"That would be so if neighbours were one pixel apart; here the step is {step}.",
                "forgetting the step between cells",
            ),
            columns(
                size,
                "Then they would see the same, and a layer could tell nothing about places.",
                "all units of a layer see the same",
            ),
            columns(
                step,
                f"{step} is what the next one sees that the first does not."
                if step <= size
                else f"{step} is how far apart the two fields begin, which is more than each is wide.",
                "taking what is new for what is shared",
            ),
        ],
    )


def _columns(field: ReceptiveField) -> tuple[int, int]:
    """Size and stride along columns, as whole numbers."""
    if len(field.size) == 2 and len(field.stride) == 2:
        size, step = field.size[1], field.stride[1]
        if isinstance(size, int) and isinstance(step, int) and step > 0:
            return size, step
    raise ValueError(f"{field.name} has no size and step along columns to ask about: {field!r}")
