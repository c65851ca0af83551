"""The page from scores to loss: softmax, loss and the step are the library's, also for one's own digit."""

from __future__ import annotations

import cnnviz
from apps.conftest import cells, htmls, pictures, widget
from cnnviz.concepts.scores_to_loss import loss_of, softmax_steps, step_against
from cnnviz.images.digit_text import digit_to_text
from cnnviz.numbers import number, percent, signed_number

IMAGES, LABELS = cnnviz.load_mnist()[1]


def loss(model: str, digit: int, target: int):
    return loss_of(cnnviz.load_model(model).run(IMAGES[digit]), target)


def test_softmax_at_a_temperature(visit):
    at = visit("scores_to_loss", digit=18, temperature=5.0)
    steps = softmax_steps(loss("mnist_14k", 18, 3).logits, 5.0)
    text = cells(at)
    for k in range(10):
        shown = (signed_number(steps.logits[k], 4), signed_number(steps.scaled[k], 4))
        assert "|".join((str(k), *shown, number(steps.exponentials[k]))) in text
    widget(at.select_slider, "temperature").set_value(0.5).run()
    assert at.query_params["temperature"] in ("0.5", ["0.5"])


def test_the_target_is_the_label_until_another_is_chosen(visit):
    at = visit("scores_to_loss", model="mnist_maxpool", digit=18)
    found = loss("mnist_maxpool", 18, int(LABELS[18]))
    assert f"<dd>{number(found.value)}</dd><dt>loss in nats" in htmls(at)
    widget(at.selectbox, "target").set_value(8).run()
    found = loss("mnist_maxpool", 18, 8)
    assert f"<dd>{number(found.value)}</dd><dt>loss in nats" in htmls(at)
    assert at.query_params["target"] in ("8", ["8"])


def test_a_step_against_the_gradient_is_taken_and_told(visit):
    at = visit("scores_to_loss", digit=18, target=5, step=0.2)
    found = step_against(loss("mnist_14k", 18, 5), 0.2)
    change = signed_number(found.after.value - found.before.value)
    after = f"{number(found.after.value)}|{change}|{percent(found.after.probability)}|{found.after.predicted}"
    assert f"after the step|{after}" in cells(at)
    assert f"expected from the gradient||{signed_number(found.expected)}" in cells(at)
    assert "loss for 5, by pixel from" in pictures(at)[-1]["alt"]


def test_ones_own_digit_has_no_label_and_starts_at_the_prediction(visit):
    at = visit("scores_to_loss", own=digit_to_text(IMAGES[18]))
    assert not at.exception
    words = " ".join(element.value for element in at.markdown)
    assert "The target is 3, what the network says, for your digit has no label." in words
