"""A network's forward passes in a process of their own, which limits bound and which can be killed.

`ComputingProcess` starts this very module as a program, which reads the model's file by the loader and
computes what it is asked for. `NetworkInChild` is a network that has its passes computed there. A file that
breaks out of its limits ends the child and not the server that asked.

A question is a pickle of this process's own, which the child trusts; an answer is JSON and the bytes
of arrays, so that nothing that a child says is executed here.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import selectors
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO
from weakref import WeakSet

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.network.forward import Edits, forward
from cnnviz.network.inputs import check_batch_size, images_of, modes_of, prepared
from cnnviz.network.keras_file import load_model
from cnnviz.network.layer_graph import single
from cnnviz.network.memory import check_at_once, check_kept, one_image
from cnnviz.network.network import BATCH_BYTES, Network
from cnnviz.network.run import Run
from cnnviz.numbers import shortened
from cnnviz.resources import limit_address_space, start_python

SECONDS = 60.0
"""What reading the file, or one forward pass, may take."""

HEADROOM = 2**30
"""Bytes of address space beside the limit of memory: the interpreter, its libraries, threads' stacks."""


class ComputingProcess:
    """A child that reads a model's file and computes with it, until it is closed.

    Parameters
    ----------
    path
        The model's file.
    memory
        Bytes that it may ask for beside the interpreter's own (RLIMIT_AS).
    seconds
        What an answer may take; then the child is killed, and the next question gets a new one.
    """

    def __init__(self, path: str | os.PathLike[str], memory: float, seconds: float = SECONDS) -> None:
        self.path, self.memory, self.seconds = os.path.abspath(path), int(memory), seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = Lock()
        _PROCESSES.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # A pickled network computes where it is read.

    @property
    def closed(self) -> bool:
        """Whether nothing is answered any more."""
        return self._closed

    @property
    def pid(self) -> int | None:
        """The child's, while there is one."""
        return None if self._process is None else self._process.pid

    def ask(self, what: str, *about: Any) -> dict[str, np.ndarray]:
        """The arrays that the child answers with.

        Raises
        ------
        ValueError
            with one sentence, if it refuses, ends, or takes longer than it may.
        """
        with self._lock:
            starts = self._process is None and not self._closed
            if starts:
                self._process = self._started()
            if self._closed:  # It may have been while the child was started.
                self._kill()
                raise self._was_closed()
            if starts:
                loaded = self._answered("load")
                if what == "load":
                    return loaded
            return self._answered(what, *about)

    def close(self) -> None:
        """End the child; what is asked from now on is refused."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()  # Who waits for its answer gets none, and lets the lock go.
        with self._lock:
            self._kill()

    def _was_closed(self) -> ValueError:
        return ValueError(f"{Path(self.path).name} was closed: open it again")

    def _started(self) -> subprocess.Popen[bytes]:
        return start_python(
            *("-m", "cnnviz.network.child_process", self.path, str(self.memory)),
            environment={"MALLOC_ARENA_MAX": "2"},  # Each takes 64 MB of its address space.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _answered(self, *question: Any) -> dict[str, np.ndarray]:
        name, process = Path(self.path).name, self._process
        assert process is not None
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.dump(question, process.stdin, protocol=5)
            process.stdin.flush()
            with closing(_Patient(process.stdout, time.monotonic() + self.seconds)) as answer:
                header = answer.header()
                arrays = [answer.array(*each) for each in header["arrays"]]
        except TimeoutError:
            self._kill()
            raise ValueError(
                f"{name} was stopped: {_DOING[question[0]]} took longer than {self.seconds:g} seconds"
            ) from None
        except (OSError, EOFError):
            self._kill()
            if self._closed:
                raise self._was_closed() from None
            raise ValueError(f"{name} was stopped: {_DOING[question[0]]} ended its process") from None
        except BaseException:
            self._kill()  # What is left of this answer would be taken for the next one's.
            raise
        if "refused" in header:
            raise ValueError(str(header["refused"]))
        return {key: arrays[place] for key, place in header["names"].items()}

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(subprocess.TimeoutExpired, OSError):
                process.wait(5)
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()


_DOING = {"load": "reading it", "run": "one forward pass", "predict": "one forward pass"}

_PROCESSES: WeakSet[ComputingProcess] = WeakSet()


@atexit.register
def _close_all() -> None:
    for process in list(_PROCESSES):
        process.close()


class _Patient:
    """An answer as it comes, waited for until a moment."""

    def __init__(self, stream: Any, until: float) -> None:
        self._descriptor, self._until = stream.fileno(), until
        self._selector = selectors.DefaultSelector()
        self._selector.register(stream, selectors.EVENT_READ)

    def close(self) -> None:
        self._selector.close()

    def header(self) -> Any:
        return json.loads(
            self._filled(np.empty(int(self._filled(np.empty(1, "<u8"))[0]), np.uint8)).tobytes()
        )

    def array(self, dtype: str, shape: list[int]) -> np.ndarray:
        return self._filled(np.empty(shape, dtype))

    def _filled(self, array: np.ndarray) -> np.ndarray:
        room, done = array.reshape(-1).view(np.uint8).data, 0
        while done < len(room):
            some = self._some(min(len(room) - done, 2**20))
            room[done : done + len(some)] = some
            done += len(some)
        return array

    def _some(self, count: int) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0 or not self._selector.select(left):
            raise TimeoutError
        some = os.read(self._descriptor, count)
        if not some:
            raise EOFError
        return some


class NetworkInChild(Network):
    """A network whose runs and predictions are computed by its `child`, within its limits.

    Those derived from it, with other weights, too. Edited runs, and those of a network whose layers are
    others, are computed here, as is all else; a pass that the child could compute takes no more here.
    """

    child: ComputingProcess | None = None
    memory_limit: float | None = None
    work_limit: float | None = None
    """What holds where an argument gives no other."""

    @classmethod
    def of(
        cls,
        net: Network,
        child: ComputingProcess,
        memory_limit: float | None = None,
        work_limit: float | None = None,
    ) -> NetworkInChild:
        """A network that was read here too, computed by the child that has read its file."""
        found = cls.__new__(cls)
        vars(found).update(net.__getstate__())
        found.child = child
        found.memory_limit, found.work_limit = memory_limit, work_limit
        found.answers = OrderedDict()
        found._read = net
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "answers": OrderedDict()}

    answers: OrderedDict[Any, Any]
    """What was asked of it and is kept as long as it is there, for those who ask."""
    _read: Network

    def run(
        self,
        x: Any,
        edits: Edits | None = None,
        *,
        memory_limit: float | None = None,
        work_limit: float | None = None,
    ) -> Run:
        memory_limit, work_limit = self._limits(memory_limit, work_limit)
        changed = self._changed()
        if edits or changed is None or self.child is None:
            return super().run(x, edits, memory_limit=memory_limit, work_limit=work_limit)
        images = images_of(self, x)
        check_kept(self, images, memory_limit, work_limit)
        found = self.child.ask("run", changed, prepared(self, images))
        outputs = {layer.name: found[f"output {layer.name}"] for layer in self}
        before = {layer.name: found[f"before {layer.name}"] for layer in self}
        return Run(self, outputs, before, (), modes_of(self, x))

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        *,
        memory_limit: float | None = None,
        work_limit: float | None = None,
        method: str = "auto",
    ) -> Any:
        memory_limit, work_limit = self._limits(memory_limit, work_limit)
        changed = self._changed()
        images = images_of(self, x)
        count = len(images[self.inputs[0]])
        if changed is None or self.child is None or not count:
            return super().predict(
                x, batch_size, memory_limit=memory_limit, work_limit=work_limit, method=method
            )
        check_batch_size(batch_size)
        one = one_image(self, images)
        batch_size = batch_size or max(1, min(256, BATCH_BYTES // max(1, *one.sizes.values())))
        check_at_once(self, one, count, batch_size, memory_limit, work_limit)
        parts = []
        for first in range(0, count, batch_size):
            batch = {name: array[first : first + batch_size] for name, array in images.items()}
            found = self.child.ask("predict", changed, prepared(self, batch), batch_size, method)
            parts.append([found[name] for name in self.outputs])
        return single(tuple(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _limits(self, memory: float | None, work: float | None) -> tuple[float | None, float | None]:
        return self.memory_limit if memory is None else memory, self.work_limit if work is None else work

    def _changed(self) -> dict[str, Layer] | None:
        """The layers that are others than those read; None where the graph is another one."""
        if [*self._layers] != [*self._read._layers]:
            return None
        return {layer.name: layer for layer in self if not _alike(layer, self._read[layer.name])}


def _alike(layer: Layer, other: Layer) -> bool:
    if layer is other:
        return True
    same = layer.weights.keys() == other.weights.keys() and all(
        array is other.weights[name] for name, array in layer.weights.items()
    )
    return same and layer.config is other.config and layer.inputs == other.inputs


# The child ---------------------------------------------------------------------------------------


def _serve(path: str, memory: int, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more."""
    limit_address_space(memory + HEADROOM)
    net: Network | None = None
    while True:
        try:
            what, *about = pickle.load(questions)
        except (EOFError, pickle.UnpicklingError):
            return
        try:
            if what == "load" or net is None:
                net, found = load_model(path), {}
            elif what == "run":
                found = _run(_with(net, about[0]), about[1])
            else:
                found = _predictions(_with(net, about[0]), *about[1:])
        except MemoryError:
            said = f"{_DOING[what]} takes more than the {memory / 1e9:,.1f} GB that it may"
            _send(answers, {"refused": f"{Path(path).name} was stopped: {said}"}, ())
        except Exception as error:
            _send(answers, {"refused": shortened(str(error) or type(error).__name__, 1000)}, ())
        else:
            arrays: dict[int, np.ndarray] = {id(array): array for array in found.values()}
            places = {key: place for place, key in enumerate(arrays)}
            names = {name: places[id(array)] for name, array in found.items()}
            _send(answers, {"names": names}, arrays.values())


def _with(net: Network, changed: Mapping[str, Layer]) -> Network:
    return net.with_layers(changed.get(layer.name, layer) for layer in net) if changed else net


def _run(net: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    before: dict[str, np.ndarray] = {}
    outputs = forward(net, inputs, before)
    return {f"output {name}": array for name, array in outputs.items()} | {
        f"before {name}": array for name, array in before.items()
    }


def _predictions(
    net: Network, inputs: Mapping[str, np.ndarray], batch_size: int, method: str
) -> dict[str, np.ndarray]:
    answers = net.predict(dict(inputs), batch_size, method=method)
    return dict(zip(net.outputs, answers if len(net.outputs) > 1 else (answers,), strict=True))


def _send(stream: BinaryIO, header: dict[str, Any], arrays: Iterable[np.ndarray]) -> None:
    whole = [np.ascontiguousarray(array) for array in arrays]
    said = [[array.dtype.str, list(array.shape)] for array in whole]
    head = json.dumps({**header, "arrays": said}).encode()
    stream.write(np.array([len(head)], "<u8").tobytes() + head)
    for array in whole:
        if prod(array.shape):
            stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()


if __name__ == "__main__":
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints is no answer.
    _serve(sys.argv[1], int(sys.argv[2]), sys.stdin.buffer, stream)
