"""The browser's modules in Node, without a page: what they compute and write is Python's."""

from __future__ import annotations

import base64
import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz import Layer, Network
from cnnviz.colours import PALETTES, THEMES, Scale, for_browser, ink_on
from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.images.image_files import ImageError
from cnnviz.layers.activations import FUNCTIONS
from cnnviz.layers.browser import OPERATIONS
from cnnviz.layers.elementwise_rules import ELEMENTWISE
from cnnviz.layers.rounding import allowance
from cnnviz.numbers import cell_number, number, probability, signed_number
from cnnviz.stage import bundle
from cnnviz.stage.scene import build_scene
from cnnviz.stage.stages import values_of
from harness.keras_models import ONLY_FLOAT32, STACKS
from harness.live_view import network_run, strokes
from harness.networks import conv, image, layer, normal
from harness.node import ask_node
from harness.odd_pictures import columns_and_dots, odd_pad
from harness.opened_models import pair
from harness.operation_models import FAMILIES

ROOT = Path(__file__).resolve().parent.parent
HEADS = {"num_heads": 2, "key_dim": 3}
MODULES = sorted(path.stem for path in (bundle.HERE / "js").glob("*.js"))
COMPONENTS = sorted(path.stem for path in (bundle.HERE / "components").glob("*.js"))


def test_every_module_can_be_imported_without_a_page():
    names = [*MODULES, *(f"../components/{name}" for name in COMPONENTS)]
    program = "(modules) => Object.entries(modules).map(([name, module]) => [name, Object.keys(module)])"
    found = dict(ask_node(program, None, *names))
    assert list(found) == names
    assert all(found.values())
    assert all(found[f"../components/{name}"] == ["show"] for name in COMPONENTS)


# Numbers and ink ----------------------------------------------------------------------------------


def numbers() -> list[float]:
    """Of all sizes and both signs, with those where rounding and widths change."""
    rng = np.random.default_rng(4)
    wide = rng.choice([-1, 1], 4000) * 10.0 ** rng.uniform(-7, 8, 4000)
    near = rng.uniform(-2, 2, 2000)
    halves = rng.integers(-4000, 4000, 1500) / 2.0 ** rng.integers(0, 8, 1500)
    powers = [
        sign * np.nextafter(10.0**n, 10.0**n + way)
        for n in range(-6, 8)
        for way in (-1, 0, 1)
        for sign in (-1, 1)
    ]
    return [0.0, -0.0, *wide, *np.float32(near).astype(float), *halves, *powers]


def test_numbers_are_written_as_in_python():
    """But for those below 0.001, which have one digit fewer and no zero before the exponent."""
    values = numbers()
    program = """({ numbers }, values) => values.map((value) => [2, 3, 4, 5].map((digits) => [
      numbers.number(value, digits), numbers.signed(value, digits)
    ]))"""
    for value, texts in zip(values, ask_node(program, values, "numbers"), strict=True):
        for digits, (plain, signed) in zip((2, 3, 4, 5), texts, strict=True):
            small = 0 < abs(value) < 1e-3
            expected = number(value, digits - small), signed_number(value, digits - small)
            if small:
                expected = tuple(text.replace("e−0", "e−") for text in expected)
            # The view does not write 1 for what is just below it: it may be a probability.
            if value < 1 and expected[0].strip("0") == "1.":
                assert value - 1e-6 < float(plain) < 1 or np.float32(value) == 1
            else:
                assert (plain, signed) == expected, (value, digits)


def test_probabilities_are_written_as_in_python():
    rng = np.random.default_rng(5)
    edges = [0.0, 1.0, 5e-5, 1 - 5e-5, 1e-300, 1 - 1e-12, *(np.arange(81) / 80), *(np.arange(257) / 256)]
    shares = [float(share) for share in (*edges, *rng.random(4000), *10.0 ** rng.uniform(-8, 0, 1000))]
    found = ask_node("({ numbers }, shares) => shares.map(numbers.probability)", shares, "numbers")
    assert found == [probability(share) for share in shares]


def test_cells_beside_each_other_are_written_as_in_python():
    """With two exceptions: no comma, and no decimal more where the scale ends just above a power of ten."""
    rng = np.random.default_rng(6)
    cells = []
    for limit in 10.0 ** rng.uniform(-4, 3.9, 400):
        for value in (*rng.uniform(-limit, limit, 8), limit, -limit, 0.0, 1e-9 * limit):
            cells.append([float(value), float(limit), bool(rng.random() < 0.5)])
    found = ask_node("({ numbers }, cells) => cells.map((cell) => numbers.beside(...cell))", cells, "numbers")
    compared = 0
    for (value, limit, signed), text in zip(cells, found, strict=True):
        power = np.floor(np.log10(limit))
        if power >= 1 and limit < 2.5 * 10**power:
            continue
        compared += 1
        assert text == cell_number(value, limit, signed=signed).replace(",", "")
    assert compared > 3000


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", PALETTES)
def test_ink_on_a_cell_is_python_s(kind, theme):
    rng = np.random.default_rng(7)
    scale = Scale(kind, 2.5)
    values = [*np.linspace(scale.low, scale.limit, 2001), *rng.normal(0, 3, 1000)]
    values = [float(value) for value in values if kind == "signed" or value >= 0]
    program = """({ colours }, { header, theme, values, scale }) => {
      const table = new colours.Colours(header, theme);
      return values.map((value) => table.inkOn(value, scale));
    }"""
    given = {
        "header": for_browser(theme),
        "theme": theme,
        "values": values,
        "scale": {"kind": kind, "limit": 2.5},
    }
    inks = [{"#000": "#000000", "#fff": "#ffffff"}[ink] for ink in ask_node(program, given, "colours")]
    assert inks == [ink_on(value, scale, theme) for value in values]


# Operations -----------------------------------------------------------------------------------------


NETWORKS = ["mnist", "merges", *STACKS, *ONLY_FLOAT32, *FAMILIES]


def test_every_operation_that_python_names_is_there():
    """Of all layers that the tests have a network of, and all activations and merges that there are."""
    plans = [build_scene(network_run(name), 0).plan for name in NETWORKS]
    operations = [stage.op for plan in plans for stage in plan.taken.stages]
    found = ask_node(
        """({ forward, receipt }) => ({
          computed: Object.keys(forward.OPERATIONS),
          explained: Object.keys(receipt.DETAILS),
          activations: Object.keys(forward.ACTIVATIONS),
          merges: Object.keys(forward.MERGES),
        })""",
        None,
        *("forward", "receipt"),
    )
    assert {op["type"] for op in operations} <= OPERATIONS
    assert OPERATIONS - {"input", "given"} == set(found["computed"])
    assert set(found["explained"]) == OPERATIONS
    activations = {name for name, function in FUNCTIONS.items() if not function.mixes}
    assert {op["name"] for op in operations if op["type"] == "activation"} <= activations
    assert activations == set(found["activations"])
    assert {op["mode"] for op in operations if op["type"] == "merge"} <= set(found["merges"])
    assert set(found["merges"]) == {*ELEMENTWISE, "average", "add_scaled"}


def test_every_operation_has_cases_that_are_worked_out_by_hand():
    cases = "".join(path.read_text("utf-8") for path in (ROOT / "stage" / "js").glob("*.test.js"))
    assert {name for name in OPERATIONS - {"given"} if f'type: "{name}"' not in cases} == set()


def test_what_python_computed_has_a_receipt_that_ends_there():
    """Every cell may have read all of the stage before, and feed all of the one behind."""
    maps = [image(5, 4, 6), layer("same", "Activation", "image", activation="relu")]
    given = layer("given", "Softmax", "same", axis=0)
    net = Network([*maps, given, layer("behind", "Activation", "given", activation="tanh")])
    run = net.run(normal(1, 5, 4, 6))
    program = """({ base64, scene, receipt, cone }, text) => {
      const read = scene.sceneOf(base64.fromBase64(text));
      const cell = { stage: 2, row: 1, col: 1, channel: 1 };
      const { type, value, groups, residual } = receipt.receiptOf(read, read.valuesOf(0), cell);
      const fed = cone.fedUnits(read, { ...cell, stage: 1 }, read.stages[2]);
      const feeding = cone.feedingChannels(read, cell).get(1);
      return [type, value, groups, residual, fed, [...feeding]];
    }"""
    text = base64.b64encode(bytes(build_scene(run, 0))).decode()
    found = ask_node(program, text, "base64", "scene", "receipt", "cone")
    rows, cols, channels = (list(range(n)) for n in run["image"].shape[1:])
    value = float(run[run.network.layers[2].name][0, 1, 1, 1])
    fed = {"rows": rows, "cols": cols, "channels": channels}
    assert found == ["given", value, [], 0, fed, [1] * len(channels)]


def test_cells_are_called_as_explain_calls_them():
    """Of maps, of sequences, which have rows and channels, and of vectors, which have units."""
    sequence = [
        image(8, 3),
        layer(
            "conv",
            "Conv1D",
            "image",
            weights={"kernel": normal(3, 3, 4)},
            filters=4,
            kernel_size=3,
            use_bias=False,
        ),
        layer("flat", "Flatten", "conv"),
        layer("dense", "Dense", "flat", weights={"kernel": normal(24, 2), "bias": normal(2)}, units=2),
    ]
    maps = [image(6, 5, 2), conv("map", "image", 2, 3)]
    program = """({ base64, scene, words }, { text, at }) => {
      const read = scene.sceneOf(base64.fromBase64(text));
      return at.map(([name, ...place]) => {
        const stage = read.stages.find((each) => each.name === name);
        const [row, col, channel] = place;
        const cell = { stage: stage.index, row, col, channel };
        const onMap = `${name}, ${words.placeText(stage, cell)}`;
        return scene.isVector(stage) ? words.cellName(read, cell) : onMap;
      });
    }"""
    cells = {"conv": ((2, 0, 1), (2, 1)), "dense": ((0, 0, 1), (1,)), "map": ((3, 1, 2), (3, 1, 2))}
    for layers, names in ((sequence, ("conv", "dense")), (maps, ("map",))):
        net = Network(layers)
        run = net.run(normal(1, *net.input_shape))
        text = base64.b64encode(bytes(build_scene(run, 0))).decode()
        given = {"text": text, "at": [[name, *cells[name][0]] for name in names]}
        for name, called in zip(names, ask_node(program, given, "base64", "scene", "words"), strict=True):
            title = str(cnnviz.explain(run, name, at=list(cells[name][1]))).splitlines()[0]
            layer_name, _, place = title.rpartition("  ")[0].strip().partition(f" ({net[name].kind}), ")
            assert called.replace(",", "") == f"{layer_name} {place}".replace(",", "")


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_samples_between_infinite_cells_are_python_s(interpolation):
    up = layer("up", "Resizing", "image", height=7, width=5, interpolation=interpolation)
    x = normal(1, 4, 3, 2).astype(np.float32)
    x[0, 1, 1, 0], x[0, 2, :2, 1], x[0, 3, 0, 0] = np.inf, -np.inf, np.nan
    run = Network([image(4, 3, 2), up]).run(x)
    program = """({ base64, forward, receipt, scene }, text) => {
      const read = scene.sceneOf(base64.fromBase64(text));
      const values = read.valuesOf(0);
      const totals = Array.from(values[1], (_, n) =>
        receipt.receiptOf(read, values, scene.cellAt(read.stages[1], n)).total);
      return [[...forward.computeStage(read, read.stages[1], values)], totals].map((all) => all.map(String));
    }"""
    text = base64.b64encode(bytes(build_scene(run, 0))).decode()
    for found in ask_node(program, text, "base64", "forward", "receipt", "scene"):
        numbers = np.array([float(number.replace("Infinity", "inf")) for number in found])
        np.testing.assert_allclose(numbers, run["up"].ravel(), rtol=2e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_stage_computes_what_the_engine_does(name):
    """Each from the engine's own inputs: to the last bit or within twice the engine's rounding."""
    run = network_run(name)
    scene = build_scene(run, 0)
    program = """({ base64, forward, scene }, text) => {
      const read = scene.sceneOf(base64.fromBase64(text));
      const values = read.valuesOf(0);
      const bytes = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      const encoded = (array) => base64.toBase64(bytes(array));
      return read.stages.map((stage) => stage.reads.length && stage.op.type !== "given"
        ? [encoded(values[stage.index]), encoded(forward.computeStage(read, stage, values))] : null);
    }"""
    text = base64.b64encode(bytes(scene)).decode()
    answers = ask_node(program, text, "base64", "forward", "scene")
    for stage, answer in zip(scene.plan.taken.stages, answers, strict=True):
        if answer is None:
            continue
        shown, computed = (np.frombuffer(base64.b64decode(values), "<f4") for values in answer)
        in_python = values_of(stage, run, 0).ravel()
        expected = in_python.astype(np.float32)
        np.testing.assert_array_equal(shown, expected, err_msg=stage.name)
        # What Keras computes in float64 the browser does not, and is sent.
        if stage.exact and in_python.dtype == np.float32:
            np.testing.assert_array_equal(computed, expected, err_msg=stage.name)
        inputs = [x[:1] for x in run.inputs(stage.layer.name)]
        with np.errstate(all="ignore"):
            rounding = np.asarray(allowance(stage.layer, *inputs), float).max()
            bound = 2 * rounding + 1e-6 * np.abs(expected).max()
        np.testing.assert_allclose(computed, expected, rtol=0, atol=bound, err_msg=stage.name)


RECEIPTS = """({ base64, receipt, scene }, { text, cells }) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  return cells.map(([layer, row, col, channel]) => {
    const stages = read.stages.filter((stage) => stage.layer === layer);
    const last = stages[stages.length - 1].index;
    const steps = stages.map(({ index }) =>
      receipt.receiptOf(read, read.valuesOf(0), { stage: index, row, col, channel }));
    const { groups, total } = steps[0];
    const terms = groups.flatMap((group) => group.terms.map(({ x, weight }) => [x, weight?.value ?? null]));
    const { value, residual } = steps[steps.length - 1];
    return { sums: groups.map(({ sum }) => sum ?? null), terms, total, value, residual };
  });
}"""


WRITTEN = """({ base64, copying, receipt, scene }, text) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const values = read.valuesOf(0);
  return read.stages.map((stage) => {
    const place = Math.floor(values[stage.index].length / 2);
    const step = receipt.receiptOf(read, values, scene.cellAt(stage, place));
    return [step.type, stage.label, copying.arithmeticCode(step), String(step.value), String(step.total)];
  });
}"""


@pytest.mark.parametrize("name", NETWORKS)
def test_the_arithmetic_that_is_copied_gives_the_number(name):
    """Of every kind of step that is taken apart, as Python that prints it."""
    text = base64.b64encode(bytes(build_scene(network_run(name), 0))).decode()
    for kind, label, code, *numbers in ask_node(WRITTEN, text, "base64", "copying", "receipt", "scene"):
        if kind in ("input", "given", "lookup", "threshold"):
            assert code == ""
            continue
        shown = io.StringIO()
        with redirect_stdout(shown), np.errstate(all="ignore"):
            exec(code, {"np": np, "cnnviz": cnnviz})
        value, total = (float(number.replace("Infinity", "inf")) for number in numbers)
        rounding = 1e-4 * max(1.0, abs(total)) + abs(value - total)
        assert float(shown.getvalue()) == pytest.approx(total, abs=rounding, nan_ok=True), f"{label}\n{code}"


def test_receipts_add_up_as_in_python():
    net = cnnviz.load_model("mnist_14k")
    run = net.run(cnnviz.load_mnist()[1][0][0])
    rng = np.random.default_rng(8)
    layers = [each for each in net if each.kind == "Conv2D"]
    cells: list[Any] = []
    for read in (layers[n] for n in rng.integers(len(layers), size=200)):
        cells.append([read.name, *(int(rng.integers(n)) for n in read.output_shape)])
    given = {"text": base64.b64encode(bytes(build_scene(run, 0))).decode(), "cells": cells}
    for (name, row, col, channel), found in zip(
        cells, ask_node(RECEIPTS, given, "base64", "receipt", "scene"), strict=True
    ):
        receipt = cnnviz.explain(run, name, row=row, col=col, channel=channel)
        terms = receipt.terms
        expected = np.stack([terms.factor.ravel(), terms.weight.ravel()], axis=1)
        np.testing.assert_array_equal(np.float32(found["terms"]), expected)
        np.testing.assert_array_equal(np.float32(found["sums"]), terms.partial)
        assert np.float32(found["total"]) == terms.total
        assert np.float32(found["value"]) == receipt.value
        assert abs(found["residual"]) <= receipt.bound + 1e-12


KERAS_CODE = """({ copying }, stages) => stages.map((stage) => copying.kerasCode(
  { scene: { header: { model: { file: "net.keras" } }, items: [{ code: "x", title: "x" }] }, item: 0 },
  [{ cell: { row: 1, col: 2, channel: 0 }, stage: { axes: 3, part: "output", ...stage } }]))"""


def test_code_for_keras_finds_operations_which_are_no_layers():
    stages = [
        {"kind": "Conv2D", "layer": "conv"},
        {"kind": "ops.Add", "layer": "add"},
        {"kind": "ops.Split", "layer": "split[2]"},
    ]
    conv, add, split = ask_node(KERAS_CODE, stages, "copying")
    assert 'keras.Model(model.inputs, model.get_layer("conv").output)' in conv
    assert 'next(op for op in model.operations if op.name == "add").output)' in add
    assert 'next(op for op in model.operations if op.name == "split").output[2])' in split


GREY = """({ image_bytes, scene, base64, colours }, [bytes, pixels]) => {
  const found = scene.sceneOf(base64.fromBase64(bytes));
  const scales = new colours.Scales(found, found.valuesOf(0));
  const numbers = image_bytes.numbersOf(found, pixels);
  return [[...numbers], scales.of(0, 0, "layer"), found.pictureCount(found.stages[0])];
}"""


@pytest.mark.parametrize(
    ("kind", "config", "most"), [("Rescaling", {"scale": 1 / 255}, 255), ("ReLU", {}, 1)]
)
def test_a_drawing_reaches_a_network_in_the_scale_that_its_digits_have(kind, config, most):
    """One with a rescaling of its own wants 0 to 255."""
    net = Network([image(28, 28, 1), layer("first", kind, "image", **config)])
    digit = cnnviz.load_mnist()[1][0][0]
    run = net.run(digit)
    bytes_ = base64.b64encode(bytes(build_scene(run))).decode()
    numbers, drawn, pictures = ask_node(
        GREY, [bytes_, digit.ravel().tolist()], "image_bytes", "scene", "base64", "colours"
    )
    np.testing.assert_array_equal(np.float32(numbers), run.input.ravel())
    assert (drawn, pictures) == ({"kind": "ink", "limit": pytest.approx(most)}, 1)


WRITTEN_OUT = """({ copying }, [file, values]) => copying.kerasCode(
  {
    scene: {
      header: { model: { name: "pair", file } },
      items: [{ code: "", title: "two pictures" }],
      stages: [["left", 3], ["right", 1]].map(([layer, channels], index) =>
        ({ layer, index, op: { type: "input" }, axes: 3, shape: [8, 8, channels] })),
    },
    item: 0,
    values,
  },
  [{ cell: { channel: 0 }, stage: { axes: 1, part: "output", kind: "Dense", layer: "same" } }])"""


def test_code_writes_out_the_numbers_of_every_input(tmp_path, capsys):
    file, rng = tmp_path / "pair.keras", np.random.default_rng(0)
    net = pair()
    net.save(file)
    x = {name: rng.normal(size=net[name].output_shape).astype(np.float32) for name in net.inputs}
    values = [each.ravel().tolist() for each in x.values()]
    code = ask_node(WRITTEN_OUT, [str(file), values], "copying")
    exec(code, {})
    assert float(capsys.readouterr().out.split()[-1]) == pytest.approx(float(net.predict(x)[0, 0]), abs=1e-6)


# Drawings -------------------------------------------------------------------------------------------


def test_drawings_are_prepared_as_in_python():
    """Within one grey level: the browser sums in double precision where Pillow has floats."""
    drawings = [strokes(seed) for seed in range(40)]
    dots = np.rint(255 * (1 - columns_and_dots())).astype(np.uint8)
    pads = [*drawings, dots, *(odd_pad(seed, drawings[seed % 40]) for seed in range(100))]
    program = """({ base64, digit_preparation }, pads) => pads.map((text) => {
      const data = Float64Array.from(base64.fromBase64(text), (byte) => byte / 255);
      const side = Math.sqrt(data.length);
      const digit = digit_preparation.prepareDigit({ rows: side, cols: side, data });
      return digit && Array.from(digit);
    })"""
    texts = [base64.b64encode(pad.tobytes()).decode() for pad in pads]
    none = 0
    for pad, found in zip(pads, ask_node(program, texts, "base64", "digit_preparation"), strict=True):
        if found is None:
            none += 1
            with pytest.raises(ImageError, match="no digit was found"):
                prepare_digit(pad, ink="drawn")
        else:
            digit = prepare_digit(pad, ink="drawn")
            assert np.abs(np.reshape(found, (28, 28)).astype(int) - digit).max() <= 1
    assert 5 < none < 60


def test_a_blank_pad_is_no_digit():
    blank = "({ digit_preparation: d }) => d.prepareDigit({ rows: 9, cols: 9, data: new Float64Array(81) })"
    assert ask_node(blank, None, "digit_preparation") is None


# GIFs -------------------------------------------------------------------------------------------------


def test_a_gif_that_the_browser_writes_is_read_back_frame_by_frame():
    """Few colours, so that the palette holds them all; one frame repeats, one changes a corner only."""
    rng = np.random.default_rng(9)
    frames = [rng.choice([0, 64, 128, 255], (40, 56, 3)).astype(np.uint8) for _ in range(3)]
    corner = frames[2].copy()
    corner[-3:, -5:] = 255
    frames += [frames[2], corner]
    program = """({ base64, gif }, { width, height, frames }) => {
      const pictures = frames.map((text) => ({ data: Uint8ClampedArray.from(base64.fromBase64(text)) }));
      const file = new gif.Gif(width, height, gif.paletteOf(pictures));
      for (const picture of pictures) file.add(picture, 7);
      return base64.toBase64(file.bytes());
    }"""
    opaque = [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in frames]
    given = {"width": 56, "height": 40, "frames": [base64.b64encode(f.tobytes()).decode() for f in opaque]}
    with Image.open(io.BytesIO(base64.b64decode(ask_node(program, given, "base64", "gif")))) as image:
        assert image.n_frames == len(frames)
        for n, frame in enumerate(frames):
            image.seek(n)
            assert image.info["duration"] == 70
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), frame)


# Colour pictures ----------------------------------------------------------------------------------

PHOTOGRAPH = """
({ scene, base64, colours, words }, text) => {
  const read = scene.sceneOf(base64.fromBase64(text));
  const context = { createImageData: (w, h) => ({ data: new Uint8ClampedArray(4 * w * h) }) };
  const [rows, cols] = read.stages[0].shape;
  const painter = new colours.Colours(read.header);
  const names = read.stages.map((stage) => words.channelName(stage, 0));
  if (!read.picture) return { names };
  const { data } = painter.photograph(context, rows, cols, read.valuesOf(0)[0], read.picture);
  return { names, data: [...data] };
}"""


@pytest.mark.parametrize("mode", ["unit", "tf", "caffe", "torch", "none"])
def test_the_input_of_the_view_is_the_picture_that_it_came_from(mode):
    pixels = np.random.default_rng(6).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    padding = Layer.from_config("pad", "ZeroPadding2D", {}, inputs=("image",))
    net = Network([image(5, 4, 3), padding, conv("conv", "pad", 3, 2)])
    run = net.run(cnnviz.load_image(pixels, like=net, preprocess=mode))
    text = base64.b64encode(bytes(build_scene(run))).decode()
    found = ask_node(PHOTOGRAPH, text, "scene", "base64", "colours", "words")
    drawn = np.reshape(found["data"], (5, 4, 4))
    np.testing.assert_array_equal(drawn[:, :, :3], pixels)
    assert (drawn[:, :, 3] == 255).all()
    first = "blue" if mode == "caffe" else "red"
    assert found["names"] == [first, first, "channel 0"]


def test_what_is_no_colour_picture_has_numbers_for_channels():
    net = Network([image(5, 4, 2), conv("conv", "image", 2, 3)])
    text = base64.b64encode(bytes(build_scene(net.run(np.ones((5, 4, 2)))))).decode()
    found = ask_node(PHOTOGRAPH, text, "scene", "base64", "colours", "words")
    assert found == {"names": ["channel 0"] * 2}
