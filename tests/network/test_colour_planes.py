"""A run knows the picture that it came from, and which of its channels still are red, green or blue."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Network, load_image
from cnnviz.network.colour_planes import picture_of, planes_of
from harness.networks import image, layer, normal

PIXELS = np.random.default_rng(3).integers(0, 256, (8, 6, 3)).astype(np.uint8)


def network(*layers, name="network"):
    return Network([image(8, 6, 3), *layers], name=name)


def chain(*kinds):
    """Layers of these kinds, one after the other, behind the image."""
    names = ["image", *(f"{kind}_{n}" for n, (kind, _) in enumerate(kinds))]
    return [
        layer(name, kind, before, **config)
        for name, before, (kind, config) in zip(names[1:], names, kinds, strict=False)
    ]


KEPT = [
    ("ZeroPadding2D", {"padding": 1}),
    ("Rescaling", {"scale": 2.0}),
    ("Cropping2D", {"cropping": 1}),
    ("UpSampling2D", {"size": 2}),
    ("MaxPooling2D", {}),
    ("AveragePooling2D", {}),
    ("Dropout", {"rate": 0.5}),
    ("ReLU", {}),
]


def test_planes_go_through_what_keeps_them_apart():
    net = network(*chain(*KEPT))
    run = net.run(PIXELS)
    assert {planes_of(run, each.name) for each in net} == {("red", "green", "blue")}


def test_planes_end_where_they_are_mixed_or_moved():
    kernel = {"kernel": normal(1, 1, 3, 3), "bias": np.zeros(3)}
    net = network(
        layer("conv", "Conv2D", "image", weights=kernel, filters=3, kernel_size=1),
        layer("relu", "ReLU", "conv"),
        layer("softmax", "Softmax", "image"),
        layer("depth", "Permute", "image", dims=(2, 1, 3)),
        layer("turned", "Permute", "image", dims=(3, 1, 2)),
        layer("flat", "Flatten", "image"),
        layer("both", "Add", "image", "image"),
    )
    run = net.run(PIXELS)
    found = {each.name: planes_of(run, each.name) for each in net}
    assert found.pop("depth") == found.pop("image") == ("red", "green", "blue")
    assert set(found.values()) == {()}


def test_a_run_remembers_how_its_pixels_were_prepared():
    net = network(*chain(("ReLU", {})))
    for mode in ("unit", "tf", "caffe", "torch", "none"):
        run = net.run(load_image(PIXELS, like=net, preprocess=mode))
        assert run.preprocess == {"image": mode}
        np.testing.assert_array_equal(np.rint(255 * picture_of(run).of(run.input[0])), PIXELS)
        assert planes_of(run, "ReLU_0")[0] == ("blue" if mode == "caffe" else "red")
    assert net.run(PIXELS).preprocess == {"image": "unit"}
    assert net.run(PIXELS / 255).preprocess == {}


def test_a_network_of_keras_applications_has_blue_first_where_keras_has():
    caffe, torch = (network(*chain(("ReLU", {})), name=name) for name in ("vgg16", "densenet121"))
    for net, first in ((caffe, "blue"), (torch, "red")):
        run = net.run(PIXELS)
        assert planes_of(run, "image")[0] == first
        np.testing.assert_array_equal(np.rint(255 * picture_of(run).of(run.input[0])), PIXELS)


@pytest.mark.parametrize("shape", [(8, 6, 1), (8, 6, 2), (8, 6, 4), (8,)])
def test_what_is_not_in_three_channels_has_no_planes(shape):
    net = Network([image(*shape), layer("relu", "ReLU", "image")])
    run = net.run(np.zeros((1, *shape)))
    assert planes_of(run, "image") == planes_of(run, "relu") == ()
    assert (picture_of(run) is None) == (shape != (8, 6, 1))
