"""What an everyday conversation is drawn from: its size, its share of facts, its mix of questions (chapter 1)."""

from typing import Annotated

from pydantic import Field

from lmem.errors import InputError
from lmem.utils.settings import AtLeast0, AtLeast1, NotNegative, PositiveShare, Share, settings

KINDS = ("extraction", "multi-hop", "temporal", "update", "abstention")  # LongMemEval's abilities
CATEGORY = {"extraction": 4, "multi-hop": 1, "temporal": 2, "update": 4, "abstention": 5}  # LoCoMo
POOLS = ("train", "all")
UNKNOWN = "unknown"  # the right answer where nothing was stated, or it was taken back


@settings
class World:
    """What a conversation is drawn from. The defaults are the default mix of every figure.

    Attributes:
        turns: Turns in all, 4 to 2,000.
        session_turns: Turns in a session.
        facts: Share of the turns that state a fact. The others are small talk and distractors.
        overwritten: Share of the fact turns that change or correct an older fact.
        withdrawn: Share of the fact turns that take an older fact back.
        distractors: Share of the other turns that mention a person or a value without a fact.
        questions: Questions asked at the end, at most (None: one for every 2 turns, at most 200).
        mix: Share of each kind of question, in the order of KINDS.
        subjects: People, pets, places and organisations mentioned besides the two speakers,
            roughly (None: grows with the turns, 4 to 40).
        relations: How many relations of people are spoken of (None: all there are).
        alone: Share of the conversations in which one speaker says everything.
        invented: Share of the values and names that are invented, where their kind allows it.
        typos: Share of the conversations whose speakers make typing mistakes.
        pool: "train" leaves out every held-out name, value, relation and phrasing; "all" has all.

    Raises:
        InputError: A number is out of its range.
    """

    turns: Annotated[int, Field(ge=4, le=2000)] = 60
    session_turns: AtLeast1 = 20
    facts: PositiveShare = 0.4
    overwritten: NotNegative = 0.12
    withdrawn: NotNegative = 0.04
    distractors: Share = 0.25
    questions: AtLeast0 | None = None
    mix: tuple[NotNegative, ...] = (0.4, 0.18, 0.14, 0.13, 0.15)
    subjects: AtLeast0 | None = None
    relations: AtLeast1 | None = None
    alone: Share = 0.1
    invented: Share = 0.65
    typos: Share = 0.4
    pool: str = "all"

    def __post_init__(self) -> None:
        if self.overwritten + self.withdrawn >= 1:
            raise InputError("expected overwritten and withdrawn to be less than 1 together")
        if self.pool not in POOLS:
            raise InputError(f"pool must be one of {', '.join(POOLS)}, not {self.pool!r}")
        if len(self.mix) != len(KINDS) or not sum(self.mix) > 0:
            raise InputError(f"expected {len(KINDS)} shares ({', '.join(KINDS)}), not {self.mix}")
