"""Live widgets: chat with a visible bank, watch a write, change the numbers behind forgetting, compare two methods.

They use core widgets only, and HTML that pure functions make (`widgets_svg`). So they are live in JupyterLab, Colab and
VS Code, and the site shows them as they were stored. Each has a figure that needs no kernel:

    Chat        explorer.rows                           Watch    explorer.slots, explorer.square
    Forgetting  widgets_forgetting.forgetting_by_gamma  Compare  collapse.row_cosines
"""

from collections.abc import Iterable, Mapping, Sequence

import ipywidgets as widgets

from lmem.chat import session
from lmem.errors import LmemError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.viz.widgets_forgetting import Forgetting
from lmem.viz.widgets_svg import bank_map, describe, side_by_side, transcript
from lmem.viz.widgets_write import Compare, LineInput, LiveWidget, Watch

__all__ = ["Chat", "Compare", "Forgetting", "Watch"]


class Chat(LiveWidget):
    """Write what you say into a bank, and answer what ends with ? from it. `bank` is the current bank.

    Args:
        model: A model; default: the adapter that is shipped with the package.
        lines: Lines to begin with.
        name: Who speaks.
        file: Where "save" and "load" look, next to the notebook.
    """

    def __init__(
        self,
        model: MemoryModel | None = None,
        lines: Iterable[str] = (),
        name: str = "Ana",
        file: str = session.FILE,
    ):
        self.model = model or MemoryModel.from_shipped()
        self.name, self.texts = name, {}
        self.history: list[tuple[str, str, int | str]] = []
        self.bank = self.before = self.model.new_bank()
        placeholder = "say something, or ask: end with ?"
        entry = LineInput(f"{name}:", placeholder, "say", "write the line, or ask it", self._send)
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

    def take(self, line: str) -> None:
        """Process one line as the command line does. An error is shown, and leaves the bank unchanged."""
        try:
            reply = session.respond(self.model, self.bank, line, self.name)
        except (LmemError, OSError) as error:
            self.history.append(("", line, str(error)))
            return
        if reply.kind == "answer":
            self.history += [(f"{self.name}:", line, "(asked)"), ("lmem:", reply.text, "")]
        elif reply.kind == "written":
            turn = reply.bank.turns_written[0] - 1
            self.texts[turn], self.before = f"{self.name}: {line}", self.bank
            self.history.append((f"{self.name}:", line, turn))
        elif reply.bank is not self.bank:  # a new or a loaded one
            self.before, self.texts = reply.bank, {}
            self.history = [("", reply.text, "")]
        else:
            self.history.append(("", reply.text, ""))
        self.bank = reply.bank

    def show(self) -> None:
        """Redraw what was said and the bank."""
        self.view.value = chat_view(self.bank, self.before, self.history, self.texts)

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
        texts: {number: "Ana: ..."} of the turns that are known.
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
