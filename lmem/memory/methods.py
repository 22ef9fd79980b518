"""Methods as rows of a table: a write, a read and their options (paper, section 3; Parts II and III of the book).

A method's canonical name is write+read; the m-numbers and the paper's names are aliases. Any write goes with any read of its
kind of bank (`grid`), whether the pair is in the table or not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, T5Config, T5ForConditionalGeneration

from lmem.backbone import sites
from lmem.errors import MethodError, expect_out_of
from lmem.memory.options import NONE, Options, completed
from lmem.memory.read import READS, Read
from lmem.memory.write import WRITES, Write
from lmem.utils.toml import read_toml


@dataclass(frozen=True)
class Method:
    """One row of the table, `methods.toml`.

    Attributes:
        name: Canonical name.
        aliases: Further names.
        write: Name in WRITES; None for no memory.
        read: Name in READS; None for no memory.
        source: Where the method comes from.
        read_options: Arguments of the read; those that are missing have the read's defaults.
        write_options: Arguments of the write, likewise.
        note: What these options change in the start of the read.
    """

    name: str
    aliases: tuple[str, ...] = ()
    write: str | None = None
    read: str | None = None
    source: str = ""
    read_options: Options = field(default_factory=dict)
    write_options: Options = field(default_factory=dict)
    note: str = ""

    @property
    def start(self) -> str:
        """What an untrained adapter changes: "silent" for nothing, or why it changes the logits."""
        return self.note or (READS[self.read].untrained if self.read else "silent")


_TABLE = read_toml(Path(__file__).with_name("methods.toml"))
# the published Flan-T5 configurations: d_model, d_ff, layers, heads
SHAPES: dict[str, list[int]] = _TABLE["shapes"]
METHODS = tuple(
    Method(**{**row, "aliases": tuple(row.get("aliases", ()))}) for row in _TABLE["methods"]
)


def grid() -> list[Method]:
    """Return every write with every read that fits its bank, without the paper's shortcuts."""
    rows = {method.name: method for method in METHODS}
    pairs = [
        Method(f"{write}+{read}", (), write, read, "this book")
        for write, rule in WRITES.items()
        for read, kind in READS.items()
        if rule.form == kind.form and not kind.shortcut
    ]
    return [rows.get(pair.name, pair) for pair in pairs]


def find(name: str) -> Method:
    """Return the method with this name or alias: a row of the table, or a pair of the grid.

    Raises:
        MethodError: There is no such method; the message lists those of the table.
    """
    for method in (*METHODS, *grid()):
        if str(name).lower() in (method.name, *(alias.lower() for alias in method.aliases)):
            return method
    known = ", ".join(m.name + (f" ({', '.join(m.aliases)})" if m.aliases else "") for m in METHODS)
    raise MethodError(f"expected a method out of {known}, or write+read; not {name!r}")


MOST_ROWS = 2**24  # a bank of so many rows of width 128 takes 8 GiB


def rows_of(scale: float, method: Method | None = None) -> int:
    """Return the rows of the bank at a scale of the paper (table 1): 64 at 1, 640 at 10.

    A square bank has 256 rows at 1 and 810 at 10, ten times as many numbers.

    Raises:
        MethodError: The scale gives less than one row, or more than MOST_ROWS.
    """
    if not isinstance(scale, Real) or not 0.5 < 64 * float(scale) <= MOST_ROWS:
        raise MethodError(
            f"scale must give at least 1 row and at most {MOST_ROWS:,} (64 rows are scale 1), "
            f"not {scale!r}"
        )
    square = method is not None and method.write and WRITES[method.write].form == "square"
    return round(256 * scale**0.5) if square else round(64 * scale)


def build(
    method: Method,
    model: PreTrainedModel,
    rows: int,
    seed: int,
    write_options: Options = NONE,
    read_options: Options = NONE,
) -> tuple[Write, Read]:
    """Draw the write and the read of a method for a model.

    Args:
        method: A row of the table or of the grid.
        model: The frozen encoder-decoder.
        rows: R, from `rows_of`.
        seed: Seed of all random weights.
        write_options: Options of the write; they replace the method's own.
        read_options: Options of the read, likewise.

    Returns:
        The write and the read.

    Raises:
        MethodError: The method has no memory, the write or the read has no such option or refuses its value, or the model
            cannot carry the read.
    """
    if method.write is None or method.read is None:
        raise MethodError(f"expected a method with a write and a read, {method.name} has none")
    write_kind, read_kind = WRITES[method.write], READS[method.read]
    _, modules = sites.find(model, read_kind.site)
    width, layers = model.config.d_model, len(sites.find(model, "decoder_layer")[1])
    for_write = write_kind.complete(rows, width, {**method.write_options, **write_options})
    layout = {name: for_write[name] for name in write_kind.layout}
    for_read = completed(read_kind, {**layout, **method.read_options, **read_options})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        write = write_kind(rows, width, **for_write)
        read = read_kind(width, layers, rows, **for_read)
    return write.adapt(model), read.adapt(model, modules)


def effective(method: Method, width: int, rows: int, write_options: Options) -> dict[str, Any]:
    """Return the write options that change something, in the types that the write declares.

    Equal options give equal results: `gamma=1` and `gamma=1.0`, or a default and no option.

    Raises:
        MethodError: The write has no such option or refuses its value.
    """
    if method.write is None:
        raise MethodError(f"expected no options for {method.name}, not {dict(write_options)}")

    kind, changed = WRITES[method.write], {}
    whole = kind.complete(rows, width, {**method.write_options, **write_options})
    for name in sorted(write_options):
        rest = {option: value for option, value in write_options.items() if option != name}
        if kind.complete(rows, width, {**method.write_options, **rest}) != whole:
            changed[name] = whole[name]
    return changed


def shape(name: str) -> T5ForConditionalGeneration:
    """Return a Flan-T5 of a published size without weights (meta device), with an untied head as released.

    Raises:
        MethodError: The size was not published.
    """
    expect_out_of("a shape", SHAPES, name, error=MethodError)
    width, inner, layers, heads = SHAPES[name]
    config = T5Config(
        vocab_size=32128,
        d_model=width,
        d_kv=64,
        d_ff=inner,
        num_layers=layers,
        num_heads=heads,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,  # pyright: ignore[reportCallIssue],
    )
    with torch.device("meta"):
        model = T5ForConditionalGeneration(config)
        model.lm_head = nn.Linear(width, config.vocab_size, bias=False)  # it was tied
    return model


def table(
    model: PreTrainedModel, scale: float = 1, chosen: Iterable[Method] = METHODS
) -> list[dict[str, Any]]:
    """Count what each method costs on this model.

    Returns:
        One dict per method: method, aliases, site, rows, trainable and stored numbers (weights and frozen maps), bank
        (numbers of one bank), frozen (the backbone's weights, the same in all), start, source. If the model cannot carry
        the method, the counts are None and `refused` is the reason.
    """
    frozen = sum(p.numel() for p in model.parameters())
    table_rows = []
    for method in chosen:
        table_rows.append(
            {"method": method.name, "aliases": list(method.aliases)}
            | _counts(model, method, scale)
            | {"frozen": frozen, "start": method.start, "source": method.source}
        )
    return table_rows


def _counts(model: PreTrainedModel, method: Method, scale: float) -> dict[str, Any]:
    """Count the numbers of one method on this model; None, and the reason, if the model cannot carry it."""
    if method.write is None:
        return {"site": None, "rows": 0, "trainable": 0, "stored": 0, "bank": 0}
    rows = rows_of(scale, method)
    try:
        with torch.device("meta"):
            write, read = build(method, model, rows, seed=0)
    except MethodError as error:
        nothing = dict.fromkeys(("site", "rows", "trainable", "stored", "bank"))
        return nothing | {"refused": str(error)}
    adapter = nn.ModuleList([write, read])
    return {
        "site": read.site,
        "rows": rows,
        "trainable": sum(p.numel() for p in adapter.parameters()),
        "stored": sum(tensor.numel() for tensor in adapter.state_dict().values()),
        "bank": write.p0.numel(),
    }
