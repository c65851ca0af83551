"""The words that lessons use, each explained once, in one or two sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class GlossaryTerm:
    """A word, what it means, other words to look at, and the lesson that is about it ("" if none is).

    `forms` are other ways to write it: a plural, a short form.
    """

    term: str
    meaning: str
    also: tuple[str, ...] = ()
    lesson: str = ""
    forms: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """Its name in an address."""
        return re.sub(r"[^a-z0-9]+", "-", self.term.replace("×", "x").lower()).strip("-")


_TERMS = (
    GlossaryTerm(
        "activation",
        "The number that comes out of a unit, after its activation function; also that function itself, "
        "such as ReLU.",
        ("unit", "pre-activation", "ReLU"),
        "activation_functions",
        ("activations", "activation function", "activation functions"),
    ),
    GlossaryTerm(
        "batch",
        "Some images that go through the network together, in training between two changes of the weights.",
        ("epoch",),
        forms=("batches",),
    ),
    GlossaryTerm(
        "batch normalisation",
        "A layer that takes from each channel its mean, divides it by its spread, and then scales and "
        "shifts it by two learned numbers. In training mean and spread are the batch's, afterwards fixed "
        "ones.",
        ("batch", "channel"),
        "batch_norm_and_dropout",
        ("batch norm", "batch normalization"),
    ),
    GlossaryTerm(
        "bias",
        "A learned number that a unit adds to its sum of products, the same at every place of a map.",
        ("weight",),
        forms=("biases",),
    ),
    GlossaryTerm(
        "channel",
        "One of the maps that lie on one another in a layer: of a colour picture red, green or blue, of a "
        "convolution what one of its filters found. Their order means nothing.",
        ("feature map", "filter"),
        "feature_maps",
        ("channels",),
    ),
    GlossaryTerm(
        "convolution",
        "A layer that slides small kernels over its input, and at each place adds up the products of "
        "weights and numbers below them. What networks compute does not flip the kernel, as mathematics "
        "does.",
        ("kernel", "stride", "padding"),
        "convolution",
        ("convolutions",),
    ),
    GlossaryTerm(
        "cross-entropy",
        "The loss of a classifier: minus the logarithm of the probability that it gives to the right class.",
        ("loss", "softmax"),
        "scores_to_loss",
    ),
    GlossaryTerm(
        "dense layer",
        "A layer in which every output reads every input, each with a weight of its own.",
        ("weight", "convolution"),
        "why_convolution",
        ("dense layers",),
    ),
    GlossaryTerm(
        "dilation",
        "How far apart the cells lie that a kernel reads: with 2 it skips every other one, and sees more "
        "without more weights.",
        ("kernel", "receptive field"),
        "convolution",
    ),
    GlossaryTerm(
        "dropout",
        "In training some numbers, chosen at random, are set to 0, so that nothing relies on a single one. "
        "Afterwards nothing is dropped.",
        lesson="batch_norm_and_dropout",
    ),
    GlossaryTerm(
        "epoch",
        "Once through all training images.",
        ("batch",),
        "epochs",
        ("epochs",),
    ),
    GlossaryTerm(
        "feature map",
        "The numbers of one channel, laid out in rows and columns like the image: where its filter "
        "answered, and how strongly.",
        ("channel", "filter"),
        "feature_maps",
        ("feature maps",),
    ),
    GlossaryTerm(
        "filter",
        "All kernels of one output channel together, one for each channel that is read, with their bias.",
        ("kernel", "channel"),
        "kernels",
        ("filters",),
    ),
    GlossaryTerm(
        "gradient",
        "How much a result, such as the loss, changes with each of the numbers it was computed from: the "
        "slope in every direction at once. Training goes a small step against it.",
        ("loss", "weight"),
        "scores_to_loss",
        ("gradients",),
    ),
    GlossaryTerm(
        "kernel",
        "A small table of weights that a convolution slides over a map.",
        ("filter", "weight"),
        "kernels",
        ("kernels",),
    ),
    GlossaryTerm(
        "logit",
        "A score of a class before softmax. Only differences between logits count: adding 1 to all changes "
        "no probability.",
        ("softmax",),
        "scores_to_loss",
        ("logits",),
    ),
    GlossaryTerm(
        "loss",
        "One number for how wrong an answer is; training makes its mean small.",
        ("cross-entropy", "gradient"),
        "scores_to_loss",
    ),
    GlossaryTerm(
        "multiply-add",
        "One product added to a sum: what the cost of a layer is counted in.",
        forms=("multiply-adds",),
    ),
    GlossaryTerm(
        "norm",
        "The length of a list of numbers: the root of the sum of their squares. Of a kernel it says how "
        "large its weights are together. (Batch norm is another thing.)",
        ("batch normalisation",),
        "kernels",
        ("norms",),
    ),
    GlossaryTerm(
        "padding",
        "Cells that are added around a map, mostly zeros, so that a window can reach over its border and "
        "what comes out keeps its size.",
        ("stride",),
        "convolution",
    ),
    GlossaryTerm(
        "parameter",
        "A number that training sets: a weight or a bias.",
        ("weight", "bias"),
        forms=("parameters",),
    ),
    GlossaryTerm(
        "pooling",
        "Making a map smaller by putting one number in the place of each window: its largest, or its mean. "
        "Nothing in it is learned.",
        ("stride",),
        "pooling",
        ("max pooling", "average pooling"),
    ),
    GlossaryTerm(
        "pre-activation",
        "A unit's sum of products and its bias, before the activation function.",
        ("activation",),
        "activation_functions",
        ("pre-activations",),
    ),
    GlossaryTerm(
        "receptive field",
        "The part of the image that can change a unit. It grows from layer to layer.",
        ("unit", "stride"),
        "receptive_field",
        ("receptive fields",),
    ),
    GlossaryTerm(
        "ReLU",
        "The activation function that keeps what is positive and makes 0 of the rest: max(x, 0).",
        ("activation",),
        "activation_functions",
    ),
    GlossaryTerm(
        "singular direction",
        "A matrix can be taken apart into steps from one direction to another, each with a strength. The "
        "strongest few give the matrix nearest to it that is simpler.",
        lesson="one_by_one",
        forms=("singular directions", "singular value", "singular values"),
    ),
    GlossaryTerm(
        "softmax",
        "Turns scores into numbers between 0 and 1 that sum to 1: e to each score, over the sum of all of "
        "them. It makes probabilities of anything, knowledge or not.",
        ("logit",),
        "scores_to_loss",
    ),
    GlossaryTerm(
        "stride",
        "How many cells a window moves from one place to the next: with 2 the map that comes out has half "
        "the rows and columns.",
        ("padding", "pooling"),
        "convolution",
        ("strides",),
    ),
    GlossaryTerm(
        "unit",
        "One cell of one channel of a layer: what computes one number.",
        ("activation", "channel"),
        forms=("units",),
    ),
    GlossaryTerm(
        "weight",
        "A learned number that an input is multiplied by.",
        ("kernel", "bias", "parameter"),
        forms=("weights",),
    ),
)

GLOSSARY = {each.term: each for each in _TERMS}
"""By the word, in alphabetical order."""

_BY_FORM = {form.lower(): each for each in _TERMS for form in (each.term, *each.forms)}
_FORMS = re.compile(
    r"(?<![\w-])(" + "|".join(map(re.escape, sorted(_BY_FORM, key=len, reverse=True))) + r")(?![\w-])",
    re.IGNORECASE,
)
_LEFT_ALONE = re.compile(r"(`[^`]*`|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\))")
"""Code, formulas and links in Markdown."""


def linked(markdown: str, lesson: str, explained: set[str]) -> str:
    """A text in which the first mention of each word of the glossary leads to what it means.

    Parameters
    ----------
    markdown
        The text; code, formulas and links in it are left alone.
    lesson
        Whose page it stands on: words that this lesson is about are left alone too.
    explained
        The words that were mentioned before; those found here are added.

    Examples
    --------
    >>> linked("Logits and a logit.", "kernels", set())
    '[Logits](glossary#logit) and a logit.'
    """

    def mention(found: re.Match[str]) -> str:
        each = _BY_FORM[found[0].lower()]
        if each.term in explained or (lesson and each.lesson == lesson):
            return found[0]
        explained.add(each.term)
        return f"[{found[0]}](glossary#{each.slug})"

    parts = _LEFT_ALONE.split(markdown)
    return "".join(part if k % 2 else _FORMS.sub(mention, part) for k, part in enumerate(parts))
