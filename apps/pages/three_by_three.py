"""3x3: why small kernels are stacked, and what the first layer's respond to."""

import cached
import chrome
import state
import streamlit as st

from cnnviz import channels

here = chrome.current()
fields = cached.receptive_fields(here.model)
convolutions = [layer for layer in here.network.layers if layer.kind == "Conv2D"]
small = [layer for layer in convolutions if layer.config["kernel_size"] == (3, 3)]
last = small[-1]
chrome.title(
    "3×3",
    "A 3×3 kernel is the smallest that has a middle and a neighbour on every side. Two such layers, one "
    "on the other, see 5×5 cells, three see 7×7. They do it with fewer weights than one large kernel, and "
    "with an activation after each.",
    heard="A 3×3 kernel sees three by three pixels, so it can only find small things.",
    instead=f"It sees 3×3 cells of its own input, and those have seen more. In {last.name}, 3×3 cells "
    f"depend on {fields[last.name].size[0]}×{fields[last.name].size[1]} pixels of the image.",
)
widths = sorted({layer.output_shape[2] for layer in small})
chrome.section(
    "A stack against one large kernel",
    "Both see equally far; the stack has fewer weights as soon as there are two layers, and bends between "
    "them.",
)
with chrome.controls("stack"):
    width = state.option("width", widths, widths[0], st.segmented_control, "Channels", required=True)
    depth = state.integer("depth", 1, 6, 3, "Layers in the stack", st.slider)
side = small[0].output_shape[0]
comparisons = [channels.stack_of_3x3(k, width, side) for k in range(1, 7)]
chrome.table(
    [
        "stack",
        "sees",
        "parameters, stack",
        "parameters, one kernel",
        "times fewer",
        "multiply-adds, stack",
        "multiply-adds, one kernel",
    ],
    [
        (
            f"{k} × 3×3",
            f"{2 * k + 1}×{2 * k + 1}",
            found.other.parameters,
            found.direct.parameters,
            f"{found.saving[0]:.2f}",
            found.other.multiply_adds,
            found.direct.multiply_adds,
        )
        for k, found in enumerate(comparisons, 1)
    ],
    caption=f"Layers of {width} channels on maps of {side} × {side} cells, with biases and 'same' padding. "
    "The one kernel is as large as what the stack sees.",
    mark=depth - 1,
)
chrome.section(
    f"What the kernels of {small[0].name} respond to",
    "The first layer reads pixels, so its kernels can be understood by looking. Each kernel stands with "
    "the digit as it answers: blue where the image is like the kernel, orange where it is like its "
    "negative.",
)
kernels = small[0].weights["kernel"][:, :, 0]
channel = state.integer("channel", 0, kernels.shape[2] - 1, 0, "Kernel")
chrome.show("kernel_tiles", "The weights, on one scale.", kernels=kernels, selected=channel)
chrome.show(
    "feature_maps",
    "The responses before the activation, on one scale.",
    maps=here.run.pre_activation(small[0].name),
    selected=channel,
)
chrome.code(
    f"""
    import cnnviz
    from cnnviz import channels

    found = channels.stack_of_3x3({depth}, {width}, {side})
    print(found.other, found.direct, found.saving)
    print(cnnviz.receptive_field(cnnviz.load_model("{here.model}")))
    """
)
