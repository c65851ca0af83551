"""Networks: a graph of layers, its forward pass and gradients, and the files that it is read from."""

from cnnviz.network.layer_graph import LayerGraph
from cnnviz.network.network import Network
from cnnviz.network.run import Gradient, Run, forward_pass
from cnnviz.network.saving import Compiled
