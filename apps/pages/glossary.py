"""Glossary: the words that the lessons use, each with the lesson that it belongs to."""

import header
import navigation
import streamlit as st

from cnnviz.teaching.glossary import GLOSSARY

header.within_app()
pages = navigation.lessons()
st.markdown(
    "The words that the lessons use. On every page, a word with a dotted line explains itself: point at it, "
    "reach it with the keyboard, or tap it."
)
for each in GLOSSARY.values():
    st.header(each.term, anchor=each.slug)
    also = ", ".join(f"[{other}](#{GLOSSARY[other].slug})" for other in each.also)
    st.markdown(each.meaning + (f" See also: {also}." if also else ""))
    if each.lesson:
        page = pages[each.lesson]
        st.page_link(page, label=f"Lesson: {page.title} →", query_params=navigation.carried())
