"""The lessons, in the order in which they are taught: the one list that pages, exercises and records use."""

from __future__ import annotations

from dataclasses import dataclass

from cnnviz.numbers import brief


@dataclass(frozen=True)
class Lesson:
    """One lesson: its name in addresses and on the command line, its title, its part.

    It opens on the digit of a rule in `opening_digits.OPENING_RULES`, and ends with the public functions that
    do what it is about, by their paths.
    """

    name: str
    title: str
    part: str
    opens_on: str
    in_python: tuple[str, ...]


_PARTS = {
    "The network": {
        "overview": "Overview",
        "try_it": "Try it",
        "feature_maps": "Feature maps",
        "receptive_field": "Receptive field",
    },
    "Its parts": {
        "convolution": "Convolution",
        "kernels": "Kernels",
        "three_by_three": "3×3",
        "one_by_one": "1×1",
        "pooling": "Pooling",
        "activation_functions": "Activation functions",
        "batch_norm_and_dropout": "Batch norm and dropout",
    },
    "How it came about": {
        "why_convolution": "Why convolution",
        "scores_to_loss": "From scores to loss",
        "epochs": "Epochs",
        "verification": "Verification",
    },
}

_OPENS_ON = {
    "convolution": "inky",
    "kernels": "inky",
    "three_by_three": "inky",
    "scores_to_loss": "mistake",
    "epochs": "wavering",
}
"""Rules by lesson; the others open on a digit about which the network is in doubt, so that changes show."""

_IN_PYTHON = {
    "overview": ("cnnviz.view", "cnnviz.explain"),
    "try_it": ("cnnviz.load_image", "cnnviz.figures.preparation_steps"),
    "feature_maps": ("cnnviz.Run", "cnnviz.figures.feature_maps"),
    "receptive_field": ("cnnviz.receptive_field", "cnnviz.receptive_fields.check_field"),
    "convolution": ("cnnviz.ops.conv2d", "cnnviz.animate.conv2d"),
    "kernels": ("cnnviz.kernels.sobel", "cnnviz.figures.kernel_gallery"),
    "three_by_three": ("cnnviz.channels.stack_of_3x3", "cnnviz.kernels.nearest_stack"),
    "one_by_one": ("cnnviz.channels.mixing_matrix", "cnnviz.figures.pixel_mixing"),
    "pooling": ("cnnviz.ops.max_pool2d", "cnnviz.animate.max_pool2d"),
    "activation_functions": ("cnnviz.ops.relu", "cnnviz.figures.activation_curve"),
    "batch_norm_and_dropout": ("cnnviz.ops.batch_norm", "cnnviz.figures.dropout_steps"),
    "why_convolution": ("cnnviz.channels.conv_cost", "cnnviz.figures.moved_maps"),
    "scores_to_loss": ("cnnviz.ops.softmax", "cnnviz.ops.softmax_cross_entropy"),
    "epochs": ("cnnviz.training.Trainer", "cnnviz.figures.training_curves"),
    "verification": ("cnnviz.verify",),
}
"""By lesson, the functions and classes that do what it is about; the page *In Python* tells of them."""

LESSONS = {
    name: Lesson(name, title, part, _OPENS_ON.get(name, "doubtful"), _IN_PYTHON[name])
    for part, titles in _PARTS.items()
    for name, title in titles.items()
}
"""By name, in order; the first is the one that opens."""


def lesson_named(name: str) -> Lesson:
    """The lesson of that name, in which a hyphen may stand for an underscore.

    >>> lesson_named("one-by-one").title
    '1×1'

    Raises ValueError for a name that no lesson has.
    """
    found = LESSONS.get(name.replace("-", "_"))
    if found is None:
        raise ValueError(f"there is no lesson {brief(name)}; the lessons are {', '.join(LESSONS)}")
    return found


def neighbours(name: str) -> tuple[Lesson | None, Lesson | None]:
    """The lessons before and after one; None where there is none.

    >>> [lesson and lesson.name for lesson in neighbours("verification")]
    ['epochs', None]
    """
    order = list(LESSONS.values())
    place = order.index(lesson_named(name))
    return (order[place - 1] if place else None), (order[place + 1] if place + 1 < len(order) else None)
