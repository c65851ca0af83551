"""Feature maps: all channels of one layer, and one of them from close by."""

import chrome
import state
import streamlit as st

from cnnviz import figures

here = chrome.current()
chrome.title(
    "Feature maps",
    "A feature map is one channel of a layer's output: the response of one kernel at every position of "
    "the layer's input. A layer with sixteen kernels has sixteen feature maps. Where a map is strong, "
    "what its kernel looks for is there.",
    heard="A feature map is a picture of a feature, such as an edge or a loop.",
    instead="It is a table of responses, one number a position, and its cells see less or more of the "
    "image depending on the layer's depth. What a map responds to was learned; it need not have a name.",
)
maps = [layer.name for layer in here.network.layers if len(layer.output_shape) == 3 and layer.inputs]
with chrome.controls("layer"):
    name = state.option("layer", maps, maps[0], st.selectbox, "Layer")
    values = here.run[name][0]
    last, first = values.shape[2] - 1, figures.strongest_channel(values)
    channel = state.integer("channel", 0, last, first, "Channel")
peak = figures.strongest(values[:, :, channel])
chrome.show(
    "feature_maps",
    f"All channels of {name} on one scale, so that they compare. The cell outlined is the strongest of "
    f"channel {channel}.",
    maps=values,
    selected=channel,
    cell=peak,
)
left, right = chrome.columns(1, 1)
with left:
    chrome.section(f"Channel {channel}")
    chrome.show(
        "single_map",
        f"The strongest cell is at row {peak[0]}, column {peak[1]}.",
        share=0.5,
        limit=420,
        values=values[:, :, channel],
        scale=figures.Scale.of(values),
        cell=peak,
    )
with right:
    chrome.section("What its strongest cell sees")
    box = figures.path_to(here.run, name, *peak)[0].box
    chrome.show(
        "image_of",
        "The pixels inside the outline are all that this cell depends on.",
        share=0.5,
        limit=420,
        pixels=here.run.input[0, :, :, 0],
        box=box,
    )
chrome.code(
    f"""
    import cnnviz
    from cnnviz import figures

    image = {here.digit.code}
    run = cnnviz.load_model("{here.model}").run(image)
    maps = run["{name}"][0]
    figures.feature_maps(maps, selected={channel}).save("maps.png")
    print(figures.strongest(maps[:, :, {channel}]))
    """
)
