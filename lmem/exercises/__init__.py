"""Checks of the exercises in the book: one file per chapter.

A check runs the learner's code on small cases and says what was expected. The exercises
themselves are in the notebooks.
"""
