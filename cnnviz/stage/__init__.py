"""The live view: one interactive picture of a network on an image, in which every number answers.

`scene` turns a run into what the browser gets, the modules under js/ draw it, `live_view` and `component`
are its hosts. Nothing here computes activations; the engine does.
"""

from cnnviz.stage.live_view import LiveView, view
from cnnviz.stage.scene import Scene, build_scene
