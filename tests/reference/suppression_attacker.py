"""A partner who works out withheld cells by linear programming from everything that it was ever told.

Written apart from the ledger: figures are plain sets of named pieces, and the programme is a dense one. The attacker
knows the method: 1 to k-1 is withheld as small, a larger figure only to protect a small one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

Figure = frozenset[str]


@dataclass(frozen=True)
class Between:
    """What an alert said of a figure whose number it did not give."""

    least: float
    most: float = np.inf


Said = int | str | Between
"""A number of cases, or ``small`` (1 to k-1), or ``large`` (k or more, withheld), or what an alert said."""


@dataclass(frozen=True)
class Find:
    """At `moment` the figure was told to be small, and it is now known to lie within lo to hi, inside 1 to k-1."""

    moment: int
    figure: Figure
    lo: int
    hi: int

    @property
    def is_exact(self) -> bool:
        return self.lo == self.hi


def attack(tellings: list[dict[Figure, Said]], *, k: int) -> list[Find]:
    """Try each way of reading: what stands at each moment, and all that was said since each moment."""
    finds: set[Find] = set()
    for moment in range(len(tellings)):
        finds |= set(_read(_as_of(tellings, moment, k=k), k=k))
        finds |= set(_read(_since(tellings, moment, k=k, blame_parts=True), k=k))
        finds |= set(_read(_since(tellings, moment, k=k, blame_parts=False), k=k))
    return sorted(finds, key=lambda find: (find.moment, sorted(find.figure)))


# A line of the programme: when it was said, of which figure, which unknowns it sums, what was said.
Line = tuple[int, Figure, frozenset[tuple[str, int]], Said]


def _known(tellings: list[dict[Figure, Said]], *, k: int) -> list[tuple[int, Figure, Said]]:
    """Return the last word on each figure, and beside it every alert that agrees with it."""
    last: dict[Figure, tuple[int, Said]] = {}
    alerts: list[tuple[int, Figure, Said]] = []
    for when, telling in enumerate(tellings):
        for figure, said in telling.items():
            if isinstance(said, Between):
                alerts.append((when, figure, said))
                if figure in last and _differ(last[figure][1], said, k=k):
                    del last[figure]
            else:
                last[figure] = (when, said)
    words = [(when, figure, said) for figure, (when, said) in last.items()]
    return words + [each for each in alerts if each[1] not in last or not _differ(last[each[1]][1], each[2], k=k)]


def _as_of(tellings: list[dict[Figure, Said]], moment: int, *, k: int) -> list[Line]:
    return [
        (when, figure, frozenset((piece, 0) for piece in figure), said)
        for when, figure, said in _known(tellings[: moment + 1], k=k)
    ]


def _since(tellings: list[dict[Figure, Said]], start: int, *, k: int, blame_parts: bool) -> list[Line]:
    """Sum each telling over unknowns that are renewed only where the finest figure holding them is told anew.

    With `blame_parts` a wide figure that changes together with a finer one leaves its other unknowns as they are.
    """
    every = {figure for telling in tellings for figure in telling}
    generation = {piece: 0 for figure in every for piece in figure}
    opening = [(figure, said) for _, figure, said in _known(tellings[: start + 1], k=k)]
    lines: list[Line] = []
    before: dict[Figure, Said] = {}
    changed_since: dict[Figure, set[Figure]] = {figure: set() for figure in every}
    for when, telling in [(start, opening), *((n, [*t.items()]) for n, t in enumerate(tellings) if n > start)]:
        anew = {f for f, said in telling if f in before and _differ(before[f], said, k=k)}
        for changed in changed_since.values():
            changed |= anew
        for figure in anew:
            finer = [other for other in every if other < figure]
            if not (blame_parts and changed_since[figure].intersection(finer)):
                for piece in figure:
                    if not any(piece in other for other in finer):
                        generation[piece] += 1
        for figure, said in telling:
            # An alert that agrees with the number known before does not take its place.
            if figure in anew or figure not in before or not isinstance(said, Between):
                before[figure] = said
                changed_since[figure] = set()
            lines.append((when, figure, frozenset((piece, generation[piece]) for piece in figure), said))
    return lines


def _differ(one: Said, other: Said, *, k: int) -> bool:
    (low, high), (least, most) = _limits(one, k=k), _limits(other, k=k)
    return max(low, least) > min(high, most)


def _limits(said: Said, *, k: int) -> tuple[float, float]:
    if said == "small":
        return 1, k - 1
    if isinstance(said, Between):
        return said.least, said.most
    return (k, np.inf) if said == "large" else (float(said), float(said))


def _read(lines: list[Line], *, k: int) -> list[Find]:
    unknowns = sorted({unknown for _, _, summed, _ in lines for unknown in summed})
    if not any(said == "small" for *_, said in lines):
        return []
    above, limits = [], []
    for _, _, summed, said in lines:
        row = np.array([1.0 if unknown in summed else 0.0 for unknown in unknowns])
        low, high = _limits(said, k=k)
        above.append(-row)
        limits.append(-low)
        if high < np.inf:
            above.append(row)
            limits.append(high)
    finds = []
    for when, figure, summed, said in lines:
        if said != "small":
            continue
        aim = np.array([1.0 if unknown in summed else 0.0 for unknown in unknowns])
        ends = [linprog(sign * aim, A_ub=np.array(above), b_ub=np.array(limits)) for sign in (1, -1)]
        if any(end.status != 0 for end in ends):
            return []  # what was said cannot all hold under this reading: it tells nothing
        lo, hi = int(np.ceil(ends[0].fun - 1e-7)), int(np.floor(-ends[1].fun + 1e-7))
        if lo > 1 or hi < k - 1:
            finds.append(Find(when, figure, lo, hi))
    return finds
