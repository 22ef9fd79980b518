"""Live widgets of writes: type a turn and watch any method write it; two methods on one conversation (chapters 6 to 8)."""

from html import escape

import ipywidgets as widgets
import torch

from lmem.analysis import bank_metrics, turn_trace
from lmem.errors import InputError, LmemError
from lmem.memory.methods import METHODS, find, grid
from lmem.memory.model import MemoryModel, as_texts
from lmem.memory.write import WRITES
from lmem.viz.plots import short
from lmem.viz.widgets_svg import beside, heat, lines, log, spoken, table

WIDE = widgets.Layout(width="auto", flex="1 1 16em")
ROW = widgets.Layout(flex_flow="row wrap", align_items="center")
NUMBERS = (("effective rank", "rank", 1), ("distinct rows", "distinct", 0), ("mean cosine", "cosine", 2), ("median norm", "middle", 2))  # fmt: skip


def choices():
    """(name, write) for every write, and which methods write so: several of the paper's differ in the read only."""
    found = []
    for write in WRITES:
        aliases = [m.aliases[0] for m in METHODS if m.write == write and m.aliases]
        named = ", ".join(alias for alias in aliases if alias != write)
        found.append((f"{write} ({named})" if named else write, write))
    return found


class Turns:
    """Turns of one conversation, encoded once for all methods.

    backbone  from `load_backbone`
    texts     turns to begin with
    """

    def __init__(self, backbone, texts=()):
        self.backbone, self.texts, self.latents = backbone, [], []
        self._models = {}
        self.add(list(texts))

    def add(self, texts):
        """raises  InputError for an empty or too long turn; nothing is added then"""
        if texts:
            self.latents += self.backbone.encode(as_texts(texts))
            self.texts += texts

    def clear(self):
        self.texts, self.latents = [], []

    def model(self, write):
        """A method that writes so, as drawn from its seed: the paper's writes need no training."""
        if write not in self._models:
            method = next(m for m in (*METHODS, *grid()) if m.write == write)
            self._models[write] = MemoryModel(self.backbone, method.name)
        return self._models[write]

    @torch.no_grad()
    def banks(self, write):
        """The bank before the first turn, and after every turn."""
        model = self.model(write)
        found = [model.new_bank()]
        for latents in self.latents:
            found.append(model.write_latents(found[-1], [[latents]]))
        return found


class Watch(widgets.VBox):
    """Type a turn, choose a method, and see which rows the turn moves, and how far.

    backbone  from `load_backbone`
    texts     turns that are written already
    method    the method to begin with
    name      who speaks
    """

    def __init__(self, backbone, texts=(), method="m6", name="Ana"):
        self.turns, self.name = Turns(backbone, texts), name
        write = find(method).write
        self.method = widgets.Dropdown(options=choices(), value=write, description="write:")
        self.line = widgets.Text(
            description=f"{name}:",
            placeholder="a turn to write",
            continuous_update=False,
            layout=WIDE,
        )
        self.write = widgets.Button(description="write", tooltip="write this turn into the bank")
        self.clear = widgets.Button(description="new", tooltip="begin with an empty bank")
        self.view = widgets.HTML()
        self.show()
        self.method.observe(lambda _: self.show(), "value")
        self.line.observe(self._typed, "value")  # sent by Enter, and by leaving the field
        self.write.on_click(self._typed)
        self.clear.on_click(self._clear)
        top = widgets.HBox([self.method, self.clear], layout=ROW)
        super().__init__([top, widgets.HBox([self.line, self.write], layout=ROW), self.view])

    def show(self, problem=""):
        write = self.method.value
        square = WRITES[write].form == "square"
        self.view.value = watched(self.turns.banks(write), self.turns.texts, square, problem)

    def _typed(self, _):
        line = self.line.value.strip()
        if not line:
            return
        self.line.value = ""
        try:
            self.turns.add([f"{self.name}: {line}"])
        except LmemError as error:
            self.show(str(error))
        else:
            self.show()

    def _clear(self, _):
        self.turns.clear()
        self.show()


def watched(banks, texts, square=False, problem=""):
    """The view of a write: the turns, the numbers before and after the newest one, the bank.

    banks   Bank, one each: before the first turn, then after every turn
    """
    before, bank = banks[max(0, len(banks) - 2)], banks[-1]
    told = [(f"{i + 1}.", text, "") for i, text in enumerate(texts)]
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    said += log(told[-8:], "the turns, the newest last") if told else "<p>No turn yet.</p>"
    said += f"<p>{spoken(bank, before)}</p>"
    if told:
        rows = [{"bank": "before"} | _numbers(before), {"bank": "after"} | _numbers(bank)]
        said += table(rows, f"The bank before and after turn {len(texts)}")
    return beside(said, heat(bank, before, texts, square))


class Compare(widgets.VBox):
    """Two methods on one conversation: their banks turn by turn, and what is left of one turn in each.

    backbone  from `load_backbone`
    texts     the conversation
    left, right  the methods to begin with
    """

    def __init__(self, backbone, texts, left="m2", right="m6"):
        if not texts:
            raise InputError("expected a conversation of at least one turn")
        self.turns, self._known = Turns(backbone, texts), {}
        options = choices()
        self.left = widgets.Dropdown(options=options, value=find(left).write, description="left:")
        self.right = widgets.Dropdown(
            options=options, value=find(right).write, description="right:"
        )
        last = len(texts)
        self.turn = widgets.IntSlider(
            value=last, min=1, max=last, description="turns:", continuous_update=False
        )
        named = [(f"{i + 1}. {short(text, 30)}", i) for i, text in enumerate(texts)]
        self.fact = widgets.Dropdown(options=named, value=0, description="follow:")
        self.view = widgets.HTML()
        self.show()
        for control in (self.left, self.right, self.turn, self.fact):
            control.observe(lambda _: self.show(), "value")
        methods = widgets.HBox([self.left, self.right], layout=ROW)
        super().__init__([methods, widgets.HBox([self.turn, self.fact], layout=ROW), self.view])

    def show(self):
        names, sides = {write: name for name, write in choices()}, []
        for write in (self.left.value, self.right.value):
            left = self._left(write, self.fact.value)
            sides.append((names[write], self._banks(write), left, WRITES[write].form == "square"))
        self.view.value = compared(sides, self.turns.texts, self.turn.value, self.fact.value)

    def _banks(self, write):
        if write not in self._known:
            self._known[write] = self.turns.banks(write)
        return self._known[write]

    def _left(self, write, fact):
        """(T + 1,) what is left of the turn, as a share of the bank's norm."""
        rule = self.turns.model(write).write_rule
        if (write, fact) not in self._known:
            if turn_trace.exact(rule):
                sizes = turn_trace.trace(rule, self.turns.latents).size[:, 1:]
                self._known |= {(write, i): sizes[:, i].tolist() for i in range(sizes.shape[1])}
            else:
                [sizes] = turn_trace.leave_out(rule, self.turns.latents, [fact]).tolist()
                self._known[write, fact] = sizes
        return self._known[write, fact]


def compared(sides, texts, turn, fact):
    """The view of a comparison.

    sides   two (name, banks: before the first turn and after every turn, share left of the fact after so many turns, square)
    turn    how many turns are written
    fact    the number of the turn that is followed
    """
    maps, rows, curves = [], [], {}
    for place, (name, banks, left, square) in zip(("left", "right"), sides, strict=True):
        bank = banks[turn]
        maps.append(
            f"<p><strong>{escape(name)}</strong></p>{heat(bank, banks[turn - 1], texts, square)}"
        )
        rows.append({"method": name} | _numbers(bank) | {"share": f"{100 * left[turn]:.0f}%"})
        curves[f"{place}: {name}"] = [(i, 100 * share) for i, share in enumerate(left)]
    spoken_shares = ", ".join(f"{name} {100 * left[turn]:.0f}%" for name, _, left, _ in sides)
    alt = f"What is left of turn {fact + 1} after {turn} turns, as a share of the bank's norm: {spoken_shares}."
    marked = curves | {f"(after {turn} turns)": [(turn, 0), (turn, 100)]}
    top = max(100, *(y for curve in curves.values() for _, y in curve))
    chart = lines(marked, "turns written", "share of the bank's norm, %", alt, (len(texts), top))
    said = f"<p>After turn {turn}: {escape(short(texts[turn - 1]))}</p>"
    title = f"The two banks after {turn} turns; share: of turn {fact + 1} in the bank"
    return said + beside(*maps) + beside(chart, table(rows, title))


def _numbers(bank):
    found = bank_metrics.measure_bank(bank)
    return {
        title: f"{round(found[key], digits) + 0.0:.{digits}f}" for title, key, digits in NUMBERS
    }
