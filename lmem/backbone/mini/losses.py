"""What mini is trained by: the pieces of the answer, and the place in the text where it begins.

    loss = sum_i w_i CE_i / sum_i w_i  -  pointer * (mean_i log softmax(h p)_n(i) + mean_i log A_i,n(i))

w_i is 1 for the first piece of a value, which must find its owner, and `later` for the others. n(i) is the place in the text of the
i-th piece of the answer.

h are the encoder's outputs, and p is learned and dropped after training. This part, over first pieces, needs no decoder. It tells the
encoder directly whose fact a token belongs to, as in extractive reading (Seo et al., ICLR 2017).

A is one head of the decoder's last cross-attention, over all pieces. It tells the decoder where to look for each piece that it copies,
as in pointer networks (Vinyals et al., NeurIPS 2015).
"""

from torch import Tensor
from torch.nn.functional import cross_entropy


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Average the cross entropy over pieces, each with its weight.

    Args:
        logits: (N, vocabulary), of the pieces that are to be predicted.
        labels: (N,).
        weights: (N,).

    Returns:
        A scalar.
    """
    return (cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()


def pointer_loss(log_shares: Tensor, places: Tensor) -> Tensor:
    """Compute the cross entropy of where pieces of the answer stand.

    Args:
        log_shares: (B, M, N), logarithms of how each piece's attention is shared among the tokens of the source.
        places: (B, M), the right tokens; -1 is left out.

    Returns:
        A scalar.
    """
    right = log_shares.gather(2, places.clamp_min(0)[:, :, None])[:, :, 0]
    known = places >= 0
    return -(right * known).sum() / known.sum().clamp_min(1)
