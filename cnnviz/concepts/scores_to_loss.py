"""From a classifier's scores to its loss, and from the loss back to the pixels.

Logits, softmax with a temperature, cross-entropy in nats, its gradient, and one step against it; all in
float64 from the logits on. Changing weights along the gradient is left to `training`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.network import LayerGraph, Run, forward_pass
from cnnviz.network.colour_planes import picture_of
from cnnviz.ops.activations import softmax
from cnnviz.ops.cross_entropy import softmax_cross_entropy, softmax_cross_entropy_grad


def logits_of(run: Run) -> np.ndarray:
    """The scores that go into a network's last softmax, (N, classes) in float64.

    >>> from cnnviz import load_mnist, load_model
    >>> logits_of(load_model("mnist_14k").run(load_mnist()[1][0][:2])).shape
    (2, 10)

    Raises ValueError if the network does not end in a softmax over one vector.
    """
    return run.pre_activation(_output(run.network)).astype(np.float64)


def _output(net: LayerGraph) -> str:
    last = net[net.outputs[0]]
    if len(net.outputs) > 1 or str(last.activation) not in ("softmax", "softmax(axis=-1)"):
        raise ValueError(f"net must end in a softmax, {net.name} ends in {last!r}")
    if len(last.output_shape) != 1:
        raise ValueError(f"net must have one vector as its output, got {last.output_shape}")
    return last.name


@dataclass(frozen=True, eq=False)
class Softmax:
    """A softmax in its steps, all (classes,) in float64 but the sum.

    Parameters
    ----------
    logits, temperature
        What the softmax is taken of.
    scaled
        The logits over the temperature, less the largest of them: that changes no probability and
        keeps every exponential at 1 or below.
    exponentials, total
        e to these powers, and their sum.
    probabilities
        Each exponential over the sum.
    """

    logits: np.ndarray
    temperature: float
    scaled: np.ndarray
    exponentials: np.ndarray
    total: float
    probabilities: np.ndarray


def softmax_steps(logits: Any, temperature: float = 1.0) -> Softmax:
    """Softmax of logits over a temperature, with what it computes on the way.

    Parameters
    ----------
    logits
        (classes,), finite.
    temperature
        Positive; 1 is the plain softmax, more makes the probabilities more alike.

    Raises
    ------
    ValueError
        for logits of another shape or not finite, a temperature that is not positive.

    Examples
    --------
    >>> softmax_steps([1.0, 1.0], 2.0).probabilities
    array([0.5, 0.5])

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, equation 1.
    """
    logits = np.asarray(logits, np.float64)
    if logits.ndim != 1 or not logits.size or not np.isfinite(logits).all():
        raise ValueError(f"logits must be (classes,) and finite, got shape {logits.shape}")
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be positive, got {temperature!r}")
    scaled = (logits - logits.max()) / temperature
    exponentials = np.exp(scaled)
    total = float(exponentials.sum())
    return Softmax(logits, float(temperature), scaled, exponentials, total, exponentials / total)


@dataclass(frozen=True, eq=False)
class Loss:
    """The cross-entropy of one image for a target, and which way each logit and pixel would lower it.

    Parameters
    ----------
    run
        The forward pass of the image.
    target
        The class that is wanted.
    logits, probabilities
        (classes,), in float64.
    value
        -log of the target's probability, in nats.
    wrt_logits
        (classes,): the gradient, probabilities minus 1 at the target.
    wrt_pixels
        (H, W, C): the gradient with respect to the image as the network reads it.
    """

    run: Run
    target: int
    logits: np.ndarray
    probabilities: np.ndarray
    value: float
    wrt_logits: np.ndarray
    wrt_pixels: np.ndarray

    @property
    def probability(self) -> float:
        """The target's."""
        return float(self.probabilities[self.target])

    @property
    def predicted(self) -> int:
        """The class of the largest logit."""
        return int(self.logits.argmax())

    @property
    def of_guessing(self) -> float:
        """What the loss would be if all classes were given the same probability."""
        return math.log(len(self.logits))

    @property
    def image(self) -> np.ndarray:
        """The image as the network read it, (H, W, C)."""
        return self.run.input[0]


def loss_of(run: Run, target: int) -> Loss:
    """The cross-entropy of a run's first image, and its gradients.

    Parameters
    ----------
    run
        Of a classifier that ends in a softmax.
    target
        The class that is wanted: the label, or any other.

    Returns
    -------
    Loss

    Raises
    ------
    ValueError
        if there is no such class, or no softmax at the end.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> found = loss_of(load_model("mnist_14k").run(load_mnist()[1][0][0]), 7)
    >>> found.predicted, found.value < 0.01, found.wrt_pixels.shape
    (7, True, (28, 28, 1))
    """
    logits = logits_of(run)[0]
    value = float(softmax_cross_entropy(logits, target))
    wrt_logits = softmax_cross_entropy_grad(logits, target)
    seeds = np.zeros_like(run[_output(run.network)])
    seeds[0] = wrt_logits
    back = run.gradient(_output(run.network), weights=seeds, pre_activation=True)
    return Loss(run, int(target), logits, softmax(logits), value, wrt_logits, back.wrt_input[0])


@dataclass(frozen=True, eq=False)
class GradientStep:
    """An image moved against the gradient of its loss.

    Parameters
    ----------
    before, after
        The loss at both images.
    change
        (H, W, C): what was added to the pixels, after cutting them to their range.
    cut
        How many numbers would have left their range and were kept in.
    expected
        By how much the loss would change if it were as straight as at the start: gradient times change.
    """

    before: Loss
    after: Loss
    change: np.ndarray
    cut: int
    expected: float

    @property
    def actual(self) -> float:
        """By how much the loss did change."""
        return self.after.value - self.before.value

    @property
    def straight(self) -> float:
        """What the loss would be after the step if it were a straight line; it may be below 0."""
        return self.before.value + self.expected


def step_against(loss: Loss, size: float) -> GradientStep:
    """Change an image's pixels a little against the gradient of its loss, and look again.

    Parameters
    ----------
    loss
        From `loss_of`.
    size
        By how much the pixel with the largest gradient changes; the others in proportion. 1 is from
        paper to ink, or from black to white, whatever numbers that is in the network's own scale.

    Returns
    -------
    GradientStep
        Pixels stay between these ends. A gradient of zeros changes nothing.

    Raises
    ------
    ValueError
        for a size below 0.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> step = step_against(loss_of(load_model("mnist_14k").run(load_mnist()[1][0][0]), 7), 0.1)
    >>> step.after.value < step.before.value
    True
    """
    if not 0 <= size < np.inf:
        raise ValueError(f"size must be from 0, got {size!r}")
    low, high = _ends(loss)
    # In shares of each channel's range, which a scale may have different.
    gradient = loss.wrt_pixels.astype(np.float64)
    share = gradient * (high - low)
    largest = np.abs(share).max()
    wanted = loss.image - (size / largest * share if largest else 0 * share) * (high - low)
    image = np.clip(wanted, low, high).astype(loss.image.dtype)
    after = loss_of(forward_pass(loss.run.network, image), loss.target)
    change = image.astype(np.float64) - loss.image
    outside = (wanted < low) | (wanted > high)
    return GradientStep(loss, after, change, int(outside.sum()), float((gradient * change).sum()))


def _ends(loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    """What stands for paper and ink, or black and white, in each channel; 0 and 1 of what is no picture."""
    picture = picture_of(loss.run)
    if picture is None:
        return np.zeros(1), np.ones(1)
    factor, offset = np.array(picture.factor), np.array(picture.offset)
    ends = np.stack([-offset / factor, (1 - offset) / factor])
    return ends.min(axis=0), ends.max(axis=0)
