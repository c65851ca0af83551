"""Questions about training: what a step is, and what becomes of digits that were right.

Each takes a run's own numbers, and the answer is computed from them.
"""

from __future__ import annotations

import math

from cnnviz.numbers import counted
from cnnviz.teaching.questions.question import Question, choice_by, question
from cnnviz.training.epoch_predictions import EpochPredictions


def weight_changes(images: int, batch_size: int, epochs: int) -> Question:
    """How often the weights have changed after some epochs.

    Parameters
    ----------
    images, batch_size, epochs
        All at least 1.

    Raises
    ------
    ValueError
        if one of them is not positive.

    Examples
    --------
    >>> weight_changes(55_000, 100, 2).answer.text
    '1,100 times'
    """
    if min(images, batch_size, epochs) < 1:
        raise ValueError(
            f"images, batch_size and epochs must be at least 1, got {images}, {batch_size} and {epochs}"
        )
    steps, full = math.ceil(images / batch_size), images // batch_size
    rest = images - full * batch_size
    last = f", the last of them with {counted(rest, 'image')}" if rest and steps > 1 else ""
    left = f"The last {counted(rest, 'image')} of an epoch" if rest != 1 else "The last image of an epoch"

    times = choice_by(lambda count: counted(count, "time"))
    return question(
        f"A network is trained on {counted(images, 'image')} in batches of {batch_size:,}. How often have "
        f"its weights changed after {f'{epochs} epochs' if epochs > 1 else 'one epoch'}?",
        times(
            steps * epochs,
            f"{images:,} / {batch_size:,}, rounded up, is {counted(steps, 'batch', 'batches')} an "
            f"epoch{last}. Each changes all weights once, and {epochs} × {steps:,} = {steps * epochs:,}.",
        ),
        [
            times(
                epochs,
                "An epoch is a whole pass over the training set; the weights change after every batch in it.",
                "taking an epoch for one change of the weights",
            ),
            times(
                images * epochs,
                f"So often is an image looked at. The weights change once for {batch_size:,} of them "
                "together, by the mean of their gradients.",
                "taking each image for a step",
            ),
            times(
                full * epochs,
                f"{left} {'is' if rest == 1 else 'are'} a batch too, a smaller one: the number of steps is "
                "rounded up.",
                "leaving out the last, smaller batch",
            ),
            times(
                batch_size * epochs,
                f"{batch_size:,} is how many images are in a batch, not how many batches there are.",
                "taking the batch size for the number of batches",
            ),
            # One image, looked at once: all of the above say one.
            times(0, "A single batch changes the weights as well.", "counting the changes from nought"),
        ],
    )


def forgotten(predictions: EpochPredictions, epoch: int) -> Question:
    """How many test digits that were right after an epoch the last epoch's weights get wrong.

    Parameters
    ----------
    predictions
        After every epoch.
    epoch
        From 0, before the last.

    Raises
    ------
    ValueError
        if there is no such epoch, or none after it.

    Examples
    --------
    >>> from cnnviz.training.epoch_predictions import read_predictions
    >>> forgotten(read_predictions("mnist_14k"), 7).answer.text
    '18 digits'
    """
    if not 0 <= epoch < predictions.epochs:
        raise ValueError(f"epoch must be from 0 to {predictions.epochs - 1}, got {epoch!r}")
    then, now = predictions.right[epoch], predictions.right[-1]
    lost, gained = int((then & ~now).sum()), int((now & ~then).sum())
    before, after = int((~then).sum()), int((~now).sum())
    when = f"After epoch {epoch}" if epoch else "Before training"
    turned = f"{gained:,} became right and {lost:,} became wrong"

    digits = choice_by(lambda count: counted(count, "digit"))
    return question(
        f"{when} the network gets {before:,} of the {len(then):,} test digits wrong, after epoch "
        f"{predictions.epochs} it gets {after:,} wrong. How many digits were right "
        f"{when[0].lower()}{when[1:]} and are wrong in the end?",
        digits(
            lost,
            f"{turned}: {before:,} − {gained:,} + {lost:,} = {after:,}. Accuracy is a balance, not a list "
            "of what is known.",
        ),
        [
            digits(
                0,
                "Every step changes all weights for the sake of one batch; other digits may pay for it.",
                "what is learned once stays learned",
            ),
            digits(
                after,
                f"Then every mistake at the end would be a new one. {after - lost:,} of the {after:,} "
                f"{'was one' if after - lost == 1 else 'were mistakes'} already.",
                "taking every mistake at the end for something forgotten",
            ),
            digits(
                abs(before - after),
                f"That is the net change: {turned}.",
                "seeing only the difference of two counts",
            ),
            digits(
                gained,
                f"So many became right. The accuracy says how many more those are than the {lost:,} that "
                "became wrong.",
                "taking the digits that were learned for those that were forgotten",
            ),
            # Where most of the above are the same.
            digits(lost + 1, f"That is one too many: {turned}.", "miscounting"),
        ],
    )
