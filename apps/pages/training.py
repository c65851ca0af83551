"""Training: a network learns before your eyes, step by step, and any step can be looked at again."""

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

from cnnviz.teaching.lesson_needs import DIGITS

header.within_app()
settings, trial = chosen_settings(training_room.settings_on())
training_room.show(settings, trial, choose_shown)
own = opened.here()
if own is not None and DIGITS.met(own.network):
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

    watched = WatchedTraining({settings!r})
    watched.run(lambda step: print(step), until=10)
    print(watched.look_at_held_out())
    """
)
