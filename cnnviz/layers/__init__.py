"""What each Keras layer class is, said once: one entry a class, in one file a family.

`Layer` is one call of a layer; what depends on its class it asks its entry in ENTRIES, which these
files fill: options and weights, forward and gradients, which cells it reads, the operands of a receipt,
the browser's operation, the code that reproduces it, its rounding.
"""

from cnnviz.layers import activation_layers as activation_layers
from cnnviz.layers import adaptive_pooling as adaptive_pooling
from cnnviz.layers import attention as attention
from cnnviz.layers import contractions as contractions
from cnnviz.layers import convolutions as convolutions
from cnnviz.layers import dense as dense
from cnnviz.layers import dropout as dropout
from cnnviz.layers import elementwise as elementwise
from cnnviz.layers import embedding as embedding
from cnnviz.layers import gating as gating
from cnnviz.layers import merging as merging
from cnnviz.layers import normalization as normalization
from cnnviz.layers import own_statistics as own_statistics
from cnnviz.layers import passing as passing
from cnnviz.layers import pooling as pooling
from cnnviz.layers import rearranging as rearranging
from cnnviz.layers import reductions as reductions
from cnnviz.layers import resizing as resizing
from cnnviz.layers import shaping as shaping
from cnnviz.layers import wrappers as wrappers
from cnnviz.layers.layer import ENTRIES as ENTRIES
from cnnviz.layers.layer import Entry as Entry
from cnnviz.layers.layer import Layer as Layer
from cnnviz.layers.refusals import REFUSED as REFUSED
