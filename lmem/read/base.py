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
    """

    site = ""
    raw = False  # at decoder_layer: the states before the layer's own norm, instead of after

    def borrow(self, modules):
        """Start from frozen sublayers of the site, where the read can."""
        raise NotImplementedError(f"{type(self).__name__} starts from nothing frozen")
