"""MemoryModel: a frozen backbone, a write, a read. The bank is passed in and out (chapters 1 and 2).

P_t = Write(P_{t-1}, E(x_t));   y = D(Read(E(question), P_t))      paper, section 2
"""

import json
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub import ModelHubMixin
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lmem.backbone import hooks
from lmem.backbone.backbone import Backbone, load_backbone, pad
from lmem.data.conversation import Conversation
from lmem.errors import BankError, InputError, MethodError
from lmem.memory import methods
from lmem.memory.bank import Bank
from lmem.memory.ledger import Ledger, leave_one_out
from lmem.utils.device import check_to
from lmem.utils.digest import digest
from lmem.utils.files import write_folder
from lmem.utils.provenance import versions

ADAPTERS = Path(__file__).parent / "assets" / "adapters"
WEIGHTS, SETTINGS = "adapter.safetensors", "adapter.json"
WINDOW = 64  # turns that are encoded together, so that a long conversation takes no more memory than a short one


class MemoryModel(nn.Module, ModelHubMixin):
    """A memory on a frozen backbone.

    backbone  from `load_backbone`
    method    a name or alias of `lmem.memory.methods`, such as "m3", "attention+extension", "recent"
    scale     1 is 64 rows, 10 is 640, as in the paper
    seed      of P_0, the random write maps and the read's start
    write     options of the write rule, over the method's own: {"gamma": 0.99, "normalise": True}
    read      options of the read, likewise: {"heads": 4}
    """

    def __init__(self, backbone: Backbone, method="recent", scale=1, seed=0, write=None, read=None):
        super().__init__()
        self.__dict__["backbone"] = (
            backbone  # not a submodule: an adapter never holds backbone weights
        )
        self.method, self.scale, self.seed = methods.find(method), scale, seed
        self.options = {"write": dict(write or {}), "read": dict(read or {})}
        self.rows = methods.rows_of(scale, self.method)
        self.write_rule, self.read = methods.build(
            self.method, backbone.model, self.rows, seed, *self.options.values()
        )
        self._maps = None, ""  # which state the digest below is of
        self.to(backbone.device)

    @classmethod
    def from_shipped(cls, name="nano-recent", backbone=None):
        """An adapter that comes with the package, on the nano backbone: "nano-recent" (chapter 1), "nano-keyed" (chapter 14).

        backbone  nano, if it is loaded already
        raises  InputError for a name that is none of them
        """
        names = sorted(path.name for path in ADAPTERS.iterdir() if path.is_dir())
        if name not in names:
            raise InputError(f"expected a shipped adapter, one of {', '.join(names)}, not {name!r}")
        return cls.from_pretrained(ADAPTERS / name, backbone)

    def to(self, *args, **kwargs):
        """As any module's, the backbone apart. InputError for a device that is not here."""
        check_to(args, kwargs)
        return super().to(*args, **kwargs)

    def variant(self, scale=None, write=None, read=None):
        """The same weights with a bank of another size, or with other options; what they leave open is drawn from the seed.

        raises  MethodError if a weight or a map has another shape there (a prefix mixes rows, the paper's square banks have
                maps of their own size)
        """
        options = {
            "write": {**self.options["write"], **(write or {})},
            "read": {**self.options["read"], **(read or {})},
        }
        scale = self.scale if scale is None else scale
        other = type(self)(self.backbone, self.method.name, scale, self.seed, **options)
        mine, fresh = self.state_dict(), other.state_dict()
        kept = {k: v for k, v in mine.items() if k != "write_rule.p0" or v.shape == fresh[k].shape}
        for name, weight in kept.items():
            if name not in fresh or fresh[name].shape != weight.shape:
                raise MethodError(
                    f"expected weights of {self.method.name} that fit scale {scale} and these options, {name} does not"
                )
        other.load_state_dict(fresh | kept)
        return other

    # ---- the bank ----------------------------------------------------------------------------------

    @property
    def owner(self):
        """What a bank must come from to fit: method, size, the write's options and the write maps themselves."""
        if self.write_rule is None:
            return "none"
        state = self.write_rule.state_dict()
        now = tuple((tensor.data_ptr(), tensor._version) for tensor in state.values())
        if self._maps[0] != now:  # hashing them takes as long as a training step
            self._maps = now, digest(state)[:16]
        options = [f"{k}={v}" for k, v in sorted(self.options["write"].items())]
        sizes = "x".join(str(size) for size in self.write_rule.p0.shape)
        return " ".join([self.method.name, sizes, *options, self._maps[1]])

    def new_bank(self, batch=1):
        """An empty bank, or `batch` of them side by side."""
        if self.write_rule is None:
            raise BankError("the stateless method has no bank")
        return Bank(self.write_rule.start(batch), self.owner, self.backbone.fingerprint)

    def check(self, bank):
        """BankError unless the bank comes from this method, size, write maps and backbone."""
        if bank.backbone != self.backbone.fingerprint:
            raise BankError(
                f"expected a bank of the backbone {self.backbone.fingerprint[:12]}, "
                f"this one was written with {bank.backbone[:12]}"
            )
        if bank.owner != self.owner:
            raise BankError(f"expected a bank of {self.owner}, this one belongs to {bank.owner}")

    def placed(self, bank):
        """The bank where the write's maps are, in their type; a loaded one comes on the CPU."""
        p0, rows = self.write_rule.p0, bank.state.rows
        fits = (rows.device, rows.dtype) == (p0.device, p0.dtype)
        return bank if fits else bank.to(p0.device, p0.dtype)

    # ---- turn, latents, write ----------------------------------------------------------------------

    @torch.no_grad()
    def write(self, bank, turns, truncate=False, ledger=None):
        """Encode the turns and write them one after the other; returns a new bank.

        turns   a Conversation, or a list of "SPEAKER: TEXT"; for a batch of banks a list of such lists
        ledger  a Ledger that keeps the turns' latents, of one bank, so that a turn can be unwritten
        raises  InputError for an empty or too long turn, BankError for a ledger of another bank; nothing is changed then
        """
        self.check(bank)
        turns = turns if isinstance(turns, str | Conversation) else list(turns)
        one = isinstance(turns, str | Conversation) or (len(bank) == 1 and not _nested(turns))
        lists = [turns] if one else turns
        if len(lists) != len(bank):
            raise InputError(f"expected turns for {len(bank)} banks, got {len(lists)} lists")
        texts = [as_texts(one) for one in lists]
        if ledger is not None:
            ledger.check(bank)
        before, kept = bank, []
        for start in range(0, max(len(one) for one in texts), WINDOW):
            latents = self.encode_turns([one[start : start + WINDOW] for one in texts], truncate)
            bank = self.write_latents(bank, latents)
            kept += latents[0] if ledger is not None else []
        if ledger is not None:
            ledger.add(before, kept, bank)
        return bank

    def encode_turns(self, texts, truncate=True):
        """Latents of each conversation's turns: list per conversation of (N, D) per turn."""
        flat = iter(self.backbone.encode([text for one in texts for text in one], truncate))
        return [[next(flat) for _ in one] for one in texts]

    def encode_questions(self, prompts):
        """{prompt: latents (N, D)}, each made once, where the bank enters behind the encoder; before it there is nothing to keep."""
        if self.read is None or self.read.site == "encoder_input":
            return {}
        distinct = list(dict.fromkeys(prompts))
        return dict(zip(distinct, self.backbone.encode(distinct, truncate=True), strict=True))

    def write_latents(self, bank, latents):
        """Write latents (list per bank of (N, D) per turn), with gradient if the write has weights to learn."""
        bank = self.placed(bank)
        device, turns = bank.state.rows.device, []
        nothing = torch.zeros(0, self.backbone.width, device=device, dtype=self.backbone.dtype)
        for t in range(max((len(one) for one in latents), default=0)):
            turn, mask = pad([one[t] if t < len(one) else nothing for one in latents])
            turns.append((turn.to(device), mask.to(device)))
        return Bank(self.write_rule.scan(bank.state, turns), bank.owner, bank.backbone)

    @torch.no_grad()
    def unwrite(self, bank, turns, ledger=None):
        """The bank as if these turns had never been written, and a ledger without them.

        turns   numbers of turns, from 0
        ledger  the Ledger that was kept while the bank was written; a bank alone does not hold what it is made of
        returns (Bank, Ledger)
        raises  BankError without the bank's own ledger, InputError for a turn that was not written
        """
        self.check(bank)
        kept = Ledger.of(ledger, bank).without([turns] if isinstance(turns, int) else turns)
        fresh = self.write_latents(kept.first, [kept.latents])
        return fresh, kept.at(fresh)

    @torch.no_grad()
    def attribute(self, bank, question, ledger=None, answer=None):
        """Which turn does this answer come from? How much less likely it gets when a turn is left out.

        answer  the text to explain; default: what the model answers from this bank
        ledger  as in `unwrite`
        returns (T,) bits by turn: log2 p(answer | bank) - log2 p(answer | bank without the turn)
        raises  BankError without the bank's own ledger, InputError for an answer without words
        """
        self.check(bank)
        kept = Ledger.of(ledger, bank)
        answer = self.answer(bank, question) if answer is None else answer
        if not answer.strip():
            raise InputError(
                "expected an answer with words, this bank's is empty: say which one, answer="
            )
        without = leave_one_out(self.write_rule, kept)
        whole = self.log_likelihood(bank, question, answer)
        bits = [
            self.log_likelihood(Bank(part, bank.owner, bank.backbone), question, answer)
            for part in without
        ]
        return whole - torch.cat(bits) if bits else whole[:0]

    @torch.no_grad()
    def log_likelihood(self, bank, question, answer):
        """(B,) bits: log2 p(answer | question, bank) for each bank, its end included; needs no decoding."""
        inputs = self.backbone.inputs([as_prompt(question)] * len(bank))
        labels = self.backbone.labels([answer] * len(bank))
        with self.attached(bank):
            return self.backbone.bits(inputs, labels)

    # ---- bank, read, site, decoder, answer ---------------------------------------------------------

    @contextmanager
    def attached(self, bank, ablate=None, expand=None, of=None):
        """Inside this block every call of `backbone.model` reads the bank: generate, forward, beams.

        ablate  None; "masked": no bank at all; "null_rows": zero rows that are still read (chapter 4)
        expand  decoder rows per encoder row, if `encoder_outputs=` is passed in
        of      for each text the place of its bank, where several are asked of the same one; default: each of its own
        raises  BankError if the bank does not fit, InputError for a place that is none
        """
        if self.write_rule is None:
            yield
            return
        self.check(bank)
        bank = self.placed(bank)
        rows, mask = bank.state.rows, self.write_rule.readable(bank.state)
        rows, mask = hooks.ablated(rows, mask, ablate)
        with hooks.attach(self.backbone.model, self.read, rows, mask, expand, of):
            yield

    def answer(self, bank, questions, ablate=None, of=None, **options):
        """Answer from the bank alone: the model sees the question, not the conversation.

        questions  one text or a list; the bank holds one memory for all of them, or one for each
        of         for each question the place of its bank, where several are asked of the same one
        options    go to transformers' generate
        returns    a text for a text, a list for a list
        raises     InputError for a question without words
        """
        one = isinstance(questions, str)
        prompts = [as_prompt(text) for text in ([questions] if one else questions)]
        with self.attached(bank, ablate, of=of):
            answers = self.backbone.generate(self.backbone.inputs(prompts), **options)
        return answers[0] if one else answers

    # ---- saving ------------------------------------------------------------------------------------

    def save_pretrained(self, folder, *, push_to_hub=False, repo_id=None, **push):
        """A folder with the adapter: settings and weights (frozen maps and P_0 too); no backbone, no bank.

        push_to_hub  upload it as well, to `repo_id` or under the folder's name; the rest goes to `push_to_hub`
        """
        with write_folder(folder) as fresh:
            self._save_pretrained(fresh)
        if push_to_hub:
            return self.push_to_hub(repo_id or Path(folder).name, **push)

    def _save_pretrained(self, folder):
        weights = {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}
        settings = {
            "method": self.method.name, "scale": self.scale, "seed": self.seed, **self.options,
            "backbone": self.backbone.name, "fingerprint": self.backbone.fingerprint,
            "dtype": str(self.backbone.dtype).removeprefix("torch."),
            "width": self.backbone.width, "layers": self.backbone.layers, "versions": versions(),
            "digest": digest(weights),
        }  # fmt: skip
        save_file(weights, str(folder / WEIGHTS))
        (folder / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n")

    @classmethod
    def from_pretrained(cls, source, backbone=None, **hub):
        """An adapter from a folder or from the hub.

        backbone  a loaded one; default: the one that the adapter names
        raises    InputError if files are missing or altered, BankError if the backbone has other weights
        """
        folder = Path(source)
        if not folder.is_dir():
            folder = _from_hub(source, hub)
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


def as_texts(turns):
    """Turns as the encoder sees them: a Conversation is rendered, "SPEAKER: TEXT" gets its prefix."""
    if isinstance(turns, Conversation):
        return turns.texts()
    turns = [turns] if isinstance(turns, str) else list(turns)
    for i, turn in enumerate(turns):
        if not turn.strip():
            raise InputError(f"expected words in every turn, turn {i} of {len(turns)} is empty")
    return [_prefixed("context: ", turn) for turn in turns]


def as_prompt(question):
    """A question as the encoder sees it. InputError if it has no words."""
    if not question.removeprefix("question: ").strip():
        raise InputError("expected words in a question, this one is empty")
    return _prefixed("question: ", question)


def _dtype(settings, source):
    """The numbers that an adapter's backbone had when it was trained; before they were noted, float32."""
    dtype = getattr(torch, str(settings.get("dtype", "float32")), None)
    if dtype not in (torch.float32, torch.bfloat16, torch.float64):
        raise InputError(
            f"expected float32, bfloat16 or float64 as dtype in {SETTINGS} of {source}, not {settings['dtype']!r}"
        )
    return dtype


def _prefixed(prefix, text):
    return text if text.startswith(prefix) else prefix + text


def _nested(turns):
    return isinstance(turns, list | tuple) and any(not isinstance(turn, str) for turn in turns)


def _from_hub(source, options):
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(source), allow_patterns=[SETTINGS, WEIGHTS], **options))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise InputError(
            f"expected a folder or an adapter's id on the hub, cannot find {source}: {error}"
        ) from error
