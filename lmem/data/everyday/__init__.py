"""Everyday: generated conversations in plain English, with every fact, its turn and its question known exactly.

The same contract as `lmem.data.tinyworld`, with an open vocabulary: LoCoMo's JSON form, exact evidence, everything
determined by a seed, counterfactual twins. The modules:

    world      size, shares, mix               language   relations and words, read from TOML
    cast       who is spoken of                story      events, slots, tellings
    keys       which fact comes next           teller     who says what, when
    values     what fills a story's slots      invent     invented names and values
    marks      one statement, any subject      noise      typing: capitals, full stops, mistakes
    dates      "last Friday" and its answer    talk       small talk, openers, distractors
    asks       questions and answers           wording    frames around questions
    render     LoCoMo's JSON form              generate   a story with its values, in that form
    draw       training and test conversations reading    questions with their turns as text
"""

from lmem.data.everyday.generate import sample, samples
from lmem.data.everyday.language import load
from lmem.data.everyday.world import CATEGORY, KINDS, POOLS, UNKNOWN, World

__all__ = ["CATEGORY", "KINDS", "POOLS", "UNKNOWN", "World", "load", "sample", "samples"]
