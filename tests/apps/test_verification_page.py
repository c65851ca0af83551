"""The verification page: every layer's recorded numbers, and what a comparison made now replaces."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import pytest

from apps.conftest import cells, htmls, pictures
from cnnviz.numbers import number, percent
from cnnviz.verification import live_verification, tensorflow_process
from cnnviz.verification.comparison import read_record
from cnnviz.verification.live_verification import VerificationJob
from cnnviz.verification.tensorflow_process import TensorFlowProcess


def compare_now(at):
    return next((button for button in at.button if button.label == "Compare now"), None)


@pytest.fixture
def jobs(monkeypatch):
    """What is started, without a process."""
    started: dict[tuple, VerificationJob] = {}

    def start(net, images):
        job = started[net.name, images.tobytes()] = VerificationJob(TensorFlowProcess(), len(images))
        job.state = "running"
        return job

    monkeypatch.setattr(live_verification.VERIFICATIONS, "start", start)
    monkeypatch.setattr(
        live_verification.VERIFICATIONS, "find", lambda net, images: started.get((net.name, images.tobytes()))
    )
    return started


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_every_layers_recorded_numbers_are_there(visit, model):
    at = visit("verification", model=model)
    record, text = read_record()[model], cells(at)
    for layer in record.layers[1:]:
        shape = " × ".join(map(str, layer.shape))
        assert f"{layer.name}|{shape}|{number(layer.alone)}|{escape(percent(layer.share, 0))}" in text
        errors = [number(value) for value in (layer.difference, layer.numpy_error, layer.tensorflow_error)]
        assert f"{layer.name}|{layer.kind}|{shape}|{'|'.join(errors)}" in text
    assert f"{record.identical:,} of {record.images:,} images" in htmls(at)
    assert f"on {record.date}" in htmls(at)


def test_a_comparison_shows_its_progress_and_replaces_the_record(visit, jobs):
    at = visit("verification", images=10, digit=3)
    compare_now(at).click().run()
    (job,) = jobs.values()
    assert job.images == 10
    assert compare_now(at).disabled or not job.over
    job.done = 4
    at.run()
    assert not at.exception
    assert compare_now(at).disabled
    assert "<dt>recorded</dt>" in htmls(at)
    job.result = replace(read_record()["mnist_14k"], images=10, identical=10, predict_difference=1.25e-6)
    job.state = "done"
    at.run()
    assert not at.exception
    assert not compare_now(at).disabled
    assert "10 of 10 images" in htmls(at)
    assert "just now" in htmls(at)
    assert "1.25e−06" in htmls(at)
    assert "images[:10]" in at.code[-1].value


def test_one_digit_is_the_one_that_the_header_shows(visit, jobs):
    at = visit("verification", images=1, digit=42)
    compare_now(at).click().run()
    ((_, pixels),) = jobs
    import cnnviz

    assert pixels == cnnviz.load_mnist()[1][0][42].tobytes()


def test_what_went_wrong_is_said_and_the_record_stays(visit, jobs):
    at = visit("verification", images=100)
    compare_now(at).click().run()
    (job,) = jobs.values()
    job.state, job.error = "failed", "no room"
    at.run()
    assert "TensorFlow could not be asked: no room." in at.warning[0].value
    assert "on 20" in htmls(at)
    assert pictures(at)


def test_without_tensorflow_a_sentence_takes_the_buttons_place(visit, monkeypatch):
    monkeypatch.setattr(tensorflow_process, "find_spec", lambda name: None)
    tensorflow_process.available.cache_clear()
    try:
        at = visit("verification")
        assert compare_now(at) is None
        assert "TensorFlow is not installed here" in " ".join(markdown.value for markdown in at.markdown)
        assert pictures(at)
    finally:
        monkeypatch.undo()
        tensorflow_process.available.cache_clear()
