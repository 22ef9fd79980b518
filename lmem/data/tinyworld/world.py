"""What a tinyworld conversation is drawn from: its length, how many facts, and which questions (chapter 1)."""

from typing import Annotated

from pydantic import Field

from lmem.errors import InputError
from lmem.utils.settings import AtLeast0, AtLeast1, NotNegative, PositiveShare, settings

KINDS = ("single", "updated", "two-hop", "never-told")
POOLS = ("train", "all")


@settings
class World:
    """What a conversation is drawn from. The defaults are the default mix of every figure in the book.

    Attributes:
        turns: 10 to 2,000 turns in all.
        session_turns: Turns in a session.
        facts: Share of the turns that state a fact, in (0, 1]; the others are small talk.
        overwritten: Share of the facts that correct an older one, in [0, 1).
        questions: Most questions to ask at the end. None: one for every 2 turns, 200 at most.
        mix: Share of each kind of question, in the order of KINDS.
        subjects: People, pets and places that are mentioned, roughly. None: 6 to 40, growing with the turns.
        relations: How many different relations of people occur. None: all there are.
        pool: "train" for no held-out name, relation or phrasing, "all" for everything.

    Raises:
        InputError: A value is outside its range.
    """

    turns: Annotated[int, Field(ge=10, le=2000)] = 60
    session_turns: AtLeast1 = 20
    facts: PositiveShare = 0.35
    overwritten: Annotated[float, Field(ge=0, lt=1)] = 0.15
    questions: AtLeast0 | None = None
    mix: tuple[NotNegative, ...] = (0.65, 0.12, 0.13, 0.10)
    subjects: AtLeast0 | None = None
    relations: AtLeast1 | None = None
    pool: str = "all"

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise InputError(f"pool must be one of {', '.join(POOLS)}, not {self.pool!r}")
        if len(self.mix) != len(KINDS) or not sum(self.mix) > 0:
            raise InputError(f"mix needs {len(KINDS)} shares ({', '.join(KINDS)}), not {self.mix}")

    @property
    def training(self) -> bool:
        """Whether names, relations and phrasings are left out that no adapter may see in training."""
        return self.pool == "train"
