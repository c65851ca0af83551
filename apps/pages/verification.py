"""Verification: what was compared with TensorFlow and how, layer by layer, as recorded or run again here."""

from __future__ import annotations

from functools import partial
from typing import Any

import cached
import chrome
import lesson
import numpy as np
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import test_digits
from plain import plain

from cnnviz.layers.activations import ELEMENTARY
from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, number, percent
from cnnviz.stage.agreement import recorded_agreement
from cnnviz.teaching.questions.verification import who_is_right
from cnnviz.verification.comparison import LayerCheck, Verification, recorded
from cnnviz.verification.live_verification import VERIFICATIONS, VerificationJob
from cnnviz.verification.tensorflow_process import available

COUNTS = (1, 10, 100, 1_000, 10_000)
OFFERED, ASKED_OF = 100, 1_000


def images_of(count: int) -> np.ndarray:
    """The digits to compare: this one, or so many of the test set."""
    return here.digit.image[np.newaxis] if count == 1 else test_digits()[0][:count]


def asked_count() -> int:
    """How many digits were asked for last."""
    asked = state.wanted("images")
    return next((count for count in COUNTS if str(count) == asked), OFFERED)


def run_again() -> VerificationJob | None:
    """The comparison made here and now; the job, if one was asked for."""
    st.markdown(
        "A process of its own lets TensorFlow read the same file and computes everything three times: with "
        "TensorFlow, with NumPy, and with NumPy in double precision."
    )
    if not available():
        st.markdown(
            "TensorFlow is not installed here, so the recorded result is shown: `pip install "
            '"cnnviz[tensorflow]"` makes it possible.'
        )
        return None
    with chrome.controls("again"):
        words = {count: f"the first {count:,}" for count in COUNTS}
        words |= {COUNTS[0]: f"this one ({here.digit.name})", COUNTS[-1]: "all"}
        count = state.option("images", words, OFFERED, st.select_slider, "Test digits to compare")
        images = images_of(count)
        job = VERIFICATIONS.find(here.network, images)
        busy = job is not None and not job.over
        st.button("Compare now", disabled=busy, on_click=start, args=(count,))
    if job is not None:
        st.fragment(follow, run_every=0.5 if busy else None)(job)
    return job


def start(count: int) -> None:
    VERIFICATIONS.start(here.network, images_of(count))


def follow(job: VerificationJob) -> None:
    """How far a job is; when it is over, the whole page is drawn with what it found."""
    key = "verification.followed"
    if not job.over:
        st.session_state[key] = True
        with st.container(key="following", horizontal=True, vertical_alignment="center", gap="medium"):
            st.progress(job.share, text=plain(job.words))
            st.button("Stop", on_click=job.stop)
        return
    if st.session_state.pop(key, False):
        st.rerun()
    if job.state == "failed":
        st.warning(f"TensorFlow could not be asked: {plain(job.error)}.")
    elif job.state == "stopped":
        st.info("Stopped.")


def summary(result: Verification, when: tuple[str, str]) -> None:
    same = []
    if result.identical is not None:
        same = [("same prediction", f"{result.identical:,} of {counted(result.images, 'image')}")]
    chrome.facts(
        *same,
        ("largest difference of an output", number(result.predict_difference)),
        ("every layer within its bound", "yes" if result.passed else "no"),
        when,
    )


def what_was_compared() -> None:
    st.markdown(
        """
- **NumPy − TensorFlow.** Both start from the pixels. The difference at a layer is that of all layers up to
  it: what one rounds, the next passes on.
- **Each − float64.** A third evaluation, by NumPy in double precision, is exact for this purpose. It says
  which of the two is off, and by how much.
- **Each layer alone.** Our layer gets exactly what TensorFlow's layer got. Now only this layer rounds, and
  the difference is held against a bound that is derived from the length of its sums. One number in it is no
  theorem: how far a library's exp or tanh may be off, for which """
        f"{ELEMENTARY} roundings are allowed.\n"
    )


def every_layer(result: Verification, layers: list[LayerCheck]) -> None:
    st.markdown(
        f"Each mark is the largest number over all units of a layer, on {counted(result.images, 'image')}; "
        "note the logarithmic scale. Rounding is passed on, and is as large as the numbers it is in: where "
        "batch norm makes them smaller, the differences shrink with them. The errors of both engines go "
        "together."
    )
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    st.caption(
        plain(
            f"{versions}. The output's difference that stands under the stage is that of Network.predict, "
            "which folds batch norms away and so rounds otherwise than Network.run, whose layers these are."
        )
    )
    series = ["NumPy − TensorFlow", "NumPy − float64", "TensorFlow − float64"]
    values = [(layer.difference, layer.numpy_error, layer.tensorflow_error) for layer in layers]
    chrome.show(
        "magnitudes",
        "A number at the right, where there is room, is the largest |NumPy − TensorFlow|; the table has all.",
        rows=[(layer.name, of_layer) for layer, of_layer in zip(layers, values, strict=True)],
        series=series,
    )
    with st.expander("All numbers in a table"):
        chrome.table(
            ["layer", "kind", "output", *series],
            [
                (layer.name, layer.kind, shape(layer), *map(number, of_layer))
                for layer, of_layer in zip(layers, values, strict=True)
            ],
            name="every-layer",
        )


def alone(layers: list[LayerCheck]) -> None:
    st.markdown(
        "Given exactly the same input, a layer's two results may differ by rounding only. The bound "
        "follows from the length of its sums; the share is how much of it was used."
    )
    worst = max(layers, key=lambda layer: layer.share)
    chrome.facts((f"of its bound at most, in {worst.name}", percent(worst.share, 0)))
    with st.expander("All layers in a table"):
        chrome.table(
            ["layer", "output", "largest difference", "share of the bound"],
            [(layer.name, shape(layer), number(layer.alone), percent(layer.share, 0)) for layer in layers],
            caption="A layer that only reorders, picks or passes on numbers differs by 0, and so does one "
            "whose sums both engines add up in the same order.",
            name="alone",
        )


def in_the_browser(record: dict[str, Any]) -> None:
    """The record of the page's own engine."""
    rows = sorted(record["operations"].items())
    cases = sum(found["cases"] for _, found in rows)
    most = max(found["largest"] for _, found in rows)
    st.markdown(
        "The live view has an engine of its own, in JavaScript, which computes in float32 what follows "
        "from a change while you make it. Generated networks, images and changes were given to it and to "
        f"NumPy: on {record['date']} {counted(cases, 'layer')} were compared, each on the browser's own "
        f"input. The largest difference of two numbers was {percent(most, 0)} of what two float32 "
        "evaluations may differ by."
    )
    with st.expander("By operation"):
        chrome.table(
            ["operation", "layers compared", "largest share of the bound"],
            [(name, found["cases"], percent(found["largest"], 0)) for name, found in rows],
            caption="0 % is equality to the last bit.",
            name="browser",
        )


def shape(layer: LayerCheck) -> str:
    return " × ".join(map(str, layer.shape))


def run_now() -> None:
    jobs.append(run_again())


here = lesson.begin("verification", saved=True)
record = cached.kept(recorded, here.network)
# Where the part that compares is folded, what was compared last still counts.
jobs = [VERIFICATIONS.find(here.network, images_of(asked_count()))]
result = st.container()
lesson.closer("again", "Run it now", run_now, asks=("images",))
job = jobs[-1]
live = job.result if job is not None else None
shown = live or record
with result:
    if shown is None:
        lack = f"The recorded verification of {here.model} is not here."
        st.info(plain(f"{lack} Where TensorFlow is installed, cnnviz verify {here.model} makes it anew."))
    else:
        summary(shown, ("computed", "just now") if live else ("recorded", f"on {shown.date}"))
if shown is not None:
    compared = [layer for layer in shown.layers if layer.alone or layer.share or layer.difference]
    rounding = [layer for layer in compared if layer.numpy_error and layer.tensorflow_error]
    with result:
        question_widget.ask(
            cached.rounded_weights_question(here.model, ASKED_OF),
            *(who_is_right(layer) for layer in sorted(rounding, key=lambda one: -one.difference)[:1]),
        )
lesson.closer("how", "What is compared, and how", what_was_compared)
if shown is not None:
    lesson.closer("layers", "Every layer, from the pixels on", partial(every_layer, shown, compared))
    alone_layers = [layer for layer in shown.layers if layer.kind != "InputLayer"]
    lesson.closer("alone", "Each layer alone, with its bound", partial(alone, alone_layers))
agreement = recorded_agreement()
if agreement:
    lesson.closer("browser", "What the browser computes", partial(in_the_browser, agreement))
count = job.images if job else COUNTS[1]
compared_images = f"images[:{count}]" if count > 1 else f"({here.digit.code})[None]"
snippets.show(
    f"""
    import cnnviz

    _, (images, labels) = cnnviz.load_mnist()
    # Needs TensorFlow: pip install "cnnviz[tensorflow]"
    print(cnnviz.verify({quoted(here.model)}, {compared_images}))
    """
)
chrome.half_truth(
    "If the predictions agree, the implementation is right.",
    "Predictions agree long before numbers do: a network forgives. So every layer is compared, "
    "not the last one alone, and each against a bound that follows from how float32 rounds.",
)
