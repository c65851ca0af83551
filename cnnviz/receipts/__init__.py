"""Receipts: one number written out term by term, of a run down to the pixels, of a gradient from the loss on.

`explain` makes them and `Receipt.trace` follows them. What a cell of each layer class is made of, and what
comes back to it, is said by its entry in `layers`; nothing here computes whole layers.
"""

from cnnviz.receipts.backward import GradientReceipt, UpdateReceipt
from cnnviz.receipts.cells import Cell
from cnnviz.receipts.explaining import explain
from cnnviz.receipts.gradient_programs import to_code as gradient_to_code
from cnnviz.receipts.html import to_html
from cnnviz.receipts.latex import to_latex
from cnnviz.receipts.receipt import Receipt
from cnnviz.receipts.reproduction import to_code
from cnnviz.receipts.steps import Derivation, Shares
from cnnviz.receipts.terms import Term, Terms, operands_of
from cnnviz.receipts.text import to_text
from cnnviz.receipts.tracing import Trace, trace

# Each of these modules needs Receipt; Receipt has their functions as methods.
Receipt.trace = trace
Receipt.to_text = to_text
Receipt.to_latex = to_latex
Receipt.to_code = to_code
GradientReceipt.to_code = gradient_to_code
Receipt.to_html = Receipt._repr_html_ = to_html
