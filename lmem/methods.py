"""Methods as rows of a table: a write, a read, and how they start (paper, section 3; the book's Parts II and III).

A method's canonical name is write+read; the m-numbers and the paper's names are aliases.
"""

from dataclasses import dataclass, field
from types import MappingProxyType

import torch

from lmem import sites
from lmem.errors import MethodError
from lmem.read import READS
from lmem.write import WRITES

SCALES = {1: 64, 10: 640}  # rows of the bank, paper, table 1


@dataclass(frozen=True)
class Method:
    """One row. `write` and `read` name entries of WRITES and READS; the options are their arguments."""

    name: str
    aliases: tuple[str, ...] = ()
    write: str | None = None
    read: str | None = None
    write_options: dict = field(default_factory=lambda: MappingProxyType({}))
    read_options: dict = field(default_factory=lambda: MappingProxyType({}))
    source: str = ""


def _row(name, aliases, source, write_options=None, read_options=None):
    write, read = name.split("+")
    return Method(name, aliases, write, read, write_options or {}, read_options or {}, source)


METHODS = (
    Method("none", ("m0", "stateless"), source="paper, section 3: M.0"),
    _row("attention+prefix", ("m1", "prefix"), "paper, section 3: M.1"),
    _row("attention+branch", ("m2", "parallel cross-attention"), "paper, section 3: M.2"),
    _row("attention+extension", ("m3", "KV extension"), "paper, section 3: M.3"),
    _row("recent+extension", (), "this book, chapter 1", None, {"start": "identity"}),
    _row(
        "recent+branch",
        ("recent",),
        "this book, chapter 1",
        None,
        {"start": "borrowed", "shared": False, "beta": 1.0},
    ),
)


def find(name):
    """The method of this name or alias.

    raises  MethodError that lists the names there are
    """
    for method in METHODS:
        if str(name).lower() in (method.name, *(alias.lower() for alias in method.aliases)):
            return method
    known = ", ".join(m.name + (f" ({', '.join(m.aliases)})" if m.aliases else "") for m in METHODS)
    raise MethodError(f"expected a method out of {known}; not {name!r}")


def rows_of(scale):
    """Rows of the bank at a scale of the paper: 64 at 1, 640 at 10, in proportion between and beyond."""
    if not 0.5 < 64 * scale < float("inf"):
        raise MethodError(f"scale must give at least 1 row (64 rows are scale 1), not {scale}")
    return round(64 * scale)


def build(method, model, rows, seed):
    """The method's write and read for a model, drawn from `seed`: (write, read), both None for m0.

    A branch with the option start="borrowed" takes heads and first weights from the frozen cross-attention beside it.
    """
    if method.write is None:
        return None, None
    width, layers = model.config.d_model, model.config.num_decoder_layers
    options = dict(method.read_options)
    borrowed = method.read == "branch" and options.pop("start", None) == "borrowed"
    if borrowed:
        options |= {
            "heads": model.config.num_heads,
            "inner": model.config.num_heads * model.config.d_kv,
        }
    if method.read == "prefix":
        options["rows"] = rows
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        write = WRITES[method.write](rows, width, **method.write_options)
        read = READS[method.read](width, layers, **options)
    if borrowed:
        read.borrow(sites.find(model, read.site)[1])
    return write, read
