"""cnnviz explore: the Streamlit app on a free port, with a network of the user's own if one is named."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import runpy
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.commands.picture_options import (
    add_classes,
    add_pictures,
    examples_for,
    names_of_classes,
    titles_of,
)
from cnnviz.commands.shared import Command, add_limits, complain, say
from cnnviz.resources import BUNDLED

if TYPE_CHECKING:
    from cnnviz.network.opened_network import OpenedNetwork

_ARENA_MAX, _ARENAS = -8, 2
"""The option's number in glibc's malloc.h; a heap for the page that runs, one for what runs beside it."""
_MMAP_THRESHOLD, _LARGE = -3, 8 * 2**20
"""The option's number; what is larger goes back to the system when freed. glibc raises this by itself."""


UPLOAD, PICTURE = 200, 25
"""Megabytes of a file that the server takes, where networks may be uploaded, and where they may not."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="?", metavar="FILE", help="a .keras or .h5 file of your own, which all pages then show"
    )
    add_pictures(parser)
    add_classes(parser)
    parser.add_argument(
        "--allow-upload",
        action="store_true",
        help="let everybody who reaches the explorer open a network of their own, a .keras or .h5 file up to "
        "200 MB; without it those do at this machine, where the browser was opened",
    )
    add_limits(parser, memory=2, work=200)
    parser.add_argument("--port", type=_port, help="the port (default: the first free one from 8501)")
    parser.add_argument("--address", default="localhost", help="where to listen (default: localhost)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")


def _port(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, got {text!r}")
    return value


def run(args: argparse.Namespace) -> int:
    from cnnviz.network.open_networks import OPEN
    from cnnviz.resources import app
    from cnnviz.stage.incoming import guard

    script = app()
    if not script.exists():
        raise FileNotFoundError(f"the explorer is missing: {script}; reinstall cnnviz")
    port = _free_port(args.address, args.port)
    OPEN.uploads = "all" if args.allow_upload else "nobody" if args.no_browser else "machine"
    options = {
        "server.port": port,
        "server.address": args.address,
        "server.headless": args.no_browser,
        "server.showEmailPrompt": False,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": PICTURE if OPEN.uploads == "nobody" else UPLOAD,
        "browser.gatherUsageStats": False,
        "logger.hideWelcomeMessage": True,
    }
    _give_memory_back()
    _give_a_home()
    guard()
    _open_network(args)
    say(f"The explorer runs at http://{args.address}:{port} (Ctrl-C stops it)", flush=True)
    sys.argv = ["streamlit", "run", str(script)]
    sys.argv += [f"--{name}={str(value).lower()}" for name, value in options.items()]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    return 0


def _give_a_home() -> None:
    """Let Streamlit look for its settings, which ends in an error for a user without a home."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.sep  # No folder that anybody may write to.


def _open_network(args: argparse.Namespace) -> None:
    """Open the network that was named, for all sessions; ValueError or OSError if that cannot be."""
    if args.model is None:
        if args.images or args.classes or args.limit or args.preprocess != "auto":
            raise ValueError("--images, --classes, --limit and --preprocess are for a network: name its FILE")
        return
    if args.model in BUNDLED:
        raise ValueError(f"{args.model} is in the explorer anyway: name a FILE of your own, or none")
    from cnnviz.network.class_scores import classes_of
    from cnnviz.network.open_networks import OPEN
    from cnnviz.network.opened_network import OpenedNetwork

    opened = OpenedNetwork(
        args.model, args.preprocess, memory_limit=args.memory_limit, work_limit=args.work_limit
    )
    try:
        net = opened.network
        examples = examples_for(net, args) if args.images else opened.made
        if args.images:
            examples.names = titles_of(examples.names)
        opened.show(examples, names_of_classes(args, classes_of(net), examples))
    except BaseException:
        opened.close()
        raise
    OPEN.give(opened)
    threading.Thread(target=_run_ahead, args=(opened,), name="first run", daemon=True).start()
    for name, why in examples.skipped:
        complain(f"{name}: {why}")
    if examples.said:
        say(examples.said)
    if opened.assumes_digits:
        say(f"the ten classes of {opened.name} are taken for MNIST's digits; --classes FILE says otherwise")


def _run_ahead(opened: OpenedNetwork) -> None:
    """Work out what the first page shows while the server starts: of a large network that takes seconds."""
    from cnnviz.stage.component import run_shown

    with contextlib.suppress(Exception):  # The page asks again, and says what is wrong.
        if not opened.shows_digits:
            run_shown(opened.network, opened.picture_of(0))


def _give_memory_back() -> None:
    """Let threads share their heaps, before there are any, and keep nothing large that is free.

    Streamlit runs every page in a new thread; glibc gives each thread one of many heaps, and each keeps
    what it freed: 200 MB with a class of twenty, as much for an uploaded photograph. Other C libraries have
    no such options.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, _ARENAS)
        mallopt(_MMAP_THRESHOLD, _LARGE)


def _free_port(address: str, wanted: int | None) -> int:
    try:
        family, _, _, _, place = socket.getaddrinfo(address, wanted or 8501, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise ValueError(f"--address must be this machine's name or address, got {address!r}") from None
    for port in [wanted] if wanted else range(8501, 8601):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((place[0], port))
            except OSError as error:
                reason = error.strerror
            else:
                return port
    raise ValueError(f"cannot listen on {address}, port {wanted or '8501 to 8600'}: {reason}")


COMMAND = Command(
    "explore",
    "open the explorer in the browser",
    arguments,
    run,
    (
        "cnnviz explore",
        "cnnviz explore --port 8600 --no-browser",
        "cnnviz explore mine.keras --images photos --classes names.txt",
    ),
)
