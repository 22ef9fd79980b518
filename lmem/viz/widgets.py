"""Live widgets: chat with a bank in sight, watch a write, move the numbers behind forgetting, put two methods side by side.

Only core widgets, and HTML that pure functions make (`widgets_svg`): so they are live in JupyterLab, Colab and VS Code, and on the
site they stand still as they were stored. Each has a figure beside it that moves without a kernel:

    Chat        explorer.rows           Watch    explorer.slots, explorer.square
    Forgetting  widgets_curve.twin      Compare  collapse.rows_meet
"""

import ipywidgets as widgets

from lmem.chat import session
from lmem.errors import LmemError
from lmem.memory.model import MemoryModel
from lmem.viz.widgets_curve import Forgetting
from lmem.viz.widgets_svg import beside, heat, log, spoken
from lmem.viz.widgets_write import Compare, Watch

__all__ = ["Chat", "Compare", "Forgetting", "Watch"]
ROW = widgets.Layout(flex_flow="row wrap", align_items="center")
WIDE = widgets.Layout(width="auto", flex="1 1 16em")


class Chat(widgets.VBox):
    """Say something and see it written; end with ? and see what the bank answers.

    model  a MemoryModel; default: the adapter that comes with the package
    said   lines to begin with
    name   who speaks
    file   where "save" and "load" look, next to the notebook
    `bank` is the bank as it is now
    """

    def __init__(self, model=None, said=(), name="Ana", file=session.FILE):
        self.model = model or MemoryModel.from_shipped()
        self.name, self.spoken, self.texts = name, [], {}
        self.bank = self.before = self.model.new_bank()
        self.line = widgets.Text(
            description=f"{name}:", placeholder="say something, or ask: end with ?", continuous_update=False, layout=WIDE,
        )  # fmt: skip
        self.send = widgets.Button(description="say", tooltip="write the line, or ask it")
        self.file = widgets.Text(value=file, description="file:", layout=WIDE)
        self.save = widgets.Button(description="save", tooltip="save the bank in this file")
        self.load = widgets.Button(description="load", tooltip="go on with the bank in this file")
        self.new = widgets.Button(description="new", tooltip="begin with an empty bank")
        self.view = widgets.HTML()
        for line in said:
            self.take(line)
        self.show()
        self.line.observe(self._typed, "value")  # sent by Enter, and by leaving the field
        self.send.on_click(self._typed)
        self.save.on_click(lambda _: self._do(f"/save {self.file.value}"))
        self.load.on_click(lambda _: self._do(f"/load {self.file.value}"))
        self.new.on_click(lambda _: self._do("/new"))
        talking = widgets.HBox([self.line, self.send], layout=ROW)
        keeping = widgets.HBox([self.file, self.save, self.load, self.new], layout=ROW)
        super().__init__([talking, self.view, keeping])

    def take(self, line):
        """One line of the talk, as on the command line; an error is said, and the bank stays as it was."""
        try:
            bank, said, answered = session.step(self.model, self.bank, line, self.name)
        except (LmemError, OSError) as error:
            self.spoken.append(("", line, str(error)))
            return
        if answered:
            self.spoken += [(f"{self.name}:", line, "(asked)"), ("lmem:", said, "")]
        elif said:
            self.spoken.append(("", said, ""))
            if bank is not self.bank:  # new, or another one's
                self.before, self.texts = bank, {}
                self.spoken = self.spoken[-1:]
        else:
            turn = bank.turns_written[0] - 1
            self.texts[turn], self.before = f"{self.name}: {line}", self.bank
            self.spoken.append((f"{self.name}:", line, turn))
        self.bank = bank

    def show(self):
        """Put what was said and what is in the bank into the view."""
        self.view.value = chat(self.bank, self.before, self.spoken, self.texts)

    def _typed(self, _):
        line = self.line.value.strip()
        if line:
            self.line.value = ""
            self._do(line)

    def _do(self, line):
        self.take(line)
        self.show()


def chat(bank, before, said, texts):
    """The view of a chat: what was said, and for each turn how many rows it still was the last to write; the bank.

    said   (who, text, note) each; the note of a turn is its number
    texts  {number: "Ana: ..."} of the turns that are known
    """
    written = bank.state.written[0].tolist()
    told = []
    for who, text, note in said:
        if isinstance(note, int):
            rows = written.count(note)
            note = f"(last writer of {rows} row{'s' * (rows != 1)})" if rows else "(in no row)"
        told.append((who, text, note))
    talked = log(told, "what was said") if told else "<p>Nothing was said yet.</p>"
    return beside(talked + f"<p>{spoken(bank, before)}</p>", heat(bank, before, texts))
