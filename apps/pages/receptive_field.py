"""Receptive field: what one unit sees, on the digit and on every map between, and how it grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cached
import chrome
import header
import navigation
import question_widget
import snippets
import stack_builder
import state
import streamlit as st
from chosen_digit import Digit
from plain import plain

from cnnviz import figures, receptive_field
from cnnviz.figures import Scale, left_out, strongest_channel
from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, minus, number, percent
from cnnviz.receptive_fields import EffectiveReceptiveField, FieldCheck
from cnnviz.receptive_fields.effective import SHARES, change_of_spread
from cnnviz.receptive_fields.field import pair_text
from cnnviz.receptive_fields.recurrence import recurrence
from cnnviz.teaching.questions.receptive_field import one_more_layer, shared_pixels
from cnnviz.training.history import read_history

# The test digits that effective fields are averaged over. (A string here would be put on the page.)
DIGITS = tuple(Digit(index) for index in range(20))
# Fields of up to so many pixels are put to the test without being asked, which takes a tenth of a second.
AT_ONCE = 100


def what_is_cut_off(name: str, row: int, col: int) -> str:
    """Whether the border cuts the unit's field, and which pixels no unit of its layer sees."""
    field = fields[name]
    whole, kept = field.box(row, col, clip=False), field.box(row, col)
    if whole == kept:
        said = "The border cuts nothing off: the whole field lies on the image."
    else:
        (top, bottom), (left, right) = whole
        said = (
            f"Its full field, rows {top} to {bottom} and columns {left} to {right}, reaches into padding: "
            "the dashed part is cut off."
        )
    lost = [
        f"the last {side - 1 - last} {axis}"
        for (_, last), side, axis in zip(
            field.box(), here.network.input_shape, ("rows", "columns"), strict=False
        )
        if last < side - 1
    ]
    return said + (f" No unit of {name} sees {' and '.join(lost)} of the image." if lost else "")


def in_the_live_view(name: str, row: int, col: int) -> None:
    """The cone of the unit, to be pointed at, and the way to the whole network with this unit open."""
    # Of the whole layer, so that it stays the same one while the unit moves.
    channel = strongest_channel(here.run[name])
    chrome.section(
        "The same unit, number by number",
        f"Its cone through the live view, from the image to {name}, for channel {channel}, in which "
        f"{name} is "
        f"strongest on {here.digit.name}. Point at any other number to see what it sees; click it for its "
        "receipt.",
    )
    here.live_view(key="cone", last=name, pinned=(name, row, col, channel))
    st.page_link(
        "pages/overview.py",
        label=f"Open {plain(name)} row {row}, column {col}, channel {channel} in the whole network →",
        query_params={**navigation.carried(), "view": f"trail={name}~{row}~{col}~{channel}"},
    )


def measures(effective: Sequence[tuple[str, EffectiveReceptiveField]]) -> None:
    """Sigma and shares of effective fields, one row each."""

    def share(value: float) -> str:
        return "–" if math.isnan(value) else percent(value, 0)

    def pixels(value: float) -> str:
        return "–" if math.isnan(value) else number(value)

    chrome.table(
        ["", "σ, rows", "σ, columns", *(f"{percent(fraction, 0)} of it in" for fraction in SHARES)],
        [
            (words, *map(pixels, field.sigma), *map(share, field.shares.values()))
            for words, field in effective
        ],
        caption="σ is the spread of the map in pixels, the root of its second moment. A share is the fewest "
        f"pixels that hold so much of the map, of the {effective[0][1].box_area:,} pixels in the outline.",
    )


def if_dark(field: EffectiveReceptiveField) -> str:
    return "" if field.map.any() else " No pixel counts: no channel of the unit lets anything through."


def one_unit(name: str, row: int, col: int) -> None:
    """The box on every map on the way."""
    (top, bottom), (left, right) = fields[name].box(row, col)
    path = cached.kept(figures.path_to, here.run, name, row, col)
    chrome.show(
        "receptive_path",
        f"Row {row}, column {col} of {name} sees rows {top} to {bottom} and columns {left} to {right} of "
        f"the image. {what_is_cut_off(name, row, col)} Of every layer the channel is shown that is "
        f"strongest there. {left_out(path)}",
        layers=path,
    )


def put_to_the_test(name: str, row: int, col: int) -> None:
    """Everything outside the field changed, and every pixel inside."""
    chrome.section(
        "Is that right? Try to refute it",
        "A box that is too small shows itself when a change outside changes the unit; one that is too "
        "large, when no change in some row or column at its edge does. Trials can only refute: that the "
        "box holds for every image follows from the layers, whatever their weights.",
    )
    at_once = math.prod(side or 0 for side in fields[name].size) <= AT_ONCE
    if not at_once and not state.toggle("check", False, f"Check it on {here.digit.name}"):
        return
    check = cached.field_check(here.which, here.digit, name, row, col)
    changing = int(check.matters.sum())
    if check.trials:
        what = f"numbers unchanged, to the last bit, when all {check.outside} pixels outside are changed"
        unchanged = (what, f"{check.unchanged} of {len(check.values)}")
    else:
        unchanged = ("pixels lie outside: the field is the whole image", "0")
    chrome.facts(unchanged, ("pixels inside change it, each one alone", f"{changing} of {check.inside}"))
    if check.trials:
        chrome.show(
            "field_trials",
            "The unit's numbers in all channels, before any activation of its layer, which could hide a "
            f"change. {what_inside_shows(check)}",
            check=check,
        )
    else:
        st.caption(what_inside_shows(check))


def what_inside_shows(check: FieldCheck) -> str:
    """What follows from the pixels inside that were changed one at a time."""
    rows, cols = check.idle
    if rows or cols:
        return (
            f"In {counted(len(rows), 'row')} and {counted(len(cols), 'column')} of the field no pixel was "
            "found that changes the unit: zero weights, a ReLU or a maximum may hide them, or the box is "
            "too large."
        )
    said = "Inside, every row and column has pixels that change it: the box could not be smaller."
    if not check.matters.all(where=check.mask):
        said += " At the others a ReLU or a maximum may have hidden the change."
    if (check.matters != check.matters_on_image).any():
        said += f" Some change it not on {here.digit.name} itself, but on an image of noise."
    return said


def what_counts(name: str, row: int, col: int) -> None:
    """The effective field inside the box."""
    chrome.section(
        "What counts inside the box",
        "All pixels in the box can change the unit, but not all change it equally: many paths lead from "
        "the middle to the unit, few from the edge. The effective receptive field is the magnitude of the "
        "unit's gradient, pixel by pixel.",
    )
    effective = [
        (here.digit.name, cached.effective(here.which, name, (here.digit,), row, col)),
        (f"mean of {len(DIGITS)} digits", cached.effective(here.model, name, DIGITS, row, col)),
    ]
    for place, (words, field) in zip(chrome.columns(1, 1), effective, strict=True):
        with place:
            chrome.show(
                "effective_field",
                f"{words[:1].upper()}{words[1:]}: all channels of the unit together.{if_dark(field)}",
                share=0.5,
                limit=340,
                field=field.map,
                box=field.box,
                title=f"{'mean ' if field.images > 1 else ''}magnitude of the gradient",
            )
    measures(effective)


def training(name: str, row: int, col: int) -> None:
    """The same unit with the weights that training began with."""
    history = cached.kept(read_history, here.model)
    if history is None or history.weights is None:
        return
    chrome.section(
        "What training does to it",
        "The box is the architecture's and stays. What counts inside it is up to the weights, which are "
        "random before training.",
    )
    effective = [
        ("before training", cached.effective(here.model, name, DIGITS, row, col, 0)),
        (f"after {history.epochs} epochs", cached.effective(here.model, name, DIGITS, row, col)),
    ]
    scale = Scale.of(*(field.density for _, field in effective), signed=False)
    for place, (words, field) in zip(chrome.columns(1, 1), effective, strict=True):
        with place:
            chrome.show(
                "effective_field",
                f"{words[:1].upper()}{words[1:]}, on the same {len(DIGITS)} digits and one "
                f"scale.{if_dark(field)}",
                share=0.5,
                limit=340,
                field=field.density,
                box=field.box,
                scale=scale,
                title="share of the whole gradient",
            )
    measures(effective)
    rows, wider, narrower = [], 0, 0
    for other in shown:
        pair = [middle(other, epoch) for epoch in (0, None)]
        change, error = change_of_spread(*pair)
        wider += change > 2 * error
        narrower += change < -2 * error
        said = "–" if math.isnan(change) else minus(f"{100 * change:+.1f} ± {100 * error:.1f} %")
        spread = (" × ".join(map(number, field.sigma)) for field in pair)
        rows.append((other, fields[other].label, *spread, said))
    chrome.table(
        ["layer", "field r", "σ before training", f"σ after {history.epochs} epochs", "change"],
        rows,
        caption="The spread of what counts for each layer's middle unit, rows × columns in pixels, mean of "
        f"{len(DIGITS)} digits, and after ± the change's standard error over these. Luo and others, who "
        "introduced the effective receptive field in 2016, found that training widens it. Here it is wider "
        f"by more than two standard errors in {wider} of {counted(len(rows), 'layer')}, narrower in "
        f"{narrower}; in the rest so few digits cannot tell.",
        mark=shown.index(name),
    )


def middle(name: str, epoch: int | None = None) -> EffectiveReceptiveField:
    """The effective field of a layer's middle unit."""
    height, width, _ = here.network[name].output_shape
    return cached.effective(here.model, name, DIGITS, height // 2, width // 2, epoch)


def growth(names: Sequence[str], name: str) -> None:
    """The recurrence with this network's numbers, and the chart."""
    chrome.section(
        "How it grows",
        "Going up one layer, the field grows by the kernel's size less one, times the step that its cells "
        "are apart. Then the step itself is multiplied by the layer's stride.",
    )
    with st.container(key="formulas", horizontal=True, gap="large"):
        st.latex(r"r_\ell = r_{\ell-1} + (k_\ell - 1)\, j_{\ell-1}", width="content")
        st.latex(r"j_\ell = s_\ell\, j_{\ell-1}", width="content")
    steps = [step for step in recurrence(fields) if step.layer in names]
    rows: list[tuple[Any, ...]] = []
    for step in steps:
        k, s = pair_text(step.local.size), pair_text(step.local.stride)
        r, j = pair_text(step.before.size), pair_text(step.before.stride)
        size, stride, offset = map(pair_text, (step.after.size, step.after.stride, step.after.padding))
        rows.append((step.layer, k, s, j, f"{r} + ({k} − 1) · {j} = {size}", f"{s} · {j} = {stride}", offset))
    chrome.table(
        ["layer", "kernel k", "stride s", "step before", "field r", "step j", "offset"],
        rows,
        caption="In pixels of the image. The offset is how far the first unit's field begins before the "
        "first pixel: 0 as long as no layer pads.",
        mark=names.index(name),
    )
    ends = [middle(other).span(0.9)[1] for other in names]
    chrome.show(
        "receptive_growth",
        "Outlined: the width of the receptive field in pixels. Filled: the shortest run of columns that "
        f"holds 90 % of the gradient of the middle unit, mean of {len(DIGITS)} digits.",
        limit=800,
        names=names,
        sizes=[fields[other].size[1] or 0 for other in names],
        effective=[right - left + 1 for left, right in ends],
        image=here.network.input_shape[1],
        highlight=names.index(name),
    )


here = header.current()
fields = cached.kept(receptive_field, here.network)
layers = [layer for layer in here.network.layers if layer.inputs and len(layer.output_shape) == 3]
shown = [layer.name for layer in layers if "kernel" in layer.weights or layer.is_pool]
chrome.definition(
    "The receptive field of a unit is the part of the input image that can change it. It is counted in "
    "input pixels and grows with every layer whose cells look at more than one cell, and faster behind a "
    "stride or a pooling layer.",
    heard="The receptive field is the size of the kernel.",
    instead=f"That holds for the first layer only. From layer to layer, {here.model}'s is "
    f"{', '.join(fields[name].label for name in shown)} pixels wide.",
)
chrome.section(
    "One unit, down to the pixels",
    "The outlined cells are all that the unit depends on: see the test below it.",
)
with chrome.controls("unit"):
    chosen = state.option("layer", shown, shown[len(shown) // 2], st.selectbox, "Layer")
    height, width, _ = here.network[chosen].output_shape
    unit_row = state.integer("row", 0, height - 1, height // 2, "Row")
    unit_col = state.integer("column", 0, width - 1, width // 2, "Column")
one_unit(chosen, unit_row, unit_col)
put_to_the_test(chosen, unit_row, unit_col)
in_the_live_view(chosen, unit_row, unit_col)
what_counts(chosen, unit_row, unit_col)
training(chosen, unit_row, unit_col)
chrome.section(
    "The ladder",
    "One row of cells of every layer, the image at the bottom: the lines are the connections. Neighbours "
    "share most of what they see.",
)
chrome.show("receptive_ladder", rungs=cached.kept(figures.rungs_to, here.network, chosen, unit_col))
growth(shown, chosen)
stack, size = stack_builder.show()
# The layer that was chosen, or the nearest before it that has room for what is asked.
upto = shown[: shown.index(chosen) + 1]
roomy, neighbours = ([name for name in upto if (fields[name].shape[1] or 0) >= cells] for cells in (5, 2))
question_widget.ask(one_more_layer(fields[roomy[-1]], 5), shared_pixels(fields[neighbours[-1]]))
snippets.show(
    f"""
    import cnnviz
    from cnnviz.receptive_fields import check_field
    from cnnviz.receptive_fields.notation import stack_specs

    net = cnnviz.load_model({quoted(here.model)})
    fields = cnnviz.receptive_field(net)
    print(fields)
    print(fields[{quoted(chosen)}].box({unit_row}, {unit_col}))

    image = {here.digit.code}
    check = check_field(net, image, {quoted(chosen)}, {unit_row}, {unit_col})
    print(check)
    print(check.sufficient, check.idle, check.unchanged, check.outside, check.matters.sum(), check.inside)

    _, (images, labels) = cnnviz.load_mnist()
    effective = cnnviz.effective_receptive_field(
        net, {quoted(chosen)}, images[:{len(DIGITS)}], row={unit_row}, col={unit_col}
    )
    print(effective.sigma, effective.shares)

    print(cnnviz.receptive_field(stack_specs({stack!r}), {size}))
    """
)
