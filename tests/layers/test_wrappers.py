"""Wrappers: to the bit what the layer that they hold does, and which layers they cannot hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network, explain, receptive_field
from cnnviz.concepts.affine_collapse import without_bends
from harness.keras_models import L, keras, save
from harness.networks import conv, image, normal


def held(kind: str, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"layer": {"module": module, "class_name": kind, "config": config}}


def at_each_step(steps: int = 3) -> Network:
    options = {"filters": 3, "kernel_size": (2, 3), "padding": "same", "activation": "softmax"}
    weights = {"kernel": normal(2, 3, 2, 3).astype(np.float32), "bias": normal(3).astype(np.float32)}
    config = held("Conv2D", **options)
    each = Layer.from_config("each", "TimeDistributed", config, weights=weights, inputs=("image",))
    return Network([image(steps, 5, 4, 2), each])


def test_steps_are_as_good_as_images():
    x = normal(2, 3, 5, 4, 2).astype(np.float32)
    net = at_each_step()
    alone = Network([image(5, 4, 2), conv("conv", "image", 2, 3)]).layers[1]
    weights, config = net["each"].weights, net["each"].config["options"]
    alone = Layer("conv", "Conv2D", config, weights, ("image",))
    run = net.run(x)
    for step in range(3):
        z = alone.before_activation(x[:, step])
        np.testing.assert_array_equal(run.pre_activation("each")[:, step], z)
        np.testing.assert_array_equal(run["each"][:, step], alone.after_activation(z))
    assert net["each"].multiply_adds == 3 * 5 * 4 * 36


def test_a_receipt_and_a_field_stay_within_a_step():
    net = at_each_step()
    receipt = explain(net.run(normal(1, 3, 5, 4, 2)), "each", at=(1, 2, 3, 0))
    assert {cell[0] for cell in receipt.terms.position.reshape(-1, 4).tolist()} == {1}
    assert abs(receipt.residual) <= receipt.bound
    field = receptive_field(net)["each"]
    assert field.cells(0, 1) == (1,)


def test_a_kernel_that_was_divided_is_used_as_it_is(tmp_path):
    """In training Keras divides it and writes it back: what the file has is what inference takes."""
    layer = L.SpectralNormalization(L.Conv2D(4, 3), name="sn")
    model = keras.Sequential([keras.Input((5, 5, 2)), layer])
    layer(normal(1, 5, 5, 2).astype(np.float32), training=True)
    net = cnnviz.load_model(save(model, tmp_path))
    assert net["sn"].is_convolution
    assert net["sn"].weights["vector_u"].shape == (1, 4)
    assert (net["sn"].params, net["sn"].trainable_params) == (3 * 3 * 2 * 4 + 4 + 4, 3 * 3 * 2 * 4 + 4)
    x = normal(2, 5, 5, 2).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), model.predict(x, verbose=0), rtol=0, atol=1e-5)
    grads = net.run(x).gradient("sn", weights=np.ones(net.run(x)["sn"].shape, np.float32)).wrt_weights
    assert not grads["sn/vector_u"].any()


def test_bends_are_taken_out_around_a_wrapper_too():
    net = at_each_step()
    assert without_bends(net)["each"].activation is None


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("TimeDistributed", {}, "layer must be a layer as Keras writes it, got None"),
        ("TimeDistributed", held("Sequential"), "layer is a model, which is not supported"),
        ("TimeDistributed", held("Mine", module="mine"), "layer is a Mine, custom code, which is never run"),
        ("TimeDistributed", held("LSTM"), "does not compute LSTM"),
        ("TimeDistributed", held("Subtract"), "layer must take one input, Subtract does not"),
        ("TimeDistributed", held("ReLU", data_format="channels_first"), "channels_first"),
        ("SpectralNormalization", held("ReLU"), "layer must have a kernel, ReLU has none"),
        (
            "SpectralNormalization",
            held("SeparableConv2D", filters=1, kernel_size=1),
            "layer must have a kernel",
        ),
    ],
)
def test_what_is_not_held_is_named(kind, config, message):
    with pytest.raises(ValueError, match=message):
        Layer.from_config("odd", kind, config)


def test_an_input_without_steps_is_named():
    each = Layer.from_config("each", "TimeDistributed", held("ReLU"), inputs=("image",))
    with pytest.raises(ValueError, match=r"'each' \(TimeDistributed\): its input must be \(N, steps, ...\)"):
        Network([image(4), each])
    pooled = Layer.from_config("each", "TimeDistributed", held("MaxPooling2D"), inputs=("image",))
    with pytest.raises(ValueError, match="MaxPooling2D must have 4 axes at each step, batch included"):
        Network([image(4, 3, 2), pooled])
