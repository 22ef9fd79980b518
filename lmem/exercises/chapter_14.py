"""Checks of chapter 14: where a keyed write puts a turn, how long it stays, what a read with an empty hand tells."""

from lmem.exercises.cases import read_checks

place, kept_share, stays, empty_hand = read_checks("14.1", "14.2", "14.3", "14.4")
