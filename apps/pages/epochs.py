"""Epochs: batch, step and epoch in this run's own numbers, and the network as it was after each."""

from __future__ import annotations

from functools import partial
from typing import Any

import cached
import chrome
import epoch_player
import header
import lesson
import numpy as np
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import choose_test_digit, test_digits
from lesson import Aspect
from plain import plain

from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, number, points
from cnnviz.teaching.questions import epochs as questions
from cnnviz.teaching.walks.epochs import epoch_steps, run_titles
from cnnviz.training.epoch_predictions import EpochPredictions, Flip, read_predictions
from cnnviz.training.history import TrainingHistory, read_history, read_selection
from cnnviz.training.learning_curves import MEASURES, learning_curves
from cnnviz.training.recipes import Recipe
from cnnviz.training.selection import read_selections

# How many digits are drawn of each kind, and listed of all. (A string here would be put on the page.)
DRAWN, LISTED = 6, 100

SCALES = {"accuracy": "accuracy", "loss": "log", "test digits that change sides": "count"}


def played() -> tuple[bool, int, int]:
    """The run, played from before training to its end, with the walk through it and others.

    Whether it is this network's own, the epoch that is chosen, and the step's.
    """
    player = st.container(key="player")
    player.html('<span class="place"></span>')  # A container is there only with something in it.
    steps = cached.kept(epoch_steps, here.model)
    runs = cached.kept(run_titles)
    begins = {run: next(n for n, step in enumerate(steps) if step.run == run) for run in runs}
    with chrome.controls("run"):
        run = state.option(
            "run",
            runs,
            "final",
            st.segmented_control,
            "Recorded run",
            on_change=lambda: epoch_player.go_to(steps, begins[state.set_to("run")]),
        )
        step = state.place("walk", len(steps), begins[run])
        measure = state.option("measure", MEASURES, steps[step].measure, st.segmented_control, "Measure")
    with player:
        epoch, opens = epoch_player.show(run, measure, steps, step, here.model, here.digit, here.label)
    return run == "final", epoch, opens


def batches(history: TrainingHistory) -> int:
    """The arithmetic of an epoch, for this run's batch size or another."""
    st.markdown(
        f"{plain(history.model)} was trained with {history.batch_size} images a batch. Each batch is one "
        "step, also called an iteration: the gradient of its mean loss changes all weights once."
    )
    counted_up, drawn = chrome.columns(2, 3)
    with counted_up:
        size = state.integer("batch", 1, history.images, history.batch_size, "Images a batch")
        chosen = history.with_batch_size(size)
        with st.container(key="formulas", horizontal=True, vertical_alignment="center", gap="medium"):
            st.latex(
                rf"\left\lceil \frac{{{latex(chosen.images)}}}{{{latex(size)}}} \right\rceil = "
                rf"\lceil {chosen.batches:.2f} \rceil = {latex(chosen.steps_per_epoch)}",
                width="content",
            )
            st.latex(
                rf"{chosen.epochs} \cdot {latex(chosen.steps_per_epoch)} = {latex(chosen.steps)}",
                width="content",
            )
        chrome.facts(
            ("steps an epoch", f"{chosen.steps_per_epoch:,}"),
            ("images in the last batch", f"{chosen.last_batch:,}"),
            (f"steps in {counted(chosen.epochs, 'epoch')}", f"{chosen.steps:,}"),
        )
    with drawn:
        chrome.show(
            "epoch_batches",
            "One epoch: every cell is a batch, the outlined last one has "
            f"{counted(chosen.last_batch, 'image')}. Each of the {chosen.images:,} images is in one of them; "
            "their order is another in every epoch.",
            share=0.6,
            limit=640,
            images=chosen.images,
            batch_size=size,
        )
    return size


def latex(value: int) -> str:
    return f"{value:,}".replace(",", "{,}")


def scrubber(history: TrainingHistory, opens: int) -> int:
    """A slider for the epoch that this part is about, `opens` if none is chosen; it stays in sight."""
    with chrome.row("scrubber", gap="small"):
        epoch = state.integer("epoch", 0, history.epochs, opens, "After epoch", st.slider)
        for name, target in (("Earlier", max(epoch - 1, 0)), ("Later", min(epoch + 1, history.epochs))):
            st.button(name, on_click=state.put, args=("epoch", target), disabled=target == epoch)
    return epoch


def curves(history: TrainingHistory, predictions: EpochPredictions | None, epoch: int) -> None:
    """What was measured in every epoch, with a cursor on one."""
    panels: dict[str, Any] = {
        "accuracy": {"training, in the epoch": history.series("accuracy")},
        "loss": {"training, in the epoch": history.series("loss")},
        "learning rate": {"learning rate": history.series("learning_rate")},
    }
    numbers = [("steps so far", f"{history.steps_after(epoch):,}")]
    if epoch:
        numbers.append(("learning rate of the epoch", number(history.series("learning_rate")[epoch - 1])))
    if predictions:
        measured = cached.kept(learning_curves, (here.model,), "accuracy")
        for name, measures in (("accuracy", predictions.accuracies), ("loss", predictions.losses)):
            panels[name] |= {"training, as it is": measures["training"][1:], "test": measures["test"][1:]}
        gained, lost = predictions.turns().T
        panels["test digits that change sides"] = {"become right": gained, "become wrong": lost}
        numbers += [
            *((f"accuracy on {curve.name}", curve.text(epoch)) for curve in measured),
            ("gap between the two, in percentage points", points(predictions.gap(epoch))),
        ]
    chrome.facts(*numbers)
    said = (
        f" “As it is” and “test” were evaluated afterwards, on {predictions.training_images:,} training "
        f"images and {len(predictions.labels):,} test images as they are, without dropout; no choice was "
        "based on them."
        if predictions
        else ""
    )
    chrome.show(
        "training_curves",
        f"“In the epoch” was taken while the weights changed, on images {seen_as(history)}.{said} Levels are "
        "spaced so that halving the mistakes, or the loss, is always one length.",
        panels=panels,
        epoch=epoch,
        scales=SCALES,
    )


def seen_as(history: TrainingHistory) -> str:
    """How the run saw its images."""
    return Recipe.of(history.recipe).sees


def as_it_was(history: TrainingHistory, epoch: int) -> str:
    """The digit and the kernels with the weights of that epoch; the code for these kernels."""
    when = f"after epoch {epoch}" if epoch else "before training"
    st.markdown(
        "Training sets out from random weights. Even they give maps that look like the digit; what they "
        "lack is any agreement about what it means."
    )
    layers = [layer.name for layer in here.network.layers if layer.is_convolution]
    with chrome.controls("layer"):
        layer = state.option("layer", layers, layers[0], st.selectbox, "Layer")
        inputs = here.network[layer].weights["kernel"].shape[2]
        channel = state.integer("input", 0, inputs - 1, 0, "Kernels for input channel")
    run = cached.run(here.model, here.digit, epoch)
    shown = history.around(epoch)
    left, right = chrome.columns(1, 1)
    with left:
        chrome.show(
            "feature_maps",
            f"{layer} on {here.digit.name} {when}, all channels on one scale.",
            share=0.5,
            maps=run[layer],
        )
    with right:
        chrome.show(
            "kernels_over_epochs",
            f"The kernels of {layer} for input channel {channel}. One row an epoch, all on one scale.",
            share=0.5,
            kernels=np.stack([history.weights_after(e)[f"{layer}/kernel"][:, :, channel] for e in shown]),
            epochs=shown,
            highlight=epoch,
        )
    return f'print(net[{quoted(layer)}].weights["kernel"][:, :, {channel}].max())'


def flips(predictions: EpochPredictions, epoch: int) -> None:
    """The test digits that changed sides in the epoch."""
    st.markdown(
        "From one epoch to the next some digits become right and others become wrong. The accuracy shows "
        "the difference only."
    )
    if not epoch:
        st.info("Nothing came before the initial weights. Choose an epoch from 1 on.")
        return
    turned = predictions.flips(epoch)
    if not turned:
        st.info(f"In epoch {epoch} no test digit changed sides.")
        return
    gained, lost = [f for f in turned if f.gained], [f for f in turned if not f.gained]
    chosen = [*gained[:DRAWN], *lost[:DRAWN]]
    chrome.facts(("became right", f"{len(gained):,}"), ("became wrong", f"{len(lost):,}"))
    images, _ = test_digits()
    chrome.show(
        "flipped_digits",
        f"Test digits by their numbers; the prediction after epoch {epoch - 1} → after epoch {epoch}: "
        f"{first(gained, 'that became right')}, then {first(lost, 'that became wrong')}.",
        images=images[[f.index for f in chosen]],
        labels=[f.label for f in chosen],
        before=[f.before for f in chosen],
        after=[f.after for f in chosen],
        names=[f"{f.index:,}" for f in chosen],
        limit=640,
    )
    st.pills(
        "Take one of them as the digit of all pages",
        [f.index for f in chosen],
        key="flips.chosen",
        format_func=lambda index: f"{index:,}",
        on_change=take,
    )
    with st.expander(
        f"All {len(turned):,} in a table" if len(turned) <= LISTED else f"The first {LISTED} in a table"
    ):
        chrome.table(
            ["test digit", "label", f"after epoch {epoch - 1}", f"after epoch {epoch}", "became"],
            [
                (f.index, f.label, f.before, f.after, "right" if f.gained else "wrong")
                for f in turned[:LISTED]
            ],
            name=f"flips-epoch-{epoch}",
        )


def first(digits: list[Flip], words: str) -> str:
    if len(digits) > DRAWN:
        return f"the first {DRAWN} of {len(digits):,} {words}"
    return f"{'the ' if digits else ''}{len(digits) or 'none'} {words}"


def take() -> None:
    chosen = st.session_state["flips.chosen"]
    if chosen is not None:
        st.session_state["flips.chosen"] = None
        choose_test_digit(chosen)


def validation(selection: TrainingHistory, epoch: int) -> None:
    """The run that tried the recipe out, and its gap."""
    recipes = len(cached.kept(read_selections, here.model))
    tried = (
        f"The recipe was chosen among {recipes}, each tried out in runs of its own"
        if recipes > 1
        else "The recipe was tried out, as the only one, in a run of its own"
    )
    st.markdown(
        f"{tried} with {selection.images:,} images to train on, and {selection.validation_images:,} "
        "validation images that never change a weight. The network that you see was then trained by the "
        "same recipe on all of them, so it has no validation images any more."
    )
    if epoch:
        row = selection.rows[epoch - 1]
        chrome.facts(
            (f"training accuracy, epoch {epoch}", epoch_player.share(row["accuracy"], selection.images)),
            (
                f"validation accuracy, epoch {epoch}",
                epoch_player.share(row["val_accuracy"], selection.validation_images),
            ),
            ("training less validation, in percentage points", points(selection.gap(epoch))),
        )
    # Without a cursor it is the same picture at every epoch, and drawn once; the numbers stand above it.
    chrome.show(
        "training_curves",
        f"The selection run. Training figures were taken while the weights changed, on images "
        f"{seen_as(selection)}.",
        panels={
            name: {"training": selection.series(name), "validation": selection.series(f"val_{name}")}
            for name in ("accuracy", "loss")
        },
        scales=SCALES,
    )


def as_it_was_after(
    history: TrainingHistory,
    predictions: EpochPredictions | None,
    selection: TrainingHistory | None,
    opens: int,
) -> None:
    """All that follows the epoch, one aspect at a time."""
    epoch = scrubber(history, opens)
    sides = {"numbers": Aspect("All that was measured", lambda: curves(history, predictions, epoch))}
    if history.weights is not None:
        sides["network"] = Aspect(
            "Maps and kernels", lambda: lines.update(kernels=as_it_was(history, epoch)), ("layer", "input")
        )
    if predictions:
        sides["digits"] = Aspect("Digits that change sides", lambda: flips(predictions, epoch))
    if selection:
        sides["validation"] = Aspect("Training against validation", lambda: validation(selection, epoch))
    lesson.aspects("about", "After this epoch", sides)


here = header.current(saved=True)
history = cached.kept(read_history, here.model)
in_fact = "When to stop is decided on images that are not trained on."
if history:
    in_fact = (
        f"Here an epoch is {counted(history.steps_per_epoch, 'batch', 'batches')}, "
        f"{history.steps_per_epoch - 1} of {history.batch_size} images and one of {history.last_batch}: "
        f"one pass over {history.images:,} images. {in_fact}"
    )
if history is None:
    st.info(f"The history of {plain(here.model)}'s training is not here.")
else:
    own = history
    lines: dict[str, Any] = {"size": own.batch_size, "kernels": ""}
    final, epoch, opens = played()
    epoch = epoch if final else history.epochs
    predictions = cached.kept(read_predictions, here.model)
    selection = cached.kept(read_selection, here.model)
    to_ask: list[Any] = []
    if selection:
        to_ask.append(
            partial(questions.weight_changes, selection.images, selection.batch_size, max(epoch, 1))
        )
    if predictions:
        # What turned in the last epoch can be seen; what adds up over several cannot.
        early = epoch if epoch < predictions.epochs - 1 else predictions.epochs // 2
        to_ask.append(partial(questions.forgotten, predictions, early))
    if to_ask:
        question_widget.ask(*to_ask)
    lesson.closer("batches", "Batch, step, epoch", lambda: lines.update(size=batches(own)), asks=("batch",))
    if final:
        lesson.closer(
            "after",
            "What was measured after each epoch, and the network as it was",
            lambda: as_it_was_after(own, predictions, selection, opens),
            asks=("about", "layer", "input"),
        )
    validated = ""
    if selection and epoch:
        row = f"row = read_selection({quoted(here.model)}).rows[{epoch - 1}]"
        validated = f"{row}; print(row['accuracy'], row['val_accuracy'], "
        validated += "100 * (row['accuracy'] - row['val_accuracy']))"
    snippets.show(
        f"""
        import cnnviz
        from cnnviz.training.epoch_predictions import read_predictions
        from cnnviz.training.history import read_history, read_selection

        image = {here.digit.code}
        history = read_history({quoted(here.model)})
        chosen = history.with_batch_size({lines["size"]})
        print(chosen.images, chosen.steps_per_epoch, chosen.last_batch, chosen.steps)
        print(history.steps_after({epoch}), history.series("learning_rate"))
        net = cnnviz.load_model({quoted(here.model)}).with_weights(history.weights_after({epoch}))
        print(net.predict(image))
        {lines["kernels"]}
        found = read_predictions({quoted(here.model)})
        print(found.accuracies["training"][{epoch}], found.accuracies["test"][{epoch}])
        print(100 * found.gap({epoch}))
        flips = found.flips({max(epoch, 1)})
        print(sum(flip.gained for flip in flips), sum(not flip.gained for flip in flips))
        {validated}
        """
    )
chrome.half_truth("In an epoch the network sees one batch, and the more epochs, the better it gets.", in_fact)
