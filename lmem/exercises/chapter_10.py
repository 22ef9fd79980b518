"""Checks of chapter 10: which turn an answer comes from, taking a turn out of a sum, merging, how well a bank hides what was said."""

from lmem.exercises.cases import read_checks

source, without, merge, hiding = read_checks("10.1", "10.2", "10.3", "10.4")
