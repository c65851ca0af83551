"""BLAS called directly: the same sums as NumPy's, in place, and only where it is declared as expected."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from cnnviz.ops import gemm
from cnnviz.ops.gemm import foreign_gemm, product

RNG = np.random.default_rng(3)


@pytest.fixture(params=["pointer", "wrapper"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With SciPy's C function, and without, as where its sizes have 64 bits."""
    if request.param == "wrapper":
        monkeypatch.setattr(gemm, "foreign_gemm", lambda name: None)
    return request.param


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 2), (40, 7, 33), (300, 48, 16)])
def test_products_are_numpys(way: str, dtype: Any, shape: tuple[int, int, int]) -> None:
    rows, inner, cols = shape
    a, b = RNG.normal(size=(rows, inner)).astype(dtype), RNG.normal(size=(inner, cols)).astype(dtype)
    out = np.full((rows, cols), np.nan, dtype)
    bound = (inner + 1) * np.finfo(dtype).eps * (np.abs(a) @ np.abs(b) + 1)
    product(a, b, out)()
    np.testing.assert_array_equal(out, a @ b)
    product(a, b, out, add=False)()
    assert np.all(np.abs(out - a @ b) <= bound)
    out[...] = 1
    step = product(a, b, out, add=True)
    step()
    step()
    assert np.all(np.abs(out - (1 + 2 * (a @ b))) <= 4 * bound)


def test_a_step_keeps_its_arrays_and_takes_read_only_ones(way: str) -> None:
    out = np.zeros((4, 2), np.float32)
    weights = np.ones((3, 2), np.float32)
    weights.flags.writeable = False
    step = product(np.ones((4, 3), np.float32), weights, out, add=True)
    del weights
    rubble = [np.full((4, 3), 9, np.float32) for _ in range(50)]
    step()
    assert np.all(out == 3)
    assert len(rubble) == 50


def test_a_product_needs_contiguous_matrices() -> None:
    a, b, out = np.ones((4, 6)), np.ones((3, 2)), np.zeros((4, 2))
    with pytest.raises(ValueError, match="C-contiguous"):
        product(a[:, ::2], b, out, add=False)
    with pytest.raises(ValueError, match="C-contiguous"):
        product(a[:, :3].copy(), b.copy(order="F"), out, add=False)


def test_scipys_function_is_used_where_its_declaration_is_the_expected_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    r = "__pyx_t_5scipy_6linalg_11cython_blas_s *"
    known = f"void (char *, char *, int *, int *, int *, {r}, {r}, int *, {r}, int *, {r}, {r}, int *)"
    assert gemm.SIGNATURE.fullmatch(known)
    assert not gemm.SIGNATURE.fullmatch(known.replace("int *", "npy_int64 *"))
    foreign_gemm.cache_clear()
    assert foreign_gemm("sgemm") is not None
    for capsules in ({}, {"sgemm": gemm.cython_blas.__pyx_capi__["saxpy"]}):
        foreign_gemm.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(gemm.cython_blas, "__pyx_capi__", capsules)
            assert foreign_gemm("sgemm") is None
    foreign_gemm.cache_clear()


def test_other_threads_run_during_a_product() -> None:
    size = 1500
    a, out = np.ones((size, size)), np.zeros((size, size))
    seen: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            seen.append(time.perf_counter())
            time.sleep(0.001)

    clock = threading.Thread(target=tick)
    clock.start()
    start = time.perf_counter()
    product(a, a, out, add=False)()
    end = time.perf_counter()
    done.set()
    clock.join()
    assert any(start < moment < end for moment in seen)
