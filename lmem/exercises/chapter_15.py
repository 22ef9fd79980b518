"""Checks of chapter 15: what a run holds, what one pass takes, which steps bfloat16 loses, when the last GPU is done."""

from lmem.exercises.cases import read_checks

held, seconds, spacing, finished = read_checks("15.1", "15.2", "15.3", "15.4")
