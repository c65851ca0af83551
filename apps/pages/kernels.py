"""Kernels: named and edited ones on a picture, what they cost and do to waves, and the trained ones."""

from typing import Any

import cached
import cells_editor
import chrome
import header
import lesson
import question_widget
import snippets
import state
import streamlit as st
import turns
from plain import plain

from cnnviz import kernels, ops
from cnnviz.images.image_files import ImageError
from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, percent, shortened
from cnnviz.teaching.questions import kernels as questions

# Random kernels that the trained ones are compared with.
MANY = 20_000


def forget_cells() -> None:
    cells_editor.reset("cells")


def uploaded(stand_in: Any) -> Any:
    """The learner's own picture, large and small; what stands in, until there is one that can be read."""
    file = st.file_uploader("A picture: PNG, JPEG, WebP or GIF, up to 10 MB", key="kernels.file")
    if file is None:
        st.caption("Until you choose one, the photograph stands in.")
        return stand_in
    try:
        with turns.aside():
            greys = cached.grey_picture(file.getvalue())
        if min(greys[1].shape) >= kernels.SIZES[-1]:
            return greys
        reason = f"what is drawn of it has only {greys[1].shape[1]} × {greys[1].shape[0]} pixels"
    except ImageError as error:
        reason = str(error)
    st.warning(f"{plain(shortened(file.name, 60))} is not shown: {plain(reason)}. The photograph stands in.")
    return stand_in


def costs_and_waves() -> None:
    """What the kernel costs in two steps, and which waves it lets through."""
    parts = kernels.separation(kernel)
    left, right = chrome.columns(1, 1)
    with left:
        st.subheader("As a column times a row", anchor=False)
        if parts.rank == 1:
            st.markdown(
                f"It is separable: every weight is its column's number times its row's. A column after a row "
                f"takes {parts.cost} multiplications a pixel, the whole kernel {parts.whole_cost}"
                f"{'.' if parts.saves else ', so nothing is saved.'}"
            )
        elif parts.rank:
            st.markdown(
                f"Not separable: the nearest product leaves out {percent(parts.error, 0)} of it (root mean "
                f"square); all of it takes {parts.rank} such products, which is {parts.cost} "
                f"multiplications a pixel, {'fewer' if parts.saves else 'no fewer'} than the whole kernel's "
                f"{parts.whole_cost}."
            )
        else:
            st.markdown("All weights are 0, and so is every answer.")
        chrome.show("outer_product", share=0.5, kernel=kernel)
    with right:
        st.subheader("What it does to waves", anchor=False)
        st.markdown(
            "The middle is an image of one brightness, the rim is light and dark by turns. The stronger the "
            "colour, the more of that wave is let through; rings mark what comes out largest."
        )
        chrome.show(
            "frequency_map",
            "The magnitude of its Fourier transform (Gonzalez and Woods, Digital Image Processing, chapter "
            "4).",
            share=0.5,
            limit=300,
            kernel=kernel,
        )
    code.append(
        """
        print(kernels.separation(kernel).rank)
        print(kernels.frequency_response(kernel).peak)
        figures.frequency_map(kernel)
        """
    )


def gallery() -> None:
    """All named kernels of one size, and what each makes of the same picture."""
    with chrome.controls("gallery"):
        every = state.integer("all", kernels.SIZES[0], kernels.SIZES[-1], 3, "Size of all", st.slider)
    entries = kernels.gallery(every)
    names = [entry.name for entry in entries]

    def choose(number: int) -> None:
        """Take a kernel of the gallery, as it is there."""
        state.put("kernel", names[number])
        state.put("size", every)
        forget_cells()

    chrome.pick(
        "kernel_gallery",
        f"What each makes of the same picture{', made smaller' if picture != 'digit' else ''}; pick one to "
        "try it above. LoG is the Laplacian of Gaussian. A Gabor kernel's angle is the one its waves run in, "
        "and a blur's the one it smears along: 0° to the right, 90° down.",
        names,
        names.index(name) if name in names and size == every else None,
        choose,
        kernels=[entry.kernel for entry in entries],
        responses=cached.gallery_responses(small, every),
        labels=[entry.replace("laplacian of gaussian", "LoG") for entry in names],
        photograph=picture != "digit",
    )
    with st.expander("What each does, and its definition"):
        chrome.table(
            ["kernel", "what it does", "definition"],
            [(entry.name, entry.does, entry.source) for entry in entries],
            name="kernels",
        )
    code.append(
        f"""
        for entry in kernels.gallery({every}):
            print(entry, np.abs(ops.conv2d(image, entry.kernel[:, :, None, None])).max())
        """
    )


def trained_kernels() -> None:
    """A layer's kernels, which named one each is near, and how near chance comes."""
    st.markdown(
        "Kernels with a name were thought out by someone; a network's start as random numbers and are "
        "changed, step by step, until the loss is small. Under each stands the named one it is nearest to, "
        "and how near: the cosine between the two, where 1.00 is the same shape and 0 nothing in common. "
        "Turned copies count too, as “prewitt 135°”; a minus means the negative. The last number is the root "
        "of its summed squares: a small one hardly matters."
    )
    layers = kernels.layers_with_kernels(here.network)
    with chrome.controls("trained"):
        choices = {"first": "the first of both networks", **dict(zip(layers, layers, strict=True))}
        layer = state.option("layer", choices, "first", st.selectbox, "Layer")
        channels = 1 if layer == "first" else here.network[layer].input_shape[2]
        channel = state.integer("input", 0, channels - 1, 0, "Input channel")
        order = state.option("sort", kernels.ORDERS, "similarity", st.segmented_control, "Sorted by")
    if layer == "first":
        models = cached.available_models()
        networks = [here.network if model == here.model else cached.network(model) for model in models]
        trained = [kernel for network in networks for kernel in kernels.trained_kernels(network)]
    else:
        trained = kernels.trained_kernels(here.network, layer, channel)
    trained = kernels.sort_trained(trained, order)
    side = trained[0].kernel.shape[0]
    chrome.show(
        "kernel_tiles",
        f"All on one scale. Among {counted(len(trained), 'kernel')} of {side} × {side} independent random "
        "numbers the nearest one comes as near as "
        f"{kernels.chance_similarity(side, 0.5 ** (1 / len(trained)), MANY):.2f} half the time, and 1 time "
        f"in 20 as near as {kernels.chance_similarity(side, 0.95 ** (1 / len(trained)), MANY):.2f}. Where "
        "neighbouring weights are alike, as in a blur, chance comes nearer still: a name says little below "
        "that.",
        kernels=[one.kernel for one in trained],
        labels=[f"{one.network} {one.number}" if layer == "first" else str(one.number) for one in trained],
        notes=[
            f"{'minus ' if one.match.inverted else ''}{one.match.name}\n{one.similarity:.2f}, {one.norm:.2f}"
            if one.match
            else f"none\n{one.norm:.2f}"
            for one in trained
        ],
    )
    which = "" if layer == "first" else f", {quoted(layer)}, {channel}"
    compared = cached.available_models() if layer == "first" else [here.model]
    code.append(
        f"""
        nets = [cnnviz.load_model(name) for name in {compared}]
        trained = [kernel for net in nets for kernel in kernels.trained_kernels(net{which})]
        for kernel in kernels.sort_trained(trained, {order!r}):
            print(kernel, kernel.similarity, kernel.norm)
        """
    )


here = header.current()
st.markdown(
    "A kernel is the small array of weights that a convolution slides over its input, and its numbers decide "
    "what it responds to: an average blurs, a difference finds edges. Drag a weight, and see."
)
lab = st.container(key="lab")
with chrome.controls("named"):
    name = state.option("kernel", kernels.NAMES, "sobel x", st.selectbox, "Kernel", on_change=forget_cells)
    sizes = kernels.sizes(name)
    middle = 3 if 3 in sizes else sizes[0]
    size = state.option("size", sizes, middle, st.select_slider, "Size", on_change=forget_cells)
    pictures = {"digit": "the digit", "photo": "a photograph", "own": "your picture"}
    picture = state.option("on", pictures, "photo", st.segmented_control, "On")
if picture == "digit":
    image = small = here.run.input[0, :, :, 0]
else:
    image, small = kernels.photograph(), kernels.photograph(kernels.SMALL_SIDE)
if picture == "own":
    image, small = uploaded((image, small))
named = kernels.named(name, size)
with lab:
    grid, shown = chrome.columns(1, 3) if size <= 5 else chrome.columns(1, 1)
    with grid:
        kernel = cells_editor.edit("cells", named.kernel, "Drag a weight, or type one", step=0.5)
        edited = bool((kernel != named.kernel).any())
        words = f"{name}: {named.does}. Definition: {named.source}."
        if len(sizes) == 1:
            words += f" It comes in this size only, {size} × {size}."
        if edited:
            nearest = kernels.nearest_named(kernel) if kernel.any() else "none"
            words = f"Your kernel, made from {name}; the nearest named one, and how near: {nearest}."
        words += (
            " The digit's values are ink, from 0, bare paper, to 1, full ink: they rise where ink begins."
            if picture == "digit"
            else " The picture's values are brightness, from 0, black, to 1, white: where they rise, it gets "
            "lighter."
        )
    with shown:
        chrome.show(
            "kernel_response",
            words,
            share=0.75 if size <= 5 else 0.5,
            image=image,
            kernel=kernel,
            response=ops.conv2d(image, kernel[:, :, None, None]),
            photograph=picture != "digit",
        )
code = [
    f"""
    import cnnviz
    import numpy as np
    from cnnviz import figures, kernels, ops

    image = {f"{here.digit.code} / 255" if picture == "digit" else "kernels.photograph()"}
    kernel = {f"np.array({kernel.tolist()})" if edited else f"kernels.named({name!r}, {size}).kernel"}
    response = ops.conv2d(image, kernel[:, :, None, None])
    print(np.abs(response).max())
    """
]
question_widget.ask(questions.on_a_plain_area(kernel), questions.twice_in_a_row(kernel.shape[0]))
lesson.walk_closer("kernels", "In the trained network, step by step")
lesson.closer("costs", "As a column times a row, and what it does to waves", costs_and_waves)
lesson.closer("gallery", "The gallery: all kernels with a name", gallery, asks=("all",))
lesson.closer(
    "trained",
    "The trained kernels, and what each is near to",
    trained_kernels,
    asks=("layer", "input", "sort"),
)
snippets.show(*code)
chrome.half_truth(
    "The kernels of a network are filters such as edge detectors, chosen by its designer.",
    "Only their number and their size are chosen. Their weights are learned, and need not be like any kernel "
    "with a name.",
)
