"""How receptive fields grow where ways meet and where kernels have holes: small stacks without weights.

Sources: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016; Szegedy et al.,
"Going Deeper with Convolutions", CVPR 2015; Yu and Koltun, "Multi-Scale Context Aggregation by Dilated
Convolutions", ICLR 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cnnviz.numbers import counted
from cnnviz.receptive_fields import Branches, Conv, Pool, ReceptiveFields, receptive_field
from cnnviz.receptive_fields.specs import Spec


@dataclass(frozen=True)
class GrowthExample:
    """A stack to look at.

    Parameters
    ----------
    title
        What it is called.
    about
        What it shows: "meeting" or "holes".
    layers
        From the input up.
    size
        Rows and columns of its input.
    why
        A sentence on what to see in it.
    """

    title: str
    about: str
    layers: tuple[Spec, ...]
    size: int
    why: str

    def fields(self) -> ReceptiveFields:
        """What its units see."""
        return receptive_field(list(self.layers), self.size)

    def words(self) -> str:
        """What its last layer sees, in sentences with its numbers.

        >>> EXAMPLES["two"].words()[:64]
        'A unit of the last layer sees 13 columns and reads 7 of them: be'
        """
        fields = self.fields()
        last = fields[-1]
        middle = (last.shape[1] or 1) // 2
        cells = last.cells(1, middle)
        wide = cells[-1] - cells[0] + 1
        if self.about == "holes":
            said = f"A unit of the last layer sees {counted(wide, 'column')} and reads "
            if len(cells) == wide:
                return f"{said}each of them: no holes are left. {self.why}"
            return f"{said}{len(cells)} of them: between these are holes. {self.why}"
        ways = [len(fields[name].cells(1, middle)) for name in last.inputs]
        listed = " and ".join(filter(None, [", ".join(map(str, ways[:-1])), str(ways[-1])]))
        return (
            f"Counted in columns, the ways that meet in the last layer see {listed}. It sees as many as the "
            f"one that sees most: {wide}. {self.why}"
        )


def _same(size: int, name: str) -> Conv:
    return Conv(size, padding="same", name=name)


EXAMPLES: Mapping[str, GrowthExample] = MappingProxyType(
    {
        "residual": GrowthExample(
            "ResNet's block",
            "meeting",
            (Branches([_same(3, "3 × 3 a"), _same(3, "3 × 3 b")], [], name="sum"),),
            15,
            "The block adds what comes in to what two convolutions made of it (He and others, 2016).",
        ),
        "bottleneck": GrowthExample(
            "its bottleneck",
            "meeting",
            (Branches([_same(1, "1 × 1 a"), _same(3, "3 × 3"), _same(1, "1 × 1 b")], [], name="sum"),),
            15,
            "Its 1 × 1 convolutions widen nothing: of three layers one does.",
        ),
        "inception": GrowthExample(
            "Inception's branches",
            "meeting",
            (
                Branches(
                    [_same(1, "1 × 1")],
                    [_same(1, "1 × 1 b"), _same(3, "3 × 3")],
                    [_same(1, "1 × 1 c"), _same(5, "5 × 5")],
                    [Pool(3, 1, "same", name="pool"), _same(1, "1 × 1 d")],
                    merge="concatenate",
                    name="side by side",
                ),
            ),
            15,
            "Its channels are side by side, and each of them by itself sees only as far as its own way "
            "(Szegedy and others, 2015).",
        ),
        "doubling": GrowthExample(
            "dilation 1, 2, 4",
            "holes",
            tuple(Conv(3, dilation_rate=rate, name=f"dilation {rate}") for rate in (1, 2, 4)),
            21,
            "Doubled from layer to layer, dilation makes the field grow as fast as strides of 2 do, and no "
            "cell is thrown away (Yu and Koltun, 2016).",
        ),
        "two": GrowthExample(
            "dilation 2, 2, 2",
            "holes",
            tuple(Conv(3, dilation_rate=2, name=f"dilation 2 {part}") for part in "abc"),
            21,
            "What lies in them its neighbour sees, and it does not: a box is not yet what is read.",
        ),
    }
)
"""By name."""
