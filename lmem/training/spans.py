"""Training of a span memory: where facts begin, under which key they are found, and how they are told (chapter 14).

    L = -log p(facts that answer | question, keys)      both hops, with a margin; "no row" for what was never told
        + CE of the gates: a value begins here; only one value holds at a time
        + CE of pairs of facts: is this the same fact, so that the new one takes the old one's row?
        + the same of a fact and its end, at a larger cosine

p is the read's own softmax, over the facts of the question's conversation and of the others in the batch. Before this, the telling is
trained alone, by the decoder's own loss, for the second hop starts from what is told. Its codes and rows start at the reduced-rank
regression from the latents of a turn by itself to those that the frozen encoder gives when it reads question and turn together,
measured as the frozen cross-attention measures them. Last, the doubt learns, with the keys as they are, whether the candidates of each
hop answer the question.
"""

import math
import random
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutput

from lmem.backbone.backbone import pad
from lmem.backbone.hooks import spelling
from lmem.data import everyday
from lmem.errors import InputError
from lmem.memory.model import MemoryModel
from lmem.memory.read.copying import CANDIDATES, SAME, CopyingRead
from lmem.memory.write.spans import SpanWrite
from lmem.training.evidence import SLOPE
from lmem.training.fact_data import Fact, FactConversation, FactQuestion
from lmem.training.minimise import hundreds, minimise
from lmem.training.replacing import ITSELF, replacements
from lmem.training.spelling import SpellingLoss
from lmem.utils.settings import AtLeast1, NotNegative, Positive, Settings, Share, settings

# a conversation, the place of a question in it, and the fact that answers it
Case: TypeAlias = tuple[FactConversation, int, Fact]
THETAS = (0.8, 0.85, 0.9, SAME, 0.96, 0.98)  # for which `calibrate` counts what replaces what
ENDED = 0.95  # cosine that is asked of a fact and its end, so that the end takes its row
SHIFTS = (0.0, 1.0, 2.0, 3.0)  # of the gate's bias, that it tries
GATED = 48  # turns of a conversation whose gates are compared in a step


@settings
class SpanConfig(Settings):
    """Settings of the training of a span memory.

    Attributes:
        steps: Steps for keys and gates.
        batch: Conversations of a step.
        questions: Questions of each conversation, at most.
        lr: Peak learning rate of AdamW.
        muon_lr: Peak learning rate of Muon, for the matrices of keys and gates.
        weight_decay: Of AdamW.
        clip: Norm above which the gradient is scaled down.
        margin: By which the right key must win, as a cosine.
        noise: Standard deviation of the noise on every latent.
        drop: Share of the tokens that are hidden from keys and questions, drawn at every step.
        doubt_steps: Steps for the doubt.
        doubt_batch: Questions in each of them.
        doubt_noise: Standard deviation of the noise on what a row is doubted by.
        no_answer: Weight there of a question that no row answers.
        spelling_steps: Steps for the codes and the pieces that they stand for.
        telling_steps: Steps for codes and rows.
        telling_batch: Answers of each of them.
        telling_lr: Peak learning rate there.
        abstain: Share of the validation questions about what was never told that the threshold must leave unanswered.
        seed: Of everything random.
    """

    steps: AtLeast1 = 8000
    batch: AtLeast1 = 3
    questions: AtLeast1 = 80
    lr: Positive = 3e-3
    muon_lr: Positive = 3e-3
    weight_decay: NotNegative = 1e-2
    clip: Positive = 2.0
    margin: NotNegative = 0.05
    noise: NotNegative = 0.2
    drop: Share = 0.1
    doubt_steps: AtLeast1 = 6000
    doubt_batch: AtLeast1 = 256
    doubt_noise: NotNegative = 0.1
    no_answer: Positive = 8.0
    spelling_steps: AtLeast1 = 1200
    telling_steps: AtLeast1 = 1500
    telling_batch: AtLeast1 = 48
    telling_lr: Positive = 2e-3
    abstain: Share = 0.95
    seed: int = 42


def span_parts(model: MemoryModel) -> tuple[SpanWrite, CopyingRead]:
    """Return the write and the read of a span memory.

    Raises:
        InputError: The model has another write or read.
    """
    write, read = model.write_rule, model.read
    if isinstance(write, SpanWrite) and isinstance(read, CopyingRead):
        return write, read
    raise InputError(f"expected the method spans, not {model.method.name}")


def train_spans(
    model: MemoryModel,
    conversations: Sequence[FactConversation],
    config: SpanConfig | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a span memory in place; its backbone does not change.

    Args:
        model: With the method spans.
        conversations: From `fact_conversations`.
        config: Default: `SpanConfig()`.
        progress: Show progress bars.

    Returns:
        telling_loss, loss and doubt_loss (means of the last hundred steps), losses (means of each hundred steps, of spelling,
        telling, keys, doubt), steps, questions, parameters, seconds.

    Raises:
        InputError: The model has another method.
    """
    config = config or SpanConfig()
    write, read = span_parts(model)
    started = time.perf_counter()
    rng = random.Random(f"spans {config.seed}")
    usable = [each for each in conversations if each.questions and each.facts]
    weights = [p for p in model.parameters() if p.requires_grad]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        telling = TellingLoss(model, usable, config, rng)
        start = telling.spelling
        spelled = minimise(
            start, start.weights, config, config.spelling_steps, config.lr, "training spelling",
            progress, config.muon_lr,
        )  # fmt: skip
        told = minimise(
            telling, telling.weights, config, config.telling_steps, config.telling_lr, "training telling", progress,
        )  # fmt: skip
        keys = KeyLoss(model, config, rng)  # a second hop starts from what is told
        others = {id(p) for p in (*telling.weights, *read.doubt.parameters())}
        rest = [p for p in weights if id(p) not in others]
        losses = minimise(
            lambda: keys(rng.sample(usable, min(config.batch, len(usable)))),
            rest, config, config.steps, config.lr, "training keys", progress, config.muon_lr,
        )  # fmt: skip
        with torch.no_grad():  # a row is replaced by one that the read takes for the same fact
            write.theta.fill_(SAME)
        doubt = DoubtLoss(model, usable, config, rng)
        doubted = minimise(
            doubt, doubt.weights, config, config.doubt_steps, config.lr, "training doubt", progress
        )
    means = [hundreds(each) for each in (spelled, told, losses, doubted)]
    return {
        "telling_loss": means[1][-1],
        "loss": means[2][-1],
        "doubt_loss": means[3][-1],
        "losses": [each for part in means for each in part],
        "steps": config.steps,
        "questions": sum(len(each.questions) for each in conversations),
        "parameters": sum(p.numel() for p in weights),
        "seconds": time.perf_counter() - started,
    }


@torch.no_grad()
def calibrate(
    model: MemoryModel, conversations: Sequence[FactConversation], abstain: float = 0.95
) -> dict[str, Any]:
    """Set two thresholds of a span memory: what counts as a fact, and what as no answer.

    The gate's bias is that of SHIFTS with which the most questions find a row of their fact. The read's threshold then leaves
    unanswered what was never told. What is withheld as "far" and what as "doubted" is not set here: it depends on nu, which the
    training of the keys learns.

    Args:
        model: A trained one; its thresholds are set, and saved with it.
        conversations: Others than those of the training.
        abstain: Share of the questions about what was never told that must be left unanswered.

    Returns:
        gate, what its bias was raised by; replaced, for each of THETAS how many facts would take the row of their older value and
        how many that of another fact; found, the share of the told questions whose best row is that of their fact;
        threshold; never_told and told, the shares of the questions that stay unanswered at it; far_never_told and far_told,
        the shares of these that are withheld as "far".

    Raises:
        InputError: The model has another method, or every question, or none, has an answer.
    """
    write, read = span_parts(model)
    asked = [each for each in conversations if each.questions and each.facts]
    told = [q.answer != everyday.UNKNOWN for each in asked for q in each.questions]
    if all(told) or not any(told):
        raise InputError("expected questions with an answer and some without, to set a threshold")

    def choices() -> tuple[float, list[tuple[bool, float, bool]]]:
        chosen = [each for own in asked for each in _chosen(model, own)]
        rights = [right for (right, _, _), answer in zip(chosen, told, strict=True) if answer]
        return sum(rights) / len(rights), chosen

    *_, bias = write.gate.parameters()
    start = bias.clone()

    shares = []
    for shift in SHIFTS:
        bias.copy_(start + shift)
        shares.append(choices()[0])
    gate = SHIFTS[shares.index(max(shares))]
    bias.copy_(start + gate)

    each = [replacements(write, conversation, THETAS) for conversation in asked]
    replaced = torch.tensor(each).sum(0).tolist()
    share, chosen = choices()
    unanswered = len(told) - sum(told)
    never = sorted(  # a row that says that something was taken back may be told
        doubt
        for (right, doubt, _), answer in zip(chosen, told, strict=True)
        if not (answer or right)
    )
    threshold = never[min(len(never) - 1, math.floor((1 - abstain) * unanswered))]
    read.threshold = model.options["read"]["threshold"] = threshold
    withheld: dict[bool, list[bool]] = {False: [], True: []}  # by whether it was told: is it far?
    for (_, doubt, is_far), answer in zip(chosen, told, strict=True):
        if doubt >= threshold:
            withheld[answer].append(is_far)
    return {
        "gate": gate,
        "replaced": {str(theta): count for theta, count in zip(THETAS, replaced, strict=True)},
        "found": share,
        "threshold": threshold,
        "never_told": len(withheld[False]) / unanswered,
        "told": len(withheld[True]) / sum(told),
        "far_never_told": sum(withheld[False]) / max(1, len(withheld[False])),
        "far_told": sum(withheld[True]) / max(1, len(withheld[True])),
    }


def _chosen(model: MemoryModel, conversation: FactConversation) -> list[tuple[bool, float, bool]]:
    """Write a conversation and ask its questions: for each, whether the best row is that of its fact, the doubt, whether it is far."""
    _, read = span_parts(model)
    rows, readable, same = _written(model, conversation)
    states, seen = pad([z.to(rows) for z in conversation.asked])
    banks, masks = rows.expand(len(states), -1, -1), readable.expand(len(states), -1)
    chosen = read.choose(banks, masks, states, seen.bool().to(rows.device))
    far = read.is_far(chosen.similarity)
    each = zip(conversation.questions, chosen.row, chosen.doubt.tolist(), far.tolist(), strict=True)
    return [
        (any(bool(same[fact, row]) for fact in question.last), doubt, is_far)
        for question, row, doubt, is_far in each
    ]


def _written(model: MemoryModel, conversation: FactConversation) -> tuple[Tensor, Tensor, Tensor]:
    """Write a conversation: rows (R, K + L v + 1), which of them may be read (R,), and which fact each one is, (F, R)."""
    write, _ = span_parts(model)
    device = model.backbone.device
    latents = [z.to(device, model.backbone.dtype) for z in conversation.latents]
    state = model.on_device(model.write_latents(model.new_bank(), [latents])).state
    turns, mask = pad(
        [conversation.latents[fact.turn].to(state.rows) for fact in conversation.facts]
    )
    tokens = torch.tensor([[fact.token] for fact in conversation.facts], device=device)
    keys = write.facts_at(turns, mask.bool().to(device), tokens)[0][:, 0]  # (F, K)
    same = keys @ state.rows[0, :, : write.key].T > ITSELF
    rows, readable = write.content(state)
    return rows[0], readable[0], same


class KeyLoss:
    """The loss of keys and gates on a batch of conversations; see the head of this file."""

    def __init__(self, model: MemoryModel, config: SpanConfig, rng: random.Random) -> None:
        """Use the write and the read of `model`."""
        self.write, self.read = span_parts(model)
        self.config, self.rng = config, rng
        self.device = model.backbone.device

    def __call__(self, conversations: Sequence[FactConversation]) -> Tensor:
        """Compute the loss: () with gradient."""
        read, config = self.read, self.config
        extracted = [self._facts(each) for each in conversations]
        keys = torch.cat([key for key, _, _ in extracted])  # (F, K), of all conversations
        about = [fact.about for each in conversations for fact in each.facts]
        first, beta, parts, hops, single = 0, 10 * read.sharp, [], [], []
        for each, (own_keys, values, _) in zip(conversations, extracted, strict=True):
            asked = self.rng.sample(
                range(len(each.questions)), min(config.questions, len(each.questions))
            )
            questions = [each.questions[i] for i in asked]
            states, seen = self._turns([each.asked[i] for i in asked])
            seen = self._dropped(seen)
            own = slice(first, first + len(own_keys))
            scores = self._scores(read.asks[0](states, seen), keys)
            scores[:, :-1] += self._bias(questions, each, about, own)
            right = self._right([q.first for q in questions], own.start, scores.shape[1])
            parts.append(_margin_loss(scores, right, beta.detach() * config.margin))
            # the second hop: the value that the first one found is appended to the question
            found = scores[:, own].softmax(1) @ values
            again = self._scores(read.asks[1](*read.next_question(states, seen, found)), own_keys)
            again[:, :-1] += self._live(each)
            right = self._right([q.last for q in questions], 0, again.shape[1])
            losses = _margin_loss(again, right, beta.detach() * config.margin)
            leads = torch.tensor([q.two_hops for q in questions], device=self.device)
            hops.append(losses[leads])
            single.append(losses[~leads])
            first = own.stop
        loss = torch.cat(parts).mean()
        for weight, losses in ((0.5, torch.cat(hops)), (0.3, torch.cat(single))):
            if len(losses):
                loss = loss + weight * losses.mean()
        gates = [
            self._gate_loss(each) + self._pair_loss(each, key, correct)
            for each, (key, _, correct) in zip(conversations, extracted, strict=True)
        ]
        return loss + torch.stack(gates).mean()

    def _turns(self, latents: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Pad texts, with noise: latents (T, N, D), mask (T, N)."""
        states, mask = pad([z.float() for z in latents])
        states, mask = states.to(self.device), mask.to(self.device).bool()
        return states + self.config.noise * torch.randn_like(states), mask

    def _dropped(self, mask: Tensor) -> Tensor:
        """Hide random tokens, so that no single word is relied on; never the first."""
        kept = torch.rand(mask.shape, device=self.device) >= self.config.drop
        kept[:, 0] = True
        return mask & kept

    def _facts(self, conversation: FactConversation) -> tuple[Tensor, Tensor, Tensor]:
        """Extract the facts at their marked tokens: keys (F, K), values (F, L v), gate e (F,)."""
        facts = conversation.facts
        latents, mask = self._turns([conversation.latents[fact.turn] for fact in facts])
        token = torch.tensor([[fact.token] for fact in facts], device=self.device)
        key, value, correct = self.write.facts_at(latents, self._dropped(mask), token)
        return key[:, 0], value.detach()[:, 0], correct[:, 0]

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Score keys (F, K) for queries (Q, K), and "no row": (Q, F + 1)."""
        beta = 10 * self.read.sharp
        none = (beta * (1 - self.read.nu)).expand(len(query), 1)
        return torch.cat([beta * query @ keys.T, none], 1)

    def _live(self, conversation: FactConversation) -> Tensor:
        """Return what is added to the scores of a conversation's facts: facts that no longer hold cannot be found."""
        return torch.where(torch.tensor(conversation.live, device=self.device), 0.0, -1e9)

    def _bias(
        self,
        questions: Sequence[FactQuestion],
        conversation: FactConversation,
        about: Sequence[tuple[str, str]],
        own: slice,
    ) -> Tensor:
        """Leave out what no longer holds, the same fact in other conversations, and for what was never told the others."""
        bias = torch.zeros(len(questions), len(about), device=self.device)
        bias[:, own] += self._live(conversation)
        others = [i for i in range(len(about)) if not own.start <= i < own.stop]
        for row, question in zip(bias, questions, strict=True):
            if question.answer == everyday.UNKNOWN:
                row[others] = -1e9
            else:
                asked = {conversation.facts[i].about for i in (*question.first, *question.last)}
                row[[i for i in others if about[i] in asked]] = -1e9
        return bias

    def _right(self, places: Sequence[tuple[int, ...]], first: int, size: int) -> Tensor:
        """Mark the right places, (Q, size); the last one is "no row" and right where nothing was told."""
        right = torch.zeros(len(places), size, dtype=torch.bool, device=self.device)
        for row, own in zip(right, places, strict=True):
            row[[first + i for i in own] or [size - 1]] = True
        return right

    def _gate_loss(self, conversation: FactConversation) -> Tensor:
        """Compute the cross entropy of where values begin, in some of the turns."""
        n = len(conversation.latents)
        turns = self.rng.sample(range(n), min(GATED, n))
        latents, mask = self._turns([conversation.latents[turn] for turn in turns])
        begins = torch.zeros(mask.shape, device=self.device)
        for fact in conversation.facts:
            if fact.turn in turns:
                begins[turns.index(fact.turn), fact.token] = 1.0
        logits, weight = self.write.begins(latents, mask), torch.tensor(3.0, device=self.device)
        last = mask.long().sum(1, keepdim=True) - 1
        loss = F.binary_cross_entropy_with_logits
        ends = loss(logits.gather(1, last), begins.gather(1, last), pos_weight=weight)
        return 3 * loss(logits[mask], begins[mask], pos_weight=weight) + ends

    def _pair_loss(self, conversation: FactConversation, key: Tensor, correct: Tensor) -> Tensor:
        """Same fact or not, for all pairs of facts that hold one value at a time; and whether a fact is one of those."""
        facts = conversation.facts
        single = torch.tensor([fact.single for fact in facts], device=self.device)
        ids = {about: i for i, about in enumerate(dict.fromkeys(fact.about for fact in facts))}
        which = torch.tensor([ids[fact.about] for fact in facts], device=self.device)
        same = which[:, None] == which
        pairs = torch.ones_like(same).triu(1) & single[:, None] & single
        ended = torch.tensor([fact.value is None for fact in facts], device=self.device) & pairs
        cosine = key @ key.T
        more, less = SLOPE * (cosine - self.write.theta), SLOPE * (cosine - ENDED)
        loss = F.binary_cross_entropy_with_logits(correct, single.float())
        terms = ((same & pairs, -more, 1.0), (same & ended, -less, 1.0), (~same & pairs, more, 5.0))
        for part, logits, weight in terms:
            if part.any():
                loss = loss + weight * F.softplus(logits[part]).mean()
        return 0.3 * loss


class DoubtLoss:
    """Whether a row answers a question: the candidates of both hops, in whole banks of the conversations and in small parts."""

    def __init__(
        self,
        model: MemoryModel,
        conversations: Sequence[FactConversation],
        config: SpanConfig,
        rng: random.Random,
    ) -> None:
        """Write the banks and collect the rows."""
        self.write, self.read = span_parts(model)
        self.config = config
        self.weights = list(self.read.doubt.parameters())
        found = [part for each in conversations for part in self._parts(model, each, rng)]
        self.signs, self.right, answered = (torch.cat(part) for part in zip(*found, strict=True))
        self.weight = torch.where(answered, 1.0, config.no_answer)  # (Q,)

    def __call__(self) -> Tensor:
        """Draw questions and compute their loss: () with gradient."""
        drawn = torch.randint(len(self.right), (self.config.doubt_batch,))
        signs = self.signs[drawn]  # (B, 2, C, K + 5)
        signs = signs + self.config.doubt_noise * torch.randn_like(signs)
        logits = [doubt(signs[:, hop]) for hop, doubt in enumerate(self.read.doubt)]
        losses = F.binary_cross_entropy_with_logits(
            torch.stack(logits, 1)[..., 0], 1 - self.right[drawn], reduction="none"
        )  # (B, 2, C)
        return (self.weight[drawn, None, None] * losses).mean()

    def _parts(
        self, model: MemoryModel, conversation: FactConversation, rng: random.Random
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Look up a conversation's questions in its bank, and in a few rows of it; of those without an answer there only some."""
        rows, readable, same = _written(model, conversation)
        places = readable.nonzero()[:, 0].tolist()
        if len(places) < CANDIDATES:
            return []
        right = torch.stack([same[list(each.last)].any(0) for each in conversation.questions])
        least, most = math.log(CANDIDATES), math.log(len(places))
        few = rng.sample(places, round(math.exp(rng.uniform(least, most))))
        parts = []
        for part in (places, few):
            answered = right[:, part].any(1).tolist()
            without = [i for i, each in enumerate(answered) if not each]
            some = rng.sample(without, min(len(without), 1 + sum(answered) // 3))
            asked = [i for i, each in enumerate(answered) if each or i in some]
            questions = [conversation.asked[i] for i in asked]
            parts.append(self._rows(rows[part], questions, right[asked][:, part]))
        return parts

    @torch.no_grad()
    def _rows(
        self, rows: Tensor, questions: Sequence[Tensor], right: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Look up questions in rows (R, K + L v + 1), of which `right` (Q, R) says whether they answer.

        Returns:
            For the candidates of both hops signs (Q, 2, C, K + 5), and whether they answer (Q, 2, C); whether any row does, (Q,).
        """
        states, seen = pad([z.to(rows) for z in questions])
        banks = rows.expand(len(states), -1, -1)
        every = torch.ones(banks.shape[:2], dtype=torch.bool, device=rows.device)
        found = self.read.candidates(banks, every, states, seen.bool().to(rows.device))
        signs = torch.stack([signs for _, signs, _ in found], 1)
        answers = torch.stack([right.gather(1, row).float() for row, _, _ in found], 1)
        return signs, answers, right.any(1)


def _margin_loss(scores: Tensor, right: Tensor, margin: Tensor) -> Tensor:
    """Compute -log of the share of the right places, (Q,), after their scores are lowered by a margin."""
    margin = margin * ~right[:, -1:]  # none for "no row"
    lowered = scores - margin * right
    return lowered.logsumexp(1) - lowered.masked_fill(~right, -1e9).logsumexp(1)


class TellingLoss:
    """The decoder's loss, if it gets the question and the rows of the right value; of "unknown", with the rows for that; and of the spelling."""

    def __init__(
        self,
        model: MemoryModel,
        conversations: Sequence[FactConversation],
        config: SpanConfig,
        rng: random.Random,
    ) -> None:
        """Start the codes of `model` at the regression, and collect what is to be told."""
        self.write, self.read = span_parts(model)
        self.backbone, self.config, self.rng = model.backbone, config, rng
        self.told: list[Case] = []
        self.taken_back: list[Case] = []
        self.never_told: list[tuple[FactConversation, int]] = []
        for each in conversations:
            for place, question in enumerate(each.questions):
                if not question.last:
                    self.never_told.append((each, place))
                    continue
                fact = each.facts[question.last[-1]]
                (self.told if fact.value else self.taken_back).append((each, place, fact))
        read, pairs = self.read, self._regression(min(4000, len(self.told)))
        start_codes(self.write, read, *pairs, self.metric())
        noise, root = config.noise / 3, roots(self.metric())[0]
        self.spelling = SpellingLoss(
            self.backbone, self.write, read, conversations, noise, pairs, root
        )
        modules = [self.write.code, read.respell, read.around, read.spelling]
        self.weights = [p for module in modules for p in module.parameters()]
        self.weights += [read.place, read.nothing]

    def __call__(self) -> Tensor:
        """Draw answers and compute their loss: () with gradient."""
        told = self._some(self.told, self.config.telling_batch)
        loss = self._value_loss(told) + 0.3 * self.spelling.pieces()
        if self.taken_back:
            loss = loss + 0.2 * self._value_loss(self._some(self.taken_back, 8))
        if self.never_told:
            some = self._some(self.never_told, 8)
            rows = self.read.nothing.expand(len(some), -1, -1)
            loss = loss + 0.2 * self._decoder_loss(some, rows, torch.zeros_like(rows))
        return loss

    def _value_loss(self, cases: Sequence[Case]) -> Tensor:
        value = self._values(cases)
        return self._decoder_loss(cases, self.read.value_rows(value), self.read.pieces(value))

    def _some(self, cases: list, n: int) -> list:
        return self.rng.sample(cases, min(n, len(cases)))

    def metric(self) -> Tensor:
        """Return M (D, D): x M x is how much the frozen cross-attention sees of a row x, over its layers, keys and values."""
        width = self.backbone.width
        seen = torch.zeros(width, width)
        for block in self.backbone.model.decoder.block:
            attention = block.layer[1].EncDecAttention
            for weight in (attention.k.weight, attention.v.weight):
                weight = weight.detach().float().cpu()
                seen += weight.T @ weight / weight.square().sum()
        return seen

    def _values(self, cases: Sequence[Case]) -> Tensor:
        """Code the values of facts, (B, L v), with gradient."""
        latents, mask = pad([each.latents[fact.turn].float() for each, _, fact in cases])
        device = self.backbone.device
        latents, mask = latents.to(device), mask.to(device).bool()
        latents = latents + self.config.noise / 3 * torch.randn_like(latents)
        places = torch.tensor([[fact.token] for _, _, fact in cases], device=device)
        return self.write.value(latents, mask, places).flatten(1)

    def _decoder_loss(self, cases: Sequence, rows: Tensor, pieces: Tensor) -> Tensor:
        states, seen = pad([each.asked[place].float() for each, place, *_ in cases])
        states, seen = states.to(rows.device), seen.to(rows.device)
        labels = self.backbone.labels([each.questions[place].answer for each, place, *_ in cases])
        every = seen.new_ones(rows.shape[:2])
        with spelling(self.backbone.model, self.read, pieces):
            return self.backbone.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=torch.cat([states, rows], 1)),
                attention_mask=torch.cat([seen, every], 1),
                labels=labels,
            ).loss

    @torch.no_grad()
    def _regression(self, n: int) -> tuple[Tensor, Tensor]:
        """Return latents of value tokens (M, D) of turns by themselves, and of the same tokens read with the question."""
        cases = self.rng.sample(self.told, n)
        texts = [f"{each.questions[p].prompt} {each.texts[f.turn]}" for each, p, f in cases]
        together = self.backbone.encode(texts, truncate=True)
        alone, joint = [], []
        for (each, place, fact), both in zip(cases, together, strict=True):
            before = len(each.asked[place]) - 1  # the question's tokens without the end of text
            last = min(
                fact.token + fact.pieces + 1, len(each.latents[fact.turn]), len(both) - before
            )
            alone.append(each.latents[fact.turn][fact.token : last].float())
            joint.append(both[before + fact.token : before + last].float())
        return torch.cat(alone).cpu(), torch.cat(joint).cpu()


def roots(metric: Tensor) -> tuple[Tensor, Tensor]:
    """Return R and its inverse, with R R^T = metric (D, D)."""
    scale, directions = torch.linalg.eigh(metric)
    root = scale.clamp(min=1e-6).sqrt()
    return directions * root, (directions / root).T


@torch.no_grad()
def start_codes(
    write: SpanWrite, read: CopyingRead, alone: Tensor, joint: Tensor, metric: Tensor
) -> None:
    """Set codes and rows to the reduced-rank regression of `joint` (M, D) on `alone` (M, D) under a metric (D, D).

    With R R^T = metric and the ridge regression B of joint R on alone, the code is the part of alone B in the v directions
    with the most of it (Izenman, 1975).
    """
    whiten, unwhiten = roots(metric)
    ridge = torch.eye(alone.shape[1])
    fitted = torch.linalg.solve(alone.T @ alone + ridge, alone.T @ (joint @ whiten))
    seen = alone @ fitted
    kept = torch.linalg.eigh(seen.T @ seen)[1].flip(1)[:, : write.code.out_features]
    size = (seen @ kept).std(0).clamp(min=1e-6)
    write.code.weight.copy_((fitted @ kept / size).T)
    write.code.bias.zero_()
    read.respell.weight.copy_((size[:, None] * kept.T @ unwhiten).T)
    read.respell.bias.zero_()
