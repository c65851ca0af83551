"""TensorFlow's numbers for the image on a page, from a short-lived process, so that a server stays small.

A process is started when a page asks, one at a time; the page asks again until the answer is there.
Nothing is estimated: where TensorFlow is not installed or fails, there is no number.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Lock

import numpy as np

from cnnviz.network import LayerGraph, Run
from cnnviz.network.messages import Message
from cnnviz.verification.tensorflow_process import OneAtATime, TensorFlowProcess, available

TIMEOUT = 180
"""Seconds that a process may take."""
KEPT = 32
"""Answers that are kept; each is all activations of one image."""

Outputs = Mapping[str, np.ndarray]


def ask_tensorflow(path: Path, images: np.ndarray) -> Outputs:
    """Ask a process and wait for it.

    Parameters
    ----------
    path
        The .keras file.
    images
        (N, H, W, C), prepared as the network takes them.

    Returns
    -------
    {name: array}
        As `cnnviz.verification.tensorflow_answers` says.

    Raises
    ------
    RuntimeError
        if TensorFlow cannot answer, with the reason.
    """
    answer = io.BytesIO()
    try:
        TensorFlowProcess(
            *("-m", "cnnviz.verification.tensorflow_answers", "outputs", str(path)),
            images=images,
            timeout=TIMEOUT,
        ).run(answer.write)
        answer.seek(0)
        message = Message.read(answer)
        if message is None:
            raise ValueError("its answer was cut off")
        return message.arrays
    except (OSError, ValueError) as error:
        raise RuntimeError(str(error).partition("\n")[0]) from None


class Comparisons:
    """The questions that were asked and their answers, shared by all sessions of a server."""

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[str, bytes], Future[Outputs]] = OrderedDict()
        self._lock = Lock()
        self._queue = OneAtATime()

    def ask(self, run: Run) -> Outputs | str:
        """TensorFlow's outputs for a run's image, or why there are none: "running", or a sentence."""
        net = run.network
        why_not = self._why_not(net)
        if why_not:
            return why_not
        assert net.source is not None
        image = run[net.inputs[0]]
        key = (f"{net.source}:{net.source.stat().st_mtime_ns}", image.tobytes())
        with self._lock:
            if key not in self._asked:
                self._asked[key] = self._started(net.source, np.array(image))
                while len(self._asked) > KEPT:
                    self._asked.popitem(last=False)[1].cancel()
            self._asked.move_to_end(key)
            future = self._asked[key]
        if not future.done():
            return "running"
        error = future.exception()
        return future.result() if error is None else f"TensorFlow could not answer: {error}"

    def _started(self, path: Path, image: np.ndarray) -> Future[Outputs]:
        """A question that is answered when those before it are."""
        future: Future[Outputs] = Future()

        def answer() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(ask_tensorflow(path, image))
            except BaseException as error:
                future.set_exception(error)

        try:
            self._queue.put(answer)
        except RuntimeError as error:
            future.set_exception(error)
        return future

    def _why_not(self, net: LayerGraph) -> str:
        if not available():
            return "TensorFlow is not installed here"
        if net.source is None or not net.source.is_file() or len(net.inputs) != 1:
            return "this network is not that of a .keras file"
        return ""


COMPARISONS = Comparisons()
