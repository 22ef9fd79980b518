"""MemoryModel: a frozen backbone, a write, a read. The bank is passed in and out (chapters 1 and 2).

P_t = Write(P_{t-1}, E(x_t));   y = D(Read(E(question), P_t))      paper, section 2
"""

import json
from ast import literal_eval
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeVar, overload

import torch
from huggingface_hub import ModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lmem.backbone import hooks, support
from lmem.backbone.backbone import Backbone, load_backbone, pad
from lmem.backbone.hooks import Places
from lmem.data.conversation import Conversation
from lmem.data.messages import (
    Turns,
    conversation_texts,
    expect_list,
    is_conversation,
    is_turn,
    questions_before,
)
from lmem.errors import BankError, InputError, MethodError
from lmem.memory import methods
from lmem.memory.bank import Bank
from lmem.memory.ledger import Ledger, leave_one_out, ledger_and_start
from lmem.memory.options import Options
from lmem.memory.read.base import Judgement, Read
from lmem.memory.write.base import Write
from lmem.utils import provenance
from lmem.utils.device import check_to
from lmem.utils.digest import digest, versions
from lmem.utils.files import write_folder
from lmem.utils.text import checked_text

ADAPTERS = Path(__file__).parent / "assets" / "adapters"
WEIGHTS, SETTINGS = "adapter.safetensors", "adapter.json"
# turns that are encoded together, so that memory does not grow with the conversation
ENCODE_TURNS = 64

Texts = TypeVar("Texts", str, list[str])
ManyTurns = Turns | Iterable[Turns]
FilePath = str | PathLike


class Answer(NamedTuple):
    """An answer and how sure the memory is of it.

    Attributes:
        text: The greedy answer.
        confidence: From 0 to 1: the decoder's p(text | question, bank), the product of the probabilities of its tokens, the end of
            the answer included. Where there is a doubt, it is p (1 - doubt) if the row was told, and p doubt if it was not,
            for then the text says that nothing answers. It is no promise of how often such answers are right.
        doubt: The probability, as the read judges it, that the row that it chose does not answer; None for other reads.
        withheld: Why that row was not told. "far": no row is like the question, so nothing was told about it. "doubted": the best
            row is like the question, but is doubted too much. None: it was told, or the read chooses no row.
    """

    text: str
    confidence: float
    doubt: float | None = None
    withheld: Literal["far", "doubted"] | None = None


class MemoryModel(nn.Module, ModelHubMixin):
    """A memory on a frozen backbone."""

    backbone: Backbone
    write_rule: Write  # None for the method without memory
    read: Read  # None too

    @torch.inference_mode(False)  # weights that are made in inference mode can never be trained
    def __init__(
        self,
        backbone: Backbone,
        method: str = "recent",
        scale: float = 1,
        seed: int = 0,
        write: Options | None = None,
        read: Options | None = None,
    ):
        """Draw an untrained adapter.

        Args:
            backbone: From `load_backbone`.
            method: A name or alias of `lmem.memory.methods`, such as "m3", "attention+extension", "recent".
            scale: 1 is 64 rows, 10 is 640, as in the paper.
            seed: Seed of P_0, the random write maps and the read's start.
            write: Options of the write rule, such as {"gamma": 0.99, "normalise": True}; they replace the method's own.
            read: Options of the read, likewise: {"heads": 4}.

        Raises:
            MethodError: The method, the scale or an option is unknown or does not fit, or the backbone is in float16 or
                offloaded.
            InputError: The backbone is a name.
        """
        super().__init__()
        if isinstance(backbone, str | PathLike):
            raise InputError(
                f"expected a loaded backbone, not its name: load_backbone({str(backbone)!r})"
            )
        support.check_weights(backbone.model)
        self.__dict__["backbone"] = backbone  # no submodule: an adapter has no backbone weights
        self.method, self.scale, self.seed = methods.find(method), scale, seed
        self.rows = methods.rows_of(scale, self.method)
        self.options = {"write": dict(write or {}), "read": dict(read or {})}
        if self.method.write is None:
            if write or read:
                raise MethodError(f"expected no options for {self.method.name}, it has no memory")
            self.write_rule = self.read = None  # pyright: ignore[reportAttributeAccessIssue]
        else:
            self.write_rule, self.read = methods.build(
                self.method, backbone.model, self.rows, seed, *self.options.values()
            )
        self._hashed_maps = None, ""  # versions of the write maps, and their digest
        self.to(backbone.device)

    @classmethod
    def from_shipped(cls, name: str = "mini-spans", backbone: Backbone | None = None) -> Self:
        """Load an adapter that comes with the package: "mini-spans" for plain English, "nano-recent" (chapter 1), "nano-keyed"
        (chapter 14), the paper's methods as printed at 1x, "nano-m1" to "nano-m6", and two repaired ones (the live pages).

        Args:
            name: Name of the adapter.
            backbone: Its backbone, if it is already loaded.

        Raises:
            InputError: There is no such adapter.
        """
        names = sorted(path.name for path in ADAPTERS.iterdir() if path.is_dir())
        if name not in names:
            raise InputError(f"expected a shipped adapter, one of {', '.join(names)}, not {name!r}")
        return cls.from_pretrained(ADAPTERS / name, backbone)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move the adapter, but not the backbone, as any module.

        Raises:
            InputError: The machine has no such device.
        """
        check_to(args, kwargs)
        return super().to(*args, **kwargs)

    def variant(
        self, scale: float | None = None, write: Options | None = None, read: Options | None = None
    ) -> Self:
        """Return a model with these weights, but another size or other options.

        Weights that did not exist are drawn from the seed.

        Raises:
            MethodError: A weight has another shape there. A prefix and a square bank have weights whose shape depends on the
                number of rows.
        """
        options = {
            "write": {**self.options["write"], **(write or {})},
            "read": {**self.options["read"], **(read or {})},
        }
        scale = self.scale if scale is None else scale
        changed = type(self)(self.backbone, self.method.name, scale, self.seed, **options)
        old_weights, new_weights = self.state_dict(), changed.state_dict()
        if self.write_rule is not None and self.write_rule.p0.shape != changed.write_rule.p0.shape:
            del old_weights["write_rule.p0"]  # P_0 of another size is drawn from the seed
        for name, weight in old_weights.items():
            if name not in new_weights or new_weights[name].shape != weight.shape:
                raise MethodError(
                    f"expected weights of {self.method.name} that fit scale {scale} and these options, {name} does not"
                )
        changed.load_state_dict(new_weights | old_weights)
        return changed

    # ---- the bank ----------------------------------------------------------------------------------

    @property
    def owner(self) -> str:
        """Signature that a bank must have to fit: method, size, the write's options and a digest of its maps."""
        if self.write_rule is None:
            return "none"
        state = self.write_rule.state_dict()
        now = versions(state.values())
        if self._hashed_maps[0] != now:  # hashing them takes as long as a training step
            self._hashed_maps = now, digest(state)[:16]
        sizes = "x".join(str(size) for size in self.write_rule.p0.shape)
        return self._signature(sizes, self.options["write"], self._hashed_maps[1])

    def _signature(self, sizes: str, write_options: Options, maps: str) -> str:
        changed = methods.effective(self.method, self.backbone.width, self.rows, write_options)
        options = [f"{name}={value}" for name, value in changed.items()]
        return " ".join([self.method.name, sizes, *options, maps])

    def _owns(self, owner: str) -> bool:
        """Whether a bank's owner is this model; version 0.1 wrote options as the user typed them."""
        if owner == self.owner:
            return True
        try:
            method, sizes, *written_options, maps = owner.split(" ")
            pairs = (option.split("=") for option in written_options)
            options = {name: literal_eval(value) for name, value in pairs}
            same = self._signature(sizes, options, maps) == self.owner
        except (MethodError, ValueError, SyntaxError):
            return False
        return same and method == self.method.name

    def new_bank(self, batch: int = 1) -> Bank:
        """Return an empty bank, or a batch of them: no turn written; rows are P_0.

        Raises:
            BankError: The method has no memory.
            InputError: `batch` is no whole number of 1 or more.
        """
        if self.write_rule is None:
            raise BankError("the stateless method has no bank")
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            raise InputError(f"expected at least 1 bank, as a whole number, not {batch!r}")
        return Bank(self.write_rule.start(batch), self.owner, self.backbone.fingerprint)

    def check(self, bank: Bank) -> None:
        """Raise a BankError unless the bank comes from this method, size, write maps and backbone.

        Raises:
            BankError: It comes from another one.
            MethodError: The backbone is in float16 or offloaded.
            InputError: It is no bank.
        """
        if not isinstance(bank, Bank):
            raise InputError(f"expected a bank, got {type(bank).__name__}")
        support.check_weights(self.backbone.model)
        if bank.backbone != self.backbone.fingerprint:
            raise BankError(
                f"expected a bank of the backbone {self.backbone.fingerprint[:12]}, "
                f"this one was written with {bank.backbone[:12]}"
            )
        if not self._owns(bank.owner):
            raise BankError(f"expected a bank of {self.owner}, this one belongs to {bank.owner}")

    def on_device(self, bank: Bank) -> Bank:
        """Return the bank on the device and in the type of P_0; a loaded one comes on the CPU."""
        p0, rows = self.write_rule.p0, bank.state.rows
        fits = (rows.device, rows.dtype) == (p0.device, p0.dtype)
        return bank if fits else bank.to(p0.device, p0.dtype)

    # ---- turn, latents, write ----------------------------------------------------------------------

    @torch.no_grad()
    def write(
        self, bank: Bank, turns: ManyTurns, truncate: bool = False, ledger: Ledger | None = None
    ) -> Bank:
        """Encode the turns and write them one after the other.

        Args:
            bank: One bank or a batch; it is not changed.
            turns: A Conversation, or a list of turns in a form of `lmem.data.messages`: "SPEAKER: TEXT", messages, pairs. For
                a batch of banks a list of such lists.
            truncate: Cut turns that are too long instead of refusing them.
            ledger: A Ledger of one bank, which keeps the turns' latents and words so that a turn can be unwritten.

        Returns:
            The bank after the turns.

        Raises:
            InputError: A turn is no text, empty or too long, or its latents are not finite; nothing is changed then.
            BankError: The bank is of another model, or the ledger of another bank.
        """
        self.check(bank)
        texts = texts_by_bank(turns, len(bank))
        if ledger is not None:
            ledger.check(bank)
        before, recorded = bank, []
        for start in range(0, max(map(len, texts)), ENCODE_TURNS):
            part = [conversation[start : start + ENCODE_TURNS] for conversation in texts]
            last = [conversation[max(0, start - 1) : start] for conversation in texts]
            latents = self.encode_turns(part, truncate, before=last)
            _expect_finite(latents, start)
            bank = self.write_latents(bank, latents)
            if ledger is not None:
                recorded += latents[0]
        if ledger is not None:
            said = [text.removeprefix("context: ") for text in texts[0]]
            ledger.add(before, recorded, bank, said)
        return bank

    def encode_turns(
        self, texts: list[list[str]], truncate: bool = True, before: list[list[str]] | None = None
    ) -> list[list[Tensor]]:
        """Return the latents (N, D) of each turn of each conversation.

        Args:
            texts: For each conversation its turns, as `lmem.data.messages.conversation_texts` returns them.
            truncate: Cut turns that are too long instead of refusing them.
            before: For each conversation the turn before these, in a list, or none; for a write that looks back.

        Raises:
            InputError: A turn is too long and `truncate` is False.
        """
        together = [text for conversation in texts for text in conversation]
        if self.write_rule is not None and self.write_rule.looks_back:
            earlier = before or [[] for _ in texts]
            asked = [
                question
                for last, turns in zip(earlier, texts, strict=True)
                for question in questions_before([*last, *turns])[len(last) :]
            ]
            latents = iter(self.backbone.encode_after(asked, together, truncate))
        else:
            latents = iter(self.backbone.encode(together, truncate))
        return [[next(latents) for _ in conversation] for conversation in texts]

    def encode_questions(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """Return the latents (N, D) of each different prompt.

        Empty if the read enters before the encoder (or there is none): latents then depend on the bank.
        """
        if self.read is None or self.read.site == "encoder_input":
            return {}
        distinct = list(dict.fromkeys(prompts))
        return dict(zip(distinct, self.backbone.encode(distinct, truncate=True), strict=True))

    def write_latents(self, bank: Bank, latents: Sequence[Sequence[Tensor]]) -> Bank:
        """Write latents, with gradient if the write has weights to learn.

        Args:
            bank: B banks.
            latents: For each bank a list of turns, (N, D) each. Conversations may differ in length.
        """
        bank = self.on_device(bank)
        device, turns = bank.state.rows.device, []
        no_tokens = torch.zeros(0, self.backbone.width, device=device, dtype=self.backbone.dtype)
        for t in range(max(map(len, latents), default=0)):
            turn, mask = pad([z[t] if t < len(z) else no_tokens for z in latents])  # (B, N, D)
            turns.append((turn.to(device), mask.to(device)))
        return Bank(self.write_rule.scan(bank.state, turns), bank.owner, bank.backbone)

    @torch.no_grad()
    def unwrite(
        self, bank: Bank, turns: int | Iterable[int], ledger: Ledger | None = None
    ) -> tuple[Bank, Ledger]:
        """Return the bank as if these turns had never been written, and a ledger without them.

        Args:
            bank: One bank.
            turns: Numbers of turns, counted from the first turn in the ledger.
            ledger: The Ledger that was kept while the bank was written.

        Raises:
            BankError: There is no ledger, or it is that of another bank.
            InputError: A turn was not written.
        """
        self.check(bank)
        ledger, first = ledger_and_start(ledger, bank)
        latents, texts = ledger.without(turns)
        rewritten, shorter = self.write_latents(first, [latents]), Ledger()
        shorter.add(first, latents, rewritten, texts)
        return rewritten, shorter

    @torch.no_grad()
    def attribute(
        self,
        bank: Bank,
        question: str,
        ledger: Ledger | None = None,
        answer: str | None = None,
        turns: Iterable[int] | None = None,
    ) -> Tensor:
        """Measure which turn an answer comes from: how much less likely it is if the turn is left out.

        Args:
            bank: One bank.
            question: The question.
            ledger: As in `unwrite`.
            answer: The text to explain; default: what the model answers from this bank.
            turns: Leave out only these, one at a time, and give the others 0; default: all of them.

        Returns:
            (T,) bits by turn, counted from the first turn in the ledger:
            log2 p(answer | bank) - log2 p(answer | bank without the turn).

        Raises:
            BankError: There is no ledger, or it is that of another bank.
            InputError: The question or the answer is no text or has no words, or a turn was not written.
        """
        self.check(bank)
        ledger, first = ledger_and_start(ledger, bank)
        if answer is None:
            answer = self.answer(bank, question)
            if not answer.strip():
                raise InputError(
                    "expected an answer with words, this bank's is empty: say which one, answer="
                )
        answer = checked_text(answer, "an answer")
        whole = self.log_likelihood(bank, question, answer)
        left_out = ledger.checked(range(len(ledger)) if turns is None else turns)
        latents = [z.to(whole.device) for z in ledger.latents]
        bits = [
            self.log_likelihood(Bank(state, bank.owner, bank.backbone), question, answer)
            for state in leave_one_out(self.write_rule, self.on_device(first), latents, left_out)
        ]
        by_turn = whole.new_zeros(len(ledger))
        if bits:
            by_turn[left_out] = whole - torch.cat(bits)
        return by_turn

    @torch.no_grad()
    def log_likelihood(self, bank: Bank, question: str, answer: str) -> Tensor:
        """Return (B,) bits, log2 p(answer | question, bank) for each bank, the end of the answer included."""
        inputs = self.backbone.inputs([as_prompt(question)] * len(bank))
        labels = self.backbone.labels([answer] * len(bank))
        with hooks.without_banks(self.backbone.model), self.attached(bank):
            return self.backbone.bits(inputs, labels)

    # ---- bank, read, site, decoder, answer ---------------------------------------------------------

    @contextmanager
    def attached(
        self,
        bank: Bank | None,
        ablate: str | None = None,
        expand: int | None = None,
        of: Places = None,
    ) -> Iterator[None]:
        """Let every call of `backbone.model` inside the block read the bank: generate, forward, beams.

        Args:
            bank: One bank for all texts, or one for each; not used by the method without memory.
            ablate: "masked" for no bank at all, "null_rows" for zero rows that are still read (chapter 4).
            expand: Beams: entries of the decoder's batch per text, needed if `encoder_outputs=` is passed in.
            of: For each text the index of its bank, if several texts read the same one. Default: text i reads bank i.

        Raises:
            BankError: The bank does not fit.
            InputError: A bank in `of` does not exist.
        """
        if self.write_rule is None:
            yield
            return
        if bank is None:
            raise BankError(f"expected a bank of {self.owner}, got none")
        self.check(bank)
        bank = self.on_device(bank)
        rows, mask = hooks.ablated(*self.write_rule.content(bank.state), ablate)
        with hooks.attach(self.backbone.model, self.read, rows, mask, expand, of):
            yield

    @overload
    def answer(
        self,
        bank: Bank | None,
        questions: str,
        ablate: str | None = None,
        of: Places = None,
        *,
        return_confidence: Literal[True],
        **options: Any,
    ) -> Answer: ...
    @overload
    def answer(
        self,
        bank: Bank | None,
        questions: list[str],
        ablate: str | None = None,
        of: Places = None,
        *,
        return_confidence: Literal[True],
        **options: Any,
    ) -> list[Answer]: ...
    @overload
    def answer(
        self,
        bank: Bank | None,
        questions: Texts,
        ablate: str | None = None,
        of: Places = None,
        *,
        return_confidence: Literal[False] = False,
        **options: Any,
    ) -> Texts: ...
    def answer(
        self,
        bank: Bank | None,
        questions: Any,
        ablate: str | None = None,
        of: Places = None,
        *,
        return_confidence: bool = False,
        **options: Any,
    ) -> Any:
        """Answer from the bank alone: the model sees the question, not the conversation.

        Args:
            bank: One bank for all questions, or one for each.
            questions: One text or a list.
            ablate: As in `attached`.
            of: As in `attached`.
            return_confidence: Return an Answer for each question: the text, how sure the memory is of it, and whether a row
                was withheld.
            **options: Arguments of transformers' `generate`, as in `Backbone.generate`.

        Returns:
            A text for a text, a list for a list. With `num_return_sequences` above 1 a list of texts for each question.

        Raises:
            InputError: A question is no text or has no words, there is none, or an option does not fit.
        """
        if isinstance(questions, str):
            alone: Any = self.answer(
                bank, [questions], ablate, of, return_confidence=return_confidence, **options
            )
            return alone[0]
        prompts, backbone = as_prompts(questions), self.backbone
        with hooks.without_banks(backbone.model), self.attached(bank, ablate, of=of):
            inputs = backbone.inputs(prompts)
            if return_confidence:
                found, sure = backbone.generate_with_confidence(inputs, **options)
                judged = self._judge(bank, prompts, ablate, of)
                every = zip(found, sure.tolist(), judged, strict=True)
                return [_judged_answer(*each) for each in every]
            texts: Any = backbone.generate(inputs, **options)
        each = len(texts) // len(prompts)
        groups: Any = [texts[i : i + each] for i in range(0, len(texts), each)]
        return texts if each == 1 else groups

    @torch.no_grad()
    def _judge(
        self, bank: Bank | None, prompts: list[str], ablate: str | None, of: Places
    ) -> list[Judgement | None]:
        """Judge the row that each prompt chooses; None for each if the read chooses none."""
        if bank is None or self.read is None or type(self.read).judge is Read.judge:
            return [None] * len(prompts)
        bank = self.on_device(bank)
        rows, mask = hooks.ablated(*self.write_rule.content(bank.state), ablate)
        if of is None and len(rows) == 1:
            rows, mask = (part.expand(len(prompts), *part.shape[1:]) for part in (rows, mask))
        elif of is not None:
            rows, mask = rows[of], mask[of]
        states, seen = pad(self.backbone.encode(prompts))
        return self.read.judge(rows, mask, states.to(rows), seen.bool().to(rows.device))

    # ---- saving ------------------------------------------------------------------------------------

    def save_pretrained(
        self,
        folder: FilePath,
        *,
        push_to_hub: bool = False,
        repo_id: str | None = None,
        **push: Any,
    ) -> str | None:
        """Save the adapter as a folder: settings and weights (fixed maps and P_0 too), no backbone and no bank.

        Args:
            folder: Where to save.
            push_to_hub: Upload it as well.
            repo_id: Name on the hub; default: the folder's name.
            **push: Further arguments of `push_to_hub`.
        """
        with write_folder(folder) as fresh:
            self._save_pretrained(fresh)
        if push_to_hub:
            return self.push_to_hub(repo_id or Path(folder).name, **push)
        return None

    def _save_pretrained(self, save_directory: Path) -> None:
        weights = {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}
        settings = {
            "method": self.method.name,
            "scale": self.scale,
            "seed": self.seed,
            **self.options,
            "backbone": self.backbone.name,
            "fingerprint": self.backbone.fingerprint,
            "dtype": str(self.backbone.dtype).removeprefix("torch."),
            "width": self.backbone.width,
            "layers": self.backbone.layers,
            "versions": provenance.versions(),
            "digest": digest(weights),
        }
        save_file(weights, str(save_directory / WEIGHTS))
        (save_directory / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n")

    @classmethod
    def from_pretrained(
        cls, source: FilePath, backbone: Backbone | None = None, **hub: Any
    ) -> Self:
        """Load an adapter from a folder, from the package or from the hub.

        Args:
            source: Folder, name of a shipped adapter, or id on the hub.
            backbone: A loaded one; default: the one that the adapter names.
            **hub: Arguments of huggingface_hub's `snapshot_download`.

        Raises:
            InputError: Files are missing or altered.
            BankError: The backbone has other weights.
        """
        folder = Path(source)
        if not folder.is_dir():
            shipped = ADAPTERS / str(source)
            folder = shipped if shipped.is_dir() else _from_hub(str(source), hub)
        try:
            settings = json.loads((folder / SETTINGS).read_text())
            weights = load_file(str(folder / WEIGHTS))
        except (OSError, SafetensorError, ValueError) as error:
            raise InputError(
                f"expected {SETTINGS} and {WEIGHTS} of an adapter in {source}: {error}"
            ) from error
        needed = {"method", "scale", "seed", "backbone", "fingerprint", "digest"}
        if not isinstance(settings, dict) or not needed <= set(settings):
            raise InputError(f"expected {', '.join(sorted(needed))} in {SETTINGS} of {source}")
        if digest(weights) != settings["digest"]:
            raise InputError(
                f"expected the adapter in {source} as it was saved, its {WEIGHTS} was altered"
            )
        if backbone is None:
            backbone = load_backbone(settings["backbone"], dtype=_dtype(settings, source))
        if backbone.fingerprint != settings["fingerprint"]:
            raise BankError(
                f"expected the backbone {settings['fingerprint'][:12]} that the adapter was trained on, "
                f"{backbone.name} is {backbone.fingerprint[:12]}, in {backbone.dtype}"
            )
        options = {part: settings.get(part, {}) for part in ("write", "read")}
        model = cls(backbone, settings["method"], settings["scale"], settings["seed"], **options)
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                f"expected the weights of {settings['method']} in {source}: {error}"
            ) from error
        return model


def _judged_answer(text: str, p: float, judged: Judgement | None) -> Answer:
    if judged is None:
        return Answer(text, p)
    doubt, withheld = judged
    return Answer(text, p * (doubt if withheld else 1 - doubt), doubt, withheld)


def as_prompt(question: str, name: str = "a question") -> str:
    """Return a question as the encoder sees it.

    Raises:
        InputError: The question is no text or has no words.
    """
    text = checked_text(question, name).removeprefix("question:").strip()
    if not text:
        raise InputError(f"expected words in {name}, this one is empty")
    return f"question: {text}"


def as_prompts(questions: Iterable[str]) -> list[str]:
    """Return questions as the encoder sees them.

    Raises:
        InputError: They are no list of texts, or one has no words.
    """
    listed = expect_list(questions, "a question or a list of questions")
    return [as_prompt(question, f"question {i}") for i, question in enumerate(listed)]


def texts_by_bank(turns: ManyTurns, banks: int) -> list[list[str]]:
    """Return the turns of each bank as the encoder sees them.

    Args:
        turns: For one bank a conversation or a list with one; for several banks a list of conversations, one for each.
        banks: B.

    Raises:
        InputError: There are more or fewer conversations than banks, or a turn cannot be used.
    """
    if isinstance(turns, Conversation | Mapping | str):
        each: list[Any] = [turns]
    else:
        each = expect_list(turns, "a list of turns")
        if banks == 1 and not (each and all(map(is_conversation, each))):
            each = [each]  # a list of turns is the conversation of one bank
    if len(each) != banks:
        raise InputError(f"expected turns for {banks} banks, got {len(each)} lists")
    if banks == 1:
        return [conversation_texts(each[0])]
    for i, conversation in enumerate(each):
        if is_turn(conversation):
            raise InputError(
                f"expected a list of turns for each of {banks} banks, number {i} is a single turn"
            )
    return [conversation_texts(own, f" of bank {i}") for i, own in enumerate(each)]


def _expect_finite(latents: Sequence[Sequence[Tensor]], start: int) -> None:
    """Raise an InputError if the encoder returned NaN or inf, which would stay in the bank."""
    every = [states for conversation in latents for states in conversation]
    if not every or bool(torch.cat(every).isfinite().all()):
        return
    for i, conversation in enumerate(latents):
        for t, states in enumerate(conversation):
            if not bool(states.isfinite().all()):
                raise InputError(
                    f"expected finite latents, the encoder returned NaN or inf for turn {start + t} of bank {i}"
                )


def _dtype(settings: dict[str, Any], source: FilePath) -> torch.dtype:
    """Return the type of the backbone that an adapter was trained on; early adapters do not say: float32."""
    dtype = getattr(torch, str(settings.get("dtype", "float32")), None)
    if dtype not in (torch.float32, torch.bfloat16, torch.float64):
        raise InputError(
            f"expected float32, bfloat16 or float64 as dtype in {SETTINGS} of {source}, not {settings['dtype']!r}"
        )
    return dtype


def _from_hub(source: str, options: Options) -> Path:
    try:
        return Path(snapshot_download(source, allow_patterns=[SETTINGS, WEIGHTS], **options))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise InputError(
            f"expected a folder or an adapter's id on the hub, cannot find {source}: {error}"
        ) from error
