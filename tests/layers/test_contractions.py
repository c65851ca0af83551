"""EinsumDense and Dot: what is left out, what does not fit, and their receipts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz import Layer, Network, explain, receptive_field
from harness.networks import image, layer, normal


def einsum(equation: str, kernel: tuple[int, ...], **config: object) -> Layer:
    weights = {"kernel": normal(*kernel)}
    return layer("einsum", "EinsumDense", "image", weights=weights, equation=equation, **config)


def test_axes_that_are_left_out_stay_as_they_are():
    """Keras says another shape for them where they differ, and computes this one."""
    net = Network([image(4, 3, 2), einsum("...c,cd->...d", (2, 5), output_shape=5)])
    assert net["einsum"].output_shape == (4, 3, 5)
    x = normal(2, 4, 3, 2).astype(np.float32)
    expected = x.astype(np.float64) @ net["einsum"].weights["kernel"]
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-5, atol=1e-6)
    assert receptive_field(net)["einsum"].size == (1, 1)


def test_a_receipt_lists_the_products_by_hand():
    net = Network([image(4, 3), einsum("abc,bd->adc", (4, 2), output_shape=(2, 3))])
    x = normal(1, 4, 3).astype(np.float32)
    receipt = explain(net.run(x), "einsum", row=1, channel=2)
    np.testing.assert_array_equal(receipt.terms.factor.ravel(), x[0, :, 2])
    np.testing.assert_array_equal(receipt.terms.weight.ravel(), net["einsum"].weights["kernel"][:, 1])
    assert abs(receipt.residual) <= receipt.bound
    # Four products for each of 2 * 3 numbers.
    assert net["einsum"].multiply_adds == 24


def test_two_vectors_give_one_number():
    dot = layer("dot", "Dot", "a", "b", axes=1)
    net = Network([image(3, name="a"), image(3, name="b"), dot])
    a, b = np.float32([[1, 2, 3]]), np.float32([[4, -5, 6]])
    run = net.run([a, b])
    assert run["dot"].tolist() == [[12]]
    receipt = explain(run, "dot", channel=0)
    assert receipt.terms.factor.ravel().tolist() == [1, 2, 3]
    assert receipt.terms.weight.ravel().tolist() == [4, -5, 6]
    gradient = run.gradient("dot", unit=0)
    np.testing.assert_array_equal(gradient["a"], b)
    np.testing.assert_array_equal(gradient["b"], a)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"equation": "abc,cd"}, "equation must be like 'abc,cd->abd'"),
        ({"equation": "ab...,bc->...ac"}, "or 'ab\\.\\.\\.,bc->ac\\.\\.\\.'"),
        ({"equation": "aab,bc->ac"}, "has a letter twice in 'aab'"),
        ({"equation": "abc,cd->ad"}, "each letter of equation must be in two of its three parts"),
        ({"equation": "abc,cd->abd", "output_shape": 0}, "output_shape must be a positive int, got 0"),
        ({"equation": "abc,cd->abd", "output_shape": 5, "bias_axes": 3}, "bias_axes must be letters"),
    ],
)
def test_equations_that_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        Layer.from_config("odd", "EinsumDense", {"output_shape": 4, **config})


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="does not fit an input of 4 axes"):
        Network([image(4, 3, 2), einsum("abc,cd->abd", (2, 5), output_shape=(4, 5))])
    with pytest.raises(ValueError, match="does not say how long 'd' is"):
        Network([image(4, 2), einsum("abc,cd->abd", (2, 5), output_shape=(4, None))])
    a, b = image(3, name="a"), image(4, name="b")
    with pytest.raises(ValueError, match=r"must be as long along axes=\(1, 1\), got \(3,\) and \(4,\)"):
        Network([a, b, layer("dot", "Dot", "a", "b", axes=1)])
    with pytest.raises(ValueError, match=r"axes=\(2, 2\) must be axes of the inputs"):
        Network([a, b, layer("dot", "Dot", "a", "b", axes=2)])
    with pytest.raises(ValueError, match="put a UnitNormalization in front of each input"):
        layer("dot", "Dot", "a", "b", axes=1, normalize=True)
