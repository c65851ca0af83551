"""Network: a graph of layers over `ops` that predicts, or keeps every activation of a forward pass.

Inference only: nothing here trains, and dropout passes its input on. What one layer is and how it
computes is in `layers`. Names follow Keras.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.network.forward import Edits, forward
from cnnviz.network.inference import Inference
from cnnviz.network.inputs import check_batch_size, images_of, prepared
from cnnviz.network.layer_graph import LayerGraph, single
from cnnviz.network.memory import check_at_once, one_image
from cnnviz.network.run import Run, forward_pass
from cnnviz.network.saving import Compiled, save
from cnnviz.network.simplifying import sizes_are_known
from cnnviz.numbers import brief
from cnnviz.ops.planning import METHODS

BATCH_BYTES = 32 * 2**20
"""The default batch keeps the largest activation below this."""


class Network(LayerGraph):
    """A graph of layers, in the order in which they can be computed. It never changes.

    Parameters
    ----------
    layers
        Each after those that feed it.
    outputs
        Names of the layers whose outputs are the network's; None takes the last layer.
    name
        For display.
    inputs
        Names of the InputLayers in the order of the network's arguments; None takes them as they come.
    aliases
        Other names for layers: a nested model's name for its last layer.
    source
        The file that it was read from; networks derived from this one name it too.
    seed
        Where layers lack weights, these are drawn as their initialisers say, for the shapes that the graph
        has there; without a seed they are an error. Other weights stay as they are.
    structure
        How a file nests its models, and shares them, for `save`; None saves the layers as one model.

    Raises
    ------
    ValueError
        if layers do not fit together, or weights are missing or do not fit their layer, naming the layer.

    Examples
    --------
    >>> from cnnviz import Layer
    >>> image = Layer.from_config("image", "InputLayer", {"batch_shape": (None, 28, 28, 1)})
    >>> net = Network([image, Layer("flat", "Flatten", inputs=("image",))])
    >>> net.output_shape, net.predict(np.zeros((5, 28, 28))).shape
    ((784,), (5, 784))

    Weights that nobody has trained yet are drawn:

    >>> dense = Layer.from_config("dense", "Dense", {"units": 10}, inputs=("flat",))
    >>> Network([*net.layers, dense], seed=0).count_params()
    (7850, 7850, 0)
    """

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        *,
        memory_limit: float | None = None,
        work_limit: float | None = None,
        method: str = "auto",
    ) -> Any:
        """The network's output for images, computed batch by batch; nothing else is kept.

        Where all sizes are known, batch normalisation is folded into its neighbours, which rounds
        differently from `run` in the last digits.

        Parameters
        ----------
        x
            Images (N, H, W, C) or one (H, W, C), without the channel axis too if there is one channel:
            integers 0..255, which are pixels, or floats, which are taken as they are. Pixels stay as they
            are if the network begins with its own Rescaling or Normalization; if its name is that of one
            of `keras.applications`, they are scaled as its `preprocess_input` does it; else they are
            divided by 255. `cnnviz.load_image` looks further, and says what it did. Several inputs: a
            list, or a mapping by name.
        batch_size
            Images at a time; None keeps the largest activation below 32 MB.
        memory_limit
            Bytes that activations may take at one time, outputs included; None is 4 GB.
        work_limit
            Multiply-adds that computing one image may take, where all else counts by the time that it
            takes; None is 2 * 10**12, some minutes on two cores.
        method
            How convolutions are computed where that is possible, as of `ops.conv2d`: "winograd" takes less
            time and rounds more. All sizes must then be known.

        Returns
        -------
        array (N, ...) of the network's dtype
            A tuple of arrays if there are several outputs.

        Raises
        ------
        ValueError, TypeError
            for a shape that does not fit, integers outside 0..255, arrays that do not hold numbers, a
            method that does not exist; ValueError above a limit, before anything is computed.
        """
        images = images_of(self, x)
        count = len(images[self.inputs[0]])
        check_batch_size(batch_size)
        one = one_image(self, images)
        batch_size = batch_size or max(1, min(256, BATCH_BYTES // max(1, *one.sizes.values())))
        inference = self._inference(method)
        together = batch_size if inference is None else min(batch_size, inference.together)
        check_at_once(self, one, count, together, memory_limit, work_limit)
        batches = []
        # Without images there is one empty batch, for the shape of the output.
        for first in range(0, max(count, 1), batch_size):
            batch = {name: array[first : first + batch_size] for name, array in images.items()}
            inputs = prepared(self, batch)
            if inference is not None:
                batches.append(inference(inputs))
            else:
                values = forward(self, inputs)
                batches.append([values[self.resolve(name)] for name in self.outputs])
        return single(tuple(np.concatenate(parts) for parts in zip(*batches, strict=True)))

    def run(
        self,
        x: Any,
        edits: Edits | None = None,
        *,
        memory_limit: float | None = None,
        work_limit: float | None = None,
    ) -> Run:
        """One forward pass that keeps every activation.

        Parameters
        ----------
        x
            As for `predict`.
        edits
            {layer name: function}: each function gets a copy of its layer's output and returns what
            everything behind the layer reads instead, an array of the same shape.
        memory_limit
            Bytes that all activations together may take; None is 4 GB.
        work_limit
            As for `predict`.

        Returns
        -------
        Run

        Raises
        ------
        ValueError, TypeError
            as `predict`; for an edit that changes the shape.
        KeyError
            for an edit of a layer that does not exist.
        """
        return forward_pass(self, x, edits, memory_limit=memory_limit, work_limit=work_limit)

    def save(self, path: str | os.PathLike[str], compiled: Compiled | None = None) -> None:
        """Write the network as a .keras file, which Keras loads, and `load_model` again.

        The file is complete in itself: a network that was read from a file needs that one no more, and
        keeps its nested models. Names, options, initialisers, regularisers, constraints, what is trainable,
        and the dtype are in it. Layers that no output reads are left out, as in Keras. The same network
        gives the same bytes.

        Parameters
        ----------
        path
            Ends in .keras; a file that is there is replaced in one step.
        compiled
            How it is trained, and the state of the optimiser; Keras goes on from there.

        Raises
        ------
        ValueError
            for what Keras has no way to write, such as a padding of four sizes, naming the layer; for an
            optimiser whose state does not fit the weights.
        OSError
            if the file cannot be written.

        Examples
        --------
        >>> import tempfile, cnnviz
        >>> path = tempfile.mkdtemp() + "/again.keras"
        >>> cnnviz.load_model("mnist_14k").save(path)
        >>> cnnviz.load_model(path).count_params()
        (14060, 13848, 212)
        """
        save(self, path, compiled)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes over: all but the compiled way to predict."""
        return {name: value for name, value in vars(self).items() if name != "_inferences"}

    def _inference(self, method: str) -> Inference | None:
        """The fast way to the output alone, where sizes are known and all stays in one dtype."""
        if not isinstance(method, str) or method not in ("auto", *METHODS):
            raise ValueError(f"method must be auto or one of {', '.join(METHODS)}, got {brief(method)}")
        if method in self._inferences:
            return self._inferences[method]
        found = None
        # Its buffers have one dtype.
        if sizes_are_known(self.layers) and not any(layer.widens for layer in self):
            outputs = [self.resolve(name) for name in self.outputs]
            found = Inference(self.layers, outputs, self.dtype, method)
        elif method != "auto":
            raise ValueError(
                f"method={method!r} needs a network whose sizes are all known, in one dtype; "
                f"{self.name} is none: leave it out"
            )
        self._inferences[method] = found
        return found

    @cached_property
    def _inferences(self) -> dict[str, Inference | None]:
        """Those that were needed, by method."""
        return {}
