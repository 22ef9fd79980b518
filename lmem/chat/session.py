"""Chat: what you say is written, what you ask is answered from the bank alone (chapters 1 and 10)."""

from rich.console import Console

from lmem.errors import LmemError
from lmem.memory.bank import Bank

HELP = "say something to have it remembered, end with ? to ask; /save FILE  /load FILE  /new  /bank  /quit"
FILE = "bank.safetensors"


def chat(model, bank=None, name="Ana", read=input, console=None):
    """Talk until /quit or the end of the input.

    bank     path of a saved bank to go on with; default: an empty one
    name     the speaker of what is typed
    read     function that gives the next line
    returns  the Bank as it is at the end
    """
    console = console or Console(highlight=False, soft_wrap=True)
    held = model.new_bank() if bank is None else _load(model, bank)
    console.print(HELP, style="dim")
    while True:
        try:
            line = read(f"{name}: ").strip()
        except (EOFError, KeyboardInterrupt):
            return held
        if not line:
            continue
        if line in ("/quit", "/exit"):
            return held
        try:
            held, said, answered = step(model, held, line, name)
        except (LmemError, OSError) as error:  # a full disk must not cost the bank
            console.print(str(error), style="red", markup=False, soft_wrap=True)
            continue
        if answered:
            console.print(f"lmem: {said}", markup=False)
        elif said:
            console.print(said, style="dim", markup=False)


def step(model, bank, line, name="Ana"):
    """One line of the talk: a command, a question, or a turn to remember. The bank that is given stays as it is.

    returns  (Bank, what is said to it, whether that is the model's answer)
    raises   LmemError, OSError; nothing has been written then
    """
    command, _, rest = line.partition(" ")
    rest = rest.strip()
    if command == "/new":
        return model.new_bank(), "a new, empty bank", False
    if command == "/save":
        bank.save(rest or FILE)
        return bank, f"saved {rest or FILE}, {bank.turns_written[0]} turns", False
    if command == "/load":
        bank = _load(model, rest or FILE)
        return bank, f"loaded, {bank.turns_written[0]} turns", False
    if command == "/bank":
        kept = sorted(set(bank.state.written[0].tolist()) - {-1})
        return bank, f"{bank.turns_written[0]} turns written, rows from the turns {kept}", False
    if command.startswith("/"):
        return bank, HELP, False
    if line.endswith("?"):
        return bank, model.answer(bank, line), True
    return model.write(bank, [f"{name}: {line}"]), "", False


def _load(model, path):
    bank = Bank.load(path)
    model.check(bank)
    return bank
