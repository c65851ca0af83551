"""A receipt as a program: in NumPy, by cnnviz's engine, or in Keras.

The program loads the network's file and computes the layer. Where there is no such file, or where
something was changed since, it carries the receipt's own numbers instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import Layer, literal, quoted
from cnnviz.layers.tensor_operations import OperationEntry
from cnnviz.network import LayerGraph
from cnnviz.network.keras_file import load_model
from cnnviz.numbers import exact
from cnnviz.receipts.arithmetic import NAME, arithmetic, array, number
from cnnviz.receipts.receipt import Receipt
from cnnviz.resources import BUNDLED, asset, one_line

LIBRARIES = ("cnnviz", "keras")


def to_code(receipt: Receipt, library: str = "cnnviz", *, image: str | None = None) -> str:
    """A Python program that computes the number again and prints it.

    Parameters
    ----------
    library
        "cnnviz" (NumPy) or "keras".
    image
        A Python expression for what was given to `Network.run`, such as
        "cnnviz.load_mnist()[1][0][7]"; None writes the numbers themselves into the program.

    Returns
    -------
    str
        It runs as it is. It loads the network's file; if there is none, or the network or the run
        were changed since, it holds the receipt's own numbers instead. By cnnviz it first does the
        arithmetic itself, `(patch * kernel).sum() + bias`, and prints what that comes to.

    Raises
    ------
    ValueError
        for another library.
    """
    if library not in LIBRARIES:
        raise ValueError(f"library must be one of {', '.join(LIBRARIES)}, got {library!r}")
    if not _is_the_files(receipt):
        lines = _from_numbers(receipt, library)
    else:
        place = ", ".join(map(str, (0, *receipt.cell.position)))
        if not receipt.layer.inputs:
            computed = [f"print(run[{quoted(receipt.layer.name)}][{place}])"]
        elif library == "cnnviz":
            by_hand = arithmetic(receipt)
            shown = [f"print({NAME})", "", "# By the library:"] if by_hand else []
            computed = [*by_hand, *shown, *_by_the_engine(receipt.layer), f"print(y[{place}])"]
        else:
            computed = [*_by_keras(receipt), f"print(y.numpy()[{place}])"]
        lines = [*start(receipt, image, library, computed), *computed]
    return "\n".join([f"# {one_line(receipt.title)}: {exact(receipt.value)}", *lines]) + "\n"


def _is_the_files(receipt: Receipt) -> bool:
    """Whether loading the file and running the images gives this layer's numbers again, to the bit."""
    run, net, name = receipt.run, receipt.run.network, receipt.layer.name
    if net.source is None or any(mixes_images(layer.activation) for layer in net):
        return False
    try:
        stored = load_model(file_of(net))
        again = stored.run({each: run.pre_activation(each) for each in net.inputs})[name]
    except (OSError, ValueError, KeyError):
        # The file is gone, or another network by now.
        return False
    return again.dtype == run[name].dtype and np.array_equal(again, run[name], equal_nan=True)


def mixes_images(activation: Activation | None) -> bool:
    return activation is not None and activation.axis == 0


def file_of(net: LayerGraph) -> str:
    """What `load_model` takes for a network's file."""
    assert net.source is not None
    bundled = {asset(f"{name}.keras").resolve(): name for name in BUNDLED}
    return bundled.get(net.source, str(net.source))


# From the file ----------------------------------------------------------------------------------


def start(
    receipt: Receipt,
    image: str | None,
    library: str,
    then: Sequence[str],
    more: Sequence[str] = (),
    batch: slice | None = None,
) -> list[str]:
    """Imports, those for what is computed then too, the network, and its run on the image.

    `more` are arrays that it computes with, `batch` the images that it takes if not the one.
    """
    run, net = receipt.run, receipt.run.network
    names = _numbered(net.inputs)
    images = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    arrays = {} if image is not None else dict(zip(names, net.inputs, strict=True))
    index = slice(receipt.index, receipt.index + 1) if batch is None else batch
    setup = [line for name, layer in arrays.items() for line in array(name, run[layer][index])]
    setup += more
    imports = ["base64", "zlib"] * any("b64decode" in line for line in setup)
    own = ["import cnnviz", *(["from cnnviz import ops"] if library == "cnnviz" else [])]
    own += ["from scipy import special"] * any("special." in line for line in then)
    uses_numpy = bool(setup) or any("np." in line for line in then)
    others = [*(["import keras"] if library == "keras" else []), *["import numpy as np"] * uses_numpy]
    return [
        *(f"import {name}" for name in imports),
        *([""] if imports else []),
        *sorted([*own[:1], *others]),
        *own[1:],
        "",
        *setup,
        f"net = cnnviz.load_model({quoted(file_of(net))})",
        f"run = net.run({image or images})",
    ]


def _numbered(inputs: Sequence[str]) -> list[str]:
    """Names for the arrays of some inputs."""
    return ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(len(inputs))]


def _by_the_engine(layer: Layer) -> list[str]:
    reads = _numbered(layer.inputs)
    left = "(x,)" if len(reads) == 1 else ", ".join(reads)
    lines = [f"{left} = run.inputs({quoted(layer.name)})"]
    if layer.weights:
        lines.append(f"w = net[{quoted(layer.name)}].weights")
    expression = layer.entry.code(layer, reads)
    if layer.activation is not None:
        if expression != reads[0]:
            lines.append(f"z = {expression}")
            expression = "z"
        alpha = {"alpha": 'w["alpha"]'} if "alpha" in layer.weights else None
        expression = layer.activation.code(expression, arguments=alpha)
    return [*lines, f"y = {expression}"]


def _by_keras(receipt: Receipt) -> list[str]:
    layer, net = receipt.layer, receipt.run.network
    if isinstance(layer.entry, OperationEntry):
        reads = _numbered(layer.inputs)
        left = "(x,)" if len(reads) == 1 else ", ".join(reads)
        return [
            f"{left} = run.inputs({quoted(layer.name)})",
            f"y = {layer.entry.keras_code(layer, reads)}",
        ]
    lines = ["model = keras.models.load_model(net.source)"]
    calls = sum(other.owner == layer.owner for other in net)
    if "/" not in layer.name and calls == 1:
        lookup = f"model.get_layer({quoted(layer.name)})"
        images = "[run.input]" if len(net.inputs) == 1 else "list(run.input)"
        lines += [
            f"layer = {lookup}",
            f"y = keras.Model(model.inputs, layer.output)({images}, training=False)",
        ]
    else:
        # One call of a layer that has several, or is part of a nested model.
        names = [part.split(":")[0] for part in layer.owner.split("/")]
        lines.append(f"layer = model{''.join(f'.get_layer({quoted(name)})' for name in names)}")
        lines.append(f"x = list(run.inputs({quoted(layer.name)}))")
        several = "*x" if len(layer.entry.call_arguments) > 1 else "x"
        # Augmentation takes it for training if nothing is said.
        named = "".join(f", {key}={literal(layer.config[key])}" for key in layer.entry.call_options)
        lines.append(f"y = layer({several if len(layer.inputs) > 1 else 'x[0]'}{named}, training=False)")
    return lines


# From the receipt's own numbers -------------------------------------------------------------------


def _from_numbers(receipt: Receipt, library: str) -> list[str]:
    terms = receipt.terms
    activation = receipt.layer.activation
    edited = ["# The run was edited and holds the number above; this is what the layer computes."]
    keras = library == "keras"
    arrays = [] if not len(terms) else array("factors", terms.factor)
    total = "np." if not keras else "keras.ops."
    lines: list[str] = []
    dtype = np.asarray(receipt.total).dtype
    if not len(terms):
        lines.append(f"y = np.{dtype}({number(terms.bias)})")
    elif terms.selects:
        lines.append(f"y = {total}{'max' if terms.selects == 'largest' else 'min'}(factors)")
    else:
        arrays += array("weights", terms.weight)
        lines.append(f"sums = {total}sum(factors * weights, axis=(1, 2))")
        if terms.mix is not None:
            arrays += array("mix", terms.mix)
            lines.append("sums = sums * mix")
        bias = f" + np.{dtype}({number(terms.bias)})" if terms.bias_name else ""
        lines.append(f"y = {total}sum(sums){bias}")
    if activation is not None:
        lines += _activated(receipt, activation, keras, arrays)
    packed = any("b64decode" in line for line in arrays)
    needs_ops = any("ops." in line and "keras.ops" not in line for line in lines)
    imports = [
        *(["import base64", "import zlib", ""] if packed else []),
        *(["import keras"] if keras else []),
        "import numpy as np",
        *(["from cnnviz import ops"] if needs_ops else []),
        *(["from scipy import special"] if any("special." in line for line in lines) else []),
    ]
    shown = "float(y)" if keras and (len(terms) or activation is not None) else "y"
    return [*(edited if receipt.was_edited else []), *imports, "", *arrays, *lines, f"print({shown})"]


def _activated(receipt: Receipt, activation: Activation, keras: bool, arrays: list[str]) -> list[str]:
    """The activation of y; a softmax takes the other numbers along its axis."""
    (step,) = receipt.steps
    if step.line is not None:
        z, own = step.line
        arrays += array("z", z)
        call = (
            f"keras.ops.{activation.name}(keras.ops.convert_to_tensor(z))"
            if keras
            else f"ops.{activation.name}(z)"
        )
        return [f"z[{own}] = y", f"y = {call}[{own}]"]
    if activation.name == "prelu":
        alpha = step.values.get("alpha", 1.0)
        activation = Activation("leaky_relu", {"negative_slope": float(alpha)})
    y = "keras.ops.convert_to_tensor(y)" if keras else "y"
    return [f"y = {activation.code(y, 'keras' if keras else 'cnnviz')}"]
