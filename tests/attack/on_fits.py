"""Attacks on a fit: a partner's false gradients choose the coefficients, and ask for more of them than a fit needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from corridor.pillars.research.rules.analyses import Block, Plan, Request
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.engine import next_step
from corridor.pillars.research.rules.rows import SiteTable
from tests.attack.breast import analysis, bent_protocol, tables
from tests.attack.playing import Attack, Loot, Victim, plan

__all__ = ["ATTACKS"]

TERMS = ["hormon", "age", "meno", "nodes"]
VARIABLES = ["hormon", "age_years", "meno", "nodes"]
YEAR = 365


def _plan() -> tuple[Plan, Plan]:
    """Return a model of the first year, and the sums over those who had the event in it."""

    def first_year(members: dict[str, Any]) -> None:
        members["endpoints"][0]["follow_up_days"] = YEAR

    where = [{"variable": "event", "is": 1}, {"variable": "time_days", "at_most": YEAR}]
    protocol = bent_protocol(
        analysis("fit", "cox", endpoint="rfs", terms=TERMS),
        analysis("ill", "moments", variables=VARIABLES, where=where),
        change=first_year,
    )
    return plan(protocol, "fit"), plan(protocol, "ill")


def _steering(block: Block, beta: np.ndarray) -> Block:
    """Return a false block after which the next step of the fit, from `block` and it, is `beta`."""
    width = len(beta)
    upper = np.triu_indices(width)
    information = np.zeros((width, width))
    information[upper] = block["information"]
    information = information + np.triu(information, 1).T
    wanted = np.eye(width) * 2 * np.abs(information).max()
    return {
        "loglik": [0.0],
        "gradient": (wanted @ beta - np.array(block["gradient"], float)).tolist(),
        "information": (wanted - information)[upper].tolist(),
        "n": [100.0, 50.0],
    }


def _selected(fit: Plan, first: Block, ask: Any, beta: np.ndarray, events: np.ndarray) -> np.ndarray | None:
    """Return the row that stands out at `beta`, if the site answers there and one row alone does."""
    start = fit.begin()
    step = next_step(fit, [(start, {"nl": first, "xx": _steering(first, beta)})])
    assert isinstance(step, Request)
    assert np.allclose(step.parameters["beta"], beta)
    block = ask(step)
    if block is None:
        return None
    row = (events - np.array(block["gradient"], float)) / float(first["n"][1] or 1)
    return row if np.allclose(row, np.round(row), atol=0.02) else None


def _attack(table: SiteTable, policy: Policy, directions: list[np.ndarray]) -> Loot:
    fit, ill = _plan()
    victim = Victim(table, policy)
    first, sums = victim.ask(fit), victim.ask(ill)
    if first is None or sums is None:
        return Loot(0, len(directions))
    events = np.array(sums["sum:all"], dtype=float)
    rows = fit.rows(table).matrix(TERMS)
    found = set()
    for beta in directions:
        guess = _selected(fit, first, lambda step: victim.ask(fit, step), beta, events)
        if guess is not None and (np.round(guess) == rows).all(axis=1).any():
            found.add(tuple(np.round(guess)))
    return Loot(len(found), len(directions))


def _towards(**loadings: float) -> np.ndarray:
    return np.array([loadings.get(name, 0.0) for name in TERMS])


def false_gradients(policy: Policy) -> Mapping[str, Loot]:
    """Answer the first round with numbers that make the next coefficients choose the patient with most, or fewest.

    At large coefficients one patient outweighs everybody else in the risk sets for as long as it is followed. Over the
    first year that is the whole time: the gradient is the sum over events, asked for elsewhere, less the number of
    events times that patient's row.
    """
    directions = [
        _towards(nodes=9, age=0.3),
        _towards(nodes=8, age=0.3, hormon=40),
        _towards(age=8, nodes=0.9),
        _towards(age=-9, nodes=-0.9),
    ]
    return {site: _attack(table, policy, directions) for site, table in tables().items()}


def many_probes(policy: Policy) -> Mapping[str, Loot]:
    """Steer the fit sixty times in other directions: each answer may be one more patient."""
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    directions = [
        _towards(nodes=7 * np.cos(turn), age=4 * np.sin(turn), hormon=60 * np.cos(7 * turn), meno=60 * np.sin(5 * turn))
        for turn in turns
    ]
    return {site: _attack(table, policy, directions) for site, table in tables().items()}


ATTACKS = (
    Attack("false gradients", ("likelihood", "dominance"), false_gradients, {"nl": 0.25, "de": 0.25}),
    Attack("probing coefficients", ("likelihood", "dominance", "evaluations"), many_probes, {"nl": 0.05, "de": 0.05}),
)
