"""Move gamma, rows and top-k, and see the curve of forgetting again: latents are made once, only writes are repeated.

    share(L) = mean over the turns t of |part of t after t + 1 + L turns| / |bank|      lmem.analysis.turn_trace; chapters 6 to 8

A share is what is there, not what can be read. What can be read is shown where a trained read is at hand: the shipped adapter's,
for the write `recent`, as bits of the right answer over the twin's bank.
"""

import time

import ipywidgets as widgets
import plotly.graph_objects as go
import torch

from lmem.analysis import turn_trace
from lmem.errors import InputError
from lmem.memory.methods import find
from lmem.memory.model import MemoryModel
from lmem.memory.write import WRITES
from lmem.viz.plots import COLOURS, slide, style
from lmem.viz.widgets_svg import beside, lines, table

METHOD = {"attention": "attention+branch", "hebbian": "hebbian+query", "slots": "slots+extension", "recent": "recent+branch"}  # fmt: skip
SIZES = (16, 32, 64, 128, 192, 256)
FEW = 5  # turns that a mean is made of, at least
SHOWN = (0, 1, 2, 5, 10, 20, 40)  # lags in the table
ROW = widgets.Layout(flex_flow="row wrap", align_items="center")


def rule_of(write, width, rows=64, gamma=0.95, k=8, seed=0):
    """A write rule with these numbers, drawn from the seed; what a rule does not have is left aside."""
    options = {} if write == "recent" else {"gamma": gamma}
    if write == "slots":
        options["k"] = min(k, rows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return WRITES[write](rows, width, **options)


def shares(rule, latents):
    """What is left of a turn by its lag, mean over the turns of a conversation.

    latents  list of T (N, D), as `encode` gives them
    returns  list of (lag, share of the bank's norm), for the lags that at least FEW turns have
    raises   MethodError for a write whose parts cannot be told apart, InputError for too few turns
    """
    if len(latents) < FEW:
        raise InputError(f"expected at least {FEW} turns, got {len(latents)}")
    size = turn_trace.trace(rule, latents).size[1:, 1:]  # after turn s, of turn t
    return [(lag, float(size.diagonal(-lag).mean())) for lag in range(len(latents) - FEW + 1)]


class Bits:
    """Bits of the right answers with the conversation's own bank over its twin's, by lag; read with trained weights.

    model         a trained MemoryModel that writes `recent`, which takes any number of rows
    conversation  a Conversation with its twin
    """

    def __init__(self, model, conversation):
        if model.method.write != "recent" or conversation.twin is None:
            raise InputError(
                "expected an adapter that writes `recent`, and a conversation with its twin"
            )
        self.model = model
        self.asked = [q for q in conversation.questions if q.answer and q.lag is not None]
        self.latents = model.encode_turns([conversation.texts(), conversation.twin.texts()])
        backbone = model.backbone
        self.inputs = backbone.inputs([f"question: {q.text}" for q in self.asked])
        self.labels = backbone.labels([q.answer for q in self.asked])

    @torch.no_grad()
    def by_lag(self, rows):
        """(lag, bits) of each question, by lag."""
        model = MemoryModel(self.model.backbone, "recent", rows / 64)
        model.read.load_state_dict(self.model.read.state_dict())
        found = []
        for latents in self.latents:
            bank = model.write_latents(model.new_bank(), [latents])
            with model.attached(bank):
                found.append(model.backbone.bits(self.inputs, self.labels))
        gained = (found[0] - found[1]).tolist()
        return sorted(zip((q.lag for q in self.asked), gained, strict=True))


class Forgetting(widgets.VBox):
    """Choose a write, move its numbers, and see what is left of a turn by lag, beside the setting before.

    model         a trained MemoryModel that writes `recent`; its backbone encodes the conversation, once
    conversation  a Conversation with its twin
    write         the write to begin with
    """

    def __init__(self, model, conversation, write="attention"):
        self.bits = Bits(model, conversation)
        self.latents, self.width = self.bits.latents[0], model.backbone.width
        self.last, self.seconds, self._known = None, 0.0, {}
        self.write = widgets.Dropdown(options=list(METHOD), value=write, description="write:")
        self.gamma = widgets.FloatSlider(
            value=0.95, min=0.8, max=1, step=0.01, description="gamma:", continuous_update=False
        )
        self.rows = widgets.SelectionSlider(
            options=SIZES, value=64, description="rows:", continuous_update=False
        )
        self.k = widgets.IntSlider(
            value=8, min=1, max=16, description="top-k:", continuous_update=False
        )
        self.view = widgets.HTML()
        self.show()
        for control in (self.write, self.gamma, self.rows, self.k):
            control.observe(lambda _: self.show(), "value")
        first = widgets.HBox([self.write, self.rows], layout=ROW)
        super().__init__([first, widgets.HBox([self.gamma, self.k], layout=ROW), self.view])

    def show(self):
        """Compute the curve of the numbers as they stand; `seconds` says how long it took."""
        begun = time.perf_counter()
        write, rows = self.write.value, self.rows.value
        self.gamma.disabled, self.k.disabled = write == "recent", write != "slots"
        now = self._curve(write, rows, self.gamma.value, self.k.value)
        bits = self.bits.by_lag(rows) if write == "recent" else None
        view, again = forgot(now, self.last, bits), self.last is not None
        self.last, self.seconds = now, time.perf_counter() - begun
        self.view.value = view + f"<p>Computed in {self.seconds:.1f} s.</p>" * again

    def _curve(self, write, rows, gamma, k):
        name = f"{write}, {rows} rows"
        name += "" if write == "recent" else f", gamma {gamma:.2f}"
        name += f", top-{min(k, rows)}" if write == "slots" else ""
        if name not in self._known:
            rule = rule_of(write, self.width, rows, gamma, k)
            self._known[name] = shares(rule, self.latents)
        return name, self._known[name]


def forgot(now, before=None, bits=None):
    """The view of a curve.

    now, before  (name, list of (lag, share)); before is drawn thin
    bits         list of (lag, bits), where there is a trained read
    """
    name, found = now
    curves = {name: [(lag, 100 * share) for lag, share in found]}
    if before and before[0] != name:
        curves[f"(before: {before[0]})"] = [(lag, 100 * share) for lag, share in before[1]]
    picked = [(lag, share) for lag, share in found if lag in SHOWN]
    spoken = ", ".join(f"{100 * share:.0f}% at lag {lag}" for lag, share in picked)
    top = max(y for curve in curves.values() for _, y in curve)
    right = max(x for curve in curves.values() for x, _ in curve)
    alt = f"What is left of a turn in the bank by lag, {name}: {spoken}."
    chart = lines(curves, "lag, turns", "share of the bank's norm, %", alt, (right, max(top, 1)))
    rows = table(
        [{f"lag {lag}": f"{100 * share:.1f}%" for lag, share in picked}], f"Left of a turn: {name}"
    )
    if bits is None:
        return chart + rows
    said = ", ".join(f"{gained:.0f} at lag {lag}" for lag, gained in bits)
    told = f"Bits of the right answer over the twin's bank, by the question's lag: {said}."
    point = "one point for a question"
    y = "bits over the twin's bank"
    return beside(chart, lines({point: bits}, "lag, turns", y, told, loose={point})) + rows


def twin(latents, width, gammas, writes=("attention", "slots"), rows=64):
    """The same curve with a slider over gamma that needs no kernel.

    latents  of one conversation
    gammas   the slider's values
    returns  plotly figure, and the rows of its table
    """
    found = {
        gamma: {write: shares(rule_of(write, width, rows, gamma), latents) for write in writes}
        for gamma in gammas
    }
    looks = ((COLOURS["right"], "solid"), (COLOURS["twin"], "dash"), (COLOURS["other"], "dot"))
    frames, numbers = [], []
    for gamma, curves in found.items():
        frames.append(
            [
                go.Scatter(
                    x=[lag for lag, _ in curve], y=[round(100 * share, 1) for _, share in curve], name=_named(write), mode="lines",
                    line={"color": colour, "dash": dash, "width": 3}, hovertemplate="lag %{x}: %{y}%<extra>" + write + "</extra>",
                )
                for (write, curve), (colour, dash) in zip(curves.items(), looks, strict=False)
            ]
        )  # fmt: skip
        for write, curve in curves.items():
            picked = {f"lag {lag}": f"{100 * share:.0f}%" for lag, share in curve if lag in SHOWN}
            numbers.append({"gamma": f"{gamma:.2f}", "write": write} | picked)
    first = {write: curves[10][1] for write, curves in found[gammas[0]].items()}
    last = {write: curves[10][1] for write, curves in found[gammas[-1]].items()}
    spoken = " ".join(
        f"{write}: ten turns later {100 * first[write]:.0f}% are left with gamma {gammas[0]:.2f}, {100 * last[write]:.0f}% with {gammas[-1]:.2f}."
        for write in writes
    )
    figure = style(
        go.Figure(), f"What is left of a turn, {rows} rows", f"Curves by lag, with a slider over gamma. {spoken}",
        "lag, turns", "share of the bank's norm, %", height=480,
    )  # fmt: skip
    labels = [f"{gamma:.2f}" for gamma in gammas]
    shown = labels.index("0.95") if "0.95" in labels else 0
    slide(figure, frames, labels, "gamma = ", shown=shown)
    figure.update_yaxes(rangemode="tozero", range=[0, 100])
    return figure.update_layout(margin={"b": 190}), numbers


def _named(write):
    method = find(METHOD[write])
    return f"{write} ({method.aliases[0]})" if method.aliases else write
