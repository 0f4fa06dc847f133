"""Harrell's concordance over sites: of pairs within each site exactly, of all pairs from a table of intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from corridor.science.interval_tables import IntervalTable
from corridor.science.survival_data import BadModel, check_rows, codes_of, numbers

__all__ = [
    "Concordance",
    "ConcordanceBlock",
    "concordance",
    "concordance_block",
    "concordance_block_of_table",
]


@dataclass(frozen=True)
class ConcordanceBlock:
    """What a site gives away for concordance; blocks of sites and of strata add up.

    A pair is comparable if the event of one is known to come before that of the other; concordant if the earlier one
    has the higher score.

    Attributes
    ----------
    concordant, discordant, tied_score : int
        Comparable pairs.
    tied_time, tied_both : int
        Pairs of events at one time, which are not comparable: with different scores, with equal ones.
    wins_squared, wins_pairs, pairs_squared : float
        Over rows: sums of w w, w c and c c, where a row belongs to c comparable pairs and w of them are concordant
        (ties in score half). For the standard error.
    """

    concordant: int
    discordant: int
    tied_score: int
    tied_time: int
    tied_both: int
    wins_squared: float
    wins_pairs: float
    pairs_squared: float


@dataclass(frozen=True)
class Concordance:
    """Share of comparable pairs that are concordant, ties in score half, with standard error and limits."""

    value: float
    se: float
    low: float
    high: float
    total: ConcordanceBlock


def concordance_block(
    times: ArrayLike, events: ArrayLike, score: ArrayLike, *, strata: ArrayLike | None = None
) -> ConcordanceBlock:
    """Return the pair counts of one site; pairs are taken within strata.

    Parameters
    ----------
    times, events : arrays, shape (rows,)
        Follow-up from 0; delayed entry is not provided for.
    score : array, shape (rows,)
        Higher means an earlier event: a linear predictor.
    strata : labels, shape (rows,), optional

    Notes
    -----
    Source: Harrell, Califf, Pryor, Lee and Rosati 1982, JAMA 247:2543; ties as in R's survival.
    """
    from corridor.science._concordance_kernel import pair_counts

    rows = check_rows(times, events)
    count = rows.times.size
    scores = numbers(score, name="score", like=count)
    codes, labels = codes_of(strata, rows=count, name="strata")
    levels, ranks = np.unique(scores, return_inverse=True)
    won, pairs = np.zeros(count), np.zeros(count)
    totals = np.zeros(5, np.int64)
    order = np.lexsort((-rows.events, rows.times, codes))
    for chosen in np.split(order, np.searchsorted(codes[order], np.arange(1, len(labels)))):
        totals += pair_counts(chosen, rows.times, rows.events, ranks, levels.size, won, pairs)
    concordant, discordant, tied_score, tied_time, tied_both = (int(number) for number in totals)
    return ConcordanceBlock(
        concordant=concordant,
        discordant=discordant,
        tied_score=tied_score,
        tied_time=tied_time,
        tied_both=tied_both,
        wins_squared=float(won @ won),
        wins_pairs=float(won @ pairs),
        pairs_squared=float(pairs @ pairs),
    )


def concordance_block_of_table(table: IntervalTable) -> ConcordanceBlock:
    """Return the pair counts of all rows of all sites, exact for the coarsened times and scores.

    Parameters
    ----------
    table : IntervalTable
        Of all sites together, without delayed entry; its groups are bins of the score, lowest first. Whoever is
        followed beyond the last edge outlives everybody with the event.
    """
    if table.entered[1:].any():
        raise BadModel("the table has persons who enter late; pairs with delayed entry cannot be compared.")
    events = np.vstack([table.events.sum(axis=0), np.zeros_like(table.remaining)]).astype(float)
    censored = np.vstack([table.censored, table.remaining]).astype(float)
    # Who outlives an event: all of later intervals, and those censored in its own.
    everyone = events + censored
    later = np.cumsum(everyone[::-1], axis=0)[::-1] - events
    before = np.cumsum(events, axis=0) - events
    before_censored = np.cumsum(events, axis=0)
    lower = _below(later)
    higher = later.sum(axis=1, keepdims=True) - lower - later
    of_event = (lower + 0.5 * later, later.sum(axis=1, keepdims=True) + 0 * later)

    def of_survivor(earlier: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        total = earlier.sum(axis=1, keepdims=True)
        return total - _below(earlier) - 0.5 * earlier, total + 0 * earlier

    as_event, as_censored = of_survivor(before), of_survivor(before_censored)
    wins = (of_event[0] + as_event[0], as_censored[0])
    pairs = (of_event[1] + as_event[1], as_censored[1])
    rows = (events, censored)
    died = events.sum(axis=1)
    both = int((events * (events - 1) / 2).sum())
    return ConcordanceBlock(
        concordant=int((events * lower).sum()),
        discordant=int((events * higher).sum()),
        tied_score=int((events * later).sum()),
        tied_time=int((died * (died - 1) / 2).sum()) - both,
        tied_both=both,
        wins_squared=float(sum((n * w * w).sum() for n, w in zip(rows, wins, strict=True))),
        wins_pairs=float(sum((n * w * c).sum() for n, w, c in zip(rows, wins, pairs, strict=True))),
        pairs_squared=float(sum((n * c * c).sum() for n, c in zip(rows, pairs, strict=True))),
    )


def concordance(blocks: Sequence[ConcordanceBlock], *, confidence: float = 0.95) -> Concordance:
    """Return the concordance over the blocks of all sites.

    Raises
    ------
    BadModel
        If no pair is comparable.

    Notes
    -----
    The standard error is the infinitesimal jackknife's, as in R's survival; limits are on the plain scale, within 0
    and 1.
    """
    if not blocks:
        raise BadModel("no blocks were given; expected one of each site.")
    names = ConcordanceBlock.__dataclass_fields__
    total = ConcordanceBlock(**{name: sum(getattr(block, name) for block in blocks) for name in names})
    pairs = total.concordant + total.discordant + total.tied_score
    if pairs == 0:
        raise BadModel("no two persons are comparable: nobody is known to outlive anybody with the event.")
    value = (total.concordant + 0.5 * total.tied_score) / pairs
    spread = total.wins_squared - 2 * value * total.wins_pairs + value**2 * total.pairs_squared
    se = float(np.sqrt(max(spread, 0.0))) / pairs
    half = float(special.ndtri(0.5 + confidence / 2)) * se
    return Concordance(value, se, max(0.0, value - half), min(1.0, value + half), total)


def _below(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each bin the sum over lower ones."""
    return np.asarray(np.cumsum(table, axis=1) - table)
