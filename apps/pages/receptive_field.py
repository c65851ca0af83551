"""Receptive field: what one unit sees, the attempt to refute it, what counts in it, and how it grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import cached
import chrome
import lesson
import navigation
import question_widget
import snippets
import stack_builder
import state
import streamlit as st
import unit_view
from plain import plain

from cnnviz import figures, receptive_field
from cnnviz.concepts.field_growth import EXAMPLES
from cnnviz.figures import Scale, left_out, strongest_channel
from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, minus, number, percent
from cnnviz.receptive_fields import EffectiveReceptiveField, FieldCheck
from cnnviz.receptive_fields.effective import SHARES, change_of_spread
from cnnviz.receptive_fields.field import pair_text
from cnnviz.receptive_fields.recurrence import recurrence
from cnnviz.teaching.lesson_needs import passes
from cnnviz.teaching.questions.receptive_field import one_more_layer, shared_pixels
from cnnviz.training.history import read_history

# So many images effective fields are averaged over. (A string here would be put on the page.)
COUNT = 20
# Fields of up to so many pixels are put to the test without being asked, which takes a tenth of a second.
AT_ONCE = 100
# And what putting one to the test may take at most, in multiply-adds: some ten seconds.
LONGEST = 10**11


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


def one_unit() -> None:
    """A unit to be chosen, its field, and what is asked about it."""
    name, row, col = unit_view.choose(here, fields, shown)
    channel = strongest_channel(here.run[name])
    st.page_link(
        "pages/overview.py",
        label=f"Open {plain(name)} row {row}, column {col}, channel {channel} in the whole network →",
        query_params={**navigation.carried(), "view": f"trail={name}~{row}~{col}~{channel}"},
    )
    remarks = " ".join(filter(None, [what_nobody_sees(name), left_out(path_of(name))]))
    if remarks:
        st.caption(plain(remarks))
    about = {
        "test": "Try to refute it",
        "counts": "What counts in it",
        "training": "What training does to it",
    }
    asked = state.option("about", about, "test", st.segmented_control, "About this unit")
    {"test": put_to_the_test, "counts": what_counts, "training": training}[asked](name, row, col)


def path_of(name: str) -> list[figures.Seen]:
    """The maps between the image and a layer, of any of its units."""
    return cached.kept(figures.path_to, here.run, name, 0, 0)


def what_nobody_sees(name: str) -> str:
    """Which pixels no unit of a layer sees."""
    lost = [
        f"the last {counted(side - 1 - last, axis)}"
        for (_, last), side, axis in zip(
            fields[name].box(), here.network.input_shape, ("row", "column"), strict=False
        )
        if last < side - 1
    ]
    return f"No unit of {name} sees {' and '.join(lost)} of the image." if lost else ""


def put_to_the_test(name: str, row: int, col: int) -> None:
    """Everything outside the field changed, and every pixel inside."""
    words, drawn = chrome.columns(2, 3)
    with words:
        st.markdown(
            "A field that is too small shows itself when a change outside changes the unit; one that is too "
            "large, when no change in some row or column at its edge does. Trials can only refute: that the "
            "field holds for every image follows from the layers, whatever their weights."
        )
        inside = math.prod(side or 0 for side in fields[name].size)
        pass_takes = sum(layer.multiply_adds or 0 for layer in here.network)
        if inside * pass_takes > LONGEST:
            st.info(
                f"It would take more than {inside:,} forward passes of {pass_takes:,} multiply-adds, one for "
                "each pixel inside, and is not done here: choose a unit of an earlier layer."
            )
            return
        at_once = inside <= AT_ONCE and pass_takes <= LONGEST // 10_000
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
    with drawn:
        if check.trials:
            chrome.show(
                "field_trials",
                "The unit's numbers in all channels, before any activation of its layer, which could hide a "
                f"change. {what_inside_shows(check)}",
                share=0.6,
                check=check,
            )
        else:
            st.caption(what_inside_shows(check))


def what_inside_shows(check: FieldCheck) -> str:
    """What follows from the pixels inside that were changed one at a time."""
    rows, cols = check.idle
    if rows or cols:
        idle = [counted(len(one), axis) for one, axis in ((rows, "row"), (cols, "column")) if one]
        return (
            f"In {' and '.join(idle)} of the field no pixel was found "
            " that changes the unit: zero weights, a ReLU or a maximum may hide them, or the box is "
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
    st.markdown(
        "All pixels in the box can change the unit, but not all change it equally: many paths lead from "
        "the middle to the unit, few from the edge. The effective receptive field is the magnitude of the "
        "unit's gradient, pixel by pixel."
    )
    effective = [
        (here.digit.name, cached.effective(here.which, name, here.digit, row, col)),
        *([(f"mean of {over.words}", cached.effective(here.model, name, over, row, col))] * (over.count > 1)),
    ]
    titles = {here.digit.name: here.digit.title, f"mean of {over.words}": f"Mean of {over.words}"}
    for place, (words, field) in zip(chrome.columns(1, 1), effective, strict=False):
        with place:
            chrome.show(
                "effective_field",
                f"{titles.get(words, words)}: all channels of the unit together.{if_dark(field)}",
                share=0.5,
                limit=300,
                field=field.map,
                box=field.box,
                title=f"{'mean ' if field.images > 1 else ''}magnitude of the gradient",
            )
    measures(effective)


def training(name: str, row: int, col: int) -> None:
    """The same unit with the weights that training began with."""
    history = cached.kept(read_history, here.model)
    if history is None or history.weights is None:
        st.markdown(plain(f"Of {here.model}'s training nothing was recorded."))
        return
    st.markdown(
        "The box is the architecture's and stays. What counts inside it is up to the weights, which are "
        "random before training."
    )
    effective = [
        ("before training", cached.effective(here.model, name, over, row, col, 0)),
        (f"after {counted(history.epochs, 'epoch')}", cached.effective(here.model, name, over, row, col)),
    ]
    scale = Scale.of(*(field.density for _, field in effective), signed=False)
    for place, (words, field) in zip(chrome.columns(1, 1), effective, strict=True):
        with place:
            chrome.show(
                "effective_field",
                f"{words[:1].upper()}{words[1:]}, on the same {over.count} digits and one "
                f"scale.{if_dark(field)}",
                share=0.5,
                limit=300,
                field=field.density,
                box=field.box,
                scale=scale,
                title="share of the whole gradient",
            )
    measures(effective)
    rows, changes = [], []
    for other in shown:
        pair = [middle(other, epoch) for epoch in (0, None)]
        change, error = change_of_spread(*pair)
        changes.append((change, error))
        said = "–" if math.isnan(change) else minus(f"{100 * change:+.1f} ± {100 * error:.1f} %")
        spread = (" × ".join(map(number, field.sigma)) for field in pair)
        rows.append((other, fields[other].label, *spread, said))
    chrome.table(
        ["layer", "field r", "σ before training", f"σ after {counted(history.epochs, 'epoch')}", "change"],
        rows,
        caption="The spread of what counts for each layer's middle unit, rows × columns in pixels, mean of "
        f"{over.count} digits, and after ± the change's standard error over these. Luo and others, who "
        "introduced the effective receptive field in 2016, found that training widens it. "
        + widened(changes),
        mark=shown.index(name),
    )


def widened(changes: Sequence[tuple[float, float]]) -> str:
    """In how many layers a change is more than twice its standard error, and what of the others."""
    wider, narrower = (sum(way * change > 2 * error for change, error in changes) for way in (1, -1))
    dark = sum(math.isnan(change) for change, _ in changes)
    unsure = len(changes) - wider - narrower - dark
    return (
        f"Here it is wider by more than two standard errors in {wider} of {counted(len(changes), 'layer')}, "
        f"narrower in {narrower}"
        + (f"; in {unsure} so few digits cannot tell" if unsure else "")
        + (f"; in {dark} no pixel counts before training or after it" if dark else "")
        + "."
    )


def middle(name: str, epoch: int | None = None) -> EffectiveReceptiveField:
    """The effective field of a layer's middle unit."""
    height, width, _ = here.run[name].shape[1:]
    return cached.effective(here.model, name, over, height // 2, width // 2, epoch)


def growth() -> None:
    """How fields grow: in this network, where ways meet, with holes, in a stack of one's own."""
    kinds = {
        "network": here.model,
        "meeting": "where ways meet",
        "holes": "with holes",
        "own": "a stack of your own",
    }
    if state.asks("stack", "input", "at"):
        state.settle("grows", "own")
    asked = state.option("grows", kinds, "network", st.segmented_control, "How it grows")
    if asked == "own":
        stack_builder.show()
    elif asked == "network":
        grows_in_the_network()
    else:
        grows_in(asked)


def grows_in_the_network() -> None:
    """The recurrence with this network's numbers, and the chart."""
    st.markdown(
        "Going up one layer, the field grows by the kernel's size less one, times the step that its cells "
        "are apart. Then the step itself is multiplied by the layer's stride."
    )
    with st.container(key="formulas", horizontal=True, gap="large"):
        st.latex(r"r_\ell = r_{\ell-1} + (k_\ell - 1)\, j_{\ell-1}", width="content")
        st.latex(r"j_\ell = s_\ell\, j_{\ell-1}", width="content")
    marked = shown.index(unit_view.kept_unit(here, shown)[0])
    rows: list[tuple[Any, ...]] = []
    for step in [step for step in recurrence(fields) if step.layer in shown]:
        k, s = pair_text(step.local.size), pair_text(step.local.stride)
        r, j = pair_text(step.before.size), pair_text(step.before.stride)
        size, stride, offset = map(pair_text, (step.after.size, step.after.stride, step.after.padding))
        rows.append((step.layer, k, s, j, f"{r} + ({k} − 1) · {j} = {size}", f"{s} · {j} = {stride}", offset))
    left, right = chrome.columns(5, 2)
    with left:
        chrome.table(
            ["layer", "kernel k", "stride s", "step before", "field r", "step j", "offset"],
            rows,
            caption="In pixels of the image. The offset is how far the first unit's field begins before the "
            "first pixel: 0 as long as no layer pads.",
            mark=marked,
        )
    # Each layer's gradient takes a pass of its own.
    quick = passes(here.network, len(shown)) == len(shown)
    ends = [middle(other).span(0.9)[1] for other in shown] if quick else None
    filled = (
        f" Filled: the shortest run of columns that holds 90 % of the gradient of the middle unit, mean of "
        f"{over.words}."
        if quick
        else f" What counts in it takes {here.model} too long to be worked out for every layer."
    )
    with right:
        chrome.show(
            "receptive_growth",
            plain(f"Outlined: the width of the receptive field in pixels.{filled}"),
            share=0.29,
            names=shown,
            sizes=[fields[other].size[1] or 0 for other in shown],
            effective=None if ends is None else [right - left + 1 for left, right in ends],
            image=here.network.input_shape[1],
            highlight=marked,
        )


def grows_in(example: str) -> None:
    """A small network without weights, as a ladder to be pointed at."""
    kinds = {name: each.title for name, each in EXAMPLES.items() if each.about == example}
    picked = state.option(example, kinds, next(iter(kinds)), st.segmented_control, "Of what")
    st.markdown(EXAMPLES[picked].words())
    unit_view.show_ladder(picked, EXAMPLES[picked].fields())


here = lesson.begin("receptive_field", tool="paint")
fields = cached.kept(receptive_field, here.network)
shown = unit_view.one_behind_the_other(here.network, fields)
over = here.sample(COUNT)
asking = st.container()
lesson.closer(
    "unit",
    "Choose a unit, and try to refute its field",
    one_unit,
    asks=("layer", "row", "column", "about", "check"),
)
lesson.closer("growth", "How it grows", growth, asks=("grows", "meeting", "holes", "stack", "input", "at"))
chosen, unit_row, unit_col = unit_view.kept_unit(here, shown)
with asking:
    # The layer that was chosen, or the nearest before it that has room for what is asked.
    upto = shown[: shown.index(chosen) + 1]
    roomy, neighbours = ([name for name in upto if (fields[name].shape[1] or 0) >= cells] for cells in (5, 2))
    asked: list[Any] = [partial(one_more_layer, fields[name], 5) for name in roomy[-1:]]
    question_widget.ask(*asked, *(partial(shared_pixels, fields[name]) for name in neighbours[-1:]))
stack, size = stack_builder.chosen()
mean_over = (
    f"""
    _, (images, labels) = cnnviz.load_mnist()
    effective = cnnviz.effective_receptive_field(
        net, {quoted(chosen)}, images[:{over.count}], row={unit_row}, col={unit_col}
    )"""
    if here.shows_a_digit
    else f"""
    effective = cnnviz.effective_receptive_field(
        net, {quoted(chosen)}, image[None], row={unit_row}, col={unit_col}
    )"""
)
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
    {mean_over}
    print(effective.sigma, effective.shares)

    print(cnnviz.receptive_field(stack_specs({stack!r}), {size}))
    """
)
chrome.half_truth(
    "The receptive field is the size of the kernel.",
    f"That holds for the first layer only. From layer to layer, {here.model}'s is "
    f"{', '.join(fields[name].label for name in shown)} pixels wide.",
)
