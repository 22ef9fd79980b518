"""What all reads share: one signature, whatever the site.

y = D(Read(E(question), P_t))      paper, section 2; chapters 3 to 5
"""

from typing import Any, Literal, NamedTuple, Self

from torch import Tensor, nn
from transformers import PreTrainedModel

Keys = tuple[Tensor, ...]  # what a read computes from a bank's rows alone
Seen = Tensor | None  # (B, N), the question's tokens without padding; None: there is no padding


class Judgement(NamedTuple):
    """How a read that chooses one row judges its choice.

    Attributes:
        doubt: Probability that the row does not answer the question.
        withheld: Why the row is not told: "far" if it is not even like the question, "doubted" if it is; None if it is told.
    """

    doubt: float
    withheld: Literal["far", "doubted"] | None


class Read(nn.Module):
    """A read; subclasses define `forward`. Their constructor's arguments after the sizes are the read's options.

    The signature of `forward` is that of its site. The first two return rows that join the others, and their mask; the last
    returns what is added to the sublayer's output:

        encoder_input:  (rows, mask) -> extra (B, X, D), extra mask (B, X)
        encoder_output: (rows, mask, states, seen, keys) -> extra (B, X, D), extra mask (B, X); if it `spells`, pieces (B, X, D)
        decoder_layer:  (rows, mask, states, layer, keys) -> gain (B, N, D)

    Args of `forward`:
        rows: (B, R, D), (B, A, A) or (B, R, K + V), the bank.
        mask: (B, R), True where a row may be read.
        states: (B, N, D), the encoder's output, or the states of the decoder's layer.
        seen: (B, N), mask of the encoder's output; None if nothing is padding.
        layer: Number of the decoder's layer.
        keys: What `keys` returned for these rows, if it is known; otherwise it is computed.

    Attributes:
        site: Where the read enters, a name in `lmem.backbone.sites`.
        form: Kind of bank that it reads, as in `Write.form`.
        sets: Sets of projections: 1 for all layers together, or one for each.
        from_bank_only: At encoder_output: the rows that join are `keys`, made from the bank only.
        spells: At encoder_output: `forward` returns a third part, with which `spell` corrects the decoder's last states.
        keep: At encoder_input: the decoder sees the positions of the soft tokens too.
        raw: At decoder_layer: read with the states before the layer's own norm instead of after it.
        untrained: What an untrained read changes: "silent" for nothing, or why it changes the logits.
        choices: Names of weights that the answer's gradient does not reach, as in `Write.choices`.
        shortcut: One of the paper's shortcuts, which the grid of methods leaves out.
    """

    site: str = ""
    form: str = "rows"
    sets: int = 1
    from_bank_only: bool = False
    spells: bool = False
    keep: bool = False
    raw: bool = False
    untrained: str = "zero rows take softmax mass"
    choices: tuple[str, ...] = ()
    shortcut: bool = False

    def adapt(self, model: PreTrainedModel, modules: list[Any]) -> Self:
        """Fit a new read to the backbone and to the modules of its site; by default there is nothing to do."""
        return self

    def keys(self, rows: Tensor, layer: int = 0) -> Keys:
        """Compute what depends on rows (B, R, D) alone: tensors (B, ...).

        It is the same for every token that is decoded, so it is computed once. By default there is nothing.
        """
        return ()

    def spell(self, states: Tensor, pieces: Tensor, first: int = 0) -> Tensor:
        """Return what the decoder's last states gain from the rows that joined the encoder's output.

        Args:
            states: (B, N, D), after the decoder's last norm.
            pieces: (B, X, D), the third part of what `forward` returned.
            first: Step of the first state.
        """
        raise NotImplementedError(f"{type(self).__name__} does not spell")

    def judge(
        self, rows: Tensor, mask: Tensor, states: Tensor, seen: Tensor
    ) -> list[Judgement | None]:
        """Judge the row that each question chooses, with the arguments of `forward`; None where nothing is chosen."""
        return [None] * len(states)


def extra_mask(mask: Tensor, count: int, seen: Tensor | None = None) -> Tensor:
    """Mask extra rows that belong to no single row of the bank.

    Args:
        mask: (B, R), True where a row of the bank may be read.
        count: X, number of extra rows.
        seen: (B, X), 1 where the token that asks for an extra row is no padding; None: none is.

    Returns:
        (B, X), True where the bank has a readable row and the token is no padding.
    """
    written = mask.any(1, keepdim=True).expand(-1, count)
    return written if seen is None else written & seen.bool()
