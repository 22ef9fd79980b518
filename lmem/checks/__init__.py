"""Exercise checks: what a learner hands in is tried, and what is wrong with it is said in words. One file for each chapter.

from lmem.checks import chapter_01 as check

check.turns_kept(turns_kept)      Exercise 1.1: right.
"""
