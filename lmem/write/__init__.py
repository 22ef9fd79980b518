"""Write rules: (state, latents, mask) -> state. One file each, all with the same signature."""

from lmem.write.attention import AttentionWrite
from lmem.write.delta import DeltaWrite
from lmem.write.gated import GatedWrite
from lmem.write.hebbian import HebbianWrite
from lmem.write.keyed import KeyedWrite
from lmem.write.recent import RecentWrite
from lmem.write.slots import SlotWrite

WRITES = {
    "attention": AttentionWrite,
    "hebbian": HebbianWrite,
    "gated": GatedWrite,
    "slots": SlotWrite,
    "delta": DeltaWrite,
    "keyed": KeyedWrite,
    "recent": RecentWrite,
}
