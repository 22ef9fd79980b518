"""A chat with a memory: what you say is written into the bank, and what you ask is answered from the bank alone (chapters 1 and 10).

`ChatSession.take` processes one line; commands are in `commands`. A line changes
the bank completely or not at all.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lmem.backbone.backbone import MAX_TOKENS
from lmem.chat import commands
from lmem.chat.dialect import dialect_of
from lmem.chat.kept import Topic, change_of, least_sure, with_limit
from lmem.chat.lines import (
    UNSURE,
    UNTOLD,
    content_words,
    has_tag,
    is_withdrawal,
    names_in,
    parts_of,
    split_request,
)
from lmem.chat.recovery import Recovery
from lmem.chat.reply import Reply, checked_name, checked_threshold, is_stuck, reason_of
from lmem.chat.topics import is_about
from lmem.chat.words import unreadable_words
from lmem.errors import BankError, InputError, LmemError
from lmem.memory.bank import Bank
from lmem.memory.ledger import Ledger
from lmem.memory.model import Answer, MemoryModel
from lmem.utils.text import checked_text

LISTED_WORDS = 5
SEE_WHY = "/why shows what I would have said"
NOT_TOLD = "a question changes nothing; say it as a plain statement to have it kept"


class Asked(NamedTuple):
    """The last question as it was asked, and its answer.

    Attributes:
        prompt: The question in the words that the model got.
        answer: What the model said.
        shown: Whether that was told, and not withheld as too unsure.
        reason: Why the answer is none; "" if it is one.
    """

    prompt: str
    answer: Answer
    shown: bool
    reason: str


class Put(NamedTuple):
    """A bank that was put aside by /new or /load before it was saved."""

    bank: Bank
    ledger: Ledger
    file: Path | None = None  # its recovery file


class ChatSession:
    """One chat.

    Attributes:
        model: The memory.
        dialect: How to put lines to its backbone.
        bank: The bank now.
        ledger: The turns of this chat and of the ledger that was loaded, with their words; nowhere else are words kept.
        name: Who speaks.
        asked: The last question.
        newest: The turn that the line before told, counted from 0; None if it told none.
        threshold: Answers of lower confidence are not given.
        keep_ledger: Whether the ledger is saved with every bank.
        unsaved: Changes since the bank was last saved or loaded: turns told, and turns taken back.
        taken_back: How many of these were taken back.
        file: Where the bank was last saved or loaded.
        aside: What /new and /load put aside.
        overwrite: A file that waits for a yes.
        warning: Why there is no recovery file, until it was said.
        hinted: Whether it was said how to put a fact so that it is kept.
    """

    def __init__(
        self,
        model: MemoryModel,
        name: str = "Ana",
        bank: Bank | None = None,
        threshold: float | str | None = None,
        keep_ledger: bool = False,
        recovery: Recovery | None = None,
    ):
        """Begin a chat.

        Args:
            model: A model with a trained read.
            name: Who speaks.
            bank: The bank to go on with; default: an empty one.
            threshold: Answers of lower confidence are not given, as in `checked_threshold`; default: `least_sure(model)`.
            keep_ledger: Save the ledger with every bank.
            recovery: Where a bank that is not saved is kept; None keeps none.

        Raises:
            InputError: The name or the threshold does not fit.
            BankError: The bank is of another model.
        """
        self.model, self.name = model, checked_name(name)
        self.dialect = dialect_of(model.backbone.name)
        self.answer_from(least_sure(model) if threshold is None else threshold)
        self.keep_ledger, self.recovery = keep_ledger, recovery
        self.file: Path | None = None
        self.aside: Put | None = None
        self.overwrite: Path | None = None
        self.warning, self.hinted = "", False
        self.go_on_with(model.new_bank() if bank is None else bank)

    def answer_from(self, threshold: float | str) -> None:
        """Set how sure an answer must be to be given. A read that chooses a row has no other limit for how sure it is of the row.

        Raises:
            InputError: The threshold does not fit.
        """
        self.threshold = checked_threshold(threshold)
        self.model = with_limit(self.model, self.threshold)

    def go_on_with(self, bank: Bank, ledger: Ledger | None = None) -> None:
        """Take another bank in place of this one.

        Raises:
            BankError: It is of another model, or there are several.
        """
        self.model.check(bank)
        if len(bank) != 1:
            raise BankError(f"expected one bank to talk to, not {len(bank)}")
        self.bank, self.ledger = bank, ledger or Ledger()
        self.asked: Asked | None = None
        self.newest: int | None = None
        self.unsaved = self.taken_back = 0

    def put_aside(self) -> Put | None:
        """Return what /recover should go back to once another bank is taken."""
        if not self.unsaved:
            return self.aside
        return Put(self.bank, self.ledger, self.recovery.put_aside() if self.recovery else None)

    # ---- a line ------------------------------------------------------------------------------------

    def take(self, line: str) -> Reply:
        """Process a line: a command, a question, or something to remember.

        Raises:
            LmemError: The line or a file cannot be used; nothing has changed then.
        """
        line, path = line.strip(), self.overwrite
        self.overwrite = None
        word = line.lower().strip(".! ")
        if path is not None and word in ("y", "yes"):
            return commands.save_at(self, path)
        if path is not None and word in ("n", "no"):
            return Reply(f"{path} was left as it is, and nothing was saved", "notice")
        if line.startswith("/"):
            return commands.run(self, line)
        line, to_forget = split_request(line)
        if to_forget is not None:
            if line:  # refused before anything is forgotten
                self.refuse_long(line)
            forgot = commands.forget_about(self, to_forget)
            rest = self.take(line) if line else None  # what else was said
            note = _joined(forgot.note, rest.text, rest.note) if rest else forgot.note
            return forgot._replace(note=note)
        said, asked = parts_of(line)
        if not asked:
            return self._tell(said)
        prompt = self.prompt(asked, names_in(self.said.values()))
        if not said:
            return self._ask(asked, prompt)
        self.refuse_long(prompt)  # before anything is written
        told, answer = self._tell(said), self._ask(asked, prompt)
        return answer._replace(note=_joined(told.text, told.note, answer.note))

    def _tell(self, text: str) -> Reply:
        """Write a turn, and say what it changed."""
        self.refuse_long(text)
        turn = {"speaker": self.called, "text": self.in_bank(self.dialect.statement(text))}
        before = self.bank
        self.write([turn], [text])
        change, number = change_of(self.model, before, self.bank), self.bank.turns_written[0]
        self.newest, note = number - 1, self._note(text)
        if not change.kept:
            reply = "nothing to keep"
            note = _joined(note, self._hint(text))
        elif change.replaced is not None:
            reply = f"kept, turn {number}; it replaces {self.turn(change.replaced)}"
        elif change.gave_way is not None:
            reply = f"kept, turn {number}; the bank is full, so turn {change.gave_way + 1} is lost"
        else:
            reply = f"kept, turn {number}"
        if is_withdrawal(text):
            note = _joined(note, commands.how_to_withdraw(self, text))
        return Reply(reply, "written", note)

    def _hint(self, text: str) -> str:
        """Say once how to put a fact so that it is kept; "" for small talk, which speaks of nobody, and for withdrawals."""
        if self.hinted or is_withdrawal(text) or not (is_about(text, "") or names_in([text])):
            return ""
        self.hinted = True
        return f"I keep plain facts, such as {self.dialect.kept!r}: try it that way"

    def refuse_long(self, text: str) -> None:
        """Refuse what the backbone could read only in part.

        Raises:
            InputError: It is too long, has no words, or half a character.
        """
        line = f"question: {self.called}: {checked_text(text, 'a line')}"
        [ids] = self.model.backbone.tokenize([line], max_tokens=sys.maxsize)
        if len(ids) > MAX_TOKENS:
            raise InputError(
                f"expected a shorter line: {self.model.backbone.name} can read only {100 * MAX_TOKENS // len(ids)}% of this "
                "one; nothing was changed, so split it up"
            )

    def write(self, turns: list, texts: Sequence[str], truncate: bool = False) -> None:
        """Write turns; bank and ledger change together, and the recovery file follows."""
        old = self.ledger
        ledger = Ledger(old.first, list(old.latents), old.last, list(old.texts))
        bank = self.model.write(self.bank, turns, truncate, ledger)
        ledger.texts = [*old.texts, *texts]  # as they were typed
        self.bank, self.ledger = bank, ledger
        self.unsaved += len(texts)
        self.autosave()

    def _ask(self, line: str, prompt: str) -> Reply:
        """Answer from the bank."""
        self.refuse_long(prompt)
        answer = self.model.answer(self.bank, prompt, return_confidence=True)
        words, self.newest = self.words_for(answer, line), None
        reason = (
            "" if self.knows(answer) else reason_of(answer, self._spoke_of(line), not self.kept())
        )
        self.asked = Asked(prompt, answer, self.tells(answer), reason)
        note = _joined(self._note(line), NOT_TOLD if has_tag(line) else "")
        why = words == UNSURE and (self.knows(answer) or answer.withheld)
        return Reply(words, "answer", _joined(note, SEE_WHY if why else ""))

    def words_for(self, answer: Answer, question: str) -> str:
        """Return what the user is told when a question has this answer."""
        if self.tells(answer):
            return self.as_said(answer.text)
        unsure = self.knows(answer) or answer.withheld == "doubted" or self._spoke_of(question)
        return UNSURE if unsure else UNTOLD

    def tells(self, answer: Answer) -> bool:
        """Say whether an answer is given: it is known, sure enough, and, unless everything is asked for, came to an end."""
        stuck = self.threshold > 0 and is_stuck(answer.text)
        return self.knows(answer) and answer.confidence >= self.threshold and not stuck

    def _spoke_of(self, question: str) -> bool:
        """Say whether anything that was said has a word of a question; the memory alone may have kept nothing of it."""
        said = set().union(*map(content_words, self.said.values()))
        return not said.isdisjoint(content_words(question))

    def knows(self, answer: Answer) -> bool:
        """Say whether an answer is more than "unknown", and was not withheld by the memory itself."""
        said = answer.text.lower() not in ("", self.dialect.unknown)
        return said and answer.withheld is None and bool(self.kept())

    def autosave(self) -> bool:
        """Keep a recovery file; a failure is said once, and the chat goes on without."""
        if self.recovery is None:
            return False
        try:
            self.recovery.save(self.bank, self.name)
        except (LmemError, OSError) as error:
            self.warning, self.recovery = f"no recovery file from here on: {error}", None
            return False
        return True

    def kept(self) -> list[int]:
        """Return the turns of which something is kept, counted from 0, the newest first."""
        return sorted(set(self.bank.state.written[0].tolist()) - {-1}, reverse=True)

    # ---- names and words ---------------------------------------------------------------------------

    def prompt(self, question: str, names: Mapping[str, str]) -> str:
        """Return a question as it is asked; `names` is for spelling, of `names_in`."""
        return self.in_bank(self.dialect.question(question, self.called, names))

    def topics(self, sentence: str, names: Mapping[str, str], about: str = "") -> list[Topic]:
        """Return what a sentence may be asked for, as in `Dialect.topics`."""
        asked = self.dialect.topics(sentence, self.name, about)
        return [Topic(each, self.prompt(each, names), like) for each, like in asked.items()]

    @property
    def called(self) -> str:
        """The speaker's name in the bank: a stand-in if the backbone cannot read the real one."""
        stand_in = self.dialect.stand_in
        return stand_in if stand_in and self._unknown(self.name) else self.name

    def in_bank(self, text: str) -> str:
        """Replace the speaker's name by the one in the bank."""
        return _with_name(text, self.name, self.called)

    def as_said(self, text: str) -> str:
        """Replace the speaker's name in the bank by the real one."""
        return _with_name(text, self.called, self.name)

    def introduction(self) -> list[str]:
        """Return what a user should know at the start: three examples, and whether the name can be read."""
        examples = "   ".join(self.dialect.examples)
        lines = [f"For example:   {examples}   (/help lists all commands)"]
        if self.called != self.name:
            backbone = self.model.backbone.name
            lines.append(
                f"{backbone} cannot read the name {self.name}; in the bank you are {self.called}."
            )
        return lines

    @property
    def said(self) -> dict[int, str]:
        """{turn, counted from 0: its words} of the turns whose words the ledger has."""
        texts = enumerate(self.ledger.texts, self.first_recorded())
        return {turn: text for turn, text in texts if text}

    def first_recorded(self) -> int:
        """Return the number of turns that the ledger does not have, because they were written before it began."""
        first = self.ledger.first
        return self.bank.turns_written[0] if first is None else first.turns_written[0]

    def turn(self, turn: int) -> str:
        """Name a turn, counted from 0, as the user sees it."""
        text = self.said.get(turn)
        return f"turn {turn + 1}, {text!r}" if text else f"turn {turn + 1}"

    def _unknown(self, text: str) -> list[str]:
        return unreadable_words(self.model.backbone.tokenizer, text)

    def _note(self, line: str) -> str:
        """Say which words the backbone cannot read, and once that there is no recovery file."""
        notes = []
        if words := self._unknown(self.in_bank(self.dialect.statement(line))):
            listed = ", ".join(words[:LISTED_WORDS]) + (
                ", ..." if len(words) > LISTED_WORDS else ""
            )
            notes.append(f"{self.model.backbone.name} cannot read {listed}")
        if self.warning:
            notes.append(self.warning)
            self.warning = ""
        return "; ".join(notes)


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _with_name(text: str, old: str, new: str) -> str:
    if old == new:
        return text
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda match: new, text)
