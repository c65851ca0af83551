"""The browser's numbers are Python's: derived tensors, the forward pass, receipts, a prepared drawing."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import settings

import cnnviz
from cnnviz import Network
from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.layers.rounding import allowance
from cnnviz.stage import bundle
from cnnviz.stage.scene import build_scene
from cnnviz.stage.stages import values_of
from harness.keras_models import ONLY_FLOAT32, STACKS
from harness.live_view import network_run, strokes
from harness.networks import conv, image, layer, normal

THOROUGH = settings.get_current_profile_name() == "thorough"
FEW = ["mnist", "merges", "convolution", "transposed and dilated"]
"""Node computes all of them in stage/test_javascript; Chromium does in the thorough profile."""

SETUP = """(text) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  window.scene = window.modules.scene.sceneOf(bytes);
}"""
ENCODED = """(values) => {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}"""


@pytest.fixture(scope="module")
def modules(chromium):
    """A blank page with the view's modules, none of which has drawn anything."""
    page = chromium.new_page()
    page.set_content("<!doctype html><title>modules</title>")
    code = "\n".join(
        f"window.modules.{name} = (() => {{ {bundle.script(name)}; return {name}_module; }})();"
        for name in ("scene", "receipt", "digit_preparation", "holes")
    )
    page.add_script_tag(content=f"window.modules = {{}}; window.encoded = {ENCODED}; {code}")
    yield page
    page.close()


def decoded(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def load(page, scene) -> None:
    page.evaluate(SETUP, base64.b64encode(bytes(scene)).decode())


@pytest.mark.parametrize("name", ["mnist", "merges", *STACKS, *ONLY_FLOAT32] if THOROUGH else FEW)
def test_what_is_left_out_is_derived_to_the_last_bit(modules, name):
    run = network_run(name)
    scene = build_scene(run, 0)
    load(modules, scene)
    sent = scene.items[0]["tensors"]
    for number, stage in enumerate(scene.plan.taken.stages):
        if str(number) in sent:
            continue
        found = decoded(modules.evaluate(f"encoded(scene.valuesOf(0)[{number}])"))
        np.testing.assert_array_equal(found, values_of(stage, run, 0).ravel(), err_msg=stage.name)


@pytest.mark.parametrize("name", ["mnist", "merges", *STACKS, *ONLY_FLOAT32] if THOROUGH else FEW)
def test_each_stage_computes_what_the_engine_does(modules, name):
    """Each from the engine's own inputs, within twice the engine's rounding of a layer."""
    run = network_run(name)
    scene = build_scene(run, 0)
    load(modules, scene)
    code = bundle.script("forward")
    modules.evaluate(f"() => {{ {code}; window.modules.forward = forward_module; }}")
    for number, stage in enumerate(scene.plan.taken.stages):
        if not stage.reads or stage.op["type"] == "given":
            continue
        found = decoded(
            modules.evaluate(
                f"encoded(modules.forward.computeStage(scene, scene.stages[{number}], scene.valuesOf(0)))"
            )
        )
        expected = values_of(stage, run, 0).ravel()
        inputs = [x[:1] for x in run.inputs(stage.layer.name)]
        with np.errstate(all="ignore"):
            bound = (
                2 * np.asarray(allowance(stage.layer, *inputs), float).max() + 1e-6 * np.abs(expected).max()
            )
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound, err_msg=stage.name)


SEEN = """(cells) => cells.map((cell) => {
  const seen = window.modules.holes.cellsSeen(window.scene, cell);
  return Object.fromEntries([...seen].map(([stage, marks]) => [stage, [...marks]]));
})"""


def with_holes() -> Network:
    """Steps that leave holes, one after the other, beside each other, and run backwards."""
    return Network(
        [
            image(19, 17, 1),
            conv("dilated", "image", 1, 2, dilation_rate=(3, 2), padding="same"),
            conv("sparse", "dilated", 2, 2, size=2, strides=3),
            conv("side", "dilated", 2, 2, size=1, strides=3),
            layer("cut", "Cropping2D", "side", cropping=((0, 1), (0, 0))),
            layer("joined", "Add", "sparse", "cut"),
            layer(
                "spread",
                "Conv2DTranspose",
                "joined",
                weights={"kernel": normal(2, 2, 2, 2), "bias": normal(2)},
                filters=2,
                kernel_size=2,
                strides=3,
                dilation_rate=2,
            ),
            layer("larger", "UpSampling2D", "joined", size=2),
            layer("turned", "Permute", "larger", dims=(2, 1, 3)),
            layer("pooled", "AveragePooling2D", "turned", pool_size=2, strides=3),
        ]
    )


@pytest.mark.parametrize("name", ["mnist", "merges", "holes"])
def test_cells_that_are_seen_are_those_of_the_receptive_field(modules, name):
    net = with_holes() if name == "holes" else None
    run = net.run(normal(*net.input_shape).astype(np.float32)) if net else network_run(name)
    scene = build_scene(run, 0)
    load(modules, scene)
    table = cnnviz.receptive_field(run.network)
    stages = scene.plan.taken.stages
    # The steps of a layer of attention have places of their own.
    maps = [i for i, stage in enumerate(stages) if stage.shape == stage.layer.output_shape]
    rng = np.random.default_rng(3)
    cells = []
    for _ in range(25):
        stage = int(rng.choice(maps))
        row, col, channel = (int(rng.integers(n)) for n in stages[stage].shape)
        cells.append({"stage": stage, "row": row, "col": col, "channel": channel})
    holes = 0
    for cell, seen in zip(cells, modules.evaluate(SEEN, cells), strict=True):
        unit = stages[cell["stage"]].layer.name
        place = {"row": cell["row"], "col": cell["col"]}
        for earlier in maps[: maps.index(cell["stage"])]:
            layer_name = stages[earlier].layer.name
            if (
                layer_name == unit
                or layer_name not in table.wrt(layer_name)
                or unit not in table.wrt(layer_name)
            ):
                continue
            field = table.between(unit, layer_name)
            expected = field.mask(**place)
            if not seen:
                (top, bottom), (left, right) = field.box(**place)
                assert expected.sum() == max(0, bottom - top + 1) * max(0, right - left + 1)
            elif str(earlier) in seen:
                found = np.reshape(seen[str(earlier)], expected.shape)
                np.testing.assert_array_equal(found, expected, err_msg=f"{unit} {place} on {layer_name}")
                holes += expected.any() and not expected[np.ix_(expected.any(1), expected.any(0))].all()
                holes += expected.any(1).sum() > 1 and np.diff(np.flatnonzero(expected.any(1))).max() > 1
    assert (holes > 0) == (name == "holes")


RECEIPTS = """(cells) => {
  const view = document.querySelector("[id^=cnnviz-]").view;
  return cells.map(([layer, row, col, channel], n) => {
    const stages = view.scene.stages.filter((stage) => stage.layer === layer);
    const cell = { stage: stages[stages.length - 1].index, row, col, channel };
    // Some are opened and read off the page; all come from what a receipt is written from.
    if (n % 10 === 0) view.pin(cell);
    const steps = view.receipt.chain(cell).filter((step) => step.stage.layer === layer);
    const [first] = steps;
    return {
      shown: n % 10 === 0 ? view.receipt.element.querySelector(".cv-rvalue").textContent : null,
      sums: first.groups.map((group) => group.sum ?? null),
      terms: first.groups.flatMap((group) => group.terms.map((term) => [term.x, term.weight?.value ?? null])),
      total: first.total ?? null,
      value: steps[steps.length - 1].value,
      residual: steps[steps.length - 1].residual,
    };
  });
}"""


def test_receipts_on_the_page_are_python_s(live):
    """Hundreds of random cells of every layer, on the page that a reader opens."""
    net = cnnviz.load_model("mnist_14k")
    run = net.run(cnnviz.load_mnist()[1][0][0])
    layers = [layer for layer in net if layer.inputs and not layer.passes_on and layer.kind != "Flatten"]
    rng = np.random.default_rng(5)
    cells = []
    for _ in range(400):
        layer = layers[rng.integers(len(layers))]
        shape = (1,) * (3 - len(layer.output_shape)) + tuple(layer.output_shape)
        cells.append([layer.name, *(int(rng.integers(n)) for n in shape)])
    for cell, found in zip(cells, live().evaluate(RECEIPTS, cells), strict=True):
        name, row, col, channel = cell
        place = (
            {"channel": channel}
            if len(net[name].output_shape) == 1
            else {"row": row, "col": col, "channel": channel}
        )
        receipt = cnnviz.explain(run, name, **place)
        assert np.float32(found["value"]) == receipt.value, cell
        if found["shown"]:
            read = float(found["shown"].replace("−", "-").replace(",", ""))
            assert read == pytest.approx(float(receipt.value), rel=6e-3), cell
        if net[name].kind == "Conv2D":
            terms = receipt.terms
            np.testing.assert_array_equal(
                np.float32(found["terms"]), np.stack([terms.factor.ravel(), terms.weight.ravel()], axis=1)
            )
            np.testing.assert_array_equal(np.float32(found["sums"]), terms.partial)
            assert np.float32(found["total"]) == terms.total, cell
        assert abs(found["residual"]) <= receipt.bound + 1e-12, cell


@pytest.mark.parametrize("seed", range(40))
def test_a_drawing_is_prepared_as_in_python(modules, seed):
    """Within one grey level: the browser sums in double precision where Pillow has floats."""
    pad = strokes(seed)
    found = modules.evaluate(
        """(text) => {
          const data = Float64Array.from(atob(text), (c) => c.charCodeAt(0) / 255);
          const side = Math.sqrt(data.length);
          return Array.from(modules.digit_preparation.prepareDigit({ rows: side, cols: side, data }));
        }""",
        base64.b64encode(pad.tobytes()).decode(),
    )
    expected = prepare_digit(pad, ink="drawn")
    assert np.abs(np.reshape(found, (28, 28)).astype(int) - expected).max() <= 1


def test_a_blank_pad_is_no_digit(modules):
    assert (
        modules.evaluate(
            "modules.digit_preparation.prepareDigit({rows: 9, cols: 9, data: new Float64Array(81)})"
        )
        is None
    )
