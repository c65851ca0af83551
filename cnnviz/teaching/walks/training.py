"""Training: six runs that go wrong, or right in an unexpected way, each to be started and watched.

The steps are told of runs instead of a stage, by `cnnviz.teaching.training_walk`, which says what their
expressions may call.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnnviz.training.watched_training import SMALL, RunSettings

_PLAIN = RunSettings(images=2_000, batch_size=64, learning_rate=0.01)
_BY_HEART = replace(_PLAIN, images=100, batch_size=20, learning_rate=0.003)
_BARE = replace(_PLAIN, network="mnist_14k", learning_rate=0.005, batch_norm=False)
_DEAD = replace(_PLAIN, network=SMALL, optimizer="sgd", learning_rate=0.5)
_SEED = replace(_PLAIN, learning_rate=0.003)

TRAINING: dict[str, Any] = {
    "name": "training",
    "title": "Things to find out",
    "steps": [
        {
            "name": "rate",
            "title": "A rate ten times too high",
            "runs": [("at 0.1", replace(_PLAIN, learning_rate=0.1)), ("at 0.01", _PLAIN)],
            "until": 100,
            "shows": "loss(0) > 0.9 * chance and loss(1) < chance / 4",
            "say": [
                [
                    "not shown()",
                    "A step changes each weight against its gradient, as far as the learning rate says. "
                    "Here it is 0.1, ten times what suits Adam and this network.",
                ],
                [
                    "steps(0) == 0",
                    "Watch the loss: does it get below {chance}, which is what guessing costs?",
                ],
                [
                    "steps(0) > 0",
                    "At 0.1 the loss is {loss(0)} after {steps(0): count} {steps(0): step|steps}; guessing "
                    "costs {chance}.",
                ],
                [
                    "steps(1) > 0",
                    "At 0.01 it is {loss(1)} after {steps(1): count} {steps(1): step|steps}.",
                ],
                [
                    "shown()",
                    "A step that is too long ends beyond what it aimed at, and the next one has to set out "
                    "from there.",
                ],
            ],
        },
        {
            "name": "by_heart",
            "title": "A hundred images by heart",
            "runs": [("with 100 images", _BY_HEART)],
            "until": 200,
            "shows": "right(0) > 0.98 and held_out(0) < 0.8",
            "say": [
                [
                    "not shown()",
                    "The same hundred images again and again, for a network with many thousand parameters.",
                ],
                ["steps(0) == 0", "Watch both accuracies, the batches' and that of the held-out images."],
                [
                    "steps(0) > 0",
                    "After {steps(0): count} {steps(0): step|steps} {right(0): percent} of the last "
                    "batches are right, and {held_out(0): percent} ± {100 * error(0)} of the digits it "
                    "never learns from.",
                ],
                ["shown()", "It knows its hundred by heart. It needs other images, not more steps."],
            ],
        },
        {
            "name": "no_norm",
            "title": "No batch norm",
            "runs": [("without", _BARE), ("with batch norm", replace(_BARE, batch_norm=True))],
            "until": 50,
            "shows": "loss(0) > 1.5 * loss(1)",
            "say": [
                [
                    "not shown()",
                    "mnist_14k without its layers of batch normalisation; all else stays.",
                ],
                [
                    "steps(0) == 0",
                    "Watch how fast the loss falls in the first fifty steps, then start it with them.",
                ],
                [
                    "steps(0) > 0",
                    "Without, the loss is {loss(0)} after {steps(0): count} {steps(0): step|steps}.",
                ],
                [
                    "steps(1) > 0",
                    "With batch norm it is {loss(1)} after {steps(1): count} {steps(1): step|steps}.",
                ],
                [
                    "shown()",
                    "Each layer gets numbers of one size, whatever the layers before it have just become.",
                ],
            ],
        },
        {
            "name": "dead",
            "title": "A ReLU that dies",
            "runs": [("SGD at 0.5", _DEAD), ("SGD at 0.05", replace(_DEAD, learning_rate=0.05))],
            "until": 100,
            "shows": "silent(0, 'conv2d_1') == channels(0, 'conv2d_1') and gradient(0, 'conv2d_1') == 0 and "
            "silent(1, 'conv2d_1') < channels(1, 'conv2d_1')",
            "say": [
                [
                    "not shown()",
                    "A ReLU gives 0 for all that is below 0, and then no gradient comes back through it. "
                    "One step that is too long can put a channel there for every image.",
                ],
                ["steps(0) == 0", "Watch the silent channels, and the gradient of conv2d_1."],
                [
                    "steps(0) > 0",
                    "At 0.5, {silent(0, 'conv2d_1'): count} of {channels(0, 'conv2d_1'): count} channels "
                    "of conv2d_1 are silent after {steps(0): count} {steps(0): step|steps}; its gradient "
                    "has the length {gradient(0, 'conv2d_1')}.",
                ],
                [
                    "steps(1) > 0",
                    "At 0.05, {silent(1, 'conv2d_1'): count} of {channels(1, 'conv2d_1'): count} are.",
                ],
                ["shown()", "What gets no gradient never changes again: these channels stay dead."],
            ],
        },
        {
            "name": "seeds",
            "title": "Two seeds, two sets of kernels, one accuracy",
            "runs": [("seed 1", replace(_SEED, seed=1)), ("seed 0", _SEED)],
            "until": 200,
            "shows": "alike() < 0.5 and held_out(0) - held_out(1) < 3 * apart() and "
            "held_out(1) - held_out(0) < 3 * apart()",
            "say": [
                [
                    "not shown()",
                    "A seed decides the first weights and the order of the images, and nothing else.",
                ],
                [
                    "steps(0) == 0",
                    "Look at the first kernels after two hundred steps, then take another seed.",
                ],
                ["steps(0) > 0", "Seed 1: {held_out(0): percent} ± {100 * error(0)} of the held-out digits."],
                ["steps(1) > 0", "Seed 0: {held_out(1): percent} ± {100 * error(1)}."],
                [
                    "shown()",
                    "Kernel for kernel they have nothing in common (their correlation is {alike()}), and "
                    "they read digits equally well, as far as {held_out_images: count} of them can tell.",
                ],
            ],
        },
        {
            "name": "shuffled",
            "title": "Labels shuffled",
            "runs": [("labels shuffled", replace(_BY_HEART, shuffled_labels=True))],
            "until": 200,
            "shows": "right(0) > 0.98 and held_out(0) < 0.2",
            "say": [
                [
                    "not shown()",
                    "The labels of a hundred images are handed out at random: nothing connects the two.",
                ],
                ["steps(0) == 0", "Watch how right it can get on them all the same."],
                [
                    "steps(0) > 0",
                    "After {steps(0): count} {steps(0): step|steps} {right(0): percent} of the last "
                    "batches are right, and {held_out(0): percent} ± {100 * error(0)} of the held-out "
                    "digits; guessing gets 10 %.",
                ],
                [
                    "shown()",
                    "It has learned noise by heart. How well a network does on what it was trained on says "
                    "nothing of what it understood.",
                ],
            ],
        },
    ],
}
"""Each step: its name in addresses, two runs at most with what they are called, after how many steps they are
compared, an expression for what there is to be seen, and sentences, some only where an expression is true."""
