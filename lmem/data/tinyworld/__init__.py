"""Tinyworld: generated conversations in which every fact, its turn and its question are known exactly.

A story is a list of events: a fact, a correction of a fact, or small talk. Filling a story with values gives a conversation
in the form of LoCoMo's release file, so one reader serves both. Filling the same story with other values gives its
*counterfactual twin*: the same turns and questions with other answers, the strict wrong memory (chapter 1; chapter 12).

    world.py      World: what a conversation is drawn from
    language.toml the words and sentences; language.py reads them
    story.py      who says what about whom in which turn, with which values, and what is asked
    text.py       a story as sentences
    generate.py   stories as conversations in LoCoMo's form
    draw.py       training and test conversations, drawn by seed
"""

from lmem.data.tinyworld.generate import sample, samples
from lmem.data.tinyworld.world import KINDS, POOLS, World

__all__ = ["KINDS", "POOLS", "World", "sample", "samples"]
