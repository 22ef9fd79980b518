"""Where a keyed memory loses an answer: never kept, kept and not found, or found and told wrong (chapter 14).

For each question the row of the turn that holds its answer is looked up, and the rows that the read's softmax prefers to it are
counted, in the hop that should find it. So what a better key could gain is told apart from what a better write or decoder could.
"""

import torch

from lmem.analysis.row_contents import recalled
from lmem.metrics.answer_scores import exact_match
from lmem.training.evidence_data import evidence_turns
from lmem.utils.progress import track


@torch.no_grad()
def fates(model, conversations, progress=True):
    """Every question with an answer, asked of its own conversation's bank.

    model          MemoryModel with the keyed write and read
    conversations  list of Conversation with evidence
    returns        list of dict: id, conversation, kind, held_out; place, how many rows the read prefers to the one that holds the
                   answer, None if no row does; empty, whether it prefers the empty hand; em, 1 if the answer is right
    raises         MethodError if the read does not recall by keys
    """
    rows = []
    for conversation in track(conversations, "looking", progress):
        texts = conversation.texts()
        bank = model.write(model.new_bank(), texts, truncate=True)
        for q in conversation.questions:
            if q.answer is None or not q.evidence:
                continue
            first, goal = evidence_turns(q.answer, q.evidence, texts)
            shares, written = recalled(model, bank, q.prompt)[first != goal]
            held = (written == goal).nonzero()[:, 0].tolist()
            mine = shares[held[0]] if held else None
            rows.append(
                {
                    "id": q.id, "conversation": conversation.id, "kind": q.kind, "held_out": list(q.held_out),
                    "place": int((shares[:-1] > mine).sum()) if held else None,
                    "empty": bool(held and shares[-1] > mine),
                    "em": int(exact_match(model.answer(bank, q.text), q.answer)),
                }
            )  # fmt: skip
    return rows


STAGES = (
    "no row holds it",
    "another row is preferred",
    "the empty hand is preferred",
    "found, told wrong",
    "right",
)


def stage(row):
    """One of STAGES, for a row of `fates`; the first that applies, but right is right."""
    if row["em"]:
        return STAGES[4]
    if row["place"] is None:
        return STAGES[0]
    return STAGES[1] if row["place"] else STAGES[2] if row["empty"] else STAGES[3]
