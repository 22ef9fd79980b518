"""What a tinyworld conversation is drawn from: its length, how many facts, and which questions (chapter 1)."""

from dataclasses import dataclass

from lmem.errors import InputError

KINDS = ("single", "updated", "two-hop", "never-told")
POOLS = ("train", "all")


@dataclass(frozen=True)
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

    turns: int = 60
    session_turns: int = 20
    facts: float = 0.35
    overwritten: float = 0.15
    questions: int | None = None
    mix: tuple[float, float, float, float] = (0.65, 0.12, 0.13, 0.10)
    subjects: int | None = None
    relations: int | None = None
    pool: str = "all"

    def __post_init__(self) -> None:
        if not 10 <= self.turns <= 2000:
            raise InputError(f"a tinyworld conversation has 10 to 2000 turns, not {self.turns}")
        if self.relations is not None and self.relations < 1:
            raise InputError(f"a conversation speaks of at least 1 relation, not {self.relations}")
        if self.questions is not None and self.questions < 0:
            raise InputError(f"a conversation is asked 0 questions or more, not {self.questions}")
        if not self.session_turns >= 1:
            raise InputError(f"a session needs at least 1 turn, not {self.session_turns}")
        if not (0 < self.facts <= 1 and 0 <= self.overwritten < 1):
            raise InputError(
                "facts must lie in (0, 1] and overwritten in [0, 1), "
                f"not {self.facts} and {self.overwritten}"
            )
        if self.pool not in POOLS:
            raise InputError(f"pool must be one of {', '.join(POOLS)}, not {self.pool!r}")
        if len(self.mix) != len(KINDS) or min(self.mix) < 0 or sum(self.mix) <= 0:
            raise InputError(f"mix needs {len(KINDS)} shares ({', '.join(KINDS)}), not {self.mix}")

    @property
    def training(self) -> bool:
        """Whether names, relations and phrasings are left out that no adapter may see in training."""
        return self.pool == "train"
