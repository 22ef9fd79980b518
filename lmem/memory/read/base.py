"""What all reads share: one signature, whatever the site."""

from torch import nn


class Read(nn.Module):
    """A read. `site` names where it enters; subclasses give `forward`.

    A read at a row site (encoder_input, encoder_output) gives rows that join the others, and their mask:
        (rows, mask, states, seen) -> extra (B, X, D), extra mask (B, X)
    A read at decoder_layer gives what the sublayer's output gains:
        (rows, mask, states, seen, layer) -> gain (B, N, D)

    rows    (B, R, D) or (B, A, A)  the bank
    mask    (B, R)     True where a row may be read
    states  (B, N, D)  at encoder_output the encoder's output, at decoder_layer the decoder's states; None at encoder_input
    seen    (B, N)     mask of the encoder's output, None elsewhere
    layer   number of the decoder's layer
    keys    what `keys` gave for these rows, if that was kept; else it is made here

    What a read behind the encoder makes of the bank alone is the same for every token that is decoded, so it is kept.
    """

    site = ""
    form = "rows"  # of the banks that it reads, as a write says it
    sets = 1  # of projections: one for all layers, or one for each
    alone = False  # at encoder_output: the rows that join are `keys`, made of the bank alone
    raw = False  # at decoder_layer: the states before the layer's own norm, instead of after

    def keys(self, rows, layer=0):
        """What the read makes of rows (B, R, D) alone: tensors (B, ...), to be kept; by default nothing."""
        return ()

    def borrow(self, modules):
        """Start from frozen sublayers of the site, where the read can."""
        raise NotImplementedError(f"{type(self).__name__} starts from nothing frozen")
