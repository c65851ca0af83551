"""Epochs: batch, step and epoch in this run's own numbers, and the network as it was after each."""

import cached
import chrome
import numpy as np
import state
import streamlit as st

from cnnviz.training_history import TrainingHistory


def curves(history: TrainingHistory, epoch: int) -> None:
    """What was measured in every epoch, with a cursor on one."""
    keys = {"training": "{}", "validation": "val_{}"}
    measures = {
        name: {
            who: history.series(key.format(name))
            for who, key in keys.items()
            if history.series(key.format(name))
        }
        for name in ("accuracy", "loss")
    }
    measures["learning rate"] = {"learning rate": history.series("learning_rate")}
    for place, (title, series) in zip(chrome.columns(1, 1, 1), measures.items(), strict=True):
        with place:
            percent = title == "accuracy"
            chrome.show(
                "training_curves", share=1 / 3, series=series, epoch=epoch, title=title, percent=percent
            )
    st.caption(
        "Training figures are taken during the epoch, on distorted images and with dropout at work; that "
        "is why they can be worse than those on images left as they are."
    )


def as_it_was(here: chrome.Current, history: TrainingHistory, epoch: int) -> None:
    """The digit and the kernels with the weights of that epoch."""
    when = f"after epoch {epoch}" if epoch else "before training"
    layer = next(layer.name for layer in here.network.layers if layer.kind == "Conv2D")
    run = cached.run(here.model, here.digit, epoch)
    chrome.section(
        f"The digit, {when}",
        "Training sets out from random weights. Even they give maps that look like the digit; what they "
        "lack is any agreement about what it means.",
    )
    chrome.show("probabilities", f"The prediction {when}.", values=run.output, label=here.label, limit=640)
    chrome.show("feature_maps", f"{layer} {when}, all channels on one scale.", maps=run[layer])
    chrome.section(f"The kernels of {layer}")
    shown = sorted({0, 1, 2, 5, 10, epoch, history.epochs} & set(range(history.epochs + 1)))
    chrome.show(
        "kernels_over_epochs",
        "One row an epoch, all on one scale.",
        kernels=np.stack([history.weights_after(e)[f"{layer}/kernel"][:, :, 0] for e in shown]),
        epochs=shown,
        highlight=epoch,
    )


here = chrome.current()
history = cached.training(here.model)
in_fact = (
    "One epoch is one pass, batch after batch; when to stop is decided on images that are not trained on."
)
if history:
    in_fact = (
        f"Here an epoch is {history.steps_per_epoch} batches, {history.steps_per_epoch - 1} of "
        f"{history.batch_size} images and one of {history.last_batch}: one pass over {history.images:,} "
        "images. When to stop is decided on images that are not trained on."
    )
chrome.title(
    "Epochs",
    "An epoch is one pass over the whole training set. The images come in batches; after each batch all "
    "weights change a little, which is one step. Over many epochs the loss falls, first fast, then slowly.",
    heard="In an epoch the network sees one batch, and the more epochs, the better it gets.",
    instead=in_fact,
)
if history is None:
    st.info(f"The history of {here.model}'s training is not here.")
else:
    chrome.facts(
        ("training images", f"{history.images:,}"),
        ("images a batch", f"{history.batch_size}"),
        ("steps an epoch", f"{history.steps_per_epoch:,}"),
        ("epochs", f"{history.epochs}"),
        ("steps in all", f"{history.steps:,}"),
    )
    epoch = state.integer("epoch", 0, history.epochs, history.epochs, "After epoch", st.slider)
    curves(history, epoch)
    if history.weights is None:
        st.info("The weights after each epoch were not kept, so the network cannot be shown as it was.")
    else:
        as_it_was(here, history, epoch)
    chrome.code(
        f"""
        import cnnviz
        from cnnviz.training_history import read_history

        image = {here.digit.code}
        history = read_history("{here.model}")
        print(history.images, history.batch_size, history.steps_per_epoch, history.steps)
        net = cnnviz.load_model("{here.model}").with_weights(history.weights_after({epoch}))
        print(net.predict(image))
        """
    )
