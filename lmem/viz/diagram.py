"""Drawings of the model: the path of a turn, one turn step by step, a decoder layer, the keyed memory (chapters 1, 5, 14).

The drawings themselves are files in `lmem/viz/drawings`. They use the reader's own text colour.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from IPython.core.display import HTML

from lmem.analysis.walkthrough import Step
from lmem.errors import InputError
from lmem.viz.colours import ORANGE
from lmem.viz.tables import table

DRAWINGS = Path(__file__).parent / "drawings"
LAYER_TEXTS = {  # what scales the branch: first line, second line, in the text alternative
    "branch": ("× β of this layer", "one number, starts at 0", "scaled by one number of the layer"),
    "gated_branch": (
        "× gate g(s, c)",
        "D numbers in (0, 1)",
        "weighed by a gate that looks at both",
    ),
}


def path_of_a_turn() -> HTML:
    """Draw the path of a turn and of a question: encoder, write, bank, read, three sites, decoder, answer."""
    return HTML(_drawing("turn"))


def keyed_memory() -> HTML:
    """Draw the keyed memory: a turn becomes one row, a question finds one row by its key (chapter 14)."""
    return HTML(_drawing("keyed"))


def decoder_layer(read: str = "branch") -> HTML:
    """Draw one decoder layer: self-attention, two cross-attentions in parallel, their sum, feed-forward.

    Args:
        read: "branch" (M.2) or "gated_branch" (M.5).

    Raises:
        InputError: It is another read.
    """
    if read not in LAYER_TEXTS:
        raise InputError(f"expected a read out of {', '.join(LAYER_TEXTS)}, not {read!r}")
    first, second, spoken = LAYER_TEXTS[read]
    layer = Template(_drawing("decoder_layer"))
    return HTML(layer.substitute(first=first, second=second, spoken=spoken))


def step_through(steps: Sequence[Step], name: str = "steps") -> HTML:
    """Show one turn step by step: the parts of the drawing that are at work, and the tensor that they produce.

    Args:
        steps: Of `lmem.analysis.walkthrough.follow`.
        name: Distinguishes several of them on one page.

    Returns:
        Radio buttons that need no script, the drawing, and a table of all steps.
    """
    box, buttons, rules, texts, rows = f".lmem-{name}", [], [], [], []
    for i, step in enumerate(steps):
        own, title = f"lmem-{name}-{i}", f"{i + 1}. {escape(step.symbol)}"
        checked = " checked" if i == 0 else ""
        button = f'<input type="radio" name="lmem-{name}" id="{own}"{checked}>'
        buttons.append(f'<span>{button}<label for="{own}">{title}</label></span>')
        chosen = f"{box}:has(#{own}:checked)"
        parts = ",".join(f"{chosen} .part-{part}" for part in step.parts)
        rules.append(f"{parts}{{stroke:{ORANGE};stroke-width:4}}{chosen} .{own}{{display:block}}")
        shape, norm = " x ".join(map(str, step.shape)), f"{step.norm:.1f}"
        size = escape(f"{step.letters} = {shape} numbers, Frobenius norm {norm}")
        texts.append(
            f'<p class="{own}"><strong>{title}</strong>: {escape(step.text)}<br>{size}</p>'
        )
        row = {"step": i + 1, "tensor": step.symbol, "axes": step.letters, "shape": shape}
        rows.append(row | {"norm": norm, "what happened": step.text})
    rules.append(f"{box} p{{display:none}}{box} span{{margin-right:1em;white-space:nowrap}}")
    rules.append(f"{box} label{{margin-left:.3em}}")
    return HTML(
        f'<div class="lmem-{name}" role="group" aria-label="One turn step by step: {len(steps)} steps">'
        f"<style>{''.join(sorted(rules))}</style><div>{' '.join(buttons)}</div>{''.join(texts)}{_drawing('turn')}</div>"
        f"{table(rows, 'All steps', folded=True).data}"
    )


def _drawing(name: str) -> str:
    return "".join((DRAWINGS / f"{name}.svg").read_text("utf-8").splitlines())
