"""What an everyday conversation is drawn from: its size, its share of facts, its mix of questions (chapter 1)."""

from dataclasses import dataclass

from lmem.errors import InputError

KINDS = ("extraction", "multi-hop", "temporal", "update", "abstention")  # LongMemEval's abilities
CATEGORY = {"extraction": 4, "multi-hop": 1, "temporal": 2, "update": 4, "abstention": 5}  # LoCoMo
POOLS = ("train", "all")
UNKNOWN = "unknown"  # the right answer where nothing was stated, or it was taken back


@dataclass(frozen=True)
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

    turns: int = 60
    session_turns: int = 20
    facts: float = 0.4
    overwritten: float = 0.12
    withdrawn: float = 0.04
    distractors: float = 0.25
    questions: int | None = None
    mix: tuple[float, float, float, float, float] = (0.4, 0.18, 0.14, 0.13, 0.15)
    subjects: int | None = None
    relations: int | None = None
    alone: float = 0.1
    invented: float = 0.65
    typos: float = 0.4
    pool: str = "all"

    def __post_init__(self) -> None:
        if not 4 <= self.turns <= 2000:
            raise InputError(f"expected 4 to 2000 turns in a conversation, not {self.turns}")
        if self.session_turns < 1:
            raise InputError(f"expected at least 1 turn in a session, not {self.session_turns}")
        if not (0 < self.facts <= 1 and self.overwritten >= 0 and self.withdrawn >= 0):
            raise InputError(
                "expected facts in (0, 1], overwritten and withdrawn of at least 0, not "
                f"{self.facts}, {self.overwritten} and {self.withdrawn}"
            )
        if self.overwritten + self.withdrawn >= 1:
            raise InputError("expected overwritten and withdrawn to be less than 1 together")
        for name in ("distractors", "alone", "invented", "typos"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"expected {name} in [0, 1], not {getattr(self, name)}")
        if self.questions is not None and self.questions < 0:
            raise InputError(f"expected 0 questions or more, not {self.questions}")
        if self.subjects is not None and self.subjects < 0:
            raise InputError(f"expected 0 subjects or more, not {self.subjects}")
        if self.relations is not None and self.relations < 1:
            raise InputError(f"expected at least 1 relation, not {self.relations}")
        if self.pool not in POOLS:
            raise InputError(f"expected pool to be one of {', '.join(POOLS)}, not {self.pool!r}")
        if len(self.mix) != len(KINDS) or min(self.mix) < 0 or sum(self.mix) <= 0:
            raise InputError(f"expected {len(KINDS)} shares ({', '.join(KINDS)}), not {self.mix}")
