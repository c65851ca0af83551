"""Exercises whose answers are sums of products: a cell of a convolution, its parts, a 1x1's mixing.

What a unit reads is taken from its receipt, rounded, and given to the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cnnviz import kernels, ops
from cnnviz.channels import mixing_layers
from cnnviz.layers.layer import Layer
from cnnviz.numbers import counted
from cnnviz.receipts import Receipt, explain
from cnnviz.teaching.exercises.exercise import (
    Answer,
    Asked,
    Exercise,
    Given,
    Material,
    Task,
    decimals_for,
    half_a_unit,
    listed,
    rounded,
    rounding_of_a_sum,
    telling,
)

DECIMALS = 2
"""Of what is to be found."""
FEW, MANY = 3, 9
"""How many products other than 0 a pupil adds up."""
SHOWN = 5
"""Channels of a 1x1 convolution that are printed."""
CARRIED_ON = (
    "As above: what is added has the decimals asked for. A mistake counts once: with another sum above, "
    "that sum and what is added is right."
)
MOST_CELLS = 16
"""Of a kernel that is printed."""


def cell_by_hand(about: Material) -> Exercise:
    """One cell of a convolution: one channel's products, the others' sum and the bias, the ReLU.

    Raises ValueError where the network has no convolution with a small kernel.
    """
    for layer in _convolutions(about):
        for receipt in _receipts(about, layer):
            for channel in about.in_order(range(len(receipt.terms.labels))):
                found = _cell(about, receipt, channel)
                if found is not None:
                    return found
    raise ValueError(
        f"{about.network.name} has no convolution whose cells can be computed by hand on test digit "
        f"{about.digit}"
    )


def _cell(about: Material, receipt: Receipt, group: int) -> Exercise | None:
    """The exercise about one unit's channel; None where there is too little or too much to compute."""
    terms, layer = receipt.terms, receipt.layer
    x, w = terms.factor[group], terms.weight[group]
    patch_digits, kernel_digits = decimals_for(x, 1), decimals_for(w, 2, 2)
    patch, kernel = rounded(x, patch_digits), rounded(w, kernel_digits)
    count = int(((patch != 0) & (kernel != 0)).sum())
    if not FEW <= count <= MANY:
        return None
    part = float(ops.conv2d(patch[:, :, None], kernel[:, :, None, None])[0, 0, 0])
    off, why = rounding_of_a_sum(count, patch_digits + kernel_digits, DECIMALS)
    flipped = float((patch * kernel[::-1, ::-1]).sum())
    if abs(flipped - part) <= 2 * off:
        return None
    others = float(rounded(float(terms.sum) - float(terms.contribution[group]), DECIMALS))
    bias = float(rounded(float(terms.bias), DECIMALS))
    several = len(terms.labels) > 1
    rest = others + bias if several else bias
    total = float(ops.conv2d(patch[:, :, None], kernel[:, :, None, None], bias=np.array([rest]))[0, 0, 0])
    exact = float(terms.contribution[group])
    spread = _spread(x, patch, w, kernel)
    whole = float(terms.total)
    own = spread + half_a_unit(DECIMALS) * (1 + several) + receipt.bound
    of = f", {terms.labels[group]}" if several else ""
    place = f"row {receipt.row}, column {receipt.col}, channel {receipt.channel}"
    given = [
        Given("patch", f"What it reads{of}", listed(patch), patch_digits),
        Given("kernel", f"The weights of the kernel{of}", listed(kernel), kernel_digits),
        *([Given("others", "All other channels together add", others, DECIMALS)] if several else []),
        Given("bias", "The bias", bias, DECIMALS),
    ]
    rows, cols = patch.shape
    return Exercise(
        Task(
            "cell",
            "One cell of a convolution",
            f"The number at {place} of {layer.name} is a sum. It reads {rows} × {cols} cells of "
            f"{_source(layer)}" + (f" in each of {len(terms.labels)} channels" if several else "") + ". "
            "Multiply each weight by the number that it lies on (without flipping anything) and add up.",
            tuple(given),
            (
                Asked("The sum of the products" + of, DECIMALS),
                Asked("The whole number before the activation", DECIMALS),
                Asked("The number after a ReLU", DECIMALS),
            ),
        ),
        (
            Answer(
                part,
                off,
                why,
                telling(
                    [
                        (flipped, "the kernel was flipped, as in the convolution of mathematics"),
                        (float((patch * kernel.T).sum()) if rows == cols else part, "rows and columns mixed"),
                        (float(patch.sum() * kernel.sum()), "sums multiplied, not products added"),
                    ],
                    part,
                    off,
                ),
                exact,
                spread + receipt.bound,
            ),
            Answer(
                total,
                off,
                CARRIED_ON,
                telling([(part, "nothing was added to the products")], total, off),
                whole,
                own,
            ),
            _after_a_relu(total, off, whole, own),
        ),
    )


def _after_a_relu(total: float, off: float, exact: float, spread: float) -> Answer:
    after = float(ops.relu(np.array([total]))[0])
    return Answer(
        after,
        off,
        "A ReLU brings no two numbers farther apart. It is right for the number found before.",
        telling([(abs(total), "the sign was dropped")], after, off) if total < 0 else (),
        max(exact, 0.0),
        spread,
    )


def sum_of_channels(about: Material) -> Exercise:
    """A unit from the sums of its channels, and without its strongest one.

    Raises ValueError where no convolution reads several channels.
    """
    for layer in _convolutions(about):
        for receipt in _receipts(about, layer):
            terms = receipt.terms
            if len(terms.labels) < 3:
                break
            chosen, _ = terms.shown(4)
            parts = rounded(terms.contribution[chosen], DECIMALS)
            rest = float(rounded(float(terms.sum) - float(terms.contribution[chosen].sum()), DECIMALS))
            bias = float(rounded(float(terms.bias), DECIMALS))
            strongest = int(np.argmax(np.abs(parts)))
            if np.sum(np.abs(parts) == abs(parts[strongest])) > 1 or not parts[strongest]:
                continue
            total = float(rounded(parts.sum() + rest + bias, DECIMALS))
            without = float(rounded(total - parts[strongest], DECIMALS))
            spread = (len(chosen) + 2) * half_a_unit(DECIMALS) + receipt.bound
            place = f"row {receipt.row}, column {receipt.col}, channel {receipt.channel}"
            names = tuple(terms.labels[group] for group in chosen)
            return Exercise(
                Task(
                    "channels",
                    "A number as a sum over channels",
                    f"The number at {place} of {layer.name} is a sum over {len(terms.labels)} channels of "
                    f"{_source(layer)}, and a bias. These are the sums of the {len(chosen)} channels that "
                    "weigh most.",
                    (
                        Given("parts", "Sums of these channels", listed(parts), DECIMALS, names),
                        Given("others", "All other channels together", rest, DECIMALS),
                        Given("bias", "The bias", bias, DECIMALS),
                    ),
                    (
                        Asked("The whole number before the activation", DECIMALS),
                        Asked(
                            "The same with the channel switched off that adds or takes away most", DECIMALS
                        ),
                        Asked("What a ReLU makes of that last number", DECIMALS),
                    ),
                ),
                (
                    Answer(
                        total,
                        0.0,
                        "Sums of numbers with the decimals asked for: nothing is rounded.",
                        telling([(total - bias, "the bias was left out")], total, 0.0),
                        float(terms.total),
                        spread,
                    ),
                    Answer(
                        without,
                        0.0,
                        "Also right: the number above less that channel's.",
                        telling([(total + parts[strongest], "added, not taken away")], without, 0.0),
                        float(terms.total) - float(terms.contribution[chosen[strongest]]),
                        spread,
                    ),
                    Answer(
                        float(ops.relu(np.array([without]))[0]),
                        0.0,
                        "It is right for the number found before.",
                    ),
                ),
            )
    raise ValueError(f"{about.network.name} has no convolution that reads three channels or more")


def pixel_by_hand(about: Material) -> Exercise:
    """One number of a 1x1 convolution, from the channels of one pixel.

    Raises ValueError where the network has none.
    """
    names = mixing_layers(about.network)
    if not names:
        raise ValueError(
            f"{about.network.name} has no 1×1 convolution; the bundled network that has one is mnist_14k"
        )
    layer = about.network[about.one_of(names)]
    for receipt in _receipts(about, layer):
        terms = receipt.terms
        groups, _ = terms.shown(SHOWN)
        x, w = terms.factor[groups, 0, 0], terms.weight[groups, 0, 0]
        digits, weight_digits = decimals_for(x, 1), decimals_for(w, 2, 2)
        pixel, column = rounded(x, digits), rounded(w, weight_digits)
        count = int(((pixel != 0) & (column != 0)).sum())
        part = float(ops.conv2d(pixel[None, None], column[None, None, :, None])[0, 0, 0])
        off, why = rounding_of_a_sum(count, digits + weight_digits, DECIMALS)
        several = len(terms.labels) > len(groups)
        others = float(rounded(float(terms.sum) - float(terms.contribution[groups].sum()), DECIMALS))
        bias = float(rounded(float(terms.bias), DECIMALS))
        rest = np.array([others + bias if several else bias])
        total = float(ops.conv2d(pixel[None, None], column[None, None, :, None], bias=rest)[0, 0, 0])
        if count < FEW or abs(total - bias) <= 2 * off or abs(bias) <= 2 * off:
            continue
        spread = _spread(x, pixel, w, column)
        own = spread + half_a_unit(DECIMALS) * (1 + several) + receipt.bound
        whole = float(terms.total)
        heads = tuple(terms.labels[group] for group in groups)
        return Exercise(
            Task(
                "mixing",
                "One pixel through a 1×1 convolution",
                f"{layer.name} mixes {counted(len(terms.labels), 'channel')}. At row {receipt.row}, column "
                f"{receipt.col} these {len(groups)} weigh most for output {receipt.channel}: what is "
                "read there, "
                "and the weights that it is multiplied with.",
                (
                    Given("pixel", "The pixel", listed(pixel), digits, heads),
                    Given("weights", "The weights", listed(column), weight_digits, heads),
                    *([Given("others", "All other channels together add", others, DECIMALS)] * several),
                    Given("bias", "The bias", bias, DECIMALS),
                ),
                (
                    Asked(f"The sum of these {len(groups)} products", DECIMALS),
                    Asked("The number that comes out, before the activation", DECIMALS),
                    Asked("The number after a ReLU", DECIMALS),
                ),
            ),
            (
                Answer(
                    part,
                    off,
                    why,
                    telling(
                        [(float(pixel.sum() * column.sum()), "sums multiplied, not products added")],
                        part,
                        off,
                    ),
                    float(terms.contribution[groups].sum()),
                    spread + receipt.bound,
                ),
                Answer(
                    total,
                    off,
                    CARRIED_ON,
                    telling([(total - bias, "the bias was left out")], total, off),
                    whole,
                    own,
                ),
                _after_a_relu(total, off, whole, own),
            ),
        )
    raise ValueError(f"{layer.name} mixes too little on test digit {about.digit} for an exercise")


BY_HAND = ("sobel x", "sobel y", "prewitt x", "prewitt y", "laplacian", "outline", "sharpen", "emboss")
"""Named kernels of whole numbers."""


def named_kernel_by_hand(about: Material) -> Exercise:
    """One cell of what a named kernel makes of the digit."""
    name = about.one_of(BY_HAND)
    kernel = kernels.named(name, 3).kernel
    image = rounded(about.run.input[0, :, :, 0], 1)
    places = [(r, c) for r in range(image.shape[0] - 2) for c in range(image.shape[1] - 2)]
    for row, col in about.in_order(places):
        patch = image[row : row + 3, col : col + 3]
        value = float(rounded(ops.conv2d(patch[:, :, None], kernel[:, :, None, None])[0, 0, 0], 1))
        wrong = telling(
            [
                (float((patch * kernel[::-1, ::-1]).sum()), "the kernel was flipped"),
                (float((patch * kernel.T).sum()), "rows and columns mixed"),
            ],
            value,
            0.025,
        )
        if np.count_nonzero(patch) >= 4 and len(set(patch.ravel().tolist())) > 2 and value:
            break
    else:
        raise ValueError(f"test digit {about.digit} has too little ink for an exercise")
    return Exercise(
        Task(
            "cell",
            f"The kernel “{name}”",
            f"The kernel “{name}” lies on rows {row} to {row + 2} and columns {col} to {col + 2} of "
            "the digit. "
            "Multiply each weight by the pixel that it lies on (without flipping anything) and add up.",
            (
                Given("patch", "The pixels", listed(patch), 1),
                Given("kernel", "The kernel", listed(kernel)),
            ),
            (Asked("The sum of the products", 1),),
        ),
        (Answer(value, 0.0, "Whole numbers times tenths are tenths: nothing is rounded.", wrong),),
    )


def _convolutions(about: Material) -> Iterator[Layer]:
    """The network's convolutions with kernels that can be printed, in any order."""
    names = kernels.layers_with_kernels(about.network)
    for name in about.in_order(names):
        rows, cols = about.network[name].weights["kernel"].shape[:2]
        if rows * cols <= MOST_CELLS:
            yield about.network[name]


def _receipts(about: Material, layer: Layer) -> Iterator[Receipt]:
    """Units of a layer on the digit, in any order, that read no padding."""
    for row, col, channel in about.units(layer.name):
        receipt = explain(about.run, layer.name, row=row, col=col, channel=channel)
        if not receipt.terms.padding.any():
            yield receipt


def _source(layer: Layer) -> str:
    return "the digit" if layer.input_shape[-1] == 1 else layer.inputs[0]


def _spread(x: Any, patch: np.ndarray, w: Any, kernel: np.ndarray) -> float:
    """How far a sum of products can move where its factors move as far as rounding moved them.

    |x w - x' w'| is at most |x'| |w - w'| + |w| |x - x'|, term by term.
    """
    x, w = np.asarray(x, np.float64), np.asarray(w, np.float64)
    return float((np.abs(patch) * np.abs(w - kernel) + np.abs(w) * np.abs(x - patch)).sum())
