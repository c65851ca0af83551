"""The receipt of a gradient as a program in NumPy.

The program loads the network's file, runs it and goes back, then multiplies what came back with how much
each number changes. Where there is no such file, or after a step of training, it carries the receipt's own
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnnviz.layers.layer import quoted
from cnnviz.network.keras_file import load_model
from cnnviz.network.run import Gradient
from cnnviz.numbers import exact
from cnnviz.receipts.arithmetic import array, equations, number
from cnnviz.receipts.backward import GradientReceipt
from cnnviz.receipts.reproduction import file_of, mixes_images, start
from cnnviz.resources import one_line


def to_code(receipt: GradientReceipt, library: str = "cnnviz", *, image: str | None = None) -> str:
    """A Python program that computes the number again and prints it.

    Parameters
    ----------
    library
        "cnnviz" (NumPy); Keras keeps nothing of what comes back.
    image
        A Python expression for what was given to `Network.run`, of a weight all images of the batch; None
        writes the numbers themselves into the program.

    Returns
    -------
    str
        It runs as it is.

    Raises
    ------
    ValueError
        for another library.
    """
    if library != "cnnviz":
        raise ValueError(f"library must be 'cnnviz' for a gradient, got {library!r}")
    lines = _from_the_file(receipt, image) if _is_the_files(receipt) else _from_numbers(receipt)
    return "\n".join([f"# {one_line(receipt.title)}: {exact(receipt.value)}", *lines, "print(y)"]) + "\n"


def _is_the_files(receipt: GradientReceipt) -> bool:
    """Whether loading the file and running the images gives the gradient again, to the bit."""
    run, gradient, net = receipt.run, receipt.gradient, receipt.run.network
    together = gradient.of_pre_activations in (frozenset(), frozenset(gradient.seeds))
    whole = "not taken apart" in receipt.terms.bias_name
    if receipt.step is not None or not together or whole:
        return False
    if net.source is None or any(mixes_images(layer.activation) for layer in net):
        return False
    try:
        stored = load_model(file_of(net)).run({each: run.pre_activation(each) for each in net.inputs})
        again = Gradient(stored, gradient.seeds, gradient.of_pre_activations)
        pairs = [(stored[name], run[name]) for name in run]
        pairs.append((again[receipt.cell.layer], gradient[receipt.cell.layer]))
    except (OSError, ValueError, KeyError):
        # The file is gone, or another network by now.
        return False
    return all(one.dtype == two.dtype and np.array_equal(one, two, equal_nan=True) for one, two in pairs)


# From the file ----------------------------------------------------------------------------------


def _from_the_file(receipt: GradientReceipt, image: str | None) -> list[str]:
    gradient, images = receipt.gradient, slice(receipt.index, receipt.index + 1)
    images = slice(None) if receipt.weight else images
    numbered = len(gradient.seeds) > 1
    seeds = {name: f"seed{i}" if numbered else "seed" for i, name in enumerate(gradient.seeds)}
    arrays = [line for name, seed in seeds.items() for line in array(seed, gradient.seeds[name][images])]
    named = ", ".join(f"{quoted(name)}: {seed}" for name, seed in seeds.items())
    before = ", pre_activation=True" if gradient.of_pre_activations else ""
    lines = [f"gradient = run.gradient({{{named}}}{before})", "y = 0"]
    lines += _used(receipt) if receipt.weight else _returned(receipt, seeds.get(receipt.layer.name, ""))
    return [*start(receipt, image, "", lines, arrays, images), *lines]


def _used(receipt: GradientReceipt) -> Iterator[str]:
    """Of a weight: wherever it was used."""
    for call in receipt.gradient.calls(receipt.layer.name):
        yield f"layer = net[{quoted(call.name)}]"
        yield f"at = {quoted(receipt.weight)}, {receipt.cell.position}"
        yield "slopes = layer.entry.weight_slopes(layer, *at, run.inputs(layer.name))"
        came = "gradient[layer.name]" if call.is_activation else "gradient.pre_activation(layer.name)"
        yield f"y += np.sum(slopes * {came})"


def _returned(receipt: GradientReceipt, seed: str) -> Iterator[str]:
    """Of a layer's number: from all that read it, and through its activation."""
    gradient, name, place = receipt.gradient, quoted(receipt.layer.name), (0, *receipt.cell.position)
    for reader, which in gradient.readers(receipt.layer.name):
        yield f"layer = net[{quoted(reader.name)}]"
        yield f"slopes = layer.entry.input_slopes(layer, run.inputs(layer.name), {which}, {place[1:]})"
        yield "y += np.sum(slopes * gradient.pre_activation(layer.name)[0])"
    if seed and not gradient.of_pre_activations:
        yield f"y += {seed}[{place}]"
    if receipt.before and receipt.layer.activation is not None:
        yield f"back = gradient[{name}].copy()"
        yield f"back[{place}] = y"
        yield f"y = net[{name}].activation.gradient(run.pre_activation({name}), back)[{place}]"
    if seed and gradient.of_pre_activations and receipt.before:
        yield f"y += {seed}[{place}]"


# From the receipt's own numbers -------------------------------------------------------------------


def _from_numbers(receipt: GradientReceipt) -> list[str]:
    terms, arrays = receipt.terms, []
    bias = f"np.{terms.factor.dtype}({number(terms.bias)})"
    lines = [f"y = {bias}"]
    if len(terms):
        arrays = [*array("factors", terms.factor), *array("weights", terms.weight)]
        # Number by number, as the receipt adds them.
        lines = [
            f"products = (factors * weights).reshape({len(terms.factor)}, -1)",
            "sums = np.add.accumulate(products, axis=1)[:, -1]",
            f"y = np.add.accumulate(sums)[-1] + {bias}",
        ]
    lines += _written(receipt)
    packed = ["import base64", "import zlib", ""] * any("b64decode" in line for line in arrays)
    functions = ["from scipy.special import erfc"] * any("erfc(" in line for line in lines)
    return [*packed, "import numpy as np", *functions, "", *arrays, *lines]


def _written(receipt: GradientReceipt) -> Iterator[str]:
    """The steps behind the sum, which is y; the last is y again."""
    steps, total = receipt.steps, receipt.terms.total
    values = steps[0].values if steps else {}
    yield from equations(steps, {name: "y" for name in ("sum", "back") if values.get(name) == total})
    names = [step.name for step in steps]
    # An average may follow the weight.
    last = names[-1] if names and names[-1].isidentifier() else "y"
    yield f"y = {'w' if 'w' in names else last}"
