"""At which step a keyed memory loses an answer: not kept, kept but not retrieved, or retrieved but answered wrongly (chapter 14).

For each question the row of the turn that contains its answer is looked up, and the rows to which the read's softmax gives more
are counted, in the hop that should find it. This separates what a better key could gain from what a better write or decoder
could.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from lmem.analysis.retrieval import recall_shares
from lmem.data.conversation import Conversation
from lmem.data.everyday import UNKNOWN
from lmem.memory.model import MemoryModel
from lmem.memory.read.copying import CopyingRead
from lmem.metrics.answer_scores import exact_match
from lmem.training.evidence_data import evidence_turns
from lmem.utils.progress import track

STAGES = (
    "no row holds it",
    "another row is preferred",
    "no match is preferred",
    "found, but answered wrongly",
    "right",
)


@torch.no_grad()
def retrieval_ranks(
    model: MemoryModel, conversations: Iterable[Conversation]
) -> list[dict[str, Any]]:
    """Ask every question that has an answer of its own conversation's bank, and rank the row with the answer.

    Args:
        model: A memory with the keyed write and read, or a span memory.
        conversations: Conversations with evidence.

    Returns:
        A dict for each question: id, conversation, kind, held_out; place, how many rows the read prefers to the one with the
        answer, None if no row has it; empty, whether it prefers to retrieve nothing; em, 1 if the answer is right.

    Raises:
        MethodError: The read does not recall by keys.
    """
    rows = []
    chooses = isinstance(model.read, CopyingRead)  # its doubt decides, not a share
    for conversation in track(conversations, "looking"):
        texts = conversation.texts()
        bank = model.write(model.new_bank(), texts, truncate=True)
        for q in conversation.questions:
            if q.answer is None or not q.evidence:
                continue
            first, goal = evidence_turns(q.answer, q.evidence, texts)
            shares, written = recall_shares(model, bank, q.prompt)[first != goal]
            holders = written == goal  # (R,), a turn may have several rows
            share = shares[:-1][holders].max() if holders.any() else None
            answer = model.answer(bank, q.text)
            silent = chooses and bool(exact_match(answer, UNKNOWN))
            rows.append(
                {
                    "id": q.id,
                    "conversation": conversation.id,
                    "kind": q.kind,
                    "held_out": list(q.held_out),
                    "place": None if share is None else int((shares[:-1] > share).sum()),
                    "empty": share is not None and (silent or bool(shares[-1] > share)),
                    "em": int(exact_match(answer, q.answer)),
                }
            )
    return rows


def error_stage(row: Mapping[str, Any]) -> str:
    """Name the first of STAGES at which a question of `retrieval_ranks` fails; a right answer is right in any case."""
    kept, retrieved, chosen, wrong, right = STAGES
    if row["em"]:
        return right
    if row["place"] is None:
        return kept
    if row["place"]:
        return retrieved
    return chosen if row["empty"] else wrong
