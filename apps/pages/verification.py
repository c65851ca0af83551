"""Verification: what the engine was compared with, layer by layer, as recorded."""

import cached
import chrome
import streamlit as st

here = chrome.current()
chrome.title(
    "Verification",
    "Everything here is computed by cnnviz's own engine, in NumPy. It was compared with TensorFlow, which "
    "read the same file by itself, on all 10,000 test images and at every layer. Where both round, a "
    "third evaluation in double precision says who is off by how much.",
    heard="If the predictions agree, the implementation is right.",
    instead="Predictions agree long before numbers do: a network forgives. So every layer is compared, "
    "not the last one alone, and each against a bound that was derived, not guessed.",
)
record = cached.verification(here.model)
if record is None:
    st.info(
        f"The recorded verification of {here.model} is not here. Where TensorFlow is installed, `cnnviz "
        f"verify {here.model}` makes it anew."
    )
else:
    layers = [layer for layer in record.layers if layer.alone or layer.share]
    chrome.facts(
        ("same prediction", f"{record.identical:,} of {record.images:,} images"),
        ("largest difference of an output", f"{record.predict_difference:.1e}"),
        ("every layer within its bound", "yes" if record.passed else "no"),
        ("recorded on", record.date),
    )
    chrome.section(
        "Every layer",
        "Each mark is the largest number over all images and all units of a layer; note the logarithmic "
        "scale. Differences grow with depth, since rounding is passed on; the error of both engines grows "
        "alike.",
    )
    chrome.show(
        "magnitudes",
        "The number on the right is the largest |NumPy − TensorFlow|.",
        rows=[
            (layer.name, (layer.difference, layer.numpy_error, layer.tensorflow_error)) for layer in layers
        ],
        series=["NumPy − TensorFlow", "NumPy − float64", "TensorFlow − float64"],
    )
    chrome.section(
        "Each layer alone",
        "Given exactly the same input, a layer's two results may differ by rounding only. The bound "
        "follows from the length of its sums; the share is how much of it was used.",
    )
    chrome.table(
        ["layer", "output", "largest difference", "share of the bound"],
        [
            (layer.name, " × ".join(map(str, layer.shape)), f"{layer.alone:.1e}", f"{layer.share:.0%}")
            for layer in layers
        ],
        caption=", ".join(f"{name} {version}" for name, version in record.versions.items()),
    )
chrome.code(
    f"""
    import cnnviz

    print(cnnviz.verify("{here.model}"))  # needs TensorFlow: pip install "cnnviz[tensorflow]"
    """
)
