"""The data for supervision by evidence: which turn answers which question, and random batches of both (chapter 14).

A question needs up to two turns: the first hop finds a turn that says where to look, the second hop the turn with the answer. For
a question that one turn answers, both are the same.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lmem.backbone.backbone import Backbone, pad
from lmem.data.conversation import Conversation, Question
from lmem.errors import InputError
from lmem.utils.progress import track


class EvidenceQuestion(NamedTuple):
    """A question with its evidence; the numbers are -1 for a question without an answer.

    Attributes:
        prompt: The question as the encoder sees it.
        token: First token of the answer.
        first_turn: The turn that the first hop needs.
        answer_turn: The turn with the answer.
        fact: What the question is about. Questions of other conversations about the same fact have the same one.
    """

    prompt: str
    token: int
    first_turn: int
    answer_turn: int
    fact: tuple | str

    @property
    def hops(self) -> int:
        """1 if one turn is enough, else 2."""
        return 2 if self.first_turn != self.answer_turn else 1

    @property
    def last_turn(self) -> int:
        """The later one of the two turns."""
        return max(self.first_turn, self.answer_turn)


class EvidenceBatch(NamedTuple):
    """Conversations of one step, and their questions.

    Attributes:
        conversations: Which ones, C of them.
        lengths: Turns of each; the rest is cut off.
        places: For each of Q questions the place of its conversation in the batch.
        questions: The questions, Q of them.
    """

    conversations: list[int]
    lengths: list[int]
    places: list[int]
    questions: list[EvidenceQuestion]


class EvidenceDataset:
    """Conversations with evidence, encoded once.

    Attributes:
        turns: For each conversation its latents (T, N, D) in half precision, and their mask (T, N).
        questions: For each conversation its questions.
        question_latents: {prompt: (N, D)}.
    """

    def __init__(
        self,
        backbone: Backbone,
        conversations: Sequence[Conversation],
        undated: float,
        seed: int,
        progress: bool = True,
    ) -> None:
        """Encode all turns and questions.

        Args:
            backbone: Its frozen encoder is used.
            conversations: Questions without evidence are left out, unless they have no answer.
            undated: Share of the conversations whose turns do not carry the session's date.
            seed: Of the choice of undated conversations, and of all batches.
            progress: Show a progress bar.

        Raises:
            InputError: No question has evidence.
        """
        self.backbone = backbone
        self.rng = random.Random(f"rehearse {seed}")
        texts = [c.texts(dates=self.rng.random() >= undated) for c in conversations]
        self.turns: list[tuple[Tensor, Tensor]] = []
        for turns in track(texts, "encoding turns", progress):
            latents, mask = pad(backbone.encode(turns, truncate=True))
            self.turns.append((latents.half().cpu(), mask.cpu().bool()))
        self.questions = [
            [
                with_evidence(q, turns, backbone)
                for q in c.questions
                if q.answer is None or (q.answerable and q.evidence)
            ]
            for c, turns in zip(conversations, texts, strict=True)
        ]
        if not any(self.questions):
            raise InputError(
                f"expected questions with evidence in {len(conversations)} conversations, found none"
            )
        prompts = sorted({q.prompt for questions in self.questions for q in questions})
        encoded = backbone.encode(prompts, truncate=True)
        self.question_latents = dict(zip(prompts, encoded, strict=True))

    def draw(self, size: int, questions: int, cuts: float) -> EvidenceBatch:
        """Draw a random batch.

        Args:
            size: Conversations.
            questions: Questions of each conversation, at most.
            cuts: Probability that a conversation is cut at a random turn. Only questions whose evidence is before
                the cut are asked; at least one is.
        """
        rng = self.rng
        usable = [i for i, own in enumerate(self.questions) if own]
        batch = EvidenceBatch(rng.sample(usable, min(size, len(usable))), [], [], [])
        for place, i in enumerate(batch.conversations):
            length = len(self.turns[i][0])
            cut = rng.randint(max(1, length // 10), length) if rng.random() < cuts else length
            cut = max(cut, 1 + min(q.last_turn for q in self.questions[i]))
            answered = [q for q in self.questions[i] if q.last_turn < cut]
            drawn = rng.sample(answered, min(questions, len(answered)))
            batch.lengths.append(cut)
            batch.places.extend([place] * len(drawn))
            batch.questions.extend(drawn)
        return batch

    def latents(self, batch: EvidenceBatch) -> tuple[Tensor, Tensor]:
        """Return the turns of a batch, cut and padded: latents (C, T, N, D) and mask (C, T, N)."""
        tokens = max(self.turns[i][0].shape[1] for i in batch.conversations)
        size = (len(batch.conversations), max(batch.lengths), tokens)
        latents = torch.zeros(*size, self.backbone.width)
        mask = torch.zeros(*size, dtype=torch.bool)
        for place, (i, cut) in enumerate(zip(batch.conversations, batch.lengths, strict=True)):
            states, seen = self.turns[i]
            latents[place, :cut, : states.shape[1]] = states[:cut].float()
            mask[place, :cut, : states.shape[1]] = seen[:cut]
        return latents.to(self.backbone.device), mask.to(self.backbone.device)


def with_evidence(question: Question, texts: Sequence[str], backbone: Backbone) -> EvidenceQuestion:
    """Find what a question needs among the turns of its conversation."""
    # a question whose file does not name a subject shares its fact with no other one
    fact = (question.subject, question.relation) if question.subject else question.id
    if question.answer is None:
        return EvidenceQuestion(question.prompt, -1, -1, -1, fact)
    token = backbone.tokenize([question.answer])[0][0]
    first_turn, answer_turn = evidence_turns(question.answer, question.evidence, texts)
    return EvidenceQuestion(question.prompt, token, first_turn, answer_turn, fact)


def evidence_turns(answer: str, evidence: Sequence[int], texts: Sequence[str]) -> tuple[int, int]:
    """Return the turn that the first hop needs, and the newest turn with the answer.

    Args:
        answer: Of the question.
        evidence: Its turns, in rising order; at least one.
        texts: All turns of its conversation.

    Returns:
        Two numbers of turns, from 0; equal where one turn is enough.
    """
    with_answer = [t for t in evidence if answer in texts[t]]
    answer_turn = (with_answer or evidence)[-1]
    before = [t for t in evidence if t != answer_turn]
    return (before or [answer_turn])[0], answer_turn
