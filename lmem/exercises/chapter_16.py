"""Checks of chapter 16: turns that fit into a budget, a word's weight in BM25, when text outgrows a bank."""

from lmem.exercises.cases import read_checks

last_k, word_weight, break_even = read_checks("16.1", "16.2", "16.3")
