"""The commands of a chat: what begins with a slash. Each takes the session and the rest of the line."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lmem.chat.kept import Fact, Topic, facts_of, nearest, sources_of
from lmem.chat.lines import content_words, names_in, split_request
from lmem.chat.recovery import file_name, remove
from lmem.chat.reply import REASONS, Reply, is_stuck, percent, turns_of
from lmem.chat.topics import is_about
from lmem.data.importers.formats import import_file
from lmem.data.locomo import parse
from lmem.errors import BankError, InputError
from lmem.memory.bank import Bank
from lmem.memory.ledger import Ledger
from lmem.memory.model import Answer
from lmem.utils.files import user_path
from lmem.utils.text import normalise_text

if TYPE_CHECKING:
    from lmem.chat.session import ChatSession

LEDGER = ".ledger"  # added to the name of the bank's file
LISTED = 50  # facts or turns
SAME = 1e-3  # difference of the latents of equal texts, encoded in batches of other lengths
HELP = Path(__file__).with_name("help.txt").read_text(encoding="utf-8").rstrip()
HOW_TO_FORGET = "/forget N takes turn N back, /new all of them; /list shows what is kept"
NAMED = 3  # turns that could be meant
NEEDS_LEDGER = (
    "needs the ledger that was kept when that was said, and this chat does not have it: "
    "/save FILE --ledger keeps one next to the bank"
)


def run(session: "ChatSession", line: str) -> Reply:
    """Run the command that a line names.

    Raises:
        LmemError: It cannot be done; nothing has changed then.
    """
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(name.lower())
    if command is None:
        return Reply(f"there is no command {name}; /help lists them", "notice")
    return command(session, rest.strip())


# ---- asking about the bank ---------------------------------------------------------------------------


def why(session: "ChatSession", rest: str) -> Reply:
    """Say which turn the last answer came from, and how sure it is."""
    if session.asked is None:
        raise InputError("expected a question before /why; ask something first")
    prompt, answer, shown, reason = session.asked
    asked, limit = session.as_said(prompt), f"and I say nothing below {percent(session.threshold)}"
    if reason == REASONS["nothing"]:
        return Reply(f"no answer to {asked!r}: {reason}", "notice")
    if answer.withheld:
        doubted = f", {limit}" if answer.withheld == "doubted" else ""
        first = f"no answer to {asked!r}: {reason}{doubted}"
        return Reply("\n".join([first, *_nearest(session, prompt)]), "notice")
    about = f"{session.as_said(answer.text)!r} to {asked!r}, {_sure(answer)}"
    if reason:
        about += f"; {reason}"
    elif not shown:
        stuck = is_stuck(answer.text)
        about += "; it repeats itself, so I do not say it" if stuck else f", {limit}"
    start = session.first_recorded()
    if reason and answer.doubt is not None:
        return Reply("\n".join([about, *_nearest(session, prompt)]), "notice")
    if start == session.bank.turns_written[0] > 0:
        return Reply(f"{about}; which turn it came from {NEEDS_LEDGER}", "notice")
    if reason:
        return Reply(about, "notice")
    found = sources_of(session.model, session.bank, session.ledger, prompt, answer.text)
    if found:
        turns = " and ".join(session.turn(turn) for turn, _ in found)
        return Reply(f"{about}; from {turns}", "notice")
    if start:
        return Reply(
            f"{about}; from no turn of this chat, and an earlier one {NEEDS_LEDGER}", "notice"
        )
    return Reply(f"{about}; from no single turn, so it may be an invention", "notice")


def _sure(answer: Answer) -> str:
    sure = f"{percent(answer.confidence)} sure"
    if answer.doubt is None or answer.withheld:
        return sure
    turn = 1 - answer.doubt
    words = answer.confidence / turn if turn else 0.0
    return f"{sure}: {percent(turn)} that its turn answers it, times {percent(words)} for the copy of its words"


def _nearest(session: "ChatSession", prompt: str) -> list[str]:
    lines = []
    for turn, text in nearest(session.model, session.bank, prompt):
        empty = text.lower() in ("", session.dialect.unknown)
        says = "holds no answer" if empty else f"would say {session.as_said(text)!r}"
        lines.append(f"{'next' if lines else 'nearest'}: {session.turn(turn)}, {says}")
    return lines


def list_facts(session: "ChatSession", rest: str) -> Reply:
    """List what is kept, the newest first: a line for each turn, with a question and what the chat answers to it."""
    oneself = rest.lower() in (session.name.lower(), "i", "me")
    about = "" if oneself else rest
    turns = [
        turn
        for turn in session.kept()
        if not rest or any(is_about(session.said.get(turn, rest), name) for name in (about, rest))
    ]
    facts = _facts(session, turns[:LISTED], about)
    if rest:  # a turn whose words are not known is about NAME if a question about NAME finds it
        facts = [
            fact
            for fact in facts
            if fact.turn in session.said or about.lower() in fact.topic.question.lower()
        ]
    if not facts:
        return Reply(f"nothing is kept about {rest}" if rest else "nothing is kept", "notice")
    lines: dict[int, list[str]] = {}
    for fact in facts:
        lines.setdefault(fact.turn, []).append(_says(session, fact))
    listed = [f"{session.turn(turn)}: {'; '.join(says)}" for turn, says in lines.items()]
    if len(turns) > LISTED:
        listed.append(f"and {len(turns) - LISTED} older ones")
    return Reply("\n".join(listed), "notice")


def _facts(session: "ChatSession", turns: Sequence[int], about: str = "") -> list[Fact]:
    """Find the questions that turns answer, by their words; where these are not known, try all questions about somebody."""
    names, said = names_in(session.said.values()), session.said
    unknown = []
    if set(turns) - set(said):
        unknown = [
            topic
            for each in dict.fromkeys(("", about))
            for topic in session.topics("", names, each)
        ]
    asked = {turn: session.topics(said[turn], names) if turn in said else unknown for turn in turns}
    return facts_of(session.model, session.bank, asked, session.tells)


def _says(session: "ChatSession", fact: Fact) -> str:
    """Say what is answered when a fact is asked for, "Where do I live? Rome", or what is kept if that is something else."""
    question, kept = (
        fact.topic.question,
        f"kept {session.as_said(fact.value)!r}" if fact.value else "kept",
    )
    if not question:
        return f"{kept}, but I know no question that fits"
    notes, told = [kept] if fact.value else [], session.tells(fact.answer)
    if told and fact.found:
        notes = []
    elif told:
        notes.insert(0, "from another turn")
    answer = session.words_for(fact.answer, question)
    return f"{question} {answer}" + (f" ({'; '.join(notes)})" if notes else "")


def describe(session: "ChatSession", rest: str) -> Reply:
    """Say how many turns were told, and of which something is kept."""
    turns = [turn + 1 for turn in reversed(session.kept())]
    listed = ", ".join(map(str, turns[:LISTED])) + (", ..." if len(turns) > LISTED else "")
    kept = f"something is kept of turns {listed}" if turns else "nothing is kept"
    return Reply(f"{turns_of(session.bank.turns_written[0])} told; {kept}", "notice")


def set_threshold(session: "ChatSession", rest: str) -> Reply:
    """Set how sure an answer must be to be given."""
    if rest:
        session.answer_from(rest)
    return Reply(
        f"I answer if I am at least {percent(session.threshold)} sure; at 0% I always say my best guess, at 100% nothing",
        "notice",
    )


# ---- changing the bank -------------------------------------------------------------------------------


def forget(session: "ChatSession", rest: str) -> Reply:
    """Take a turn back, by its number or its words."""
    if not rest:
        raise InputError(
            "expected a turn's number or its words: /forget 3, or /forget I live in Rome"
        )
    _, topic = split_request(f"forget {rest}")
    if topic and not rest.startswith(topic):  # "what I said about my sister"
        return forget_about(session, topic)
    written, start = session.bank.turns_written[0], session.first_recorded()
    if re.fullmatch(r"[0-9]{1,9}", rest):
        turn = int(rest) - 1
        if not 0 <= turn < written:
            raise InputError(f"expected a turn from 1 to {written} to forget, not {rest}")
        if turn < start:
            raise BankError(f"/forget {rest} {NEEDS_LEDGER}")
    else:
        turn = _turn_that_says(session, rest)
    named = session.turn(turn)
    told = _facts(session, [turn] if turn in session.said else [])
    bank, ledger = session.model.unwrite(session.bank, turn - start, session.ledger)
    unsaved, taken_back = session.unsaved, session.taken_back
    session.go_on_with(bank, ledger)
    session.unsaved, session.taken_back = unsaved + 1, taken_back + 1
    session.autosave()
    later = "" if turn == written - 1 else "; the turns after it count one less now"
    again = [_answered(session, fact.topic) for fact in told if session.tells(fact.answer)]
    return Reply(f"forgot {named}{later}", "notice", "; ".join(filter(None, again)))


def _answered(session: "ChatSession", topic: Topic) -> str:
    """Say what a question is answered now, and from which turn; "" if it is not."""
    answer = session.model.answer(session.bank, topic.prompt, return_confidence=True)
    if not session.tells(answer):
        return ""
    rows = nearest(session.model, session.bank, topic.prompt)
    source = f", from {session.turn(rows[0].turn)}" if rows else ""
    return f"to {topic.question!r} I say {session.as_said(answer.text)!r} now{source}"


def _turn_that_says(session: "ChatSession", sentence: str) -> int:
    """Return the newest turn with these words: by its text, or by its latents where an old ledger has no words."""
    wanted = _plain(sentence)
    for turn, text in sorted(session.said.items(), reverse=True):
        if _plain(text) == wanted:
            return turn
    start = session.first_recorded()
    session.refuse_long(sentence)
    text = session.in_bank(session.dialect.statement(sentence))
    [[latents]] = session.model.encode_turns([[f"context: {session.called}: {text}"]])
    for i in reversed(range(len(session.ledger))):
        kept = session.ledger.latents[i].to(latents)
        if kept.shape == latents.shape and float((kept - latents).abs().max()) < SAME:
            return start + i
    if start:
        raise BankError(
            f"no turn of this chat says {sentence!r}, and for an earlier one /forget {NEEDS_LEDGER}"
        )
    raise InputError(
        f"expected a turn word for word, none says {sentence!r}; /list shows what is kept"
    )


def forget_about(session: "ChatSession", topic: str) -> Reply:
    """Take back the one turn that a sentence means, such as "forget what I said about my sister"; else name /forget.

    Args:
        session: The chat.
        topic: What is to be forgotten; "" for what was said last.
    """
    if not topic:
        if session.newest is not None:
            return forget(session, str(session.newest + 1))
        return Reply(HOW_TO_FORGET, "notice")
    turns = _turns_that_name(session, topic, all)
    if len(turns) == 1:
        return forget(session, str(turns[0] + 1))
    if not turns:
        older = len(session.said) < session.bank.turns_written[0]
        kept = ", and the words of an earlier one are not kept" if older else ""
        none = f"no turn of this chat has the words {topic!r}{kept}"
        return Reply(f"{none}; {HOW_TO_FORGET}", "notice")
    return Reply(f"which one? {_ways_to_forget(session, turns)}", "notice")


def how_to_withdraw(session: "ChatSession", text: str) -> str:
    """Say how to take back what a line has ended, such as "I don't have a dog any more".

    "" if nothing was said about it, or if the memory has understood: a question that fits the line finds no answer then.
    """
    newest = session.bank.turns_written[0] - 1
    told = _facts(session, [newest]) if newest in session.kept() else []
    repeated = any(
        fact.found and (session.tells(fact.answer) or not fact.topic.question) for fact in told
    )
    turns = _turns_that_name(session, text, any)
    words = content_words(text)
    shared = {turn: len(words & content_words(session.said[turn])) for turn in turns}
    turns = [turn for turn in turns if shared[turn] == max(shared.values())]
    if not repeated:
        turns = [] if told else [turn for turn in turns if turn != newest]
    return f"if that has ended: {_ways_to_forget(session, turns)}" if turns else ""


def _turns_that_name(
    session: "ChatSession", text: str, how_many: Callable[[Iterable[bool]], bool]
) -> list[int]:
    """Return the turns of this chat, the newest first, with all or any of a text's words that say what it is about."""
    words = content_words(text)
    named = {turn: content_words(said) for turn, said in session.said.items()}
    return [
        turn
        for turn in sorted(named, reverse=True)
        if words and how_many(word in named[turn] for word in words)
    ]


def _ways_to_forget(session: "ChatSession", turns: list[int]) -> str:
    """Name the command for each turn, the newest first, so that the numbers of the others stay right."""
    listed = ", ".join(f"/forget {turn + 1} for {session.said[turn]!r}" for turn in turns[:NAMED])
    return listed + (", ..." if len(turns) > NAMED else "")


def new(session: "ChatSession", rest: str) -> Reply:
    """Begin with an empty bank."""
    aside = session.put_aside()
    session.go_on_with(session.model.new_bank())
    session.aside, session.file = aside, None
    return Reply(f"a new, empty bank{_recoverable(session)}", "notice")


def import_chat(session: "ChatSession", rest: str) -> Reply:
    """Write an exported conversation, whatever its format."""
    if not rest:
        raise InputError("expected a file: /import WhatsApp Chat with Ben.zip")
    samples, report = import_file(_unquoted(rest))
    before = session.bank.turns_written[0]
    for conversation in parse(samples):
        said = [f"{turn.speaker}: {turn.text or turn.caption}" for turn in conversation.turns]
        session.write([session.in_bank(text) for text in conversation.texts()], said, truncate=True)
    names = ", ".join(name for name, _ in report.speakers.most_common(6))
    dropped = ", ".join(f"{count} {reason}" for reason, count in report.dropped.items())
    note = f"left out: {dropped}" if dropped else ""
    return Reply(f"wrote {turns_of(report.turns)} of {names} after turn {before}", "notice", note)


# ---- files -------------------------------------------------------------------------------------------


def save(session: "ChatSession", rest: str) -> Reply:
    """Save the bank; a file that is there and is not this chat's is asked about first."""
    path = _path(session, _ledger_option(session, rest))
    files = [path, _ledger_of(path)] if session.keep_ledger else [path]
    taken = next((file for file in files if os.path.isfile(file)), None)
    if taken is not None and path != session.file:
        session.overwrite = path
        return Reply(f"{taken} exists. Replace it? yes or no", "notice")
    return save_at(session, path)


def save_over(session: "ChatSession", rest: str) -> Reply:
    """Save the bank without asking."""
    return save_at(session, _path(session, _ledger_option(session, rest)))


def save_at(session: "ChatSession", path: Path) -> Reply:
    """Save bank and, if it is to be kept, ledger."""
    session.bank.save(path)
    beside, note = "", ""
    if len(session.ledger) and not session.keep_ledger:
        note = "after the next /load, /why and /forget will not know these turns; /save FILE --ledger keeps their words too"
    if session.keep_ledger and session.ledger.first is not None:
        session.ledger.save(_ledger_of(path))
        beside = f"; {_ledger_of(path).name}, next to it, holds what was said, so keep it safe"
    session.file, session.unsaved, session.taken_back = path, 0, 0
    if session.recovery:
        session.recovery.delete()
    return Reply(f"saved {path}, {turns_of(session.bank.turns_written[0])}{beside}", "notice", note)


def load(session: "ChatSession", rest: str) -> Reply:
    """Go on with a saved bank, and with the ledger next to it if there is one."""
    return load_at(session, _path(session, rest))


def load_at(session: "ChatSession", path: Path) -> Reply:
    """Load bank and ledger.

    Raises:
        BankError: There is no bank of this model.
    """
    bank = Bank.load(path)
    session.model.check(bank)
    ledger, note = None, ""
    if os.path.isfile(_ledger_of(path)):
        try:
            ledger = Ledger.load(_ledger_of(path))
            ledger.check(bank)
        except BankError as error:
            ledger, note = None, f"the ledger next to it is not used: {error}"
    aside = session.put_aside()
    session.go_on_with(bank, ledger)
    session.aside, session.file = aside, path
    session.keep_ledger |= ledger is not None
    text = f"loaded, {turns_of(bank.turns_written[0])}"
    if ledger:
        known = len(ledger)
        whole = known == bank.turns_written[0]
        text += " and their ledger" if whole else f" and a ledger of the last {turns_of(known)}"
    return Reply(text + _recoverable(session), "notice", note)


def recover(session: "ChatSession", rest: str) -> Reply:
    """Go back to the bank that was put aside, else to that of a chat that ended without saving."""
    if session.aside is not None:
        back, put = session.aside, session.put_aside() if session.unsaved else None
        session.go_on_with(back.bank, back.ledger)
        session.aside, session.file = put, None
        session.unsaved = session.bank.turns_written[0] or 1
        if session.autosave():
            remove(back.file)  # it is in this chat's file now
        return Reply(f"back at {turns_of(session.bank.turns_written[0])}, not saved yet", "notice")
    others = session.recovery.others(session.name) if session.recovery else []
    if not others:
        raise InputError(f"expected a chat of {session.name} that was not saved, there is none")
    bank = Bank.load(others[0])
    aside = session.put_aside()
    session.go_on_with(bank)
    session.aside, session.file, session.unsaved = aside, None, bank.turns_written[0] or 1
    if session.autosave():  # it is in this chat's file now
        others[0].unlink(missing_ok=True)
    note = "its ledger is not: /why and /forget know only what you say from here on"
    return Reply(f"back at {turns_of(bank.turns_written[0])}, not saved yet", "notice", note)


def _recoverable(session: "ChatSession") -> str:
    return "; /recover goes back to the one that was not saved" if session.aside else ""


def _ledger_option(session: "ChatSession", rest: str) -> str:
    """Take --ledger out of a command's text, and remember it."""
    without = re.sub(r"(^|\s)--ledger(\s|$)", " ", rest).strip()
    session.keep_ledger |= without != rest.strip()
    return without


def _ledger_of(path: Path) -> Path:
    return Path(f"{path}{LEDGER}")


def _path(session: "ChatSession", text: str) -> Path:
    """Return the file that a command names, without quotes and with ~ expanded; default: the last one, else one with the speaker's name."""
    text = _unquoted(text)
    return (
        user_path(text) if text else session.file or Path(f"{file_name(session.name)}.safetensors")
    )


def _unquoted(text: str) -> str:
    text = text.strip()
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _plain(text: str) -> str:
    """Return a sentence without case and punctuation, for comparing."""
    return " ".join(re.findall(r"\w+", normalise_text(text).lower()))


COMMANDS: dict[str, Callable[["ChatSession", str], Reply]] = {
    "/help": lambda session, rest: Reply(HELP, "notice"),
    "/why": why,
    "/list": list_facts,
    "/forget": forget,
    "/save": save,
    "/save!": save_over,
    "/load": load,
    "/new": new,
    "/recover": recover,
    "/import": import_chat,
    "/threshold": set_threshold,
    "/bank": describe,
}
