"""Glossary: the words that the lessons use, each with the lesson that it belongs to."""

import header
import navigation
import streamlit as st

from cnnviz.teaching.glossary import GLOSSARY, lesson_of

header.current()  # A page never runs without the app around it.
pages = dict(zip(navigation.lesson_names(), navigation.lessons(), strict=True))
st.title("Glossary", anchor=False)
st.markdown(
    "The words that the lessons use. On every page, a word with a dotted line explains itself: point at it, "
    "reach it with the keyboard, or tap it."
)
for each in GLOSSARY.values():
    st.header(each.term, anchor=each.slug)
    also = ", ".join(f"[{other}](#{GLOSSARY[other].slug})" for other in each.also)
    st.markdown(each.meaning + (f" See also: {also}." if also else ""))
    if each.lesson:
        st.page_link(
            pages[each.lesson], label=f"Lesson: {lesson_of(each)} →", query_params=navigation.carried()
        )
