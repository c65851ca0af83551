"""What a network is worth with another matrix in a 1x1 convolution, on images prepared once.

The way up to the layer does not depend on its matrix, so it is computed a single time; a trial runs
only the layer and what is behind it. Nothing is trained again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.channels.mixing import mix, mixing_layers, mixing_matrix
from cnnviz.channels.reduction import Moments, Reduction, moments, most_kept, reduce_mixing
from cnnviz.network import Network
from cnnviz.network.evaluation import Evaluation, evaluate
from cnnviz.network.splitting import split


def with_reduction(net: Network, layer: str, reduction: Reduction) -> Network:
    """The network with a reduced matrix in place of a 1x1 convolution's own, and everything else shared.

    Parameters
    ----------
    net, layer
        The network, and its 1x1 convolution.
    reduction
        Of that layer's matrix, by `reduce_mixing`.

    Returns
    -------
    Network

    Examples
    --------
    >>> from cnnviz import load_model
    >>> net = load_model("mnist_14k")
    >>> whole = net["conv2d_2"].weights
    >>> reduction = reduce_mixing(np.eye(16), whole["kernel"][0, 0], whole["bias"], k=3)
    >>> with_reduction(net, "conv2d_2", reduction)["conv2d_2"].weights["bias"].nonzero()[0].size
    3
    """
    name = net[layer].name
    weights = {f"{name}/kernel": reduction.matrix[np.newaxis, np.newaxis]}
    if "bias" in net[layer].weights:
        weights[f"{name}/bias"] = reduction.bias
    return net.with_weights(weights)


class ReductionTrial:
    """A network whose 1x1 convolution is reduced, and evaluated on the same images every time.

    Parameters
    ----------
    net
        A classifier.
    layer
        Its 1x1 convolution, one of `mixing_layers`.
    images, labels
        As for `evaluate`: what accuracies are measured on, and what outputs are ranked on.

    Raises
    ------
    ValueError
        for another layer; for a network in which a way from image to output goes around the layer.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> x, y = load_mnist()[1]
    >>> trial = ReductionTrial(load_model("mnist_14k"), "conv2d_2", x[:50], y[:50])
    >>> trial.evaluate(trial.reduce(k=10)).accuracy, trial.evaluate(trial.reduce(k=0)).accuracy < 0.5
    (1.0, True)
    """

    def __init__(self, net: Network, layer: str, images: Any, labels: Any) -> None:
        convolution = net[layer]
        if convolution.name not in mixing_layers(net):
            raise ValueError(f"layer must be a 1x1 convolution of one group and stride 1, got {convolution}")
        before, self._tail = split(net, convolution.inputs[0])
        self.layer = convolution.name
        self._activate = convolution.after_activation
        self.labels = np.asarray(labels)
        self.inputs: np.ndarray = before.predict(images)
        self.moments: Moments = moments(self.inputs)
        self.matrix = mixing_matrix(convolution.weights["kernel"])
        self.bias: np.ndarray | None = convolution.weights.get("bias")

    @cached_property
    def _outputs(self) -> tuple[np.ndarray, float]:
        """Each output's variance after the activation, and the share of the mean square that it takes
        away."""
        count, whole, cut = 0, 0.0, 0.0
        sums = np.zeros((2, self.matrix.shape[1]))
        for image in self.inputs:
            before = mix(image, self.matrix, self.bias).reshape(-1, self.matrix.shape[1])
            after = self._activate(before).astype(np.float64)
            squares = np.square(before, dtype=np.float64)
            whole, cut = whole + squares.sum(), cut + squares[after == 0].sum()
            count += len(before)
            sums += after.sum(axis=0), np.square(after).sum(axis=0)
        mean, square = sums / count
        return square - mean**2, cut / whole if whole else 0.0

    @property
    def leaving(self) -> np.ndarray:
        """(C_out,): how much each output varies after the activation, which is what later layers can go
        by."""
        return self._outputs[0]

    @property
    def cut(self) -> float:
        """The share of the outputs' mean square in numbers of which the activation makes 0."""
        return self._outputs[1]

    def reduce(self, *, k: int, by: str = "outputs") -> Reduction:
        """`reduce_mixing` of the layer, ranked and measured on these images.

        By "leaving" outputs are ranked by what leaves: their variance after the layer's activation.
        """
        if by == "leaving":
            order = np.argsort(-self.leaving, kind="stable")
            reduction = reduce_mixing(self.moments, self.matrix, self.bias, k=k, order=order)
            return replace(reduction, by=by)
        return reduce_mixing(self.moments, self.matrix, self.bias, k=k, by=by)

    def evaluate(self, reduction: Reduction) -> Evaluation:
        """How well the network does with a reduced layer: only the layer and what follows are run."""
        return evaluate(with_reduction(self._tail, self.layer, reduction), self.inputs, self.labels)

    def sweep(
        self, by: str = "outputs", progress: Callable[[int, int], None] | None = None
    ) -> list[tuple[Reduction, Evaluation]]:
        """Every reduction from k = 0 up, and how well the network does with it; progress(done, of all)."""
        count = most_kept(self.matrix, "outputs" if by == "leaving" else by) + 1
        results = []
        for k in range(count):
            reduction = self.reduce(k=k, by=by)
            results.append((reduction, self.evaluate(reduction)))
            if progress is not None:
                progress(k + 1, count)
        return results
