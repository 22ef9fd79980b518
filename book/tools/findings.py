"""What was found, as sentences that the result files choose (book/results.md says them first).

A finding is a function of the loaded files (`result_files.load`). How a difference is worded depends on its 95% interval and on
the smallest difference that could have been found with 80% power (MDD):

    shown         the interval lies above 0
    contradicted  it lies below 0
    same          it is 0 at both ends: every conversation scores the same, up to rounding
    small         it holds 0 and ends below the MDD: a difference of that size is ruled out
    open          it holds 0 and the MDD, or there is one conversation only
    missing       no file yet
"""

from functools import partial
from typing import NamedTuple

from result_files import (
    METHODS,
    base_of,
    contrast,
    is_as_run,
    is_decay,
    is_normalised,
    is_scaled,
    is_start,
)

from lmem.evaluation.summary import difference, headline
from lmem.evaluation.tables import bits, percent
from lmem.experiments.paper import MEAN_RECALL, TAX_BY_ROWS

MANY = 8  # more cells than these are counted where nothing is shown, not listed
FLAT = 1.25  # up to so many times the cost counts as the same cost: clocks are not exact
SIGNS = {"shown", "contradicted"}
NOT = "not comparable, because "
WRONG = {"twin": "the twin's", "other": "another conversation's"}
MEASURES = {"em": ("points of exact match", percent), "bits": ("bits", bits)}
GAIN = {
    "shown": "the right bank beats the wrong one",
    "contradicted": "the wrong bank beats the right one",
    "same": "right and wrong bank score the same in every conversation",
    "small": "no gain as large as the MDD",
    "open": "undecided",
}
MORE = GAIN | {
    "shown": "more memory",
    "contradicted": "less memory",
    "same": "the same memory score in every conversation",
}
COST = GAIN | {"shown": "they cost", "contradicted": "they help", "same": "they change nothing"}
BEATS = GAIN | {"shown": "the bank answers more than", "contradicted": "it answers less than"}
BEATS |= {"same": "it answers as much as"}


class Finding(NamedTuple):
    """Four texts: what was found; its numbers; what the paper says; "agrees", "contradicts" or "not comparable, because".

    The verdict of what was not measured yet is None.
    """

    lead: str
    numbers: str
    paper: str
    verdict: str | None


def missing(what, paper):
    return Finding(f"{what}: not measured yet.", "", paper, None)


def status(found):
    """One of the six words above for a difference {mean, low, high, mdd}, or None."""
    if found is None:
        return "missing"
    low, high = found["low"], found["high"]
    if low is None:
        return "open"
    if low == high == 0:
        return "same"
    if low > 0 or high < 0:
        return "shown" if low > 0 else "contradicted"
    return "small" if high < (found["mdd"] or 0) else "open"


def grouped(found, words, measure="em"):
    """{name: difference} in words: "In bits: no gain as large as the MDD: m2 0.00 [-0.10, 0.10] (MDD 0.20)."."""
    (unit, form), parts = MEASURES[measure], []
    for word, said in words.items():
        some = {name: each for name, each in found.items() if status(each) == word}
        if some:
            parts.append(": ".join(filter(None, (said, _listed(some, word, form)))))
    return f"In {unit}: {'; '.join(parts)}."


def _listed(some, word, form):
    """Names and differences; the names alone where all are 0; many that show nothing are counted."""
    many = len(some) > MANY and word not in SIGNS
    if word == "same":
        return f"{len(some)} cells" if many else ", ".join(filter(None, some))
    if not many:
        return ", ".join(
            f"{name} {form(each)}".strip() + (f" (MDD {form(each['mdd'])})" if each["mdd"] else "")
            for name, each in some.items()
        )
    means = [each["mean"] for each in some.values()]
    most = max(each["mdd"] or 0 for each in some.values())
    listed = f"{len(some)} cells, from {form(min(means))} to {form(max(means))}"
    return f"{listed} (MDD up to {form(most)})" if most else listed


def those(names):
    """Names in words: "m1, m2 and m3"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


# ---- the premise, and the methods as printed -----------------------------------------------------------


def reads(files):
    """nano must read what is in front of it and know nothing otherwise: then only does a score mean memory."""
    paper = "Flan-T5-XL reaches F1 6.44 from the question alone (F_base, table 5)."
    found = files["nano"].get("reading")
    if found is None:
        return missing("How well nano reads", paper)
    evidence, without, alike = (found[k] for k in ("with_evidence", "without_evidence", "alike"))
    guess = without["best_guess"]
    lead = (
        "The backbone reads what is in front of it and knows nothing otherwise, so a right answer comes from a memory."
        if evidence["low"] >= 0.95 and without["high"] <= guess
        else "The backbone does not read well, or knows something by heart: scores below may not mean memory."
    )
    numbers = (
        f"nano answers {percent(evidence)} percent of {evidence['n']} held-out questions with the evidence in its input, "
        f"{percent(without)} without it (the best constant answers would get {percent(guess)}), and {percent(alike)} among "
        "turns that tell the same relation of somebody else."
    )
    return Finding(lead, numbers, paper, NOT + "it is another backbone on other questions")


def printed(files, scale):
    """Do the six methods remember as printed?"""
    rates = MEAN_RECALL[scale]
    paper = "Recall rate, mean of the buckets, percent: "
    paper += ", ".join(f"{m} {rates[m]:.2f}" for m in METHODS) + f" (table 3, {scale}x)."
    cells = {
        m: files["cells"][f"{m}-{scale}x"] for m in METHODS if f"{m}-{scale}x" in files["cells"]
    }
    if not cells:
        return missing(f"The methods as printed at {scale}x", paper)
    em, likely = ({m: cell[key] for m, cell in cells.items()} for key in ("memory", "bits"))
    shown = [m for m in cells if "shown" in (status(em[m]), status(likely[m]))]
    lead = f"At {scale}x, as printed, memory is shown for {those(shown) if shown else 'none'} of {those(cells)}."
    seeds = sorted({len(cell["seeds"]) for cell in cells.values()})
    numbers = f"Right bank minus wrong bank, seeds each: {' or '.join(map(str, seeds))}. "
    numbers += f"{grouped(em, GAIN)} {grouped(likely, GAIN, 'bits')}"
    if left := [m for m in METHODS if m not in cells]:
        numbers += f" Not run yet: {', '.join(left)}."
    same = [m for m in cells if (m in shown) == (rates[m] > 1)]
    other = [m for m in cells if m not in same]
    found = [f"as here for {those(same)}"] if same else []
    found += [f"otherwise for {those(other)}"] if other else []
    verdict = (
        f"{NOT}the recall rate is a gain over a bank forced to zero, clipped at 0, with no wrong bank beside it, on another backbone "
        f"and other conversations; whether there is memory at all (a rate above 1) the paper says {' and '.join(found)}"
    )
    return Finding(lead, numbers, paper, verdict)


def gained(files):
    """Bits over no bank are no evidence of memory."""
    paper = (
        "A bank's score is its gain over the same bank forced to zero (section 4.2), its benefit the gain over no memory "
        "(table 5); no wrong bank is asked."
    )
    asked = [cell for cell in files["cells"].values() if cell["bits_gained"]]
    recent = files["recent"]
    noise = recent and recent["summary"]["conditions"].get("noise", {}).get("bits_gained")
    if not asked and not noise:
        return missing("What bits over no bank prove", paper)
    gaining = [cell for cell in asked if status(cell["bits_gained"]) == "shown"]
    idle = [cell for cell in gaining if status(cell["bits"]) != "shown"]
    noisy = noise and noise["low"] is not None and noise["low"] > 0
    if not idle and not noisy:
        lead = "Bits over no bank came with memory wherever they were gained."
        numbers = f"Of {len(asked)} cells {len(gaining)} gain bits over no bank, all of them over the wrong bank too."
        return Finding(lead, numbers, paper, NOT + "the paper's gains are in F1")
    numbers = []
    if idle:
        most = max(idle, key=lambda cell: cell["bits_gained"]["mean"])
        numbers.append(
            f"In {len(idle)} of {len(gaining)} cells that gain them the right bank gains no more than the wrong one, as far as can be "
            f"told: most in {most['cell']}, {bits(most['bits_gained'])} bits over no bank, {bits(most['bits'])} over the wrong bank. "
            "What was learned there is what answers look like."
        )
    if noisy:
        numbers.append(
            f"Gaussian rows of the bank's norm, which hold nothing, give the right answer {bits(noise)} bits in `recent`."
        )
    verdict = NOT + "the paper's gains are in F1; here such a gain is no memory"
    return Finding(
        "Bits gained over no bank are no evidence of memory.", " ".join(numbers), paper, verdict
    )


def broken(files):
    """Is it forgetting, or does the decoder say nothing at all?"""
    paper = "M.3 at 1x: benefit -6.44 from a baseline of 6.44 (table 5), that is F1 0.00 on all 639 questions."
    empty = {n: c["empty"] for n, c in files["cells"].items() if c["empty"] is not None}
    if not empty:
        return missing("How many answers are empty", paper)
    many = {name: share for name, share in empty.items() if share >= 0.5}
    if not many:
        most = max(empty, key=empty.get)
        lead = "Forgetting is not a decoder that says nothing: no cell leaves half of its answers empty."
        numbers = f"At most {percent(empty[most])} percent of the answers of the right bank are empty ({most})."
    else:
        lead = f"A decoder that says nothing looks like forgetting: {those(many)} {'leaves' if len(many) == 1 else 'leave'} most answers empty."
        numbers = "Empty answers with the right bank, percent: "
        numbers += ", ".join(f"{name} {percent(share)}" for name, share in many.items())
        numbers += f" ({len(many)} of {len(empty)} cells). So the bits, which need no decoding, stand beside exact match."
    verdict = NOT + "the paper counts no empty answers"
    if "m3-1x" in many:
        verdict = "agrees, in kind: a score of exactly 0 goes with a decoder that says nothing"
    return Finding(lead, numbers, paper, verdict)


# ---- recent: what a read can do when the write destroys nothing ------------------------------------------


def remembers(files):
    """The memory score of `recent`, and where it comes from."""
    paper = "It has no such method, and asks no wrong bank."
    found = files["recent"]
    if found is None:
        return missing("Whether `recent` remembers", paper)
    summary, (memory, wrong) = found["summary"], headline(found["summary"])
    inside = summary["memory"].get(f"right-{wrong}, in_bank")
    conditions = summary["in_bank"]["conditions"]
    lead = {
        "shown": "`recent`, whose write destroys nothing, remembers.",
        "contradicted": "`recent` does worse with its right bank than with a wrong one.",
    }.get(status(memory), "That `recent` remembers is not shown.")
    numbers = f"The wrong bank is {WRONG[wrong]}. {grouped({'': memory}, GAIN)}"
    if inside:
        numbers += f" Where the evidence is still in the bank ({inside['n']} of {summary['n']} questions) it is {percent(inside)} points"
        follows, deleted = conditions.get("twin", {}).get("follows"), conditions.get("deleted")
        numbers += (
            f"; there the twin's bank yields the twin's answer {percent(follows)} percent of the time"
            if follows
            else ""
        )
        numbers += (
            f", and without the evidence's turns {percent(deleted['em'])} percent are right"
            if deleted
            else ""
        )
        numbers += ". What was pushed out is gone: this is a window, not a long memory."
    return Finding(lead, numbers, paper, NOT + "the paper has no such method")


def beside_text(files):
    """A bank beside turns in the encoder's input."""
    paper = "Every condition sees the question only (equal input); no text is asked beside it."
    found = files["recent"]
    texts = {
        "last_k": "the newest turns",
        "bm25": "the turns that BM25 finds",
        "oracle": "the evidence",
    }
    asked = found["summary"]["conditions"] if found else {}
    texts = {name: said for name, said in texts.items() if name in asked}
    if not texts:
        return missing("A bank beside turns as text", paper)
    rows = [row for row in found["questions"] if row["answerable"]]
    apart = {c: difference(rows, [r["right"]["em"] - r[c]["em"] for r in rows]) for c in texts}
    sides = {
        word: [texts[c] for c, each in apart.items() if status(each) == name]
        for name, word in (("shown", "more than"), ("contradicted", "less than"))
    }
    said = [f"{word} {those(names)}" for word, names in sides.items() if names]
    lead = f"A bank of {found['rows']} rows answers {', and '.join(said) or 'neither more nor less than turns'} as text."
    reach = [f"of {c} for {percent(asked[c]['in_text']['mean'])}" for c in texts]
    numbers = (
        f"`recent` against the same frozen backbone that reads turns within {found['settings'].get('budget', 384)} tokens. "
        f"{grouped(apart, BEATS)} The evidence is within reach of the bank for {percent(sum(bool(r['in_bank']) for r in rows) / len(rows))} "
        f"percent of the questions, {', '.join(reach)}."
    )
    return Finding(lead, numbers, paper, NOT + "the paper has no text control")


# ---- what is changed one at a time -----------------------------------------------------------------------


def zero_rows(files):
    """The paper's "bank forced to zero", where nothing is trained."""
    paper = "Adapter tax, points of F1: "
    paper += ", ".join(f"{tax} with {n} rows" for n, tax in TAX_BY_ROWS.items()) + " (table 5)."
    found = files["null_rows"]
    if found is None:
        return missing("What zero rows cost", paper)

    def costs(source, measure):
        return {
            f"{n} rows": each[source]["cost"][measure]
            for n, each in found["by_rows"].items()
            if int(n)
        }

    read = [costs("evidence", measure) for measure in MEASURES]
    taxed = any(status(cost) == "shown" for each in read for cost in each.values())
    lead = (
        "Zero rows cost a backbone beside which nothing was trained, so such a tax is not the adapter's."
        if taxed
        else "A bank forced to zero costs nano nothing that could be found."
    )
    numbers = (
        f"With the evidence in its input. {grouped(read[0], COST)} {grouped(read[1], COST, 'bits')} From the question alone, where "
        f"there is nothing to lose. {grouped(costs('question_only', 'bits'), COST, 'bits')}"
    )
    verdict = NOT + "what zero rows take is the backbone's own, and Flan-T5 was not measured"
    if taxed:
        verdict = "agrees, in kind: there is a tax, without any adapter"
    return Finding(lead, numbers, paper, verdict)


def changed(files, what, chosen, paper, verdict):
    """Cells against those that they are compared with.

    chosen   which cells: a test out of result_files
    verdict  text, or a function of {cell: (difference in exact match, in bits)}
    """
    cells = files["cells"]
    pairs = {name: (cell, base_of(cell, cells)) for name, cell in cells.items() if chosen(cell)}
    if not pairs:
        return missing(what, paper)
    apart = {name: tuple(contrast(*pair, m) for m in MEASURES) for name, pair in pairs.items()}
    left = [name for name, each in apart.items() if each[0] is None]
    apart = {name: each for name, each in apart.items() if each[0] is not None}
    if not apart:
        why = f"{those(left)} {'has' if len(left) == 1 else 'have'} nothing to be compared with"
        return missing(f"{what} ({why})", paper)
    words = {name: {status(one) for one in each} for name, each in apart.items()}
    more, less, both = (
        [name for name, each in words.items() if each & SIGNS == signs]
        for signs in ({"shown"}, {"contradicted"}, SIGNS)
    )
    said = [f"more memory is shown for {those(more)}"] if more else []
    said += [f"less memory is shown for {those(less)}"] if less else []
    said += [f"more by one measure and less by the other for {those(both)}"] if both else []
    lead = f"{what}: {', '.join(said) or f'no change is shown for {those(apart)}'}."
    numbers = [
        grouped({name: each[i] for name, each in apart.items()}, MORE, m)
        for i, m in enumerate(MEASURES)
    ]
    numbers += [f"Nothing to compare with yet: {', '.join(left)}."] if left else []
    verdict = verdict if isinstance(verdict, str) else verdict(words)
    return Finding(lead, " ".join(numbers), paper, verdict)


def _lifted(words):
    """Do ten times the rows lift the three methods of which the paper says so? From {cell: statuses}."""
    three = [words[name] for name in ("m1-10x", "m3-10x", "m5-10x") if name in words]
    if not three:
        return NOT + "none of these three was run at 10x"
    if any(each & SIGNS == {"contradicted"} for each in three):
        return "contradicts, in direction"
    if all(each & SIGNS == {"shown"} for each in three):
        return "agrees, in direction"
    return (
        NOT
        + "a lift is not shown here for all of those that were run, and nothing rules it out for Flan-T5"
    )


as_run = partial(
    changed,
    what="The paper's shortcut, read once from the question's latents, against the printed equations",
    chosen=is_as_run,
    paper="M.2 and M.5 were not run as printed, but with this shortcut; it says so itself. M.3, M.4 and M.6 need none.",
    verdict=NOT + "the paper ran no printed M.2 or M.5 to compare with",
)
decay = partial(
    changed,
    what="Another decay than the printed 0.95",
    chosen=is_decay,
    paper="0.95 in all runs; of what was written 32 turns before, 0.19 is left.",
    verdict=NOT + "the paper prints one decay only",
)
start = partial(
    changed,
    what="Another start than noise of standard deviation 0.02",
    chosen=is_start,
    paper="The start is not printed; the released code draws noise anew at each reset.",
    verdict=NOT + "the paper does not say what it starts from",
)
capacity = partial(
    changed,
    what="Other numbers of rows than 1x",
    chosen=is_scaled,
    paper="Ten times the rows lift M.1 from 0.02 to 9.86, M.3 from 0.00 to 12.05, M.5 from 0.15 to 8.34 (table 3).",
    verdict=_lifted,
)
normalised = partial(
    changed,
    what="Rows held at one size, against rows that shrink as there are more of them",
    chosen=is_normalised,
    paper="Rows are not normalised; at 1x M.1, M.3 and M.5 collapse (table 3). That normalising lifts this is our hypothesis.",
    verdict=NOT + "the paper has no such run",
)


# ---- LoCoMo, speed -----------------------------------------------------------------------------------------


def locomo(files):
    """The proof of the path, or what was measured there."""
    paper = "Table 3 is of Flan-T5-XL on these conversations."
    if not files["locomo"]:
        return missing("LoCoMo", paper)
    numbers, scored = [], []
    for name, result in files["locomo"].items():
        summary, (memory, wrong) = result["summary"], headline(result["summary"])
        best = max(each["f1"]["mean"] for each in summary["conditions"].values())
        scored += [name] if round(best, 3) > 0 else []  # more than 0.0 percent is printed
        said = f"`{name}`, {result['method']} on {result['backbone']}, {summary['n']} questions: F1 at most {percent(best)} under any condition."
        if memory:
            said += f" The wrong bank is {WRONG[wrong]}. {grouped({'': memory}, GAIN)}"
            gain = summary["conditions"]["right"].get("bits_gained")
            said += (
                f" The right answer gains {bits(gain)} bits over no bank, and"
                if gain
                else " It gains"
            )
            said += f" {bits(memory['bits'])} over the wrong bank."
        numbers.append(said)
    lead = (
        f"On LoCoMo something is answered by {those(scored)}."
        if scored
        else "On LoCoMo the path is proved from the release to the score, and nothing is answered."
    )
    backbones = sorted({result["backbone"] for result in files["locomo"].values()})
    verdict = f"{NOT}the backbone is {those(backbones)}, not Flan-T5-XL"
    return Finding(lead, " ".join(numbers), paper, verdict)


def speed(files):
    """The engine against the plain way, training and evaluation."""
    paper = "No times are printed; its released code pads to 384 tokens and encodes every turn in every epoch."
    found = {n: r for n, r in files["bench"].items() if "ratio_by_operations" in r}
    if not found:
        return missing("How much faster the engine is than the plain way", paper)
    words, numbers = {}, []
    for name, result in found.items():
        ratio, bare = result["ratio"]["plain"], result["ratio"]["unpadded"]
        word = (
            "faster"
            if ratio["min"] > 1
            else "slower"
            if ratio["max"] < 1
            else "no faster, within the spread,"
        )
        words.setdefault(f"{word} than the plain way", {})[name] = result["what"]
        padding = ratio["median"] / bare["median"]
        share = (
            "most of the ratio is padding"
            if padding > bare["median"]
            else "padding is the smaller part"
        )
        numbers.append(
            f"`{name}`: {spread(ratio)} times, {result['ratio_by_operations']['plain']:.1f} by operations; {share}: {padding:.1f} times "
            f"by padding, {spread(bare)} by all else."
        )
    lead = "; ".join(
        f"{those(sorted(set(ran.values()), reverse=True))} in {those(ran)} {'are' if len(ran) > 1 else 'is'} {word}"
        for word, ran in words.items()
    )
    return Finding(
        f"{lead[0].upper()}{lead[1:]}.", " ".join(numbers), paper, NOT + "the paper prints no times"
    )


def flat(files):
    """Does a turn cost the same after many turns?"""
    paper = "The bank has one size, whatever was written."
    found = {n: r for n, r in files["bench"].items() if "flat" in r}
    if not found:
        return missing("What a turn costs after many turns", paper)
    worst = {
        name: max((each["turn_ms"], rule) for rule, each in result["flat"].items())
        for name, result in found.items()
    }
    holds = all(times <= FLAT for times, _ in worst.values())
    lead = (
        "A turn costs after many turns what it cost at first."
        if holds
        else "A turn costs more after many turns than at first."
    )
    numbers = []
    for name, (times, rule) in worst.items():
        turns = [row["turns"] for row in found[name]["by_turns"]]
        numbers.append(
            f"`{name}`: {times:.2f} times at most ({rule}), after {max(turns)} turns against {min(turns)}; up to {FLAT} counts as the same."
        )
    return Finding(lead, " ".join(numbers), paper, "agrees" if holds else "contradicts")


def spread(found):
    """Median, least and greatest of the repeats: "9.1 [8.7, 9.9]"."""
    return f"{found['median']:.1f} [{found['min']:.1f}, {found['max']:.1f}]"


FINDINGS = (
    reads, partial(printed, scale=1), partial(printed, scale=10), gained, broken, remembers, beside_text, zero_rows, as_run,
    decay, start, capacity, normalised, locomo, speed, flat,
)  # fmt: skip
