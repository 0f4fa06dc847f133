"""Attacks on patients through a real node: days, weights, corrected rows, a ledger put back from a backup."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corridor.accounts.actors import System
from corridor.exchange.models import Crossing, OutboxEntry
from corridor.exchange.rules.canonical import b64, canonical
from corridor.exchange.services import backups, restore
from corridor.pillars.research.messages import ProtocolProposal
from corridor.pillars.research.models import ProtocolVersion, Run
from corridor.pillars.research.queries.journal import journal_path
from corridor.pillars.research.rules.analyses import Block, Request
from corridor.pillars.research.rules.analyses.blocks import flat, square
from corridor.pillars.research.services.corrections import FewCorrections
from tests.attack.breast import TERMS, analysis, tables
from tests.attack.partner import HostilePartner, nodes_without
from tests.attack.playing import Loot, plan
from tests.exchange.nodes import Corridor
from tests.research.studies import SITES, StudyCorridor, breast_protocol, corrected_file

pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)

NUMBERS = ["nodes", "er_fmol", "pgr_fmol", "age_years"]
Rows = list[tuple[str, str, str, str, str]]
Maker = Callable[..., Corridor]


def agreed(make_corridor: Maker, *analyses: dict[str, Any], **terms: int) -> StudyCorridor:
    """Return two nodes with a signed protocol that holds these analyses, and frozen rows."""

    def change(members: dict[str, Any]) -> None:
        members["analyses"] = list(analyses)
        members["disclosure"] |= terms

    study = StudyCorridor(make_corridor(*SITES.values()), *breast_protocol(change))
    study.ready()
    return study


def both_ways(name: str, guards: tuple[str, ...], play: Callable[[], Loot], attack_table: Rows) -> tuple[Loot, Loot]:
    """Play an attack without its guards, then with every guard; each time against nodes of its own."""
    with nodes_without(guards):
        without = play()
    with_them = play()
    attack_table.append((name, ", ".join(guards), "de", str(without), str(with_them)))
    return without, with_them


def of_rows(names: list[str], *, sorted_by: str = "") -> np.ndarray:
    """Return columns of the German rows, which the attacker never sees."""
    table = tables()["de"]
    matrix = np.column_stack([table.columns[name] for name in names])
    return matrix[np.argsort(table.columns[sorted_by], kind="stable")] if sorted_by else matrix


def every_day(step: Request, block: Block) -> Block | None:
    """Claim to be able to use every day as an edge, in the words of the victim's own answer."""
    last = int(tables()["de"].columns["time_days"].max())
    days = list(step.parameters.get("among", [float(day) for day in range(last + 1)]))
    return dict.fromkeys(block, days) if step.step == "edges" else None


def test_events_by_day_are_not_forced_out_of_a_node_by_edges_of_every_day(
    make_corridor: Maker, attack_table: Rows
) -> None:
    def play() -> Loot:
        study = agreed(make_corridor, analysis("curve", "kaplan-meier", endpoint="rfs"))
        given = HostilePartner(study).ask("curve", every_day)
        single = [sum(count == 1 for count in block["events"]) for step, block in given if step.step == "table"]
        return Loot(sum(single), int(tables()["de"].columns["event"].sum()))

    without, with_them = both_ways("single events by day, from a node", ("time-grid",), play, attack_table)
    assert without.share >= 0.8
    assert with_them.found == 0


def test_risk_sets_by_day_are_not_forced_out_of_a_node_by_edges_of_every_day(
    make_corridor: Maker, attack_table: Rows
) -> None:
    def play() -> Loot:
        study = agreed(make_corridor, analysis("fit", "cox-unstratified", endpoint="rfs", terms=list(TERMS)))
        rows = plan(study.protocol, "fit").rows(tables()["de"]).matrix(TERMS)
        given = HostilePartner(study).ask("fit", every_day)
        blocks = [block for step, block in given if step.step == "sums"]
        if not blocks:
            return Loot(0, len(rows))
        at_risk = np.append(np.array(blocks[0]["risk"], float), 0.0)
        sums = np.vstack((np.array(blocks[0]["risk_sum"], float).reshape(-1, len(TERMS)), np.zeros(len(TERMS))))
        alone = np.flatnonzero(np.isclose(at_risk[:-1] - at_risk[1:], 1.0))
        truth = {tuple(row) for row in np.round(rows, 6) + 0.0}
        return Loot(sum(tuple(row) in truth for row in np.round(sums[alone] - sums[alone + 1], 6) + 0.0), len(rows))

    guards = ("time-grid", "budget")
    without, with_them = both_ways("risk sets by day, from a node", guards, play, attack_table)
    assert without.share >= 0.445
    assert with_them.found == 0


def test_sums_over_those_at_risk_day_by_day_give_no_patient_away_between_two_nodes(
    make_corridor: Maker, attack_table: Rows
) -> None:
    days = list(range(1700, 1712))
    at_risk = [
        analysis(f"at-{day}", "moments", variables=NUMBERS, where=[{"variable": "time_days", "at_least": day}])
        for day in days
    ]

    def play() -> Loot:
        partner = HostilePartner(agreed(make_corridor, *at_risk))
        sums = [partner.ask(f"at-{day}") for day in days]
        told = [np.array([*given[0][1]["n:all"], *given[0][1]["sum:all"]], float) if given else None for given in sums]
        times, rows = tables()["de"].columns["time_days"], of_rows(NUMBERS)
        hits = 0
        for day, one, other in zip(days, told, told[1:], strict=False):
            if one is not None and other is not None and (one - other)[0] == 1:
                hits += int((rows[times == day] == (one - other)[1:]).all())
        return Loot(hits, int(((times >= days[0]) & (times < days[-1])).sum()))

    without, with_them = both_ways("those still followed, by day, from a node", ("differencing",), play, attack_table)
    assert without.found > 0
    assert with_them.found == 0


@pytest.mark.parametrize("kind", ["risk-sets", "kaplan-meier-daily", "rows"])
def test_a_protocol_that_asks_for_days_or_rows_is_refused_when_it_arrives(make_corridor: Maker, kind: str) -> None:
    study = agreed(make_corridor, analysis("all", "moments", variables=NUMBERS))
    members = json.loads(study.document)
    members |= {"version": 2, "supersedes": study.protocol.hash}
    members["analyses"][0]["kind"] = kind
    study.say("nl", "de", proposal=ProtocolProposal(document=b64(canonical(members))))
    study.corridor.settle()
    with study.nodes["de"]:
        assert ProtocolVersion.objects.count() == 1
        assert Crossing.objects.filter(direction="in", status="refused", reason="malformed").count() == 1


PROPENSITY = ["nodes", "age", "log1p_er"]
SLOPES = (-1.5, -0.6, 0.0)
"""Of the German patients who were given hormones, one with many nodes and of high age has nearly all the weight."""


def steered_to(slopes: tuple[float, ...]) -> Callable[[Request, Block], Block | None]:
    """Return lies after which the model of the exposure comes to rest at these slopes.

    The partner's information outweighs the victim's, so that its gradient alone decides where the slopes go; then it
    cancels the victim's, and the fit believes that it has arrived. The victim's own intercept follows by itself.
    """
    width = 1 + len(slopes)

    def lie(step: Request, block: Block) -> Block | None:
        if step.step == "balance":
            return None
        if step.step == "start":
            return {"n": [1000], "response": [400.0, 400.0, 1000.0]}
        beta = np.array(step.parameters["beta"])
        gradient, information = np.array(block["gradient"], float), square(np.array(block["information"], float), width)
        heavy = np.eye(width) * 1e4 * np.abs(information).max()
        wanted = np.array([0.0, *(np.array(slopes) - beta[1:width])])
        own = wanted.copy()
        own[0] = (gradient[0] - information[0, 1:] @ wanted[1:]) / information[0, 0]
        return {
            "loglik": [1e9 * step.round],
            "gradient": (heavy @ wanted + information @ own - gradient).tolist(),
            "information": flat(heavy),
        }

    return lie


@pytest.mark.parametrize(
    "guards",
    [
        ("likelihood", "dominance", "weights", "smallest-cell", "differencing"),
        ("likelihood", "dominance", "differencing"),
    ],
    ids=["no-guard", "weights-alone"],
)
def test_weights_that_one_patient_dominates_do_not_leave_a_node(
    make_corridor: Maker, attack_table: Rows, guards: tuple[str, ...]
) -> None:
    def play() -> Loot:
        item = analysis("weighted", "weighting", endpoint="rfs", exposure="hormon", propensity=PROPENSITY)
        given = HostilePartner(agreed(make_corridor, item)).ask("weighted", steered_to(SLOPES))
        balance = [block for step, block in given if step.step == "balance"]
        if not balance:
            return Loot(0, 1)
        mean = np.array(balance[0]["wx:1"], float) / float(balance[0]["w:1"][0] or 1)
        table = tables()["de"]
        rows = np.column_stack([table.columns["nodes"], table.columns["age_years"], np.log1p(table.columns["er_fmol"])])
        return Loot(int(np.isclose(rows[table.columns["hormon"] == 1], mean, rtol=1e-6).all(axis=1).any()), 1)

    if "weights" not in guards:
        # The guard of weights is on, and the others are not: it alone keeps the patient in.
        with nodes_without(guards):
            assert play().found == 0
        return
    without, with_them = both_ways("weights with one heavy patient, from a node", guards, play, attack_table)
    assert (without.found, with_them.found) == (1, 0)


def test_one_corrected_value_is_not_told_by_asking_the_same_of_both_rows(
    make_corridor: Maker, attack_table: Rows, tmp_path: Path
) -> None:
    corrected = corrected_file(tmp_path, persons=1, by=7)

    def play() -> Loot:
        study = agreed(make_corridor, analysis("all", "moments", variables=NUMBERS))
        partner = HostilePartner(study)
        ((_, before),) = partner.ask("all")
        with suppress(FewCorrections):
            study.freeze("de", corrected)
        ((_, after),) = partner.ask("all")
        gone = np.array(after["sum:all"], float) - np.array(before["sum:all"], float)
        return Loot(int(gone.tolist() == [7.0, 0.0, 0.0, 0.0]), 1)

    without, with_them = both_ways("one corrected value", ("corrections",), play, attack_table)
    assert (without.found, with_them.found) == (1, 0)


def restored(study: StudyCorridor, backup: Path) -> None:
    """Put the German node back to its backup, as its people would: a new epoch by two persons, welcomed back.

    An honest partner sends its requests again, and answering them the node learns again whom it told of. This one
    sends nothing again.
    """
    de, nl = study.nodes["de"], study.nodes["nl"]
    with de:
        backups.put_back(backup, home=de.home, now=de.now)
    de.deliver()
    de.both(lambda person: restore.ask_to_open_epoch(actor=person, now=de.now))
    study.corridor.settle()
    with nl:
        restore.confirm_restore(de.id, actor=nl.person(), now=nl.now)
        OutboxEntry.objects.filter(crossing__schema="research.study/1").delete()
    study.corridor.settle()


def test_a_node_put_back_from_its_backup_gives_no_budget_and_no_difference_anew(
    make_corridor: Maker, attack_table: Rows, tmp_path: Path
) -> None:
    youngest = of_rows(["nodes", "er_fmol"])[tables()["de"].columns["age_years"] <= 21]
    told: list[list[str]] = []

    def play(*, with_journal: bool) -> Loot:
        study = agreed(
            make_corridor,
            analysis("all", "moments", variables=["nodes", "er_fmol"]),
            analysis(
                "older",
                "moments",
                variables=["nodes", "er_fmol"],
                where=[{"variable": "age_years", "above": 21}],
            ),
            releases=2,
        )
        de, backup = study.nodes["de"], tmp_path / f"{with_journal}.tar"
        with de:
            backups.backup(backup, home=de.home, actor=System("test"), now=de.now)
        partner = HostilePartner(study)
        whole = partner.ask("all")
        if not with_journal:
            with de:
                journal_path().unlink()
        restored(study, backup)
        part = partner.ask("older")
        with study.nodes["de"]:
            told.extend(Run.objects.filter(analysis="older").values_list("reasons", flat=True))
        if not part:
            return Loot(0, 1)
        left = [np.array([*block["n:all"], *block["sum:all"]], float) for _, block in (whole[0], part[0])]
        return Loot(int((left[0] - left[1]).tolist() == [1.0, *youngest[0]]), 1)

    without, with_them = play(with_journal=False), play(with_journal=True)
    attack_table.append(
        ("restored ledger and budget", "the journal outside the database", "de", str(without), str(with_them))
    )
    assert (without.found, with_them.found) == (1, 0)
    assert told[-1] == ["budget: ledger-closed"]
