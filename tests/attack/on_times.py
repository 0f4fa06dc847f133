"""Attacks on sums at single times: risk sets and events by day."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from corridor.pillars.research.rules.analyses import Block, Plan, Request
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.engine import next_step
from corridor.pillars.research.rules.protocol import Protocol
from corridor.pillars.research.rules.rows import Clock, Rows, select_rows
from tests.attack.breast import TERMS, analysis, bent_protocol, tables
from tests.attack.playing import Attack, Loot, Victim, plan

__all__ = ["ATTACKS"]


def _rows() -> dict[str, Rows]:
    protocol = bent_protocol()
    return {
        site: select_rows(protocol, table, terms=TERMS, endpoint=protocol.endpoint("rfs"))
        for site, table in tables().items()
    }


def _clock(rows: Rows) -> Clock:
    endpoint = bent_protocol().endpoint("rfs")
    assert endpoint is not None
    return rows.clock(endpoint)


def risk_sets_by_day(policy: Policy) -> Mapping[str, Loot]:
    """Subtract the covariate sums of neighbouring risk sets: where one person left between them, that is a row.

    The attacker asks for the sums at every event day of both sites, as an unstratified Cox model without a grid needs
    them. A site that refuses is asked again on the intervals that it names itself.
    """
    rows = _rows()
    clocks = [_clock(each) for each in rows.values()]
    days = np.unique(np.concatenate([clock.times[clock.events > 0] for clock in clocks])).astype(int)
    return {site: _from_risk_sets(each, days, Victim(tables()[site], policy)) for site, each in rows.items()}


def _from_risk_sets(rows: Rows, days: np.ndarray, victim: Victim) -> Loot:
    asked = plan(bent_protocol(analysis("fit", "cox-unstratified", endpoint="rfs", terms=list(TERMS))), "fit")
    zero, chosen = [0.0] * len(TERMS), days - 1
    every = np.arange(days[-1] + 1.0).tolist()
    block = victim.ask(asked, Request(2, "sums", {"edges": every, "beta": zero}))
    if block is None:
        named = victim.ask(asked)
        own = [float(edge or 0) for edge in named["edges"]] if named is not None else []
        block = victim.ask(asked, Request(2, "sums", {"edges": own, "beta": zero})) if own else None
        chosen = np.arange(len(own) - 1)
    if block is None:
        return Loot(0, len(rows))
    persons = np.append(np.array(block["risk"], dtype=float)[chosen], 0.0)
    sums = np.vstack((np.array(block["risk_sum"], dtype=float).reshape(-1, len(TERMS))[chosen], zero))
    alone = np.flatnonzero(np.isclose(persons[:-1] - persons[1:], 1.0))
    guesses = np.round(sums[alone] - sums[alone + 1], 6) + 0.0
    truth = {tuple(np.round(row, 6) + 0.0) for row in rows.matrix(TERMS)}
    return Loot(sum(tuple(guess) in truth for guess in guesses), len(rows))


def ages_from_few_equations(policy: Policy) -> Mapping[str, Loot]:
    """Ask for the sums of a model of age alone at ten coefficients, and solve them for those with the event.

    At a coefficient of c the sum over them is that of exp(c age). At c, 2c, 3c, … these are the sums of powers, of
    which Newton's identities make the polynomial whose roots are exp(c age). Nine rounds are enough for eight patients.
    In a subgroup so many have the event in an interval.
    """
    grade = [{"variable": "grade", "is": "2"}]
    fit = analysis("fit", "cox-unstratified", endpoint="rfs", terms=["age"], where=grade)
    asked = plan(bent_protocol(fit), "fit")
    found = {}
    for site, table in tables().items():
        rows = asked.rows(table)
        victim, clock, ages = Victim(table, policy), _clock(rows), rows.variable("age_years")
        named = victim.ask(asked)
        edges = [float(edge or 0) for edge in named["edges"]] if named is not None else []
        powers = _powers(victim, asked, edges) if edges else np.empty((0, 0))
        hits = 0
        for place, (begin, end) in enumerate(pairwise(edges)):
            truth = np.sort(ages[(clock.times > begin) & (clock.times <= end) & (clock.events == 1)])
            if truth.size < len(powers) and np.array_equal(_solved(powers[: truth.size + 1, place]), truth):
                hits += truth.size
        found[site] = Loot(hits, int(clock.events.sum()))
    return found


_STEP = 0.02


def _powers(victim: Victim, asked: Plan, edges: list[float]) -> np.ndarray:
    """Return the sums over those with the event at 0, c, 2c, … by interval, as far as the site answers."""
    sums = []
    for step in range(10):
        block = victim.ask(asked, Request(2 + step, "sums", {"edges": edges, "beta": [_STEP * step]}))
        if block is None:
            break
        sums.append(np.array(block["tied"], dtype=float))
    return np.array(sums)


def _solved(sums: np.ndarray) -> np.ndarray:
    """Return the ages of so many patients as the first sum counts, from the sums of their first powers."""
    elementary = [1.0]
    for order in range(1, len(sums)):
        signed = [(-1) ** (i - 1) * elementary[order - i] * sums[i] for i in range(1, order + 1)]
        elementary.append(sum(signed) / order)
    roots = np.roots([(-1) ** i * each for i, each in enumerate(elementary)])
    return np.sort(np.round(np.log(np.abs(roots)) / _STEP))


def _curve(policy: Policy, **options: object) -> dict[str, tuple[Request, Block]]:
    """Return what each site gives away for a curve: the last request and its block."""
    asked = plan(bent_protocol(analysis("curve", "kaplan-meier", endpoint="rfs", **options)), "curve")
    victims = {site: Victim(table, policy) for site, table in tables().items()}
    history: list[tuple[Request, dict[str, Block]]] = []
    while True:
        step = next_step(asked, history)
        if not isinstance(step, Request):
            request, blocks = history[-1]
            return {site: (request, block) for site, block in blocks.items()}
        answers = {site: victim.ask(asked, step) for site, victim in victims.items()}
        history.append((step, {site: block for site, block in answers.items() if block is not None}))


def events_by_day(policy: Policy) -> Mapping[str, Loot]:
    """Read a curve by day: a step of one event is one patient, whose day of recurrence or death is then known."""
    found, rows = {}, _rows()
    for site, (_, block) in _curve(policy).items():
        single = sum(count == 1 for count in block["events"])
        found[site] = Loot(single, int(_clock(rows[site]).events.sum()))
    return found


def curves_that_differ_by_few(policy: Policy) -> Mapping[str, Loot]:
    """Subtract the curve of those up to 75 from that of all: the events of the few who are older, interval by interval.

    They are more than k; the events of an interval among them are one or two.
    """
    younger = [{"variable": "age_years", "at_most": 75}]
    protocol = bent_protocol(
        analysis("all", "kaplan-meier", endpoint="rfs"),
        analysis("younger", "kaplan-meier", endpoint="rfs", where=younger),
    )
    found = {}
    for site, table in tables().items():
        victim = Victim(table, policy)
        curves = [_events_of_one(protocol, name, victim) for name in ("all", "younger")]
        rows = plan(protocol, "all").rows(table)
        clock, older = _clock(rows), rows.variable("age_years") > 75
        days = clock.times[older & (clock.events == 1)]
        known = [set(curve) for curve in curves if curve is not None]
        common = sorted(known[0].intersection(*known[1:]))
        hits = 0
        if curves[0] is not None and curves[1] is not None:
            for begin, end in pairwise(common):
                gone = sum(
                    sum(n for day, n in each.items() if begin < day <= end) * sign
                    for each, sign in zip(curves, (1, -1), strict=True)
                )
                hits += int(gone) if 0 < gone < 5 and gone == ((days > begin) & (days <= end)).sum() else 0
        found[site] = Loot(hits, len(days))
    return found


def _events_of_one(protocol: Protocol, name: str, victim: Victim) -> dict[float, float] | None:
    """Return the events by the end of each interval that one site gives for a curve, or None where it refuses."""
    asked = plan(protocol, name)
    edges = victim.ask(asked)
    if edges is None:
        return None
    own = [float(edge or 0) for edge in edges["edges"]]
    table = victim.ask(asked, Request(2, "table", {"edges": own}))
    return None if table is None else {0.0: 0.0, **dict(zip(own[1:], map(float, table["events"]), strict=True))}  # type: ignore[arg-type]


ATTACKS = (
    Attack("risk sets by day", ("time-grid", "budget"), risk_sets_by_day, {"nl": 0.369 - 0.0005, "de": 0.445 - 0.0005}),
    Attack(
        "ages from ten equations",
        ("degrees-of-freedom", "leverage", "dominance", "likelihood"),
        ages_from_few_equations,
        {"nl": 0.6, "de": 0.5},
    ),
    Attack("single events by day", ("time-grid",), events_by_day, {"nl": 0.650, "de": 0.816}),
    Attack("curves that differ by few", ("differencing",), curves_that_differ_by_few, {"nl": 0.3, "de": 0.3}),
)
