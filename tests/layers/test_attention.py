"""Attention: values, gradients and bounds against Keras; files, fields, and a small vision transformer."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network, explain
from cnnviz.layers.links import backward, one_hot
from cnnviz.layers.rounding import allowance, gradient_allowance
from harness.authority import keras, tf
from harness.keras_models import L, policy, save, write
from harness.networks import image, layer, normal

SAME = ((5, 6), (5, 6))
CROSS = ((5, 6), (4, 3), (4, 7))
MHA, GQA = "MultiHeadAttention", "GroupQueryAttention"
PLAIN, ADDITIVE = "Attention", "AdditiveAttention"
ALIKE = ((5, 6), (4, 3), (4, 6))
HEADS = {"num_heads": 2, "key_dim": 4}
GROUPS = {"head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2}

LAYERS: dict[str, tuple[str, tuple[tuple[int, ...], ...], dict[str, Any]]] = {
    "self": (MHA, SAME, HEADS),
    "cross": (MHA, CROSS, {**HEADS, "value_dim": 3}),
    "a scale that is rounded": (MHA, SAME, {**HEADS, "key_dim": 3}),
    "causal": (MHA, SAME, {**HEADS, "use_causal_mask": True, "use_bias": False}),
    "causal, more keys": (MHA, ((3, 6), (5, 6)), {**HEADS, "use_causal_mask": True}),
    "causal, more queries": (MHA, ((5, 6), (3, 6)), {**HEADS, "use_causal_mask": True}),
    "causal, with dropout": (MHA, SAME, {**HEADS, "use_causal_mask": True, "dropout": 0.5}),
    "window": (MHA, ((9, 6), (4, 6)), {**HEADS, "sliding_window": 2}),
    "window, with dropout": (MHA, ((9, 6), (4, 6)), {**HEADS, "sliding_window": 2, "dropout": 0.5}),
    "causal window": (MHA, SAME, {**HEADS, "sliding_window": 3, "use_causal_mask": True}),
    "gate": (MHA, SAME, {**HEADS, "use_gate": True}),
    "axes of the output": (MHA, SAME, {**HEADS, "output_shape": (2, 4)}),
    "maps": (MHA, ((3, 4, 6), (3, 4, 6)), HEADS),
    "rows of maps": (MHA, ((3, 4, 6), (3, 5, 6)), {**HEADS, "attention_axes": (2,), "use_gate": True}),
    "columns of maps": (MHA, ((3, 4, 6), (2, 4, 5), (2, 4, 6)), {**HEADS, "attention_axes": [1]}),
    "maps, columns first": (MHA, ((3, 4, 6), (3, 4, 6)), {**HEADS, "attention_axes": (2, 1)}),
    "groups": (GQA, SAME, GROUPS),
    "groups, causal": (GQA, ((5, 6), (4, 6), (4, 6)), {**GROUPS, "use_causal_mask": True, "use_gate": True}),
    "products": (PLAIN, SAME, {}),
    "scaled products": (PLAIN, ALIKE, {"use_scale": True, "use_causal_mask": True}),
    "sums": (PLAIN, ALIKE, {"score_mode": "concat"}),
    "scaled sums": (PLAIN, SAME, {"score_mode": "concat", "use_scale": True, "use_causal_mask": True}),
    "additive": (ADDITIVE, SAME, {}),
    "additive, not scaled": (ADDITIVE, ALIKE, {"use_scale": False, "use_causal_mask": True}),
}


def weighted(name: str) -> Layer:
    """One of LAYERS with random weights; its bias counts beside its products."""
    kind, shapes, config = LAYERS[name]
    names = tuple("abc"[: len(shapes)])
    bare = Layer.from_config("attention", kind, config, inputs=names)
    expected = bare.entry.weight_shapes(bare.config, shapes)
    weights = {
        each: normal(*expected[each], seed=i) / 2
        for i, each in enumerate(bare.entry.weight_names(bare.config))
    }
    return layer("attention", kind, *names, weights=weights, **config)


def inputs_of(name: str, dtype: Any = np.float32, scale: float = 1) -> tuple[np.ndarray, ...]:
    _, shapes, _ = LAYERS[name]
    return tuple((scale * normal(3, *shape, seed=i)).astype(dtype) for i, shape in enumerate(shapes))


def in_float64(name: str) -> Layer:
    _, shapes, _ = LAYERS[name]
    inputs = [image(*shape, name=each) for each, shape in zip("abc", shapes, strict=False)]
    return Network([*inputs, weighted(name)]).astype(np.float64)["attention"]


def by_keras(
    name: str, xs: tuple[np.ndarray, ...], grad: np.ndarray | None
) -> tuple[np.ndarray, list[np.ndarray]]:
    """What Keras's layer makes of the inputs, and the gradients of inputs and weights."""
    kind, _, config = LAYERS[name]
    config = {**config, "dtype": xs[0].dtype.name}
    causal = config.pop("use_causal_mask", False)
    with tf.GradientTape() as tape:
        twin = getattr(L, kind)(**config)
        given = [tf.constant(x) for x in xs]
        tape.watch(given)
        one_list = kind in (PLAIN, ADDITIVE)
        shapes = [x.shape for x in xs]
        twin.build(shapes) if one_list else twin.build(*shapes)
        twin.set_weights(list(weighted(name).weights.values()))
        y = twin(*([given] if one_list else given), use_causal_mask=causal)
    if grad is None:
        return y.numpy(), []
    sources = [*given, *(weight.value for weight in twin.weights)]
    return y.numpy(), [np.asarray(g) for g in tape.gradient(y, sources, output_gradients=tf.constant(grad))]


def gradients(found: Layer, xs: tuple[np.ndarray, ...], grad: np.ndarray) -> list[np.ndarray]:
    weights = [found.entry.weight_gradient(found, name, xs, grad) for name in found.weights]
    return [*found.entry.input_gradients(found, xs, grad), *weights]


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_keras_s(name):
    found, xs = in_float64(name), inputs_of(name, np.float64)
    y = found.before_activation(*xs)
    grad = normal(*y.shape, seed=9)
    expected, theirs = by_keras(name, xs, grad)
    # Sums of at most about 100 products of numbers near 1, some of them in a row.
    tolerance = 1e-12
    np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance)
    for ours, value in zip(gradients(found, xs, grad), theirs, strict=True):
        np.testing.assert_allclose(ours, value, rtol=0, atol=10 * tolerance)


@pytest.mark.parametrize("scale", [0.1, 1, 8])
@pytest.mark.parametrize("name", LAYERS)
def test_float32_stays_within_the_bounds(name, scale):
    """Twice the distance that one evaluation may have from exact is allowed; large scores make it large."""
    single, double = weighted(name), in_float64(name)
    xs = inputs_of(name, np.float32, scale)
    wide = tuple(x.astype(np.float64) for x in xs)
    exact = double.before_activation(*wide)
    grad = normal(*exact.shape, seed=9).astype(np.float32)
    theirs, their_gradients = by_keras(name, xs, grad)
    bound = allowance(single, *xs) / 2
    ours = single.before_activation(*xs)
    assert ours.dtype == np.float32
    for value in (ours, theirs):
        assert (np.abs(value - exact) <= bound).all()
    bounds = [*gradient_allowance(single, xs, grad)]
    bounds += [gradient_allowance(single, xs, grad, of)[0] for of in single.weights]
    exact_gradients = gradients(double, wide, grad.astype(np.float64))
    for i, own in enumerate(gradients(single, xs, grad)):
        assert own.dtype == np.float32
        assert bounds[i].shape == own.shape
        for each in (own, their_gradients[i]):
            assert (np.abs(each - exact_gradients[i]) <= bounds[i] / 2).all(), i
    if scale <= 1:
        # Not so wide that they say nothing.
        assert bound.max() < 1e-3 * np.abs(exact).max()
        for bound, value in zip(bounds, exact_gradients, strict=True):
            assert bound.max() < 1e-2 * max(np.abs(value).max(), 1)


def test_the_bounds_see_a_wrong_scale():
    """Scores divided by the root of all numbers of the heads, not of one."""
    found = weighted("self")
    xs = inputs_of("self")
    wrong = {**found.weights, "query_kernel": found.weights["query_kernel"] / np.float32(np.sqrt(2))}
    wrong["query_bias"] = found.weights["query_bias"] / np.float32(np.sqrt(2))
    other = layer("attention", MHA, "a", "b", weights=wrong, **HEADS)
    off = np.abs(found.before_activation(*xs) - other.before_activation(*xs))
    assert np.median(off / allowance(found, *xs)) > 10


@pytest.mark.parametrize("name", LAYERS)
def test_what_links_say_is_what_changes(name):
    """A unit depends on nothing else, and on the values at all positions that are said to be read."""
    found, xs = in_float64(name), inputs_of(name, np.float64)
    y = found.before_activation(*xs)[0]
    links = found.links([x.shape[1:] for x in xs])
    for place, x in enumerate(xs):
        for unit in ((0,) * y.ndim, tuple(n // 2 for n in y.shape), tuple(n - 1 for n in y.shape)):
            seed = np.zeros((1, *y.shape))
            seed[(0, *unit)] = 1
            gradient = found.entry.input_gradients(found, [each[:1] for each in xs], seed)[place][0]
            marks = np.broadcast_to(backward(links[place], one_hot(y.shape, unit)), x.shape[1:])
            assert not gradient[~marks].any(), (place, unit)
            if place == 1 and found.kind in (MHA, GQA) and not name.startswith("window"):
                # Those with a window have queries that may read nothing.
                assert (gradient.any(axis=-1) == marks.any(axis=-1)).all(), (place, unit)


@pytest.mark.parametrize(
    ("kind", "shapes", "config", "message"),
    [
        (
            MHA,
            ((5, 6), (4, 6), (3, 6)),
            HEADS,
            "query, value and key must agree in all axes but attention_axes",
        ),
        (MHA, ((5, 6), (3, 4, 6)), HEADS, "query, value and key must agree"),
        (MHA, ((3, 4, 6), (2, 4, 6)), {**HEADS, "attention_axes": 2}, "query, value and key must agree"),
        (MHA, SAME, {**HEADS, "attention_axes": 2}, r"attention_axes=\(2,\) must be axes of positions"),
        (
            MHA,
            SAME,
            {**HEADS, "attention_axes": (1, 1)},
            r"attention_axes=\(1, 1\) must be axes of positions",
        ),
        (MHA, SAME, {**HEADS, "num_heads": 0}, "num_heads must be a positive int, got 0"),
        (MHA, ((3, 4, 6),) * 2, {**HEADS, "use_causal_mask": True}, "only supported on inputs"),
        (MHA, SAME, {**HEADS, "key_dim": 3}, r"query_kernel must have shape \(6, 2, 3\), got \(6, 2, 4\)"),
        (PLAIN, ((5, 6), (4, 3)), {}, "query and key must agree in their channels, and value and key in"),
        (PLAIN, SAME, {"score_mode": "cosine"}, "score_mode must be 'dot' or 'concat', got 'cosine'"),
        (GQA, SAME, {**GROUPS, "num_key_value_heads": 3}, "num_query_heads=4 must be a multiple of num_key"),
    ],
)
def test_what_does_not_fit_is_refused(kind, shapes, config, message):
    weights = weighted({MHA: "self", GQA: "groups", PLAIN: "products"}[kind]).weights
    inputs = [image(*shape, name=name) for name, shape in zip("abc", shapes, strict=False)]
    with pytest.raises(ValueError, match=message):
        Network([*inputs, layer("attention", kind, *(x.name for x in inputs), weights=weights, **config)])


# Files ------------------------------------------------------------------------------------------


def calls() -> Any:
    """Every way of calling: by position, by name, three inputs; masks as options of the call."""
    dtype = keras.config.dtype_policy().compute_dtype
    a, b, c = (keras.Input(shape, name=name, dtype=dtype) for name, shape in zip("abc", CROSS, strict=True))
    shared = L.MultiHeadAttention(2, 4, name="shared")
    t = {"by_name": L.MultiHeadAttention(2, 4, name="by_name")(a, value=b, key=c)}
    t["all_by_name"] = L.MultiHeadAttention(2, 4, value_dim=2, name="all_by_name")(key=c, value=b, query=a)
    t["two"] = L.MultiHeadAttention(3, 4, name="two", use_bias=False)(a, b)
    t["shared"] = shared(a, a)
    t["shared:1"] = shared(t["by_name"], t["shared"])
    t["causal"] = L.MultiHeadAttention(2, 4, name="causal")(t["two"], t["shared"], use_causal_mask=True)
    t["gated"] = L.MultiHeadAttention(2, 4, use_gate=True, name="gated")(
        t["causal"], t["shared:1"], training=False
    )
    t["plain"] = L.Attention(use_scale=True, dropout=0.5, name="plain")([t["gated"], a], use_causal_mask=True)
    t["additive"] = L.AdditiveAttention(name="additive")([t["plain"], a, t["gated"]])
    t["groups"] = L.GroupQueryAttention(4, 4, 2, use_gate=True, name="groups")(
        t["gated"], a, attention_mask=None
    )
    return keras.Model([a, b, c], list(t.values()), name="calls"), t


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_file_is_read_as_keras_reads_it(dtype, tmp_path):
    with policy(dtype):
        model, tensors = calls()
        net = cnnviz.load_model(save(model, tmp_path)).astype(dtype)
        xs = [normal(2, *shape, seed=i).astype(dtype) for i, shape in enumerate(CROSS)]
        run, theirs = net.run(xs), model(xs, training=False)
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    for name, value in zip(tensors, theirs, strict=True):
        np.testing.assert_allclose(run[name], value, rtol=0, atol=tolerance, err_msg=name)
        assert net[name].output_shape == tuple(value.shape[1:])
    assert net["by_name"].inputs == ("a", "b", "c")
    assert net["all_by_name"].inputs == ("a", "b", "c")
    assert net["causal"].config["use_causal_mask"]
    assert net["shared:1"].owner == "shared"
    assert net.count_params()[0] == model.count_params()
    assert "not taken apart" in str(explain(run, "causal", row=2, channel=3))
    for library in ("cnnviz", "keras"):
        for name in ("causal", "by_name", "shared:1"):
            namespace: dict[str, object] = {}
            receipt = explain(run, name, row=2, channel=3)
            exec(receipt.to_code(library).replace("print(", "print(*[], "), namespace)
            y = np.asarray(namespace["y"])
            np.testing.assert_allclose(y[0, 2, 3], receipt.value, rtol=0, atol=tolerance)


def test_calls_that_differ_or_mask_are_refused(tmp_path):
    a, mask = keras.Input((5, 6), name="a"), keras.Input((5, 5), name="mask")
    shared = L.MultiHeadAttention(2, 4, name="shared")
    twice = keras.Model(a, shared(shared(a, a), a, use_causal_mask=True), name="twice")
    with pytest.raises(cnnviz.ModelFileError, match="its calls have different use_causal_mask; make a layer"):
        cnnviz.load_model(save(twice, tmp_path))
    masked = keras.Model([a, mask], L.MultiHeadAttention(2, 4)(a, a, attention_mask=mask), name="masked")
    with pytest.raises(cnnviz.ModelFileError, match="is called with attention_mask="):
        cnnviz.load_model(save(masked, tmp_path))
    scores = L.MultiHeadAttention(2, 4)(a, a, return_attention_scores=True)
    with pytest.raises(cnnviz.ModelFileError, match="is called with return_attention_scores=True"):
        cnnviz.load_model(save(keras.Model(a, scores, name="scores"), tmp_path))


def test_no_other_kwargs_than_a_mapping(tmp_path):
    a = keras.Input((5, 6), name="a")
    path = save(keras.Model(a, L.MultiHeadAttention(2, 4)(a, a), name="odd"), tmp_path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = [1]
    content["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(cnnviz.ModelFileError, match="kwargs of a call of layer"):
        cnnviz.load_model(path)


# A vision transformer ---------------------------------------------------------------------------


def vision_transformer() -> Any:
    """Patches of 28 x 28 digits, two blocks, all of Keras's own layers."""
    digit = keras.Input((28, 28, 1), name="digit")
    x = L.Conv2D(8, 7, strides=7, name="patches")(digit)
    x = L.Reshape((16, 8), name="sequence")(x)
    # The position's embedding: a scale and a shift of its own for each number of each patch.
    x = L.Add(name="embedded")(
        [x, L.Dense(8, name="place")(L.LayerNormalization(axis=(1, 2), name="places")(x))]
    )
    for block in range(2):
        y = L.LayerNormalization(epsilon=1e-6, name=f"norm_{block}")(x)
        y = L.MultiHeadAttention(2, 4, dropout=0.1, name=f"attention_{block}")(y, y)
        x = L.Add(name=f"add_{block}")([x, y])
        y = L.LayerNormalization(epsilon=1e-6, name=f"norm_mlp_{block}")(x)
        y = L.Dense(16, activation="gelu", name=f"mlp_{block}")(y)
        x = L.Add(name=f"add_mlp_{block}")([x, L.Dense(8, name=f"mlp_out_{block}")(y)])
    x = L.GlobalAveragePooling1D(name="mean")(L.LayerNormalization(name="norm")(x))
    return keras.Model(digit, L.Dense(10, activation="softmax", name="scores")(x), name="transformer")


def test_a_small_vision_transformer(tmp_path):
    """Trained for some steps, then looked at in every way."""
    (images, labels), _ = cnnviz.load_mnist()
    keras.utils.set_random_seed(0)
    model = vision_transformer()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    for first in range(0, 256, 64):
        batch = slice(first, first + 64)
        model.train_on_batch(images[batch, :, :, np.newaxis] / 255, labels[batch])
    path = write(model, tmp_path / "transformer.keras")
    net = cnnviz.load_model(path)
    assert net.count_params()[0] == model.count_params()
    result = cnnviz.verify(net, images[:20])
    assert result, str(result)
    run = net.run(images[:2])
    fields = cnnviz.receptive_field(net)
    assert fields["patches"].size == (7, 7)
    assert fields["attention_0"].box(unit=3) == fields["scores"].box() == ((0, 27), (0, 27))
    seeds = np.zeros((2, 10), np.float32)
    seeds[:, 3] = 1
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        digit = tf.constant(np.asarray(run.input))
        tape.watch(digit)
        y = model(digit, training=False)
    theirs = tape.gradient(y, [digit, *variables], output_gradients=tf.constant(seeds))
    gradient = run.gradient("scores", unit=3)
    np.testing.assert_allclose(gradient.wrt_input, theirs[0], rtol=0, atol=1e-5)
    for variable, value in zip(variables, theirs[1:], strict=True):
        layer, *parts = variable.path.split("/")
        name = f"{layer}/{'_'.join(parts).removeprefix('attention_')}"
        np.testing.assert_allclose(gradient[name], value, rtol=0, atol=1e-5, err_msg=name)
    cnnviz.view(net, images[0]).save(tmp_path / "view.html")
    assert (tmp_path / "view.html").stat().st_size > 100_000
    assert str(explain(run, "attention_0", row=4, channel=2)).startswith("attention_0 (MultiHeadAttention)")
