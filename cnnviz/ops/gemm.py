"""Matrix products: in the form that BLAS is quickest at, adding to their result, letting other threads run.

OpenBLAS multiplies small matrices without packing them first, where its kernels for the processor have that;
there pieces are quicker than the whole, elsewhere slower. Which it is, and which operand is best transposed,
is measured once on each machine.

NumPy has no product with beta = 1. SciPy's Python wrapper of BLAS has, but holds the interpreter's lock, so
that blocks shared among threads would wait for each other; the same routine called through ctypes does not.
Where it is not declared as expected, NumPy does it in two steps.
"""

from __future__ import annotations

import ctypes
import math
import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cython_blas

from cnnviz.ops.blocks import Call, run
from cnnviz.ops.parallel import one_blas_thread
from cnnviz.ops.processor import measured_once

SMALL_GEMM = 1_000_000
"""OpenBLAS calls matrices with M*N*K up to this small. Source: interface/gemm.c and the SkylakeX kernels."""

FEW_ROWS = 16
"""A product of fewer rows gains nothing by being small: none is cut into such pieces."""

FEW_FILTERS = 32
"""Up to this many columns of a product count as few: its blocks are no larger than one piece."""

SIGNATURE = re.compile(
    r"void \(char \*, char \*, int \*, int \*, int \*, (\w+) \*, \1 \*, int \*, "
    r"\1 \*, int \*, \1 \*, \1 \*, int \*\)"
)
"""(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), as in BLAS, with 32-bit sizes."""

PLAIN, TURNED = (ctypes.byref(ctypes.c_char(letter)) for letter in (b"N", b"T"))
"""A matrix as it stands, or transposed."""

ZEROS, ONES = (
    [ctypes.byref(real(value)) for real in (ctypes.c_float, ctypes.c_double)] for value in (0.0, 1.0)
)
"""In single and in double precision."""


ROWS, ADDED, COLUMNS, SUMS = KINDS = "rows", "added", "columns", "sums"
"""What stands side by side in the first factor: a row's numbers, or a column's. Products of rows may be added
to what is there, which takes other kernels; or a.T @ b is wanted, a sum over the rows."""


class Form(NamedTuple):
    """How products of one kind are put to BLAS: in pieces within SMALL_GEMM or whole, and what is turned:
    the second factor stored column by column, or of a sum over rows the result computed transposed.
    """

    pieces: bool = True
    turned: bool = False


LENGTHS, FILTERS = (16, 48, 144, 288, 576), (8, 16, 32, 64, 128)
"""The sizes for which forms are measured; others take the nearest."""

PREFERENCE = 1.1
"""Another form than the first has to be this many times as fast."""


@lru_cache(maxsize=4096)
def form(kind: str, length: int, filters: int) -> Form:
    """The form for products of matrices (rows, length) and (length, filters), or (rows, filters) for sums."""
    measured = _forms()
    place = _nearest(length, LENGTHS) * len(FILTERS) + _nearest(filters, FILTERS)
    return measured[kind][place] if measured else Form()


@lru_cache
def _forms() -> dict[str, list[Form]] | None:
    known = measured_once("matrix-products", measure_forms)
    try:
        forms = {kind: [Form(*map(bool, each)) for each in known[kind]] for kind in KINDS}
    except (TypeError, KeyError):
        return None
    return forms if {len(each) for each in forms.values()} == {len(LENGTHS) * len(FILTERS)} else None


def measure_forms() -> dict[str, list[Form]]:
    """The quickest form of each kind and size: under a second."""
    sizes = [(length, filters) for length in LENGTHS for filters in FILTERS]
    with one_blas_thread():
        return {kind: [_quickest(kind, *size) for size in sizes] for kind in KINDS}


def _quickest(kind: str, length: int, filters: int) -> Form:
    small = max(SMALL_GEMM // (length * filters), 1)
    rows = small * max(6, -(-512 // small))
    calls: dict[Form, list[Call]] = {}
    for turned in (False, True):
        for pieces in (True, False) if small >= FEW_ROWS else (False,):
            calls[Form(pieces, turned)] = _ways[kind](
                rows, length, filters, small if pieces else rows, turned
            )
    least = dict.fromkeys(calls, math.inf)
    for _ in range(5):
        for each, steps in calls.items():
            start = time.perf_counter()
            run(steps)
            least[each] = min(least[each], time.perf_counter() - start)
    first, best = next(iter(least)), min(least, key=least.__getitem__)
    return best if least[first] > PREFERENCE * least[best] else first


def _by_rows(rows: int, length: int, filters: int, each: int, turned: bool) -> list[Call]:
    """As `stacked` multiplies."""
    a, b = np.ones((rows // each, each, length), np.float32), np.ones((length, filters), np.float32)
    out = np.empty((rows // each, each, filters), np.float32)
    return [partial(np.matmul, a, np.asfortranarray(b) if turned else b, out=out)]


def _by_adding(rows: int, length: int, filters: int, each: int, turned: bool) -> list[Call]:
    """As `Runs` multiplies: one product after the other, added to what is there."""
    a, b = np.ones((rows, length), np.float32), np.ones((length, filters), np.float32, "F" if turned else "C")
    out = np.zeros((rows, filters), np.float32)
    parts = (slice(first, first + each) for first in range(0, rows, each))
    return [product(a[part], b, out[part], add=True) for part in parts]


def _by_columns(rows: int, length: int, filters: int, each: int, turned: bool) -> list[Call]:
    """As `Strips`: a stack of products."""
    a, b = np.ones((rows // each, length, each), np.float32), np.ones((length, filters), np.float32)
    out = np.empty((rows // each, each, filters), np.float32)
    return [partial(np.matmul, a.swapaxes(1, 2), np.asfortranarray(b) if turned else b, out=out)]


def _by_sums(rows: int, length: int, filters: int, each: int, turned: bool) -> list[Call]:
    """As `kernel_gradient`."""
    a, b = (
        np.ones((rows // each, each, length), np.float32),
        np.ones((rows // each, each, filters), np.float32),
    )
    factors = (b.swapaxes(1, 2), a) if turned else (a.swapaxes(1, 2), b)
    return [partial(np.matmul, *factors)]


_ways = {ROWS: _by_rows, ADDED: _by_adding, COLUMNS: _by_columns, SUMS: _by_sums}


def _nearest(size: int, known: Sequence[int]) -> int:
    return min(range(len(known)), key=lambda place: abs(math.log(size / known[place])))


def rows_at_once(kind: str, length: int, filters: int) -> int:
    """Rows of a matrix to be multiplied at once with length x filters weights, 0 for all."""
    rows = SMALL_GEMM // (length * filters)
    return rows if rows >= FEW_ROWS and form(kind, length, filters).pieces else 0


def cells_at_once(kind: str, length: int, filters: int, room: int, pieces: int = 1) -> int:
    """How many of the rows that there is room for make a block: where filters are few, so many pieces."""
    if filters > FEW_FILTERS or not form(kind, length, filters).pieces:
        return room
    return min(room, pieces * SMALL_GEMM // (length * filters))


def in_form(kind: str, weights: np.ndarray) -> np.ndarray:
    """Weights (..., length, filters) stored as products with them are quickest."""
    if form(kind, *weights.shape[-2:]).turned:
        return np.ascontiguousarray(weights.swapaxes(-1, -2)).swapaxes(-1, -2)
    return np.require(weights, requirements=("C", "A"))


def stacked(kind: str, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> list[Call]:
    """out = a @ b, as a stack of products of `rows_at_once` in one call, and one of what is left."""
    rows = rows_at_once(kind, *b.shape) or len(a)
    whole = len(a) // rows * rows
    stack, sums = (matrix[:whole].reshape(-1, rows, matrix.shape[1]) for matrix in (a, out))
    steps = [product(stack, b, sums)] if whole else []
    if whole < len(a):
        steps.append(product(a[whole:], b, out[whole:]))
    return steps


def sum_of_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b, where a (..., length, cells) and b (..., cells, filters) are long and the result is small."""
    if form(SUMS, a.shape[-2], b.shape[-1]).turned:
        return (b.swapaxes(-1, -2) @ a.swapaxes(-1, -2)).swapaxes(-1, -2)
    return a @ b


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray, *, add: bool | None = None) -> Call:
    """The call that does out = a @ b: what a convolution by `im2col` comes down to.

    Where several products add up in out, the first takes add=False and the others add=True: out += a @ b in
    one pass, for C-contiguous matrices of one dtype; b may be stored column by column.
    """
    if add is None:
        return partial(np.matmul, a, b, out=out)
    turned = not b.flags.c_contiguous
    if not (a.flags.c_contiguous and (b.T if turned else b).flags.c_contiguous and out.flags.c_contiguous):
        raise ValueError("BLAS is called on C-contiguous matrices only")
    double = out.itemsize == 8
    gemm = foreign_gemm("dgemm" if double else "sgemm")
    if gemm is None:
        return partial(_add_product, a, b, out) if add else partial(np.matmul, a, b, out=out)
    # BLAS counts along columns: to it these are the transposes, and out.T (+)= b.T @ a.T.
    one, beta = ONES[double], ONES[double] if add else ZEROS[double]
    (n, k), m = a.shape, b.shape[1]
    n, k, m = map(_integer, (n, k, m))
    first, stride = (TURNED, k) if turned else (PLAIN, m)
    return partial(gemm, first, PLAIN, m, n, k, one, _data(b), stride, _data(a), k, beta, _data(out), m)


def _add_product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    out += a @ b


@lru_cache
def _integer(value: int) -> Any:
    return ctypes.byref(ctypes.c_int(value))


def _data(array: np.ndarray) -> Any:
    """A pointer to an array's numbers that keeps the array alive."""
    array = array if array.flags.c_contiguous else array.T
    if array.flags.writeable:  # ten times as fast
        return ctypes.byref(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    return array.ctypes.data_as(ctypes.c_void_p)


@lru_cache
def foreign_gemm(name: str) -> Callable[..., None] | None:
    """SciPy's sgemm or dgemm as a C function; None where it is not declared as expected.

    Source: scipy.linalg.cython_blas, which exports the pointers, each named after its C declaration.
    """
    capsule = getattr(cython_blas, "__pyx_capi__", {}).get(name)
    if capsule is None:
        return None
    api = ctypes.pythonapi
    get_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", api)
    )
    declared = get_name(capsule)
    if not SIGNATURE.fullmatch(declared.decode()):
        return None
    return ctypes.CFUNCTYPE(None)(get_pointer(capsule, declared))
