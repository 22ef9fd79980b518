"""What mini is trained by: the pieces of the answer, and the place in the text where it begins.

    loss = sum_i w_i CE_i / sum_i w_i  -  pointer * mean_b sum_n shares_bn log softmax(h_b p)_n

w_i is 1 for the first piece of a value, which must find its owner, and `later` for the others. h are the encoder's outputs, p is
learned and dropped after training. The second part needs no decoder: it tells the encoder directly whose fact a token belongs to,
as in extractive reading (Seo et al., ICLR 2017).
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


def pointer_loss(scores: Tensor, mask: Tensor, shares: Tensor) -> Tensor:
    """Compute the cross entropy of where the answer begins.

    Args:
        scores: (B, N), one number for each token of the source.
        mask: (B, N), 0 for padding.
        shares: (B, N), of the right places; a row of zeros is left out.

    Returns:
        A scalar.
    """
    scores = scores.masked_fill(mask == 0, -1e4)
    return -(scores.log_softmax(-1) * shares).sum() / shares.sum().clamp_min(1.0)
