"""Drawings of the model: the path of a turn, a decoder layer, the keyed memory (chapters 1, 5, 14).

The drawings themselves are files in `lmem/viz/drawings`. They use the reader's own text colour.
"""

from pathlib import Path
from string import Template

from IPython.core.display import HTML

from lmem.errors import expect_out_of

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
    """Draw the path of a turn and of a question: encoder, write, bank, read, three places, decoder, answer."""
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
    expect_out_of("a read", LAYER_TEXTS, read)
    first, second, spoken = LAYER_TEXTS[read]
    layer = Template(_drawing("decoder_layer"))
    return HTML(layer.substitute(first=first, second=second, spoken=spoken))


def _drawing(name: str) -> str:
    return "".join((DRAWINGS / f"{name}.svg").read_text("utf-8").splitlines())
