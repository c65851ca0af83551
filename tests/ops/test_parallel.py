"""Work shared among threads is all done, once, and BLAS is left as it was found."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from cnnviz import ops
from cnnviz.ops import parallel
from cnnviz.ops.parallel import in_parallel, one_blas_thread, summed

RNG = np.random.default_rng(8)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "threads", lambda: 3)


@pytest.fixture
def two_blas_threads() -> Iterator[None]:
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        yield


def blas_threads() -> set[int]:
    return {
        library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"
    }


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_every_item_is_taken_once(count: int) -> None:
    taken: Counter[int] = Counter()
    in_parallel(lambda items: [taken.update([item]) for item in items], range(count))
    assert taken == Counter(range(count))


@pytest.mark.usefixtures("three")
def test_several_threads_work_at_once() -> None:
    meeting = threading.Barrier(3, timeout=20)
    in_parallel(lambda items: [meeting.wait() for _ in items], range(3))


@pytest.mark.usefixtures("three")
def test_nothing_to_do_is_not_done() -> None:
    in_parallel(lambda items: pytest.fail("there is nothing to do"), [])


@pytest.mark.usefixtures("three")
def test_work_within_work_stays_in_its_thread() -> None:
    seen: list[bool] = []

    def inner(items: Iterable[int]) -> None:
        seen.extend(threading.get_ident() == here.ident for _ in items)

    here = threading.local()

    def outer(items: Iterable[int]) -> None:
        here.ident = threading.get_ident()
        for _ in items:
            in_parallel(inner, range(5))

    in_parallel(outer, range(6))
    assert seen == [True] * 30


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("fails_in_pool", [True, False])
def test_an_error_in_any_thread_is_raised(fails_in_pool: bool) -> None:
    caller, both = threading.get_ident(), threading.Barrier(2, timeout=20)

    def work(items: Iterable[int]) -> None:
        for _ in items:
            both.wait()
            if (threading.get_ident() != caller) == fails_in_pool:
                raise RuntimeError("told to")

    before = blas_threads()
    with pytest.raises(RuntimeError, match="told to"):
        in_parallel(work, range(2))
    assert blas_threads() == before


@pytest.mark.usefixtures("two_blas_threads")
def test_blas_has_one_thread_until_the_last_one_is_done() -> None:
    entered, leave = threading.Barrier(2, timeout=20), threading.Event()

    def stay() -> None:
        with one_blas_thread():
            entered.wait()
            leave.wait(20)

    assert blas_threads() == {2}
    with ThreadPoolExecutor(1) as pool:
        with one_blas_thread():
            staying = pool.submit(stay)
            entered.wait()
            assert blas_threads() == {1}
        assert blas_threads() == {1}
        leave.set()
        staying.result()
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_blas_threads")
def test_many_callers_at_once_leave_blas_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "threads", lambda: 2)
    x, kernel = RNG.normal(size=(16, 20, 20, 8)).astype("f"), RNG.normal(size=(3, 3, 8, 8)).astype("f")
    expected = ops.conv2d(x, kernel)
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(lambda _: ops.conv2d(x, kernel), range(60)):
            np.testing.assert_array_equal(found, expected)
    assert blas_threads() == {2}


def test_sums_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = RNG.normal(size=(101, 7)).astype("f")

    def add(rows: Iterable[np.ndarray], total: np.ndarray) -> None:
        for row in rows:
            total += row

    found = []
    for count in (1, 2, 3, 4):
        monkeypatch.setattr(parallel, "threads", lambda count=count: count)
        found.append(summed(add, list(numbers), (7,), np.float32))
        np.testing.assert_array_equal(found[-1], found[0])
    np.testing.assert_allclose(found[0], numbers.sum(axis=0, dtype=np.float64), rtol=0, atol=1e-4)
    np.testing.assert_array_equal(summed(add, [], (7,), np.float32), np.zeros(7))


SAME = {"padding": "same"}
CALLS = {
    "im2col": lambda x, k, g: ops.conv2d(x, k, k[0, 0, 0], **SAME),
    "strided": lambda x, k, g: ops.conv2d(x, k, strides=2, **SAME),
    "1x1": lambda x, k, g: ops.conv2d(x, k[:1, :1], k[0, 0, 0]),
    "grouped": lambda x, k, g: ops.conv2d(x, k[:, :, :8], groups=2, **SAME),
    "winograd": lambda x, k, g: ops.conv2d(x, k, k[0, 0, 0], method="winograd", tile=4, **SAME),
    "fft": lambda x, k, g: ops.conv2d(x, k, method="fft", **SAME),
    "depthwise": lambda x, k, g: ops.depthwise_conv2d(x, k[..., :2], k[0, 0].ravel()[:32], **SAME),
    "transposed": lambda x, k, g: ops.conv2d_transpose(g, k, strides=2),
    "max pool": lambda x, k, g: ops.max_pool2d(x, 3, strides=2, **SAME),
    "average pool": lambda x, k, g: ops.avg_pool2d(x, 3, strides=2, **SAME),
    "input gradient": lambda x, k, g: ops.conv2d_input_grad(g, k, x.shape, **SAME),
    "kernel gradient": lambda x, k, g: ops.conv2d_kernel_grad(x, g, k.shape, **SAME),
    "kernel gradient, strided": lambda x, k, g: ops.conv2d_kernel_grad(
        x, g[:, ::2, ::2], k.shape, strides=2, **SAME
    ),
    "depthwise input gradient": lambda x, k, g: ops.depthwise_conv2d_input_grad(
        g[..., :16], k[..., :1], x.shape, **SAME
    ),
    "depthwise kernel gradient": lambda x, k, g: ops.depthwise_conv2d_kernel_grad(
        x, g[..., :16], (3, 3, 16, 1), **SAME
    ),
    "bias gradient": lambda x, k, g: ops.conv2d_bias_grad(g),
    "batch norm": lambda x, k, g: ops.batch_norm_training(x, k[0, 0, :, 0])[0],
    "batch norm gradient": lambda x, k, g: np.concatenate(
        [each.ravel() for each in ops.batch_norm_training_grad(x, g[..., :16], k[0, 0, :, 0])]
    ),
    "relu gradient": lambda x, k, g: ops.relu_grad(ops.relu(x), g[..., :16]),
    "max pool gradient": lambda x, k, g: ops.max_pool2d_grad(x, x[:, ::2, ::2], 2, strides=2),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_results_do_not_depend_on_the_number_of_threads(call, monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.normal(size=(40, 24, 24, 16)).astype("f")
    kernel, grad = RNG.normal(size=(3, 3, 16, 24)).astype("f"), RNG.normal(size=(40, 24, 24, 24)).astype("f")
    found = []
    for count in (1, 2, 4):
        monkeypatch.setattr(parallel, "threads", lambda count=count: count)
        found.append(call(x, kernel, grad))
        np.testing.assert_array_equal(found[-1], found[0])
