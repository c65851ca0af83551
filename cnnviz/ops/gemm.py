"""Matrix products: of a size that BLAS is quick at, adding to their result, letting other threads run.

NumPy has no product with beta = 1. SciPy's Python wrapper of BLAS has, but holds the interpreter's lock, so
that blocks shared among threads would wait for each other; the same routine called through ctypes does not.
Where it is not declared as expected, NumPy does it in two steps.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from scipy.linalg import cython_blas

from cnnviz.ops.blocks import Call

SMALL_GEMM = 1_000_000
"""OpenBLAS multiplies matrices with M*N*K up to this without packing them first (its small-matrix
kernels), which is faster; with few columns nearly twice."""

FEW_ROWS = 16
"""A product of fewer rows gains nothing by being small: none is cut into such pieces."""

FEW_FILTERS = 32
"""Up to this many columns of a product count as few: its blocks are no larger than SMALL_GEMM allows."""

SIGNATURE = re.compile(
    r"void \(char \*, char \*, int \*, int \*, int \*, (\w+) \*, \1 \*, int \*, "
    r"\1 \*, int \*, \1 \*, \1 \*, int \*\)"
)
"""(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), as in BLAS, with 32-bit sizes."""

PLAIN = ctypes.byref(ctypes.c_char(b"N"))
"""Neither matrix is to be transposed."""

ZEROS, ONES = (
    [ctypes.byref(real(value)) for real in (ctypes.c_float, ctypes.c_double)] for value in (0.0, 1.0)
)
"""In single and in double precision."""


def rows_at_once(length: int, filters: int) -> int:
    """Rows of a matrix whose product with length x filters weights is within SMALL_GEMM, 0 if too few.

    >>> rows_at_once(144, 16), rows_at_once(576, 128)
    (434, 0)
    """
    rows = SMALL_GEMM // (length * filters)
    return rows if rows >= FEW_ROWS else 0


def stacked(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> list[Call]:
    """out = a @ b, as a stack of products within SMALL_GEMM in one call, and one of what is left."""
    rows = rows_at_once(*b.shape) or len(a)
    whole = len(a) // rows * rows
    stack, sums = (matrix[:whole].reshape(-1, rows, matrix.shape[1]) for matrix in (a, out))
    steps = [product(stack, b, sums)]
    if whole < len(a):
        steps.append(product(a[whole:], b, out[whole:]))
    return steps


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray, *, add: bool | None = None) -> Call:
    """The call that does out = a @ b: what a convolution by `im2col` comes down to.

    Where several products add up in out, the first takes add=False and the others add=True: out += a @ b in
    one pass, for C-contiguous matrices of one dtype.
    """
    if add is None:
        return partial(np.matmul, a, b, out=out)
    if not (a.flags.c_contiguous and b.flags.c_contiguous and out.flags.c_contiguous):
        raise ValueError("BLAS is called on C-contiguous matrices only")
    double = out.itemsize == 8
    gemm = foreign_gemm("dgemm" if double else "sgemm")
    if gemm is None:
        return partial(_add_product, a, b, out) if add else partial(np.matmul, a, b, out=out)
    # BLAS counts along columns: to it these are the transposes, and out.T (+)= b.T @ a.T.
    one, beta = ONES[double], ONES[double] if add else ZEROS[double]
    (n, k), m = a.shape, b.shape[1]
    n, k, m = map(_integer, (n, k, m))
    return partial(gemm, PLAIN, PLAIN, m, n, k, one, _data(b), m, _data(a), k, beta, _data(out), m)


def _add_product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    out += a @ b


@lru_cache
def _integer(value: int) -> Any:
    return ctypes.byref(ctypes.c_int(value))


def _data(array: np.ndarray) -> Any:
    """A pointer to an array's numbers that keeps the array alive."""
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
