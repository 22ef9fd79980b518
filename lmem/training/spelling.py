"""Training of the spelling: which piece each token of a told value is (chapter 14).

    L = -log p(piece of token n | x_n W_v),      x_n the row that tells it, in a span of L tokens; p is the frozen head's softmax

The answers of the conversations are too few to learn rare pieces from. Here every token of every turn is an example, drawn with a
probability that falls with the square root of how often its piece occurs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lmem.backbone.backbone import Backbone, pad
from lmem.memory.read.copying import CopyingRead
from lmem.memory.write.spans import SpanWrite
from lmem.training.fact_data import FactConversation

TOKENS = 128  # of a step


class SpellingLoss:
    """The cross entropy of tokens' pieces, as the read's last attention spells them."""

    def __init__(
        self,
        backbone: Backbone,
        write: SpanWrite,
        read: CopyingRead,
        conversations: Sequence[FactConversation],
    ) -> None:
        """Collect the tokens of all turns."""
        self.backbone, self.write, self.read = backbone, write, read
        self.turns = [z for each in conversations for z in each.latents]
        texts = [each.texts for each in conversations]
        ids = [
            torch.tensor(own) for each in texts for own in backbone.tokenize(each, truncate=True)
        ]
        lengths = torch.tensor([len(own) for own in ids])
        self.pieces = torch.cat(ids)  # (T,), of all tokens
        self.turn = torch.repeat_interleave(torch.arange(len(ids)), lengths)
        self.start = (lengths.cumsum(0) - lengths)[self.turn]
        rare = self.pieces.bincount().double().clamp(min=1) ** -0.5
        self.up_to = rare[self.pieces].cumsum(0)

    def __call__(self, noise: float) -> Tensor:
        """Draw tokens, with noise of this standard deviation on their latents, and compute the loss: () with gradient."""
        drawn = torch.searchsorted(self.up_to, torch.rand(TOKENS).double() * self.up_to[-1])
        token = drawn - self.start[drawn]
        latents, mask = pad([self.turns[turn].float() for turn in self.turn[drawn].tolist()])
        device = self.backbone.device
        latents = (latents + noise * torch.randn_like(latents)).to(device)
        before = (torch.rand(TOKENS) * token.clamp(max=self.write.length - 1).add(1)).long()
        first = (token - before)[:, None].to(device)
        rows = self.read.value_rows(self.write.value(latents, mask.bool().to(device), first).flatten(1))
        told = rows[torch.arange(TOKENS), before]  # (TOKENS, D)
        [_, spelled] = self.read.spelling.keys(told[:, None])
        model = self.backbone.model
        scale = model.config.d_model**-0.5 if model.config.tie_word_embeddings else 1.0
        logits = model.lm_head(spelled.flatten(1) * scale)
        return F.cross_entropy(logits, self.pieces[drawn].to(device))
