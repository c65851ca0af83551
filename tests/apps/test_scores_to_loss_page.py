"""The page from scores to loss: softmax, loss and the step are the library's, also for one's own digit."""

from __future__ import annotations

import numpy as np

import cnnviz
from apps.conftest import cells, drawn, htmls, said, widget
from cnnviz.concepts.scores_to_loss import loss_of, softmax_steps, step_against
from cnnviz.images.digit_text import digit_to_text
from cnnviz.numbers import number, percent, signed_number
from cnnviz.training import SGD, Trainer
from cnnviz.training.history import read_history

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
    at = visit("scores_to_loss", model="mnist_maxpool", digit=18, about="loss")
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
    assert "loss for 5, by pixel from" in drawn(at, "pixel-gradient")["alt"]


def test_ones_own_digit_has_no_label_and_starts_at_the_prediction(visit):
    at = visit("scores_to_loss", own=digit_to_text(IMAGES[18]), about="loss")
    assert not at.exception
    words = " ".join(element.value for element in at.markdown)
    assert "The target is 3, what the network says, for your digit has no label." in words


def test_one_weight_s_gradient_is_the_sum_that_keras_would_step_by(visit):
    at = visit("scores_to_loss", kernel=1, row=1, column=2, nudge=-0.01, image=4, rate=0.01)
    assert not at.exception
    (images, labels), _ = cnnviz.load_mnist()
    net = cnnviz.load_model("mnist_14k")
    net = net.with_weights(read_history("mnist_14k").weights_after(0))
    trainer = Trainer(net, SGD(0.01))
    step = trainer.step(images[:8], labels[:8])
    place = (1, 2, 0, 1)
    gradient = float(step.gradients["conv2d/kernel"][place])
    before = float(net["conv2d"].weights["kernel"][place])
    after = float(trainer.network["conv2d"].weights["kernel"][place])
    assert f"<dd>{signed_number(gradient)}</dd><dt>its gradient, a sum of {8 * 26 * 26:,} products" in htmls(
        at
    )
    told = next(text for text in said(at) if text.startswith("One step of gradient descent takes"))
    assert f"{signed_number(before)} − 0.01 · ({signed_number(gradient)}) = {signed_number(after)}" in told
    # One image's share of it: what the weight met of it, times what came back, position by position.
    came_back = step.gradient.pre_activation("conv2d")[4, :, :, 1].astype(np.float64)
    share = float((images[4, 1:27, 2:28] / 255 * came_back).sum())
    assert f"4|{labels[4]}|{signed_number(share)}" in cells(at)
    changed = np.array(net["conv2d"].weights["kernel"])
    changed[place] -= 0.01
    then = Trainer(net.with_weights({"conv2d/kernel": changed}), SGD(0.0)).step(images[:8], labels[:8]).loss
    assert f"<dd>{number(float(then), 4)}</dd><dt>with −0.01 added to the weight" in htmls(at)
