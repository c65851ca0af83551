"""Training: a network learns before your eyes, step by step, and any step can be looked at again."""

from dataclasses import replace
from pathlib import Path

import chrome
import header
import snippets
import training_room
from chosen_digit import choose_shown
from training_settings import chosen_settings

header.within_app()
settings = chosen_settings(training_room.settings_on())
# Where the server keeps the file that a reader has opened is of no use to the reader.
told = replace(settings, network=Path(settings.network).name)
training_room.show(settings, choose_shown)
chrome.half_truth(
    "Training is a secret that happens on large machines.",
    "It is the same arithmetic as the forward pass, and its chain rule, a few thousand times over. Point at "
    "a weight to see one step of it.",
)
snippets.show(
    f"""
    from cnnviz.training.watched_training import RunSettings, WatchedTraining

    watched = WatchedTraining({told!r})
    watched.run(lambda step: print(step), until=10)
    print(watched.look_at_held_out())
    """
)
