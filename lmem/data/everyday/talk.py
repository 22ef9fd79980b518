"""Everything that states no fact: small talk, greetings, reactions, openers and closers, distractors."""

import re
from collections.abc import Sequence

from lmem.data.everyday.cast import Cast, Namer
from lmem.data.everyday.language import kept
from lmem.data.everyday.marks import END, KEEP, article

_KIND = re.compile(r"\{(a )?(\w+)\}")


class Talk:
    """Draws lines from words/talk.toml and words/frames.toml.

    Attributes:
        rng: Source of chance, shared with the story.
        namer: Draws the names and values of distractors.
        said: Lines that were drawn already.
    """

    def __init__(self, cast: Cast, namer: Namer) -> None:
        self.rng, self.cast, self.namer = namer.rng, cast, namer
        language, train = namer.language, namer.world.pool == "train"
        self.frames = language.frames
        self.said: set[str] = set()
        self.lists: dict[str, list[str]] = {
            name: row["items"][: kept(len(row["items"]))] if train else row["items"]
            for name, row in language.talk.items()
        }
        if cast.alone:  # nobody to be addressed by name
            self.lists = {
                name: [text for text in texts if "{P}" not in text]
                for name, texts in self.lists.items()
            }

    def line(self, name: str, speaker: str) -> str:
        """Draw a line of one of talk.toml's lists, the other speaker's name filled in."""
        text = self._new(self.lists[name])
        listener = self.cast.speakers[speaker == self.cast.speakers[0]]
        return text.replace("{P}", KEEP + listener + END)

    def distractor(self) -> str:
        """Draw a mention of things of which nothing is stated about anybody, with values filled in."""

        def say(match: re.Match) -> str:
            kind = match[2]
            value, _ = self.namer.draw(kind, "female" if kind == "person" else "any")
            return (article(value) if match[1] else "") + KEEP + value + END

        return _KIND.sub(say, self._new(self.lists["distractors"]))

    def frame(self, name: str, part: str = "items") -> str:
        """Draw one of the texts of a part of frames.toml, whether or not it was drawn before."""
        return self.rng.choice(self.frames[name][part])

    def mention(self) -> str:
        """Draw a mention of {N}, somebody of the cast, that states nothing."""
        return self._new(self.frames["distractor"]["person"])

    def _new(self, texts: Sequence[str]) -> str:
        """Draw a text, preferably one that was not drawn yet."""
        text = self.rng.choice(texts)
        for _ in range(4):
            if text not in self.said:
                break
            text = self.rng.choice(texts)
        self.said.add(text)
        return text

    def intro(self, kind: str) -> str:
        """Draw a sentence that names {N}, so that the next one can use a pronoun."""
        return self._new(self.frames["intro"][kind])

    def opener(self, speaker: str) -> str:
        """Draw how a turn begins."""
        if self.rng.random() < 0.3:
            return self.frame("opener")
        return self.line("openers", speaker)

    def closer(self, speaker: str) -> str:
        """Draw how a turn ends."""
        drawn = self.rng.random()
        if drawn < 0.5:
            return self.line("closers", speaker)
        if drawn < 0.65:
            return self.frame("closer")
        return self.line("small_talk" if drawn < 0.9 else "chat_questions", speaker)

    def chat(self, speaker: str, greet: bool, part: bool, react: bool) -> list[str]:
        """Draw one to three lines of small talk.

        Args:
            speaker: Who says it.
            greet: Whether the speaker has said nothing in this session yet.
            part: Whether it is one of the session's last turns.
            react: Whether the other one has just told something.
        """
        rng, lines = self.rng, []
        if greet and rng.random() < 0.75:
            lines.append(self.line("greetings", speaker))
        elif react and rng.random() < 0.6 and not self.cast.alone:
            lines.append(self.line("reactions", speaker))
        if part and rng.random() < 0.6:
            return [*lines, self.line("farewells", speaker)]
        if not lines or rng.random() < 0.45:
            asks = rng.random() < 0.15 and not self.cast.alone
            lines.append(self.line("chat_questions" if asks else "small_talk", speaker))
        return lines
