"""Overview: every layer's maps of the chosen digit, from the image to the prediction."""

import cached
import chrome
import state
from digits import choose_image

from cnnviz.liveview.component import live_view

here = chrome.current()
chrome.title(
    "Overview",
    "A convolutional network turns an image into a decision in small steps, and every step is here to "
    "see: a column for each step, a tile for each of its channels, and ten probabilities at the end. "
    "Every number was computed just now, by cnnviz's own NumPy engine, from the trained weights. "
    "**Point at any of them, and click it for its receipt.**",
)
live_view(
    here.network,
    here.digit.image,
    title=here.digit.name.capitalize(),
    label=here.label,
    item=here.digit.own or str(here.digit.index),
    code=here.digit.code,
    choose=choose_image,
)
chrome.section("All layers in one picture", "The same maps as a figure, to be saved and shown.")
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

    image = {here.digit.code}
    net = cnnviz.load_model("{here.model}")
    run = net.run(image)
    for name, values in run.items():
        print(name, values.shape, values.min(), values.max())
    print(run.output.argmax())
    """
)
