"""A pairwise cover: few cases in which any two settings of different factors meet at least once."""

from collections import Counter
from itertools import combinations


def pairs(case):
    """Return the pairs of settings (factor, value) in a case {factor: value}."""
    return {frozenset(pair) for pair in combinations(case.items(), 2)}


def cover(factors, possible):
    """Build a cover greedily: begin with a pair that is missing, then take the values that add most missing pairs.

    Args:
        factors: {factor: its values}.
        possible: case -> False if its settings exclude each other; a case may lack some factors.

    Returns:
        Cases {factor: value}, always the same ones. All pairs are there that are possible.
    """
    every = (
        {first: a, second: b}
        for first, second in combinations(factors, 2)
        for a in factors[first]
        for b in factors[second]
    )
    missing = {frozenset(pair.items()): pair for pair in every if possible(pair)}
    cases, used = [], Counter()
    while missing:
        case = dict(next(iter(missing.values())))
        for factor in factors:
            if factor not in case:
                choices = [v for v in factors[factor] if possible(case | {factor: v})]
                gains = {
                    v: sum(frozenset([(factor, v), old]) in missing for old in case.items())
                    for v in choices
                }
                case[factor] = max(choices, key=lambda v: (gains[v], -used[factor, v]))
        case = {factor: case[factor] for factor in factors}
        used.update(case.items())
        for pair in pairs(case):
            missing.pop(pair, None)
        cases.append(case)
    return cases
