"""Write rules: (state, latents, mask) -> state. One file each, all with the same signature."""

from lmem.memory.write.attention import AttentionWrite
from lmem.memory.write.base import Write
from lmem.memory.write.delta import DeltaWrite
from lmem.memory.write.gated import GatedWrite
from lmem.memory.write.hebbian import HebbianWrite
from lmem.memory.write.keyed import KeyedWrite
from lmem.memory.write.recent import RecentWrite
from lmem.memory.write.slots import SlotWrite
from lmem.memory.write.spans import SpanWrite

WRITES: dict[str, type[Write]] = {
    "attention": AttentionWrite,
    "hebbian": HebbianWrite,
    "gated": GatedWrite,
    "slots": SlotWrite,
    "delta": DeltaWrite,
    "keyed": KeyedWrite,
    "spans": SpanWrite,
    "recent": RecentWrite,
}
