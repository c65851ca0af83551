"""Questions about a network as a whole: how many numbers it computes, and what its last score is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnviz.network import Network, Run
from cnnviz.receipts import explain
from cnnviz.teaching.questions.question import Choice, Question, question

if TYPE_CHECKING:
    from cnnviz.figures import LayerMaps


def products_of_the_score(run: Run) -> Question:
    """How many products add up to the score behind the prediction.

    Parameters
    ----------
    run
        Of one image, through a classifier whose last layer with a kernel gives a score a class.

    Returns
    -------
    Question
        Its answer is counted in the score's receipt.

    Examples
    --------
    >>> import cnnviz
    >>> run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    >>> products_of_the_score(run).answer.text
    '256'
    """
    layer = [layer for layer in run.network.layers if "kernel" in layer.weights][-1]
    best = int(run.output[0].argmax())
    if len(layer.output_shape) == 3:
        receipt = explain(run, layer.name, row=0, col=0, channel=best)
    else:
        receipt = explain(run, layer.name, channel=best)
    products, kernel = receipt.terms.product.size, layer.weights["kernel"]
    pixels = run[run.network.layers[0].name][0].size
    wrong = []
    if kernel.ndim == 4:
        wrong.append(
            Choice(
                f"{kernel[..., 0, 0].size:,}",
                f"That is the window in one input channel. But a kernel is as deep as its input, "
                f"{kernel.shape[-2]:,} channels here.",
                "a kernel as flat as it is drawn",
            )
        )
    return question(
        f"The prediction comes from the score of class {best}, one number of {layer.name}. How many products "
        "of a weight and a value are added up in its receipt, apart from the bias?",
        Choice(
            f"{products:,}",
            f"One for every number that {layer.name} reads, in all its input channels if it has several. The "
            "score's receipt lists them.",
        ),
        [
            *wrong,
            Choice(
                f"{pixels:,}",
                "The score depends on the pixels, those of its receptive field. But the layer itself reads "
                "the maps before it, not the pixels.",
                "taking the receptive field for what the layer reads",
            ),
            Choice(
                f"{kernel.size:,}",
                f"These are the weights of all {kernel.shape[-1]} scores together. Each has its own share.",
                "counting the whole layer's weights",
            ),
            Choice(
                f"{kernel.shape[-1]:,}",
                "That many scores go into the softmax. The score itself is older than that.",
                "taking the softmax for the score",
            ),
        ],
    )


def numbers_for_one_digit(net: Network, rows: Sequence[LayerMaps]) -> Question:
    """How many numbers the layers of a network compute for one image.

    Parameters
    ----------
    net
        The network.
    rows
        What `figures.network_maps` draws of it: from `figures.layers_of`.

    Returns
    -------
    Question
        Its answer counts the cells that are drawn, without those of the input.

    Examples
    --------
    >>> import cnnviz
    >>> net = cnnviz.load_model("mnist_maxpool")
    >>> rows = cnnviz.figures.layers_of(net.run(cnnviz.load_mnist()[1][0][0]))
    >>> numbers_for_one_digit(net, rows).answer.text
    '18,202'
    """
    computed = [row for row in rows if not row.pixels]
    cells = sum(row.values.size for row in computed)
    parameters, _, _ = net.count_params()
    maps = sum(row.values.shape[-1] for row in computed)
    pixels = sum(row.values.size for row in rows if row.pixels)
    return question(
        "Every cell in the picture above was computed for this one digit. How many are there, all layers "
        "together, the image aside?",
        Choice(
            f"{cells:,}",
            f"They were all made from {pixels:,} pixels with {parameters:,} parameters: the same few weights "
            "are used at every place of a map, so there can be more numbers than weights.",
        ),
        [
            Choice(
                f"{parameters:,}",
                "These are the parameters, which training found. They stay the same for every digit; the "
                "cells are new for each.",
                "taking weights for activations",
            ),
            Choice(
                f"{maps:,}",
                "That many maps and units there are. A map has a number in each of its cells.",
                "counting a map as one number",
            ),
            Choice(
                f"{pixels * len(computed):,}",
                f"That would be {pixels:,} in each of {len(computed)} layers. But maps get smaller, and "
                "there are several a layer.",
                "that a layer makes one image out of one image",
            ),
        ],
    )
