"""The memory of 50 lines in chapter 3 is what the package does: its code, taken out of the notebook, gives the same banks, losses,
gradients and answers as the write `recent` with the read `extension`."""

import ast
import re

import pytest
import torch
from chapters import ROOT, code, read, source

from lmem.memory.model import MemoryModel
from lmem.training.banks import FixedBanks, make_banks
from lmem.training.dataset import QuestionDataset
from lmem.training.loss import AnswerLoss

NOTEBOOK = ROOT / "notebooks/03_before_the_encoder.ipynb"
ROWS = 64  # of the package at scale 1


def cells():
    """The two cells: the memory, and what trains it."""
    found = [source(c) for c in code(read(NOTEBOOK))]
    return [next(c for c in found if name in c) for name in ("class SmallMemory", "def train(")]


def printed_by(backbone, change=("", "")):
    """The names of both cells for one backbone; `change` replaces a piece of their text."""
    names = {"torch": torch, "backbone": backbone, "t5": backbone.model}
    for cell in cells():
        exec(cell.replace(*change), names)
    return names


@pytest.fixture(scope="module")
def printed(tiny):
    return printed_by(tiny)


@pytest.fixture(scope="module")
def data(conversations):
    return QuestionDataset(conversations, cuts=0, undated=1.0, seed=0)


def pair(printed, backbone):
    """A memory of 50 lines with random matrices, and the package's model with their product."""
    torch.manual_seed(1)
    memory = printed["SmallMemory"](rows=ROWS, size=5)
    model = MemoryModel(backbone, "recent+extension")
    with torch.no_grad():
        model.read.w_mem.copy_(memory.pack.weight.T @ memory.unpack.weight.T)
    return memory, model


def both_losses(printed, backbone, data):
    memory, model = pair(printed, backbone)
    stories = [printed["states_of"](texts) for texts in data.texts]
    first, *others = data.examples
    batch = [first._replace(answer="Miro and Hugo"), *others]  # the others have one token
    mine = printed["answering"](memory, stories, [tuple(example) for example in batch])
    banks = FixedBanks(make_banks(model, data.texts, data.cuts, progress=False))
    theirs = AnswerLoss(model, data, banks)(batch)
    mine.backward()
    theirs.backward()
    return memory, model, mine, theirs


def test_its_bank_is_the_packages_packed(printed, tiny, data):
    memory, model = pair(printed, tiny)
    for texts in data.texts:
        bank = memory.bank_of(printed["states_of"](texts))
        state = model.write(model.new_bank(), texts).state
        rows = state.rows[0][state.written[0] >= 0]
        assert len(bank) == len(rows) <= ROWS
        torch.testing.assert_close(bank, rows @ memory.pack.weight.T, rtol=1e-4, atol=1e-5)
    assert any(len(memory.bank_of(printed["states_of"](t))) == ROWS for t in data.texts), (
        "one is full"
    )


def test_a_write_returns_a_new_bank(printed):
    memory = printed["SmallMemory"](rows=4, size=2, width=3)
    bank = torch.arange(6.0).reshape(3, 2)
    after = memory.write(bank, torch.randn(2, 3))
    assert len(bank) == 3
    assert len(after) == 4
    assert torch.equal(after[:2], bank[1:])


def test_its_loss_and_gradients_are_the_packages(printed, tiny, data):
    memory, model, mine, theirs = both_losses(printed, tiny, data)
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    # W_mem = A B with A = pack^T and B = unpack^T, so dA = dW B^T and dB = A^T dW
    gradient = model.read.w_mem.grad
    packed = (gradient @ memory.unpack.weight).T
    unpacked = (memory.pack.weight @ gradient).T
    assert gradient.norm() > 0
    for weight, expected in ((memory.pack.weight, packed), (memory.unpack.weight, unpacked)):
        assert (weight.grad - expected).norm() < 1e-3 * expected.norm()


@pytest.mark.parametrize(
    "change",
    [
        ("[-self.rows:]", "[:self.rows]"),
        ("[bank, self.pack(states)]", "[self.pack(states), bank]"),
        ("labels[labels == tokenizer.pad_token_id] = -100", "pass"),
        ('"attention_mask": seen}', '"attention_mask": 0 * seen}'),
        ("z[seen.bool()]", "z"),
    ],
    ids=["oldest kept", "newest first", "padding learned", "masked", "padding written"],
)
def test_a_mistake_in_the_cell_is_noticed(change, tiny, data):
    printed = printed_by(tiny, change)
    assert any(change[0] in cell for cell in cells())
    memory, model, mine, theirs = both_losses(printed, tiny, data)
    packed = (model.read.w_mem.grad @ memory.unpack.weight).T
    bank = memory.bank_of(printed["states_of"](data.texts[0]))
    rows = model.write(model.new_bank(), data.texts[0]).state.rows[0][-len(bank) :]
    wrong_loss = not torch.isclose(mine, theirs, rtol=1e-4)
    wrong_gradient = (memory.pack.weight.grad - packed).norm() > 1e-3 * packed.norm()
    expected = rows @ memory.pack.weight.T
    wrong_bank = len(bank) != len(expected) or not torch.allclose(bank, expected, atol=1e-4)
    assert wrong_loss or wrong_gradient or wrong_bank


def test_its_answers_are_the_packages_and_the_hook_goes(printed_nano, nano):
    memory, model = pair(printed_nano, nano)
    with torch.no_grad():
        memory.pack = torch.nn.Linear(nano.width, nano.width, bias=False)
        memory.unpack = torch.nn.Linear(nano.width, nano.width, bias=False)
        for layer in (memory.pack, memory.unpack):
            layer.weight.copy_(torch.eye(nano.width))
        model.read.w_mem.copy_(torch.eye(nano.width))
    turns = ["context: Ana: I adopted a cat called Miro.", "context: Ben: I live in Cedar-Bay."]
    questions = ["question: What is Ana's cat called?", "question: Where does Ben live?"]
    bank = memory.bank_of(printed_nano["states_of"](turns))
    whole = model.write(model.new_bank(), turns)
    assert (
        memory.ask([bank] * 2, questions) == model.answer(whole, questions) == ["Miro", "Cedar-Bay"]
    )
    short = memory.bank_of(printed_nano["states_of"](turns[:1]))
    assert memory.ask([bank, short], [questions[1]] * 2) == ["Cedar-Bay", "unknown"]
    bare = nano.generate(nano.inputs(questions))
    assert bare == ["unknown", "unknown"], "nothing is left attached"


@pytest.fixture(scope="module")
def printed_nano(nano):
    return printed_by(nano)


def test_copying_learns_what_it_should(printed):
    torch.manual_seed(0)
    flat = torch.randn(200, 2) @ torch.randn(2, 6)  # states that use 2 of 6 directions
    memory = printed["SmallMemory"](size=2, width=6)
    losses = printed["train"](memory, lambda: printed["copying"](memory, flat), 400, 1e-2)
    assert len(losses) == 400
    assert losses[-1] < 0.01 * losses[0]
    narrow = printed["SmallMemory"](size=1, width=6)
    stuck = printed["train"](narrow, lambda: printed["copying"](narrow, flat), 400, 1e-2)
    assert stuck[-1] > 10 * losses[-1]


@pytest.fixture(scope="module")
def lessons(printed_nano):
    """The cells with the conversations, the score and both stages of training, on fewer conversations."""
    found = [source(c) for c in code(read(NOTEBOOK))]
    stories, score, stages = (
        next(c for c in found if f"def {name}(" in c) for name in ("stories_of", "score", "learn")
    )
    names = dict(printed_nano)
    exec(stories.replace("n=120", "n=30").replace("n=24", "n=8"), names)
    exec(score, names)
    exec(stages.split("torch.manual_seed(0)")[0], names)
    return names


def test_it_learns_to_answer_from_its_own_bank_only(lessons, capsys):
    torch.manual_seed(0)
    gains = lessons["learn"](lessons["SmallMemory"](), 1200, 20)
    said = capsys.readouterr().out
    rows = [re.findall(r"(\d+) of (\d+)", line) for line in said.splitlines() if " of " in line]
    counts = [[int(right) for right, _ in row] for row in rows]
    total = int(rows[0][0][1])
    assert counts[0][:2] == [0, 0], "untrained"
    assert len(gains) == total >= 20
    for right, twin, _ in counts[1:]:
        assert right > 0.6 * total
        assert twin < 0.1 * total
    assert sum(gains) == counts[-1][0] - counts[-1][1]


def test_the_changes_that_the_page_suggests_can_be_pasted(lessons):
    """The two blocks of code in the text: one row size, and lessons with questions that have no answer."""
    [text] = [source(c) for c in read(NOTEBOOK)["cells"] if source(c).startswith("## Change it")]
    blocks, seen, names = re.findall(r"```python\n(.*?)```", text, re.S), [], dict(lessons)
    names["learn"] = lambda memory: seen.append(
        (memory.pack.out_features, len(names["questions"]), {a for *_, a in names["questions"]})
    )
    for block in blocks:
        exec(block, names)
    (small, count, answers), (usual, more, other_answers) = seen
    assert (small, usual) == (32, 64)
    assert more > count
    assert other_answers == answers | {"unknown"}
    assert len(names["questions"]) == count, "as before"


def test_what_the_page_shows_is_a_memory():
    """The stored output: most answers from the right bank, hardly any from the twin's."""
    cell = next(c for c in code(read(NOTEBOOK)) if "def learn(" in source(c))
    said = "".join("".join(output.get("text", "")) for output in cell["outputs"])
    [line] = [line for line in said.splitlines() if line.startswith("after answering")]
    right, twin, unknown = re.findall(r"(\d+) of (\d+)", line)
    assert int(right[0]) > 0.8 * int(right[1])
    assert int(twin[0]) < 0.05 * int(twin[1])
    assert 0 < int(unknown[0]) < int(unknown[1])


def test_it_has_50_lines():
    """Without imports, docstrings and empty lines."""
    lines = []
    for cell in cells():
        tree, texts = ast.parse(cell), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
                texts |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
        kept = [s for i, s in enumerate(cell.splitlines(), 1) if s.strip() and i not in texts]
        lines += [line for line in kept if not line.startswith(("from ", "import "))]
    assert 40 < len(lines) <= 50
