"""A live widget of forgetting: change gamma, rows and top-k, and see what is left of a turn by lag (chapters 6 to 8).

    share(L) = mean over the turns t of |part of t after t + 1 + L turns| / |bank|      `lmem.analysis.turn_trace`

Latents are encoded once; only the writes are repeated. A share says what is in the bank, not what can be read from it. What
can be read is shown for the write `recent`, for which a trained read is shipped: bits of the right answer, compared with the
twin's bank (the counterfactual control).
"""

import time
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go
import torch
from torch import Tensor

from lmem.analysis import turn_trace
from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.memory.methods import find
from lmem.memory.model import MemoryModel
from lmem.memory.write import WRITES
from lmem.viz.colours import BLUE, ORANGE
from lmem.viz.plots import add_slider, line, percent, style
from lmem.viz.tables import html_table
from lmem.viz.widgets_svg import line_chart, side_by_side
from lmem.viz.widgets_write import LiveWidget, control

METHODS = {  # a method that writes so
    "attention": "attention+branch",
    "hebbian": "hebbian+query",
    "slots": "slots+extension",
    "recent": "recent+branch",
}
SIZES = (16, 32, 64, 128, 192, 256)
FEWEST = 5  # turns behind a mean, at least
LAGS = (0, 1, 2, 5, 10, 20, 40)  # in the table
Curve = list[tuple[int, float]]  # (lag, share of the bank's norm)


def write_rule(write: str, width: int, rows: int = 64, gamma: float = 0.95, k: int = 8):
    """Build a write rule with these numbers, initialised from seed 0; a number that the rule does not have is ignored."""
    options: dict[str, Any] = {} if write == "recent" else {"gamma": gamma}
    if write == "slots":
        options["k"] = min(k, rows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return WRITES[write](rows, width, **options)


def shares_by_lag(rule, latents: Sequence[Tensor]) -> Curve:
    """Compute what is left of a turn by lag, as the mean over the turns of a conversation.

    Args:
        rule: A write rule whose parts can be separated.
        latents: T turns, (N, D) each.

    Returns:
        (lag, share of the bank's norm), for the lags that at least FEWEST turns have.

    Raises:
        MethodError: The parts of this write cannot be separated.
        InputError: There are too few turns.
    """
    if len(latents) < FEWEST:
        raise InputError(f"expected at least {FEWEST} turns, got {len(latents)}")
    size = turn_trace.trace(rule, latents).size[1:, 1:]  # after turn s, of turn t
    return [(lag, float(size.diagonal(-lag).mean())) for lag in range(len(latents) - FEWEST + 1)]


class AnswerBits:
    """Bits of the right answers with the conversation's own bank, compared with its twin's, read with trained weights.

    Args:
        model: A trained model that writes `recent`, which takes any number of rows.
        conversation: A conversation with its twin.

    Raises:
        InputError: The model writes otherwise, or the conversation has no twin.
    """

    def __init__(self, model: MemoryModel, conversation: Conversation):
        if model.method.write != "recent" or conversation.twin is None:
            raise InputError(
                "expected an adapter that writes `recent`, and a conversation with its twin"
            )
        questions = [q for q in conversation.questions if q.answer and q.lag is not None]
        self.model, self.lags = model, [int(q.lag or 0) for q in questions]
        self.latents = model.encode_turns([conversation.texts(), conversation.twin.texts()])
        self.inputs = model.backbone.inputs([f"question: {q.text}" for q in questions])
        self.labels = model.backbone.labels([q.answer or "" for q in questions])

    @torch.no_grad()
    def by_lag(self, rows: int) -> Curve:
        """Compute (lag, bits) of each question for a bank with so many rows, by growing lag."""
        model = MemoryModel(self.model.backbone, "recent", rows / 64)
        trained = self.model.read
        assert trained is not None
        assert model.read is not None
        model.read.load_state_dict(trained.state_dict())
        bits = []
        for latents in self.latents:
            with model.attached(model.write_latents(model.new_bank(), [latents])):
                bits.append(model.backbone.bits(self.inputs, self.labels))
        return sorted(zip(self.lags, (bits[0] - bits[1]).tolist(), strict=True))


class Forgetting(LiveWidget):
    """Choose a write, change its numbers, and compare what is left of a turn by lag with the previous setting.

    Args:
        model: A trained model that writes `recent`; its backbone encodes the conversation, once.
        conversation: A conversation with its twin.
        write: The write to begin with.
    """

    def __init__(self, model: MemoryModel, conversation: Conversation, write: str = "attention"):
        self.bits = AnswerBits(model, conversation)
        self.latents, self.width = self.bits.latents[0], model.backbone.width
        self.last, self.seconds, self._curves = None, 0.0, {}
        self.write = control(widgets.Dropdown, "write:", options=list(METHODS), value=write)
        self.rows = control(widgets.SelectionSlider, "rows:", options=SIZES, value=64)
        gammas = {"value": 0.95, "min": 0.8, "max": 1, "step": 0.01}
        self.gamma = control(widgets.FloatSlider, "gamma:", **gammas)
        self.k = control(widgets.IntSlider, "top-k:", value=8, min=1, max=16)
        super().__init__([[self.write, self.rows], [self.gamma, self.k]])

    def show(self) -> None:
        """Compute the curve of the current numbers; `seconds` says how long it took."""
        start = time.perf_counter()
        write, rows = self.write.value, self.rows.value
        self.gamma.disabled, self.k.disabled = write == "recent", write != "slots"
        now = self._curve(write, rows, self.gamma.value, self.k.value)
        bits = self.bits.by_lag(rows) if write == "recent" else None
        view = forgetting_view(now, self.last, bits)
        self.seconds = time.perf_counter() - start
        if self.last is not None:
            view += f"<p>Computed in {self.seconds:.1f} s.</p>"
        self.last, self.view.value = now, view

    def _curve(self, write: str, rows: int, gamma: float, k: int) -> tuple[str, Curve]:
        name = f"{write}, {rows} rows"
        name += "" if write == "recent" else f", gamma {gamma:.2f}"
        name += f", top-{min(k, rows)}" if write == "slots" else ""
        if name not in self._curves:
            rule = write_rule(write, self.width, rows, gamma, k)
            self._curves[name] = shares_by_lag(rule, self.latents)
        return name, self._curves[name]


def forgetting_view(
    now: tuple[str, Curve], before: tuple[str, Curve] | None = None, bits: Curve | None = None
) -> str:
    """Draw a curve with its table as HTML.

    Args:
        now: Name and curve.
        before: The previous ones, drawn thin.
        bits: (lag, bits) of each question, where there is a trained read.
    """
    name, curve = now
    curves = {name: [(lag, 100 * share) for lag, share in curve]}
    if before and before[0] != name:
        curves[f"(before: {before[0]})"] = [(lag, 100 * share) for lag, share in before[1]]
    some = [(lag, share) for lag, share in curve if lag in LAGS]
    spoken = ", ".join(f"{100 * share:.0f}% at lag {lag}" for lag, share in some)
    alt = f"What is left of a turn in the bank by lag, {name}: {spoken}."
    right, top = map(
        max, zip(*(point for points in curves.values() for point in points), strict=True)
    )
    x, y = "lag, turns", "share of the bank's norm, %"
    chart = line_chart(curves, x, y, alt, (right, max(top, 1)))
    cells = {f"lag {lag}": f"{100 * share:.1f}%" for lag, share in some}
    table = html_table([cells], f"Left of a turn: {name}")
    if bits is None:
        return chart + table
    spoken = ", ".join(f"{gained:.0f} at lag {lag}" for lag, gained in bits)
    alt = f"Bits of the right answer over the twin's bank, by the question's lag: {spoken}."
    name, y = "one point for a question", "bits over the twin's bank"
    return side_by_side(chart, line_chart({name: bits}, x, y, alt, points={name})) + table


def forgetting_by_gamma(
    latents: Sequence[Tensor], width: int, gammas: Sequence[float]
) -> tuple[go.Figure, list[dict]]:
    """Draw the same curve with a slider over gamma that needs no kernel.

    Args:
        latents: Of one conversation, T turns, (N, D) each.
        width: D.
        gammas: The slider's values.

    Returns:
        The figure, and the rows of its table.
    """
    frames, cells, spoken = [], [], []
    looks = {"attention": (BLUE, "solid"), "slots": (ORANGE, "dash")}
    ten_later = {write: [] for write in looks}
    for gamma in gammas:
        lines = []
        for write, (colour, dash) in looks.items():
            curve = shares_by_lag(write_rule(write, width, gamma=gamma), latents)
            lags, shares = zip(*curve, strict=True)
            ten_later[write].append(100 * shares[10])
            aliases = find(METHODS[write]).aliases
            name = f"{write} ({aliases[0]})" if aliases else write
            hover = "lag %{x}: %{y}%<extra>" + write + "</extra>"
            y = map(percent, shares)
            lines.append(line(lags, y, name, colour, dash, 3, hovertemplate=hover))
            row = {"gamma": f"{gamma:.2f}", "write": write}
            some = [(lag, share) for lag, share in curve if lag in LAGS]
            cells.append(row | {f"lag {lag}": f"{100 * share:.0f}%" for lag, share in some})
        frames.append(lines)
    for write, (first, *_, last) in ten_later.items():
        spoken.append(
            f"{write}: ten turns later {first:.0f}% are left with gamma {gammas[0]:.2f}, {last:.0f}% with {gammas[-1]:.2f}."
        )
    alt = f"Curves by lag, with a slider over gamma. {' '.join(spoken)}"
    title, y = "What is left of a turn, 64 rows", "share of the bank's norm, %"
    figure = style(go.Figure(), title, alt, "lag, turns", y, height=480, b=190)
    figure.update_yaxes(rangemode="tozero", range=[0, 100])
    labels = [f"{gamma:.2f}" for gamma in gammas]
    shown = labels.index("0.95") if "0.95" in labels else 0
    return add_slider(figure, frames, labels, "gamma = ", shown=shown), cells
