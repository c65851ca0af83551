"""Receipts as text, HTML, LaTeX, pictures and programs: readable, harmless, and the same numbers."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from scipy import special

import cnnviz
from cnnviz import Network, Receipt, Run, explain
from cnnviz.colours import THEMES
from cnnviz.layers import ENTRIES
from cnnviz.layers.activations import Activation
from cnnviz.layers.tensor_operations import PREFIX
from cnnviz.receipts import formulas, html
from cnnviz.receipts.arithmetic import arithmetic
from cnnviz.receipts.steps import activation_step
from cnnviz.receipts.text import sum_format
from harness.authority import keras
from harness.keras_models import ONLY_FLOAT32, STACKS
from harness.networks import conv, image, layer, merges, normal, run_of
from harness.operation_models import FAMILIES

THOROUGH = settings.get_current_profile_name() == "thorough"
LAYERS = {kind for kind in ENTRIES if not kind.startswith(PREFIX)}
"""What `one_of_each` has; programs of operations are in test_tensor_operations."""


@cache
def one_of_each() -> list[Receipt]:
    """A receipt of every layer of the Keras models and of every way to join."""
    runs = [run_of(name) for name in (*STACKS, *ONLY_FLOAT32)]
    runs.append(merges().run(normal(2, 4, 3, 2)))
    return [explain(run, name, at=middle(run, name), index=1) for run in runs for name in run]


def middle(run: Run, name: str) -> tuple[int, ...]:
    return tuple(n // 2 for n in run[name].shape[1:])


@pytest.fixture(scope="module")
def digits() -> Run:
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][:2])


# Text ---------------------------------------------------------------------------------------------

BY_HAND = """\
edge (Conv2D), row 0, column 1, channel 0               3.75

reads image, rows -1 to 1, columns 0 to 2; . is padding

          . . .   -4 -3 -2
channel 0 1 2 3 * -1  0 +1 = +6.0000
          0 0 1   +2 +3 +4
                             -------
          sum of 9 products  +6.0000
                       bias  -2.2500
                      total  +3.7500
relu = max(z, 0) = max(3.75, 0) = 3.75

float32: 3.75 in this order, 3.75 in the run, residual 0
    (rounding leaves at most 2.1e-05)"""


def edge(kernel: Any, bias: float, **options: Any) -> Run:
    weights = {"kernel": np.reshape(kernel, (3, 3, 1, 1)), "bias": [bias]}
    net = Network(
        [
            image(3, 3, 1),
            layer("edge", "Conv2D", "image", weights=weights, filters=1, kernel_size=3, **options),
        ]
    )
    return net.run(np.float32([[[[1], [2], [3]], [[0], [0], [1]], [[0], [0], [0]]]]))


def test_a_convolution_as_text():
    run = edge(np.arange(9) - 4, -2.25, padding="same", activation="relu")
    assert explain(run, "edge", row=0, col=1, channel=0).to_text(60) == BY_HAND


@pytest.mark.parametrize("width", [60, 80, 100])
def test_text_keeps_to_its_width(width):
    for receipt in one_of_each():
        text = receipt.to_text(width)
        assert text.isascii(), receipt.title
        assert max(map(len, text.splitlines())) <= width, receipt.title
        assert not any(line != line.rstrip() for line in text.splitlines())


def test_text_is_aligned(digits):
    """Signs stand below signs, and decimal points of a column below each other."""
    lines = str(explain(digits, "conv2d_3", row=4, col=5, channel=7)).splitlines()
    table = [line for line in lines if re.search(r"channel +\d+ ", line) and "*" in line]
    assert len(table) == 10
    assert len({(line.index("*"), line.index("=")) for line in table}) == 1
    sums = [line for line in lines if re.search(r"(products|bias|total)  +\S+$", line)]
    assert {len(line) for line in [*sums, *table]} == {len(table[0])}
    assert len({line.rindex(".") for line in [*sums, *table]}) == 1


def test_text_leaves_out_what_adds_least():
    net = Network(
        [
            image(40),
            layer("d", "Dense", "image", units=1, weights={"kernel": np.arange(40)[:, None], "bias": [0]}),
        ]
    )
    receipt = explain(net.run(np.ones((1, 40))), "d", channel=0)
    lines = receipt.to_text(groups=3).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("unit")] == ["37", "38", "39"]
    (rest,) = [line for line in lines if line.startswith("the other 37")]
    assert rest.split()[-1] == f"+{sum(range(37))}"
    assert lines[lines.index(rest) + 2].split()[-1] == f"+{sum(range(40))}"


def test_a_wide_window_is_listed():
    net = Network(
        [
            image(30, 30, 1),
            layer("mean", "GlobalAveragePooling2D", "image"),
            layer("best", "GlobalMaxPooling2D", "image"),
        ]
    )
    run = net.run(np.arange(900.0).reshape(1, 30, 30, 1))
    mean, best = (str(explain(run, name, channel=0)) for name in ("mean", "best"))
    assert "the 10 largest of 900 products" in mean
    assert "channel 0 row 29, col 29 899 * +0.001111" in mean
    assert "largest: image, row 29, column 29, channel 0" in best


def test_softmax_as_text(digits):
    last = digits.network.layers[-1]
    lines = str(explain(digits, last.name, channel=7)).splitlines()
    (own,) = [line for line in lines if line.endswith("<")]
    assert own.split()[:2] == ["unit", "7"]
    shares = [float(line.split()[4]) for line in lines if re.match(r" +unit \d", line)]
    assert sum(shares) == pytest.approx(1, abs=1e-3)


def test_text_refuses_what_it_cannot_do(digits):
    receipt = explain(digits, "conv2d", row=0, col=0, channel=0)
    with pytest.raises(ValueError, match="width must be at least 60 columns, got 20"):
        receipt.to_text(20)
    for show in (receipt.to_text, receipt.to_latex):
        with pytest.raises(ValueError, match="groups must be at least 1, got 0"):
            show(groups=0)


# HTML ---------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Checks that tags are closed in order, and collects them and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data + " "


def test_html_is_whole_and_accessible():
    for receipt in one_of_each():
        page = Page(receipt._repr_html_())
        names = [tag for tag, _ in page.tags]
        assert names.count("table") == names.count("caption")
        assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
        for _, attributes in page.tags:
            assert ("aria-label" in attributes) == (attributes.get("role") == "img")
            assert not any(name.startswith("on") or name in ("src", "href") for name in attributes)
        assert receipt.title in page.text


def test_html_shows_the_numbers_of_the_text(digits):
    receipt = explain(digits, "conv2d_3", row=4, col=5, channel=7)
    page = Page(receipt._repr_html_())
    number = re.compile(r"[+-]\d+\.\d+")
    assert set(number.findall(str(receipt))) <= set(number.findall(page.text))
    grids = [attributes for _, attributes in page.tags if attributes.get("class") == "grid"]
    assert len(grids) == 20


def test_html_marks_the_winner_of_a_pool(digits):
    receipt = explain(digits, "max_pooling2d", row=5, col=5, channel=0)
    won = [
        attributes
        for _, attributes in Page(receipt._repr_html_()).tags
        if "won" in str(attributes.get("class"))
    ]
    assert len(won) == 1


def test_names_from_files_stay_text():
    """A layer's name cannot become markup, a macro or a line of a program."""
    name = "<script>alert(1)</script>\nimport os; \\input{x} % \"'"
    net = Network([image(2, 2, 1), conv(name, "image", 1, 1, size=2)])
    receipt = explain(net.run(np.ones((1, 2, 2, 1))), name, row=0, col=0)
    source = receipt._repr_html_()
    assert "<script" not in source
    assert "\nimport os" not in receipt.to_text()
    assert not [line for line in receipt.to_latex().splitlines() if "\\input" in line and line[0] != "%"]
    for library in ("cnnviz", "keras"):
        assert not any(line.startswith("import os") for line in receipt.to_code(library).splitlines())
    assert receipt.plot().png(0.5)


def test_tints_are_readable_in_both_themes():
    """Contrast of at least 4.5 between every tint and the number on it (WCAG 2.2, 1.4.3)."""
    rules = re.findall(
        r"\.([tnp]\d)\{background:light-dark\((\S+?),(\S+?)\);color:light-dark\((\S+?),(\S+?)\)\}",
        html._style(),
    )
    assert len(rules) == 17
    for name, light, dark, light_ink, dark_ink in rules:
        assert contrast(light, light_ink) >= 4.5, name
        assert contrast(dark, dark_ink) >= 4.5, name
    for theme in THEMES.values():
        assert contrast(theme.background, theme.muted) >= 4.5


def contrast(one: str, two: str) -> float:
    def luminance(colour: str) -> float:
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


# LaTeX --------------------------------------------------------------------------------------------


def test_latex_is_balanced():
    for receipt in one_of_each():
        source = "\n".join(line for line in receipt.to_latex().splitlines() if not line.startswith("%"))
        plain = source.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}"), receipt.title
        for kind in ("aligned", "bmatrix"):
            assert source.count(rf"\begin{{{kind}}}") == source.count(rf"\end{{{kind}}}")
        assert source.count(r"\left") == source.count(r"\right")
        assert source.startswith(r"\begin{aligned}")
        assert source.endswith(r"\end{aligned}")
        assert "nan" not in source


def test_what_is_written_adds_up_to_the_total():
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    for channel in range(10):
        terms = explain(run, "conv2d_7", row=0, col=0, channel=channel).terms
        write = sum_format(terms)
        assert write(float(write(terms.sum)) + float(write(terms.bias))) == write(terms.total)


def test_a_softmax_close_to_1_is_written_as_it_is():
    step = activation_step(Activation("softmax"), np.float32([14.358, 1.658, 2.438]))
    _, numbers = step.written()
    assert str(step).endswith("= 0.99999")
    assert numbers.endswith(" / 1.00001")


@pytest.mark.parametrize(("condition", "said"), [(-1.0, "(-1.0) is not 0"), (0.0, "0.0 is 0")])
def test_a_choice_by_a_constant_is_written(condition, said):
    """A negative one stands in brackets."""
    by = layer("y", "ops.Where", "x", condition=condition, x2=1.5)
    run = Network([image(3, name="x"), by]).run(np.full((1, 3), 0.25))
    assert f"(as {said})" in str(explain(run, "y", channel=1))


def test_latex_by_hand():
    run = edge(np.arange(9) - 4, -2.25, activation="relu")
    assert explain(run, "edge", row=0, col=0).to_latex().splitlines()[1:] == [
        r"\begin{aligned}",
        r"s &= \sum \begin{bmatrix} 1 & 2 & 3 \\ 0 & 0 & 1 \\ 0 & 0 & 0 \end{bmatrix} \odot "
        r"\begin{bmatrix} -4 & -3 & -2 \\ -1 & 0 & 1 \\ 2 & 3 & 4 \end{bmatrix} = -15.000"
        r" && \text{channel 0} \\",
        r"z &= -15.000 + (-2.250) = -17.250 && \text{bias} \\",
        r"\text{relu} &= \max\left(z, 0\right) = \max\left(-17.25, 0\right) = 0",
        r"\end{aligned}",
    ]


def test_latex_of_a_choice():
    run = Network(
        [
            image(20, 20, 1),
            layer("pool", "MaxPooling2D", "image", pool_size=2),
            layer("all", "GlobalMaxPooling2D", "image"),
            layer("top", "GlobalMaxPooling2D", "pool"),
            layer("least", "Minimum", "all", "top", "top"),
        ]
    ).run(np.arange(400.0).reshape(1, 20, 20, 1))
    found = {name: explain(run, name, at=(0,) * (run[name].ndim - 1)).to_latex() for name in list(run)[1:]}
    assert r"z &= \max \begin{bmatrix} 0 & 1 \\ 20 & 21 \end{bmatrix} = 21" in found["pool"]
    assert r"z &= \max_{400} x_i = 399 && \text{image, row 19, column 19, channel 0}" in found["all"]
    assert r"z &= \min\left(399, 399, 399\right) = 399 && \text{all, unit 0}" in found["least"]


@pytest.mark.parametrize(
    ("formula", "text", "latex"),
    [
        ("a - (b - c)", "a - (b - c)", r"a - \left(b - c\right)"),
        ("(a - b) * c / d", "(a - b) * c / d", r"\frac{\left(a - b\right) \cdot c}{d}"),
        ("a / (b * c)", "a / (b * c)", r"\frac{a}{b \cdot c}"),
        ("-a * b", "-a * b", r"-a \cdot b"),
        ("exp(-a) + abs(b)", "exp(-a) + abs(b)", r"e^{-a} + \left|b\right|"),
        ("scale * mean", "scale * mean", r"\mathrm{scale} \cdot \mu"),
    ],
)
def test_formulas_keep_their_meaning(formula, text, latex):
    assert formulas.text(formula) == text
    assert formulas.latex(formula) == latex


def test_formulas_with_numbers():
    assert formulas.text("a - b * c", {"a": -1.0, "b": -2.5, "c": 1e-9}) == "-1 - (-2.5) * 1e-09"
    assert formulas.latex("a - b", {"a": 1.0, "b": -2e-9}) == r"1 - \left(-2 \cdot 10^{-9}\right)"
    numbers = {"a": -1.5, "b": -2.5, "c": 0.25}
    for formula in (
        "a - b - c",
        "a * (b - c)",
        "a / b / c",
        "a / (b / c)",
        "-a - -b",
        "a - (b + c) * a",
        "-(a + b)",
    ):
        assert eval(formulas.text(formula, numbers)) == eval(formula, {**numbers})
    with pytest.raises(ValueError, match="a formula cannot hold a if b else c"):
        formulas.text("a if b else c")


# Pictures -----------------------------------------------------------------------------------------


def test_a_picture_draws_the_terms(digits):
    receipt = explain(digits, "conv2d_3", row=4, col=5, channel=7)
    picture = receipt.plot()
    chosen, _ = receipt.terms.shown(4)
    for name, array in (("patches", "factor"), ("kernels", "weight"), ("products", "product")):
        for drawn, group in zip(picture[name], chosen, strict=True):
            np.testing.assert_array_equal(drawn.get_array(), getattr(receipt.terms, array)[group])
        assert len({drawn.get_clim() for drawn in picture[name]}) == 1
    assert len(picture["bars"]) == 11
    assert receipt.title in picture.alt
    axes = receipt.plot(ax=picture.ax).ax
    assert axes is picture.ax


@pytest.mark.parametrize("width", [None, 328])
def test_every_receipt_can_be_drawn(width):
    seen = set()
    for receipt in one_of_each():
        if (receipt.layer.kind, bool(receipt.steps)) not in seen:
            seen.add((receipt.layer.kind, bool(receipt.steps)))
            picture = receipt.plot(width=width, theme="dark")
            fits(picture)
    assert {kind for kind, _ in seen} == LAYERS
    with pytest.raises(ValueError, match="width must be at least 300 pixels, got 100"):
        receipt.plot(width=100)


def fits(picture: Any) -> None:
    """Nothing is drawn outside the picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(picture.figure).get_renderer()
    frame = picture.figure.bbox
    for text in picture.ax.texts:
        box = text.get_window_extent(renderer)
        assert frame.x0 - 2 <= box.x0, text
        assert box.x1 <= frame.x1 + 2, text
        assert frame.y0 - 2 <= box.y0, text
        assert box.y1 <= frame.y1 + 2, text


LAZY = """
import sys, numpy as np, cnnviz
run = cnnviz.load_model("mnist_14k").run(np.zeros((28, 28)))
receipt = cnnviz.explain(run, "conv2d", row=0, col=0, channel=0)
str(receipt), receipt.to_latex(), receipt.to_code(), str(receipt.trace())
{extra}
found = sorted({{"tensorflow", "keras", "streamlit", "matplotlib"}} & set(sys.modules))
sys.exit(f"imported: {{found}}" if found else 0)
"""


@pytest.mark.parametrize(("extra", "code"), [("", 0), ("receipt.plot()", 1)])
def test_receipts_import_nothing_heavy(extra, code):
    """The second case shows that the first one can fail."""
    done = subprocess.run([sys.executable, "-c", LAZY.format(extra=extra)], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (code, "imported: ['matplotlib']" if code else "")


# Programs -----------------------------------------------------------------------------------------


LOAD = cache(keras.models.load_model)


@pytest.fixture
def once(monkeypatch):
    """Keras loads each file once."""
    monkeypatch.setattr(keras.models, "load_model", LOAD)


def printed(program: str) -> float:
    shown = StringIO()
    with redirect_stdout(shown):
        exec(compile(program, "receipt", "exec"), {})
    return float(shown.getvalue().split()[-1])


def assert_reproduces(receipt: Receipt, program: str, *, from_image: bool = False) -> None:
    """The program prints the receipt's number, but for rounding.

    Where it computes the layers before as well, theirs adds up: 1000 roundings of the layer's largest
    number, as in test_keras_file, for sums of at most 100 products that cancel at most tenfold.
    """
    largest = float(np.abs(receipt.run[receipt.layer.name]).max())
    slack = receipt.bound + from_image * 1000 * 2.0**-24 * largest
    number = receipt.value.dtype.type(printed(program))
    assert abs(float(number) - float(receipt.result)) <= slack, f"{receipt.title}\n{program}"


def test_programs_by_the_engine():
    done = set()
    for receipt in one_of_each():
        key = (receipt.layer.kind, str(receipt.layer.activation), receipt.run.network.source is not None)
        if key in done and not THOROUGH:
            continue
        done.add(key)
        program = receipt.to_code()
        loads = "load_model" in program
        assert loads == (receipt.run.network.source is not None)
        assert_reproduces(receipt, program, from_image=True)


def test_the_arithmetic_of_a_program_gives_the_number():
    """`(patch * kernel).sum() + bias` and what follows it, for every class that is taken apart."""
    written, left = set(), set()
    for receipt in one_of_each():
        lines = arithmetic(receipt)
        if not lines:
            assert not (receipt.terms.taken_apart and len(receipt.terms)), receipt.title
            left.add(receipt.layer.kind)
            continue
        written.add(receipt.layer.kind)
        assert "patch" in "\n".join(lines)
        names = {"net": receipt.run.network, "run": _Only(receipt), "np": np, "special": special}
        packed = [f"import {name}" for name in ("base64", "zlib")]
        exec("\n".join([*packed, *lines]), names)
        # As good as the receipt, and a few roundings of the functions of float32.
        slack = receipt.bound + 32 * 2.0**-24 * max(1.0, abs(float(receipt.result)))
        assert abs(float(names["by_hand"]) - float(receipt.result)) <= slack, "\n".join(
            [receipt.title, *lines]
        )
    assert written | left == LAYERS
    assert left - written == {
        "InputLayer",
        "Embedding",
        *("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"),
    }


def test_a_separable_convolution_is_written_with_both_its_kernels():
    weights = {
        "depthwise_kernel": normal(3, 3, 2, 1),
        "pointwise_kernel": normal(1, 1, 2, 4),
        "bias": normal(4),
    }
    options = {"filters": 4, "kernel_size": 3, "activation": "softplus"}
    net = Network([image(5, 5, 2), layer("both", "SeparableConv2D", "image", weights=weights, **options)])
    receipt = explain(net.run(normal(1, 5, 5, 2)), "both", row=1, col=2, channel=3)
    assert arithmetic(receipt)[1:] == [
        'patch = run.inputs("both")[0][0, 1:4, 2:5, :2]',
        'kernel = net["both"].weights["depthwise_kernel"][:3, :3, :2, 0]',
        "sums = (patch * kernel).sum(axis=(0, 1))",
        'mix = net["both"].weights["pointwise_kernel"][0, 0, :, 3]',
        'bias = net["both"].weights["bias"][3]',
        "z = (sums * mix).sum() + bias",
        "by_hand = np.log(1 + np.exp(z))",
    ]


def test_a_sum_of_several_inputs_is_written_with_a_place_in_each():
    run = merges().run(normal(2, 4, 3, 2))
    (name,) = (each.name for each in run.network if each.kind == "Subtract")
    lines = arithmetic(explain(run, name, at=(1, 2, 0)))
    assert lines[1:4] == [
        "patch = np.array([",
        f'    run.inputs("{name}")[0][0, 1, 2, 0],',
        f'    run.inputs("{name}")[1][0, 1, 2, 0],',
    ]
    assert lines[-1] == "by_hand = (patch * weights).sum()"


class _Only:
    """The run of one image, as a program has it."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt

    def inputs(self, name: str) -> list[np.ndarray]:
        return [x[self.receipt.index :][:1] for x in self.receipt.run.inputs(name)]

    def pre_activation(self, name: str) -> np.ndarray:
        return self.receipt.run.pre_activation(name)[self.receipt.index :][:1]


def test_programs_by_keras(once):
    done = set()
    for receipt in one_of_each():
        key = (receipt.layer.kind, str(receipt.layer.activation))
        if key not in done:
            done.add(key)
            assert_reproduces(receipt, receipt.to_code("keras"), from_image=True)
    assert {kind for kind, _ in done} == LAYERS


@pytest.mark.parametrize("library", ["cnnviz", "keras"])
def test_programs_with_the_receipts_own_numbers(library):
    """Networks that were made by hand: there is nothing to load."""
    for name in (*STACKS, *ONLY_FLOAT32, *FAMILIES):
        changed = run_of(name).network.astype(np.float32)
        changed.source = None
        run = changed.run(run_of(name).input)
        for found in changed:
            receipt = explain(run, found.name, at=middle(run, found.name), index=1)
            program = receipt.to_code(library)
            assert "load_model" not in program
            assert_reproduces(receipt, program)


def test_an_edited_run_is_not_taken_for_the_files(digits):
    run = digits.network.run(digits.input, edits={"conv2d": lambda a: a + 1})
    for name, edited in (("conv2d", True), ("conv2d_1", False)):
        receipt = explain(run, name, row=3, col=3, channel=0)
        program = receipt.to_code()
        assert "load_model" not in program
        assert ("The run was edited" in program) == edited
        assert_reproduces(receipt, program)
    picture = digits.network.inputs[0]
    run = digits.network.run(digits.input, edits={picture: lambda a: a + 1})
    assert "load_model" not in explain(run, picture, row=3, col=3).to_code()
    assert "so this layer's output was edited" in str(explain(run, picture, row=3, col=3)).replace(
        "\n    ", " "
    )


def test_changed_weights_are_not_taken_for_the_files(digits):
    net = digits.network
    run = net.with_weights({"conv2d_1/bias": net["conv2d_1"].weights["bias"] + 1}).run(digits.input)
    before, behind = (explain(run, name, row=3, col=3, channel=0) for name in ("conv2d", "conv2d_1"))
    assert "load_model" in before.to_code()
    assert "load_model" not in behind.to_code()
    assert_reproduces(behind, behind.to_code())


def test_a_file_that_is_gone_or_another_is_not_loaded(tmp_path):
    def write(units: int) -> None:
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, name="d")]).save(tmp_path / "d.keras")

    write(2)
    run = cnnviz.load_model(tmp_path / "d.keras").run(normal(1, 3))
    receipt = explain(run, "d", channel=1)
    assert "load_model" in receipt.to_code()
    write(5)
    assert "load_model" not in receipt.to_code()
    (tmp_path / "d.keras").unlink()
    assert "load_model" not in receipt.to_code()
    assert_reproduces(receipt, receipt.to_code())


def test_augmentation_in_a_nested_model_is_not_run_by_keras(tmp_path, once):
    """Called by itself, such a layer takes it for training unless it is told otherwise."""
    inner = keras.Sequential([keras.Input((6, 6, 4)), keras.layers.RandomBrightness(0.9, name="light")])
    model = keras.Sequential([keras.Input((6, 6, 4), name="image"), inner, keras.layers.Flatten()])
    model.save(tmp_path / "light.keras")
    net = cnnviz.load_model(tmp_path / "light.keras")
    (name,) = (layer.name for layer in net if layer.kind == "RandomBrightness")
    receipt = explain(net.run(normal(2, 6, 6, 4).astype(np.float32)), name, row=2, col=3, channel=1, index=1)
    program = receipt.to_code("keras")
    assert "training=False" in program
    assert_reproduces(receipt, program)


def test_nested_models_shared_layers_and_operators(tmp_path, once):
    inner_image = keras.Input((6, 6, 4), name="inner_image")
    shared = keras.layers.Conv2D(4, 3, padding="same", name="conv", activation="relu")
    inner = keras.Model(
        inner_image, keras.layers.Add(name="add")([shared(inner_image), inner_image]), name="inner"
    )
    picture = keras.Input((6, 6, 4), name="image")
    twice = keras.layers.Conv2D(4, 1, name="twice")
    total = inner(twice(twice(picture))) + picture
    model = keras.Model(picture, [keras.layers.Flatten(name="flat")(inner(total))], name="graph")
    model.save(tmp_path / "graph.keras")
    net = cnnviz.load_model(tmp_path / "graph.keras")
    run = net.run(normal(2, 6, 6, 4).astype(np.float32))
    for found in net:
        receipt = explain(run, found.name, at=middle(run, found.name), index=1)
        for library in ("cnnviz", "keras"):
            program = receipt.to_code(library)
            assert "load_model" in program
            assert_reproduces(receipt, program, from_image=True)


def test_several_inputs(tmp_path, once):
    one, two = keras.Input((3,), name="one"), keras.Input((4,), name="two")
    joined = keras.layers.Concatenate(name="both")([one, two])
    model = keras.Model([one, two], keras.layers.Dense(2, name="y")(joined))
    model.save(tmp_path / "pair.keras")
    run = cnnviz.load_model(tmp_path / "pair.keras").run([normal(2, 3), normal(2, 4)])
    receipt = explain(run, "y", channel=1, index=1)
    for library in ("cnnviz", "keras"):
        assert_reproduces(receipt, receipt.to_code(library), from_image=True)


def test_a_program_runs_as_written(digits):
    """In a new process, from another folder, with the digit's own expression."""
    receipt = explain(digits, "conv2d_3", row=4, col=5, channel=7, index=1)
    for image_given in (None, "cnnviz.load_mnist()[1][0][1]"):
        program = receipt.to_code(image=image_given)
        assert ("load_mnist" in program) == (image_given is not None)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stderr == ""
        # The arithmetic itself, and the library.
        assert [float(word) for word in done.stdout.split()] == pytest.approx(
            [float(receipt.value)] * 2, rel=1e-5
        )


def test_a_keras_program_on_a_real_digit(digits, once):
    last = digits.network.layers[-1].name
    for name in ("conv2d_3", last):
        receipt = explain(digits, name, at=middle(digits, name))
        assert_reproduces(
            receipt, receipt.to_code("keras", image="cnnviz.load_mnist()[1][0][0]"), from_image=True
        )


def test_an_unknown_library(digits):
    with pytest.raises(ValueError, match="library must be one of cnnviz, keras, got 'torch'"):
        explain(digits, "conv2d", row=0, col=0, channel=0).to_code("torch")


# Colour pictures -----------------------------------------------------------------------------------


def photograph(mode: str) -> Run:
    """A convolution over a colour picture that was prepared in a mode."""
    weights = {"kernel": normal(3, 3, 3, 2), "bias": np.zeros(2)}
    options = {"filters": 2, "kernel_size": 3, "padding": "same"}
    net = Network([image(6, 5, 3), layer("conv", "Conv2D", "image", weights=weights, **options)])
    pixels = np.random.default_rng(4).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    return net.run(cnnviz.load_image(pixels, like=net, preprocess=mode))


@pytest.mark.parametrize(
    ("mode", "planes"), [("tf", ("red", "green", "blue")), ("caffe", ("blue", "green", "red"))]
)
def test_a_receipt_over_a_colour_picture_names_its_planes(mode, planes):
    run = photograph(mode)
    receipt = explain(run, "conv", row=2, col=3, channel=1)
    assert receipt.terms.labels == planes
    lines = receipt.to_text().splitlines()
    assert [line.split()[0] for line in lines if line[:1].isalpha() and " * " in line] == list(planes)
    assert re.findall(r"\\text\{(red|green|blue)\}", receipt.to_latex()) == list(planes)
    assert re.findall(r'<th scope="row">([\w ]+)</th>', receipt.to_html()) == ["in colours", *planes]
    pixels = np.random.default_rng(4).integers(0, 256, (6, 5, 3))
    shown = re.findall(r"background:rgb\((\d+),(\d+),(\d+)\)", receipt.to_html())
    np.testing.assert_array_equal(np.reshape(shown[:9], (3, 3, 3)).astype(int), pixels[1:4, 2:5])


def test_a_pixel_of_a_colour_picture_is_named_by_its_plane_and_its_step():
    run = photograph("caffe")
    receipt = explain(run, "image", row=2, col=3, channel=0)
    assert receipt.plane == "blue"
    assert receipt.title == "image (InputLayer), row 2, column 3, channel 0, blue"
    pixels = np.random.default_rng(4).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    said = " ".join(receipt.to_text().split())
    assert said.endswith(f"blue {pixels[2, 3, 2]} of 255, the preprocessing 'caffe' undone")
    assert explain(run, "conv", row=0, col=0, channel=0).plane == ""


def test_a_plot_shows_patch_and_kernel_in_colours_too():
    run = photograph("torch")
    pixels = np.random.default_rng(4).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    picture = explain(run, "conv", row=0, col=2, channel=1).plot()
    patch, kernel = (np.asarray(each.get_array()) for each in picture["colours"])
    assert patch[0, :, 3].tolist() == [0, 0, 0], "padding is blank"
    np.testing.assert_array_equal(patch[1:, :, :3], pixels[:2, 1:4])
    weights = run.network["conv"].weights["kernel"][:, :, :, 1]
    limit = picture["kernels"][0].norm.vmax
    assert limit == np.abs(weights).max()
    np.testing.assert_allclose(kernel, 0.5 + weights / (2 * limit))
    assert len(picture["patches"]) == 3
    assert explain(run, "image", row=0, col=2, channel=1).plot()["colours"] == []


# Names of classes ----------------------------------------------------------------------------------

NAMES = ("tench", "goldfish, large", "a \\ & b")


def classifier(softmax: str) -> Network:
    """Three scores; the softmax in the dense layer, in a layer behind it, or none."""
    weights = {"kernel": normal(4, 3), "bias": normal(3)}
    fused = {"activation": "softmax"} if softmax == "fused" else {}
    layers = [image(4), layer("scores", "Dense", "image", weights=weights, units=3, **fused)]
    return Network([*layers, *([layer("shares", "Softmax", "scores")] if softmax == "behind" else [])])


@pytest.mark.parametrize("softmax", ["fused", "behind", "none"])
def test_scores_are_called_by_the_names_of_their_classes(softmax):
    run = classifier(softmax).run(normal(1, 4))
    receipt = explain(run, "scores", channel=1, classes=NAMES)
    assert receipt.title == "scores (Dense), unit 1, goldfish, large"
    shown = [receipt.to_text(), receipt.to_html(), receipt.to_latex(), receipt.to_code(), receipt.plot().alt]
    assert all("goldfish, large" in each for each in shown)
    receipt = explain(run, run.network.outputs[0], channel=2, classes=list(NAMES))
    assert receipt.class_name == "a \\ & b"
    if softmax != "none":
        assert receipt.steps[0].shares.labels == NAMES
        assert "tench" in receipt.to_text()
    # What a receipt leads to keeps the names, and pixels have none.
    assert {node.receipt.class_name for node in receipt.trace().walk()} <= {"", "a \\ & b", *NAMES}
    assert explain(run, "image", channel=0, classes=NAMES).class_name == ""
    assert explain(run, "scores", channel=1).title == "scores (Dense), unit 1"


def test_there_is_one_name_for_each_class(tmp_path):
    run = classifier("fused").run(normal(1, 4))
    path = tmp_path / "names.txt"
    path.write_text("a\nb\n")
    with pytest.raises(
        ValueError, match=r"names\.txt must have one name for each of the network's 3 classes, got 2"
    ):
        explain(run, "scores", channel=0, classes=path)
    path.write_text("a\nb\nc\n")
    assert explain(run, "scores", channel=0, classes=path).class_name == "a"
