"""Which networks are open on this server: the command's own, for all its sessions, and one for each session.

Of a session that ends the network is closed and its file removed, a little later, as a browser that lost its
connection may come back.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from cnnviz.network.opened_network import LARGEST_FILE, OpenedNetwork
from cnnviz.resources import BUNDLED, one_line

MOST = 4
"""Networks of sessions that are open at a time."""
LEFT, LOOK = 120.0, 5.0
"""Seconds until a session that was left ends, and between one look and the next."""


@dataclass
class _Session:
    opened: OpenedNetwork
    folder: Path
    alive: Callable[[], bool]
    seen: float


class OpenNetworks:
    """The networks that are open, by the session whose they are.

    Attributes
    ----------
    given
        The network that the command was given; None if it was given none.
    uploads
        Who may upload a network's file: "all", those at this "machine", or "nobody".
    """

    def __init__(self) -> None:
        self.given: OpenedNetwork | None = None
        self.uploads = "nobody"
        self._sessions: dict[str, _Session] = {}
        self._names = set(BUNDLED)
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._watching: threading.Thread | None = None

    def give(self, opened: OpenedNetwork) -> None:
        """Let all sessions have a network."""
        opened.name = self._named(one_line(opened.path.stem))
        self.given = opened

    def of(self, session: str) -> OpenedNetwork | None:
        """A session's own network, or else the one that was given."""
        found = self._sessions.get(session)
        return self.given if found is None or found.opened.closed else found.opened

    def named(self, name: str) -> OpenedNetwork | None:
        """The network of that name, of whichever session; None if there is none."""
        given = [self.given] if self.given is not None else []
        all_of_them = [*given, *(each.opened for each in list(self._sessions.values()))]
        return next((each for each in all_of_them if each.name == name), None)

    def open(
        self, session: str, content: bytes | Path, name: str, alive: Callable[[], bool], **how: Any
    ) -> OpenedNetwork:
        """Open a file for a session, in place of what it had open, which stays if the file is refused.

        Parameters
        ----------
        session
            Its name.
        content
            The file's bytes, or its path: it is copied.
        name
            What the file is called; only its last part counts.
        alive
            Whether the session is still there.
        how
            As of `OpenedNetwork`.

        Raises
        ------
        ValueError, OSError
            as `OpenedNetwork`; for more than `MOST` networks; for a file above 200 MB, or of another ending.
        """
        file = one_line(Path(name.replace("\\", "/")).name).encode()[-200:].decode(errors="ignore")
        if not file.lower().endswith((".keras", ".h5")):
            raise ValueError(f"a network's file ends in .keras or .h5, got {file or 'no name'}")
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        if size > LARGEST_FILE:
            raise ValueError(f"{file} has {size / 1e6:,.0f} MB; the limit is {LARGEST_FILE / 1e6:,.0f} MB")
        with self._opening:  # One at a time, as reading takes memory; the lock is for what takes none.
            with self._lock:
                others = len(self._sessions.keys() - {session})
            if others >= MOST:
                raise ValueError(f"{MOST} networks are open on this server, and no more fit: try again later")
            folder = Path(tempfile.mkdtemp(prefix="cnnviz-opened-"))
            try:
                if isinstance(content, bytes):
                    (folder / file).write_bytes(content)
                else:
                    shutil.copyfile(content, folder / file)
                opened = OpenedNetwork(folder / file, **how)
            except BaseException as error:
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, OSError) and error.strerror:
                    raise ValueError(f"{file}: {error.strerror}") from None
                if isinstance(error, ValueError | OSError):  # Where it lay for a moment is nobody's business.
                    raise ValueError(str(error).replace(f"{folder}{os.sep}", "")) from None
                raise
            opened.name = self._named(Path(file).stem)
            self.close(session)
            with self._lock:
                self._sessions[session] = _Session(opened, folder, alive, time.monotonic())
                self._watch()
        return opened

    def close(self, session: str) -> None:
        """Close a session's own network, if it has one, and remove its file."""
        with self._lock:
            found = self._sessions.pop(session, None)
        if found is not None:
            found.opened.close()
            shutil.rmtree(found.folder, ignore_errors=True)

    def close_all(self) -> None:
        """Close every network."""
        for session in list(self._sessions):
            self.close(session)
        if self.given is not None:
            self.given.close()
            self.given = None

    def look(self) -> None:
        """Close the networks of sessions that are gone for longer than `LEFT`."""
        now = time.monotonic()
        for session, each in list(self._sessions.items()):
            with suppress(Exception):  # What ends while it is asked is not there.
                if each.alive():
                    each.seen = now
            if now - each.seen > LEFT:
                self.close(session)

    def _watch(self) -> None:
        if self._watching is None:
            self._watching = threading.Thread(target=self._keep_looking, name="open networks", daemon=True)
            self._watching.start()

    def _keep_looking(self) -> None:
        while True:
            time.sleep(LOOK)
            self.look()
            with self._lock:  # Whoever opens the next one sees that nobody looks any more.
                if not self._sessions:
                    self._watching = None
                    return

    def _named(self, stem: str) -> str:
        """A name that no other network has had, so that what is kept by name is never another's."""
        with self._lock:
            tried = chain([stem], (f"{stem} ({number})" for number in count(2)))
            name = next(each for each in tried if each not in self._names)
            self._names.add(name)
        return name


OPEN = OpenNetworks()
atexit.register(OPEN.close_all)
