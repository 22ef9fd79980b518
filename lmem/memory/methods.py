"""Methods as rows of a table: a write, a read, and how they start (paper, section 3; the book's Parts II and III).

A method's canonical name is write+read; the m-numbers and the paper's names are aliases. Any write goes with any read of its
kind of bank (`grid`), whether it stands in the table or not.
"""

from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from transformers import T5Config, T5ForConditionalGeneration

from lmem.backbone import sites
from lmem.errors import MethodError
from lmem.memory.read import READS
from lmem.memory.write import WRITES

NONE = MappingProxyType({})
SHAPES = {  # the published Flan-T5 configurations: d_model, d_ff, layers, heads
    "flan-t5-small": (512, 1024, 8, 6),
    "flan-t5-base": (768, 2048, 12, 12),
    "flan-t5-large": (1024, 2816, 24, 16),
    "flan-t5-xl": (2048, 5120, 24, 32),
    "flan-t5-xxl": (4096, 10240, 24, 64),
}


@dataclass(frozen=True)
class Method:
    """One row. `write` and `read` name entries of WRITES and READS; the options are their arguments.

    start  what an untrained adapter does beside the bare backbone: "silent" (the same logits), or why it is not
    """

    name: str
    aliases: tuple[str, ...] = ()
    write: str | None = None
    read: str | None = None
    write_options: dict = field(default_factory=lambda: NONE)
    read_options: dict = field(default_factory=lambda: NONE)
    source: str = ""
    start: str = ""


def _row(name, aliases, source, start, write=NONE, read=NONE, parts=None):
    writes, reads = parts or name.split("+")
    return Method(name, aliases, writes, reads, write, read, source, start)


SINK = "zero rows take softmax mass"
AJAR = "the gate starts at sigmoid(-2)"
BORROWED = "starts as a second frozen attention"
METHODS = (
    Method("none", ("m0", "stateless"), source="paper, section 3: M.0", start="silent"),
    _row("attention+prefix", ("m1", "prefix"), "paper, section 3: M.1", SINK),
    _row("attention+branch", ("m2", "parallel cross-attention"), "paper, section 3: M.2", "silent"),
    _row("attention+extension", ("m3", "KV extension"), "paper, section 3: M.3", SINK),
    _row("hebbian+query", ("m4", "Hebbian"), "paper, section 3: M.4", SINK),
    _row("attention+gated_branch", ("m5", "gated branch"), "paper, section 3: M.5", AJAR),
    _row("slots+extension", ("m6", "slots"), "paper, section 3: M.6", SINK),
    _row(
        "m1_as_run", (), "the paper's shortcut for M.1: equal to M.3", SINK, parts=("attention", "extension"),
    ),
    _row(
        "m2_as_run", (), "the paper's shortcut for M.2: read once, Z as proxy", SINK,
        parts=("attention", "proxy_branch"),
    ),
    _row(
        "m5_as_run", (), "the paper's shortcut for M.5: read once, Z as proxy", AJAR,
        parts=("attention", "proxy_gated_branch"),
    ),
    _row(
        "recent+extension", (), "this book, chapter 1", "rows are latents: it reads", read={"start": "identity"},
    ),
    _row(
        "recent+branch", ("recent",), "this book, chapter 1", BORROWED,
        read={"start": "borrowed", "shared": False, "beta": 1.0},
    ),
    _row("keyed+recall", ("keyed",), "this book, chapter 14", SINK),
)  # fmt: skip


def grid():
    """Every write with every read that fits its bank: rows are attended to, a square bank is asked."""
    names = {m.name: m for m in METHODS}
    pairs = [
        f"{write}+{read}"
        for write, rule in WRITES.items()
        for read in READS
        if rule.form == READS[read].form and not read.startswith("proxy")
    ]
    return [names.get(name) or _free(name) for name in pairs]


def _free(name):
    write, read = name.split("+")
    start = {"branch": "silent", "gated_branch": AJAR}.get(read, SINK)
    return Method(name, (), write, read, source="this book", start=start)


def find(name):
    """The method of this name or alias, or any pair of the grid.

    raises  MethodError that lists the names there are
    """
    for method in (*METHODS, *grid()):
        if str(name).lower() in (method.name, *(alias.lower() for alias in method.aliases)):
            return method
    known = ", ".join(m.name + (f" ({', '.join(m.aliases)})" if m.aliases else "") for m in METHODS)
    raise MethodError(f"expected a method out of {known}, or write+read; not {name!r}")


def rows_of(scale, method=None):
    """Rows of the bank at a scale of the paper (table 1): 64 at 1, 640 at 10, in proportion between and beyond.

    A square bank has the rows that give it as many times the numbers: 256 at 1, 810 at 10.
    """
    if not 0.5 < 64 * scale < float("inf"):
        raise MethodError(f"scale must give at least 1 row (64 rows are scale 1), not {scale}")
    square = method is not None and method.write and WRITES[method.write].form == "square"
    return round(256 * scale**0.5) if square else round(64 * scale)


def build(method, model, rows, seed, write_options=NONE, read_options=NONE):
    """The method's write and read for a model, drawn from `seed`: (write, read), both None for m0.

    write_options, read_options  over the method's own
    raises  MethodError for an option that the write or the read does not have, and for a model that cannot carry the read

    A branch is drawn, or with the options start="borrowed" and shared=False takes heads and first weights from the frozen
    cross-attention beside it.
    """
    if method.write is None:
        return None, None
    _, places = sites.find(model, READS[method.read].site)
    width, layers = model.config.d_model, len(sites.find(model, "decoder_layer")[1])
    write_options = {**method.write_options, **write_options}
    read_options = {**method.read_options, **read_options}
    if method.write == "slots":
        write_options.setdefault("k", min(8, rows))  # the paper's top-k, at every scale
    if method.write == "keyed":  # both sides speak of the same rows
        read_options = {
            k: v for k, v in write_options.items() if k in ("cells", "key")
        } | read_options
    start = read_options.pop("start", None) if method.read == "branch" else None
    if start not in (None, "drawn", "borrowed"):
        raise MethodError(f'start of a branch must be "drawn" or "borrowed", not {start!r}')
    borrowed = start == "borrowed"
    if borrowed:
        if read_options.get("shared", True):
            raise MethodError(
                "expected shared=False for a branch that starts borrowed: each layer's attention is another"
            )
        if any(name.endswith("bias") for name, _ in places[0].named_parameters()):
            raise MethodError(
                f"expected a branch that starts otherwise than borrowed, {model.config.model_type} has biases in its attention"
            )
        read_options |= {
            "heads": model.config.num_heads,
            "inner": model.config.num_heads * model.config.d_kv,
        }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        write = _make(WRITES[method.write], method.write, write_options, rows, width)
        read = _make(READS[method.read], method.read, read_options, width, layers, rows)
    if borrowed:
        read.borrow(places)
    return write, read


def _make(kind, name, options, *sizes):
    try:
        return kind(*sizes, **options)
    except TypeError as error:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise MethodError(f"{name} does not take the options {given}: {error}") from error


def shape(name):
    """A Flan-T5 of a published size without weights (meta device), its head untied as released.

    raises  MethodError for a size that was not published
    """
    if name not in SHAPES:
        raise MethodError(f"expected a shape out of {', '.join(SHAPES)}, not {name!r}")
    width, inner, layers, heads = SHAPES[name]
    config = T5Config(
        vocab_size=32128, d_model=width, d_kv=64, d_ff=inner, num_layers=layers, num_heads=heads,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        model = T5ForConditionalGeneration(config)
        model.lm_head = torch.nn.Linear(
            width, config.vocab_size, bias=False
        )  # transformers 5 ties it
    return model


def table(model, scale=1, chosen=METHODS):
    """What each method costs on this model: one dict per method.

    returns  list of dict: method, aliases, site, rows, trainable and stored numbers (weights and frozen maps), bank
             (numbers of one bank), start, source; frozen (the backbone's weights) is the same in all
    """
    frozen = sum(p.numel() for p in model.parameters())
    found = []
    for method in chosen:
        row = {"method": method.name, "aliases": list(method.aliases)}
        counts = {"site": None, "rows": 0, "trainable": 0, "stored": 0, "bank": 0}
        if method.write is not None:
            rows = rows_of(scale, method)
            with torch.device("meta"):
                write, read = build(method, model, rows, seed=0)
            state = (*write.state_dict().values(), *read.state_dict().values())
            counts = {
                "site": read.site,
                "rows": rows,
                "trainable": sum(p.numel() for m in (write, read) for p in m.parameters()),
                "stored": sum(tensor.numel() for tensor in state),
                "bank": write.p0.numel(),
            }
        found.append(
            row | counts | {"frozen": frozen, "start": method.start, "source": method.source}
        )
    return found
