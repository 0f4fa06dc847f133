"""How well a site keeps the schedule, in numbers of persons that may leave it under the rules of disclosure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from corridor.pillars.research.rules.care.due import Expectation, Standing
from corridor.pillars.research.rules.care.schedule import Schedule
from corridor.pillars.research.rules.disclosure import Differences, Exposure, Policy, judge, suppress_counts
from corridor.pillars.research.rules.rows import Mask

__all__ = ["CLASSES", "NOT_YET", "Adherence", "Kept", "adherence", "kept_by_person"]

CLASSES = ("all", "some", "none")
"""How many of the windows that have closed a person kept."""
NOT_YET = "not-yet"
"""No window has closed."""


@dataclass(frozen=True)
class Adherence:
    """Persons of one risk group by how they kept one item.

    Attributes
    ----------
    group, item : str
        Codes of the schedule.
    persons : int or None
        Patients with at least one window that has closed; None where it is withheld.
    all_on_time, some_on_time, none_on_time : int or None
        Of these, how many came within every window, within some, within none; None where it is withheld.
    withheld : str
        The guard that withheld everything, or ``smallest-cell`` where it withheld some of the counts; else empty.
    """

    group: str
    item: str
    persons: int | None
    all_on_time: int | None
    some_on_time: int | None
    none_on_time: int | None
    withheld: str = ""

    @property
    def share_all_on_time(self) -> float | None:
        """Return the share of persons who came within every window, or None where it is withheld or there are none."""
        return self.all_on_time / self.persons if self.persons and self.all_on_time is not None else None


@dataclass
class Kept:
    """How one person kept the schedule: for each item of the risk group one of `CLASSES`, or `NOT_YET`."""

    group: str
    items: dict[str, str] = field(default_factory=dict)


def kept_by_person(expectations: Iterable[Expectation]) -> Mapping[str, Kept]:
    """Return for each person, in the order of the table, how each item of the risk group was kept."""
    found: dict[str, Kept] = {}
    on_time: dict[tuple[str, str], list[bool]] = {}
    for each in expectations:
        person = found.setdefault(each.person, Kept(each.group))
        person.items[each.item.code] = NOT_YET
        if each.is_judged:
            on_time.setdefault((each.person, each.item.code), []).append(each.standing is Standing.ON_TIME)
    for (name, item), windows in on_time.items():
        found[name].items[item] = _class(windows)
    return found


def _class(windows: Sequence[bool]) -> str:
    return CLASSES[0 if all(windows) else 1 if any(windows) else 2]


def adherence(schedule: Schedule, expectations: Iterable[Expectation], *, policy: Policy) -> list[Adherence]:
    """Return the figures for each risk group and item, in the order of the schedule, small cells withheld.

    Persons are counted, not visits: one patient with many visits is one patient. Each table is judged by itself and
    together with those before it: where two of them, subtracted, would tell of fewer persons than the rule allows, the
    later one is withheld whole.

    Notes
    -----
    Nothing is known of figures that were given away at another time: whoever has those of two days may subtract them.
    """
    kept = kept_by_person(expectations)
    figures: list[Adherence] = []
    released = Differences()
    for group in schedule.groups:
        for item in group.items:
            sets = _sets([each.items.get(item.code, "") if each.group == group.code else "" for each in kept.values()])
            figure, shown = _judged(group.code, item.code, sets, released, policy)
            figures.append(figure)
            released.add(shown)
    return figures


def _sets(kept: Sequence[str]) -> list[Mask]:
    """Return who came within all windows, within some, within none."""
    classes = np.array(kept, dtype=str)
    return [classes == each for each in CLASSES]


def _judged(
    group: str, item: str, sets: Sequence[Mask], released: Differences, policy: Policy
) -> tuple[Adherence, list[Mask]]:
    """Return the figure, and the sets of persons that it tells a number of."""
    counts = [int(each.sum()) for each in sets]
    parts: list[int | None] = list(counts)
    if policy.has("smallest-cell"):
        parts = suppress_counts(counts, smallest=policy.smallest_cell)
    everyone = np.logical_or.reduce(sets)
    told = {"persons": everyone, **{name: each for name, each, part in zip(CLASSES, sets, parts, strict=True) if part}}
    breaches = judge(Exposure(row_sets=told, cells={name: int(each.sum()) for name, each in told.items()}), policy)
    guard = breaches[0].guard if breaches else ""
    if not guard and policy.has("differencing"):
        reveals = released.would_reveal(told.values(), smallest=policy.smallest_cell)
        guard = "differencing" if reveals else ""
    if guard:
        return Adherence(group, item, None, None, None, None, guard), []
    every, some, none = parts
    withheld = "smallest-cell" if None in parts else ""
    return Adherence(group, item, sum(counts), every, some, none, withheld), list(told.values())
