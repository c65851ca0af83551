"""Training: a network learns before your eyes, step by step, and any step can be looked at again."""

from dataclasses import replace
from pathlib import Path

import beside_bundled
import chrome
import header
import navigation
import opened
import snippets
import streamlit as st
import training_room
from chosen_digit import choose_shown
from plain import plain
from training_settings import chosen_settings

header.within_app()
settings, trial = chosen_settings(training_room.settings_on())
# Where the server keeps the file that a reader has opened is of no use to the reader.
told = replace(settings, network=Path(settings.network).name)
training_room.show(settings, trial, choose_shown)
own = opened.here()
if own is not None and beside_bundled.can_stand(own):
    st.page_link(
        navigation.lessons()["overview"],
        label=plain(f"{own.name} beside a bundled network →"),
        query_params={**navigation.carried(), "model": opened.OWN, "closer": "beside"},
    )
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
