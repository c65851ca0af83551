"""How fast the engine is, beside TensorFlow on the same cores.

Both run in one process with the same number of threads, in turns. The least of many repetitions counts, so
that other work of the machine does not; what is reported is the ratio. TensorFlow runs under tf.function.
Without TensorFlow only our own times are given.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.network import Network
from cnnviz.network.keras_file import load_model
from cnnviz.resources import keras, tensorflow
from cnnviz.verification.tensorflow_process import TensorFlowProcess, answer_stream

REPETITIONS = 30
SECONDS = 1.5
"""Each row is repeated REPETITIONS times, or for SECONDS if that is longer."""

Call = Callable[[], Any]
Line = tuple[str, Call, Call | None]
"""What is measured: its name, our call, TensorFlow's."""

APPLICATIONS = ("MobileNetV2", "EfficientNetB0", "ResNet50", "VGG16")
"""The networks of keras.applications that one image of 224x224 goes through."""


@dataclass(frozen=True)
class Row:
    """One line of the table: least times in milliseconds, and ours over TensorFlow's."""

    work: str
    cnnviz: float
    tensorflow: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.tensorflow is None else self.cnnviz / self.tensorflow


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


def lines(threads: int) -> list[Line]:
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


def application_lines(threads: int) -> Iterator[Line]:
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
        yield f"{name}, 1 image of 224x224", _bound(net.predict, image), _compiled(tf, model, image)


def _convolutions(net: Network, numbers: Any, tf: Any) -> Iterator[Line]:
    shapes: list[tuple[tuple[Any, ...], tuple[int, ...], dict[str, Any], str]] = [
        ((256, *layer.input_shape), layer.weights["kernel"].shape, {}, f"mnist_14k {layer.name}, batch 256")
        for layer in net.layers
        if layer.is_convolution
    ]
    same = {"padding": "same"}
    wide, work = ((8, 56, 56, 64), (3, 3, 64, 64)), "8x56x56x64 -> 64, 3x3 same"
    shapes += [
        (*wide, same, work),
        (*wide, {**same, "method": "winograd", "tile": 2}, f"{work}, winograd F(2x2)"),
        (*wide, {**same, "method": "winograd", "tile": 4}, f"{work}, winograd F(4x4)"),
        ((4, 112, 112, 3), (3, 3, 3, 32), same, "4x112x112x3 -> 32, 3x3 same"),
        ((1, 224, 224, 3), (7, 7, 3, 64), {**same, "strides": 2}, "1x224x224x3 -> 64, 7x7 stride 2 same"),
    ]
    for x_shape, kernel_shape, options, name in shapes:
        x, kernel, bias = numbers(*x_shape), numbers(*kernel_shape), numbers(kernel_shape[3])
        strides, padding = options.get("strides", 1), options.get("padding", "valid").upper()

        def theirs(x: Any, kernel: Any, bias: Any, s: int = strides, p: str = padding) -> Any:
            return tf.nn.bias_add(tf.nn.conv2d(x, kernel, s, p), bias)

        yield name, _bound(ops.conv2d, x, kernel, bias, **options), _compiled(tf, theirs, x, kernel, bias)


def _others(numbers: Any, tf: Any) -> Iterator[Line]:
    x, kernel = numbers(1, 112, 112, 32), numbers(3, 3, 32, 1)
    yield (
        "depthwise 1x112x112x32, 3x3 same",
        _bound(ops.depthwise_conv2d, x, kernel, padding="same"),
        _compiled(tf, lambda x, k: tf.nn.depthwise_conv2d(x, k, (1, 1, 1, 1), "SAME"), x, kernel),
    )
    maps = numbers(256, 24, 24, 10)
    yield (
        "max pool 2x2 of 256x24x24x10",
        _bound(ops.max_pool2d, maps),
        _compiled(tf, lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), maps),
    )


def _gradients(numbers: Any, tf: Any) -> Iterator[Line]:
    x, kernel, grad = numbers(256, 26, 26, 16), numbers(3, 3, 16, 16), numbers(256, 24, 24, 16)
    strides = (1, 1, 1, 1)
    yield (
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
    )
    yield (
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
    )


def _networks(net: Network, numbers: Any, tf: Any) -> Iterator[Line]:
    model: Any = None
    if tf is not None:
        model = keras().models.load_model(net.source, compile=False)
    for batch in (256, 1):
        x = np.abs(numbers(batch, 28, 28, 1))
        name, ours = f"mnist_14k forward, batch {batch}", _bound(net.predict, x)
        yield name, ours, _compiled(tf, lambda x: model(x, training=False), x)
        if batch == 1 and model is not None:
            tensor = tf.constant(x)
            yield f"{name}; TensorFlow's model(x)", ours, _bound(model, tensor, training=False)
            yield f"{name}; TensorFlow's model.predict(x)", ours, _bound(model.predict, x, verbose=0)


def _bound(function: Callable[..., Any], *arguments: Any, **options: Any) -> Call:
    return lambda: function(*arguments, **options)


def _compiled(tf: Any, function: Callable[..., Any], *arrays: np.ndarray) -> Call | None:
    """The call under tf.function on constant tensors; None without TensorFlow."""
    if tf is None:
        return None
    traced, tensors = tf.function(function), [tf.constant(array) for array in arrays]
    return lambda: traced(*tensors)


def _least(ours: Call, theirs: Call | None) -> tuple[float, float | None]:
    """Milliseconds of the quickest of many calls, the two taking turns."""
    calls = [ours] if theirs is None else [ours, theirs]
    least = [float("inf")] * len(calls)
    for call in calls:
        call()
    until, count = time.perf_counter() + SECONDS, 0
    while count < REPETITIONS or time.perf_counter() < until:
        for place, call in enumerate(calls):
            start = time.perf_counter()
            call()
            least[place] = min(least[place], time.perf_counter() - start)
        count += 1
    milliseconds = [1e3 * seconds for seconds in least]
    return milliseconds[0], milliseconds[1] if theirs is not None else None


def table(measured: list[Row]) -> str:
    """The rows as text."""
    width = max(len(row.work) for row in measured)
    lines = [f"{'work':{width}}  {'cnnviz':>10}  {'TensorFlow':>10}  {'ratio':>6}"]
    for row in measured:
        theirs = "-" if row.tensorflow is None else f"{row.tensorflow:.3f} ms"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(f"{row.work:{width}}  {row.cnnviz:7.3f} ms  {theirs:>10}  {ratio:>6}")
    return "\n".join(lines)


def main(threads: int, applications: bool = False) -> None:
    """Write one JSON line for each row as it is measured: [rows in all, row]."""
    with answer_stream() as answer:
        todo = application_lines(threads) if applications else lines(threads)
        total = len(APPLICATIONS) if applications else len(todo)  # type: ignore[arg-type]
        for name, ours, theirs in todo:
            row = Row(name, *_least(ours, theirs))
            answer.write(json.dumps([total, asdict(row)]).encode() + b"\n")
            answer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), "applications" in sys.argv[2:])
