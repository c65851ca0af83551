"""A network in two: what leads up to a layer, and what is behind it.

Useful where only the second half changes, or only the first is wanted. Weights are shared with the
whole network; nothing is copied.
"""

from __future__ import annotations

from cnnviz.layers.layer import Layer
from cnnviz.network.network import Network


def split(net: Network, layer: str) -> tuple[Network, Network]:
    """The network up to a layer, and the one that reads that layer's output.

    Parameters
    ----------
    net
        Any network with one output or several.
    layer
        Where to cut: its output leaves the first part and goes into the second.

    Returns
    -------
    (head, tail)
        `tail.predict(head.predict(x))` is `net.predict(x)` up to rounding: batch normalisation may be
        folded into other neighbours. The tail's input has the layer's name.

    Raises
    ------
    KeyError
        if there is no such layer.
    ValueError
        if an output does not depend on the layer, or a layer behind it also reads one that is not behind it.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> head, tail = split(load_model("mnist_14k"), "max_pooling2d")
    >>> head.output_shape, tail.input_shape, tail.output_shape
    ((12, 12, 10), (12, 12, 10), (10,))
    """
    cut = net[layer]
    before, behind = _before(net, cut), _behind(net, cut)
    outputs = [net[name].name for name in net.outputs]
    stray = [name for name in outputs if name not in behind]
    if stray:
        raise ValueError(f"the output {stray[0]!r} of {net.name} is not behind the layer {cut.name!r}")
    for reader in net:
        past = [name for name in reader.inputs if name != cut.name and name not in behind]
        if reader.name in behind and past:
            raise ValueError(
                f"layer must be one that everything behind it reads through: {reader.name!r} is behind "
                f"{cut.name!r} and reads {past[0]!r}, which is not"
            )
    head = Network(
        [part for part in net if part.name in before],
        inputs=[name for name in net.inputs if name in before],
        outputs=[cut.name],
        name=f"{net.name} to {cut.name}",
        source=net.source,
    )
    start = Layer.from_config(cut.name, "InputLayer", {"batch_shape": (None, *cut.output_shape)})
    tail = Network(
        [start, *(part for part in net if part.name in behind)],
        outputs=outputs,
        name=f"{net.name} behind {cut.name}",
        source=net.source,
    )
    # A part without weights does not know in which precision the whole computes.
    parts = [part if part.dtype == net.dtype else part.astype(net.dtype) for part in (head, tail)]
    return parts[0], parts[1]


def _before(net: Network, cut: Layer) -> set[str]:
    """The layer and all that it depends on."""
    names = {cut.name}
    for layer in reversed(net.layers):
        if layer.name in names:
            names.update(layer.inputs)
    return names


def _behind(net: Network, cut: Layer) -> set[str]:
    """All that depends on the layer, without it."""
    names = {cut.name}
    for layer in net:
        if not names.isdisjoint(layer.inputs):
            names.add(layer.name)
    return names - {cut.name}
