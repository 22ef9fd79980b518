"""Checks of chapter 8: which slots a turn goes to, what a slot holds, groups of equal slots, usage, what a gate leaves."""

from lmem.exercises.cases import read_checks

choose, content, groups, penalised, gate_leaves = read_checks("8.1", "8.2", "8.3", "8.4", "8.5")
