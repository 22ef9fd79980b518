"""Conversations as plain values, and their sources: LoCoMo's release, the generators tinyworld and everyday, splits for training and testing.

Nothing here loads a model. Scores of answers are in `metrics`.
"""
