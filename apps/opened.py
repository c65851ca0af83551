"""The network that a session has open, the pictures that go with it, and who may open one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import state
import streamlit as st
from chosen_digit import Digit
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz.images.input_pictures import input_picture
from cnnviz.layers.layer import quoted
from cnnviz.network.open_networks import OPEN
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.resources import one_line
from cnnviz.stage import incoming

OWN = "own"
"""What the address calls the network that is open."""
_BROUGHT = "pictures brought"
"""The pictures that the session was given, by their keys, with their names."""
_REFUSED = "refused network"
"""Why the last file was not opened."""


def here() -> OpenedNetwork | None:
    """The network that this session has open, or the one that the command was given."""
    return OPEN.of(_session())


def named(model: str) -> OpenedNetwork | None:
    """The open network of that name; None for a bundled one."""
    return OPEN.named(model)


def may_upload() -> bool:
    """Whether this session may open a file of its own."""
    if OPEN.uploads != "machine":
        return OPEN.uploads == "all"
    return incoming.may_upload(st.context.ip_address, dict(st.context.headers))


def use_network(file: bytes | Path, name: str, preprocess: str = "auto") -> bool:
    """Open a .keras or .h5 file, by its bytes or its path, for all pages; whether that could be done.

    A button's callback, or a page, calls it; why it could not be done the sidebar says (`refused`).
    """
    session = _session()
    try:
        OPEN.open(session, file, name, lambda: _is_there(session), preprocess=preprocess)
    except (ValueError, OSError, MemoryError) as error:
        why = getattr(error, "strerror", "") or error or "it takes too much memory"
        st.session_state[_REFUSED] = f"The network was not opened: {why}."
        return False
    st.session_state.pop(_BROUGHT, None)
    for parameter, value in (("model", OWN), ("changes", ""), ("picture", 0), ("brought", "")):
        state.put(parameter, value)
    return True


def name_classes(opened: OpenedNetwork, classes: Sequence[str]) -> None:
    """Give names to the classes of the outputs that have so many; ValueError if none has."""
    sizes = opened.class_counts
    fitting = {output: classes for output, size in sizes.items() if size == len(classes)}
    if classes and not fitting:
        has = ", ".join(map(str, sizes.values())) or "none"
        raise ValueError(f"{len(classes)} classes are named, and the network has {has}")
    opened.show(opened.examples, fitting)


def refuse(why: str) -> None:
    """Keep why something was not opened, for `refused`."""
    st.session_state[_REFUSED] = why


def refused() -> str:
    """Why the last file was not opened, said once; "" if it was."""
    return str(st.session_state.pop(_REFUSED, ""))


def is_session_s_own() -> bool:
    """Whether what is open was opened in this session."""
    return here() is not OPEN.given


def may_name_classes() -> bool:
    """Whether this session may name the classes of what is open: all sessions see those of the command's."""
    return may_upload() and (is_session_s_own() or OPEN.uploads == "machine")


def forget(file: UploadedFile) -> None:
    """Let the server hold a file no longer that was taken, or refused: it may be large."""
    if exists():
        files: Any = get_instance().uploaded_file_mgr
        files.remove_file(_session(), file.file_id)


def close() -> None:
    """Close the session's own network."""
    OPEN.close(_session())
    for parameter in ("model", "changes", "brought"):
        state.put(parameter, "")


@dataclass(frozen=True)
class OpenedPicture(Digit):
    """What an opened network is shown: an example by its index, or a picture that was brought, by its key."""

    network: str = ""

    @property
    def opened(self) -> OpenedNetwork:
        found = OPEN.named(self.network)
        if found is None:
            raise ValueError(f"{self.network} was closed")
        return found

    @property
    def image(self) -> Any:
        """What the network runs on."""
        if self.own:
            return brought()[self.own][0]
        return self.opened.picture_of(self.index)

    @property
    def label(self) -> int | None:
        """The class that it is, if that is known."""
        found = None if self.own else self.opened.label(self.index)
        return None if found is None else found[0]

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return one_line(brought()[self.own][1] if self.own else self.opened.examples.names[self.index])

    @property
    def title(self) -> str:
        """The same: a file's name is written as it is."""
        return self.name

    @property
    def code(self) -> str:
        """An expression that gives what the network runs on, where cnnviz and NumPy are imported."""
        opened, net = self.opened, self.opened.network
        if opened.takes_pictures:
            mode = quoted(getattr(self.image, "mode", "") or "unit")
            file = quoted(Path(self.name).name if "." in self.name else "picture.png")
            return f"cnnviz.load_image({file}, like={net.input_shape}, preprocess={mode})"
        shapes = {name: tuple(s or 64 for s in net[name].output_shape) for name in net.inputs}
        made = [f"{quoted(name)}: np.zeros({shape})" for name, shape in shapes.items()]
        return f"{{{', '.join(made)}}}"

    @property
    def exact_code(self) -> str:
        """The same, where it gives just this picture: that of a file; "" for what has none."""
        return self.code if self.opened.takes_pictures and "." in Path(self.name).name else ""

    @property
    def drawn(self) -> dict[str, Any]:
        """Each input that is a picture, as colours (H, W) or (H, W, 3) from 0 to 1."""
        image = self.image
        inputs = image if isinstance(image, dict) else {self.opened.network.inputs[0]: image}
        return {
            name: input_picture(values).of(values)
            for name, values in inputs.items()
            if values.ndim == 3 and values.shape[2] in (1, 3)
        }


def brought() -> dict[str, tuple[Any, str]]:
    """The pictures that the session was given: key to pixels and name."""
    return st.session_state.setdefault(_BROUGHT, {})


def bring(content: bytes, name: str) -> None:
    """Take a picture's file as what the network is shown, or keep why it cannot be."""
    opened = here()
    if opened is None:
        return
    try:
        image = opened.picture(content)
        opened.check(image)
    except (ValueError, MemoryError) as error:
        refuse(f"The picture was not taken: {error}.")
        return
    key = hashlib.blake2b(content, digest_size=6).hexdigest()
    brought().clear()
    brought()[key] = (image, name)
    state.put("brought", key)


def _session() -> str:
    context = get_script_run_ctx()
    return "" if context is None else context.session_id


def _is_there(session: str) -> bool:
    return not exists() or get_instance().is_active_session(session)
