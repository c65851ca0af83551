"""Questions about feature maps: how partial sums become a value, and how far a channel reaches.

Both are asked about a layer's own numbers, and answered by the engine.
"""

from __future__ import annotations

import math

import numpy as np

from cnnviz.channels.ablation import next_reader
from cnnviz.concepts.partial_sums import partial_sums
from cnnviz.layers.layer import Layer
from cnnviz.network import Run
from cnnviz.numbers import counted, signed_number
from cnnviz.teaching.questions.question import Question, choice_by, question


def value_from_partial_sums(
    run: Run, layer: str, channel: int, row: int, col: int, index: int = 0
) -> Question:
    """What stands in a feature map, given the partial sums of a cell.

    Parameters
    ----------
    run
        Of a network with that layer.
    layer
        A convolution.
    channel, row, col
        The cell.
    index
        The image's place in the batch.

    Returns
    -------
    Question
        The answer is read from the run.

    Raises
    ------
    ValueError
        for a layer that has no partial sums, or whose activation mixes channels.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> run = load_model("mnist_14k").run(load_mnist()[1][0][0])
    >>> q = value_from_partial_sums(run, "conv2d_3", 7, 4, 5)
    >>> q.answer.text == signed_number(run["conv2d_3"][0, 4, 5, 7])
    True
    """
    partial, node = partial_sums(run, layer, channel, index), run.network[layer]
    activation = node.activation
    if activation is not None and activation.axis is not None:
        raise ValueError(f"layer must have an activation of each number by itself, got {activation}")
    parts = partial.parts[row, col].astype(np.float64)
    total, bias = float(parts.sum()), partial.bias
    before, value = float(partial.value[row, col]), float(run[layer][index, row, col, channel])
    largest = float(parts[np.abs(parts).argmax()])
    after = "" if activation is None else f" It ends with {activation}."

    number = choice_by(signed_number)
    wrong = [
        number(
            total,
            f"The bias of this kernel, {signed_number(bias)}, is added too, once for each cell.",
            "leaving out the bias",
        ),
        number(
            largest + bias,
            "All partial sums count, the small ones as well. Choosing the largest is what max pooling does.",
            "the strongest input channel decides",
        ),
        number(
            float(parts.mean()) + bias,
            f"The {len(parts)} partial sums are added up, not averaged.",
            "a convolution averages its input channels",
        ),
        number(
            total / math.prod(node.weights["kernel"].shape[:2]) + bias,
            "The products in the window are added up, not averaged.",
            "a convolution averages over its window",
        ),
    ]
    if activation is not None:
        said = number(
            before, f"That is the pre-activation. {activation} comes after it.", "leaving out the activation"
        )
        silent = number(
            float(np.asarray(activation(np.append(parts, bias))).sum()),
            f"Partial sums are added as they are; {activation} sees only the whole, {signed_number(before)}.",
            "the activation is applied to each partial sum",
        )
        turned = number(
            abs(before),
            f"{activation} does not turn a sign round: it makes {signed_number(value)} of "
            f"{signed_number(before)}.",
            "the activation takes the magnitude",
        )
        wrong = [said, silent, *wrong, turned]
    text = f"{signed_number(before)}, the sum of all with the bias"
    why = f"That is {text}." if activation is None else f"{activation} of {text}."
    sums = f"one partial sum, {signed_number(total)}"
    if len(parts) > 1:
        sums = (
            f"{len(parts)} partial sums. Together they are {signed_number(total)}, the one of the largest "
            f"magnitude is {signed_number(largest)}"
        )
    return question(
        f"At row {row}, column {col} of channel {channel}, {layer} has {sums}, and the bias is "
        f"{signed_number(bias)}.{after} What does the feature map hold there?",
        number(value, why),
        wrong,
    )


def maps_that_change(run: Run, layer: str, channel: int, index: int = 0) -> Question:
    """How many of the next layer's outputs can change when a channel is switched off.

    Parameters
    ----------
    run
        Of the network; whether the channel says anything on its image is said in the answer.
    layer, channel
        What is switched off; a Conv2D or Dense must follow, see `ablation.next_reader`.
    index
        The image's place in the batch.

    Returns
    -------
    Question
        The answer counts the outputs with a weight on that channel that is not zero.

    Raises
    ------
    ValueError
        if no Conv2D or Dense layer follows.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> run = load_model("mnist_14k").run(load_mnist()[1][0][0])
    >>> maps_that_change(run, "conv2d_2", 3).answer.text
    '16'
    """
    net = run.network
    reader, channels = next_reader(net, layer), net[layer].output_shape[-1] or 1
    if reader is None or not (reader.is_convolution or reader.is_dense):
        raise ValueError(f"layer must have a Conv2D or Dense layer behind it, got {net[layer]}")
    weights = _on_channel(reader, channels, channel)
    count, outputs = int(weights.any(axis=0).sum()), reader.output_shape[-1] or 1
    what = "map" if reader.is_convolution else "sum"
    here = np.asarray(run[layer][index])[..., channel]
    said = "" if here.any() else " On this image nothing changes: the channel is 0 everywhere on it."

    number = choice_by("{:,}".format)
    cells = math.prod(reader.config["kernel_size"]) if reader.is_convolution else 1
    return question(
        f"Channel {channel} of {layer} is switched off. How many of the {counted(outputs, what)} of "
        f"{reader.name}, the next layer with weights, can that change, on one image or another?",
        number(
            count,
            f"So many of its {what}s have a weight on channel {channel} that is not 0, and add that channel "
            f"up with others.{said}",
        ),
        [
            number(
                1,
                f"Channel {channel} in is not channel {channel} out: {count} of the {outputs} outputs "
                f"{'reads' if count == 1 else 'read'} channel {channel}.",
                "map after map, each comes from the one of the same number",
            ),
            number(
                0,
                "Where the channel is not 0, what it adds is missing, and no other channel makes up for "
                f"it.{said}",
                "a single channel does not matter",
            ),
            number(
                cells if cells > 1 else channels,
                f"So many cells of channel {channel} a kernel covers at a time."
                if cells > 1
                else f"So many channels come in; {reader.name} has {counted(outputs, 'output')}.",
                "mistaking the kernel's cells for its channels"
                if cells > 1
                else "mistaking inputs for outputs",
            ),
            number(
                max(outputs - 1, 2),
                "No output is spared: there is no kernel without a weight on the channel."
                if count == outputs
                else f"{counted(outputs - count, 'kernel')} of {outputs} "
                f"{'has' if outputs - count == 1 else 'have'} no weight on the channel.",
                "one output belongs to another channel",
            ),
        ],
    )


def _on_channel(reader: Layer, channels: int, channel: int) -> np.ndarray:
    """The weights on a channel, (their number, outputs), of a convolution or of a dense layer on its maps."""
    kernel = reader.weights["kernel"]
    if reader.is_dense:
        return kernel.reshape(-1, channels, kernel.shape[-1])[:, channel]
    filters, groups = kernel.shape[3], reader.config["groups"]
    group, place = divmod(channel, kernel.shape[2])
    mine = np.arange(filters) // (filters // groups) == group
    return np.where(mine, kernel[:, :, place], 0).reshape(-1, filters)
