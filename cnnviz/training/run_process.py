"""The program of a watched run: it trains in a process of its own, and obeys what its owner sends.

It is started by `watched_run.WatchedRun`, reads commands from standard input and writes messages to standard
output, see `network.messages`. Whatever goes wrong is told in one sentence, and the steps that were made can
still be looked at: a thread of its own answers about those that lie behind, on what the training leaves of
the machine. When its owner is gone, however that came, it ends.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_native_id
from typing import Any, BinaryIO

import numpy as np

from cnnviz.network.messages import Message
from cnnviz.ops.parallel import in_this_thread
from cnnviz.resources import limit_address_space, limit_processor_time
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.trainer import LossNotFinite
from cnnviz.training.training_step import TrainingStep
from cnnviz.training.watched_training import (
    MOST_STEPS,
    RunSettings,
    WatchedTraining,
    measures_of,
    picture_of,
)

GRACE = 600.0
"""Seconds of processor time beyond its limit, for steps to be looked at again; no step takes longer."""

STANDS_BACK = 10
"""By how much what is answered beside a training gives way to it, where the system can tell threads apart."""

Answer = Callable[[TrainingStep, Mapping[str, Any]], Message]
"""What answers a question about a step: the step, and what was asked."""


class RunProcess:
    """The run on this side of the pipe.

    Parameters
    ----------
    commands, messages
        Streams to the owner.
    answers
        By the kind of a question about one step, what answers it: rooms above this one have some.
    """

    def __init__(
        self, commands: BinaryIO, messages: BinaryIO, answers: Mapping[str, Answer] | None = None
    ) -> None:
        self.messages, self.answers = messages, dict(answers or {})
        self._writing = Lock()
        self.commands: SimpleQueue[Message] = SimpleQueue()
        """What the run itself does, between two steps; a question without a step is about the newest."""
        self.questions: SimpleQueue[Message] = SimpleQueue()
        """About steps that lie behind."""
        self.playing, self.steps_to_make, self.until = False, 0, MOST_STEPS
        self.over = False
        self.newest: TrainingStep | None = None
        Thread(target=self._listen, args=(commands,), daemon=True).start()

    def _listen(self, commands: BinaryIO) -> None:
        try:
            while message := Message.read(commands):
                (self.commands if message.said.get("step") is None else self.questions).put(message)
        finally:
            # Nobody is there, or can be understood, any more; what is half done is of no use to anybody.
            os._exit(0)

    def serve(self) -> None:
        """Begin with what the first command says, then train and answer until the owner is gone."""
        first = self.commands.get()
        self.seconds = float(first.said["seconds"])
        try:
            _limit_memory(int(first.said["memory"]))
            limit_processor_time(self.seconds + GRACE)
            self.watched = WatchedTraining(RunSettings(**first.said["settings"]))
        except (ValueError, OSError, MemoryError) as error:
            self._end(_in_words(error))
            return
        self._send("ready", layers=self.watched.layers)
        Thread(target=self._look_back, daemon=True).start()
        self._train()
        while True:
            self._obey(self.commands.get())

    def _look_back(self) -> None:
        """Answer about steps that lie behind: whoever looks back does not hold up the run."""
        with suppress(AttributeError, OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), STANDS_BACK)
        with in_this_thread():
            while True:
                self._reply(self.questions.get())

    def _train(self) -> None:
        try:
            self._wait()
            self.watched.run(self._after_step)
            self._end(f"{MOST_STEPS:,} steps are made, and more are not taken here")
        except (LossNotFinite, ValueError, OSError, MemoryError, RuntimeError) as error:
            self._end(_in_words(error))

    def _after_step(self, step: TrainingStep) -> None:
        if self.playing and step.number >= self.until:
            self._play(False)
        said: dict[str, Any] = {"measures": measures_of(step)}
        # A learner who goes step by step sees each one's effect.
        held_out = self.watched.look_at_held_out(at_once=not self.playing)
        if held_out is not None:
            said["held_out"] = held_out
        self._send("step", **said)
        self.steps_to_make = max(0, self.steps_to_make - 1)
        self.newest = step
        try:
            if time.process_time() > self.seconds:
                raise TimeoutError(f"it computed for {self.seconds:,.0f} seconds, and longer it may not")
            self._wait()
        finally:
            # Its arrays' memory is taken for the next step.
            self.newest = None

    def _wait(self) -> None:
        """Obey what was sent, until it is time for the next step."""
        while True:
            moving = self.playing or self.steps_to_make > 0
            try:
                command = self.commands.get_nowait() if moving else self.commands.get()
            except Empty:
                return
            self._obey(command)
            if command.kind == "step":
                # What was asked after it is about the network after it.
                return

    def _obey(self, command: Message) -> None:
        kind, said = command.kind, command.said
        if kind in ("play", "pause"):
            self.until = said.get("until") or MOST_STEPS
            self._play(kind == "play" and not self.over and self.watched.steps < self.until)
        elif kind == "step":
            self.steps_to_make += 1
        else:
            self._reply(command)

    def _play(self, playing: bool) -> None:
        self.playing, self.steps_to_make = playing, 0
        self._send("state", playing=playing)

    def _reply(self, question: Message) -> None:
        kind, said = question.kind, question.said
        try:
            self._answer(kind, said)
        except (ValueError, LookupError, TypeError, OSError, MemoryError, ArithmeticError) as error:
            self._send("refused", asked=kind, number=said.get("number"), words=_in_words(error))

    def _answer(self, kind: str, said: Mapping[str, Any]) -> None:
        number = said.get("step")
        if number is None:
            number = self.watched.steps
        if kind == "picture":
            answer = self._picture(int(number))
        elif kind == "file":
            answer = self._file(int(number))
        else:
            answer = self.answers[kind](self._step(int(number)), said)
        self._write(Message(answer.kind, {**answer.said, "number": said.get("number")}, answer.arrays))

    def _step(self, number: int) -> TrainingStep:
        newest = self.newest
        if newest is not None and newest.number == number:
            return newest
        return self.watched.step_at(number)

    def _picture(self, number: int) -> Message:
        """The weights after a step, and what it was made on; before the first step there is only the one."""
        if not number:
            return Message("picture", {"step": 0}, weights_of(self.watched.state_at(0).network))
        return Message("picture", *picture_of(self._step(number), self.watched.layers))

    def _file(self, number: int) -> Message:
        """The network after a step, as the bytes of a .keras file."""
        content = self.watched.trainer_at(number).keras_file()
        return Message("file", {"step": number}, {"content": np.frombuffer(content, np.uint8)})

    def _end(self, words: str) -> None:
        self.over, self.playing, self.steps_to_make = True, False, 0
        self._send("ended", words=words)

    def _send(self, kind: str, **said: Any) -> None:
        self._write(Message(kind, said))

    def _write(self, message: Message) -> None:
        """Send all of it: what looks back answers while the run tells of its steps."""
        with self._writing:
            message.write(self.messages)


def _in_words(error: BaseException) -> str:
    # A thread that cannot be started has got no room for its stack.
    if isinstance(error, MemoryError) or "start new thread" in str(error):
        return "there is not enough memory for it: take a smaller batch"
    if isinstance(error, OSError):
        return f"{error.strerror or error}"
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)


def _limit_memory(most: int) -> None:
    """Let the program ask for so many bytes more than it has, where the system tells what it has."""
    with suppress(ImportError, OSError, ValueError):
        from resource import getpagesize

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit_address_space(pages * getpagesize() + most)


def main(answers: Mapping[str, Answer] | None = None) -> None:
    """Serve this process's owner, and end."""
    messages = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What anything prints is no message.
    try:
        RunProcess(sys.stdin.buffer, messages, answers).serve()
    except BaseException:
        traceback.print_exc()
    # An interpreter that ends the usual way stumbles over the thread that listens.
    os._exit(0)


if __name__ == "__main__":
    main()
