"""Every public function, and every class of training, with what its arguments cannot mean: refused by name.

Arguments and their kinds are read from signatures, so that a new function is tried too; what annotations
leave open is tried where a value is known that it takes.
"""

from __future__ import annotations

import inspect
import math
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import is_dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz import figures, training
from cnnviz.kernels.definitions import MOST, binomial
from cnnviz.network.mistakes import Mistake
from cnnviz.training import schedules

ROOMS = ("kernels", "channels", "figures", "animate", "receptive_fields", "training")
CYCLE: list[Any] = []
CYCLE.append(CYCLE)


class NoWords:
    """Its repr raises, and it is no array."""

    __array__ = None

    def __repr__(self) -> str:
        raise RuntimeError("none")


STRANGE: list[Any] = [
    1j,
    b"a",
    bytearray(b"a"),
    {1: 2},
    {1, 2},
    CYCLE,
    (each for each in range(3)),
    object(),
    NoWords(),
    10**5000,
    slice(1),
    ...,
    np.array(object()),
    np.array([None, 1], object),
    np.array(["a"]),
    np.array(1j),
    np.array([1, 2], "datetime64[s]"),
    np.zeros(3, [("a", "i4"), ("b", "f4")]),
]
"""Neither a number nor a string, a sequence of them, a path, a truth or anything of cnnviz's own."""

SIMPLE = {"int", "float", "bool", "str", "str | None", "int | None", "float | None", "bool | None"}
SIMPLE |= {
    "Network",
    "Run",
    "LayerGraph",
    "Receipt",
    "str | os.PathLike[str]",
    "str | os.PathLike[str] | None",
}


def public() -> list[tuple[str, Any]]:
    rooms = [cnnviz, *(import_module(f"cnnviz.{room}") for room in ROOMS)]
    callables = {
        f"{room.__name__}.{name}": getattr(room, name)
        for room in rooms
        for name in (cnnviz.__all__ if room is cnnviz else vars(room))
        if name[0] != "_"
    }
    return [
        (name, each)
        for name, each in callables.items()
        if callable(each)
        and not isinstance(each, ModuleType)
        and (not inspect.isclass(each) or issubclass(each, CHECKED))
    ]


CHECKED = (
    training.Trainer,
    training.Optimizer,
    training.LossFunction,
    training.Recipe,
    training.Augmentation,
    training.RunFiles,
    schedules.Schedule,
)
PUBLIC = public()
SCHEDULES = [(name, each) for name, each in vars(schedules).items() if name.endswith(("Decay", "Restarts"))]
ARGUMENTS = [
    (name, function, argument)
    for name, function in [*PUBLIC, *SCHEDULES]
    for argument, parameter in inspect.signature(function).parameters.items()
    if str(parameter.annotation) in SIMPLE
]


NET = cnnviz.load_model("mnist_maxpool")
SOUND = {
    "Network": NET,
    "LayerGraph": NET,
    "Run": NET.run(np.zeros((1, 28, 28), np.uint8)),
    "Mapping": {},
    "Callable": len,
    "int": 3,
    "float": 1.0,
    "Rate": 0.1,
    "str": "conv2d",
    "bool": True,
    "np.ndarray": np.ones((3, 3)),
    "Sequence": [],
}


def sound(annotation: str, function: Any) -> Any:
    """A value that an annotation allows; one of another class is empty."""
    head = annotation.split(" | ")[0].partition("[")[0]
    if head in SOUND:
        return SOUND[head]
    kind = vars(sys.modules[function.__module__]).get(head)
    return object.__new__(kind) if is_dataclass(kind) else []


def needed(function: Any) -> dict[str, Any]:
    """Values for the arguments that a function asks for."""
    return {
        name: sound(parameter.annotation, function)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


@pytest.mark.parametrize(
    ("name", "function", "argument"), ARGUMENTS, ids=[f"{name}-{argument}" for name, _, argument in ARGUMENTS]
)
def test_a_strange_argument_is_refused_by_name(name: str, function: Any, argument: str) -> None:
    others = needed(function)
    for value in STRANGE:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises((TypeError, ValueError)) as caught:
                function(**{**others, argument: value})
        words = str(caught.value)
        assert argument in words, f"{type(value)}: {words}"
        assert len(words) < 400


def test_there_are_as_many_arguments_as_ever() -> None:
    assert len(ARGUMENTS) > 250


@pytest.mark.parametrize("name", ["box", "binomial", "motion_blur", "gaussian", "gabor", "prewitt"])
@pytest.mark.parametrize("size", [-1, 0, MOST + 1, 2**31, 2**62])
def test_a_kernel_has_a_size_that_can_be_had(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="size must be at least"):
        getattr(cnnviz.kernels, name)(size=size)


def test_the_largest_kernel_sums_to_one() -> None:
    assert abs(binomial(MOST).sum() - 1) < 1e-12
    assert np.isfinite(cnnviz.kernels.sobel("x", MOST - 1)).all()
    with np.errstate(all="raise", under="ignore"):
        assert cnnviz.kernels.gaussian(3, 1e-100)[1, 1] == 1


@pytest.mark.parametrize("steps", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", [name for name, _ in SCHEDULES if name != "PiecewiseConstantDecay"])
def test_a_schedule_takes_steps(name: str, steps: float) -> None:
    """Restarts after no steps at all came round for ever."""
    kind = getattr(schedules, name)
    others = {"decay_rate": 0.5} if "decay_rate" in inspect.signature(kind).parameters else {}
    with pytest.raises((ValueError, TypeError), match="decay_steps must be"):
        kind(0.1, steps, **others)


@pytest.mark.parametrize(("depth", "size"), [(2**31, 3), (2**62, 3), (10**5, 2), (1, 2**31), (32, 2)])
def test_paths_that_cannot_be_counted_are_refused_at_once(depth: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"(depth|size) must"):
        cnnviz.kernels.stack_paths(depth, size)


def test_a_number_is_no_file() -> None:
    """A number of a file that is open, such as that of standard output, would be read and closed."""
    for function in (cnnviz.load_mnist, cnnviz.load_model, training.read_data):
        with pytest.raises(TypeError, match=r"must be a string.*, got 1$"):
            function(1)


FIGURES = [(name, each) for name, each in PUBLIC if "width" in inspect.signature(each).parameters]


@pytest.mark.parametrize("width", [0, -1, 99, 10_001, 1e30, math.nan, math.inf])
@pytest.mark.parametrize(("name", "function"), FIGURES, ids=[name for name, _ in FIGURES])
def test_a_figure_has_a_width_that_can_be_drawn(name: str, function: Any, width: float) -> None:
    assert len(FIGURES) > 30
    with pytest.raises(ValueError, match="width must be from 100 to 10,000 pixels, got"):
        function(**needed(function), width=width)


@pytest.mark.parametrize("look", [{"ax": 3}, {"ax": "x"}, {"theme": []}, {"theme": 1}])
def test_a_figure_is_drawn_on_axes_in_a_theme(look: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(look))} must be"):
        cnnviz.figures.bars([1.0, 2.0], ["a", "b"], **look)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: cnnviz.figures.epoch_batches(10**15, 1), "at most 100,000 steps to be drawn"),
        (lambda: cnnviz.figures.outer_product(np.ones((10**6, 1))), "at most 50,000 pixels tall"),
        (
            lambda: cnnviz.figures.hard_cases(
                [Mistake(0, 2**40, ((9, 0.75), (4, 0.25)))], np.zeros((1, 28, 28), np.uint8)
            ),
            "found must be of classes below 1,000,000, got class 1,099,511,627,776",
        ),
    ],
)
def test_a_figure_that_nobody_could_look_at_is_refused(draw: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw()


def test_cells_that_are_too_small_for_numbers_are_drawn_without() -> None:
    """They were put into words before anybody asked whether there is room: a minute for a large kernel."""
    kernel = np.arange(60_000.0).reshape(300, 200)
    picture = cnnviz.figures.outer_product(kernel)
    assert picture["product"].get_array().shape == (300, 200)


class Lying:
    """A sequence that says it holds a million million numbers."""

    def __len__(self) -> int:
        return 10**12

    def __getitem__(self, place: int) -> float:
        return 1.0


class Raising:
    """An array that cannot be had."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise RuntimeError("none")


SHARED: list[Any] = [1.0] * 1000
for _ in range(3):
    SHARED = [SHARED] * 1000
ENDLESS: list[Any] = [range(10**12), [range(10**9)] * 2, Lying(), SHARED, (np.broadcast_to(1.0, 10**10),)]
READERS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda value: cnnviz.figures.bars(value, ["a", "b"]), "values"),
    (lambda value: cnnviz.figures.before_and_after(np.ones((2, 2, 2)), value), "after"),
    (lambda value: cnnviz.channels.mixing_error(value, np.ones((2, 2)), None, np.ones((2, 2))), "x"),
    (lambda value: cnnviz.kernels.separate(value), "kernel"),
    (lambda value: cnnviz.animate.max_pool2d(value), "x"),
    (lambda value: cnnviz.ops.relu(value), "x"),
    (lambda value: cnnviz.ops.conv2d(np.ones((4, 4)), value), "kernel"),
    (lambda value: cnnviz.load_image(value, NET), "source"),
    (lambda value: NET.predict(value), "x"),
    (lambda value: NET.run(value), "x"),
    (lambda value: training.Trainer(NET).step(value, [1]), "images"),
]


@pytest.mark.parametrize(
    ("read", "name"), READERS, ids=[f"{i}-{name}" for i, (_, name) in enumerate(READERS)]
)
def test_what_no_memory_holds_is_refused_before_it_is_read(read: Callable[[Any], Any], name: str) -> None:
    for value in ENDLESS:
        with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
            read(value)
    for value in (Raising(), [1, [2, "a"]], [[1, 2], [None, {}]]):
        with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
            read(value)
        assert re.search(rf"\b{name}\b|must (be|hold)", str(caught.value)), caught.value


def test_masked_cells_are_refused_and_no_mask_is_none() -> None:
    """What a mask hides was computed with."""
    bare = np.ma.masked_array(np.ones((1, 28, 28)), np.zeros((1, 28, 28), bool))
    masked = np.ma.masked_array(bare.data, [[[True] + [False] * 27] * 28])
    run, key = NET.run(bare), "conv2d/kernel"
    kernel = np.ma.masked_equal(NET["conv2d"].weights["kernel"], NET["conv2d"].weights["kernel"].max())
    readers = [
        *(read for read, _ in READERS),
        lambda value: training.Trainer(NET).step(
            np.zeros((1, 28, 28)), np.ma.masked_array([1], [value is masked])
        ),
        lambda value: run.gradient(
            NET.outputs[0], weights=np.ma.masked_array(np.ones(10), [True] + [False] * 9)
        ),
        lambda value: NET.with_weights({key: kernel}),
    ]
    for read in readers:
        with pytest.raises(ValueError, match=r"must have no masked cells, as .*filled\(0\) has none"):
            read(masked)
    np.testing.assert_array_equal(NET.predict(bare), NET.predict(bare.data))


EMPTY: list[tuple[Callable[[], Any], str]] = [
    (lambda: figures.maps.strongest(np.zeros((0, 3))), "values must be .H, W. and not empty"),
    (lambda: figures.maps.strongest(np.full((2, 2), np.nan)), "values must have a number to be the largest"),
    (lambda: figures.maps.strongest_channel(np.full((2, 2, 2), np.nan)), "maps must have a number"),
    (lambda: figures.case_in_words(Mistake(0, 5, ((6, 0.9),)), ["a"]), "names must have one for each class"),
    (lambda: figures.rungs_to(NET, "conv2d_1", 999), "unit must be one of conv2d_1's, .*, got 999"),
    (lambda: figures.rungs_to(NET, "conv2d_1", 0, axis=7), "axis must be 0, rows, or 1, columns, got 7"),
    (
        lambda: figures.before_and_after(np.ones((2, 2, 2)), np.ones((2, 2, 2)), titles=()),
        r"titles=\(\)",
    ),
]


@pytest.mark.parametrize(("call", "words"), EMPTY, ids=[words for _, words in EMPTY])
def test_nothing_to_look_at_is_said(call: Callable[[], Any], words: str) -> None:
    with pytest.raises((ValueError, IndexError, TypeError), match=words):
        call()


def test_the_largest_beside_what_is_no_number() -> None:
    maps = np.full((2, 2, 3), np.nan)
    maps[0, 0, 1] = -5.0
    assert figures.maps.strongest_channel(maps) == 1


MIXED: list[tuple[Any, tuple[Any, ...], str]] = [
    (cnnviz.figures.left_out, (["a"],), "layers must be a sequence, each place a Seen"),
    (cnnviz.figures.receptive_ladder, ([None, 1],), "rungs must be a sequence, each place a Rung"),
    (cnnviz.figures.training_curves, ({"accuracy": 3},), "panels must be a mapping to a mapping"),
    (cnnviz.figures.training_curves, ({"accuracy": {"a": ["x"]}},), "panels must be a mapping"),
    (cnnviz.figures.bars, ([1.0], range(10**9)), "labels must be a sequence of strings"),
    (cnnviz.kernels.sort_trained, ([1, "a"], "norm"), "kernels must be from trained_kernels, got 1"),
    (cnnviz.kernels.sort_trained, ([None], "number"), "kernels must be from trained_kernels, got None"),
]


@pytest.mark.parametrize(("function", "arguments", "words"), MIXED, ids=[words for *_, words in MIXED])
def test_what_a_list_holds_is_looked_at(function: Any, arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        function(*arguments)


@pytest.mark.parametrize("largest", [3e38, 1e154, 1e200, 1e308, math.inf, math.nan])
def test_numbers_at_the_end_of_the_line_pass_without_a_warning(largest: float) -> None:
    x, matrix = np.full((5, 4), largest), np.full((4, 3), largest)
    sums = cnnviz.channels.moments(x)
    assert sums.energy(matrix).shape == (3,)
    cnnviz.channels.mixing_error(x, matrix, None, matrix / 2)
    cnnviz.channels.reduce_mixing(x, matrix, None, k=2, by="outputs")
    if not math.isfinite(largest):
        with pytest.raises(ValueError, match="matrix must be finite"):
            cnnviz.channels.reduce_mixing(x, matrix, None, k=2, by="singular")
