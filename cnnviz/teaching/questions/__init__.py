"""Questions about what is on the page, each answered by the engine, each wrong choice a named mistake.

One module a concept, one function a question: it takes the state that it asks about, and returns a
`Question`.
"""

from cnnviz.teaching.questions.question import Choice, Question, question
