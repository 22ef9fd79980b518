"""Rehearsal: a keyed write and its read learn from the evidence alone, before the decoder is ever asked (chapter 14).

Turn t of T is written with weight b_t and lost again with every later turn that takes its row, all of it soft:

    log w_t = log b_t + sum_{u>t} log(1 - b_u e_u m_ut),   m_ut = sigmoid(25 (k_u . k_t - theta))
    L = -log p(evidence | question, keys, w)      both hops, with a margin; "nothing" for a question without an answer
        + the answer's first token, told from the evidence's value, through the frozen embeddings      + lambda b + mu e

p is the read's own softmax. The other conversations of the batch lend their keys, so that 100 turns teach what 600 will need.
Noise on the gates' logits makes them choose. What is learned here is held still afterwards; `lmem.training.train` then teaches the rest,
how to tell the decoder, through the decoder.
"""

import math
import random
import time
from typing import NamedTuple

import torch
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    logsigmoid,
    softplus,
)
from torch.nn.utils import clip_grad_norm_

from lmem.backbone.backbone import pad
from lmem.errors import InputError
from lmem.memory.write.base import unit
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast1, NotNegative, Positive, Settings, Share, settings


@settings
class RehearsalConfig(Settings):
    """What a keyed write learns from evidence (chapter 14).

    batch      conversations of a step, each asked `questions` questions at most
    margin     by which the right key must win, as a cosine
    noise      standard deviation of what is added to every latent
    drop       share of the tokens that are hidden from keys and questions, anew at every step
    price      of a turn that is kept, and of one that may take the row of what it corrects: rows are scarce
    cuts       share of the conversations that are cut at a random turn
    undated    share of the conversations whose turns are written without the session's date
    """

    steps: AtLeast1 = 2500
    batch: AtLeast1 = 8
    questions: AtLeast1 = 40
    lr: Positive = 3e-3
    weight_decay: NotNegative = 1e-2
    clip: Positive = 2.0
    margin: NotNegative = 0.05
    noise: NotNegative = 0.4
    drop: Share = 0.1
    price: tuple[NotNegative, NotNegative] = (0.3, 0.15)
    cuts: Share = 0.3
    undated: Share = 0.25
    seed: int = 42


SLOPE = 25.0


class Ask(NamedTuple):
    """A question: its first token of the answer, the turn that its first hop needs and the turn that holds the answer; -1: none."""

    prompt: str
    token: int
    first: int
    goal: int
    fact: tuple | str

    @property
    def hops(self):
        return 2 if self.first != self.goal else 1


def rehearse(model, conversations, config=None, progress=True):
    """Teach a keyed model what to keep, under which key, and how to find it.

    model          MemoryModel with the write `keyed`; its adapter learns in place, its backbone does not change
    conversations  list of Conversation with evidence
    config         RehearsalConfig
    returns        dict: loss, losses (the mean of each hundred steps), steps, questions, parameters, seconds
    raises         InputError if the write is not keyed, or no question has evidence
    """
    config = config or RehearsalConfig()
    if model.write_rule is None or model.write_rule.form != "keyed":
        raise InputError(
            f"expected a method with a keyed write to rehearse, not {model.method.name}"
        )
    begun = time.perf_counter()
    drill = _Drill(model, conversations, config, progress)
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1, (s + 1) / 50) * (1 + math.cos(math.pi * s / config.steps)) / 2
    )
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        for _ in track(range(config.steps), "rehearsing", progress):
            loss = drill.loss()
            loss.backward()
            clip_grad_norm_(learned, config.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
    hundreds = [losses[i : i + 100] for i in range(0, len(losses), 100)]
    return {
        "loss": sum(hundreds[-1]) / len(hundreds[-1]),
        "losses": [round(sum(part) / len(part), 4) for part in hundreds],
        "steps": config.steps,
        "questions": sum(len(asks) for asks in drill.asks),
        "parameters": sum(p.numel() for p in learned),
        "seconds": time.perf_counter() - begun,
    }


def goals(question, texts):
    """The turn that the first hop needs, and the newest that holds the answer; the same where one turn is enough.

    texts  the turns of a conversation in which the question has evidence
    """
    holds = [t for t in question.evidence if question.answer in texts[t]] or question.evidence
    before = [t for t in question.evidence if t != holds[-1]]
    return (before or [holds[-1]])[0], holds[-1]


def hold(model):
    """Let nothing learn but how the read tells the decoder what it found."""
    model.requires_grad_(False)
    model.read.tell.requires_grad_(True)


class _Drill:
    """The conversations' latents and questions, and the loss of a random batch of them."""

    def __init__(self, model, conversations, config, progress):
        self.model, self.config = model, config
        self.rng = random.Random(f"rehearse {config.seed}")
        backbone = model.backbone
        texts = [c.texts(dates=self.rng.random() >= config.undated) for c in conversations]
        self.turns = []
        for one in track(texts, "encoding turns", progress):
            latents, mask = pad(backbone.encode(one, truncate=True))
            self.turns.append((latents.half().cpu(), mask.cpu().bool()))
        self.asks = [self._asks(c, one) for c, one in zip(conversations, texts, strict=True)]
        if not any(self.asks):
            raise InputError(
                f"expected questions with evidence in {len(conversations)} conversations, found none"
            )
        prompts = sorted({ask.prompt for asks in self.asks for ask in asks})
        self.heard = dict(zip(prompts, backbone.encode(prompts, truncate=True), strict=True))
        self.table = unit(backbone.model.get_input_embeddings().weight.detach().float())

    def _asks(self, conversation, texts):
        found = []
        for q in conversation.questions:
            fact = (
                (q.subject, q.relation) if q.subject else q.id
            )  # what no file names is no one's but its own
            if q.answer is None:
                found.append(Ask(q.prompt, -1, -1, -1, fact))
                continue
            if q.evidence:
                token = self.model.backbone.tokenize([q.answer])[0][0]
                found.append(Ask(q.prompt, token, *goals(q, texts), fact))
        return found

    def _batch(self):
        """Conversations of a step, and questions of each: (place in the batch, Ask); evidence lies before a cut."""
        config, rng = self.config, self.rng
        some = [i for i, asks in enumerate(self.asks) if asks]
        chosen = rng.sample(some, min(config.batch, len(some)))
        asked, lengths = [], []
        for place, i in enumerate(chosen):
            length = len(self.turns[i][0])
            cut = (
                rng.randint(max(1, length // 10), length) if rng.random() < config.cuts else length
            )
            cut = max(cut, 1 + min(max(ask.first, ask.goal) for ask in self.asks[i]))
            open_ = [ask for ask in self.asks[i] if max(ask.first, ask.goal) < cut]
            asked += [(place, ask) for ask in rng.sample(open_, min(config.questions, len(open_)))]
            lengths.append(cut)
        return chosen, asked, lengths

    def _latents(self, chosen, lengths):
        """(C, T, N, D) and its mask, cut and padded."""
        tokens = max(self.turns[i][0].shape[1] for i in chosen)
        size = (len(chosen), max(lengths), tokens)
        latents = torch.zeros(*size, self.model.backbone.width)
        mask = torch.zeros(*size, dtype=torch.bool)
        for place, (i, cut) in enumerate(zip(chosen, lengths, strict=True)):
            states, seen = self.turns[i]
            latents[place, :cut, : states.shape[1]] = states[:cut].float()
            mask[place, :cut, : states.shape[1]] = seen[:cut]
        device = self.model.backbone.device
        return self._noisy(latents.to(device)), mask.to(device)

    def _noisy(self, latents):
        return latents + self.config.noise * torch.randn_like(latents)

    def _some(self, mask):
        """A mask that hides some tokens: no single word is to be relied on."""
        return mask & (torch.rand(mask.shape, device=mask.device) >= self.config.drop)

    def loss(self):
        config, write, read = self.config, self.model.write_rule, self.model.read
        chosen, asked, lengths = self._batch()
        latents, mask = self._latents(chosen, lengths)
        key, value, keep, fix = write.parts(latents, mask, self._some(mask))  # (C, T, ...)
        device = key.device
        bias = weights(write, key, _decided(keep), _decided(fix))  # (C, T)

        where = torch.tensor([place for place, _ in asked], device=device)
        asks = [ask for _, ask in asked]
        first = torch.tensor([ask.first for ask in asks], device=device)
        goal = torch.tensor([ask.goal for ask in asks], device=device)
        two = torch.tensor([ask.hops == 2 for ask in asks], device=device)
        told = goal >= 0
        states, seen = pad([self.heard[ask.prompt].float() for ask in asks])
        states, seen = self._noisy(states), self._some(seen.bool())

        hops = read.recall(key[where], value[where], bias[where], states, seen)
        query = 10 * read.sharp * read.asks[0](states, seen)
        lent = torch.einsum("qk,ctk->qct", query, key) + self._lent(bias, told, chosen, asked)
        logp = torch.cat([hops[0][0], lent.flatten(1)], 1).log_softmax(1)
        margin = 10 * read.sharp.detach() * config.margin
        loss = nll(logp, torch.where(told, first, key.shape[1]), margin * told).mean()
        if two.any():
            loss = loss + 0.3 * nll(hops[1][0][two].log_softmax(1), goal[two], margin).mean()
        loss = loss + 0.3 * binary_cross_entropy_with_logits(
            read.halt(states, seen)[:, 0], two.float()
        )
        if told.any():
            tokens = torch.tensor([ask.token for ask in asks], device=device)[told]
            words = unit(read.told(value[where[told], goal[told]])[:, 0]) @ self.table.T
            loss = loss + cross_entropy(2 * words / self.table.shape[1] ** 0.5, tokens)
        some = mask.any(-1)
        spread = value[some].mean(0).square().mean()  # 0 if values point everywhere
        kept, fixed = config.price
        return loss + 0.1 * spread + (kept * softplus(keep) + fixed * softplus(fix))[some].mean()

    def _lent(self, bias, told, chosen, asked):
        """(Q, C, T) added to the scores of the other conversations' keys: -inf for one's own and for the same fact told elsewhere."""
        same = {}
        for place, i in enumerate(chosen):
            for ask in self.asks[i]:
                if ask.hops == 1 and 0 <= ask.goal < bias.shape[1]:
                    same.setdefault(ask.fact, []).append((place, ask.goal))
        shut = (~told[:, None, None]).repeat(1, *bias.shape)
        for n, (place, ask) in enumerate(asked):
            shut[n, place] = True
            for other, turn in same.get(ask.fact, ()) if ask.hops == 1 else ():
                shut[n, other, turn] = True
        return bias[None].masked_fill(shut, -1e9)


def _decided(gate):
    """A gate's logits with noise, and steeper: only what is far from 0 is sure, so it learns to choose."""
    return 2 * (gate + torch.rand_like(gate).clamp(1e-4, 1 - 1e-4).logit())


def weights(write, key, keep, fix):
    """log w (C, T): how much of each turn is left after all later ones; see the file's head."""
    taken = torch.sigmoid(SLOPE * (key @ key.transpose(1, 2) - write.theta))  # (C, t, u)
    taken = taken * (torch.sigmoid(keep) * torch.sigmoid(fix))[:, None, :]
    return logsigmoid(keep) + torch.log1p(-taken.clamp(max=1 - 1e-4)).triu(1).sum(2)


def nll(logp, target, margin):
    """-log of the target's share, its score lowered by the margin: (Q,)."""
    own = logp.gather(1, target[:, None])[:, 0]
    lowered = own - margin
    # the rest keeps 1 - p, the target p exp(-margin)
    rest = torch.log1p(-own.exp().clamp(max=1 - 1e-6))
    return torch.logaddexp(lowered, rest) - lowered
