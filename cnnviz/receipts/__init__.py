"""Receipts: one number of a run, written out term by term, down to the pixels.

`explain` makes them and `Receipt.trace` follows them. What a cell of each layer class is made of is
said once, in `arithmetic.operands`; nothing here computes whole layers.
"""

from cnnviz.receipts.arithmetic import operands
from cnnviz.receipts.cells import Cell
from cnnviz.receipts.receipt import Receipt, explain
from cnnviz.receipts.steps import Shares, Step
from cnnviz.receipts.terms import Term, Terms
from cnnviz.receipts.tracing import Trace

__all__ = ["Cell", "Receipt", "Shares", "Step", "Term", "Terms", "Trace", "explain", "operands"]
