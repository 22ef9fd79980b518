"""Checks of chapter 15: what a run holds and takes, when the last GPU is done, curves and splits to judge."""

from typing import Any

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import call, exercise, require

held, seconds, finished, judge = read_checks("15.1", "15.2", "15.3", "15.4")


@exercise("15.5")
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
    splits = {in_another_process(answer, conversations, process) for process in range(4)}
    require(
        len(splits - {None}) < 2,
        "the same seed gives another split in a new process: the order of a set of names changes from process to process",
    )


class Name(str):
    """A name whose hash depends on the process, which is a number here."""

    process: int

    def __hash__(self) -> int:
        return hash((self.process, str(self)))


def in_another_process(answer: Any, conversations: dict[str, list[str]], process: int) -> Any:
    """Return the names of the test side as a process with other hashes would choose them, or None if there is no telling."""
    named = {}
    for text, questions in conversations.items():
        name = Name(text)
        name.process = process
        named[name] = questions
    try:
        train, test = ([str(name) for name, _ in part] for part in answer(named, 0))
    except Exception:  # for example a plain string in place of a Name
        return None
    return frozenset(test) if len(train) + len(test) == sum(map(len, named.values())) else None
