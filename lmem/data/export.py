"""Conversations for Hugging Face's `datasets` library. Only this module imports it, which takes seconds."""

from dataclasses import asdict, replace

from datasets import Dataset, DatasetDict, Features, List, Value

from lmem.data.conversation import Conversation

_TEXT, _NUMBER = Value("string"), Value("int64")
_TURN = {"id": _TEXT, "speaker": _TEXT, "text": _TEXT, "caption": _TEXT, "session": _NUMBER}
_QUESTION = {
    "id": _TEXT,
    "text": _TEXT,
    "answer": _TEXT,
    "category": _NUMBER,
    "evidence": List(_NUMBER),
    "lag": _NUMBER,
    "adversarial_answer": _TEXT,
    "kind": _TEXT,
    "held_out": List(_TEXT),
    "subject": _TEXT,
    "relation": _TEXT,
}
FEATURES = Features(
    {
        "id": _TEXT,
        "speakers": List(_TEXT),
        "sessions": List({"number": _NUMBER, "date": _TEXT, "turns": List(_TURN)}),
        "questions": List(_QUESTION),
    }
)


def as_row(conversation: Conversation) -> dict:
    """Turn a conversation into nested plain values: id, speakers, sessions (with turns), questions."""
    row = asdict(replace(conversation, twin=None))
    del row["twin"]
    return row


def to_datasets(
    train: list[Conversation], test: list[Conversation], **more: list[Conversation]
) -> DatasetDict:
    """Make a split of each list, with one row per conversation.

    A conversation is written once and then asked many questions, so its questions stay inside its row (see `as_row`). One
    row per question would repeat some 600 turns for each.

    Args:
        train: Conversations of the split "train".
        test: Conversations of the split "test".
        **more: Further splits. A row has no twin; add one with `twin=[c.twin for c in test]`.

    Returns:
        A DatasetDict with the columns id, speakers, sessions, questions.
    """
    return DatasetDict(
        {
            name: Dataset.from_list([as_row(c) for c in conversations], features=FEATURES)
            for name, conversations in {"train": train, "test": test, **more}.items()
        }
    )
