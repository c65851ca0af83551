"""Receptive field: what one unit sees, on the digit and on every map between, and how it grows."""

import cached
import chrome
import state
import streamlit as st

here = chrome.current()
fields = cached.receptive_fields(here.model)
layers = [layer for layer in here.network.layers if layer.inputs and len(layer.output_shape) == 3]
sees = {layer.name: fields[layer.name].size for layer in layers}
steps = [layer for layer in layers if "kernel" in layer.weights or layer.kind.endswith("Pooling2D")]
shown = [layer.name for layer in steps]
sizes = ", ".join(str(sees[name][0]) for name in shown)
chrome.title(
    "Receptive field",
    "The receptive field of a unit is the part of the input image that can change it. It is counted in "
    "input pixels and grows with every layer whose cells look at more than one cell, and faster behind a "
    "stride or a pooling layer.",
    heard="The receptive field is the size of the kernel.",
    instead=f"That holds for the first layer only. From convolution to convolution, {here.model}'s is "
    f"{sizes} pixels wide.",
)
chrome.section("One unit, down to the pixels", "The outlined cells are all that the unit depends on.")
with chrome.controls("unit"):
    name = state.option("layer", shown, shown[len(shown) // 2], st.selectbox, "Layer")
    rows, cols, _ = here.network[name].output_shape
    row = state.integer("row", 0, rows - 1, rows // 2, "Row")
    col = state.integer("column", 0, cols - 1, cols // 2, "Column")
(top, bottom), (left, right) = fields[name].box(row, col)
chrome.show(
    "receptive_path",
    f"Row {row}, column {col} of {name} sees rows {top} to {bottom} and columns {left} to {right} of the "
    "image. Of every layer the channel is shown that is strongest there.",
    layers=cached.path_to(here.model, here.digit, name, row, col),
)
chrome.section(
    "The ladder",
    "One row of cells of every layer, the image at the bottom: the lines are the connections. Neighbours "
    "share most of what they see.",
)
chrome.show("receptive_ladder", rungs=cached.rungs_to(here.model, name, col))
chrome.section("How it grows")
grown, words = chrome.columns(3, 2)
with grown:
    chrome.show(
        "receptive_growth",
        "Width of the receptive field, in input pixels.",
        share=0.6,
        names=shown,
        sizes=[sees[other][0] for other in shown],
        image=here.network.input_shape[0],
        highlight=shown.index(name) if name in shown else None,
    )
with words:
    st.markdown(
        "Going up one layer, the field grows by the kernel's size less one, times the stride that all "
        "layers before it have together:"
    )
    st.latex(r"r_\ell = r_{\ell-1} + (k_\ell - 1)\, j_{\ell-1}")
    st.latex(r"j_\ell = s_\ell\, j_{\ell-1}")
    st.markdown(
        "Here *k* is the kernel size, *s* the stride, *j* the step between neighbouring cells in pixels."
    )
chrome.code(
    f"""
    import cnnviz

    fields = cnnviz.receptive_field(cnnviz.load_model("{here.model}"))
    print(fields)
    print(fields["{name}"].box({row}, {col}))
    """
)
