"""Well-known architectures as layer specs, without weights: what their units see, at any input size.

Only what receptive fields depend on is here: no channels, activations or normalisation, and no
classifier, whose units see everything. Each function names its paper, and where its padding is from.
"""

from __future__ import annotations

from cnnviz.receptive_fields.specs import Branches, Spec
from cnnviz.receptive_fields.window_specs import Conv, Pool


def vgg16() -> list[Spec]:
    """VGG-16's convolutions and pools, conv1_1 to pool5.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> fields = receptive_field(vgg16(), 224)
    >>> fields["conv4_1"].size, fields["pool5"].size
    ((60, 60), (212, 212))

    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    ICLR 2015, table 1, configuration D.
    """
    layers: list[Spec] = []
    for stage, convolutions in enumerate((2, 2, 3, 3, 3), 1):
        layers += [Conv(3, padding="same", name=f"conv{stage}_{k}") for k in range(1, convolutions + 1)]
        layers.append(Pool(2, name=f"pool{stage}"))
    return layers


def resnet50() -> list[Spec]:
    """ResNet-50's convolutions, its pool and its 16 bottleneck blocks, with the padding of Keras's.

    A block's stride is in its first 1x1 convolution, as in the paper.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> fields = receptive_field(resnet50(), 224)
    >>> fields["conv5_block3"].size, fields["conv5_block3"].stride
    ((483, 483), (32, 32))

    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, table 1.
    """
    layers: list[Spec] = [
        Conv(7, 2, padding=((3, 3), (3, 3)), name="conv1"),
        Pool(3, 2, padding=((1, 1), (1, 1)), name="pool1"),
    ]
    for stage, blocks in enumerate((3, 4, 6, 3), 2):
        for k in range(1, blocks + 1):
            stride = 2 if stage > 2 and k == 1 else 1
            layers.append(bottleneck(stride, project=k == 1, name=f"conv{stage}_block{k}"))
    return layers


def bottleneck(
    stride: int = 1,
    kernel_size: int = 3,
    dilation_rate: int = 1,
    *,
    project: bool | None = None,
    name: str | None = None,
) -> Branches:
    """A bottleneck block: 1x1, kernel and 1x1 convolutions, added to a shortcut, with 'same' padding.

    Parameters
    ----------
    stride
        Of the first 1x1 convolution and of the shortcut.
    kernel_size, dilation_rate
        Of the convolution in the middle.
    project
        Whether the shortcut has a 1x1 convolution; None is where the stride asks for one.
    name
        Of the sum.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> receptive_field([bottleneck(2)], 8)[-1].size
    (5, 5)
    """
    inner = Conv(kernel_size, padding="same", dilation_rate=dilation_rate)
    projected = stride != 1 if project is None else project
    return Branches([Conv(1, stride), inner, Conv(1)], [Conv(1, stride)] if projected else [], name=name)


def dilated_stack() -> list[Spec]:
    """The context module: 3x3 convolutions whose dilation doubles, so that the field grows with 2**n.

    >>> from cnnviz.receptive_fields import receptive_field
    >>> [field.size[0] for field in receptive_field(dilated_stack()).values()][1:]
    [3, 5, 9, 17, 33, 65, 67, 67]

    Source: Yu and Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016, table 1.
    """
    rates = (1, 1, 2, 4, 8, 16, 1)
    layers: list[Spec] = [
        Conv(3, padding="same", dilation_rate=rate, name=f"context_{k}") for k, rate in enumerate(rates, 1)
    ]
    return [*layers, Conv(1, name="context_8")]


ARCHITECTURES = {"VGG-16": vgg16, "ResNet-50": resnet50, "dilated stack": dilated_stack}
