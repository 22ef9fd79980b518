"""Write rules: (state, latents, mask) -> state. One file each, all with the same signature."""

from lmem.write.attention import AttentionWrite
from lmem.write.recent import RecentWrite

WRITES = {"attention": AttentionWrite, "recent": RecentWrite}
