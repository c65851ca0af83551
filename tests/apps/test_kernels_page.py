"""The kernels page: edited kernels, costs, gains, pictures handed in, and the trained ones in order."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

import cnnviz
from apps.conftest import cells, drawn, htmls, pictures, widget
from cnnviz import kernels, ops
from cnnviz.numbers import number


def words(at) -> str:
    return " ".join(markdown.value for markdown in at.markdown)


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("gaussian", 5, "takes 10 multiplications a pixel, the whole kernel 25."),
        ("box", 2, "takes 4 multiplications a pixel, the whole kernel 4, so nothing is saved."),
        ("laplacian", 3, "2 such products, which is 12 multiplications a pixel, no fewer than the whole"),
        ("laplacian of gaussian", 9, "3 such products, which is 54 multiplications a pixel, fewer than the"),
    ],
)
def test_what_a_kernel_costs_in_two_steps(visit, name, size, says):
    assert says in words(visit("kernels", kernel=name, size=size))


def test_an_edited_kernel_comes_from_the_address(visit):
    kernel = np.array([[0, 1, 0.5], [0, -2, 0], [3, 0, 0]])
    at = visit("kernels", on="digit", digit=4, cells="0,1,0.5;0,-2,0;3,0,0", named="waves")
    assert not at.warning
    picture = drawn(at, "kernel-response")
    assert (
        f"made from sobel x; the nearest named one, and how near: {kernels.nearest_named(kernel)}."
        in (picture["caption"])
    )
    image = cnnviz.load_mnist()[1][0][4] / np.float32(255)
    answer = ops.conv2d(image, kernel[:, :, None, None])
    strongest = answer.flat[np.abs(answer).argmax()]
    assert f"strongest response is {number(strongest)}," in picture["alt"]
    assert f"multiplied by {number(kernel.sum())}." in drawn(at, "frequency-map")["alt"]
    assert "np.array([[0.0, 1.0, 0.5]" in at.code[-1].value


def test_what_is_folded_is_not_worked_out_and_not_in_the_code(visit):
    at = visit("kernels", closer=None)
    assert [picture["name"] for picture in pictures(at)] == ["cnnviz-kernel-response"]
    assert "kernels.gallery" not in at.code[-1].value
    assert "kernels.gallery(5)" in visit("kernels", closer=None, all=5).code[-1].value


def test_an_aspect_that_is_not_chosen_is_not_worked_out(visit):
    for aspect, shown in (
        ("costs", "outer-product"),
        ("waves", "frequency-map"),
        ("gallery", "kernel-gallery"),
    ):
        # By its own parameter, and as older links said it: as a part that is open.
        for query in ({"closer": "named", "named": aspect}, {"closer": aspect}):
            drawn_here = [picture["name"] for picture in pictures(visit("kernels", **query))]
            assert drawn_here == ["cnnviz-kernel-response", f"cnnviz-{shown}"]
    shown = [each.proto.component_name for each in visit("kernels", closer="walk").get("bidi_component")]
    assert "cnnviz.live_view" in shown
    assert "cnnviz-kernel-tiles" in [each["name"] for each in pictures(visit("kernels", closer="trained"))]


def picture_size(at) -> str:
    return re.search(r"on an image of (\d+ by \d+) pixels", drawn(at, "kernel-response")["alt"])[1]


def test_a_link_from_when_the_digit_was_the_default_shows_the_digit(visit):
    for query in ({"kernel": "box"}, {"cells": "0,1,0;0,-2,0;3,0,0"}, {"layer": "conv2d_1", "input": 2}):
        at = visit("kernels", closer=None, **query)
        assert picture_size(at) == "28 by 28"
    # It stays so when something else is chosen.
    widget(at.selectbox, "kernel").select("outline").run()
    assert picture_size(at) == "28 by 28"
    assert at.query_params["on"] in ("digit", ["digit"])


def test_a_link_of_now_says_what_the_kernel_is_on(visit):
    at = visit("kernels", closer=None)
    assert picture_size(at) == "192 by 164"
    assert "on" not in at.query_params
    widget(at.selectbox, "kernel").select("outline").run()
    assert at.query_params["on"] in ("photo", ["photo"])
    link = {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}
    visit("overview")
    assert picture_size(visit("kernels", closer=None, **link)) == "192 by 164"
    widget(at.selectbox, "kernel").select("sobel x").run()
    assert "on" not in at.query_params


def test_a_kernel_of_zeros_is_one_too(visit):
    at = visit("kernels", cells="0,0,0;0,0,0;0,0,0")
    assert not at.exception
    assert "All weights are 0" in words(at)


def test_another_kernel_forgets_what_was_edited(visit):
    at = visit("kernels", cells="0,1,0;0,-2,0;3,0,0")
    widget(at.selectbox, "kernel").select("outline").run()
    assert "cells" not in at.query_params
    assert "outline: " in drawn(at, "kernel-response")["caption"]


@pytest.mark.parametrize("text", ["1,2;3,4", "1,2,3;4,nan,6;7,8,9", "__import__('os')"])
def test_cells_that_do_not_fit_are_noticed(visit, text):
    at = visit("kernels", cells=text)
    assert "The address asks for cells" in at.warning[0].value
    assert "sobel x: " in drawn(at, "kernel-response")["caption"]


def test_the_photograph(visit):
    at = visit("kernels", on="photo", kernel="box", size=3)
    assert "on an image of 192 by 164 pixels" in drawn(at, "kernel-response")["alt"]
    assert "kernels.photograph()" in at.code[-1].value


def png(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def holds_no_file(at) -> bool:
    """Whether the session keeps what is drawn of a picture, and no file's bytes, which may be many."""
    return all(isinstance(part, np.ndarray) for part in at.session_state["kernels.picture"] or ())


def test_a_picture_of_ones_own(visit):
    at = visit("kernels", on="own")
    assert "192 by 164" in drawn(at, "kernel-response")["alt"], "the photograph stands in"
    picture = png(np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8))
    at.file_uploader(key="kernels.file").upload("mine.png", picture, "image/png").run()
    assert not at.warning
    assert holds_no_file(at)
    assert "on an image of 40 by 90 pixels" in drawn(at, "kernel-response")["alt"]
    visit("pooling")
    at = visit("kernels", on="own")
    assert "on an image of 40 by 90 pixels" in drawn(at, "kernel-response")["alt"], "it is still there"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the image file is empty (0 bytes)"),
        (b"a text", "the file is not a PNG, JPEG, WebP or GIF image"),
        (png(np.zeros((90, 90), np.uint8))[:60], "the image is damaged"),
        (png(np.zeros((4, 90), np.uint8)), "what is drawn of it has only 90 × 4 pixels"),
    ],
)
def test_a_bad_upload_gets_one_sentence_and_the_page_goes_on(visit, content, reason):
    at = visit("kernels", on="own")
    at.file_uploader(key="kernels.file").upload("mine.png", content, "image/png").run()
    assert not at.exception
    assert len(at.warning) == 1
    assert at.warning[0].value.startswith(f"mine.png is not shown: {reason}")
    assert holds_no_file(at)
    assert "on an image of 192 by 164 pixels" in drawn(at, "kernel-response")["alt"]


def test_the_gallery_is_all_of_one_size(visit):
    at = visit("kernels", all=11)
    names = [entry.name for entry in kernels.gallery(11)]
    assert drawn(at, "kernel-gallery")["alt"].startswith(f"{len(names)} kernels")
    for name in names:
        assert f"|{name}|" in f"|{cells(at)}|"


@pytest.mark.parametrize("order", kernels.ORDERS)
def test_trained_kernels_of_both_networks_stand_in_order(visit, order):
    at = visit("kernels", sort=order)
    nets = [cnnviz.load_model(name) for name in ("mnist_14k", "mnist_maxpool")]
    found = [one for net in nets for one in kernels.trained_kernels(net)]
    expected = [f"{one.network} {one.number}" for one in kernels.sort_trained(found, order)]
    alt = drawn(at, "kernel-tiles")["alt"]
    assert re.findall(r"(mnist_\w+ \d+):", alt) == expected
    # Both networks' first layers: the nearest of 32 random kernels, by drawing sets of 32.
    random = np.random.default_rng(5).standard_normal((200, 32, 3, 3))
    nearest = [max(kernels.nearest_named(kernel).similarity for kernel in one) for one in random[:40]]
    caption = drawn(at, "kernel-tiles")["caption"]
    half, seldom = (float(found) for found in re.findall(r"as near as (0\.\d+)", caption))
    assert half == pytest.approx(np.median(nearest), abs=0.03)
    assert seldom > half


def test_the_questions_are_about_this_kernel(visit):
    at = visit("kernels", kernel="sharpen")
    prompts = [radio.label for radio in at.radio]
    assert any("plain area" in prompt for prompt in prompts)
    radio = next(radio for radio in at.radio if "plain area" in radio.label)
    radio.set_value(radio.options.index("0.6")).run()
    assert "✓ Right." in htmls(at)
