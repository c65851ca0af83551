"""BLAS called directly: the same sums as NumPy's, in place, and only where it is declared as expected."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnviz import ops
from cnnviz.ops import gemm, kernel_gradient, planning
from cnnviz.ops.gemm import Form, foreign_gemm, product

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
    for weights in (b, np.asfortranarray(b)):
        product(a, weights, out, add=False)()
        assert np.all(np.abs(out - a @ b) <= bound)
    out[...] = 1
    product(a, b, out, add=True)()
    product(a, np.asfortranarray(b), out, add=True)()
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
        product(a[:, :3].copy(), np.ones((3, 4))[:, ::2], out, add=False)


FORMS = [Form(pieces, turned) for pieces in (True, False) for turned in (True, False)]


@pytest.mark.parametrize("chosen", FORMS)
def test_results_are_the_same_sums_in_every_form(chosen: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of small integers are exact in any order, in pieces or whole, turned or not."""
    x = RNG.integers(-4, 5, (3, 14, 14, 16)).astype(np.float32)
    kernel = RNG.integers(-4, 5, (3, 3, 16, 24)).astype(np.float32)
    short, point = kernel[:, :, :1, :8].copy(), kernel[:1, :1]
    grad = RNG.integers(-4, 5, (3, 14, 14, 24)).astype(np.float32)

    def results() -> list[np.ndarray]:
        return [
            ops.conv2d(x, kernel, padding="same"),
            ops.conv2d(x[..., :1], short, strides=2),
            ops.conv2d(x, kernel[:, :, :8], groups=2),
            ops.conv2d(x, point),
            ops.conv2d_input_grad(grad, kernel, x.shape, padding="same"),
            ops.conv2d_kernel_grad(x, grad, kernel.shape, padding="same"),
            ops.conv2d_kernel_grad(x[..., :1], grad[..., :8], short.shape, padding="same"),
        ]

    expected = results()
    monkeypatch.setattr(gemm, "form", lambda kind, length, filters: chosen)
    monkeypatch.setattr(kernel_gradient, "form", gemm.form)
    planning.make_plan.cache_clear()
    for found, wanted in zip(results(), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    planning.make_plan.cache_clear()


def test_forms_are_measured_once_for_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def measure() -> dict[str, list[Form]]:
        calls.append("measured")
        return {kind: [Form(False, True)] * len(gemm.LENGTHS) * len(gemm.FILTERS) for kind in gemm.KINDS}

    monkeypatch.setattr(gemm, "measure_forms", measure)
    monkeypatch.setenv("CNNVIZ_CACHE", str(tmp_path / "new"))
    for _ in range(2):
        gemm._forms.cache_clear()
        gemm.form.cache_clear()
        assert gemm.form("rows", 144, 16) == Form(False, True)
    assert calls == ["measured"]
    # Where nothing can be kept, nothing is measured: every run then computes alike.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNNVIZ_CACHE", str(tmp_path / "file"))
    gemm._forms.cache_clear()
    gemm.form.cache_clear()
    assert gemm.form("rows", 144, 16) == Form()
    assert calls == ["measured"]
    gemm._forms.cache_clear()
    gemm.form.cache_clear()


def test_measuring_names_a_form_for_every_size() -> None:
    forms = gemm.measure_forms()
    assert tuple(forms) == gemm.KINDS
    assert {len(each) for each in forms.values()} == {len(gemm.LENGTHS) * len(gemm.FILTERS)}


@pytest.mark.parametrize(("rows", "products"), [(7, 1), (20, 1), (27, 2)])
def test_a_stack_has_no_empty_products(rows: int, products: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 rows each: the whole pieces in one call, and what is left in another."""
    monkeypatch.setattr(gemm, "rows_at_once", lambda kind, length, filters: 20)
    a, b, out = np.ones((rows, 3)), np.ones((3, 2)), np.zeros((rows, 2))
    steps = gemm.stacked(gemm.ROWS, a, b, out)
    assert len(steps) == products
    gemm.run(steps)
    np.testing.assert_array_equal(out, a @ b)


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
