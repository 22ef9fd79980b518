"""Checks of chapter 14: where a keyed write puts a turn, how long it stays, when a read finds no match."""

from lmem.exercises.cases import read_checks

place, kept_share, stays, no_match = read_checks("14.1", "14.2", "14.3", "14.4")
