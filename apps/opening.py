"""*Open a network* in the sidebar: a file of the user's own, its classes' names, and pictures for it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import opened
import streamlit as st
from plain import plain
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz.images.class_names import class_names
from cnnviz.images.image_files import FORMATS
from cnnviz.images.preprocessing import MODES
from cnnviz.network.opened_network import LARGEST_FILE, OpenedNetwork
from cnnviz.numbers import counted


def show() -> None:
    """What is open, and how to open another one."""
    own, refused = opened.here(), opened.refused()
    with st.expander("Open a network", expanded=bool(refused)):
        if refused:
            st.error(plain(refused))
        if own is not None:
            st.markdown(plain(_said_of(own)))
            if own.takes_pictures and not own.shows_digits:
                _pictures()
            if own.may_be_digits and opened.may_name_classes():
                st.toggle(
                    "Its ten classes are the digits",
                    own.reads_digits,
                    key=f"opening.digits {own.name} {own.reads_digits}",
                    on_change=_say_whether_digits,
                    args=(own,),
                )
        if not opened.may_upload():
            st.caption("`cnnviz explore mine.keras --images photos` opens a network of your own.")
            return
        st.selectbox("Scale of the pixels", ["auto", *MODES], key="opening.preprocess")
        st.file_uploader(
            f"A .keras or .h5 file, up to {LARGEST_FILE // 10**6} MB",
            type=["keras", "h5"],
            key="opening.file",
            on_change=_take_network,
        )
        if own is not None and own.class_counts and opened.may_name_classes():
            st.file_uploader(
                "The names of its classes: a .txt file, one a line, or .json",
                type=["txt", "json"],
                key="opening.classes",
                on_change=_take_classes,
            )
        if own is not None and opened.is_session_s_own():
            st.button("Close it", on_click=opened.close)


def _said_of(own: OpenedNetwork) -> str:
    net = own.network
    shapes = [" × ".join(str(size or "any") for size in net[name].output_shape) for name in net.inputs]
    sizes = f"{counted(len(net.layers), 'layer')}, {counted(net.count_params()[0], 'parameter')}"
    return f"{own.path.name}: {sizes}, reads {' and '.join(shapes)}."


def _pictures() -> None:
    st.file_uploader(
        "A picture for it, up to 10 MB",
        type=[*(name.lower() for name in FORMATS), "jpg"],
        key="opening.picture",
        on_change=lambda: _take_picture("opening.picture"),
    )
    if st.toggle("Use the camera", key="opening.camera wanted"):
        st.camera_input(
            "A photograph", key="opening.camera", on_change=lambda: _take_picture("opening.camera")
        )


def _say_whether_digits(own: OpenedNetwork) -> None:
    own.are_digits = not own.reads_digits


def _take_picture(key: str) -> None:
    file = _file(key)
    if file is not None:
        opened.bring(file.getvalue(), file.name)


def _take_network() -> None:
    file = _file("opening.file")
    if file is not None and opened.may_upload():
        opened.use_network(
            file.getvalue(), file.name, str(st.session_state.get("opening.preprocess", "auto"))
        )
    if file is not None:
        opened.forget(file)


def _take_classes() -> None:
    file, own = _file("opening.classes"), opened.here()
    if file is None or own is None or not opened.may_name_classes():
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"classes{Path(file.name).suffix.lower()}")
        path.write_bytes(file.getvalue())
        try:
            opened.name_classes(own, class_names(path))
        except (ValueError, OSError) as error:
            opened.refuse(f"{file.name} was not taken: {str(error).replace(str(path), 'it')}.")


def _file(key: str) -> Any:
    # What the server does not hold, an upload that is gone or was never made, is no UploadedFile.
    file = st.session_state.get(key)
    return file if isinstance(file, UploadedFile) else None
