"""Live widgets of writes: type a turn and watch any method write it; compare two methods (chapters 6 to 8)."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
import torch

from lmem.analysis import bank_metrics, turn_trace
from lmem.backbone.backbone import Backbone
from lmem.errors import InputError, LmemError
from lmem.memory.bank import Bank
from lmem.memory.methods import METHODS, find, grid
from lmem.memory.model import MemoryModel, as_texts
from lmem.memory.write import WRITES
from lmem.viz.plots import shorten
from lmem.viz.tables import html_table
from lmem.viz.widgets_svg import bank_map, describe, line_chart, side_by_side, transcript

METRICS = (
    ("effective rank", "rank", 1),
    ("distinct rows", "distinct", 0),
    ("mean cosine", "cosine", 2),
    ("median norm", "middle", 2),
)


def control(kind: Callable[..., Any], description: str, **options: Any) -> Any:
    """Make a control that reports its value once it is final, not at every key or pixel."""
    if kind is not widgets.Dropdown:
        options["continuous_update"] = False
    return kind(description=description, **options)


class LiveWidget(widgets.VBox):
    """Rows of controls and a view in HTML that follows them. A subclass writes `self.view.value` in `show`.

    Args:
        rows: Controls, row by row. The view is redrawn when the value of one of them changes; buttons and texts
            are for the subclass to observe.
        below: A row below the view.
    """

    def __init__(self, rows: Sequence[Sequence[Any]], below: Sequence[Any] = ()):
        self.view = widgets.HTML()
        self.show()
        for item in (item for row in rows for item in row):
            if not isinstance(item, widgets.Text | widgets.Button):
                item.observe(lambda _: self.show(), "value")
        layout = widgets.Layout(flex_flow="row wrap", align_items="center")
        boxes = [widgets.HBox(row, layout=layout) for row in rows]
        after = [widgets.HBox(below, layout=layout)] if below else []
        super().__init__([*boxes, self.view, *after])

    def show(self) -> None:
        """Redraw the view."""
        raise NotImplementedError


class LineInput:
    """A text field with a button: a line is sent by Enter, by leaving the field, or by the button, and only once.

    Args:
        description: The field's label.
        placeholder: What it says while it is empty.
        button: Label of the button.
        tooltip: Of the button.
        send: Called with each line that is not empty.
    """

    def __init__(
        self, description: str, placeholder: str, button: str, tooltip: str, send: Callable
    ):
        wide = widgets.Layout(width="auto", flex="1 1 16em")
        self.send = send
        self.field = control(widgets.Text, description, placeholder=placeholder, layout=wide)
        self.button = widgets.Button(description=button, tooltip=tooltip)
        self.field.observe(self._take, "value")
        self.button.on_click(self._take)

    def _take(self, _) -> None:
        line = self.field.value.strip()
        if line:
            self.field.value = ""
            self.send(line)


def choices() -> list[tuple[str, str]]:
    """List (name, write) for every write; the name says which methods of the paper write so."""
    options = []
    for write in WRITES:
        aliases = [m.aliases[0] for m in METHODS if m.write == write and m.aliases]
        named = ", ".join(alias for alias in aliases if alias != write)
        options.append((f"{write} ({named})" if named else write, write))
    return options


class Turns:
    """Turns of one conversation, encoded once for all methods.

    Args:
        backbone: From `load_backbone`.
        texts: Turns to begin with.
    """

    def __init__(self, backbone: Backbone, texts: Sequence[str] = ()):
        self.backbone, self.texts, self.latents, self._models = backbone, [], [], {}
        self.add(texts)

    def add(self, texts: Sequence[str]) -> None:
        """Encode and append turns.

        Raises:
            InputError: A turn is empty or too long; nothing is added then.
        """
        if texts:
            self.latents += self.backbone.encode(as_texts(list(texts)))
            self.texts += texts

    def clear(self) -> None:
        """Remove all turns."""
        self.texts, self.latents = [], []

    def model(self, write: str) -> MemoryModel:
        """Make a model that writes so, as initialised from its seed: the paper's writes need no training."""
        if write not in self._models:
            method = next(m for m in (*METHODS, *grid()) if m.write == write)
            self._models[write] = MemoryModel(self.backbone, method.name)
        return self._models[write]

    @torch.no_grad()
    def banks(self, write: str) -> list[Bank]:
        """Write the turns: the bank before the first turn, and after every turn."""
        model = self.model(write)
        banks = [model.new_bank()]
        for latents in self.latents:
            banks.append(model.write_latents(banks[-1], [[latents]]))
        return banks


class Watch(LiveWidget):
    """Type a turn, choose a method, and see which rows the turn moves, and how far.

    Args:
        backbone: From `load_backbone`.
        texts: Turns that are written already.
        method: The method to begin with.
        name: Who speaks.
    """

    def __init__(
        self, backbone: Backbone, texts: Sequence[str] = (), method: str = "m6", name: str = "Ana"
    ):
        self.turns, self.name = Turns(backbone, texts), name
        write, tooltip = find(method).write, "write this turn into the bank"
        self.method = control(widgets.Dropdown, "write:", options=choices(), value=write)
        entry = LineInput(f"{name}:", "a turn to write", "write", tooltip, self._write)
        self.line, self.write = entry.field, entry.button
        self.clear = widgets.Button(description="new", tooltip="begin with an empty bank")
        self.clear.on_click(self._clear)
        super().__init__([[self.method, self.clear], [self.line, self.write]])

    def show(self, problem: str = "") -> None:
        """Redraw the view, with an error message above it."""
        write = self.method.value
        square = WRITES[write].form == "square"
        self.view.value = write_view(self.turns.banks(write), self.turns.texts, square, problem)

    def _write(self, line: str) -> None:
        try:
            self.turns.add([f"{self.name}: {line}"])
        except LmemError as error:
            self.show(str(error))
        else:
            self.show()

    def _clear(self, _) -> None:
        self.turns.clear()
        self.show()


def write_view(
    banks: Sequence[Bank], texts: Sequence[str], square: bool = False, problem: str = ""
) -> str:
    """Show a write as HTML: the turns, the numbers before and after the newest one, the bank.

    Args:
        banks: One each: before the first turn, then after every turn.
        texts: The turns.
        square: Whether it is a bank of associations.
        problem: An error message.
    """
    before, bank = banks[max(0, len(banks) - 2)], banks[-1]
    turns = [(f"{i}.", text, "") for i, text in enumerate(texts, 1)]
    left = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    left += transcript(turns[-8:], "the turns, the newest last") if turns else "<p>No turn yet.</p>"
    left += f"<p>{describe(bank, before)}</p>"
    if turns:
        rows = [{"bank": "before"} | _metrics(before), {"bank": "after"} | _metrics(bank)]
        left += html_table(rows, f"The bank before and after turn {len(texts)}")
    return side_by_side(left, bank_map(bank, before, texts, square))


class Compare(LiveWidget):
    """Compare two methods on one conversation: their banks turn by turn, and what is left of one turn in each.

    Args:
        backbone: From `load_backbone`.
        texts: The conversation.
        left: The method to begin with on the left.
        right: The method to begin with on the right.

    Raises:
        InputError: There is no turn.
    """

    def __init__(
        self, backbone: Backbone, texts: Sequence[str], left: str = "m2", right: str = "m6"
    ):
        if not texts:
            raise InputError("expected a conversation of at least one turn")
        self.turns, self._banks, self._shares = Turns(backbone, texts), {}, {}
        self.left, self.right = (
            control(widgets.Dropdown, f"{side}:", options=choices(), value=find(method).write)
            for side, method in (("left", left), ("right", right))
        )
        count = len(texts)
        self.turn = control(widgets.IntSlider, "turns:", value=count, min=1, max=count)
        facts = [(f"{i + 1}. {shorten(text, 30)}", i) for i, text in enumerate(texts)]
        self.fact = control(widgets.Dropdown, "follow:", options=facts, value=0)
        super().__init__([[self.left, self.right], [self.turn, self.fact]])

    def show(self) -> None:
        """Redraw both banks and the curves."""
        names, sides = {write: name for name, write in choices()}, []
        for write in (self.left.value, self.right.value):
            if write not in self._banks:
                self._banks[write] = self.turns.banks(write)
            shares, square = self.shares(write, self.fact.value), WRITES[write].form == "square"
            sides.append((names[write], self._banks[write], shares, square))
        self.view.value = comparison_view(sides, self.turns.texts, self.turn.value, self.fact.value)

    def shares(self, write: str, fact: int) -> list[float]:
        """Compute what is left of one turn after each number of turns, (T + 1,), as a share of the bank's norm."""
        rule, latents = self.turns.model(write).write_rule, self.turns.latents
        if (write, fact) not in self._shares:
            if turn_trace.exact(rule):
                sizes = turn_trace.trace(rule, latents).size[:, 1:].T
                self._shares |= {(write, i): size.tolist() for i, size in enumerate(sizes)}
            else:
                [size] = turn_trace.leave_out(rule, latents, [fact])
                self._shares[write, fact] = size.tolist()
        return self._shares[write, fact]


def comparison_view(
    sides: Sequence[tuple[str, Sequence[Bank], Sequence[float], bool]],
    texts: Sequence[str],
    turn: int,
    fact: int,
) -> str:
    """Show a comparison as HTML.

    Args:
        sides: Two (name, banks before the first turn and after every turn, share left of the fact after so many
            turns, whether the bank is square).
        texts: The turns.
        turn: How many turns are written.
        fact: Number of the turn that is followed.
    """
    maps, rows, curves, spoken = [], [], {}, []
    for place, (name, banks, left, square) in zip(("left", "right"), sides, strict=True):
        bank, share = banks[turn], f"{100 * left[turn]:.0f}%"
        picture = bank_map(bank, banks[turn - 1], texts, square)
        maps.append(f"<p><strong>{escape(name)}</strong></p>{picture}")
        rows.append({"method": name} | _metrics(bank) | {"share": share})
        curves[f"{place}: {name}"] = [(i, 100 * value) for i, value in enumerate(left)]
        spoken.append(f"{name} {share}")
    alt = (
        f"What is left of turn {fact + 1} after {turn} turns, as a share of the bank's norm: "
        f"{', '.join(spoken)}."
    )
    top = max(100, *(value for curve in curves.values() for _, value in curve))
    curves[f"(after {turn} turns)"] = [(turn, 0), (turn, 100)]
    x, y = "turns written", "share of the bank's norm, %"
    chart = line_chart(curves, x, y, alt, (len(texts), top))
    title = f"The two banks after {turn} turns; share: of turn {fact + 1} in the bank"
    newest = f"<p>After turn {turn}: {escape(shorten(texts[turn - 1]))}</p>"
    return newest + side_by_side(*maps) + side_by_side(chart, html_table(rows, title))


def _metrics(bank: Bank) -> dict[str, str]:
    look = bank_metrics.measure_bank(bank)
    return {title: f"{round(look[key], digits) + 0.0:.{digits}f}" for title, key, digits in METRICS}
