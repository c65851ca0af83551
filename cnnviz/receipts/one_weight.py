"""How one weight learns: its gradient as a sum over positions and images, checked by a nudge, and one step.

The sum is a backward receipt's; the nudge changes nothing but the weight and looks at the loss again, in the
form that a network has in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network import Network
from cnnviz.receipts.backward import UpdateReceipt
from cnnviz.receipts.explaining import explain
from cnnviz.training.optimizers import SGD
from cnnviz.training.trainer import Trainer, TrainingStep


@dataclass(frozen=True, eq=False)
class WeightStep:
    """One weight of a convolution in one step of training.

    Parameters
    ----------
    step
        The step of the whole network.
    weight, at
        The array, "layer/kernel", and the place in it.
    receipt
        What the weight came to.
    """

    step: TrainingStep
    weight: str
    at: tuple[int, ...]
    receipt: UpdateReceipt

    @property
    def gradient(self) -> float:
        """By how much the mean loss grows with the weight, as its receipt adds it up."""
        return float(self.receipt.total)

    @property
    def before(self) -> float:
        return float(self.step.before[self.weight][self.at])

    @property
    def after(self) -> float:
        return float(self.receipt.value)

    @property
    def labels(self) -> list[int]:
        """What each image is."""
        return [int(label) for label in next(iter(self.step.labels.values()))]

    @property
    def products(self) -> np.ndarray:
        """(images, rows, cols): what was read where the weight was used, times what came back there."""
        return self.receipt.terms.product

    @property
    def by_image(self) -> np.ndarray:
        """(images,): the sum of each image's products; together they are the gradient."""
        return self.receipt.terms.partial


def first_step(net: Network, images: Any, labels: Any, learning_rate: float = 0.1) -> TrainingStep:
    """One step of plain gradient descent on a few images.

    Parameters
    ----------
    net
        The network before the step.
    images, labels
        The batch, as `Trainer.step` takes it.
    learning_rate
        What the gradient is multiplied by.
    """
    return Trainer(net, SGD(learning_rate)).step(images, labels)


def weight_step(step: TrainingStep, weight: str, at: tuple[int, ...]) -> WeightStep:
    """What a step was for one weight of a convolution.

    Parameters
    ----------
    step
        From `first_step`, or any trainer's.
    weight, at
        The array, "layer/kernel", and the place in it.

    Examples
    --------
    >>> import cnnviz
    >>> (images, labels), _ = cnnviz.load_mnist()
    >>> net = cnnviz.load_model("mnist_maxpool").initialized(seed=0)
    >>> found = weight_step(first_step(net, images[:4], labels[:4]), "conv2d/kernel", (0, 0, 0, 0))
    >>> found.by_image.shape, bool(abs(found.by_image.sum() - found.gradient) < 1e-6)
    ((4,), True)
    """
    receipt = explain(step, weight, at)
    assert isinstance(receipt, UpdateReceipt)
    return WeightStep(step, weight, at, receipt)


def largest_gradient(step: TrainingStep, weight: str) -> tuple[int, ...]:
    """The place in an array that a step had most to say about."""
    gradient = step.gradients[weight]
    return tuple(int(k) for k in np.unravel_index(int(np.abs(gradient).argmax()), gradient.shape))


def nudged_loss(net: Network, images: Any, labels: Any, weight: str, at: tuple[int, ...], by: float) -> float:
    """The mean loss of a batch if one weight, and nothing else, were larger by so much.

    Parameters
    ----------
    net, images, labels
        As for `first_step`.
    weight, at
        As for `weight_step`.
    by
        What is added to the weight.

    Examples
    --------
    >>> import cnnviz
    >>> (images, labels), _ = cnnviz.load_mnist()
    >>> net = cnnviz.load_model("mnist_maxpool").initialized(seed=0)
    >>> batch = net, images[:4], labels[:4], "conv2d/kernel", (0, 0, 0, 0)
    >>> slope = (nudged_loss(*batch, 0.001) - nudged_loss(*batch, -0.001)) / 0.002
    >>> gradient = weight_step(first_step(*batch[:3]), *batch[3:]).gradient
    >>> bool(abs(slope - gradient) < 1e-3)
    True
    """
    layer, _, name = weight.rpartition("/")
    array = np.array(net[layer].weights[name])
    array[at] += by
    return float(Trainer(net.with_weights({weight: array}), SGD(0.0)).step(images, labels).loss)
