"""Checks of the exercises in the book: one file per chapter.

A check runs the learner's code on small cases and says what was expected. The exercises themselves are in the notebooks.

    exercise.py    what a check and its verdict are
    cases.py       checks whose cases are plain values: a chapter's are in chapter_NN.toml
    words.py       the difference between a value and the expected one, as a sentence
    invariants.py  what every write rule must satisfy
    own_write.py   a method made of the learner's own write rule
    capstone.py    the capstone of chapter 17
"""
