"""Convolution: one output number as patch times kernel; shared weights; padding and size."""

import chrome
import state
import streamlit as st

from cnnviz import channels, figures

here = chrome.current()
chrome.title(
    "Convolution",
    "A convolution slides a small array of weights, the kernel, over its input and writes down, at every "
    "position, the sum of weight times value, and a bias. A kernel is as deep as the input has channels, "
    "and each kernel makes one output channel. Networks do not flip the kernel, so strictly it is a "
    "cross-correlation.",
    heard="A convolution makes the image smaller, and so it needs fewer parameters.",
    instead="It needs few parameters because all positions share the same weights. Whether the output is "
    "smaller depends on padding and stride alone, and it need not be.",
)
convolutions = {layer.name: layer for layer in here.network.layers if layer.kind == "Conv2D"}
chrome.section(
    "One number of the output",
    "Pick a layer, one of its kernels and a place. What the kernel reads there, times its weights, gives "
    "the number in the outlined cell.",
)
with chrome.controls("cell"):
    name = state.option("layer", list(convolutions), next(iter(convolutions)), st.selectbox, "Layer")
    layer = convolutions[name]
    before = here.run.pre_activation(name)[0]
    rows, cols, filters = before.shape
    channel = state.integer("channel", 0, filters - 1, min(3, filters - 1), "Kernel")
    peak = figures.strongest(before[:, :, channel])
    row = state.integer("row", 0, rows - 1, peak[0], "Row")
    col = state.integer("column", 0, cols - 1, peak[1], "Column")
bias = float(layer.weights["bias"][channel]) if "bias" in layer.weights else 0.0
after = (
    f", which {layer.activation} turns into {here.run[name][0, row, col, channel]:.4g}"
    if layer.activation
    else ""
)
chrome.show(
    "convolution_step",
    f"{name}, kernel {channel}, row {row}, column {col}: {before[row, col, channel]:.4g}{after}. The same "
    "weights are used at every position.",
    x=here.run.inputs(name)[0],
    kernel=layer.weights["kernel"][:, :, :, channel],
    bias=bias,
    row=row,
    col=col,
    output=before[:, :, channel],
    strides=layer.config["strides"],
    padding=layer.config["padding"],
    dilation_rate=layer.config["dilation_rate"],
    pixels=layer.inputs[0] in here.network.inputs,
)
chrome.section(
    "What sharing saves",
    f"{name} takes {' × '.join(map(str, layer.input_shape))} numbers to "
    f"{' × '.join(map(str, layer.output_shape))}. A dense layer could do the same, with a weight of its "
    "own for every pair of numbers.",
)
compared = channels.shared_weights(layer)
chrome.table(
    ["", "parameters", "multiply-adds"],
    [
        ("dense layer", compared.direct.parameters, compared.direct.multiply_adds),
        (f"convolution, {name}", compared.other.parameters, compared.other.multiply_adds),
        ("times fewer", *(f"{saving:,.0f}" for saving in compared.saving)),
    ],
    mark=1,
)
first = next(iter(convolutions.values()))
kernel = first.weights["kernel"][:, :, 0, channel % first.weights["kernel"].shape[3]]
chrome.section(
    "Padding decides the size",
    f"The same kernel of {first.name} on the digit, once as it is and once with a border of zeros around "
    "it. With 'same' padding and stride 1 the output is as large as the input.",
)
chrome.show("padding_modes", x=here.run.input[0, :, :, 0], kernel=kernel)
chrome.code(
    f"""
    import cnnviz
    from cnnviz import ops

    image = {here.digit.code}
    net = cnnviz.load_model("{here.model}")
    run = net.run(image)
    layer = net["{name}"]
    y = ops.conv2d(
        run.inputs("{name}")[0], layer.weights["kernel"], layer.weights.get("bias"),
        strides={layer.config["strides"]}, padding={layer.config["padding"]!r},
    )
    print(y[0, {row}, {col}, {channel}], run.pre_activation("{name}")[0, {row}, {col}, {channel}])
    """
)
