"""Every option of every class with a hostile value from a file: refused in words, or answered within limits.

Values are exchanged one at a time in a layer that is sound; then all is asked of its network that reads
weights, sizes and cells. What a layer with a huge option holds of weights takes no memory here.
"""

from __future__ import annotations

import contextlib
import math
import random
import warnings
from typing import Any

import numpy as np
from hypothesis import settings

import cnnviz
from cnnviz import Layer, Network
from cnnviz.layers import ENTRIES
from harness.generated_networks import KINDS, behind, image
from harness.limited import MEGABYTE, limited_calls

CASES = 15_000 if settings().max_examples > 200 else 250
SECONDS, MEMORY = 6.0, 400 * MEGABYTE
SHAPES = ((6, 5, 3), (6, 3), (4,), (2, 6, 5, 3), (2, 2, 6, 5, 3))
MOST_WEIGHTS = 100_000
"""Those of larger layers would be as large in the file; they are only loaded here."""

NUMBERS: list[Any] = [-1, 0, 1, 2, 3, 7, 1000, 65536, 65537, 2**31 - 1, 2**31, 2**40, 2**63, 10**30, -(2**63)]
NUMBERS += [0.0, -0.0, 0.5, 1e-308, 5e-324, 1e308, -1e308, math.nan, math.inf, -math.inf]
WORDS: list[Any] = ["", "x", "same", "causal", "channels_first", "relu", "lanczos5", "abc,cd->abd", "9" * 500]
SIZES: list[Any] = [
    [1],
    [-1],
    [1, 1],
    [2, 1],
    [65536, 1],
    [1, 65536],
    [65536, 65536],
    [10**4, 10**4],
    [2**63],
]
SIZES += [[[1, 1], [1, 1]], [[65536, 0], [0, 65536]], [1, 2, 3], [-1, -1], [0, 1, 2, 3], [3, 2, 1], [1.5]]
OTHERS: list[Any] = [None, True, False, [], {}, [None], [None, 1], ["x"], [[]], [[1]], {"a": 1}]
OTHERS += [{"class_name": "x", "config": {}}, [[1] * 20] * 20, {"value": math.nan}]
VALUES = [*NUMBERS, *WORDS, *SIZES, *OTHERS]

Case = tuple[str, int, str, Any]


def changed(kind: str, seed: int, option: str, value: Any) -> Network | None:
    """A network with a layer of this class, one option of which has another value; None if none fits."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    for shape in SHAPES:
        start = list(Network([image(*shape)]))
        layers = behind(kind, "layer", start[0], [], rng)
        if layers:
            break
    else:
        return None
    before, last = [*start, *layers[:-1]], layers[-1]
    new = Layer.from_config("layer", kind, {**last.config, option: value}, inputs=last.inputs)
    shapes = {layer.name: layer.output_shape for layer in before}
    reads: Any = [shapes[name] for name in new.inputs]
    sizes = new.entry.weight_shapes(new.config, reads if len(reads) > 1 else reads[0])
    # NumPy too has a largest array.
    weights = {
        name: np.broadcast_to(np.float32(0.25), sizes[name]) for name in new.entry.weight_names(new.config)
    }
    return Network([*before, Layer("layer", kind, new.config, weights, new.inputs)])


def asked(case: Case | None) -> list[str]:
    """What was said of a network: refusals, each with what was asked."""
    said: list[str] = []
    limits = {"memory_limit": 50e6, "work_limit": 2e9}

    def ask(what: str, call: Any) -> Any:
        try:
            return call()
        except (ValueError, TypeError, NotImplementedError) as error:
            said.append(f"{what}: {error}")

    warnings.simplefilter("ignore")
    net = ask("load", lambda: changed(*(case or ("Conv2D", 0, "filters", 3))))
    if net is None:
        return said
    last = net.outputs[0]
    ask("table", lambda: (repr(net), list(map(repr, net)), net.count_params()))
    ask("fields", lambda: [field.size for field in cnnviz.receptive_field(net).values()])
    if net.count_params()[0] > MOST_WEIGHTS:
        return said
    x = np.full((1, *net.input_shape), 0.5, np.float32)
    ask("predict", lambda: net.predict(x, **limits))
    run = ask("run", lambda: net.run(x, **limits))
    if run is None or not run[last].size:
        return said
    ones = np.ones(run[last].shape)
    gradient = ask("gradient", lambda: run.gradient(last, weights=ones, **limits))
    if gradient is not None:
        ask("derivatives", lambda: (gradient.wrt_input, gradient.wrt_weights))
    cell = tuple(size // 2 for size in run[last].shape[1:])
    receipt = ask("receipt", lambda: cnnviz.explain(run, last, at=cell))
    if receipt is not None:
        ask("words", lambda: (str(receipt), receipt.to_code("cnnviz"), receipt.to_html()))
    ask("view", lambda: bytes(cnnviz.view(net, x, **limits).scene))
    return said


def drawn(count: int) -> list[Case]:
    chance = random.Random(3)
    options = [(kind, option) for kind in KINDS for option in ENTRIES[kind].options]
    return [
        (kind, chance.randrange(3), option, chance.choice(VALUES))
        for kind, option in chance.choices(options, k=count)
    ]


def test_an_option_of_a_file_is_refused_in_words_or_answered_within_limits() -> None:
    cases = [*KNOWN, *drawn(CASES)]
    refused = 0
    ends = limited_calls(asked, cases, memory=MEMORY, seconds=SECONDS)
    with contextlib.closing(ends):
        for case, end in zip(cases, ends, strict=True):
            what = str(case)[:200]
            assert not end.error, f"{what}: {end.error} {end.message}\n{end.trace}"
            assert end.peak <= MEMORY, f"{what} took {end.peak / MEGABYTE:.0f} MB: {end.value}"
            assert end.worked <= SECONDS, f"{what} took {end.worked:.1f} s: {end.value}"
            for words in end.value:
                assert len(words) < 800, words
                assert "NoneType" not in words
                assert "object has no" not in words
            refused += any(words.startswith("load") for words in end.value)
    assert len(cases) / 4 < refused < len(cases)


KNOWN: list[Case] = [
    ("Dot", 0, "axes", []),
    ("ZeroPadding1D", 0, "padding", [65536, 1]),
    ("AveragePooling2D", 2, "pool_size", [65536, 65536]),
    ("MaxPooling2D", 2, "pool_size", [65536, 65536]),
    ("Conv2DTranspose", 1, "kernel_size", [10_000, 1]),
    ("DepthwiseConv2D", 1, "kernel_size", [10_000, 1]),
    ("Conv2D", 1, "kernel_size", [150, 150]),
    ("Conv1DTranspose", 2, "kernel_size", 65536),
    ("Embedding", 1, "mask_zero", [[1] * 20] * 20),
    ("GroupQueryAttention", 0, "sliding_window", 2**63),
    ("ops.ExpandDims", 1, "axis", [-1, -1]),
    ("ops.Repeat", 2, "repeats", 65536),
]
