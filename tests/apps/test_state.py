"""The URL is the state: links reopen it, widgets write it, pages carry the digit and the network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

import cnnviz
from apps.conftest import given, htmls, pictures, widget
from cnnviz.resources import app


def test_a_plain_address_stays_plain(visit):
    at = visit("feature_maps", closer=None, digit=None)
    assert dict(at.query_params) == {}
    assert widget(at.number_input, "digit").value == 247


def test_a_link_reopens_what_it_says(visit):
    at = visit("feature_maps", digit=11, model="mnist_maxpool", layer="max_pooling2d", channel=5)
    assert widget(at.number_input, "digit").value == 11
    assert widget(at.selectbox, "layer").value == "max_pooling2d"
    assert widget(at.number_input, "channel").value == 5
    assert "channel 5" in pictures(at)[0]["caption"]
    assert "mnist_maxpool says" in htmls(at)


def test_a_widget_writes_its_own_parameter_and_leaves_the_others(visit):
    at = visit("feature_maps", digit=11)
    widget(at.number_input, "channel").set_value(4).run()
    named = {"closer": "all", "digit": "11", "channel": "4"}
    assert {name: at.query_params[name] for name in at.query_params} == named
    first = visit("feature_maps", digit=12)
    default = widget(first.number_input, "channel").value
    at = visit("feature_maps", digit=12, channel=default + 1)
    widget(at.number_input, "channel").set_value(default).run()
    assert sorted(at.query_params) == ["closer", "digit"]


def test_back_to_an_earlier_address_brings_its_state_back(visit):
    at = visit("feature_maps", digit=11)
    widget(at.number_input, "channel").set_value(4).run()
    del at.query_params["channel"]
    at.run()
    assert "channel 4" not in pictures(at)[0]["caption"]
    assert widget(at.number_input, "digit").value == 11


def test_a_click_that_comes_with_the_address_of_the_run_before_is_not_lost(visit):
    at = visit("feature_maps", digit=11)
    widget(at.number_input, "digit").set_value(12).run()
    at.query_params["digit"] = "11"
    widget(at.number_input, "digit").set_value(13).run()
    assert at.query_params["digit"] == "13"


def test_links_to_other_pages_carry_the_digit_and_the_network_only(visit):
    at = visit("feature_maps", digit=11, model="mnist_maxpool", channel=3)
    queries = {link.proto.query_string for link in at.sidebar.get("page_link")}
    assert queries == {"digit=11&model=mnist_maxpool"}


def test_a_widget_that_code_sets_is_a_new_one_that_starts_at_its_value(visit):
    at = visit("feature_maps", digit=11)
    at.button[1].click().run()
    digit = widget(at.number_input, "digit")
    # The browser may never have fetched what a run before this one said.
    assert digit.proto.default == digit.value == int(at.query_params["digit"])
    assert not digit.proto.set_value


def test_a_default_follows_the_digit_until_it_is_chosen(visit):
    at = visit("feature_maps", digit=0)
    first = widget(at.number_input, "channel").value
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    assert first == run["conv2d"][0].max(axis=(0, 1)).argmax()
    widget(at.number_input, "digit").set_value(14).run()
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][14])
    assert widget(at.number_input, "channel").value == run["conv2d"][0].max(axis=(0, 1)).argmax()


@pytest.mark.parametrize("number", ["9" * 4301, "-" + "9" * 4301, "1_0", "٣", "1.0", "1e1", "", "nan", "0x1"])
@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("convolution", "step"),
        ("convolution", "stride"),
        ("feature_maps", "channel"),
        ("convolution", "digit"),
    ],
)
def test_what_is_no_whole_number_is_replaced_and_noticed(visit, page, name, number):
    at = visit(page, **{name: number})
    assert not at.exception
    (notice,) = at.warning
    assert notice.value.startswith(f"The address asks for {name} “{number[:40]}”")


def test_a_step_is_read_as_every_whole_number(visit):
    at = visit("convolution", step="7")
    assert not at.warning
    assert given(at, "cnnviz.walk")[0]["step"] == 7


def test_random_and_next_mistake(visit):
    at = visit("verification", digit=3)
    at.button[1].click().run()
    found = int(at.query_params["digit"])
    _, (images, labels) = cnnviz.load_mnist()
    predicted = cnnviz.load_model("mnist_14k").predict(images[: found + 1]).argmax(axis=1)
    wrong = [k for k in range(4, found + 1) if predicted[k] != labels[k]]
    assert wrong == [found]
    assert 'aria-label="wrong"' in htmls(at)
    at.button[0].click().run()
    assert not at.exception


def test_switching_the_network_keeps_what_still_makes_sense(visit):
    at = visit("feature_maps", digit=2, layer="conv2d_6", channel=3)
    widget(at.button_group, "model").set_value("mnist_maxpool").run()
    assert not at.exception
    assert not at.warning, "nobody asked for that in the address"
    assert widget(at.selectbox, "layer").value == "conv2d"
    assert widget(at.number_input, "channel").value == 3


SCRIPT = f"""
import sys

sys.path.insert(0, {str(app().parent)!r})

import state
import streamlit as st

state.begin()
digit = state.integer("digit", 0, 99, 0, "Digit")
if meanwhile := st.session_state.pop("meanwhile", None):
    meanwhile(st, state)
    st.rerun()
kernel = state.text("kernel", "", lambda text: True)
padding = state.option("padding", ["same", "valid"], "same", st.selectbox, "Padding")
st.button("Reset", on_click=state.put, args=("kernel", ""))
st.text(f"{{digit}} {{kernel}} {{padding}}")
state.finish()
"""


@pytest.fixture
def page() -> AppTest:
    """A page of three choices and a button that resets one of them; opened, changed once by a widget."""
    at = AppTest.from_string(SCRIPT, default_timeout=60)
    at.query_params.update(digit="3", kernel="1,2", padding="valid")
    at.run()
    widget(at.number_input, "digit").set_value(4).run()
    assert address(at) == {"digit": "4", "kernel": "1,2", "padding": "valid"}
    return at


def address(at: AppTest) -> dict[str, str]:
    return {name: at.query_params[name] for name in at.query_params}


def go_to(at: AppTest, meanwhile: Callable, **query: str) -> None:
    """Another address, by Back or Forward; what is done before its run is at its end cuts that off."""
    at.query_params.clear()
    at.query_params.update(query)
    at.session_state["meanwhile"] = meanwhile
    at.run()


def reset(st, state) -> None:
    state.put("kernel", "")


def pick(st, state) -> None:
    st.session_state["choice.padding"] = "same"


def nothing(st, state) -> None:
    pass


def test_a_button_that_interrupts_the_way_back_loses_nothing_of_the_address(page):
    go_to(page, reset, digit="3", kernel="5,6", padding="valid")
    assert page.text[0].value == "3  valid"
    assert address(page) == {"digit": "3", "padding": "valid"}


def test_a_widget_that_interrupts_the_way_back_loses_nothing_of_the_address(page):
    go_to(page, pick, digit="3", kernel="5,6", padding="valid")
    assert page.text[0].value == "3 5,6 same"
    assert address(page) == {"digit": "3", "kernel": "5,6"}


def test_the_way_back_is_taken_up_again_where_nothing_was_touched(page):
    go_to(page, nothing, digit="3", padding="wrong")
    assert page.text[0].value == "3  same"
    assert address(page) == {"digit": "3", "padding": "wrong"}, "nobody touched it"


def test_a_reset_back_and_again_the_reset(page):
    """The address goes on too, though the page is what it was."""
    page.button[0].click().run()
    go_to(page, reset, digit="4", kernel="1,2", padding="valid")
    assert page.text[0].value == "4  valid"
    assert address(page) == {"digit": "4", "padding": "valid"}
    page.query_params["kernel"] = "1,2"
    page.button[0].click().run()
    assert page.text[0].value == "4  valid"
    assert address(page) == {"digit": "4", "padding": "valid"}, "back and the click in one"


def test_what_is_folded_is_worked_out_once_it_is_opened(visit):
    at = visit("overview", closer=None)
    assert pictures(at) == []
    at = visit("overview", closer="layers", digit=None)
    assert len(pictures(at)) == 1
    assert dict(at.query_params) == {"closer": "layers"}
    at = visit("overview", closer=None, shared=1)
    assert len(pictures(at)) == 1, "a link that asks for what is in it opens it"


@pytest.mark.parametrize("name", ["nothing", "layers~nothing~~", "a" * 500, "<b>"])
def test_folded_parts_that_are_not_there_break_nothing(visit, name):
    at = visit("overview", closer=name)
    assert not at.exception
    assert len(pictures(at)) == (1 if name.startswith("layers") else 0)
