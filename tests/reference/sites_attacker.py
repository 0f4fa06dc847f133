"""A partner who tries to work out withheld counts from the sites that reported, by linear programming.

Each site that reported is an unknown of its own. Two partners are tried: one believes that a site reports zeros too;
the other that whoever reports has a case, until a figure of the place that it was told shows otherwise. Each reads
what stands now, and also all that was said of a week, taking late reports for the only reason why a count changes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

Week = tuple[str, int]


@dataclass(frozen=True)
class Told:
    """What a message says of one place and week: a count, or that it is small; and how many sites reported."""

    value: int | None
    sites: int | None
    expected: int | None = None


def attack(tellings: list[dict[Week, Told]], *, k: int) -> dict[Week, tuple[int, int]]:
    """Return the withheld weeks of which either partner learns more than 1 to k - 1, and what it learns."""
    places = {place for telling in tellings for place, _ in telling}
    finds: dict[Week, tuple[int, int]] = {}
    for place in places:
        said = [told for telling in tellings for (where, _), told in telling.items() if where == place]
        for fewest in (0, 1) if _may_all_have_cases(said, k=k) else (0,):
            for week in {week for telling in tellings for where, week in telling if where == place}:
                history = [telling[place, week] for telling in tellings if (place, week) in telling]
                for lines in ([history[-1]], history):
                    found = _narrow(lines, fewest=fewest, k=k)
                    if found is not None:
                        finds[place, week] = found
    return finds


def _may_all_have_cases(said: list[Told], *, k: int) -> bool:
    most = [(told.value if told.value is not None else k - 1, told.sites) for told in said]
    return all(sites is None or sites <= cases for cases, sites in most)


def _narrow(lines: list[Told], *, fewest: int, k: int) -> tuple[int, int] | None:
    """Return the bounds of the last withheld figure of a week, if they are narrower than 1 to k - 1."""
    withheld = [number for number, told in enumerate(lines) if told.value is None]
    if not withheld:
        return None
    # One unknown a site; where the sites are not told, one for them all.
    size = max([told.sites or 0 for told in lines] + [1])
    above, limits = [], []
    for told in lines:
        low, high = (1, k - 1) if told.value is None else (told.value, told.value)
        row = _row(told, size)
        above += [row, -row]
        limits += [high, -low]
    bounds = [(fewest if any(told.sites is not None for told in lines) else 0, None)] * size
    aim = _row(lines[withheld[-1]], size)
    ends = [linprog(sign * aim, A_ub=np.array(above), b_ub=np.array(limits), bounds=bounds) for sign in (1, -1)]
    if any(end.status != 0 for end in ends):
        return None
    low, high = int(np.ceil(ends[0].fun - 1e-7)), int(np.floor(-ends[1].fun + 1e-7))
    return (low, high) if low > 1 or high < k - 1 else None


def _row(told: Told, size: int) -> np.ndarray:
    """Return the sum over the sites that had reported: the first ones, for a later report adds to the earlier."""
    return (np.arange(size) < (size if told.sites is None else told.sites)).astype(float)
