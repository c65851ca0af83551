"""Receptive fields: what a unit sees, exactly, for any network that cnnviz reads.

Size, stride and offset of every layer, boxes and exact cells of every unit, for a `Network` or for a
list of layer specs without weights. Definition, sign and recurrences follow Araujo, Norris and Sim,
"Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019. Effective
fields, which do ask the weights, follow Luo et al., NeurIPS 2016. `check_field` puts a field to the test.
"""

from cnnviz.ops.annotations import check_public
from cnnviz.receptive_fields.effective import EffectiveReceptiveField, effective_receptive_field
from cnnviz.receptive_fields.field import ReceptiveField
from cnnviz.receptive_fields.field_check import FieldCheck, check_field
from cnnviz.receptive_fields.sized import MisalignedError
from cnnviz.receptive_fields.specs import Branches, Dense, Flatten, GlobalPool, Identity, Permute, Reshape
from cnnviz.receptive_fields.table import ReceptiveFields, receptive_field
from cnnviz.receptive_fields.window_specs import (
    Conv,
    Crop,
    DepthwiseConv,
    Pool,
    SeparableConv,
    TransposedConv,
    Upsample,
    ZeroPad,
)

check_public(globals())
