"""The output of a notebook's cell: what it holds where no script runs; anywidget is imported late."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz.stage import notebook


def test_without_scripts_a_picture_and_a_sentence_stand(net):
    shown = cnnviz.view(net, cnnviz.load_mnist()[1][0][0])._repr_html_()
    still = re.sub(r"<script.*?</script>", "", shown, flags=re.DOTALL)
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]*)"', still)
    colours = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) > 50
    assert len(picture) < 60_000
    assert "trust this notebook, or run the cell again" in still


def test_anywidget_is_imported_only_in_a_notebook():
    code = (
        "import sys, cnnviz, numpy as np\n"
        "cnnviz.view(cnnviz.load_model('mnist_14k'), np.zeros((28, 28)))._repr_html_()\n"
        "assert not {'anywidget', 'ipywidgets', 'IPython', 'marimo'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(find_spec("anywidget") is not None, reason="anywidget is installed")
def test_without_anywidget_a_widget_says_how_to_get_it(net):
    assert not notebook.available()
    with pytest.raises(ImportError, match=r"pip install 'cnnviz\[notebook\]'"):
        _ = cnnviz.view(net, np.zeros((28, 28))).widget


@pytest.mark.skipif(find_spec("anywidget") is None, reason="anywidget is not installed")
def test_a_widget_holds_its_view_no_longer_than_it_is_used(net):
    view = cnnviz.view(net, np.zeros((28, 28)))
    widget = view.widget
    widget.state = {**widget.state, "path": [["conv2d", 1, 2, 3]]}
    assert view.cell == ("conv2d", 1, 2, 3)
    view.cell = None
    assert widget.state["path"] == []
    assert widget.scene == bytes(view.scene)
    del view
    assert widget.comm is None
