"""Live widgets: chat with a visible bank, watch a write, change the numbers behind forgetting, compare two methods.

They use core widgets only, and HTML that pure functions make (`widgets_svg`). So they are live in JupyterLab, Colab and
VS Code, and the site shows them as they were stored. Each has a figure that needs no kernel:

    Chat        explorer.rows                           Watch    explorer.slots, explorer.square
    Forgetting  widgets_forgetting.forgetting_by_gamma  Compare  collapse.row_cosines
"""

from collections.abc import Iterable, Mapping, Sequence

import ipywidgets as widgets

from lmem.chat import commands
from lmem.chat.reply import Reply
from lmem.chat.session import ChatSession
from lmem.chat.terminal import SHIPPED
from lmem.errors import LmemError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.viz.widgets_forgetting import Forgetting
from lmem.viz.widgets_svg import bank_map, describe, side_by_side, transcript
from lmem.viz.widgets_write import Compare, LineInput, LiveWidget, Watch

__all__ = ["Chat", "Compare", "Forgetting", "Watch"]


class Chat(LiveWidget):
    """The chat of the command line: what you say is written into a bank, and what you ask is answered from it.

    Args:
        model: A model; default: the one that `lmem chat` uses.
        lines: Lines to begin with.
        name: Who speaks.
        file: Where "save" and "load" look, next to the notebook.
        threshold: Answers of lower confidence are not given.

    Attributes:
        session: The chat.
        bank: The current bank.
    """

    def __init__(
        self,
        model: MemoryModel | None = None,
        lines: Iterable[str] = (),
        name: str = "Ana",
        file: str = commands.FILE,
        threshold: float = 0.0,
    ):
        self.session = ChatSession(
            model or MemoryModel.from_shipped(SHIPPED), name, None, threshold
        )
        self.before = self.bank
        self.history: list[tuple[str, str, int | str]] = []
        entry = LineInput(
            f"{name}:", "say something, or ask", "say", "write the line, or ask it", self._send
        )
        self.line, self.say = entry.field, entry.button
        wide = widgets.Layout(width="auto", flex="1 1 16em")
        self.file = widgets.Text(value=file, description="file:", layout=wide)
        self.save, self.load, self.new = (
            widgets.Button(description=label, tooltip=tooltip)
            for label, tooltip in (
                ("save", "save the bank in this file"),
                ("load", "go on with the bank in this file"),
                ("new", "begin with an empty bank"),
            )
        )
        self.save.on_click(lambda _: self._send(f"/save {self.file.value}"))
        self.load.on_click(lambda _: self._send(f"/load {self.file.value}"))
        self.new.on_click(lambda _: self._send("/new"))
        for line in lines:
            self.take(line)
        super().__init__([[self.line, self.say]], [self.file, self.save, self.load, self.new])

    @property
    def bank(self) -> Bank:
        """The current bank."""
        return self.session.bank

    def take(self, line: str) -> None:
        """Process one line as the command line does. An error is shown, and leaves the bank unchanged."""
        before, name = self.bank, f"{self.session.name}:"
        try:
            reply = self.session.take(line)
        except (LmemError, OSError) as error:
            self.history.append(("", line, str(error)))
            return
        if reply.kind == "written":
            self.history.append((name, line, self.bank.turns_written[0] - 1))
            self._say("", reply)
        elif reply.kind == "answer":
            self.history.append((name, line, "(asked)"))
            self._say("lmem:", reply)
        else:
            if self.bank is not before:  # numbers of turns are no longer those of this bank
                self.history = []
            self._say("", reply)
        if self.bank is not before:
            one_more = self.bank.turns_written[0] == before.turns_written[0] + 1
            self.before = before if one_more else self.bank

    def show(self) -> None:
        """Redraw what was said and the bank."""
        self.view.value = chat_view(self.bank, self.before, self.history, self.session.said)

    def _say(self, who: str, reply: Reply) -> None:
        """Add a reply to what was said, a line of it each."""
        for line in reply.text.splitlines():
            self.history.append((who, line, ""))
        if reply.note:
            self.history.append(("", reply.note, ""))

    def _send(self, line: str) -> None:
        self.take(line)
        self.show()


def chat_view(
    bank: Bank,
    before: Bank,
    history: Sequence[tuple[str, str, int | str]],
    texts: Mapping[int, str],
) -> str:
    """Show a chat as HTML: what was said, in how many rows each turn is the last writer, and the bank.

    Args:
        bank: The current bank.
        before: The bank before its newest turn.
        history: (who, text, note) each; the note of a turn is its number.
        texts: {number: text} of the turns that are known.
    """
    written, lines = bank.state.written[0].tolist(), []
    for who, text, note in history:
        if isinstance(note, int):
            rows = written.count(note)
            note = f"(last writer of {rows} row{'s' * (rows != 1)})" if rows else "(in no row)"
        lines.append((who, text, note))
    talk = transcript(lines, "what was said") if lines else "<p>Nothing was said yet.</p>"
    talk += f"<p>{describe(bank, before)}</p>"
    return side_by_side(talk, bank_map(bank, before, texts))
