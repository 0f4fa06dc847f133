"""Attacks on sets of patients: differences of answers, single dummies, small cells, weights, colluding partners."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from corridor.pillars.research.rules.analyses import Block, Request
from corridor.pillars.research.rules.disclosure import Exposure, Policy, judge
from corridor.pillars.research.rules.rows import SiteTable
from tests.attack.breast import analysis, bent_protocol, tables
from tests.attack.playing import Attack, Loot, Victim, plan

__all__ = ["ATTACKS"]

NUMBERS = ["nodes", "er_fmol", "pgr_fmol", "age_years"]


def _sums(block: Block | None) -> np.ndarray | None:
    """Return count and sums of the answer to moments, shape (1 + variables,)."""
    return None if block is None else np.array([*block["n:all"], *block["sum:all"]], dtype=float)


def _is_row(guess: np.ndarray, table: SiteTable, names: list[str]) -> bool:
    rows = np.column_stack([table.columns[name] for name in names])
    return bool(np.isclose(rows, guess).all(axis=1).any())


def one_patient_difference(policy: Policy) -> Mapping[str, Loot]:
    """Ask for the sums of all patients and of those above 21: in the German cohort one patient is the difference."""
    protocol = bent_protocol(
        analysis("all", "moments", variables=NUMBERS),
        analysis("older", "moments", variables=NUMBERS, where=[{"variable": "age_years", "above": 21}]),
    )
    found = {}
    for site, table in tables().items():
        victim = Victim(table, policy)
        whole, part = (_sums(victim.ask(plan(protocol, name))) for name in ("all", "older"))
        gone = None if whole is None or part is None else whole - part
        hit = gone is not None and gone[0] == 1 and _is_row(gone[1:], table, NUMBERS)
        found[site] = Loot(int(hit), int((table.columns["age_years"] <= 21).sum()))
    return {"de": found["de"]}


def three_set_difference(policy: Policy) -> Mapping[str, Loot]:
    """Ask for A, B and C, of which no two differ by few, and take A - B - C: the youngest of one arm is left."""
    found = {}
    for site, table in tables().items():
        ages, arm = table.columns["age_years"], table.columns["hormon"]
        youngest = int(ages[arm == 0].min())
        inside = int(((arm == 0) & (ages == youngest)).sum())
        protocol = bent_protocol(
            analysis("a", "moments", variables=NUMBERS),
            analysis("b", "moments", variables=NUMBERS, where=[{"variable": "hormon", "is": 1}]),
            analysis(
                "c",
                "moments",
                variables=NUMBERS,
                where=[{"variable": "hormon", "is": 0}, {"variable": "age_years", "above": youngest}],
            ),
        )
        victim = Victim(table, policy)
        sums = [_sums(victim.ask(plan(protocol, name))) for name in "abc"]
        hit = 0
        if all(each is not None for each in sums):
            left = sums[0] - sums[1] - sums[2]  # type: ignore[operator]
            hit = int(left[0] == 1 and _is_row(left[1:], table, NUMBERS))
        found[site] = Loot(hit, inside)
    return found


def bins_that_differ_by_few(policy: Policy) -> Mapping[str, Loot]:
    """Name edges of ages that move by one year: the bins of two answers differ by the patients of that age.

    A partner's edges decide which are in common. Each bin holds k or more by itself.
    """
    asked = plan(bent_protocol(analysis("ages", "quantiles", variable="age_years", step=1)), "ages")
    found = {}
    for site, table in tables().items():
        ages = table.columns["age_years"][table.columns["nodes"] > 0]
        rare = [
            age for age in range(18, 110) if 0 < (ages == age).sum() < 5 <= min((ages < age).sum(), (ages > age).sum())
        ]
        victim, hits = Victim(table, policy), 0
        for age in rare:
            answers = [
                victim.ask(asked, Request(3, "counts", {"edges": [17.0, float(edge), 110.0]}))
                for edge in (age - 1, age)
            ]
            lower = [each["counts"][0] for each in answers if each is not None]
            hits += int(len(lower) == 2 and float(lower[1] or 0) - float(lower[0] or 0) == (ages == age).sum())
        found[site] = Loot(hits, len(rare))
    return found


def dummy_of_one_patient(policy: Policy) -> Mapping[str, Loot]:
    """Model the dummy "aged 21": its row of the information is that one patient, its gradient the outcome.

    At coefficients zero the dummy's own entry is nearly the hazard that the patient gathered; the gradient plus it is
    the event, 0 or 1, and each entry with a flag lies above or below zero as the patient bears the flag.
    """
    flags = ["hormon", "meno", "size_20_50", "size_gt50", "grade3"]
    protocol = bent_protocol(
        analysis("probe", "cox", endpoint="rfs", terms=["dummy", *flags]),
        terms=[{"name": "dummy", "variable": "age_years", "form": "is", "argument": 21}],
    )
    table = tables()["de"]
    probe = plan(protocol, "probe")
    block = Victim(table, policy).ask(probe)
    if block is None:
        return {"de": Loot(0, 1)}
    row = np.array(block["information"][: 1 + len(flags)], dtype=float)
    event = round(float(block["gradient"][0] or 0.0) + row[0])
    guess = [float(event), *(float(value > 0) for value in row[1:])]
    truth = probe.rows(table)
    place = int(np.flatnonzero(truth.variable("age_years") == 21)[0])
    real = [float(truth.variable("event")[place]), *truth.matrix(flags)[place].tolist()]
    return {"de": Loot(int(guess == real), 1)}


def small_cells_from_totals(policy: Policy) -> Mapping[str, Loot]:
    """Read tables of young patients with the totals beside them: what is not shown is the total less the rest."""
    names = ["meno", "size_cat", "grade", "hormon"]
    return {site: _cells_of(table, names, policy) for site, table in tables().items()}


def _cells_of(table: SiteTable, names: list[str], policy: Policy) -> Loot:
    found = among = 0
    for age in range(30, 45):
        protocol = bent_protocol(
            analysis("young", "counts", variables=names, where=[{"variable": "age_years", "at_most": age}])
        )
        asked = plan(protocol, "young")
        block = Victim(table, policy).ask(asked)
        rows = asked.rows(table)
        for name in names:
            values = rows.variable(name)
            width = len(protocol.variable(name).codes or ("0", "1"))  # type: ignore[union-attr]
            truth = [int((values == code).sum()) for code in range(width)]
            small = [code for code, count in enumerate(truth) if 0 < count < 5]
            among += len(small)
            if block is None:
                continue
            shown = list(block[f"table:{name}"])
            missing = [place for place, count in enumerate(shown) if count is None]
            if len(missing) == 1:
                shown[missing[0]] = (block["n"][0] or 0) - sum(count for count in shown if count is not None)
            found += sum(shown[code] == truth[code] for code in small)
    return Loot(found, among)


def cells_from_an_amendment(policy: Policy) -> Mapping[str, Loot]:
    """Amend the population by two years of age at a time, and subtract the tables: the cells of those few."""
    names, found = ["meno", "size_cat", "grade", "hormon"], {}
    for site, table in tables().items():
        victim, cells, among, last = Victim(table, policy), 0, 0, None
        for age in range(84, 70, -2):

            def change(members: dict[str, Any], limit: int = age) -> None:
                members["population"].append({"variable": "age_years", "at_most": limit})

            protocol = bent_protocol(analysis("all", "counts", variables=names), change=change)
            block = victim.ask(plan(protocol, "all"))
            ages = table.columns["age_years"]
            between = (ages > age) & (ages <= age + 2) & (table.columns["nodes"] > 0)
            for name in names:
                width = len(protocol.variable(name).codes or ("0", "1"))  # type: ignore[union-attr]
                truth = [int((table.columns[name][between] == code).sum()) for code in range(width)]
                small = [code for code, count in enumerate(truth) if 0 < count < 5] if age < 84 else []
                among += len(small)
                if block is None or last is None:
                    continue
                for code in small:
                    before, after = last[f"table:{name}"][code], block[f"table:{name}"][code]
                    cells += before is not None and after is not None and before - after == truth[code]
            last = block or last
        found[site] = Loot(cells, among)
    return found


def one_heavy_weight(policy: Policy) -> Mapping[str, Loot]:
    """Ask for means under weights of which one patient's is nearly all: the means are that patient."""
    found = {}
    for site, table in tables().items():
        weights = np.where(np.arange(len(table)) == 0, 1e9, 1.0)
        matrix = np.column_stack([table.columns[name] for name in NUMBERS])
        hit = 0
        if not judge(Exposure(weights=weights), policy):
            means = np.average(matrix, axis=0, weights=weights)
            hit = int(_is_row(np.round(means), table, NUMBERS))
        found[site] = Loot(hit, 1)
    return found


def two_of_three_sites(policy: Policy) -> Mapping[str, Loot]:
    """Pool three sites, of which two work together: the pooled sums less their own are those of the third.

    The third site has four patients. A secure sum would have hidden its block from one partner, not from two.
    """
    whole = tables()["nl"]
    parts = [_some(whole, slice(0, 700)), _some(whole, slice(700, 1400)), _some(tables()["de"], slice(0, 4))]
    protocol = bent_protocol(analysis("all", "moments", variables=["age_years"]))
    asked = plan(protocol, "all")
    blocks = [_sums(Victim(part, policy).ask(asked)) for part in parts]
    if any(block is None for block in blocks):
        return {"third": Loot(0, 4)}
    pooled = sum(blocks)  # type: ignore[arg-type]
    third = pooled - blocks[0] - blocks[1]
    truth = asked.rows(parts[2]).variable("age_years")
    hit = third[0] == len(truth) and np.isclose(third[1], truth.sum())
    return {"third": Loot(4 if hit else 0, 4)}


def _some(table: SiteTable, rows: slice) -> SiteTable:
    return SiteTable({name: values[rows] for name, values in table.columns.items()}, table.persons[rows])


def averaged_noise(policy: Policy) -> Mapping[str, Loot]:
    """Ask the same noisy table two hundred times under other names, and average.

    Without the keyed noise, noise is drawn anew for each answer, as a fixed seed or none would have it. A cell whose
    answers never differ cannot be averaged.
    """
    names = ["size_cat", "grade", "meno", "hormon"]
    found = {}
    for site, table in tables().items():
        drawn: dict[str, list[list[float]]] = {}
        truth: dict[str, list[int]] = {}
        for turn in range(200):
            fresh = hashlib.sha256(str(turn).encode()).digest() if not policy.has("cache") else b"a site's own key"
            answering = Policy(noise_scale=2.0, noise_key=fresh, off=policy.off)
            order = names[turn % 4 :] + names[: turn % 4]
            protocol = bent_protocol(analysis(f"again-{turn}", "counts", variables=order))
            asked = plan(protocol, f"again-{turn}")
            block = Victim(table, answering).ask(asked)
            assert block is not None
            rows = asked.rows(table)
            for name in names:
                drawn.setdefault(name, []).append([float(count or 0) for count in block[f"table:{name}"]])
                codes = len(block[f"table:{name}"]) - 1
                truth[name] = [int((rows.variable(name) == code).sum()) for code in range(codes)]
        hits = cells = 0
        for name, answers in drawn.items():
            table_of = np.array(answers)
            for code, count in enumerate(truth[name]):
                if not count:
                    continue
                cells += 1
                varies = len(set(table_of[:, code])) > 1
                hits += bool(varies and round(float(table_of[:, code].mean())) == count)
        found[site] = Loot(hits, cells)
    return found


ATTACKS = (
    Attack("difference of two answers", ("differencing",), one_patient_difference, {"de": 1.0}),
    Attack("bins that differ by few", ("differencing",), bins_that_differ_by_few, {"nl": 1.0, "de": 1.0}),
    Attack("difference of three answers", ("differencing",), three_set_difference, {"nl": 1.0, "de": 1.0}),
    Attack(
        "dummy of one patient",
        ("minority", "leverage", "dominance", "smallest-cell", "differencing"),
        dummy_of_one_patient,
        {"de": 1.0},
    ),
    Attack(
        "small cells beside totals", ("smallest-cell", "differencing"), small_cells_from_totals, {"nl": 1.0, "de": 1.0}
    ),
    Attack("cells from amendments", ("differencing",), cells_from_an_amendment, {"nl": 0.9, "de": 0.9}),
    Attack("weights with one heavy patient", ("weights",), one_heavy_weight, {"nl": 1.0, "de": 1.0}),
    Attack("two of three sites", ("smallest-cell", "dominance", "differencing"), two_of_three_sites, {"third": 1.0}),
    Attack("averages of repeated noise", ("cache",), averaged_noise, {"nl": 0.6, "de": 0.6}),
)
