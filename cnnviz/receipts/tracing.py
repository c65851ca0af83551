"""Trace: the receipts behind a receipt, as a tree that ends at the network's inputs.

A cell that several paths lead to has one receipt and one node, which they share. The factors that add most
are followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnnviz.numbers import counted, short
from cnnviz.receipts.cells import Cell
from cnnviz.receipts.receipt import Receipt
from cnnviz.resources import one_line


@dataclass(eq=False)
class Trace:
    """A receipt and, as `children`, the traces of the factors that were followed.

    `left_out` counts the factors that were not followed for lack of room or depth.
    """

    receipt: Receipt
    children: tuple[Trace, ...] = ()
    left_out: int = 0

    @property
    def cell(self) -> Cell:
        return self.receipt.cell

    @property
    def path(self) -> tuple[Trace, ...]:
        """From here along the factor that adds most, down to a leaf."""
        nodes = [self]
        while nodes[-1].children:
            nodes.append(nodes[-1].children[0])
        return tuple(nodes)

    def walk(self) -> Iterator[Trace]:
        """Every node once, each before those it leads to."""
        seen: set[Cell] = set()
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if node.cell not in seen:
                seen.add(node.cell)
                yield node
                waiting.extend(reversed(node.children))

    @property
    def pixels(self) -> tuple[Receipt, ...]:
        """The receipts of the cells of the network's inputs that were reached."""
        return tuple(node.receipt for node in self.walk() if node.receipt.given)

    def __len__(self) -> int:
        """The number of receipts."""
        return sum(1 for _ in self.walk())

    def __repr__(self) -> str:
        return one_line(
            f"<Trace of {self.receipt.title}: {counted(len(self), 'receipt')}, "
            f"{counted(len(self.pixels), 'pixel')}>"
        )

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, lines: int = 100) -> str:
        """At most `lines` receipts, one a line; several children are indented, one is not."""
        if lines < 1:
            raise ValueError(f"lines must be at least 1, got {lines}")
        rows: list[tuple[str, str]] = []
        seen: set[Cell] = set()
        self._write(rows, "", seen, lines)
        left = len(self) - len(seen)
        width = max(len(words) for words, _ in rows)
        shown = [f"{words:<{width}}  {value}".rstrip() for words, value in rows]
        return "\n".join(shown + ([f"and {counted(left, 'receipt')} more"] if left else []))

    def _write(self, rows: list[tuple[str, str]], indent: str, seen: set[Cell], most: int) -> None:
        seen.add(self.cell)
        rows.append((indent + one_line(self.receipt.title), short(self.receipt.value)))
        deeper = indent + "  " if len(self.children) + bool(self.left_out) > 1 else indent
        repeated = 0
        for child in self.children:
            if child.cell in seen:
                repeated += 1
            elif len(rows) < most:
                child._write(rows, deeper, seen, most)
        counts = {"that are above": repeated, "more": self.left_out}
        notes = [f"{count} {words}" for words, count in counts.items() if count]
        if notes and len(rows) < most:
            rows.append((f"{deeper}and {', '.join(notes)}", ""))


def trace(receipt: Receipt, depth: int | None = None, *, follow: int | None = 1, limit: int = 1000) -> Trace:
    """The receipts of what a number was made of, and of what those were, down to the pixels.

    Parameters
    ----------
    receipt
        Where to begin: `receipt.trace()` is the same.
    depth
        How many layers down; None goes to the network's inputs.
    follow
        How many of the factors that add most are followed, in each receipt; None is all of them.
        A maximum has one, its winner.
    limit
        Most receipts in all. Strong paths are followed to their ends first; a receipt that is
        not followed for lack of room says so.

    Returns
    -------
    Trace
        A tree: `.receipt` and `.children`.

    Raises
    ------
    ValueError
        for a negative depth, or a `follow` or `limit` below 1.

    Examples
    --------
    >>> import cnnviz, numpy as np
    >>> run = cnnviz.load_model("mnist_14k").run(np.eye(28))
    >>> tree = cnnviz.explain(run, "conv2d_1", row=3, col=3, channel=0).trace()
    >>> [node.receipt.layer.kind for node in tree.path]
    ['Conv2D', 'Dropout', 'BatchNormalization', 'Conv2D', 'InputLayer']
    """
    if depth is not None and depth < 0:
        raise ValueError(f"depth must not be negative, got {depth}")
    for name, value in (("follow", follow), ("limit", limit)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    root = Trace(receipt)
    nodes, levels = {receipt.cell: root}, {receipt.cell: 0}
    # Depth first and strongest first: the most important paths are whole before room runs out.
    branches = [(root, iter(receipt.followed(follow)))]
    while branches:
        node, cells = branches[-1]
        cell = next(cells, None)
        level = levels[node.cell] + 1
        if cell is None:
            branches.pop()
        elif cell not in nodes and (len(nodes) >= limit or (depth is not None and level > depth)):
            node.left_out += 1
        else:
            if cell not in nodes or (level < levels[cell] and nodes[cell].left_out):
                # New, or reached now by a shorter way that leaves more depth.
                child = nodes.setdefault(cell, Trace(node.receipt.at(cell)))
                child.children, child.left_out = (), 0
                levels[cell] = level
                branches.append((child, iter(child.receipt.followed(follow))))
            node.children += (nodes[cell],)
    return root
