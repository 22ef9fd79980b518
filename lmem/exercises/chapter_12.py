"""Checks of chapter 12: clipped and signed gains, exchanged banks, what zero rows take, two ways to average."""

from lmem.exercises.cases import read_checks

both_gains, exchanged, null_share, of_questions = read_checks("12.1", "12.2", "12.3", "12.4")
