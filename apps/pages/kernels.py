"""Kernels: named ones on the digit, and the trained ones with the name each is nearest to."""

import cached
import chrome
import state
import streamlit as st

from cnnviz import kernels, ops

here = chrome.current()
chrome.title(
    "Kernels",
    "A kernel is the small array of weights that a convolution slides over its input. Its numbers decide "
    "what it responds to: an average blurs, a difference finds edges. Kernels with a name were thought "
    "out by someone; a network's start as random numbers and are changed, step by step, until the loss is "
    "small.",
    heard="The kernels of a network are filters such as edge detectors, chosen by its designer.",
    instead="Only their number and their size are chosen. Their weights are learned. Some end near a "
    "named kernel; most are nobody's filter.",
)
chrome.section("A named kernel on the digit", "Negative responses are as telling as positive ones.")
with chrome.controls("named"):
    name = state.option("kernel", kernels.NAMES, "sobel x", st.selectbox, "Kernel")
    sizes = kernels.sizes(name)
    middle = 3 if 3 in sizes else sizes[0]
    size = state.option("size", sizes, middle, st.select_slider, "Size") if len(sizes) > 1 else sizes[0]
named = kernels.named(name, size)
separable = named.factors is not None and size > 1
words = f"{name}: {named.does}. Definition: {named.source}."
if separable:
    words += f" It is a column times a row, so {2 * size} multiplications a pixel do for {size * size}."
pixels = here.run.input[0, :, :, 0]
chrome.show(
    "kernel_response",
    words,
    image=pixels,
    kernel=named.kernel,
    response=ops.conv2d(pixels, named.kernel[:, :, None, None]),
)
chrome.section("The gallery", "All named kernels of size 3.")
gallery = kernels.gallery(3)
chrome.show(
    "kernel_tiles",
    "The numbers are the weights. Kernels of such different kinds do not share a scale here. LoG is the "
    "Laplacian of Gaussian.",
    kernels=[entry.kernel for entry in gallery],
    labels=[entry.name.replace("laplacian of gaussian", "LoG") for entry in gallery],
    shared=False,
)
layers = [
    layer.name
    for layer in here.network.layers
    if layer.kind == "Conv2D" and layer.weights["kernel"].shape[0] == layer.weights["kernel"].shape[1] > 1
]
chrome.section(
    "The trained kernels",
    "Under each kernel stands the named one it is nearest to, and how near: the cosine between the two, "
    "where 1.00 is the same shape and 0 nothing in common. A minus means its negative.",
)
with chrome.controls("trained"):
    layer = state.option("layer", layers, layers[0], st.selectbox, "Layer")
    weights = here.network[layer].weights["kernel"]
    channel = state.integer("input", 0, weights.shape[2] - 1, 0, "Input channel")
trained = weights[:, :, channel]
chrome.show(
    "kernel_tiles",
    f"{layer}, the weights for input channel {channel}, all on one scale.",
    kernels=trained,
    notes=[
        f"{'minus ' if match.inverted else ''}{match.name}\n{match.similarity:.2f}" if match else ""
        for match in cached.nearest_named(here.model, layer, channel)
    ],
)
chrome.code(
    f"""
    import cnnviz
    from cnnviz import kernels, ops

    image = {here.digit.code}
    sobel = kernels.named({name!r}, {size}).kernel
    response = ops.conv2d(image / 255, sobel[:, :, None, None])
    trained = cnnviz.load_model("{here.model}")["{layer}"].weights["kernel"]
    for k in range(trained.shape[3]):
        print(k, kernels.nearest_named(trained[:, :, {channel}, k]))
    """
)
