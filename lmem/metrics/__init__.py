"""Scores of answers and what they show: exact match, F1, forgetting curves, intervals and tests.

Everything here takes plain numbers and text. Running a model to get the answers belongs to `evaluation`.
"""
