"""Checks of chapter 13: the share of a bank in a softmax, rows of one length, a difference of memory scores, rows for a lag."""

from lmem.exercises.cases import read_checks

bank_share, held, lift, rows_for = read_checks("13.1", "13.2", "13.3", "13.4")
