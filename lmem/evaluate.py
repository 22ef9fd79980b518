"""Evaluation: write the whole conversation, then ask; and ask again of banks that cannot know (chapters 11 and 12).

Conditions, paired per question:
    right      the conversation's own bank
    twin       the bank of its counterfactual twin: same turns and questions, other values
    other      the bank of another conversation of the test set
    none       no bank
    null_rows  the paper's "bank forced to zero": zero rows that are still read
    baseline   the bare backbone, nothing attached
Memory's credit is right minus wrong (the twin's bank where there is one, another conversation's elsewhere).
"""

import time

import numpy as np

from lmem import results, score
from lmem.config import EvalConfig
from lmem.errors import InputError
from lmem.progress import track
from lmem.train import make_banks

CONTROLS = ("right", "twin", "other", "none", "null_rows", "baseline")


def evaluate(model, conversations, config=None, controls=None, progress=True):
    """Ask every question under every condition.

    conversations  list of Conversation, at least 2 for the condition "other"
    controls       names out of CONTROLS; default: all that can be had here
    returns        dict: `questions`, one row each (id, conversation, lag, kind, category, in_bank, and for each
                   condition its answer, f1 and em); `summary` (see `summarise`); `provenance`
    raises         InputError for an unknown condition or one that these conversations do not allow
    """
    config = config or EvalConfig()
    controls = _allowed(model, conversations, controls)
    seconds, begun = {}, time.perf_counter()
    banks = {}
    if model.write_rule is not None:
        sides = {"right": conversations}
        if "twin" in controls:
            sides["twin"] = [c.twin for c in conversations]
        for side, said in sides.items():
            texts = [c.texts(config.dates, config.captions) for c in said]
            banks[side] = make_banks(model, texts, progress=progress)
    seconds["write"] = time.perf_counter() - begun

    asked = [(i, q) for i, c in enumerate(conversations) for q in c.questions]
    rows = [_row(conversations, i, q, banks.get("right")) for i, q in asked]
    for condition in controls:
        begun = time.perf_counter()
        answers = _ask(model, asked, condition, banks, config, progress)
        for row, (_, question), answer in zip(rows, asked, answers, strict=True):
            row[condition] = _scored(answer, question.answer)
        seconds[condition] = time.perf_counter() - begun
    return {
        "method": model.method.name,
        "rows": model.rows,
        "backbone": model.backbone.name,
        "settings": config.difference(),
        "summary": summarise(rows, controls),
        "questions": rows,
        "provenance": results.provenance(config.seed, seconds),
    }


def _allowed(model, conversations, controls):
    if not any(c.questions for c in conversations):
        raise InputError(
            f"expected questions to evaluate on, {len(conversations)} conversations hold none"
        )
    can = {"right", "none", "null_rows", "baseline"}
    can |= {"other"} if len(conversations) > 1 else set()
    can |= {"twin"} if all(c.twin is not None for c in conversations) else set()
    can = can if model.write_rule is not None else {"baseline"}
    controls = [c for c in CONTROLS if c in can] if controls is None else list(controls)
    for name in controls:
        if name not in can:
            raise InputError(
                f"expected conditions out of {', '.join(c for c in CONTROLS if c in can)}, not {name!r}"
            )
    return controls


def _row(conversations, i, question, bank):
    return {
        "id": question.id,
        "conversation": conversations[i].id,
        "lag": question.lag,
        "category": question.category,
        "kind": question.kind,
        "held_out": list(question.held_out),
        "answerable": question.answer is not None,
        "in_bank": None if bank is None else in_bank(bank.pick(i), question),
    }


def in_bank(bank, question):
    """True if every evidence turn still has rows in the bank, and not only a part of them (None without evidence).

    Exact for writes that keep turns apart; where every turn changes every row, none counts as kept.
    """
    if not question.evidence:
        return None
    written = bank.state.written[0].tolist()
    oldest = min((turn for turn in written if turn >= 0), default=None)
    whole = -1 in written  # rows are still free, so nothing was pushed out
    kept = {turn for turn in written if turn >= 0 and (whole or turn != oldest)}
    return set(question.evidence) <= kept


def _ask(model, asked, condition, banks, config, progress):
    """Answers of all questions under one condition, in batches of similar length."""
    source = [(i + 1) % len(banks["right"]) if condition == "other" else i for i, _ in asked]
    order = sorted(range(len(asked)), key=lambda k: len(asked[k][1].text))
    chunks = [order[k : k + config.batch] for k in range(0, len(order), config.batch)]
    answers = [None] * len(asked)
    ablate = {"none": "masked", "null_rows": "null_rows"}.get(condition)
    for chunk in track(chunks, f"asking: {condition}", progress):
        prompts = [asked[k][1].prompt for k in chunk]
        inputs = model.backbone.inputs(prompts, truncate=True)
        if condition == "baseline":
            found = model.backbone.generate(inputs, max_new_tokens=config.max_new_tokens)
        else:
            bank = banks["twin" if condition == "twin" else "right"].pick(
                [source[k] for k in chunk]
            )
            with model.attached(bank, ablate):
                found = model.backbone.generate(inputs, max_new_tokens=config.max_new_tokens)
        for k, answer in zip(chunk, found, strict=True):
            answers[k] = answer
    return answers


def _scored(answer, gold):
    if gold is None:
        return {"answer": answer, "f1": None, "em": None}
    return {
        "answer": answer,
        "f1": round(score.f1(answer, gold), 4),
        "em": int(score.exact_match(answer, gold)),
    }


def summarise(rows, controls):
    """Figures of a run from its rows: questions with an answer only.

    returns  dict: n; `conditions`, mean f1 and em of each with a 95% interval (bootstrap over conversations), and the
             same `in_bank`, for the questions whose evidence is still in the bank; `memory`, right minus each wrong
             bank for both; `forgetting`, the paper's curve with the recall rate, and raw em beside it
    """
    rows = [row for row in rows if row["answerable"]]
    held = [row for row in rows if row["in_bank"]]
    summary = {
        "conversations": len({row["conversation"] for row in rows}),
        **_conditions(rows, controls),
    }
    summary["in_bank"] = _conditions(held, controls)
    summary["memory"] = {}
    for wrong in ("twin", "other"):
        for name, chosen in (("all", rows), ("in_bank", held)):
            if chosen and {"right", wrong} <= set(controls):
                gain = [row["right"]["em"] - row[wrong]["em"] for row in chosen]
                summary["memory"][f"right-{wrong}, {name}"] = {
                    "n": len(chosen),
                    **_interval(chosen, gain),
                }
    if rows and "right" in controls and "null_rows" in controls:
        summary["forgetting"] = _forgetting(rows, controls)
    return summary


def _conditions(rows, controls):
    """{n, conditions: {name: {f1, em}}}, each with its interval."""
    found = {
        name: {
            measure: _interval(rows, [row[name][measure] for row in rows])
            for measure in ("f1", "em")
        }
        for name in (controls if rows else ())
    }
    return {"n": len(rows), "conditions": found}


def _interval(rows, values):
    ends = score.clustered_bootstrap(values, [row["conversation"] for row in rows])
    low, high = (None if np.isnan(end) else round(end, 4) for end in ends)  # None: one conversation
    return {"mean": round(float(np.mean(values)), 4), "low": low, "high": high}


def _forgetting(rows, controls):
    """The paper's curve of rho, and em by bucket for every condition."""
    rows = [row for row in rows if row["lag"] is not None]
    lags = [row["lag"] for row in rows]
    rho = [score.recall_rate(row["right"]["f1"], row["null_rows"]["f1"]) for row in rows]
    curves = {"recall_rate": score.forgetting_curve(lags, rho)}
    for condition in controls:
        curves[f"em {condition}"] = score.forgetting_curve(
            lags, [row[condition]["em"] for row in rows]
        )
    return curves
