"""explain: the receipt of any number, of a run or of a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnviz.images.class_names import class_names
from cnnviz.network import LayerGraph, Run
from cnnviz.network.run import Gradient
from cnnviz.receipts.backward import explain_gradient
from cnnviz.receipts.cells import checked_index, locate
from cnnviz.receipts.receipt import Receipt, explain_cell
from cnnviz.training.training_step import TrainingStep


def explain(
    run: Run | Gradient | TrainingStep,
    layer: str,
    at: Sequence[int] | None = None,
    *,
    row: int | None = None,
    col: int | None = None,
    channel: int | None = None,
    index: int = 0,
    classes: Any = None,
    pre_activation: bool = False,
) -> Receipt:
    """The receipt of one number: where it came from, multiplied by what, added to what.

    Of a gradient the receipt goes the other way: what came back, times what; of a step of training it goes
    on to the new weight.

    Parameters
    ----------
    run
        A forward pass, from `Network.run`; a gradient, from `Run.gradient`; or a step of training, from
        `Trainer.step`, whose weights are explained up to what the optimizer made of them.
    layer
        The name of a layer of any class; of a gradient also a weight, "layer/weight".
    at
        In place of row, col and channel: all indices of the cell as a tuple, for an output with any
        number of axes; those of a weight's number.
    row, col
        Of the cell, from 0; for maps only (a sequence has a row and no col).
    channel
        Of the cell, from 0; the unit of a vector. It may be left out where there is only one.
    index
        The image in the run's batch, from 0.
    classes
        The names of the network's classes, which its scores are then called by: a list, a text or JSON
        file, or a folder with one sub-folder for each (see `cnnviz.images.class_names.class_names`).
    pre_activation
        Of a gradient: whether it is that with respect to the layer's value before its activation.

    Returns
    -------
    Receipt
        print() shows the arithmetic. Of a gradient it is a `GradientReceipt`, of a trained weight an
        `UpdateReceipt`.

    Raises
    ------
    KeyError
        for a layer that does not exist.
    ValueError
        for an index that is missing or that the layer's output does not have, or not one name for each
        class.
    IndexError, TypeError
        for one that is out of range, or not an int.

    Examples
    --------
    >>> import cnnviz, numpy as np
    >>> run = cnnviz.load_model("mnist_14k").run(np.eye(28))
    >>> receipt = explain(run, "conv2d", row=4, col=5, channel=7)
    >>> receipt.terms.factor.shape, abs(float(receipt.residual)) <= receipt.bound
    ((1, 3, 3), True)
    >>> back = explain(run.gradient("conv2d_1", (0, 0, 2)), "conv2d/kernel", (1, 1, 0, 7))
    >>> back.terms.window, abs(float(back.residual)) <= back.bound
    ((26, 26), True)
    """
    if isinstance(run, Gradient | TrainingStep):
        if classes is not None:
            raise ValueError("classes name scores of a run, got a gradient")
        place: dict[str, Any] = {"row": row, "col": col, "channel": channel, "index": index, "at": at}
        gradient, step = (run, None) if isinstance(run, Gradient) else (run.gradient, run)
        return explain_gradient(gradient, layer, **place, pre_activation=pre_activation, step=step)
    if not isinstance(run, Run):
        raise TypeError(
            f"run must be what Network.run, Run.gradient or Trainer.step returns, got {type(run).__name__}"
        )
    if pre_activation:
        raise ValueError("pre_activation=True is for a gradient; a run's receipt shows both")
    chosen = run.network[layer]
    value = run[chosen.name]
    index = checked_index("index", index, len(value), f"the run's batch of {len(value)}")
    cell = locate(chosen.name, value.shape[1:], row, col, channel, at)
    return explain_cell(run, cell, index, () if classes is None else _checked_names(run.network, classes))


def _checked_names(net: LayerGraph, classes: Any) -> tuple[str, ...]:
    """The names of classes, if the network has an output of as many numbers."""
    counts = {net[name].output_shape[-1] for name in net.outputs if net[name].output_shape}
    names = class_names(classes, None if len(counts) > 1 else next(iter(counts), None))
    if len(names) not in counts:
        raise ValueError(
            f"classes must be as many as an output of {net.name} has, {counts}, got {len(names)}"
        )
    return tuple(names)
