"""Checks of chapter 15: what a run holds and takes, which steps bfloat16 loses, when the last GPU is done, curves and splits to judge."""

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import call, exercise, require

held, seconds, spacing, finished, judge = read_checks("15.1", "15.2", "15.3", "15.4", "15.5")


@exercise("15.6")
def split(answer):
    """({name: list of questions}, seed) to (training pairs, test pairs) of (name, question), without a leak."""
    conversations = {f"c{i}": [f"q{i}.{k}" for k in range(3 + i)] for i in range(10)}
    every = sorted((name, q) for name, questions in conversations.items() for q in questions)
    chosen = set()
    for seed in range(6):
        parts = call(answer, conversations, seed)
        shown = f"split(<10 conversations>, {seed})"
        require(isinstance(parts, tuple | list) and len(parts) == 2, f"{shown}: expected two lists")
        train, test = ({name for name, _ in part} for part in parts)
        both = sorted(train & test)
        require(
            not both,
            f"{shown}: {', '.join(both)} can be found on both sides, so the bank of a test conversation is seen in training",
        )
        require(
            sorted(map(tuple, [*parts[0], *parts[1]])) == every,
            f"{shown}: expected every question once, on one of the two sides",
        )
        require(
            (len(train), len(test)) == (7, 3),
            f"{shown}: expected 7 conversations for training and 3 for testing, got {len(train)} and {len(test)}",
        )
        again = call(answer, conversations, seed)
        require(
            {name for name, _ in again[1]} == test,
            f"{shown}: a second call with the same seed gives another split; use a random generator of your own",
        )
        chosen.add(frozenset(test))
    require(len(chosen) > 1, "expected other conversations for testing with another seed")
