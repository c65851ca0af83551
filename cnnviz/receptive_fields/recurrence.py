"""The recurrence, layer by layer, with a network's own numbers: how size, stride and offset come about.

Going up one layer, r grows by (k - 1) j, the offset by p j, and j becomes s j: Araujo, Norris and Sim,
"Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019. Where branches join there
is no single step, and none is listed.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnnviz.receptive_fields.field import ReceptiveField
from cnnviz.receptive_fields.table import ReceptiveFields


@dataclass(frozen=True)
class RecurrenceStep:
    """From one layer's input to the layer; every number is a (rows, columns) pair of the table.

    `local` is what the layer sees of its input: its size is k, with dilation's holes counted (and for a
    transposed convolution the cells that really meet), its stride s, its padding p. `before` and `after` are
    what the input and the layer see of the image: their size is r, their stride j, their padding the offset.
    """

    local: ReceptiveField
    before: ReceptiveField
    after: ReceptiveField

    @property
    def layer(self) -> str:
        return self.after.name


def recurrence(fields: ReceptiveFields) -> list[RecurrenceStep]:
    """The steps of a network's table that change anything, and those of all convolutions.

    Parameters
    ----------
    fields
        From `receptive_field`.

    Returns
    -------
    list of RecurrenceStep
        In the network's order, of the layers that have maps and one input.

    Examples
    --------
    >>> from cnnviz.receptive_fields import Conv, Pool, receptive_field
    >>> for step in recurrence(receptive_field([Conv(3), Pool(2), Conv(3)])):
    ...     print(step.layer, *(part.size[0] for part in (step.before, step.local, step.after)))
    conv 1 3 3
    pool 3 2 4
    conv_1 4 3 8
    """
    steps = []
    for after in fields.values():
        if len(after.inputs) != 1 or len(after.shape) != 3 or after.inputs[0] not in fields:
            continue
        before = fields[after.inputs[0]]
        local = fields.between(after.name, before.name)
        changes = (local.size, local.stride, local.padding) != ((1, 1), (1, 1), (0, 0))
        if len(before.shape) == 3 and (changes or "Conv" in after.kind):
            steps.append(RecurrenceStep(local, before, after))
    return steps
