"""Wrappers: to the bit what the layer that they hold does, and which layers they cannot hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network, explain, receptive_field
from cnnviz.concepts.affine_collapse import without_bends
from cnnviz.layers.draws import Draws
from cnnviz.layers.wrappers import divided
from cnnviz.network.run import training_pass
from cnnviz.training import SGD, Trainer
from harness.gradient_ops import check_finite_differences
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


def in_steps(inner, weights, dtype=np.float64, **config):
    """A layer at each of three steps, behind a scale."""
    scale = Layer.from_config("scale", "LayerScale", {}, weights={"gamma": normal(2)}, inputs=("image",))
    options = held(inner, **config)
    each = Layer.from_config("each", "TimeDistributed", options, weights=weights, inputs=("scale",))
    return Network([image(3, 4, 2), scale, each]).astype(dtype)


NORM = {
    "gamma": normal(2),
    "beta": normal(2, seed=1),
    "moving_mean": np.zeros(2),
    "moving_variance": np.ones(2),
}


def test_in_training_each_step_has_the_statistics_of_its_own_batch():
    net, x = in_steps("BatchNormalization", NORM, momentum=0.75), normal(5, 3, 4, 2)
    run = training_pass(net, x, Draws())
    out, mean = run["each"], np.zeros(2)
    for step in range(3):
        read = run["scale"][:, step]
        mean = 0.75 * mean + 0.25 * read.mean(axis=(0, 1))
        z = (read - read.mean(axis=(0, 1))) / np.sqrt(read.var(axis=(0, 1)) + 1e-3)
        np.testing.assert_allclose(out[:, step], NORM["gamma"] * z + NORM["beta"], rtol=1e-12)
    each = run.network["each"]
    moved = each.entry.after_training(each, net["each"].weights)
    np.testing.assert_allclose(moved["moving_mean"], mean, rtol=1e-12)


def test_a_kernel_is_divided_at_every_call_and_every_step():
    """What is divided once has a largest singular value of 1 nearly, and is divided again."""
    weights = {"kernel": normal(2, 2), "bias": normal(2), "vector_u": normal(1, 2)}
    wrapped = held("SpectralNormalization", **held("Dense", units=2))["layer"]
    net = in_steps("SpectralNormalization", weights, **wrapped["config"])
    run = training_pass(net, normal(5, 3, 4, 2), Draws())
    kernel, u = weights["kernel"], weights["vector_u"]
    for step in range(3):
        kernel, u = divided(kernel, u, 1)
        np.testing.assert_allclose(run["each"][:, step], run["scale"][:, step] @ kernel + weights["bias"])
    each = run.network["each"]
    np.testing.assert_allclose(each.entry.after_training(each, net["each"].weights)["kernel"], kernel)


def test_a_later_call_divides_what_the_first_one_left():
    weights = {"kernel": normal(2, 2), "bias": normal(2), "vector_u": normal(1, 2)}
    config = held("Dense", units=2)
    once = Layer.from_config("sn", "SpectralNormalization", config, weights=weights, inputs=("image",))
    twice = replace(once, name="sn:1", inputs=("sn",), owner="sn")
    net, x = Network([image(2), once, twice]).astype(np.float64), normal(5, 2)
    run = training_pass(net, x, Draws())
    kernel, u = divided(weights["kernel"], weights["vector_u"], 1)
    again, _ = divided(kernel, u, 1)
    np.testing.assert_allclose(run["sn:1"], (x @ kernel + weights["bias"]) @ again + weights["bias"])
    step = Trainer(net, SGD(0.0), "mse").step(x, np.zeros((5, 2)))
    np.testing.assert_allclose(step.network["sn"].weights["kernel"], again)


@pytest.mark.parametrize(("inner", "weights"), [("BatchNormalization", NORM), ("Dropout", {})])
def test_gradients_through_steps_in_training_are_slopes(inner, weights):
    net = in_steps(inner, weights, **({"rate": 0.4} if inner == "Dropout" else {}))
    x = normal(5, 3, 4, 2)
    run = training_pass(net, x, Draws())
    out = normal(*run["each"].shape, seed=3)
    for key, gradient in run.gradient("each", weights=out).wrt_weights.items():
        if "moving" not in key:

            def forward(array, key=key):
                return training_pass(net.with_weights({key: array}), x, Draws())["each"]

            name, weight = key.split("/")
            check_finite_differences(forward, [net[name].weights[weight]], 0, gradient, out)
    alone = run.network["each"].entry.of_images(run.network["each"], slice(1, 2))
    one = alone.before_activation(run["scale"][1:2])
    np.testing.assert_allclose(one, run["each"][1:2], rtol=0, atol=1e-14)
    found = alone.entry.operands(alone, [run["scale"][1]], (2, 1, 0))
    total = float((found.factor * found.weight).sum() + found.bias)
    assert total == pytest.approx(float(run["each"][1, 2, 1, 0]), abs=1e-12)


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
