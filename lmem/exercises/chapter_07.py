"""Checks of chapter 7: the Hebbian write and its clamp, crosstalk between keys, the delta rule."""

from lmem.exercises.cases import read_checks

hebbian, left, crosstalk, delta = read_checks("7.1", "7.2", "7.3", "7.4")
