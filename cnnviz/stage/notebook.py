"""The live view's widget for notebooks: the state goes to and fro between the page and Python, and so do the
numbers of large networks that the page asks for (`answers`), as messages of the widget.

In Jupyter the view is the HTML of an output, which works in a saved notebook too; the widget's model, which
needs no output of its own, joins it by a key while there is a kernel. Shown itself, as in marimo, the widget
draws the view. anywidget is imported when a view is shown, and where it is not installed there is no widget.
"""

from __future__ import annotations

import json
import sys
import weakref
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from cnnviz.stage.bundle import script, style

_BY_CELL: dict[str, tuple[Any, weakref.WeakSet[Any]]] = {}
"""The widgets that were made in a notebook's cell, and in which run of it."""


def available() -> bool:
    """Whether this process serves a notebook whose page a widget can talk to, and anywidget is installed."""
    return find_spec("anywidget") is not None and ("ipykernel" in sys.modules or "marimo" in sys.modules)


@lru_cache
def widget_class() -> Any:
    """The class of the widget; ImportError where anywidget is not installed."""
    import anywidget
    import traitlets

    class StageWidget(anywidget.AnyWidget):  # type: ignore[misc]
        """A view's state, shared with the page."""

        _esm = f"{script('notebook')}\nexport default notebook_module.widget({json.dumps(style())});\n"
        key = traitlets.Unicode().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        scene = traitlets.Bytes().tag(sync=True)
        """Only of a widget that is shown itself."""

    return StageWidget


def make_widget(view: Any, key: str) -> Any:
    """The widget of a view, which holds neither the other longer than it is used.

    Parameters
    ----------
    view
        A LiveView; its `take` is called with each state that comes from the page, its `answer` with each
        question.
    key
        By which the HTML of an output finds the widget's model.
    """
    widget = widget_class()(key=key, state=dict(view.state))
    weak = weakref.ref(view)

    def came(change: Any) -> None:
        shown = weak()
        if shown is not None:
            shown.take(change["new"])

    def asked(_: Any, message: Any, buffers: Any) -> None:
        shown = weak()
        if shown is not None and isinstance(message, dict) and "numbers" in message:
            answer, part = shown.answer(message["numbers"])
            widget.send({"numbers": answer}, [bytes(part)])

    widget.observe(came, "state")
    widget.on_msg(asked)
    weakref.finalize(view, widget.close)
    _close_earlier(widget)
    return widget


def _close_earlier(widget: Any) -> None:
    """A cell that runs again replaces its outputs: the widgets of its last run go."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "get_parent"):
        return
    parent = shell.get_parent() or {}
    cell = parent.get("metadata", {}).get("cellId")
    run = parent.get("header", {}).get("msg_id")
    if not cell:
        return
    last, widgets = _BY_CELL.get(cell, (None, weakref.WeakSet()))
    if last != run:
        for old in widgets:
            old.close()
        widgets = weakref.WeakSet()
    widgets.add(widget)
    _BY_CELL[cell] = run, widgets
