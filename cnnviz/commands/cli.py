"""The command line: which command, and what its errors become.

The commands themselves are in modules beside this one.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from cnnviz.commands import (
    bench,
    class_answers,
    evaluate,
    exciting,
    exercises,
    explore,
    export,
    info,
    predict,
    supported,
    train,
    verify,
)
from cnnviz.commands.shared import Interruption, complain
from cnnviz.resources import address_space

COMMANDS = tuple(
    module.COMMAND
    for module in (
        explore,
        predict,
        export,
        exercises,
        class_answers,
        evaluate,
        verify,
        exciting,
        train,
        info,
        supported,
        bench,
    )
)

LEAST_MEMORY, LITTLE_MEMORY = 320 * 10**6, 10**9
"""Bytes of address space in which digits can be read at all, and libraries be loaded with all threads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        The arguments; None is sys.argv's.

    Returns
    -------
    int
        The exit code: 0 done, 1 a verification failed, 2 bad input, 130 interrupted.

    Examples
    --------
    >>> main(["info", "no_such_model"])
    2
    """
    try:
        return _main(argv)
    except KeyboardInterrupt:
        # It came before the command began, or when it had ended.
        return 130


def _main(argv: Sequence[str] | None) -> int:
    _make_outputs_safe()
    try:
        code = _run(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        code = 0
    except OSError as error:
        code = complain(f"cannot write the output: {error.strerror or error}")
    # Python writes what is left when it ends, which must not fail again.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        with Interruption():
            return _within_limits(_parser().parse_args(argv))
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return complain(_said_by(error))
    except ImportError as error:
        return complain(f"a library cannot be loaded, for want of memory perhaps: {error}")
    except MemoryError as error:
        return complain(f"there is not enough memory: {str(error) or 'this machine has no more'}")


def _said_by(error: Exception) -> str:
    """An error's words; what the system says comes with the file, and without the error's number."""
    if isinstance(error, OSError) and error.strerror:
        from cnnviz.numbers import shortened

        where = "" if error.filename is None else f"{shortened(str(error.filename), 200)}: "
        return f"{where}{error.strerror}"
    return str(error)


def _make_outputs_safe() -> None:
    """Closed outputs lead nowhere, and a letter that the terminal does not know is escaped."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        # A file that is opened later would get the number of a closed output, and be written into.
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(number)
        sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")


def _check_memory() -> None:
    """MemoryError where there is so little that OpenBLAS would wait for memory, or a thread, for ever."""
    most = address_space()
    if most < LEAST_MEMORY:
        raise MemoryError(
            f"a program may have {most / 1e6:.0f} MB here (ulimit -v), "
            f"cnnviz needs {LEAST_MEMORY / 1e6:.0f} MB"
        )
    if most < LITTLE_MEMORY:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _within_limits(arguments: argparse.Namespace) -> int:
    _check_memory()
    given = [getattr(arguments, name, None) for name in ("memory_limit", "work_limit")]
    if given == [None, None]:
        return arguments.run(arguments)
    from cnnviz.network.limits import MEMORY, WORK

    with MEMORY.changed_to(given[0]), WORK.changed_to(given[1]):
        return arguments.run(arguments)


class _Parser(argparse.ArgumentParser):
    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        found, rest = super().parse_known_args(args, namespace)
        named = [word for word in rest if "=" in word and not word.startswith("-")]
        if named and any("=" in path for path in vars(found).get("images", ())):
            # --images left=PATH right=PATH: --images need not be said again.
            found.images += named
            rest = [word for word in rest if word not in named]
        # argparse takes words that may be missing only where the first of them stands, not behind an option.
        if rest and "words" in vars(found) and not any(word.startswith("-") for word in rest):
            found.words += rest
            rest = []
        return found, rest

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cnnviz",
        description="See inside a convolutional network, and check every number in it.",
        epilog="examples:\n"
        + "".join(f"  {example}\n" for command in COMMANDS for example in command.examples)
        + "\nMODEL is mnist_14k, mnist_maxpool, or the path of a .keras or .h5 file.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog="examples:\n" + "".join(f"  {example}\n" for example in command.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, *_):  # type: ignore[no-untyped-def]
        import cnnviz

        print(f"cnnviz {cnnviz.__version__}")
        parser.exit()
