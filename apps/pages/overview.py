"""Overview: every layer's maps of the chosen digit, from the image to the prediction."""

import cached
import chrome
import state

here = chrome.current()
chrome.title(
    "Overview",
    "A convolutional network turns an image into a decision in small steps, and every step is here to "
    "see: each row is one layer, each tile one of its channels, and the last row is ten probabilities. "
    "Every number was computed just now, by cnnviz's own NumPy engine, from the trained weights.",
)
shared = state.toggle("shared", False, "One colour scale for the whole network")
chrome.show(
    "network_maps",
    "Blue is positive and orange negative, paler is nearer to zero; each row's scale is at its end. "
    "“Sees” is the receptive field: how many pixels of the image one cell depends on.",
    layers=cached.layers(here.model, here.digit),
    shared=shared,
)
chrome.section("The prediction")
chrome.show("probabilities", values=here.run.output, label=here.label, limit=640)
chrome.code(
    f"""
    import cnnviz

    _, (images, labels) = cnnviz.load_mnist()
    net = cnnviz.load_model("{here.model}")
    run = net.run(images[{here.digit}])
    for name, values in run.items():
        print(name, values.shape, values.min(), values.max())
    print(run.output.argmax(), labels[{here.digit}])
    """
)
