"""Kernels: named and edited ones on a picture, what they cost and do to waves, and the trained ones."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
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
from lesson import Aspect
from plain import plain
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz import kernels, ops
from cnnviz.images.image_files import ImageError, read_image
from cnnviz.kernels.photographs import SIDE
from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, percent, shortened
from cnnviz.teaching.questions import kernels as questions

# Random kernels that the trained ones are compared with.
MANY = 20_000
# Parameters of the kernel: a link that has one says what the kernel is on, too.
SAID = ("kernel", "size", "cells")


def forget_cells() -> None:
    cells_editor.reset("cells")


def keep_picture() -> None:
    """Take what was uploaded, or taken away: the widget itself forgets it on another page.

    What is drawn of it is kept, or why it is not: never the file, which may be large.
    """
    file, kept = st.session_state["kernels.file"], st.session_state
    kept["kernels.picture"], kept["kernels.refused"] = None, ""
    # What the server does not hold, an upload that is gone or was never made, is no UploadedFile.
    if not isinstance(file, UploadedFile):
        return
    try:
        image = read_image(file, side=4 * SIDE)
        greys = kernels.grey(image), kernels.grey(image, kernels.SMALL_SIDE)
        if min(greys[1].shape) >= kernels.SIZES[-1]:
            kept["kernels.picture"] = greys
            return
        reason = f"what is drawn of it has only {greys[1].shape[1]} × {greys[1].shape[0]} pixels"
    except ImageError as error:
        reason = str(error)
    kept["kernels.refused"] = f"{shortened(file.name, 60)} is not shown: {reason}. The photograph stands in."


def uploaded(stand_in: Any) -> Any:
    """The learner's own picture, large and small; what stands in, until there is one that can be read."""
    words = "A picture: PNG, JPEG, WebP or GIF, up to 10 MB"
    st.file_uploader(words, key="kernels.file", on_change=keep_picture)
    kept, refused = (st.session_state.get(f"kernels.{each}") for each in ("picture", "refused"))
    if refused:
        st.warning(plain(refused))
    elif not kept:
        st.caption("Until you choose one, the photograph stands in.")
    return kept or stand_in


def cost() -> None:
    """What the kernel costs as a column times a row."""
    parts = kernels.separation(kernel)
    words, drawn = chrome.columns(1, 2)
    with words:
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
        chrome.note(
            "Separable is meant in space here: along columns and rows. A depthwise separable convolution, on "
            "the page 1×1, is another thing: a kernel for each map, and then a 1×1."
        )
    with drawn:
        chrome.show("outer_product", share=2 / 3, kernel=kernel)
    code.append("print(kernels.separation(kernel).rank)")


def waves() -> None:
    """Which waves the kernel lets through."""
    words, drawn = chrome.columns(1, 1)
    with words:
        st.markdown(
            "Every image is a sum of waves, and the kernel decides how strong each of them comes out. The "
            "middle is an image of one brightness, the rim is light and dark by turns. The stronger the "
            "colour, the more of that wave is let through; rings mark what comes out largest."
        )
    with drawn:
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
        "Under each kernel stands the named one it is nearest to, and how near: the cosine between the two, "
        "where 1.00 is the same shape and 0 nothing in common. Turned copies count too, as “prewitt 135°”; a "
        "minus means the negative. The last number is the root of its summed squares: a small one hardly "
        "matters."
    )
    layers = kernels.layers_with_kernels(here.network)
    models = cached.available_models()
    models = models if here.model in models else [here.model, *models]
    with chrome.controls("trained"):
        choices = {"first": "the first of each network", **dict(zip(layers, layers, strict=True))}
        layer = state.option("layer", choices, "first", st.selectbox, "Layer")
        channels = 1 if layer == "first" else here.network[layer].input_shape[2]
        channel = state.integer("input", 0, channels - 1, 0, "Input channel")
        order = state.option("sort", kernels.ORDERS, "similarity", st.segmented_control, "Sorted by")
    if layer == "first":
        networks = {name: here.network if name == here.model else cached.network(name) for name in models}
        models = [name for name in models if kernels.layers_with_kernels(networks[name])]
        trained = [kernel for name in models for kernel in kernels.trained_kernels(networks[name])]
    else:
        models = [here.model]
        trained = kernels.trained_kernels(here.network, layer, channel)
    trained = kernels.sort_trained(trained, order)
    chrome.show(
        "kernel_tiles",
        f"All on one scale. {by_chance(trained)}",
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
    nets = ", ".join(f"cnnviz.load_model({quoted(model)})" for model in models)
    code.append(
        f"""
        trained = [kernel for net in [{nets}] for kernel in kernels.trained_kernels(net{which})]
        for kernel in kernels.sort_trained(trained, {order!r}):
            print(kernel, kernel.similarity, kernel.norm)
        """
    )


def by_chance(trained: Sequence[kernels.TrainedKernel]) -> str:
    """How near to a named one as many kernels of random numbers come, for each size that has names."""
    said = []
    for side, count in Counter(one.kernel.shape[0] for one in trained if one.match).items():
        half, seldom = (
            kernels.chance_similarity(side, quantile ** (1 / count), MANY) for quantile in (0.5, 0.95)
        )
        said.append(
            f"Among {counted(count, 'kernel')} of {side} × {side} independent random numbers the nearest one "
            f"comes as near as {half:.2f} half the time, and 1 time in 20 as near as {seldom:.2f}."
        )
    if said:
        said.append(
            "Where neighbouring weights are alike, as in a blur, chance comes nearer still: a name says "
            "little below that."
        )
    return " ".join(said)


here = header.current()
if state.asks(*SAID, "all", "layer", "input", "sort") and not state.asks("on", "closer"):
    state.settle("on", "digit")  # So it was when links said nothing of it, and nothing was folded.
st.markdown(
    "A kernel is the small array of weights that a convolution slides over its input, and its numbers decide "
    "what it responds to: an average blurs, a difference finds edges. Drag a weight, and see."
)
lab = st.container(key="lab", gap=None)
lab.html('<span class="place"></span>')  # A container is there only with something in it.
with chrome.controls("named"):
    name = state.option("kernel", kernels.NAMES, "sobel x", st.selectbox, "Kernel", on_change=forget_cells)
    sizes = kernels.sizes(name)
    middle = 3 if 3 in sizes else sizes[0]
    size = state.option("size", sizes, middle, st.select_slider, "Size", on_change=forget_cells)
    pictures = {"digit": "the digit", "photo": "a photograph", "own": "your picture"}
    if size > min(here.run.input.shape[1:3]):  # The kernel would have no place in it.
        del pictures["digit"]
    picture = state.option(
        "on", pictures, "photo", st.segmented_control, "On", stays=any(map(state.wanted, SAID))
    )
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
question_widget.ask(
    partial(questions.on_a_plain_area, kernel), partial(questions.twice_in_a_row, kernel.shape[0])
)
lesson.closer_in_aspects(
    "named",
    "What this kernel costs and does to waves, and all kernels with a name",
    "Look at it",
    {
        "costs": Aspect("As a column times a row", cost),
        "waves": Aspect("By what it does to waves", waves),
        "gallery": Aspect("Among all that have a name", gallery, ("all",)),
    },
)
lesson.closer_in_aspects(
    "learned",
    "Trained kernels, step by step, and what each is near to",
    "Look at them",
    {
        "walk": Aspect("In the network, step by step", lambda: lesson.stage("kernels"), ("view",)),
        "trained": Aspect(
            "Beside the named one each is near to", trained_kernels, ("layer", "input", "sort")
        ),
    },
)
snippets.show(*code)
chrome.half_truth(
    "The kernels of a network are filters such as edge detectors, chosen by its designer.",
    "Only their number and their size are chosen. Their weights are learned, and need not be like any kernel "
    "with a name.",
)
