"""The live memory in a notebook: the same engine and the same pieces as on the site, with Python's own model and bank.

    live(model, bank)        talk to this memory; `widget.bank` is the bank after what was told

The model runs in the browser with weights in 8 bits. Python sends them once, and takes back the bank. Shown by JupyterLab, Colab
and VS Code; without a kernel it is one line of text.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import torch

from lmem.backbone.backbone import Backbone
from lmem.errors import BankError
from lmem.memory.bank import Bank, State
from lmem.memory.model import MemoryModel
from lmem.viz.live import adapters, weights
from lmem.viz.live.site import ENGINE, STYLES, scripts_for
from lmem.viz.live.words import WORDS, plain_words

NOTEBOOK = Path(__file__).parent / "pieces" / "notebook.js"
_COMMENT = re.compile(r"^ */\*\*.*?\*/\n", re.M | re.S)  # what a notebook need not store


@cache
def _module() -> str:
    """The scripts as one module. Those of a page speak of one engine for the page; in a notebook each view has its own."""
    *needed, _ = scripts_for(["talk"])  # all but what shows the pieces of a page
    engine = [path for path in ENGINE if path.stem != "texts"]  # there is a memory
    scripts = (path.read_text(encoding="utf-8") for path in (*needed, *engine))
    inside = _COMMENT.sub("", "\n".join(scripts))
    own = f"function createLive(globalThis) {{\n{inside}\nreturn globalThis.lmemLive;\n}}\n"
    return own + NOTEBOOK.read_text(encoding="utf-8")


class Live(anywidget.AnyWidget):
    """Tell a memory something and ask it, in a notebook. Use `live`.

    Banks and weights travel as messages, so a saved notebook holds neither.

    Args:
        model: The memory.
        bank: The bank to begin with; default: an empty one.
    """

    _esm = _module()
    _css = STYLES[0].read_text(encoding="utf-8")

    def __init__(self, model: MemoryModel, bank: Bank | None = None):
        self.model = model
        self._bank = model.new_bank() if bank is None else bank
        self._plain(self._bank)  # a bank that does not fit is refused before anything is shown
        super().__init__()
        self.on_msg(self._hear)

    def __repr__(self) -> str:
        return "A live memory: run this cell to talk to it. The book's first page has one that needs no kernel."

    @property
    def bank(self) -> Bank:
        """The bank after what was told in the widget; setting it shows another one."""
        return self._bank

    @bank.setter
    def bank(self, bank: Bank) -> None:
        plain = self._plain(bank)
        self._bank = bank
        self.send({"file": "bank", "text": json.dumps(plain)})

    def _plain(self, bank: Bank) -> dict[str, Any]:
        """Return a bank as lists of numbers.

        Raises:
            BankError: It is of another model, or there are several banks.
        """
        self.model.check(bank)
        if len(bank) != 1:
            raise BankError(f"expected one bank, not {len(bank)}")
        rows, written, turns = bank.state
        return {
            "rows": rows[0].float().flatten().tolist(),
            "written": written[0].tolist(),
            "turns": int(turns[0]),
        }

    def _hear(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        """Send a file that the engine asks for, or take over the bank that it wrote."""
        if "ask" in message:
            file = self._file(message["ask"])
            data = file.pop("data", None)  # goes as bytes; JSON has six for each rare character
            self.send(
                {"file": message["ask"], "text": json.dumps(file)}, [data.encode()] if data else []
            )
        elif "told" in message:
            self._bank = self._bank_of(message["told"])

    def _bank_of(self, plain: dict[str, Any]) -> Bank:
        old = self._bank.state
        rows = torch.from_numpy(np.array(plain["rows"], "f4")).reshape(old.rows.shape).to(old.rows)
        written = torch.tensor([plain["written"]]).to(old.written)
        state = State(rows, written, torch.tensor([plain["turns"]]).to(old.turns))
        return Bank(state, self._bank.owner, self._bank.backbone)

    def _file(self, name: str) -> dict[str, Any]:
        backbone = self.model.backbone
        if name == "bank":
            return self._plain(self._bank)
        if name == "adapter":
            about = adapters.describe(self.model, name)
            return weights.adapter_file(adapters.arrays(self.model.state_dict()), about)
        if name == "backbone":
            return _backbone_file(backbone)
        return WORDS.get(backbone.name, plain_words)()


def live(model: MemoryModel, bank: Bank | None = None) -> Live:
    """Show a memory that runs in the browser.

    Args:
        model: A memory on a T5 whose tokenizer is nano's or mini's kind.
        bank: The bank to begin with; default: an empty one.

    Raises:
        BankError: The bank is of another model, or there are several.
        MethodError: The method has no memory.
    """
    return Live(model, bank)


def _backbone_file(backbone: Backbone) -> dict[str, Any]:
    config = backbone.model.config.to_dict()
    tokenizer = json.loads(backbone.tokenizer.backend_tokenizer.to_str())
    state = adapters.arrays(backbone.model.state_dict())
    return weights.backbone_file_of(config, tokenizer, state, "backbone")
