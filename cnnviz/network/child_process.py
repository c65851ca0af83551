"""A process that reads a network's file and computes with it, which limits bound and which can be killed.

`ComputingProcess` starts this very module as a program, which reads the file by the loader and computes what
it is asked for. A file that breaks out of its limits ends the child and not the server that asked.

A question is a pickle of this process's own, which the child trusts; an answer is a `Message`, numbers and
words, so that nothing that a child says is executed here.
"""

from __future__ import annotations

import atexit
import io
import math
import os
import pickle
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, BinaryIO
from weakref import WeakSet

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.network.keras_file import load_model
from cnnviz.network.messages import Message, NoMessage
from cnnviz.network.network import Network
from cnnviz.network.run import Gradient, Run, forward_pass
from cnnviz.numbers import brief, shortened
from cnnviz.resources import limit_address_space, start_python

SECONDS = 60.0
"""What reading the file, or one forward pass, may take."""

HEADROOM = 2**30
"""Bytes of address space beside the limit of memory: the interpreter, its libraries, threads' stacks."""


MOST_WORDS = 1000
"""Letters of a refusal."""
_WIDEST = 8
"""Bytes of a number."""


class WrongAnswer(ValueError):
    """A child's answer has not what was asked for; says what it has."""


def arrays_of(run: Run) -> dict[str, np.ndarray]:
    """What each layer of a run gives, behind its activation and before it, as they are called here."""
    outputs = {f"output {name}": run[name] for name in run}
    return outputs | {f"before {name}": run.pre_activation(name) for name in run}


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

    def ask(
        self,
        what: str,
        *about: Any,
        wanted: Mapping[str, tuple[int, ...]] | None = None,
        known: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """The arrays that the child answers with, by the names of those that are `wanted`.

        Parameters
        ----------
        what, about
            The question, and what it is about.
        wanted
            The arrays' shapes, that are known before they are computed; an answer of others is none.
        known
            Arrays in whose place the child may say that they are the same.

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
                self._answered("load")
                if what == "load":
                    return {}
            return self._answered(what, *about, wanted=wanted or {}, known=known or {})

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

    def _answered(
        self,
        *question: Any,
        wanted: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
        known: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> dict[str, np.ndarray]:
        name, process = Path(self.path).name, self._process
        most = min(self.memory + HEADROOM, _WIDEST * sum(map(math.prod, wanted.values())))
        assert process is not None
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.dump(question, process.stdin, protocol=5)
            process.stdin.flush()
            with io.BufferedReader(_Patient(process.stdout, time.monotonic() + self.seconds)) as answers:
                answer = Message.read(answers, most)
            if answer is None:
                raise EOFError
            if answer.kind != "refused":
                return _as_wanted(answer, wanted, known)
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
        except NoMessage:
            self._kill()
            raise ValueError(
                f"{name} was stopped: {_DOING[question[0]]} came to no answer, or to one larger than what "
                "was asked for"
            ) from None
        except WrongAnswer as error:
            self._kill()
            raise ValueError(f"{name} was stopped: {_DOING[question[0]]} gave {error}") from None
        except BaseException:
            self._kill()  # What is left of this answer would be taken for the next one's.
            raise
        raise ValueError(shortened(str(answer.said.get("words")), MOST_WORDS))

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


_DOING = {
    "load": "reading it",
    "run": "one forward pass",
    "predict": "one forward pass",
    "gradient": "one pass back",
}

_PROCESSES: WeakSet[ComputingProcess] = WeakSet()


@atexit.register
def _close_all() -> None:
    for process in list(_PROCESSES):
        process.close()


def _as_wanted(
    answer: Message, wanted: Mapping[str, tuple[int, ...]], known: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The arrays that are wanted, those of the answer or the known ones that it names."""
    said = answer.said.get("same")
    same = {name for name in said if isinstance(name, str)} if isinstance(said, list) else set()
    found = {name: known[name] for name in known.keys() & same} | dict(answer.arrays)
    for name, shape in wanted.items():
        if name not in found:
            raise WrongAnswer(f"no numbers of {shortened(name, 100)}")
        array = found[name]
        if array.shape != shape or array.dtype not in (np.float32, np.float64):
            raise WrongAnswer(
                f"{brief(array.shape)} numbers of {array.dtype} for {shortened(name, 100)}, which has "
                f"{brief(shape)} of float32 or float64"
            )
    return {name: found[name] for name in wanted}


class _Patient(io.RawIOBase):
    """A pipe that is read as it fills, and waited for until a moment; closing it leaves the pipe open."""

    def __init__(self, stream: Any, until: float) -> None:
        self._descriptor, self._until = stream.fileno(), until
        self._selector = selectors.DefaultSelector()
        self._selector.register(stream, selectors.EVENT_READ)

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0 or not self._selector.select(left):
            raise TimeoutError
        return os.readv(self._descriptor, [room])

    def close(self) -> None:
        self._selector.close()
        super().close()


# The child ---------------------------------------------------------------------------------------


class _Computing:
    """The network in the child, and what it computed last: what is asked next often begins there."""

    def __init__(self, path: str, memory: int) -> None:
        self.path, self.memory = path, memory
        self.net: Network | None = None
        self._runs: dict[int, Run] = {}
        """By the numbers that who asks gives them; those that began with nothing, as far as there is room."""
        self._gradient: tuple[int, Gradient | None] = 0, None

    def answer(self, what: str, *about: Any) -> Message:
        if what == "load" or self.net is None:
            self.net = load_model(self.path)
            # Who asks has looked at what it takes.
            self.net.memory_limit = self.net.work_limit = math.inf
            return Message("loaded")
        answers: dict[str, Callable[..., Message]] = {
            "run": self._run,
            "predict": self._predict,
            "gradient": self._gradients,
        }
        return answers[what](*about)

    def _run(
        self, number: int, changed: Mapping[str, Layer], inputs: Any, edits: Any, inner: Any, begins_with: int
    ) -> Message:
        base = self._runs.get(begins_with)
        run = forward_pass(self._with(changed), inputs, edits, inner=inner, base=base)
        if not begins_with:
            self._keep(number, run)
        arrays, known = arrays_of(run), {} if base is None else arrays_of(base)
        new = {name: array for name, array in arrays.items() if array is not known.get(name)}
        return Message("run", {"same": [name for name in arrays if name not in new]}, new)

    def _keep(self, number: int, run: Run) -> None:
        self._runs[number] = run
        while self._runs and sum(map(_bytes_of, self._runs.values())) > self.memory // 4:
            del self._runs[next(iter(self._runs))]
        while len(self._runs) > 2:
            del self._runs[next(iter(self._runs))]

    def _predict(self, changed: Mapping[str, Layer], inputs: Any, batch_size: int, method: str) -> Message:
        net = self._with(changed)
        answers = net.predict(dict(inputs), batch_size, method=method)
        each = answers if len(net.outputs) > 1 else (answers,)
        return Message("predictions", {}, dict(zip(net.outputs, each, strict=True)))

    def _gradients(
        self,
        number: int,
        of_run: int,
        changed: Mapping[str, Layer],
        inputs: Any,
        fixed: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]],
        seeds: Mapping[str, np.ndarray],
        before: tuple[str, ...],
        wanted: tuple[str, tuple[str, ...]],
    ) -> Message:
        last, gradient = self._gradient
        if last != number or gradient is None:
            run = self._runs.get(of_run)
            if run is None:
                edits, inner = ({name: _Fixed(array) for name, array in each.items()} for each in fixed)
                run = forward_pass(self._with(changed), inputs, edits, inner=inner)
            gradient = Gradient(run, seeds, before)
            self._gradient = number, gradient
        kind, names = wanted
        if kind == "weights":
            return Message("gradient", {}, gradient.of_weights(names))
        (name,) = names
        found = gradient[name] if kind == "output" else gradient.pre_activation(name)
        return Message("gradient", {}, {name: found})

    def _with(self, changed: Mapping[str, Layer]) -> Network:
        assert self.net is not None
        return (
            self.net.with_layers(changed.get(each.name, each) for each in self.net) if changed else self.net
        )


class _Fixed:
    """An edit after which a layer gives these numbers."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def __call__(self, _: np.ndarray) -> np.ndarray:
        return self.numbers


def _bytes_of(run: Run) -> int:
    arrays = [array for name in run for array in (run[name], run.pre_activation(name))]
    return sum({id(array): array.nbytes for array in arrays}.values())


def _serve(path: str, memory: int, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more."""
    limit_address_space(memory + HEADROOM)
    computing = _Computing(path, memory)
    while True:
        try:
            what, *about = pickle.load(questions)
        except (EOFError, pickle.UnpicklingError):
            return
        try:
            answer = computing.answer(what, *about)
        except MemoryError:
            said = f"{_DOING[what]} takes more than the {memory / 1e9:,.1f} GB that it may"
            answer = Message("refused", {"words": f"{Path(path).name} was stopped: {said}"})
        except Exception as error:
            answer = Message("refused", {"words": shortened(str(error) or type(error).__name__, MOST_WORDS)})
        answer.write(answers)


if __name__ == "__main__":
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints is no answer.
    _serve(sys.argv[1], int(sys.argv[2]), sys.stdin.buffer, stream)
