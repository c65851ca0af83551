"""Exercises on paper: a sheet for each student, each with other numbers, and one key with all the answers.

`worksheets` makes them. What is printed on a sheet is a `Task`, what the engine computes from the printed
numbers is its `Answer`s; a sheet (`paper`, `notebooks`) is made from tasks alone, so that no answer can get
into a student's file, and the key (`answer_key`) from both.
"""

from cnnviz.teaching.exercises.exercise import Answer, Asked, Exercise, Given, Task
from cnnviz.teaching.exercises.worksheets import EXERCISES, Worksheet, worksheets
