"""Animations: every number in them is the operation's, every frame is in the file, nonsense is refused."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnnviz import animate, ops
from cnnviz.animate.walk import MOST_STEPS

RNG = np.random.default_rng(5)


def numbers(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", ["conv2d", "depthwise_conv2d", "max_pool2d"])
def test_the_telling_step_has_the_largest_result(name):
    x = numbers(5, 6, 2)
    kernel = {"conv2d": numbers(3, 3, 2, 3), "depthwise_conv2d": numbers(3, 3, 2, 1)}.get(name)
    walk = getattr(animate, name)(x, *([] if kernel is None else [kernel])).walk
    step = walk.steps[walk.telling]
    assert abs(walk.output[step.row, step.col, step.target]) == np.abs(walk.output).max()


def test_run_backwards_the_telling_step_reads_the_largest_cell():
    x = numbers(4, 3, 1)
    walk = animate.conv2d_transpose(x, numbers(2, 2, 1, 1)).walk
    step = walk.steps[walk.telling]
    assert abs(x[step.row, step.col, 0]) == np.abs(x).max()


PADDINGS = st.one_of(
    st.sampled_from(["valid", "same"]),
    st.tuples(
        st.tuples(st.integers(0, 2), st.integers(0, 1)), st.tuples(st.integers(0, 1), st.integers(0, 2))
    ),
)
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 2))


def filled(animation: animate.Animation) -> np.ndarray:
    """The output as the steps write it, cell by cell; NaN where none does."""
    walk = animation.walk
    output = np.full(walk.output.shape, np.nan)
    for step in walk.steps:
        for row, col, value in step.written:
            output[row, col, step.target] = value
    return output


def read_back(walk: animate.Walk, step: animate.Step) -> float:
    """A convolution's output cell by the definition, from the cells that the step says it reads."""
    padded = {cell: np.zeros(walk.x.shape[2]) for cell in step.cells}
    padded |= {cell: walk.x[cell].astype(float) for cell in step.cells if walk.inside(cell)}
    values = np.array([padded[cell][list(step.sources)] for cell in step.cells])
    weights = walk.weights[step.target].astype(float).reshape(values.shape)
    return float((values * weights).sum() + (0 if walk.bias is None else walk.bias[step.target]))


@settings(deadline=None, max_examples=40)
@given(PAIRS, PAIRS, PAIRS, PADDINGS, st.sampled_from([1, 2]))
def test_a_convolution_is_the_engines_cell_by_cell(kernel, strides, dilation, padding, groups):
    x, w, b = numbers(7, 6, 4), numbers(*kernel, 4 // groups, 2), numbers(2)
    given_ = {"strides": strides, "padding": padding, "dilation_rate": dilation, "groups": groups}
    animation = animate.conv2d(x, w, b, **given_)
    expected = ops.conv2d(x, w, b, **given_)
    assert len(animation) == expected.size
    np.testing.assert_array_equal(filled(animation), expected)
    for step in animation.walk.steps[:: max(1, len(animation) // 7)]:
        # 24 products and a bias, each of order 10 at most, in float32.
        assert read_back(animation.walk, step) == pytest.approx(step.written[0][2], abs=25 * 2**-24 * 100)


@settings(deadline=None, max_examples=15)
@given(PAIRS, PAIRS, PADDINGS)
def test_a_depthwise_convolution_is_the_engines(kernel, strides, padding):
    x, w = numbers(6, 5, 2), numbers(*kernel, 2, 2)
    animation = animate.depthwise_conv2d(x, w, strides=strides, padding=padding)
    np.testing.assert_array_equal(
        filled(animation), ops.depthwise_conv2d(x, w, strides=strides, padding=padding)
    )
    assert [step.sources for step in animation.walk.steps[:: len(animation) // 4]] == [(0,), (0,), (1,), (1,)]
    step = animation.walk.steps[-1]
    assert read_back(animation.walk, step) == pytest.approx(step.written[0][2], abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(PAIRS, PAIRS, st.sampled_from(["valid", "same", ((1, 0), (0, 1))]), st.booleans())
def test_stamps_add_up_to_the_transposed_convolution(kernel, strides, padding, bias):
    x, w, b = numbers(3, 4, 2), numbers(*kernel, 2, 2), numbers(2) if bias else None
    if padding != "same" and padding != "valid" and (kernel[0] < 2 or kernel[1] < 2):
        padding = "valid"
    animation = animate.conv2d_transpose(x, w, b, strides=strides, padding=padding)
    expected = ops.conv2d_transpose(x, w, b, strides=strides, padding=padding)
    assert len(animation) == x.size * 2
    output = filled(animation)
    touched = ~np.isnan(output)
    np.testing.assert_array_equal(output[touched], expected[touched])
    # What no stamp reaches is the bias alone.
    untouched = np.broadcast_to(0 if b is None else b, expected.shape)[~touched]
    np.testing.assert_array_equal(expected[~touched], untouched)


def test_a_stamp_writes_what_a_convolution_would_read():
    forward = animate.conv2d(numbers(5, 5), numbers(3, 3), strides=2, padding="same").walk
    back = animate.conv2d_transpose(
        forward.output, numbers(3, 3), strides=2, padding="same", output_padding=0
    ).walk
    assert [step.cells for step in forward.steps] == [step.cells for step in back.steps]


@settings(deadline=None, max_examples=25)
@given(PAIRS, PAIRS, st.sampled_from(["valid", "same"]))
def test_pooling_is_the_engines_and_the_winner_has_the_value(pool, strides, padding):
    x = RNG.integers(0, 4, (6, 7, 2)).astype(np.float32)
    largest = animate.max_pool2d(x, pool, strides=strides, padding=padding)
    mean = animate.avg_pool2d(x, pool, strides=strides, padding=padding)
    np.testing.assert_array_equal(filled(largest), ops.max_pool2d(x, pool, strides=strides, padding=padding))
    np.testing.assert_array_equal(filled(mean), ops.avg_pool2d(x, pool, strides=strides, padding=padding))
    for step in largest.walk.steps:
        assert x[(*step.winner, step.target)] == step.written[0][2]
        earlier = step.cells[: step.cells.index(step.winner)]
        before = [x[(*cell, step.target)] for cell in earlier if largest.walk.inside(cell)]
        assert all(value < step.written[0][2] for value in before), "the first of several wins"


def test_the_arithmetic_is_written_out():
    assert animate.conv2d([[1, -2]], [[0.5, 3]], [1]).words(0) == "0.5·1 + 3·(−2) + bias 1 = −4.5"
    padded = animate.conv2d([[2]], np.ones((1, 2)), padding=((0, 0), (1, 0)))
    assert padded.words(0) == "1·0 + 1·2 = 2"
    assert animate.max_pool2d([[1, -2]], (1, 2), padding="same").words(0) == "max(1, −2) = 1"
    assert animate.avg_pool2d([[1, -2]], (1, 2)).words(0) == "(1 + (−2)) / 2 = −0.5"
    stamped = animate.conv2d_transpose([[3]], np.ones((2, 2)), padding=((0, 1), (0, 0)))
    assert (
        stamped.words(0)
        == "3 × kernel is added to the output, rows 0 to 0, columns 0 to 1 (2 cells are cut off)"
    )


def test_the_written_terms_add_up():
    x, w = numbers(3, 3), numbers(3, 3)
    words, result = animate.conv2d(x, w).words(0).replace("−", "-").split(" = ")
    terms = [re.findall(r"-?[\d.]+(?:e-?\d+)?", term) for term in words.split(" + ")]
    assert len(terms) == 9
    # Each factor is written in three digits.
    bound = sum(2 * 5e-3 * abs(float(a) * float(b)) for a, b in terms) + 5e-3 * abs(float(result))
    assert sum(float(a) * float(b) for a, b in terms) == pytest.approx(float(result), abs=bound + 1e-9)


def test_names_stand_in_for_numbers():
    animation = animate.conv2d((3, 4), (2, 2), [0], strides=2, symbolic=True)
    assert animation.words(1) == "w11·c + w12·d + w21·g + w22·h + bias b1 = y12"
    assert animate.avg_pool2d((2, 2), symbolic=True).words(0) == "(a + b + c + d) / 4 = y11"
    assert animate.max_pool2d((2, 2), symbolic=True).walk.steps[0].winner is None
    assert "′" in animate.conv2d(np.zeros((2, 2, 2)), np.zeros((2, 2, 2, 1)), symbolic=True).words(0)


ANIMATIONS = {
    "conv2d": lambda **look: animate.conv2d(numbers(5, 4), numbers(3, 3), padding="same", strides=2, **look),
    "dilated": lambda **look: animate.conv2d(numbers(7, 7), numbers(2, 3), dilation_rate=2, **look),
    "groups": lambda **look: animate.conv2d(numbers(3, 3, 4), numbers(2, 2, 2, 2), groups=2, **look),
    "depthwise": lambda **look: animate.depthwise_conv2d(numbers(3, 3, 2), numbers(2, 2, 2, 2), **look),
    "transposed": lambda **look: animate.conv2d_transpose(
        numbers(2, 3), numbers(3, 3), strides=2, padding="same", **look
    ),
    "symbolic": lambda **look: animate.conv2d((4, 4), (3, 3), symbolic=True, **look),
    "max": lambda **look: animate.max_pool2d(numbers(5, 5, 2), 2, padding="same", **look),
    "avg": lambda **look: animate.avg_pool2d(numbers(5, 5), (2, 3), **look),
    "image": lambda **look: animate.conv2d(
        RNG.random((30, 24)), numbers(3, 3), strides=5, pixels=True, **look
    ),
}


@pytest.mark.parametrize("name", ANIMATIONS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_gif_has_a_frame_for_every_step_and_loops(name, theme):
    # How near the colours come depends on the numbers, and these must not on which tests ran before.
    RNG.bit_generator.state = np.random.default_rng(5).bit_generator.state
    animation = ANIMATIONS[name](theme=theme, scale=1)
    with Image.open(io.BytesIO(animation.gif())) as image:
        assert image.n_frames == len(animation)
        assert image.info["loop"] == 0
        assert image.size == next(animation.frames()).size
        durations = []
        for place, frame in enumerate(animation.frames()):
            image.seek(place)
            durations.append(image.info["duration"])
            if place % 4:
                continue
            # 255 colours stand for all; letters' edges may be a little off, nothing else.
            difference = np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(frame, int))
            assert difference.mean() < 3
            assert np.mean(difference.max(axis=2) > 60) < 0.002
    assert durations == [250] * (len(animation) - 1) + [2000]


def test_frames_differ_and_themes_too():
    light, dark = (list(ANIMATIONS["conv2d"](theme=theme).frames()) for theme in ("light", "dark"))
    assert len({frame.tobytes() for frame in light}) == len(light)
    assert light[0].getpixel((0, 0)) != dark[0].getpixel((0, 0))


def test_a_gif_is_saved_in_one_step(tmp_path):
    animation = ANIMATIONS["avg"]()
    path = animation.save(tmp_path / "pooling.gif")
    assert path.read_bytes() == animation.gif()
    assert [file.name for file in tmp_path.iterdir()] == ["pooling.gif"]
    with pytest.raises(ValueError, match=r"path must end in \.gif, got 'pooling.png'"):
        animation.save("pooling.png")
    assert "data:image/gif;base64,R0lGOD" in animation._repr_html_()


@pytest.mark.parametrize("name", ANIMATIONS)
def test_the_scene_is_plain_data_with_the_same_steps(name):
    animation = ANIMATIONS[name]()
    scene = json.loads(json.dumps(animation.scene()))
    assert [f"{step['words']} {step['result']}".strip() for step in scene["steps"]] == [
        animation.words(k) for k in range(len(animation))
    ]
    assert len(scene["inputs"]) == animation.walk.x.shape[2]
    assert len(scene["outputs"]) == animation.walk.output.shape[2]
    for step in scene["steps"]:
        kernels = scene["kernels"]
        assert not kernels or len(kernels[step["target"]]) == len(animation.walk.weights[0][0, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: animate.conv2d(np.ones((3, 3)), np.ones((4, 4))), "kernel of height 4 covers 4 cells"),
        (lambda: animate.conv2d(np.ones((3, 3)), np.ones((2, 2)), strides=0), "strides must be at least 1"),
        (lambda: animate.conv2d(np.ones((2, 3, 3, 1)), np.ones((2, 2))), "x must be one image, got 2"),
        (lambda: animate.conv2d(np.ones((3, 3, 2)), np.ones((2, 2))), "kernel expects 1 input channels"),
        (lambda: animate.max_pool2d(np.ones((3, 3)), padding="full"), "padding must be 'valid', 'same' or"),
        (
            lambda: animate.conv2d(np.ones((40, 40)), np.ones((3, 3))),
            f"1 to {MOST_STEPS} steps, this one would have 1444",
        ),
        (
            lambda: animate.conv2d_transpose(np.ones((3, 3)), np.ones((2, 2)), strides=20_000),
            r"output of at most 262,144 cells is animated, this one would have 3,600,000,000",
        ),
        (
            lambda: animate.max_pool2d(np.ones((3, 3)), 600, strides=600, padding=((599, 599),) * 2),
            r"input of at most 262,144 cells is animated, this one would have 1,442,401",
        ),
        (
            lambda: animate.conv2d(np.ones((30, 30)), np.ones((60, 60)), padding="same"),
            r"at most 1,048,576 cells together, this one would have 900 windows of 3,600",
        ),
        (lambda: animate.conv2d(np.ones((3, 3)), np.ones((2, 2, 1))), r"kernel must be \(kh, kw\)"),
        (lambda: animate.max_pool2d(np.ones((4, 4, 9))), "at most 8 channels are animated, got 9 in"),
        (lambda: animate.max_pool2d(np.full((4, 4), np.nan)), "x must be finite"),
        (lambda: animate.max_pool2d(np.ones((4, 200)), 4), "cells would be smaller than 6 pixels"),
        (lambda: animate.conv2d((28, 28), (3, 3), symbolic=True), "too small for names"),
        (lambda: animate.conv2d((5, 5), (3, 3), symbolic=True, theme="sepia"), "theme must be one of"),
        (lambda: animate.conv2d((5, 5), (3, 3), symbolic=True, fps=0), "fps must be above 0"),
        (lambda: animate.conv2d((5, 5), (3, 3), symbolic=True, scale=9), "scale must be from 1 to 3"),
    ],
)
def test_what_cannot_be_animated_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make().gif()
