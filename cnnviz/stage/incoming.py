"""What browsers send to the explorer: taken as far as a widget can read it, and no more than a page needs.

Streamlit takes every value for any widget, and all files and requests for places of files. Its own browser
sends nothing that does not fit, but a program can: then a page ended in an error, and one message held up
every other reader. What does not fit is here as if it had not been sent. Streamlit is imported when it is
told so.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from cnnviz.network.open_networks import OPEN

MOST_FILES = 4
"""Files that a session has on the server: one for each of a page's widgets, and one on its way."""
MOST_BYTES = 25 * 2**20
"""Of a file from a session that may not open a network; a picture has 10 MB at most."""
LEFT, LOOK = 120.0, 5.0
"""Seconds until the files of a session that was left go, and between one look and the next."""
MOST_WIDGETS = 1000
"""Widgets that a message sets; a page has some dozens."""
DEEPEST = 20
"""Levels of a component's message; copying one of a thousand takes more calls than Python allows."""

MOST_VALUES = 1_000_000
"""Values in a component's message, by their marks: more of them hold up all readers for seconds."""

NUMBERS = {"int_value", "double_value"}
"""A browser sends a whole number as such where Streamlit's widget says that it takes any."""


HERE = ("localhost", "127.0.0.1", "::1")
"""This machine, by the names and addresses that it calls itself."""
FORWARDED = ("forwarded", "via", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip")
"""What proxies add to a request, beside names that begin with x-forwarded."""


def from_this_machine(address: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a browser on this machine, and from no proxy on it.

    Parameters
    ----------
    address
        Whose connection it is; Streamlit says None for this machine.
    headers
        What came with it.

    Examples
    --------
    >>> from_this_machine(None, {"Host": "localhost:8501"})
    True
    >>> from_this_machine(None, {"Host": "localhost:8501", "X-Forwarded-For": "127.0.0.1"})
    False
    """
    names = {name.lower(): value for name, value in headers.items()}
    if any(name in FORWARDED or name.startswith("x-forwarded") for name in names):
        return False
    # A proxy that says nothing of itself may leave the page's own address, which browsers name.
    called = [f"//{names.get('host', '')}", *filter(None, [names.get("origin")])]
    return (address is None or address in HERE) and all(_host(each) in HERE for each in called)


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # A bracket that is not closed, say.
        return None


def may_upload(address: str | None, headers: Mapping[str, str]) -> bool:
    """Whether who sends this may open a network of their own, as `OPEN.uploads` says."""
    return OPEN.uploads == "all" or (OPEN.uploads == "machine" and from_this_machine(address, headers))


def guard() -> None:
    """Let Streamlit's server, in this process, take only what fits; to be called once or again.

    Examples
    --------
    >>> guard()
    >>> from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
    >>> len(MemoryUploadedFileManager("/upload").get_upload_urls("session", ["7.png"] * 1000))
    4
    """
    from streamlit.runtime.app_session import AppSession
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
    from streamlit.runtime.state.session_state import SessionState

    for owner, around in (
        (SessionState, set_widgets_from_proto),
        (SessionState, register_widget),
        (MemoryUploadedFileManager, add_file),
        (MemoryUploadedFileManager, get_upload_urls),
        (AppSession, _handle_clear_cache_request),
    ):
        of_streamlit = getattr(owner, around.__name__, None)
        if of_streamlit is not None and not hasattr(of_streamlit, "guarded"):
            guarded = _around(of_streamlit, around)
            guarded.guarded = True  # type: ignore[attr-defined]
            setattr(owner, around.__name__, guarded)


def _around(of_streamlit: Callable[..., Any], around: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(of_streamlit)
    def guarded(*arguments: Any, **named: Any) -> Any:
        return around(of_streamlit, *arguments, **named)

    return guarded


# Named after the methods of Streamlit's that they stand around, which they get first.


def set_widgets_from_proto(of_streamlit: Callable[..., Any], session: Any, widget_states: Any) -> None:
    """The widgets that a message sets, of those that it may set."""
    fitting = type(widget_states)()
    for state in islice(widget_states.widgets, MOST_WIDGETS):
        metadata = session._new_widget_state.widget_metadata.get(state.id)
        # A browser that comes back to a new server sets widgets before there are any.
        if _readable(state, metadata) if metadata else state.id.startswith("$$"):
            fitting.widgets.append(state)
    of_streamlit(session, fitting)


def register_widget(of_streamlit: Callable[..., Any], session: Any, metadata: Any, *rest: Any) -> Any:
    """A widget as a page makes it: what was sent for it before is now seen to fit or not."""
    from streamlit.runtime.state.session_state import Serialized

    states = session._new_widget_state.states
    sent = states.get(metadata.id)
    if isinstance(sent, Serialized) and not _readable(sent.value, metadata):
        del states[metadata.id]
    return of_streamlit(session, metadata, *rest)


def _readable(state: Any, metadata: Any) -> bool:
    """Whether what was sent is of its widget's kind, and Streamlit's own reading makes something of it."""
    from streamlit.runtime.state.session_state import Serialized, WStates

    kind = state.WhichOneof("value")
    wanted = metadata.value_type
    if None not in (kind, wanted) and kind != wanted and not {kind, wanted} <= NUMBERS:
        return False
    try:
        if kind in ("json_value", "json_trigger_value"):
            text = getattr(state, kind)
            if sum(map(text.count, ",[{")) > MOST_VALUES or not _flat(json.loads(text)):
                return False
        WStates({state.id: Serialized(state)}, {state.id: metadata})[state.id]
    except Exception:  # Anything that a reading stumbles over.
        return False
    return True


def _flat(message: Any) -> bool:
    """Whether a component's message holds values by name, or in a list, and is not nested beyond all use."""
    level = [message]
    for _ in range(DEEPEST):
        level = [value for one in level if isinstance(one, dict | list) for value in _values(one)]
    return isinstance(message, dict | list) and not level


def _values(message: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return message.values() if isinstance(message, dict) else message


def add_file(of_streamlit: Callable[..., Any], files: Any, session_id: str, file: Any) -> None:
    """A file that was uploaded: the oldest of the session go when there are too many.

    One that is large is taken of a session that may open a network.
    """
    if len(file.data) > MOST_BYTES and not _may_upload(session_id):
        return
    of_streamlit(files, session_id, file)
    for old in list(files.file_storage[session_id])[:-MOST_FILES]:
        files.remove_file(session_id, old)
    _LEFT_FILES.watch(files)


def _may_upload(session_id: str) -> bool:
    from streamlit.runtime import exists, get_instance

    client = get_instance().get_client(session_id) if exists() else None
    context = None if client is None else client.client_context
    return context is not None and may_upload(context.remote_ip, dict(context.headers))


class LeftFiles:
    """Removes the files of sessions that nobody has had open for a while.

    Streamlit does so for sessions that it forgets, and it forgets one only when another is left.
    """

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()
        self._watching = False

    def watch(self, files: Any) -> None:
        """Look from now on, until there are no files any more."""
        with self._lock:
            if not self._watching:
                self._watching = True
                threading.Thread(
                    target=self._keep_looking, args=(files,), name="left files", daemon=True
                ).start()

    def look(self, files: Any, is_active: Callable[[str], bool]) -> None:
        """Remove what was left for longer than `LEFT`."""
        now = time.monotonic()
        for session in list(files.file_storage):
            if is_active(session):
                self._seen[session] = now
            elif now - self._seen.setdefault(session, now) > LEFT:
                files.remove_session_files(session)
                self._seen.pop(session)

    def _keep_looking(self, files: Any) -> None:
        from streamlit.runtime import exists, get_instance

        while True:
            time.sleep(LOOK)
            self.look(files, lambda session: exists() and get_instance().is_active_session(session))
            with self._lock:
                if not files.file_storage:
                    self._watching, self._seen = False, {}
                    return


_LEFT_FILES = LeftFiles()


def get_upload_urls(
    of_streamlit: Callable[..., Any], files: Any, session_id: str, file_names: Any
) -> list[Any]:
    """Places for files that a browser is about to send, no more of them than files are kept."""
    return of_streamlit(files, session_id, file_names[:MOST_FILES])


def _handle_clear_cache_request(of_streamlit: Callable[..., Any], session: Any) -> None:
    """What all readers share is not one reader's to clear."""
