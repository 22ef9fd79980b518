"""Chat: what you say is written, what you ask is answered from the bank alone (chapters 1 and 10)."""

from rich.console import Console

from lmem.bank import Bank
from lmem.errors import LmemError

HELP = "say something to have it remembered, end with ? to ask; /save FILE  /load FILE  /new  /bank  /quit"


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
            held = _turn(model, held, line, name, console)
        except (LmemError, OSError) as error:  # a full disk must not cost the bank
            console.print(str(error), style="red", markup=False, soft_wrap=True)


def _turn(model, bank, line, name, console):
    command, _, rest = line.partition(" ")
    rest = rest.strip()
    if command == "/new":
        console.print("a new, empty bank", style="dim")
        return model.new_bank()
    if command == "/save":
        bank.save(rest or "bank.safetensors")
        console.print(
            f"saved {rest or 'bank.safetensors'}, {bank.turns_written[0]} turns", style="dim"
        )
        return bank
    if command == "/load":
        bank = _load(model, rest or "bank.safetensors")
        console.print(f"loaded, {bank.turns_written[0]} turns", style="dim")
        return bank
    if command == "/bank":
        kept = sorted(set(bank.state.written[0].tolist()) - {-1})
        console.print(
            f"{bank.turns_written[0]} turns written, rows from the turns {kept}", style="dim"
        )
        return bank
    if command.startswith("/"):
        console.print(HELP, style="dim")
        return bank
    if line.endswith("?"):
        said = model.answer(bank, line)
        console.print(f"lmem: {said}", markup=False)
        return bank
    return model.write(bank, [f"{name}: {line}"])


def _load(model, path):
    bank = Bank.load(path)
    model.check(bank)
    return bank
