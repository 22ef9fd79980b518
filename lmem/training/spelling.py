"""Training of the spelling: which piece the code of a token stands for (chapter 14).

    L = -log p(piece of token n | 10 MLP(c_n)) + 2 |c W_r - z|^2 / Var(z)

p is the frozen head's softmax; the second part keeps what the decoder reads from the code, the latents z that the encoder gives when it
reads question and turn together. The answers of the conversations are too few to learn rare pieces from. Here every token of every turn
is an example, drawn with a probability that falls with the square root of how often its piece occurs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lmem.backbone.backbone import Backbone
from lmem.memory.read.copying import CopyingRead
from lmem.memory.write.spans import SpanWrite
from lmem.training.fact_data import FactConversation

TOKENS = 256  # of a step


class SpellingLoss:
    """The cross entropy of tokens' pieces, and how far the rows are from the latents that they stand for."""

    def __init__(
        self,
        backbone: Backbone,
        write: SpanWrite,
        read: CopyingRead,
        conversations: Sequence[FactConversation],
        noise: float,
        pairs: tuple[Tensor, Tensor],
        root: Tensor,
    ) -> None:
        """Collect the tokens of all turns.

        Args:
            backbone: Frozen.
            write: Its codes learn.
            read: Its rows and its spelling learn.
            conversations: Whose tokens are drawn.
            noise: Standard deviation of the noise on every latent.
            pairs: Latents (M, D) of turns by themselves, and of the same tokens read with the question.
            root: (D, D), R with R R^T the metric by which the frozen cross-attention sees rows.
        """
        self.backbone, self.write, self.read, self.noise = backbone, write, read, noise
        self.alone, joint = pairs
        self.joint, self.root = joint @ root, root
        self.spread = self.joint.var(0).sum()
        texts = [each.texts for each in conversations]
        ids = [
            torch.tensor(own) for each in texts for own in backbone.tokenize(each, truncate=True)
        ]
        self.turns = [z for each in conversations for z in each.latents]
        lengths = torch.tensor([len(own) for own in ids])
        self.piece = torch.cat(ids)  # (T,), of all tokens
        self.turn = torch.repeat_interleave(torch.arange(len(ids)), lengths)
        self.start = (lengths.cumsum(0) - lengths)[self.turn]
        rare = self.piece.bincount().double().clamp(min=1) ** -0.5
        self.up_to = rare[self.piece].cumsum(0)
        modules: list[nn.Module] = [write.code, read.respell, read.spelling.piece]
        self.weights = [p for module in modules for p in module.parameters()]

    def __call__(self) -> Tensor:
        """Draw tokens and compute the loss: () with gradient."""
        drawn = torch.randint(len(self.alone), (TOKENS,))
        rows = self.read.respell(self._codes(self.alone[drawn])).cpu() @ self.root
        missed = (rows - self.joint[drawn]).square().sum(1).mean() / self.spread
        return self.pieces() + 2 * missed.to(self.backbone.device)

    def pieces(self) -> Tensor:
        """Draw tokens and compute the cross entropy of their pieces."""
        drawn = torch.searchsorted(self.up_to, torch.rand(TOKENS).double() * self.up_to[-1])
        places = (drawn - self.start[drawn]).tolist()
        turns = self.turn[drawn].tolist()
        latents = torch.stack([self.turns[t][n] for t, n in zip(turns, places, strict=True)])
        states = self.read.spelling.pieces(self._codes(latents.float()))
        model = self.backbone.model
        scale = model.config.d_model**-0.5 if model.config.tie_word_embeddings else 1.0
        return F.cross_entropy(model.lm_head(states * scale), self.piece[drawn].to(states.device))

    def _codes(self, latents: Tensor) -> Tensor:
        latents = latents + self.noise * torch.randn_like(latents)
        return self.write.code(latents.to(self.backbone.device))
