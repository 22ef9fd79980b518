"""Checks of chapter 1: what a bank of newest latents keeps, how it is written, and what counts as memory."""

from lmem.exercises.cases import read_checks

turns_kept, push_out, memory_score = read_checks("1.1", "1.2", "1.3")
