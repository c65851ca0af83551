"""1x1: the mixing matrix at one pixel, what reducing it costs, and the bottleneck."""

import cached
import chrome
import state
import streamlit as st

from cnnviz import channels, figures

here = chrome.current()
layers = [
    layer.name
    for layer in here.network.layers
    if layer.kind == "Conv2D" and layer.config["kernel_size"] == (1, 1) and layer.config["groups"] == 1
]
chrome.title(
    "1×1",
    "A 1×1 convolution mixes channels: at every position by itself, the channels that come in are "
    "multiplied with one matrix and give those that go out. It is a dense layer applied at each pixel. "
    "Networks use it to have fewer channels, or more, at little cost.",
    heard="A 1×1 convolution does nothing: it multiplies every pixel by a number.",
    instead="It leaves height and width alone and mixes depth. Each output is a weighted sum of all input "
    "channels at that pixel, followed by an activation.",
)
if layers:
    name = layers[0]
    layer = here.network[name]
    x = here.run.inputs(name)[0][0]
    matrix, bias = channels.mixing_matrix(layer.weights["kernel"]), layer.weights.get("bias")
    channels_in, channels_out = matrix.shape
    chrome.section(
        f"One pixel through {name}",
        f"{channels_in} numbers come in, {channels_out} go out: each column of the matrix is one output.",
    )
    with chrome.controls("pixel"):
        peak = figures.strongest(here.run[name][0].max(axis=2))
        row = state.integer("row", 0, x.shape[0] - 1, peak[0], "Row")
        col = state.integer("column", 0, x.shape[1] - 1, peak[1], "Column")
        out = state.integer("channel", 0, channels_out - 1, 0, "Output")
    chrome.show(
        "pixel_mixing",
        f"Row {row}, column {col}, before the activation. The sign is written with every number.",
        values=x[row, col],
        matrix=matrix,
        bias=bias,
        selected=out,
    )
    chrome.section(
        "How many of its outputs are needed",
        "Keep only the strongest outputs, or only the largest singular directions of the matrix, which "
        "mix all outputs. The error is measured on this digit, without training again.",
    )
    with chrome.controls("reduce"):
        kinds = {"outputs": "outputs", "singular": "singular directions"}
        by = state.option(
            "by", list(kinds), "outputs", st.segmented_control, "Keep", required=True, format_func=kinds.get
        )
        k = state.integer("kept", 0, min(channels_out, channels_in), 5, "How many", st.slider)
    reduced = channels.reduce_mixing(x, matrix, bias, k=k, by=by)
    whole = channels.conv_cost(channels_in, channels_out, 1, x.shape[:2], bias=bias is not None)
    left, right = chrome.columns(1, 1)
    with left:
        chrome.show(
            "error_curve",
            "Relative error: the root mean square of what is lost over that of the outputs.",
            share=0.5,
            errors=channels.reduction_errors(x, matrix, bias, by=by),
            k=k,
            xlabel=f"{kinds[by]} kept",
        )
    with right:
        chrome.facts(
            ("relative error", f"{reduced.error:.1%}"),
            ("parameters", f"{reduced.cost.parameters:,} of {whole.parameters:,}"),
            ("multiply-adds a pixel", f"{reduced.cost.multiply_adds:,} of {channels_in * channels_out:,}"),
        )
        if by == "singular":
            st.markdown(
                "Through singular directions the layer becomes two, into the few directions and out of "
                "them, so it pays only if few are kept."
            )
    chrome.show(
        "before_and_after",
        "Outputs before the activation; those dropped are in brackets."
        if by == "outputs"
        else "Outputs before the activation.",
        before=channels.mix(x, matrix, bias),
        after=channels.mix(x, reduced.matrix, reduced.bias),
        dropped=[c for c in range(channels_out) if c not in reduced.kept] if by == "outputs" else (),
    )
else:
    st.info(f"{here.model} has no 1×1 convolution.")
    st.button(
        "Show the one in mnist_14k",
        on_click=lambda: state.put("model", "mnist_14k"),
        disabled="mnist_14k" not in cached.available_models(),
    )
chrome.section(
    "The bottleneck",
    "A 3×3 convolution on many channels is dear. Two 1×1 convolutions around one on few channels do for "
    "it: down, across, up.",
)
with chrome.controls("bottleneck"):
    wide = state.integer("wide", 1, 4096, 256, "Channels")
    narrow = state.integer("narrow", 1, 4096, 64, "In between")
    side = state.integer("side", 1, 512, 14, "Map size")
found = channels.bottleneck(wide, narrow, side)
steps = (f"1×1, {wide} to {narrow}", f"3×3, {narrow} to {narrow}", f"1×1, {narrow} to {wide}")
chrome.table(
    ["", "parameters", "multiply-adds"],
    [
        (f"direct 3×3, {wide} to {wide}", found.direct.parameters, found.direct.multiply_adds),
        *(
            (words, step.parameters, step.multiply_adds)
            for words, step in zip(steps, found.steps, strict=True)
        ),
        ("bottleneck, all three", found.other.parameters, found.other.multiply_adds),
        ("times fewer", *(f"{saving:.2f}" for saving in found.saving)),
    ],
    mark=4,
)
chrome.code(
    f"""
    import cnnviz
    import numpy as np
    from cnnviz import channels, ops

    image = {here.digit.code}
    net = cnnviz.load_model("mnist_14k")
    run = net.run(image)
    layer = next(layer for layer in net.layers if layer.config.get("kernel_size") == (1, 1))
    x = run.inputs(layer.name)[0]
    matrix = channels.mixing_matrix(layer.weights["kernel"])
    dense = ops.dense(x, matrix, layer.weights["bias"])
    print(np.abs(dense - run.pre_activation(layer.name)).max())
    print(channels.reduce_mixing(x, matrix, layer.weights["bias"], k=5).error)
    """
)
