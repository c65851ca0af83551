"""Equations of EinsumDense: what is read, and what is refused; values are compared with Keras's elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Layer, Network, receptive_field
from cnnviz.layers.einsum import equation_of
from cnnviz.layers.links import backward, one_hot
from harness.networks import image, layer, normal, run_of


@pytest.mark.parametrize(
    ("text", "rank", "expected"),
    [
        ("abc,cd->abd", 3, "abc,cd->abd"),
        ("...x,xy->...y", 4, "ABCx,xy->ABCy"),
        ("ab...,bc->ac...", 4, "abAB,bc->acAB"),
        ("aB...,Bc->ac...", 3, "aBA,Bc->acA"),
        ("...x,xy->...y", 1, "cannot keep the batch"),
    ],
)
def test_dots_become_letters(text, rank, expected):
    if expected.startswith("cannot"):
        with pytest.raises(ValueError, match="must keep the batch"):
            equation_of(text, rank)
    else:
        assert str(equation_of(text, rank)) == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"equation": "abc,cd", "output_shape": (4, 2)}, "equation must be like 'abc,cd->abd'"),
        ({"equation": "...bc,cd->bd...", "output_shape": (4, 2)}, "equation must be like"),
        ({"equation": "ab,bd->ad", "output_shape": (2,)}, "does not fit an input with 3 axes"),
        ({"equation": "abb,bd->abd", "output_shape": (4, 2)}, "must name each axis once"),
        ({"equation": "abc,cd->abe", "output_shape": (4, 2)}, "must name each axis once"),
        ({"equation": "abc,acd->abd", "output_shape": (4, 2)}, "must keep the batch"),
        ({"equation": "abc,cd->abd", "output_shape": (5, 2)}, "does not fit the input .4, 3. along axis 'b'"),
        ({"equation": "abc,cd->abd", "output_shape": (4, None)}, "must say the size of axis 'd'"),
        ({"equation": "abc,cd->abd", "output_shape": (4, 2), "bias_axes": "c"}, "must be axes of the output"),
        (
            {"equation": "abc,cd->abd", "output_shape": (4, 3)},
            r"kernel must have shape \(3, 3\), got \(3, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(config, message):
    weights = {"kernel": normal(3, 2), **({"bias": normal(2)} if "bias_axes" in config else {})}
    with pytest.raises(ValueError, match=message):
        Network([image(4, 3), layer("sums", "EinsumDense", "image", weights=weights, **config)])


def test_a_unit_reads_what_its_equation_sums_over():
    net = run_of("sums along axes").network
    field = receptive_field(net)
    first, *_ = (each for each in net if each.kind == "EinsumDense")
    # abcd,def->abcef: the pixel, all channels.
    (links,) = first.links([(3, 3, 5)])
    marks = backward(links, one_hot((3, 3, 2, 6), (2, 1, 0, 4)))
    assert np.argwhere(np.broadcast_to(marks, (3, 3, 5))).tolist() == [[2, 1, i] for i in range(5)]
    assert field[first.name].size == (1, 1)


def test_products_are_counted():
    config = {"equation": "abc,cde->abde", "output_shape": (4, 2, 5)}
    found = Layer.from_config(
        "sums", "EinsumDense", config, inputs=("image",), weights={"kernel": normal(3, 2, 5)}
    )
    net = Network([image(4, 3), found])
    assert net["sums"].multiply_adds == 4 * 3 * 2 * 5
    assert net.run(np.ones((1, 4, 3)))["sums"].shape == (1, 4, 2, 5)
