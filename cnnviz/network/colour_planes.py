"""The picture that a run's input came from, and in which channels of a run its red, green and blue still are.

A channel is a plane of the picture as long as each of its numbers is made of one plane alone, without a
kernel: padded, cut out, scaled, normalised or pooled.
"""

from __future__ import annotations

import numpy as np

from cnnviz.images.input_pictures import InputPicture, input_picture
from cnnviz.layers.layer import Layer
from cnnviz.layers.links import FIRST, LAST, forward, positions
from cnnviz.network.expected_pixels import expected_pixels
from cnnviz.network.run import Run


def picture_of(run: Run, name: str | None = None, index: int | None = 0) -> InputPicture | None:
    """How an input of a run is drawn: as the picture that it came from, grey or in colour.

    Parameters
    ----------
    run
        From `net.run`.
    name
        The input; None is the first.
    index
        The image in the run's batch; None is one way for all of them.

    Returns
    -------
    InputPicture or None
        None if the input is no picture: not (H, W), (H, W, 1) or (H, W, 3). How the pixels were prepared is
        what the run knows of it, else what `expected_pixels` says, if they can be such pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnviz import Layer, Network
    >>> image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 8, 8, 3)})
    >>> picture_of(Network([image]).run(np.zeros((8, 8, 3), np.uint8))).planes
    ('red', 'green', 'blue')
    """
    name = run.network.inputs[0] if name is None else run.network[name].name
    values = run[name]
    values = (
        values.reshape(-1, *values.shape[2:]) if index is None and values.ndim > 2 else values[index or 0]
    )
    if values.ndim not in (2, 3) or values.shape[2:] not in ((), (1,), (3,)) or 0 in values.shape:
        return None
    return input_picture(values, run.preprocess.get(name) or expected_pixels(run.network, name).mode)


def planes_of(run: Run, name: str, index: int = 0) -> tuple[str, ...]:
    """What the channels of a layer's output hold, if each is a plane of a colour picture; else ().

    Parameters
    ----------
    run
        From `net.run`.
    name
        The layer.
    index
        The image in the run's batch.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnviz import Layer, Network
    >>> image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 8, 8, 3)})
    >>> pool = Layer.from_config("pool", "MaxPooling2D", {}, inputs=("image",))
    >>> planes_of(Network([image, pool]).run(np.zeros((8, 8, 3))), "pool")
    ('red', 'green', 'blue')
    """
    layers = [run.network[name]]
    while layers[-1].inputs:
        if not _may_keep(run, layers[-1]):
            return ()
        layers.append(run.network[layers[-1].inputs[0]])
    planes: tuple[str, ...] = ()
    for layer in reversed(layers):
        planes = _planes(run, layer, planes, index)
    return planes


def planes_of_all(run: Run, index: int = 0) -> dict[str, tuple[str, ...]]:
    """The same of all layers, by their names."""
    found: dict[str, tuple[str, ...]] = {}
    for layer in run.network:
        below = found[layer.inputs[0]] if layer.inputs else ()
        found[layer.name] = _planes(run, layer, below, index) if _may_keep(run, layer) else ()
    return found


def _may_keep(run: Run, layer: Layer) -> bool:
    """Whether a layer makes maps, of one input and without a kernel."""
    kernel = any(each.endswith("kernel") for each in layer.weights)
    return len(layer.inputs) < 2 and run[layer.name].ndim == 4 and not kernel


def _planes(run: Run, layer: Layer, below: tuple[str, ...], index: int) -> tuple[str, ...]:
    """The planes of a layer, given those of its input."""
    if not layer.inputs:
        picture = picture_of(run, layer.name, index)
        return picture.planes if picture else ()
    if not below:
        return ()
    shape = run[layer.inputs[0]].shape[1:]
    (links,) = layer.links([shape])
    channel = positions(shape, 2)
    # One position stands for all channels where they all read the same.
    channels = run[layer.name].shape[-1:]
    first = np.broadcast_to(forward(links, channel, FIRST).min(axis=(0, 1)), channels).tolist()
    last = np.broadcast_to(forward(links, channel, LAST).max(axis=(0, 1)), channels).tolist()
    # A channel that is all padding reads nothing; one that reads several planes is none of them.
    return tuple(below[c] for c in first) if first == last else ()
