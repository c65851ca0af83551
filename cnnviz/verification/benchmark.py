"""How fast the engine is, beside TensorFlow on the same cores.

Both run in one process with the same number of threads, in turns. The least of many repetitions counts, so
that other work of the machine does not; with one thread it is the processor's time that counts. What is
reported is the ratio. TensorFlow runs under tf.function.
Without TensorFlow only our own times are given.

A convolution cannot be faster than the matrix product that it comes down to. What NumPy takes for that, in
the form that it is quickest with on this processor, is the row's floor; where it is above the row's bar, the
bar is a tenth above the floor.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnviz import ops
from cnnviz.network import Network
from cnnviz.network.keras_file import load_model
from cnnviz.ops.gemm import SMALL_GEMM
from cnnviz.ops.processor import blas_name, processor_name
from cnnviz.resources import keras, tensorflow
from cnnviz.training import Adam, Trainer
from cnnviz.verification.tensorflow_process import TensorFlowProcess, answer_stream

REPETITIONS = 30
SECONDS = 1.5
"""Each row is repeated REPETITIONS times, or for SECONDS if that is longer."""

Call = Callable[[], Any]
Product = tuple[int, int, int]
"""A matrix product (rows, length) @ (length, columns)."""


class Timing(NamedTuple):
    """What is measured: its name, our call, TensorFlow's, the ratio aimed at, the product within it."""

    work: str
    ours: Call
    theirs: Call | None
    bar: float | None = None
    product: Product | None = None


MOST_MULTIPLY_ADDS = 1 << 25
"""Of a longer product a part is measured."""

OVER_FLOOR = 1.1
"""How far above the floor a row may be, where its bar is below that."""

APPLICATIONS = ("MobileNetV2", "EfficientNetB0", "ResNet50", "VGG16")
"""The networks of keras.applications that one image of 224x224 goes through."""


@dataclass(frozen=True)
class Row:
    """One line of the table: least times in milliseconds, and ours over TensorFlow's."""

    work: str
    cnnviz: float
    tensorflow: float | None = None
    product: float | None = None
    """What NumPy's quickest matrix product of that size takes."""
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.tensorflow is None else self.cnnviz / self.tensorflow

    @property
    def floor(self) -> float | None:
        """The ratio that NumPy's product alone has."""
        return None if None in (self.product, self.tensorflow) else self.product / self.tensorflow  # type: ignore[operator]

    @property
    def bar(self) -> float | None:
        """What the ratio should not exceed on this processor."""
        above = self.floor is not None and self.aim is not None and self.floor > self.aim
        return OVER_FLOOR * self.floor if above else self.aim  # type: ignore[operator]


def measure(
    threads: int, progress: Callable[[int, int], None] | None = None, applications: bool = False
) -> list[Row]:
    """The table for this machine, measured in a process of its own with so many threads.

    `applications` measures networks of keras.applications instead, which needs TensorFlow. `progress` is
    called as progress(rows done, rows in all). Raises ChildProcessError (an OSError) if that process fails.
    """
    process = TensorFlowProcess(
        *("-m", "cnnviz.verification.benchmark", str(threads), *(["applications"] if applications else [])),
        environment={
            **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
    )
    measured = []

    def take(line: bytes) -> None:
        total, row = json.loads(line)
        measured.append(Row(**row))
        if progress is not None:
            progress(len(measured), total)

    try:
        process.run(take)
    except ChildProcessError as error:
        raise ChildProcessError(f"the benchmark's process failed: {error}") from None
    return measured


def lines(threads: int) -> list[Timing]:
    """All that is measured but for applications, in a process whose engines use so many threads."""
    try:
        tf = _tensorflow(threads)
    except ModuleNotFoundError:
        tf = None
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    net = load_model("mnist_14k")
    return [
        *_convolutions(net, numbers, tf),
        *_others(numbers, tf),
        *_gradients(numbers, tf),
        *_networks(net, numbers, tf),
    ]


def _tensorflow(threads: int) -> Any:
    tf = tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return tf


def application_lines(threads: int) -> Iterator[Timing]:
    """One image through networks of keras.applications with random weights, one network after the other.

    Raises ModuleNotFoundError without TensorFlow.
    """
    tf = _tensorflow(threads)
    image = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    for name in APPLICATIONS:
        model = getattr(keras().applications, name)(weights=None)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.keras"
            model.save(path)
            net = load_model(path)
        work = f"{name}, 1 image of 224x224"
        yield Timing(work, _bound(net.predict, image), _compiled(tf, model, image), 1.5)


def _convolutions(net: Network, numbers: Any, tf: Any) -> Iterator[Timing]:
    shapes: list[tuple[tuple[Any, ...], tuple[int, ...], dict[str, Any], str, float | None]] = [
        (
            (256, *layer.input_shape),
            layer.weights["kernel"].shape,
            {},
            f"mnist_14k {layer.name}, batch 256",
            1.3,
        )
        for layer in net.layers
        if layer.is_convolution
    ]
    same = {"padding": "same"}
    wide, work = ((8, 56, 56, 64), (3, 3, 64, 64)), "8x56x56x64 -> 64, 3x3 same"
    shapes += [
        (*wide, same, work, 1.3),
        (*wide, {**same, "method": "winograd", "tile": 2}, f"{work}, winograd F(2x2)", None),
        (*wide, {**same, "method": "winograd", "tile": 4}, f"{work}, winograd F(4x4)", 1.0),
        ((4, 112, 112, 3), (3, 3, 3, 32), same, "4x112x112x3 -> 32, 3x3 same", 1.3),
        (
            (1, 224, 224, 3),
            (7, 7, 3, 64),
            {**same, "strides": 2},
            "1x224x224x3 -> 64, 7x7 stride 2 same",
            1.3,
        ),
    ]
    for x_shape, kernel_shape, options, name, bar in shapes:
        x, kernel, bias = numbers(*x_shape), numbers(*kernel_shape), numbers(kernel_shape[3])
        strides, padding = options.get("strides", 1), options.get("padding", "valid").upper()

        def theirs(x: Any, kernel: Any, bias: Any, s: int = strides, p: str = padding) -> Any:
            return tf.nn.bias_add(tf.nn.conv2d(x, kernel, s, p), bias)

        cells = math.prod(ops.plan(x, kernel, **options).output_shape[:3])
        length, filters = math.prod(kernel_shape[:3]), kernel_shape[3]
        product = None if "method" in options else (cells, length, filters)
        ours = _bound(ops.conv2d, x, kernel, bias, **options)
        yield Timing(name, ours, _compiled(tf, theirs, x, kernel, bias), bar, product)


def _others(numbers: Any, tf: Any) -> Iterator[Timing]:
    x, kernel = numbers(1, 112, 112, 32), numbers(3, 3, 32, 1)
    yield Timing(
        "depthwise 1x112x112x32, 3x3 same",
        _bound(ops.depthwise_conv2d, x, kernel, padding="same"),
        _compiled(tf, lambda x, k: tf.nn.depthwise_conv2d(x, k, (1, 1, 1, 1), "SAME"), x, kernel),
        2.0,
    )
    maps = numbers(256, 24, 24, 10)
    yield Timing(
        "max pool 2x2 of 256x24x24x10",
        _bound(ops.max_pool2d, maps),
        _compiled(tf, lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), maps),
        1.5,
    )


def _gradients(numbers: Any, tf: Any) -> Iterator[Timing]:
    x, kernel, grad = numbers(256, 26, 26, 16), numbers(3, 3, 16, 16), numbers(256, 24, 24, 16)
    strides, cells, length = (1, 1, 1, 1), 256 * 24 * 24, 3 * 3 * 16
    yield Timing(
        "gradient to the input, 256x26x26x16 -> 16, 3x3",
        _bound(ops.conv2d_input_grad, grad, kernel, x.shape),
        _compiled(
            tf,
            lambda g, k: tf.raw_ops.Conv2DBackpropInput(
                input_sizes=x.shape, filter=k, out_backprop=g, strides=strides, padding="VALID"
            ),
            grad,
            kernel,
        ),
        1.3,
        (cells, 16, length),
    )
    yield Timing(
        "gradient to the kernel, 256x26x26x16 -> 16, 3x3",
        _bound(ops.conv2d_kernel_grad, x, grad, kernel.shape),
        _compiled(
            tf,
            lambda x, g: tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=kernel.shape, out_backprop=g, strides=strides, padding="VALID"
            ),
            x,
            grad,
        ),
        1.5,
        (length, cells, 16),
    )


def _networks(net: Network, numbers: Any, tf: Any) -> Iterator[Timing]:
    model: Any = None
    if tf is not None:
        model = keras().models.load_model(net.source, compile=False)
    for batch, bar in ((256, 1.0), (1, 0.4)):
        x = np.abs(numbers(batch, 28, 28, 1))
        name, ours = f"mnist_14k forward, batch {batch}", _bound(net.predict, x)
        yield Timing(name, ours, _compiled(tf, lambda x: model(x, training=False), x), bar)
        if batch == 1 and model is not None:
            tensor = tf.constant(x)
            yield Timing(f"{name}; TensorFlow's model(x)", ours, _bound(model, tensor, training=False))
            yield Timing(f"{name}; TensorFlow's model.predict(x)", ours, _bound(model.predict, x, verbose=0))


def training_lines(threads: int) -> Iterator[Timing]:
    """A step of training on 128 digits: loss, all gradients, Adam; beside Keras's compiled train_on_batch."""
    try:
        _tensorflow(threads)
        models: Any = keras().models
    except ModuleNotFoundError:
        models = None
    rng = np.random.default_rng(0)
    x, labels = rng.random((128, 28, 28, 1), np.float32), rng.integers(0, 10, 128)
    for name, bar in (("mnist_14k", 1.0), ("mnist_maxpool", 1.3)):
        net, theirs = load_model(name), None
        if models is not None:
            model = models.load_model(net.source, compile=False)
            model.compile(
                keras().optimizers.Adam(1e-3),
                "sparse_categorical_crossentropy",
                metrics=["accuracy"],
                jit_compile=False,
            )
            theirs = _bound(model.train_on_batch, x, labels)
        trainer = Trainer(net, Adam(1e-3))
        yield Timing(f"{name}, a training step of 128", _bound(trainer.step, x, labels), theirs, bar)


def _bound(function: Callable[..., Any], *arguments: Any, **options: Any) -> Call:
    return lambda: function(*arguments, **options)


def _compiled(tf: Any, function: Callable[..., Any], *arrays: np.ndarray) -> Call | None:
    """The call under tf.function on constant tensors; None without TensorFlow."""
    if tf is None:
        return None
    traced, tensors = tf.function(function), [tf.constant(array) for array in arrays]
    return lambda: traced(*tensors)


def _least(
    ours: Call, theirs: Call | None, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float | None]:
    """Milliseconds of the quickest of many calls, the two taking turns."""
    calls = [ours] if theirs is None else [ours, theirs]
    least = [float("inf")] * len(calls)
    for call in calls:
        call()
    until, count = time.perf_counter() + SECONDS, 0
    while count < REPETITIONS or time.perf_counter() < until:
        for place, call in enumerate(calls):
            start = clock()
            call()
            least[place] = min(least[place], clock() - start)
        count += 1
    milliseconds = [1e3 * seconds for seconds in least]
    return milliseconds[0], milliseconds[1] if theirs is not None else None


def _least_of_product(product: Product, clock: Callable[[], float] = time.perf_counter) -> float:
    """Milliseconds of NumPy's quickest way to this product: in blocks of any size, operands turned or not."""
    rows, length, columns = product
    share = min(1.0, MOST_MULTIPLY_ADDS / math.prod(product))
    # What is long is cut, which is the sum where the result is small.
    summed = length > rows
    long, calls = max(1, round((length if summed else rows) * share)), []
    narrow = rows if summed else length
    for multiply_adds in (SMALL_GEMM, 8 * SMALL_GEMM, MOST_MULTIPLY_ADDS):
        each = min(long, max(1, multiply_adds // (narrow * columns)))
        a = np.ones((long // each, each, narrow), np.float32)
        b = np.ones((long // each, each, columns) if summed else (narrow, columns), np.float32)
        a_turned = np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2)
        b_turned = np.ascontiguousarray(b.swapaxes(-1, -2)).swapaxes(-1, -2)
        work = long // each * each
        for first in (a, a_turned):
            for second in (b, b_turned):
                factors = (first.swapaxes(1, 2), second) if summed else (first, second)
                back = tuple(factor.swapaxes(-1, -2) for factor in reversed(factors))
                for pair in (factors, back):
                    out = np.matmul(*pair)
                    calls.append((partial(np.matmul, *pair, out=out), (length if summed else rows) / work))
    least = [math.inf] * len(calls)
    until, count = time.perf_counter() + SECONDS, 0
    while count < 3 or time.perf_counter() < until:
        for place, (call, scale) in enumerate(calls):
            start = clock()
            call()
            least[place] = min(least[place], scale * (clock() - start))
        count += 1
    return 1e3 * min(least)


def conditions(threads: int) -> str:
    """On what the table was measured: the processor, NumPy's BLAS with the kernels it chose, threads."""
    return f"{processor_name()}; {blas_name()}; {threads} thread{'s' * (threads > 1)} each"


def table(measured: list[Row]) -> str:
    """The rows as text; a ratio above its bar is marked."""
    width = max(len(row.work) for row in measured)
    head = f"{'cnnviz':>10}  {'TensorFlow':>10}  {'ratio':>6}  {'floor':>5}  {'bar':>5}"
    lines = [f"{'work':{width}}  {head}"]
    for row in measured:
        theirs = "-" if row.tensorflow is None else f"{row.tensorflow:.3f} ms"
        ratio, floor, bar = ("-" if x is None else f"{x:.2f}" for x in (row.ratio, row.floor, row.bar))
        above = "  above" if row.ratio is not None and row.bar is not None and row.ratio > row.bar else ""
        numbers = f"{row.cnnviz:7.3f} ms  {theirs:>10}  {ratio:>6}  {floor:>5}  {bar:>5}{above}"
        lines.append(f"{row.work:{width}}  {numbers}")
    return "\n".join(lines)


def main(threads: int, applications: bool = False) -> None:
    """Write one JSON line for each row as it is measured: [rows in all, row]."""
    with answer_stream() as answer:
        if applications:
            todo, total = application_lines(threads), len(APPLICATIONS)
        else:
            all_lines = [*lines(threads), *training_lines(threads)]
            todo, total = iter(all_lines), len(all_lines)
        # With one thread the processor's time is the same, and does not count what else the machine does.
        clock = time.process_time if threads == 1 else time.perf_counter
        for line in todo:
            floor = None if line.product is None else _least_of_product(line.product, clock)
            row = Row(line.work, *_least(line.ours, line.theirs, clock), floor, line.bar)
            answer.write(json.dumps([total, asdict(row)]).encode() + b"\n")
            answer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), "applications" in sys.argv[2:])
