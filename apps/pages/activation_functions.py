"""Activation functions: the curve over a layer's real pre-activations, and the maps before and after."""

import chrome
import state
import streamlit as st

from cnnviz import ops
from cnnviz.sparsity import zeros_in

here = chrome.current()
chrome.title(
    "Activation functions",
    "An activation function is one fixed curve, applied to every number of a layer by itself. ReLU, for "
    "one, keeps what is positive and makes the rest zero. It has nothing to learn, and it is what makes a "
    "stack of layers more than one layer.",
    heard="The activation function chooses which neurons fire.",
    instead="It chooses nothing. It bends: every number goes through the same curve. Without a bend, "
    "convolutions and dense layers, however many, would together be a single affine map.",
)
FUNCTIONS = {
    name: getattr(ops, name)
    for name in (
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "gelu",
        "silu",
        "sigmoid",
        "tanh",
        "softplus",
        "hard_sigmoid",
    )
}
layers = [
    layer.name
    for layer in here.network.layers
    if len(layer.output_shape) == 3 and layer.activation is not None and str(layer.activation) != "linear"
]
chrome.section("The curve, and what goes through it")
with chrome.controls("function"):
    name = state.option("layer", layers, layers[0], st.selectbox, "Layer")
    own = str(here.network[name].activation)
    function = state.option(
        "function", list(FUNCTIONS), own if own in FUNCTIONS else "relu", st.selectbox, "Function"
    )
before = here.run.pre_activation(name)
trained = (
    f"{name} was trained with {own}."
    if function == own
    else f"{name} was trained with {own}, the dashed line."
)
left, right = chrome.columns(3, 2)
with left:
    chrome.show(
        "activation_curve",
        f"Above, {function}; below, the numbers that {name} puts into its activation for this digit. "
        f"{trained}",
        share=0.6,
        function=FUNCTIONS[function],
        values=before,
        name=function,
        others={own: FUNCTIONS[own]} if own in FUNCTIONS and own != function else None,
    )
with right:
    found = zeros_in(FUNCTIONS[function](before))
    chrome.facts(
        ("of the outputs are exactly 0", f"{found.share:.0%}"),
        ("channels are 0 everywhere on this digit", f"{len(found.silent)} of {found.channels}"),
    )
    st.markdown(
        "A channel that is zero everywhere on one digit may well speak on another. Only one that is zero "
        "for all of them is dead."
    )
chrome.section(
    "The maps before and after",
    "What was negative is bent away; what was positive stays, for ReLU, as it is.",
)
chrome.show(
    "before_and_after",
    f"All channels of {name}, on one scale.",
    before=before,
    after=FUNCTIONS[function](before),
    titles=("before", "after"),
)
chrome.code(
    f"""
    import cnnviz
    from cnnviz import ops

    image = {here.digit.code}
    run = cnnviz.load_model("{here.model}").run(image)
    before = run.pre_activation("{name}")
    after = ops.{function}(before)
    print((before < 0).mean(), (after == 0).mean())
    """
)
